"""What a session's events are handed to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tpkit.batch import Batch
from tpkit.ledger import Ledger, Loss


class Sink(Protocol):
    """Takes events, batch by batch. Its methods raise SinkError, and ReaderGone at a closed pipe."""

    def begin(self) -> None:
        """Called once, when the probes are attached."""

    def write(self, batch: Batch) -> None:
        """Events, oldest first."""

    def lost(self, losses: Sequence[Loss]) -> None:
        """Events that nobody will get, since the last call, as far as known now."""

    def end(self, ledger: Ledger) -> None:
        """Called once, when all events are written: the whole account."""
