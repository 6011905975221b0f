"""What a session needs of a runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tpkit.batch import Batch
from tpkit.program import Program


@dataclass(frozen=True, slots=True)
class Counts:
    """What programs have counted of one event (``COUNTERS`` of ``tpkit.program``).

    matched: events that were wanted; filtered: that a filter kept back; full: matched, and the ring buffer had no
    room; unpaired: matched returns of calls whose entry wasn't seen; unkept: whose entry found no room where calls are
    kept until they return; faulted, truncated: payloads.
    """

    matched: int = 0
    filtered: int = 0
    full: int = 0
    unpaired: int = 0
    unkept: int = 0
    faulted: int = 0
    truncated: int = 0


class Running(Protocol):
    """A program that is loaded and attached."""

    def ready_descriptor(self) -> int | None:
        """A descriptor that polls readable when records wait; None where read() never has to wait."""

    def finished(self) -> bool:
        """Whether no record will ever come again: a recording's end; never true of a kernel."""

    def read(self) -> Batch:
        """The records that are complete, oldest first; possibly none. Never waits."""

    def fullness(self) -> float:
        """Which share of the ring buffer was taken at the last read, 0 to 1."""

    def counts(self) -> tuple[Counts, ...]:
        """For each of the program's layouts, the counters so far."""

    def unfinished(self) -> tuple[int, ...]:
        """For each layout, how many calls were entered and haven't returned."""

    def missed(self) -> int:
        """How often a program wasn't run though its event happened."""

    def unfollowed(self) -> int:
        """How many threads should have been followed, and couldn't be."""

    def follow(self, thread: int) -> None:
        """Look at this thread, by the kernel's number, and at all that it starts."""

    def detach(self) -> None:
        """No more records and counts from here on; those that wait can still be read."""

    def close(self) -> None:
        """Gives everything back to the kernel. Detaches first, if nobody has."""


class Runtime(Protocol):
    """Where programs run."""

    def start(self, program: Program) -> Running:
        """Loads and attaches. Raises ProbeError, and then leaves nothing behind."""
