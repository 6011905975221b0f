"""Lines for people: ``TIME PID COMM EVENT``, the arguments by name."""

from __future__ import annotations

from collections.abc import Sequence

from tpkit.decode.clock import Clock
from tpkit.decode.columns import Rows, rows_by_event
from tpkit.decode.text import plain
from tpkit.decode.words import words
from tpkit.model import TracepointId
from tpkit.record import Batch
from tpkit.sinks.output import Output

HEADER = f"{'TIME':<15} {'PID':>7} {'COMM':<15} EVENT\n"


class TextSink:
    """Writes a header and one line for each event; header: off for ``-q``."""

    def __init__(self, output: Output, clock: Clock, *, header: bool = True) -> None:
        self._output = output
        self._clock = clock
        self._header = header

    def begin(self) -> None:
        """The header."""
        if self._header:
            self._output.write(HEADER.encode())

    def write(self, batch: Batch) -> None:
        """One line for each event, in the batch's order whatever the event."""
        lines = [""] * len(batch)
        for rows in rows_by_event(batch):
            for position, line in zip(rows.positions.tolist(), self._lines(rows), strict=True):
                lines[position] = line
        self._output.write("".join(lines).encode())

    def _lines(self, rows: Rows) -> list[str]:
        event = rows.layout.event
        columns = [words(values) for values in rows.values]
        labels = [values.column.label for values in rows.values]
        # '%' over whole columns is the fastest way that Python has to format many lines alike.
        arguments = ", ".join(f"{label}=%s" for label in labels)
        line = f"%s %7d %-15s {event.name}({arguments})\n"
        times = map(self._clock.time_of_day, rows.times)
        heads = zip(times, rows.pids, map(plain, rows.comms), strict=True)
        if not columns:
            return [line % head for head in heads]
        return [line % (*head, *shown) for head, shown in zip(heads, zip(*columns, strict=True), strict=True)]

    def lost(self, events: Sequence[tuple[TracepointId, int]]) -> None:
        """A line where it happened."""
        for event, count in events:
            self._output.write(f"--- lost {count} {event}: the ring buffer was full ---\n".encode())
