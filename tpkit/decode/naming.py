"""Numbers → their names, of which some depend on a call's other numbers; whole batches at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpkit.decode.columns import Rows
from tpkit.decode.parts import Part, Remembered, are_equal
from tpkit.decode.tables import error_name, name_of, namer
from tpkit.model import SymbolTable
from tpkit.record import MAJOR_BITS, MINOR_BITS, Capture, Column, Display, RecordLayout
from tpkit.widths import Width

_MINOR_MASK, _MAJOR_MASK = (1 << MINOR_BITS) - 1, (1 << MAJOR_BITS) - 1
RESULT = "ret"  # what a call returned, among its other numbers

Numbers = Mapping[str, int]
"""Some of a call's numbers, by their parameters' names."""


def signed(results: NDArray[np.generic]) -> NDArray[np.int64]:
    """Results as numbers below and above zero; an address of the last page, as unsigned as it is, is an error."""
    return results.astype(np.int64)


class Others:
    """Those of an event's numbers that have a say in what another one means, or the bytes that it leads to.

    names: of those that its records have.
    """

    def __init__(self, layout: RecordLayout, wanted: tuple[str, ...]) -> None:
        known = [None if column.capture is Capture.BYTES else column.field.name for column in layout.columns]
        self._places = tuple(known.index(name) for name in wanted if name in known)
        self._has_result = RESULT in wanted and layout.result is not None
        names = tuple(name for name in wanted if name in known)
        self.names = (*names, RESULT) if self._has_result else names

    def of(self, rows: Rows) -> list[tuple[int, ...]]:
        """For each row the numbers, in the names' order."""
        found = [numbers.tolist() for at in self._places if (numbers := rows.values[at].numbers) is not None]
        if self._has_result and rows.result is not None and rows.result.numbers is not None:
            found.append(signed(rows.result.numbers).tolist())
        return list(zip(*found, strict=True)) if found else [()] * len(rows)

    def named(self, numbers: tuple[int, ...]) -> Numbers:
        """One row's numbers by their names."""
        return dict(zip(self.names, numbers, strict=True))


@dataclass(frozen=True, slots=True)
class Naming:
    """What knows the names of a column's numbers. wanted: the other numbers that it has to be told."""

    name: Callable[[int, Numbers], str | None]
    wanted: tuple[str, ...] = ()


class Said:
    """What is said of a column's numbers, worked out once for each that is different."""

    def __init__(self, layout: RecordLayout, wanted: tuple[str, ...], say: Callable[[int, Numbers], bytes]) -> None:
        """wanted: which of the call's other numbers ``say`` is told."""
        self._others = Others(layout, wanted)
        self._say = say
        self._known: Remembered[int | tuple[int, tuple[int, ...]]] = Remembered(self._made)

    def part(self, numbers: NDArray[np.generic], rows: Rows) -> Part:
        """Of at least one row; numbers: the column's."""
        found = numbers.tolist()
        return self._known.part(list(zip(found, self._others.of(rows), strict=True)) if self._others.names else found)

    def _made(self, key: int | tuple[int, tuple[int, ...]]) -> bytes:
        number, others = (key, ()) if isinstance(key, int) else key
        return self._say(number, self._others.named(others))


# ---------------------------------------------------------------------------------- which name


def naming(column: Column, machine: str) -> Naming | None:
    """Knows the names of a column's numbers; None where none has one."""
    if column.dependent is not None:
        table = dependent_table(column, machine)
        return Naming(lambda number, others: _decided_name(column, table.of(others), number), table.wanted)
    if column.table is not None:
        bits, name = _bits(column, column.table), namer(column.table)
        return Naming(lambda number, _: name(bits(number)))
    own = _OWN_NAMES.get(column.display)
    return None if own is None else Naming(lambda number, _: own(number))


@dataclass(frozen=True, slots=True)
class DependentTable:
    """The table of a column's numbers, which other numbers decide."""

    of: Callable[[Numbers], SymbolTable | None]
    wanted: tuple[str, ...]


def dependent_table(column: Column, machine: str) -> DependentTable:
    """What decides on a column's table; the column's own where nothing does."""
    key = column.dependent
    if key is None:
        return DependentTable(lambda _: column.table, ())
    from tpkit.syscall_words.dependent import decided_table, deciders  # only for those that have any

    width = Width(column.value.size, column.value.scalar.is_signed)
    return DependentTable(lambda others: decided_table(key, others, width, machine), deciders(key))


def _decided_name(column: Column, table: SymbolTable | None, number: int) -> str | None:
    return None if table is None else table_name(column, table, number)


def table_name(column: Column, table: SymbolTable, number: int) -> str | None:
    """A number's name in a table, None where it has none."""
    return name_of(table, _bits(column, table)(number))


def _bits(column: Column, table: SymbolTable) -> Callable[[int], int]:
    """What a table is asked for: of flags a number's bits, without the endless sign that Python gives it."""
    if table.delimiter is None:
        return int
    mask = (1 << column.value.size * 8) - 1
    return lambda number: number & mask


# ---------------------------------------------------------------------------- as text, nameless


def is_address(column: Column, layout: RecordLayout) -> bool:
    """Whether machines, too, get the column's numbers as ``pointers``.

    Addresses of the kernel have more digits than a number of JavaScript, and of jq, keeps. What a system call's
    argument of a number's type means is for ``args_text`` to say.
    """
    if column.field.type.is_pointer:
        return True
    return column.display is Display.POINTER and layout.event.category != "syscalls"


def pointers(numbers: NDArray[np.generic]) -> Part:
    """``pointer`` of many."""
    if are_equal(numbers):
        return pointer(int(numbers[0])).encode()
    found = list(map(b"0x%x".__mod__, numbers.tolist()))
    for null in np.flatnonzero(numbers == 0).tolist():
        found[null] = b"NULL"
    return found


def pointer(number: int) -> str:
    """``NULL`` or the address in hexadecimal."""
    return hex(number) if number else "NULL"


def number_shower(column: Column) -> Callable[[int], str]:
    """What turns the field's numbers into text: their names by the column's own table, or as it is displayed."""
    plain = plain_shower(column)
    table = column.table
    if table is None:
        return plain
    bits, name = _bits(column, table), namer(table)
    return lambda number: name(bits(number)) or plain(number)


def plain_shower(column: Column) -> Callable[[int], str]:
    """What turns numbers without names into text."""
    if column.display is Display.HEX:
        mask = (1 << column.value.size * 8) - 1
        return lambda number: hex(number & mask)
    return _NUMBERS.get(column.display, str)


def device(number: int) -> str:
    """``8:0``, as ``lsblk`` and ``/sys/dev`` write major and minor; MAJOR() and MINOR() of include/linux/kdev_t.h."""
    return f"{number >> MINOR_BITS & _MAJOR_MASK}:{number & _MINOR_MASK}"


def _octal(number: int) -> str:
    return f"0{number:o}" if number > 0 else str(number)


def _error(number: int) -> str:
    return error_name(number) or str(number)


_NUMBERS: Mapping[Display, Callable[[int], str]] = {
    Display.POINTER: pointer,
    Display.OCTAL: _octal,
    Display.ERROR: _error,
    Display.DEVICE: device,
}
# Displays that are names, without a table.
_OWN_NAMES: Mapping[Display, Callable[[int], str | None]] = {Display.ERROR: error_name, Display.DEVICE: device}
