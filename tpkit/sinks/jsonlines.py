"""Lines for programs: one JSON object for each event (RFC 8259, nothing beyond it; ASCII, no name twice).

``time`` (UTC), ``ktime_ns`` (since boot), ``event``, ``pid``, ``tid``, ``comm``, ``args``. In ``args``
numbers are numbers, pointers are strings in hexadecimal, strings and buffers (write's ``buf``) are text, arrays of
numbers are arrays, other bytes of the event itself are hexadecimal. Beside it, only where there is something to
say: ``args_text``: names for numbers, addresses of hosts, and of pointers (which stay in ``args``) what they lead
to, as strace writes it; ``args_hex`` and ``comm_hex``: the exact bytes of texts that aren't UTF-8;
``args_truncated``: which were cut; ``args_unreadable``: which couldn't be read, and texts that aren't there: NULL,
or not filled as the call failed (for a text ``args`` then has the pointer, or null).

Whole calls also have ``ret`` (a number, null if they don't return), ``ret_text`` where that has a name
(``-ENOENT``, ``O_RDWR|O_LARGEFILE``) or is an address, and ``duration_ns``.

Two more kinds of objects, told by their first name: ``{"lost": 3, "event": …, "cause": …}`` where events were
lost, and ``{"ledger": {…}}`` as the last line (both: see ``account``). A file without it was broken off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.decode.clock import Clock
from tpkit.decode.columns import Rows, task_of
from tpkit.decode.parts import Part, Remembered, decimals
from tpkit.decode.spelling import IN_JSON, json_words
from tpkit.decode.text import json_text
from tpkit.decode.words import DEFAULT_WORDING, Wording
from tpkit.ledger import Ledger, Loss
from tpkit.record import RecordLayout
from tpkit.sinks.account import ledger_object, loss_object
from tpkit.sinks.json_columns import JsonColumn, JsonResult, Notes
from tpkit.sinks.lines import PerEvent, lines, write_lines
from tpkit.sinks.output import Output


class JsonLines:
    """Makes lines of events."""

    def __init__(self, clock: Clock, wording: Wording) -> None:
        self._clock = clock
        self._events = PerEvent(lambda layout: _EventObjects(layout, wording))
        self._tasks: Remembered[bytes] = Remembered(_task_members)

    def stamps(self, times: NDArray[np.uint64]) -> list[bytes]:
        """The time in UTC."""
        return self._clock.isos(times)

    def parts(self, rows: Rows, stamps: list[bytes]) -> list[Part]:
        """A line for each row."""
        event = self._events.of(rows)
        return [
            b'{"time": "',
            stamps,
            b'", "ktime_ns": ',
            decimals(rows.times),
            event.name,
            self._tasks.part(rows.tasks.tolist()),
            *event.parts(rows),
            b"}\n",
        ]


class _EventObjects:
    """What is the same in all of one event's objects, and its columns."""

    def __init__(self, layout: RecordLayout, wording: Wording) -> None:
        self.name = b', "event": "%b", ' % json_words(str(layout.event))
        self._columns = [JsonColumn(column, layout, wording) for column in layout.columns]
        self._result = None if layout.result is None else JsonResult(layout, layout.result, wording)

    def parts(self, rows: Rows) -> list[Part]:
        """All members behind the task's."""
        notes = Notes()
        parts: list[Part] = [b', "args": {']
        for at, (column, values) in enumerate(zip(self._columns, rows.values, strict=True)):
            parts += [b", " if at else b"", column.name, b": ", *column.parts(values, rows, notes)]
        return [*parts, b"}", *notes.parts(), *self._returned(rows)]

    def _returned(self, rows: Rows) -> list[Part]:
        if not rows.layout.is_call:
            return []
        if self._result is None or rows.result is None or rows.durations is None:
            return [b', "ret": null']
        result = rows.result.numbers
        assert result is not None  # results are numbers
        return [*self._result.parts(result, rows), b', "duration_ns": ', decimals(rows.durations)]


def _task_members(packed: bytes) -> bytes:
    task = task_of(packed)
    members = b'"pid": %d, "tid": %d, "comm": "%b"' % (task.pid, task.tid, IN_JSON.spell(task.comm))
    exact = json_text(task.comm)[1]
    return members if exact is None else b'%b, "comm_hex": "%b"' % (members, exact.encode("ascii"))


class JsonLinesSink:
    """Writes one object a line."""

    def __init__(self, output: Output, clock: Clock, *, wording: Wording = DEFAULT_WORDING) -> None:
        self._output = output
        self._lines = JsonLines(clock, wording)

    def begin(self) -> None:
        """Nothing: every line is an event."""

    def write(self, batch: Batch) -> None:
        """One line for each event, in the batch's order."""
        write_lines(self._output, lines(batch, self._lines))

    def lost(self, losses: Sequence[Loss]) -> None:
        """One line for each event that lost some."""
        self._write_objects(map(loss_object, losses))

    def end(self, ledger: Ledger) -> None:
        """The last line: the account."""
        self._write_objects([{"ledger": ledger_object(ledger)}])

    def _write_objects(self, objects: Iterable[dict[str, Any]]) -> None:
        text = "".join(json.dumps(each, allow_nan=False) + "\n" for each in objects)
        if text:
            self._output.write(text.encode("ascii"))
