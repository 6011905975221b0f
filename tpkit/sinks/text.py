"""Lines for people: ``TIME PID COMM EVENT``, the arguments by name; whole calls as strace writes them.

``unlinkat(dfd=AT_FDCWD, pathname="/tmp/x", flag=0) = -1 ENOENT (No such file or directory) <12.3µs>``. Strings
that were cut end in ``"...``; in place of those that couldn't be read stands where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.decode.calls import DurationWords, ResultWords
from tpkit.decode.clock import Clock
from tpkit.decode.columns import Rows, task_of
from tpkit.decode.parts import Part, Remembered
from tpkit.decode.spelling import words
from tpkit.decode.text import plain
from tpkit.decode.words import DEFAULT_WORDING, NO_MARKS, ColumnWords, Marks, Wording
from tpkit.ledger import Ledger, Loss
from tpkit.record import RecordLayout
from tpkit.sinks.lines import PerEvent, lines, write_lines
from tpkit.sinks.output import Output

HEADER = f"{'TIME':<15} {'PID':>7} {'COMM':<15} EVENT\n"


@dataclass(frozen=True, slots=True)
class Style:
    """What stands around the words of each kind."""

    event: Marks = NO_MARKS
    string: Marks = NO_MARKS
    error: Marks = NO_MARKS
    note: Marks = NO_MARKS


PLAIN = Style()


class TextLines:
    """Makes lines of events."""

    def __init__(self, clock: Clock, wording: Wording, style: Style = PLAIN) -> None:
        self._clock = clock
        wording = replace(wording, strings=style.string)
        self._events = PerEvent(lambda layout: _EventWords(layout, wording, style))
        self._tasks: Remembered[bytes] = Remembered(_task_columns)
        self._durations = DurationWords()

    def stamps(self, times: NDArray[np.uint64]) -> list[bytes]:
        """The time of day."""
        return self._clock.times_of_day(times)

    def parts(self, rows: Rows, stamps: list[bytes]) -> list[Part]:
        """A line for each row."""
        event = self._events.of(rows)
        head: list[Part] = [stamps, self._tasks.part(rows.tasks.tolist())]
        return [*head, *event.parts(rows), *self._returned(event, rows), b"\n"]

    def _returned(self, event: _EventWords, rows: Rows) -> list[Part]:
        if not rows.layout.is_call:
            return []
        if event.result is None or rows.result is None or rows.durations is None:
            return [b" = ?"]
        return [b" = ", event.result.part(rows.result, rows), b" <", self._durations.part(rows.durations), b">"]


class _EventWords:
    """One event's words, and what stands between them."""

    def __init__(self, layout: RecordLayout, wording: Wording, style: Style) -> None:
        name = style.event.before + layout.event.name.encode() + style.event.behind
        labels = [words(column.label) for column in layout.columns]
        self._labels = [b"%b%b=" % (b", " if at else name + b"(", label) for at, label in enumerate(labels)]
        self._end = b")" if labels else name + b"()"
        self._columns = [ColumnWords(column, layout, wording) for column in layout.columns]
        result = layout.result
        self.result = None if result is None else ResultWords(layout, result, wording, style.error)

    def parts(self, rows: Rows) -> list[Part]:
        """``event(argument=word, …)``."""
        parts: list[Part] = []
        for label, column, values in zip(self._labels, self._columns, rows.values, strict=True):
            parts.append(label)
            parts += column.parts(values, rows)
        return [*parts, self._end]


def _task_columns(packed: bytes) -> bytes:
    task = task_of(packed)
    return f" {task.pid:>7} {plain(task.comm):<15} ".encode()


class TextSink:
    """Writes a header and one line for each event; header: off for ``-q``."""

    def __init__(
        self, output: Output, clock: Clock, *, header: bool = True, wording: Wording = DEFAULT_WORDING
    ) -> None:
        self._output = output
        self._header = header
        self._lines = TextLines(clock, wording)

    def begin(self) -> None:
        """The header."""
        if self._header:
            self._output.write(HEADER.encode())

    def write(self, batch: Batch) -> None:
        """One line for each event, in the batch's order whatever the event."""
        write_lines(self._output, lines(batch, self._lines))

    def lost(self, losses: Sequence[Loss]) -> None:
        """A line where it happened."""
        if losses:
            self._output.write("".join(map(loss_line, losses)).encode())

    def end(self, ledger: Ledger) -> None:
        """Nothing: the account isn't part of the lines."""


def loss_line(loss: Loss) -> str:
    """What stands among the events where some were lost."""
    return f"--- lost {loss.count} {loss.event}: {loss.cause} ---\n"
