"""What all sinks of lines have in common: lines in the batch's order, whole lines only, knowledge kept for later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.decode.columns import Rows, rows_by_event
from tpkit.decode.parts import Part, joined
from tpkit.errors import SinkError
from tpkit.record import RecordLayout
from tpkit.sinks.output import Output, ReaderGone


class Formatter(Protocol):
    """What makes lines of events."""

    def stamps(self, times: NDArray[np.uint64]) -> list[bytes]:
        """How each line shows its time."""

    def parts(self, rows: Rows, stamps: list[bytes]) -> list[Part]:
        """Of rows of one event, at least one: a line each, ending in a newline and with no other in it."""


def lines(batch: Batch, formatter: Formatter) -> bytes:
    """A line for each event, in the batch's order whatever the event."""
    if not len(batch):
        return b""
    stamps = formatter.stamps(batch.times())
    ordered = [b""] * len(batch)
    for rows in rows_by_event(batch):
        if len(rows) == len(batch):
            return joined(formatter.parts(rows, stamps), len(rows))
        positions = rows.positions.tolist()
        text = joined(formatter.parts(rows, [stamps[at] for at in positions]), len(rows))
        for at, line in zip(positions, text.split(b"\n"), strict=False):
            ordered[at] = line
    return b"\n".join([*ordered, b""])


def write_lines(output: Output, text: bytes) -> None:
    """Lines, an event each. Raises SinkError and ReaderGone, which tell how many of them are wholly written."""
    try:
        output.write(text)
    except (SinkError, ReaderGone) as error:
        whole = text.rfind(b"\n", 0, error.done) + 1
        error.written = text.count(b"\n", 0, whole)
        output.take_back(error.done - whole)
        raise


T = TypeVar("T")


class PerEvent(Generic[T]):
    """Something made once for each event's layout."""

    def __init__(self, make: Callable[[RecordLayout], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[RecordLayout, T]] = {}

    def of(self, rows: Rows) -> T:
        """What was made for these rows' layout."""
        known = self._made.get(rows.probe)
        if known is None or known[0] is not rows.layout:
            known = self._made[rows.probe] = (rows.layout, self._make(rows.layout))
        return known[1]
