"""What a session needs of a runtime."""

from __future__ import annotations

from typing import Protocol

from tpkit.program import Program
from tpkit.record import Batch


class Running(Protocol):
    """A program that is loaded and attached."""

    def ready_descriptor(self) -> int | None:
        """A descriptor that polls readable when records wait; None where read() never has to wait."""

    def finished(self) -> bool:
        """Whether no record will ever come again: a recording's end; never true of a kernel."""

    def read(self) -> Batch:
        """The records that are complete, oldest first; possibly none. Never waits."""

    def lost(self) -> tuple[int, ...]:
        """For each probe, how many records found no room so far."""

    def detach(self) -> None:
        """No more records from here on; those that wait can still be read."""

    def close(self) -> None:
        """Gives everything back to the kernel. Detaches first, if nobody has."""


class Runtime(Protocol):
    """Where programs run."""

    def start(self, program: Program) -> Running:
        """Loads and attaches. Raises ProbeError, and then leaves nothing behind."""
