"""Which fields a record carries, and how each gets there."""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.codegen.names import safe_identifier, unique
from tpkit.context import Access, accesses, is_syscall_number
from tpkit.errors import FormatError
from tpkit.model import EventFormat, Location, SymbolTable
from tpkit.print_fmt import symbol_tables
from tpkit.record import Capture, Column, Member, Scalar
from tpkit.widths import Width, argument_width, value_width

MAX_BYTES = 1024  # of one field by value; larger ones (pages of hypervisor state) don't fit a record

_U64 = Width(8, False)


@dataclass(frozen=True, slots=True)
class Source:
    """A column of the record, and the access that fills it."""

    column: Column
    access: Access


def plan_columns(event: EventFormat, string_size: int) -> tuple[Source, ...]:
    """What a record of this event carries: all that a BPF program may read, in the event's order."""
    labels: set[str] = set()
    members: set[str] = set()
    tables = _tables(event)
    wanted = [a for a in accesses(event) if a.readable and not is_syscall_number(event, a.field)]
    return tuple(
        Source(_column(a, unique(a.field.name, labels), string_size, members, tables.get(a.field.name)), a)
        for a in wanted
    )


def _tables(event: EventFormat) -> dict[str, SymbolTable]:
    """Names for numbers; an unreadable print fmt costs them, and nothing else."""
    try:
        return symbol_tables(event)
    except FormatError:
        return {}


def left_out(event: EventFormat) -> tuple[Access, ...]:
    """The event's own fields that no record carries, each with the reason."""
    return tuple(a for a in accesses(event) if not a.readable and not a.field.common)


def _column(
    access: Access, label: str, string_size: int, taken: set[str], table: SymbolTable | None
) -> Column:
    name = safe_identifier(access.field.name, taken)
    capture = _capture(access)
    value = _value_member(name, access, capture)
    if not capture.has_text:
        return Column(access.field, label, capture, value, table=table)
    # Room for one byte more than is kept, and the final zero: a full buffer means a longer string.
    text = Member(safe_identifier(f"{name}_text", taken), Scalar.CHAR, string_size + 2)
    size = Member(safe_identifier(f"{name}_size", taken), Scalar.S32)
    return Column(access.field, label, capture, value, size, text)


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
