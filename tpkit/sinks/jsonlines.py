"""Lines for programs: one JSON object for each event (RFC 8259, nothing beyond it).

``time`` (UTC), ``ktime_ns`` (since boot), ``event``, ``pid``, ``tid``, ``comm``, ``args``. In ``args``
numbers are numbers, pointers are strings in hexadecimal, strings are text, arrays of numbers are
arrays, other bytes are hexadecimal. Beside it, only where there is something to say: ``args_text``:
names for numbers, and addresses of hosts;
``args_hex`` and ``comm_hex``: the exact bytes of strings that aren't UTF-8; ``args_truncated``: which
were cut; ``args_unreadable``: which couldn't be read (then ``args`` has the pointer, or null).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tpkit.decode.clock import Clock
from tpkit.decode.columns import Rows, Values, rows_by_event
from tpkit.decode.text import json_text
from tpkit.decode.words import address, numbers, pointer, value_name
from tpkit.model import TracepointId
from tpkit.record import Batch, Display
from tpkit.sinks.output import Output


class JsonLinesSink:
    """Writes one object a line; losses are objects too, with ``lost`` and ``event``."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock

    def begin(self) -> None:
        """Nothing: every line is an event."""

    def write(self, batch: Batch) -> None:
        """One line for each event, in the batch's order."""
        lines = [""] * len(batch)
        for rows in rows_by_event(batch):
            for row, position in enumerate(rows.positions.tolist()):
                lines[position] = json.dumps(self._object(rows, row), allow_nan=False)
        self._output.write("".join(f"{line}\n" for line in lines).encode("ascii"))

    def _object(self, rows: Rows, row: int) -> dict[str, Any]:
        comm, comm_hex = json_text(rows.comms[row])
        event: dict[str, Any] = {
            "time": self._clock.iso(rows.times[row]),
            "ktime_ns": rows.times[row],
            "event": str(rows.layout.event),
            "pid": rows.pids[row],
            "tid": rows.tids[row],
            "comm": comm,
            "args": {},
        }
        if comm_hex is not None:
            event["comm_hex"] = comm_hex
        for values in rows.values:
            _add_argument(event, values, row)
        return event

    def lost(self, events: Sequence[tuple[TracepointId, int]]) -> None:
        """One line for each event that lost some."""
        for event, count in events:
            line = json.dumps({"lost": count, "event": str(event), "cause": "ring buffer full"})
            self._output.write(f"{line}\n".encode("ascii"))


def _add_argument(event: dict[str, Any], values: Values, row: int) -> None:
    label = values.column.label
    if values.data:
        _add_data(event, label, values, row)
        return
    number = values.numbers[row]
    event["args"][label] = pointer(number) if values.column.field.type.is_pointer else number
    word = value_name(values.column, number)
    if word is not None:
        event.setdefault("args_text", {})[label] = word


def _add_data(event: dict[str, Any], label: str, values: Values, row: int) -> None:
    data, field = values.data[row], values.column.field
    if data is None:
        event["args"][label] = None if field.type.is_dynamic else pointer(values.numbers[row])
        event.setdefault("args_unreadable", []).append(label)
        return
    if values.column.display is Display.TEXT:
        event["args"][label], hexadecimal = json_text(data)
        if hexadecimal is not None:
            event.setdefault("args_hex", {})[label] = hexadecimal
    elif values.column.display is Display.NUMBERS:
        event["args"][label] = numbers(values.column, data)
    else:
        event["args"][label] = data.hex()
        word = address(values.column.display, data)
        if word is not None:
            event.setdefault("args_text", {})[label] = word
    if values.truncated[row]:
        event.setdefault("args_truncated", []).append(label)
