"""How bpftrace shows one column: printf's words, their arguments, and what has to be known before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tpkit.codegen.bpftrace_flags import Flags, flag_steps
from tpkit.codegen.bpftrace_shown import (
    ADDRESS_ROOM,
    KEY_ROOM,
    NUMBER_ROOM,
    STRING_ROOM,
    Choice,
    Names,
    Shown,
    ShownColumn,
    name_literal,
    name_room,
)
from tpkit.codegen.columns import Source
from tpkit.model import CType, Location, SymbolTable
from tpkit.record import MINOR_BITS, Capture, Column, Display, Scalar
from tpkit.widths import Width, element_width

MAX_ELEMENTS = 8  # of an array: each is an argument of its own
MAX_BUFFER = 32  # bytes that are shown escaped

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Words that bpftrace 0.17 or 0.23 (the names of its types) doesn't take behind "->", and words that no member of a
# C struct can have.
_KEYWORDS = frozenset(
    """break continue else for if return unroll while
    bool buffer inet int8 int16 int32 int64 string uint8 uint16 uint32 uint64
    asm auto case char const default do double enum extern float goto inline int long register restrict
    short signed sizeof static struct switch typedef union unsigned void volatile _Bool""".split()
)


def is_identifier(name: str) -> bool:
    """Whether every bpftrace takes it as a name of C's."""
    return bool(_IDENTIFIER.fullmatch(name)) and name not in _KEYWORDS


def refusal(source: Source) -> str | None:
    """Why bpftrace can't show a column, None when it can."""
    column, field = source.column, source.access.field
    if not is_identifier(field.name):
        return "not every bpftrace has a way to spell its name"
    if column.label != field.name:
        return "another field has the same name"
    if field.type.location is Location.REL_LOC:
        return "bpftrace doesn't know __rel_loc"
    if field.type.location is Location.DATA_LOC and column.display is not Display.TEXT:
        return "bpftrace can't tell how long it is"
    if column.capture is Capture.BYTES and not _has_numbers(field.type):
        return "bpftrace can't show a struct or a union by value"
    return None


def _has_numbers(ctype: CType) -> bool:
    """Whether it is an array of what is known to be numbers."""
    return len(ctype.dimensions) == 1 and element_width(ctype) is not None


def captured(source: Source, string_size: int) -> str:
    """What bpftrace calls the column's value: a number, a string, or an array."""
    field, column = f"args->{source.access.field.name}", source.column
    if column.capture.has_text:
        return f"str({field}, {string_size + 1})"  # with the final zero
    if column.capture is Capture.BYTES:
        return field
    cast = _cast(source)
    return f"({cast}){field}" if cast else field


def shown_column(source: Source, value: str, names: Names) -> ShownColumn:
    """How a column is shown whose value is had by ``value`` (see ``captured``)."""
    column = source.column
    if column.capture.has_text or column.display is Display.TEXT:
        room = STRING_ROOM if column.capture.has_text else 2 * column.value.size  # and a copy on its way
        return ShownColumn(column.label, Shown('\\"%s\\"', (value,), room))
    if column.capture is Capture.BYTES:
        return _array(column, value)
    if column.table is None:
        return ShownColumn(column.label, _number(column, value))
    return _named(column, column.table, value, names)


def without_names(source: Source) -> Source:
    """The column as numbers, those of flags in hexadecimal."""
    column = source.column
    if column.table is None:
        return source
    display = column.display if column.table.delimiter is None else Display.HEX
    return replace(source, column=replace(column, table=None, display=display))


# ------------------------------------------------------------------------------------- numbers


def _cast(source: Source) -> str | None:
    """The type that the value has in truth, where bpftrace goes by something else.

    A system call's arguments have a whole word each, and plain ``char`` has the sign that the kernel's
    compiler gave it. Flags are counted as unsigned: there is no sign bit among them.
    """
    column, field = source.column, source.access.field
    scalar, narrowed = column.value.scalar, column.value.size < field.size
    bits = column.display is Display.HEX or (column.table is not None and column.table.delimiter is not None)
    if column.table is not None and scalar is Scalar.U64 and not field.type.is_pointer:
        return "int64"  # bpftrace's own numbers, which it is compared with, are signed
    if bits and scalar.size < 8 and (scalar.is_signed or narrowed):
        return f"uint{scalar.size * 8}"
    if narrowed or (field.type.base == "char" and not field.type.pointers):
        return f"{'int' if scalar.is_signed else 'uint'}{scalar.size * 8}"
    return None


def _number(column: Column, value: str) -> Shown:
    if column.display is Display.DEVICE:
        parts = (f"{value} >> {MINOR_BITS}", f"{value} & {(1 << MINOR_BITS) - 1:#x}")
        return Shown("%u:%u", parts, 2 * NUMBER_ROOM)
    long = "l" if column.value.size == 8 else ""
    letter = "d" if column.value.scalar.is_signed else "u"
    words = {
        Display.HEX: f"0x%{long}x",
        Display.POINTER: "0x%lx",
        Display.OCTAL: f"0%{long}o",
    }.get(column.display, f"%{long}{letter}")
    return Shown(words, (value,), NUMBER_ROOM)


# ------------------------------------------------------------------------------------- names


def _named(column: Column, table: SymbolTable, value: str, names: Names) -> ShownColumn:
    if table.delimiter is None:
        return _value_names(column, _symbols(column, table), value, names)
    flags = Flags.of(table, column.value.size, "0x0" if column.display is Display.HEX else "0")
    as_number = column if table.mask is not None else replace(column, display=Display.HEX)
    if not flags.names and not flags.whole:
        return ShownColumn(column.label, _number(column, value))
    if len(flags.names) > 1 or flags.whole:
        return _flag_names(as_number, flags, value, names)
    symbols = {0: flags.zero, **flags.names} if flags.zero else flags.names
    return replace(_value_names(as_number, symbols, value, names), usual=False)


def _symbols(column: Column, table: SymbolTable) -> dict[int, str]:
    """The names of whole values, of two for one the first; those beyond bpftrace's own numbers as negative ones."""
    wide = column.value.scalar is Scalar.U64
    symbols: dict[int, str] = {}
    for number, name in table.symbols:
        key = number - (1 << 64) if wide and number >> 63 == 1 else number
        if -(1 << 63) < key < 1 << 63:
            symbols.setdefault(key, name)
    return symbols


def _value_names(column: Column, symbols: dict[int, str], value: str, names: Names) -> ShownColumn:
    """A name for a whole value."""
    table = column.table
    assert table is not None  # it has names
    if not symbols:
        return ShownColumn(column.label, _number(column, value))
    number = f"${column.label}" if value.startswith("(") else value
    name = names.variable(f"{column.label}_name")
    key = str if table.delimiter is None else hex
    found = names.table(f"{column.label}_names", ((key(n), name_literal(text)) for n, text in symbols.items()))
    room = 2 * name_room(symbols.values()) - KEY_ROOM  # the variable and its copy, and one question
    return ShownColumn(
        label=column.label,
        plain=_number(column, number),
        statements=(
            *([f"{number} = {value};"] if number != value else []),
            f"{name} = {found}[{_masked(table, number)}];",
        ),
        choices=(Choice(f'{name} != ""', Shown("%s", (name,), room)),),
        usual=all(not 0 <= n < 1 << 31 for n in symbols),  # names for what only looks like a number
    )


def _flag_names(column: Column, flags: Flags, value: str, names: Names) -> ShownColumn:
    table = column.table
    assert table is not None  # it has flags
    taken = _masked(table, value)
    bits = f"${column.label}" if taken == value else names.variable(f"{column.label}_bits")
    steps = flag_steps(flags, column.label, bits, taken, names)
    return ShownColumn(
        label=column.label,
        plain=_number(column, bits if taken == value else value),
        statements=(f"// {column.label}: each is the one before without the bits of one name", *steps.statements),
        choices=(steps.choice,),
    )


def _masked(table: SymbolTable, value: str) -> str:
    """The part of a value that a table has names for."""
    shifted = f"({value} >> {table.shift})" if table.shift else value
    return shifted if table.mask is None else f"{shifted} & {table.mask:#x}"


# ------------------------------------------------------------------------------------- arrays


def _array(column: Column, value: str) -> ShownColumn:
    """An array within the record."""
    size = column.field.size
    if (column.display, size) in ((Display.IPV4, 4), (Display.IPV6, 16)):
        return ShownColumn(column.label, Shown("%s", (f"ntop({value})",), ADDRESS_ROOM))
    if column.display is Display.SOCKET_ADDRESS:
        return _socket_address(column, value)
    if column.display is Display.NUMBERS:
        return ShownColumn(column.label, _numbers(column, value))
    if size <= MAX_ELEMENTS and element_width(column.field.type) == Width(1, signed=False):
        return ShownColumn(column.label, _elements(value, range(size), "%02x"))
    shown = min(size, MAX_BUFFER)
    words = "%rx" if shown == size else "%rx..."
    return ShownColumn(column.label, Shown(words, (f"buf({value}, {shown})",), (shown + 8) // 8 * 8))


def _numbers(column: Column, value: str) -> Shown:
    element = column.element
    assert element is not None  # NUMBERS have one
    count = column.field.size // element.size
    each = f"%{'l' if element.size == 8 else ''}{'d' if element.is_signed else 'u'}"
    shown = _elements(value, range(min(count, MAX_ELEMENTS)), each, ", ")
    return replace(shown, words=f"[{shown.words}{', ...' if count > MAX_ELEMENTS else ''}]")


def _elements(value: str, positions: Sequence[int], each: str, between: str = "") -> Shown:
    arguments = tuple(f"{value}[{n}]" for n in positions)
    return Shown(between.join([each] * len(positions)), arguments, NUMBER_ROOM * len(positions))


def _socket_address(column: Column, value: str) -> ShownColumn:
    """``127.0.0.1:80`` or ``[0:0:0:0:0:0:0:1]:80`` (struct sockaddr_in, sockaddr_in6 of ip(7), ipv6(7)).

    bpftrace has no way to make an address of a part of an array, so its bytes are shown one by one.
    """
    family = f"${column.label}_family"
    port = _pair(value, 2)
    ipv4 = Shown("%d.%d.%d.%d:%d", (*(f"{value}[{n}]" for n in range(4, 8)), port), NUMBER_ROOM * 5)
    ipv6 = Shown(f"[{':'.join(['%x'] * 8)}]:%d", (*(_pair(value, n) for n in range(8, 24, 2)), port), NUMBER_ROOM * 9)
    choices = [Choice(f"{family} == 2", ipv4), Choice(f"{family} == 10", ipv6)]
    return ShownColumn(
        label=column.label,
        plain=Shown("AF_%d", (family,), NUMBER_ROOM),
        # Two bytes, one of them zero: it doesn't matter which comes first on this machine.
        statements=(f"{family} = {value}[0] | {value}[1];",),
        choices=tuple(choices if column.field.size >= 24 else choices[:1]),
    )


def _pair(value: str, position: int) -> str:
    return f"{value}[{position}] << 8 | {value}[{position + 1}]"
