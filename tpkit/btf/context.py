"""Which struct in BTF is a tracepoint's context, and whether it agrees with the format file.

The macros of ``include/trace/trace_events.h`` declare ``struct trace_event_raw_<class>`` for every
class of events. A class often has just one event, of the same name (TRACE_EVENT); where it has several
(DEFINE_EVENT) nothing names the class, and the struct is told by its members.

A system call's event differs: BPF gets neither the record nor one of the structs that people use for
it, but ``struct syscall_tp_t``, local to ``perf_call_bpf_enter`` and ``perf_call_bpf_exit`` in
``kernel/trace/trace_syscalls.c``. In RHEL 9.3 its arguments start at 24 and the format file says 16
(elastic/quark #422); BTF has the struct in all kernels seen, from 5.10 to 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tpkit.btf.types import RAW_EVENT_PREFIX, Btf, BtfStruct
from tpkit.model import EventFormat, Field, Location

_MEMBER_PREFIXES: Mapping[Location, str] = {
    Location.IN_RECORD: "",
    Location.DATA_LOC: "__data_loc_",
    Location.REL_LOC: "__rel_loc_",
}
_NOT_FIELDS = frozenset({"ent", "__data"})  # the common header, and the place of dynamic arrays


@dataclass(frozen=True, slots=True)
class ContextStruct:
    """What BTF has as an event's context.

    structs: those that a program may take for its context, sorted by name; several where classes have
    the same members at the same offsets. exact: told by the naming rule, not by its members.
    disagreements: one line for each field whose offset differs from the format file's; for a system call,
    for its first argument or its return value.
    """

    structs: tuple[BtfStruct, ...] = ()
    exact: bool = False
    disagreements: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the structs, without ``struct``."""
        return tuple(each.name for each in self.structs)

    @property
    def agrees(self) -> bool:
        """Whether BTF has the struct and puts every field where the format file does."""
        return bool(self.structs) and not self.disagreements


def context_struct(btf: Btf, event: EventFormat) -> ContextStruct:
    """The struct of an event's context, by name or by members; none for events that have none in BTF.

    Those are the ones of ``ftrace`` itself, and dynamic, synthetic and user events. The events of modules
    need their module's BTF: without it, a struct of the kernel may be found that happens to have the same
    members, and then it serves as well. Raises BtfError.
    """
    if event.id.syscall is not None:
        return _syscall_context(btf, event)
    # A class may bear the name of another class's event (kmem_alloc, of slab and of xfs, in Linux 5.10).
    candidates = btf.structs(RAW_EVENT_PREFIX + event.id.name)
    named = next((s for s in candidates if _has_members(s, event.fields)), None)
    disagreements = tuple(_disagreements(named, event.fields)) if named else ()
    if named and not disagreements:
        return ContextStruct((named,), exact=True)
    similar = _with_same_members(btf.raw_event_structs(len(event.fields) + len(_NOT_FIELDS)), event.fields)
    if similar:
        return ContextStruct(similar)
    return ContextStruct((named,) if named else (), named is not None, disagreements)


def _member_name(field: Field) -> str:
    return _MEMBER_PREFIXES[field.type.location] + field.name


def _has_members(struct: BtfStruct, fields: Iterable[Field]) -> bool:
    names = {member.name for member in struct.members}
    return all(_member_name(field) in names for field in fields)


def _disagreements(struct: BtfStruct, fields: Iterable[Field]) -> Iterator[str]:
    for field in fields:
        offset = _offset(struct, _member_name(field))
        if offset not in (None, field.offset):
            yield _disagreement(field, offset, struct)


def _disagreement(field: Field, offset: int | None, struct: BtfStruct) -> str:
    return f"{field.name}: offset {field.offset} in the format file, {offset} in struct {struct.name}"


def _with_same_members(structs: Iterable[BtfStruct], fields: Iterable[Field]) -> tuple[BtfStruct, ...]:
    """The structs that have these fields, and no others, at the format file's offsets; sorted."""
    wanted = {(_member_name(field), field.offset) for field in fields}
    return tuple(
        struct
        for struct in sorted(structs, key=lambda each: each.name)
        if {(each.name, each.offset) for each in struct.members if each.name not in _NOT_FIELDS} == wanted
    )


def _syscall_context(btf: Btf, event: EventFormat) -> ContextStruct:
    """The structs whose arguments (or return value) are where BPF gets them."""
    side, name = ("enter", "args") if event.id.is_syscall_enter else ("exit", "ret")
    usual = [s for s in map(btf.struct, (f"{RAW_EVENT_PREFIX}sys_{side}", f"syscall_trace_{side}")) if s]
    actual = next((s for s in btf.structs("syscall_tp_t") if s.member(name)), None)
    if actual:
        usual = [s for s in usual if _offset(s, name) == _offset(actual, name)] or [actual]
    field = _first_value(event)
    disagreements = (
        _disagreement(field, offset, struct)
        for struct in ([actual] if actual else usual)
        if field and (offset := _offset(struct, name)) not in (None, field.offset)
    )
    return ContextStruct(tuple(usual), exact=bool(usual), disagreements=tuple(disagreements))


def _offset(struct: BtfStruct, name: str) -> int | None:
    member = struct.member(name)
    return member.offset if member else None


def _first_value(event: EventFormat) -> Field | None:
    """The first argument or the return value: it follows the number. Some system calls have no argument.

    Since Linux 6.19 there are also dynamic fields, for ftrace and perf only (commit a544d9a66bdf).
    """
    fields = [field for field in event.fields[1:] if field.type.location is Location.IN_RECORD]
    return min(fields, key=lambda field: field.offset, default=None)
