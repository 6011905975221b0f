"""What a libbpf program takes for its context: a struct of the kernel's own where BTF has the right one.

``vmlinux.h`` has the kernel's structs, and clang records how they are read, so that libbpf can adapt the
program to another kernel (CO-RE). Where BTF has no struct that puts the fields where the format file
does, the program declares its own, with the format file's offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.btf import Btf
from tpkit.btf import context_struct as find_struct
from tpkit.codegen.context_struct import ContextMember, context_struct
from tpkit.codegen.names import comment_text
from tpkit.context import accesses, argument_base
from tpkit.model import EventFormat, Field, Location

# perf_call_bpf_enter() and perf_call_bpf_exit() of kernel/trace/trace_syscalls.c hand this to programs.
_ACTUAL = "syscall_tp_t"
_PREFIXES = {Location.IN_RECORD: "", Location.DATA_LOC: "__data_loc_", Location.REL_LOC: "__rel_loc_"}


@dataclass(frozen=True, slots=True)
class LibbpfContext:
    """A context's struct.

    name: behind ``struct``; members: to declare it, empty where vmlinux.h has it; relocated: whether
    libbpf is to find its members' offsets on the kernel; paths: what follows ``ctx->`` for the fields that
    have a member, by their offset; why: a comment, says why it is this struct.
    """

    name: str
    paths: dict[int, str]
    why: str
    members: tuple[ContextMember, ...] = ()
    relocated: bool = True

    def path(self, field: Field) -> str | None:
        """The field's member, None where it has none of its own."""
        return None if field.overlaps else self.paths.get(field.offset)


def libbpf_context(event: EventFormat, btf: Btf | None, *, own_name: str, portable: bool) -> LibbpfContext:
    """The struct for an event. btf: the target kernel's, None where nothing is known of it.

    portable: a system call's arguments are looked up on the kernel that the program is loaded on.
    """
    if portable and event.id.syscall is not None:
        return _portable(event, own_name)
    if btf is not None:
        found = find_struct(btf, event)
        if found.agrees:
            why = "as in BTF, which puts the fields where the format file does"
            return LibbpfContext(_preferred(found.names), _paths(event), why)
    reason = "no BTF was at hand" if btf is None else "BTF has no struct with the fields where the format file has them"
    own = context_struct(event)
    return LibbpfContext(own_name, own.names | _arguments(event), reason, own.members, relocated=False)


def _preferred(names: tuple[str, ...]) -> str:
    """The one that people know, where there is a choice."""
    return next((name for name in names if name.startswith("trace_event_raw_sys_")), names[0])


def _portable(event: EventFormat, own_name: str) -> LibbpfContext:
    """What the kernel really hands over, by the name that BTF knows it by, with its offsets left to CO-RE."""
    what = "args[6]" if event.id.is_syscall_enter else "ret"
    member = ContextMember(f"{'unsigned ' if event.id.is_syscall_enter else ''}long {what}")
    why = f"what {'perf_call_bpf_enter' if event.id.is_syscall_enter else 'perf_call_bpf_exit'}() has on its stack"
    return LibbpfContext(f"{_ACTUAL}___{own_name.removesuffix('_context')}", _paths(event), why, (member,))


def _paths(event: EventFormat) -> dict[int, str]:
    if event.id.is_syscall_enter:
        return _arguments(event)
    if event.id.is_syscall_exit:
        return {field.offset: "ret" for field in event.fields if field.name == "ret"}
    return {field.offset: _PREFIXES[field.type.location] + field.name for field in event.fields if _is_plain(field)}


def _is_plain(field: Field) -> bool:
    """Not a narrow enum: bpftool 7.1 declares it as wide as an int, and CO-RE then refuses the read.

    Measured with xfs's enum xfs_group_type, which has one byte. libbpf's commit 21a9a1bcccaa is about it.
    """
    return not (field.type.base.startswith("enum ") and field.size != 4 and not field.type.is_pointer)


def _arguments(event: EventFormat) -> dict[int, str]:
    if argument_base(event) is None:
        return {}
    return {a.field.offset: f"args[{a.argument}]" for a in accesses(event) if a.argument is not None}


def describe_context(context: LibbpfContext) -> str:
    """The comment over a probe: its struct, and why."""
    return comment_text(f"struct {context.name}: {context.why}")
