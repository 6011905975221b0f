"""Which fields a record carries, and how each gets there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from tpkit.codegen.names import safe_identifier, unique
from tpkit.context import Access, accesses, is_syscall_number
from tpkit.errors import FormatError
from tpkit.model import EnumValue, EventFormat, Field, Location, SymbolTable, no_value
from tpkit.payload import PIECES, TEXTS, Payload, PayloadKind
from tpkit.record import MINOR_BITS, Capture, Column, Display, Member, Scalar
from tpkit.syscall_words import argument_table
from tpkit.widths import Width, argument_width, element_width, value_width

MAX_STRINGS = 1024  # bytes of execve's arguments and the like
MAX_BYTES = 1024  # of one field by value; larger ones (pages of hypervisor state) don't fit a record

# Of hexadecimal, octal and pointers, which include all kinds of addresses; and of a device's major number.
_SPECIAL_DISPLAY = re.compile(rf"%[-+ #0-9.*hlLqjzt]*[xXop]|>> {MINOR_BITS}\b")

_Told = TypeVar("_Told")

_U64 = Width(8, False)

# Bytes that an address has at least; a socket's has as many as its family needs.
_OF_NUMBERS = (Display.HEX, Display.OCTAL, Display.POINTER, Display.DEVICE)
_ADDRESS_SIZES = {Display.IPV4: 4, Display.IPV6: 16, Display.SOCKET_ADDRESS: 16}


@dataclass(frozen=True, slots=True)
class Source:
    """A column of the record, and the access that fills it."""

    column: Column
    access: Access


class Memory(Enum):
    """Which memory besides strings records have."""

    NONE = "none"
    ENTRY = "what is there when a system call is entered"
    CALL = "also what is there when it returns"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bytes to keep: of strings, and of other memory whose length the caller tells; when: see ``Memory``."""

    string: int
    buffer: int = 0
    memory: Memory = Memory.NONE


@dataclass(frozen=True, slots=True)
class _Plan:
    """One event being planned.

    tables, displays: what its print fmt tells of its fields, by their names; labels, members: the names
    that are taken.
    """

    event: EventFormat
    sizes: Sizes
    tables: dict[str, SymbolTable]
    displays: dict[str, Display]
    machine: str
    labels: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)


def plan_columns(
    event: EventFormat, sizes: int | Sizes, machine: str = "x86_64", enum_value: EnumValue = no_value
) -> tuple[Source, ...]:
    """What a record of this event carries: all that a BPF program may read, in the event's order.

    sizes: how much to keep of strings, and of other memory if that is wanted; machine: whose numbers the flags of
    system calls are (``uname -m``); enum_value: as ``ProbeSpec`` has it.
    """
    sizes = Sizes(sizes) if isinstance(sizes, int) else sizes
    plan = _Plan(event, sizes, _tables(event, enum_value), _displays(event), machine)
    wanted = [a for a in accesses(event) if a.readable and not is_syscall_number(event, a.field)]
    return tuple(Source(_column(plan, access), access) for access in wanted)


# The grammar of print fmts takes 30 ms to import: it is asked only where it may have something to tell.


def _tables(event: EventFormat, enum_value: EnumValue) -> dict[str, SymbolTable]:
    if "__print_" not in event.print_fmt:
        return {}
    from tpkit.print_fmt import LOCAL, symbol_tables

    return _told_by(lambda event: symbol_tables(event, replace(LOCAL, names=enum_value)), event)


def _displays(event: EventFormat) -> dict[str, Display]:
    """A system call's print fmt shows everything as hexadecimal."""
    if event.id.syscall is not None or not _SPECIAL_DISPLAY.search(event.print_fmt):
        return {}
    from tpkit.print_fmt import displays

    return _told_by(displays, event)


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
    payload = _payload(plan, wanted)
    capture = _capture(access) if payload is None else _payload_capture(payload)
    display, element = _display(plan.event, wanted, capture, payload, plan.displays.get(wanted.name))
    column = Column(
        field=wanted,
        label=unique(wanted.name, plan.labels),
        capture=capture,
        value=_value_member(name, access, capture),
        display=display,
        element=element,
        table=plan.tables.get(wanted.name) or argument_table(plan.event.id, wanted, plan.machine),
        payload=payload if capture is Capture.USER_MEMORY else None,
        dependent=_dependent(plan.event, wanted),
    )
    if not capture.has_text:
        return column
    # Room for one byte more than is kept, and the final zero: a full buffer means a longer string.
    room = (plan.sizes.string if column.payload is None else _kept(column.payload, plan.sizes)) + 2
    text = Member(safe_identifier(f"{name}_text", plan.members), Scalar.CHAR, room)
    return replace(column, text=text, size=Member(safe_identifier(f"{name}_size", plan.members), Scalar.S32))


def _payload(plan: _Plan, wanted: Field) -> Payload | None:
    """What the argument leads to, if that is to be in the record."""
    if plan.sizes.memory is Memory.NONE or not plan.event.id.is_syscall_enter:
        return None
    from tpkit.syscall_words.payloads import payload_of  # its tables are needed here only

    payload = payload_of(plan.event.id, wanted, plan.machine)
    if payload is not None and payload.at_exit and plan.sizes.memory is Memory.ENTRY:
        return None
    return payload


def _dependent(event: EventFormat, wanted: Field) -> str | None:
    if not event.id.is_syscall_enter:
        return None
    from tpkit.syscall_words.dependent import dependent_key

    return dependent_key(event.id, wanted)


def _payload_capture(payload: Payload) -> Capture:
    is_string = payload.kind is PayloadKind.STRING and not payload.at_exit
    return Capture.USER_STRING if is_string else Capture.USER_MEMORY


def _kept(payload: Payload, sizes: Sizes) -> int:
    """How many bytes of a payload are kept at most."""
    if payload.size:
        return payload.size + (sizes.buffer if payload.kind in PIECES else 0)
    limit = {PayloadKind.STRING: sizes.string, PayloadKind.STRINGS: min(sizes.string, MAX_STRINGS)}
    return payload.extra + limit.get(payload.kind, sizes.buffer)


def _display(
    event: EventFormat, wanted: Field, capture: Capture, payload: Payload | None, printed: Display | None
) -> tuple[Display, Scalar | None]:
    """How the field is shown; printed: what its print fmt says. With it the element of an array of numbers."""
    if payload is not None and payload.kind in TEXTS:
        return Display.TEXT, None
    if capture in (Capture.VALUE, Capture.USER_MEMORY):
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
    if event.id.is_syscall_enter:
        from tpkit.syscall_words.displays import argument_display  # its tables are needed here only

        return argument_display(event.id, wanted) or Display.DECIMAL
    return printed if printed in _OF_NUMBERS else Display.DECIMAL


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
