"""What a BPF program sees of an event: which fields it may read, and which are system call arguments.

A program on a tracepoint gets the record as its context, but not all of it: the kernel refuses the
first 8 bytes (``tp_prog_is_valid_access`` in ``kernel/trace/bpf_trace.c``), and programs on
``syscalls:sys_enter_*`` get a small struct on the stack instead of the record
(``perf_call_bpf_enter`` in ``trace_syscalls.c``): the header, the number, and the arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.model import EventFormat, Field

HEADER = 8  # bytes of the context that BPF can't read: sizeof(void *) of the 64-bit kernel

_NUMBER_NAMES = ("__syscall_nr", "nr")  # renamed by commit 026842d148b9


@dataclass(frozen=True, slots=True)
class Access:
    """How a BPF program gets at one field.

    argument: n of ``args[n]`` for a system call's argument; refusal: why the field can't be read, None
    when it can.
    """

    field: Field
    argument: int | None = None
    refusal: str | None = None

    @property
    def readable(self) -> bool:
        """Whether a BPF program may read the field."""
        return self.refusal is None


def accesses(event: EventFormat) -> tuple[Access, ...]:
    """How a BPF program gets at each field of an event, the common ones first."""
    return tuple(access(event, each) for each in event.common_fields + event.fields)


def access(event: EventFormat, field: Field) -> Access:
    """How a BPF program gets at this field of the event."""
    if field.common:
        return Access(field, refusal="the common header, which BPF programs may not read")
    if field.offset < HEADER:
        return Access(field, refusal=f"in the first {HEADER} bytes, which BPF programs may not read")
    if field.size == 0:
        return Access(field, refusal="has no size: its bytes aren't part of what the format file describes")
    if event.id.is_syscall_enter and field.type.is_dynamic:
        # Linux 6.19, commit a544d9a66bdf: ftrace and perf append the string that an argument points
        # to. The context of a BPF program ends before it: there it is an uninitialised args[n].
        return Access(field, refusal="filled in for ftrace and perf only; read the argument's own string")
    return Access(field, argument=_argument_index(event, field))


def argument_base(event: EventFormat) -> int | None:
    """The offset of ``args[0]`` of a ``sys_enter`` event, None for other events and without arguments."""
    arguments = _argument_fields(event)
    return min(each.offset for each in arguments) if arguments else None


def prototype(event: EventFormat) -> str:
    """The event as C would declare it: ``unlinkat(int dfd, const char *pathname, int flag)``."""
    fields = [f for f in event.fields if not is_syscall_number(event, f)]
    if event.id.is_syscall_enter:
        fields = [f for f in fields if not f.type.is_dynamic]
    parameters = ", ".join(f.declaration for f in fields)
    if event.id.is_syscall_exit:
        return f"{event.id.syscall}() = {parameters}"
    return f"{event.id.syscall or event.id.name}({parameters})"


def is_syscall_number(event: EventFormat, field: Field) -> bool:
    """Whether the field is the number of the system call, which the event's name says already."""
    return field.name in _NUMBER_NAMES and event.id.syscall is not None and field == event.fields[0]


def _argument_fields(event: EventFormat) -> tuple[Field, ...]:
    if not event.id.is_syscall_enter:
        return ()
    return tuple(f for f in event.fields if not is_syscall_number(event, f) and not f.type.is_dynamic and f.size)


def _argument_index(event: EventFormat, field: Field) -> int | None:
    """n of ``args[n]``, by offset: the file's order of fields is no promise."""
    if field not in _argument_fields(event):
        return None
    base = argument_base(event)
    assert base is not None  # field itself is one
    index, rest = divmod(field.offset - base, field.size)
    return index if rest == 0 else None
