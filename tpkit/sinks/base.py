"""What a session's events are handed to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tpkit.model import TracepointId
from tpkit.record import Batch


class Sink(Protocol):
    """Takes events, batch by batch. Its methods raise SinkError, and ReaderGone at a closed pipe."""

    def begin(self) -> None:
        """Called once, when the probes are attached."""

    def write(self, batch: Batch) -> None:
        """Events, oldest first."""

    def lost(self, events: Sequence[tuple[TracepointId, int]]) -> None:
        """Events that the ring buffer had no room for, since the last call, as far as known now."""
