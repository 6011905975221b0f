"""What whole calls have besides their arguments: what they returned, and how long they took."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tpkit.decode.columns import Rows, Values
from tpkit.decode.naming import Naming, Said, dependent_table, naming, plain_shower, pointer, signed, table_name
from tpkit.decode.parts import Part, Remembered
from tpkit.decode.spelling import words
from tpkit.decode.tables import MAX_ERRNO, call_error, call_error_name
from tpkit.decode.words import NO_MARKS, Marks, NumberWords, Wording
from tpkit.model import SymbolTable
from tpkit.record import Column, Display, RecordLayout


def result_naming(column: Column, machine: str) -> Naming:
    """What knows the text of a result beside its number: ``-ENOENT``, a name, an address."""
    named = naming(column, machine)
    if named is None and column.display is Display.POINTER:
        named = Naming(lambda number, _: pointer(number))
    if named is None:
        return Naming(lambda number, _: call_error_name(number))
    name = named.name
    return Naming(lambda number, others: call_error_name(number) or name(number, others), named.wanted)


class ResultWords:
    """What a call returned, as strace writes it. errors: the marks around errors."""

    def __init__(self, layout: RecordLayout, column: Column, wording: Wording, errors: Marks = NO_MARKS) -> None:
        self._raw = wording.raw
        self._errors: Remembered[int] = Remembered(lambda number: _error_word(number, errors))
        self._good: NumberWords | Said = NumberWords(column, layout, wording)
        if not wording.raw and (column.table is not None or column.dependent is not None):
            table = dependent_table(column, wording.machine)
            self._good = Said(layout, table.wanted, lambda number, others: _noted(column, table.of(others), number))

    def part(self, values: Values, rows: Rows) -> Part:
        """``3``, ``0x7f0000``, ``-1 ENOENT (No such file or directory)``; of at least one row."""
        assert values.numbers is not None  # results are numbers
        numbers = signed(values.numbers)
        failed = [] if self._raw else np.flatnonzero((numbers < 0) & (numbers >= -MAX_ERRNO)).tolist()
        good = self._good.part(values.numbers, rows)
        if not failed:
            return good
        found = [good] * len(numbers) if isinstance(good, bytes) else good
        for at, number in zip(failed, numbers[failed].tolist(), strict=True):
            found[at] = self._errors[number]
        return found


def _noted(column: Column, table: SymbolTable | None, number: int) -> bytes:
    """A number and its name: ``0 (SCHED_OTHER)``, ``0x8002 (flags O_RDWR|O_LARGEFILE)``."""
    name = None if table is None else table_name(column, table, number)
    if table is None or name is None:
        return words(plain_shower(column)(number))
    if table.delimiter is None:
        return words(f"{number} ({name})")
    kind = "flags " if column.dependent is not None else ""
    return words(f"{number:#x} ({kind}{name})" if number else f"0 ({kind}{name})")


def _error_word(number: int, marks: Marks) -> bytes:
    return marks.before + call_error(number).encode() + marks.behind


class DurationWords:
    """How long calls took: ``<12.3µs>``, three digits that count."""

    def __init__(self) -> None:
        self._known: Remembered[int] = Remembered(lambda key: duration(key).encode())

    def part(self, durations: NDArray[np.uint64]) -> Part:
        """Of many, in ns; at least one."""
        return self._known.part(rounded(durations).tolist())


def rounded(durations: NDArray[np.uint64]) -> NDArray[np.int64]:
    """To three digits, so that there are few different ones; halves up."""
    whole = np.minimum(durations, np.uint64(1 << 62)).astype(np.int64)
    digits = np.searchsorted(_POWERS, whole, side="right")  # 999 has 3
    unit = _POWERS[np.maximum(digits - 3, 0)]
    return (whole + unit // 2) // unit * unit


_POWERS = 10 ** np.arange(19, dtype=np.int64)


def duration(nanoseconds: int) -> str:
    """``999ns``, ``1.00µs``, ``12.3ms``, ``100s``, ``1230s``; three digits that count, the rest is to be zeros."""
    if nanoseconds < 1000:
        return f"{nanoseconds}ns"
    size, unit = next((s, u) for s, u in _UNITS if nanoseconds < 1000 * s or s == _UNITS[-1][0])
    whole = nanoseconds // size
    decimals = 2 if whole < 10 else 1 if whole < 100 else 0
    return f"{nanoseconds / size:.{decimals}f}{unit}"


_UNITS = ((1000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s"))
