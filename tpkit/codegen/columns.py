"""Which fields a record carries, and how each gets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tpkit.codegen.names import safe_identifier, unique
from tpkit.context import Access, accesses, is_syscall_number
from tpkit.errors import FormatError
from tpkit.model import EventFormat, Field, Location, SymbolTable
from tpkit.print_fmt import displays, symbol_tables
from tpkit.record import Capture, Column, Display, Member, Scalar
from tpkit.syscall_words import argument_table
from tpkit.widths import Width, argument_width, element_width, value_width

MAX_BYTES = 1024  # of one field by value; larger ones (pages of hypervisor state) don't fit a record

_Told = TypeVar("_Told")

_U64 = Width(8, False)

# Arguments that are addresses without being pointers: of mmap(2), madvise(2), brk(2), clone(2) and their like.
_ADDRESSES = frozenset("addr start brk new_addr newsp tls".split())

# Bytes that an address has at least; a socket's has as many as its family needs.
_ADDRESS_SIZES = {Display.IPV4: 4, Display.IPV6: 16, Display.SOCKET_ADDRESS: 16}


@dataclass(frozen=True, slots=True)
class Source:
    """A column of the record, and the access that fills it."""

    column: Column
    access: Access


@dataclass(frozen=True, slots=True)
class _Plan:
    """One event being planned.

    tables, displays: what its print fmt tells of its fields, by their names; labels, members: the names
    that are taken.
    """

    event: EventFormat
    string_size: int
    tables: dict[str, SymbolTable]
    displays: dict[str, Display]
    machine: str
    labels: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)


def plan_columns(event: EventFormat, string_size: int, machine: str = "x86_64") -> tuple[Source, ...]:
    """What a record of this event carries: all that a BPF program may read, in the event's order.

    machine: whose numbers the flags of system calls are (``uname -m``).
    """
    plan = _Plan(event, string_size, _told_by(symbol_tables, event), _displays(event), machine)
    wanted = [a for a in accesses(event) if a.readable and not is_syscall_number(event, a.field)]
    return tuple(Source(_column(plan, access), access) for access in wanted)


def _displays(event: EventFormat) -> dict[str, Display]:
    """A system call's print fmt shows everything as hexadecimal."""
    return {} if event.id.syscall is not None else _told_by(displays, event)


def _told_by(question: Callable[[EventFormat], dict[str, _Told]], event: EventFormat) -> dict[str, _Told]:
    """What the print fmt says; an unreadable one costs names and displays, and nothing else."""
    try:
        return question(event)
    except FormatError:
        return {}


def left_out(event: EventFormat) -> tuple[Access, ...]:
    """The event's own fields that no record carries, each with the reason."""
    return tuple(a for a in accesses(event) if not a.readable and not a.field.common)


def _column(plan: _Plan, access: Access) -> Column:
    wanted = access.field
    name = safe_identifier(wanted.name, plan.members)
    capture = _capture(access)
    display, element = _display(plan.event, wanted, capture, plan.displays.get(wanted.name))
    column = Column(
        field=wanted,
        label=unique(wanted.name, plan.labels),
        capture=capture,
        value=_value_member(name, access, capture),
        display=display,
        element=element,
        table=plan.tables.get(wanted.name) or argument_table(plan.event.id, wanted, plan.machine),
    )
    if not capture.has_text:
        return column
    # Room for one byte more than is kept, and the final zero: a full buffer means a longer string.
    text = Member(safe_identifier(f"{name}_text", plan.members), Scalar.CHAR, plan.string_size + 2)
    return replace(column, text=text, size=Member(safe_identifier(f"{name}_size", plan.members), Scalar.S32))


def _display(
    event: EventFormat, wanted: Field, capture: Capture, printed: Display | None
) -> tuple[Display, Scalar | None]:
    """How the field is shown; printed: what its print fmt says. With it the element of an array of numbers."""
    if capture is Capture.VALUE:
        return _value_display(event, wanted, printed), None
    if wanted.type.is_text or capture in (Capture.USER_STRING, Capture.KERNEL_STRING):
        return Display.TEXT, None
    if printed in _ADDRESS_SIZES and (wanted.type.is_dynamic or wanted.size >= _ADDRESS_SIZES[printed]):
        return printed, None
    element = element_width(wanted.type)
    if element is not None and element.size > 1:
        return Display.NUMBERS, Scalar.of(element.size, element.signed)
    return Display.BYTES, None


def _value_display(event: EventFormat, wanted: Field, printed: Display | None) -> Display:
    if wanted.type.is_pointer:
        return Display.POINTER
    if event.id.is_syscall_exit and wanted.name == "ret":
        return Display.ERROR
    if event.id.is_syscall_enter and wanted.type.base == "umode_t":
        return Display.OCTAL
    if event.id.is_syscall_enter and wanted.type.base == "unsigned long" and wanted.name in _ADDRESSES:
        return Display.POINTER
    return printed if printed in (Display.HEX, Display.OCTAL) else Display.DECIMAL


def _capture(access: Access) -> Capture:
    field = access.field
    if field.type.location is not Location.IN_RECORD:
        return Capture.DATA_LOC if field.type.location is Location.DATA_LOC else Capture.REL_LOC
    if field.type.is_char_pointer and field.size == 8:
        return Capture.KERNEL_STRING if access.argument is None else _argument_capture(access)
    if access.argument is not None or value_width(field) is not None:
        return Capture.VALUE
    return Capture.BYTES


def _argument_capture(access: Access) -> Capture:
    """``const char *`` is a string that the kernel reads; ``char *`` a buffer that it may write to."""
    return Capture.USER_STRING if "const" in access.field.type.qualifiers else Capture.VALUE


def _value_member(name: str, access: Access, capture: Capture) -> Member:
    field = access.field
    if capture is Capture.BYTES:
        return Member(name, Scalar.CHAR if field.type.is_text else Scalar.U8, min(field.size, MAX_BYTES))
    if capture in (Capture.DATA_LOC, Capture.REL_LOC):
        return Member(name, Scalar.U32)
    width = argument_width(field) if access.argument is not None else value_width(field)
    width = width or _U64
    return Member(name, Scalar.of(width.size, width.signed))
