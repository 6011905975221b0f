"""Rows for spreadsheets and data frames: CSV (RFC 4180), UTF-8, one header.

``time`` (UTC), ``ktime_ns`` (since boot), ``event``, ``pid``, ``tid``, ``comm``; the arguments; for whole calls
``ret``, ``ret_text`` and ``duration_ns``; ``truncated`` and ``unreadable``: the names of arguments that were cut,
and of those that couldn't be read, with spaces between them.

An argument's column has its name; behind it, where there is one for such numbers or bytes, ``NAME_text`` has the
text: names, and of pointers what they lead to. Buffers are strings. Events share a column for arguments of the same
name and C type; one that differs from an earlier one, or has the name of a column of ours, is called
``CATEGORY:EVENT.NAME``. What an event doesn't have is empty.

Strings have C's escapes (``\\n``, ``\\\\``, ``\\033``) and no quotes around them, so that each event is one line,
and their bytes can be recovered. ``=``, ``+``, ``-`` and ``@`` are escaped too (``\\075``) where a spreadsheet may
take them for the beginning of a formula. What couldn't be read is the pointer, or empty where there is none. Errors
have no sign in ``ret_text`` for the same reason.

CSV has no place for losses and for the ledger: they are told on standard error only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.decode.calls import result_naming
from tpkit.decode.clock import Clock
from tpkit.decode.columns import Rows, Values, task_of
from tpkit.decode.naming import Naming, Said, is_address, naming, pointers, signed
from tpkit.decode.parts import Part, Remembered, decimals, either
from tpkit.decode.spelling import IN_CELL, cell_words, words
from tpkit.decode.words import DEFAULT_WORDING, DataWords, Missing, Wording, numbers, whereabouts
from tpkit.ledger import Ledger, Loss
from tpkit.record import Column, Display, RecordLayout
from tpkit.sinks.csv_headings import Headings
from tpkit.sinks.lines import PerEvent, lines, write_lines
from tpkit.sinks.output import Output


class CsvSink:
    """Writes a header, and one row for each event. layouts: those of all batches to come."""

    def __init__(
        self, output: Output, clock: Clock, layouts: Sequence[RecordLayout], *, wording: Wording = DEFAULT_WORDING
    ) -> None:
        self._output = output
        self._headings = Headings(layouts, texts=not wording.raw)
        self._lines = CsvLines(clock, self._headings, wording)

    def begin(self) -> None:
        """The header."""
        self._output.write(b",".join(map(cell_words, self._headings.names)) + b"\r\n")

    def write(self, batch: Batch) -> None:
        """One row for each event, in the batch's order."""
        write_lines(self._output, lines(batch, self._lines))

    def lost(self, losses: Sequence[Loss]) -> None:
        """Nothing: CSV has no place for it."""

    def end(self, ledger: Ledger) -> None:
        """Nothing: CSV has no place for it."""


class CsvLines:
    """Makes rows of events."""

    def __init__(self, clock: Clock, headings: Headings, wording: Wording) -> None:
        self._clock = clock
        self._width = len(headings.names)
        self._events = PerEvent(lambda layout: _EventCells(layout, headings, wording))
        self._tasks: Remembered[bytes] = Remembered(_task_cells)

    def stamps(self, times: NDArray[np.uint64]) -> list[bytes]:
        """The time in UTC."""
        return self._clock.isos(times)

    def parts(self, rows: Rows, stamps: list[bytes]) -> list[Part]:
        """A row for each of them."""
        event = self._events.of(rows)
        parts: list[Part] = [stamps, b",", decimals(rows.times), event.name]
        parts.append(self._tasks.part(rows.tasks.tolist()))
        cells = event.cells(rows)
        before = Headings.FIXED - 1
        for at in sorted(cells):
            parts += [b"," * (at - before), cells[at]]
            before = at
        return [*parts, b"," * (self._width - 1 - before) + b"\r\n"]


def _task_cells(packed: bytes) -> bytes:
    task = task_of(packed)
    return b"%d,%d,%b" % (task.pid, task.tid, IN_CELL.spell(task.comm))


class _EventCells:
    """One event's cells. name: its own, with commas around it."""

    def __init__(self, layout: RecordLayout, headings: Headings, wording: Wording) -> None:
        self.name = b",%b," % cell_words(str(layout.event))
        self._own = headings.own
        self._places = headings.places(layout)
        self._columns = [_Cells(column, layout, wording) for column in layout.columns]
        self._result_text: Said | None = None
        if layout.result is not None and not wording.raw:
            self._result_text = _texts(layout, result_naming(layout.result, wording.machine))

    def cells(self, rows: Rows) -> dict[int, Part]:
        """By the number of their column."""
        cells: dict[int, Part] = {}
        cut: dict[bytes, list[int]] = {}
        unread: dict[bytes, list[int]] = {}
        for column, values, (at, text_at) in zip(self._columns, rows.values, self._places, strict=True):
            cells[at] = column.values(values)
            if text_at is not None:
                cells[text_at] = column.texts(values, rows)
            cut[column.label] = values.cuts()
            unread[column.label] = column.missing.rows(values, rows)
        cells[self._own["truncated"]] = _labels(cut, len(rows))
        cells[self._own["unreadable"]] = _labels(unread, len(rows))
        return {**cells, **self._returned(rows)}

    def _returned(self, rows: Rows) -> dict[int, Part]:
        if rows.result is None or rows.result.numbers is None or rows.durations is None:
            return {}
        results = signed(rows.result.numbers)
        cells: dict[int, Part] = {self._own["ret"]: decimals(results)}
        if self._result_text is not None:
            cells[self._own["ret_text"]] = self._result_text.part(results, rows)
        return {**cells, self._own["duration_ns"]: decimals(rows.durations)}


class _Cells:
    """One argument's cells."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording) -> None:
        self.label = words(column.label)
        self.missing = Missing(column, layout, wording)
        self._column = column
        self._is_address = is_address(column, layout)
        self._data = DataWords(column, layout, wording, cell_words)
        named = naming(column, wording.machine)
        self._names = None if named is None else _texts(layout, named)

    def values(self, values: Values) -> Part:
        """Of at least one row."""
        column, plain = self._column, values.numbers
        is_memory = column.payload is not None and column.display is not Display.TEXT
        if values.data is None or is_memory:
            assert plain is not None  # whatever isn't data is a number, or where it is
            return pointers(plain) if self._is_address else decimals(plain)
        data = [each or b"" for each in values.data]
        if column.display is Display.TEXT:
            cells = IN_CELL.each(data)
        elif column.display is Display.NUMBERS:
            cells = [" ".join(map(str, numbers(column, each))).encode("ascii") for each in data]
        else:
            cells = [each.hex().encode("ascii") for each in data]
        for fault in values.faults():
            cells[fault] = (whereabouts(values, fault) or "").encode("ascii")
        return cells

    def texts(self, values: Values, rows: Rows) -> Part:
        """The cells of ``NAME_text``; of at least one row."""
        found: Part = b"" if values.data is None else self._data.each(values, rows)
        if self._names is None or values.numbers is None or all(found or [b""]):
            return found
        return either(found, self._names.part(values.numbers, rows))


def _texts(layout: RecordLayout, named: Naming) -> Said:
    return Said(layout, named.wanted, lambda number, others: _text(named.name(number, others) or "", number))


def _text(word: str, number: int) -> bytes:
    """A name as a cell, empty if it is but the number; of errors without their sign, lest they be formulas."""
    return b"" if word == str(number) else cell_words(word.removeprefix("-"))


def _labels(rows_of: dict[bytes, list[int]], count: int) -> Part:
    """For each row the labels of the columns that list it."""
    if not any(rows_of.values()):
        return b""
    cells = [b""] * count
    for label, rows in rows_of.items():
        for row in rows:
            cells[row] = b"%b %b" % (cells[row], label) if cells[row] else label
    return cells
