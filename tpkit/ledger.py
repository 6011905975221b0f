"""The account of a trace: what the kernel matched, and what became of every single event of it.

For each event ``matched = delivered + lost`` holds, lost being the sum over all causes. What was filtered isn't
matched. Marks (``faulted``, ``truncated``) are on events that may have been delivered all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tpkit.model import TracepointId


class Cause(StrEnum):
    """Why an event that was matched didn't get to the reader."""

    RING_FULL = "ring buffer full"
    UNPAIRED = "entered before the trace, or refused by seccomp"
    UNKEPT = "too many calls at once"
    UNDECODABLE = "undecodable"
    OUTPUT = "output failed"
    LIMIT = "after the last one wanted"


_EXPECTED = (Cause.UNPAIRED, Cause.LIMIT)


@dataclass(frozen=True, slots=True)
class Loss:
    """So many events of one kind that were lost for one reason."""

    event: TracepointId
    count: int
    cause: Cause = Cause.RING_FULL


@dataclass(frozen=True, slots=True)
class Account:
    """One event's numbers.

    matched: fulfilled all that was asked for; filtered: kept back by a filter; delivered: handed to the sink, which
    took it; lost: by cause; faulted, truncated: payloads (strings and other memory) that couldn't be read, or were
    cut; unfinished: calls that hadn't returned in the end.
    """

    event: TracepointId
    matched: int = 0
    filtered: int = 0
    delivered: int = 0
    lost: Mapping[Cause, int] = field(default_factory=dict)
    faulted: int = 0
    truncated: int = 0
    unfinished: int = 0

    @property
    def all_lost(self) -> int:
        """Matched and not delivered."""
        return sum(self.lost.values())

    @property
    def is_balanced(self) -> bool:
        """Whether every matched event is accounted for."""
        return self.matched == self.delivered + self.all_lost


@dataclass(frozen=True, slots=True)
class Ledger:
    """All accounts of a session, in the order of its events.

    seconds: how long the probes were at work; missed: how often the kernel didn't run a program of ours, as it was in
    another one on that CPU (counted since Linux 6.7, commit dd8657894c11; 0 before); unfollowed: threads that should
    have been followed, and couldn't be.
    """

    accounts: tuple[Account, ...]
    seconds: float
    missed: int = 0
    unfollowed: int = 0

    @property
    def delivered(self) -> int:
        """Events that the sink took."""
        return sum(each.delivered for each in self.accounts)

    @property
    def all_lost(self) -> int:
        """Events that were matched, and nobody got."""
        return sum(each.all_lost for each in self.accounts)

    @property
    def lost(self) -> Mapping[Cause, int]:
        """The same, by cause; only causes that there were."""
        return _added(each.lost for each in self.accounts)

    @property
    def is_lossy(self) -> bool:
        """Whether somebody misses something: not calls that had begun before, nor what comes behind a limit."""
        return any(cause not in _EXPECTED for cause in self.lost) or bool(self.missed or self.unfollowed)

    @property
    def is_balanced(self) -> bool:
        """Whether every account is."""
        return all(each.is_balanced for each in self.accounts)


def _added(several: Iterable[Mapping[Cause, int]]) -> dict[Cause, int]:
    sums: dict[Cause, int] = {}
    for each in several:
        for cause, count in each.items():
            if count:
                sums[cause] = sums.get(cause, 0) + count
    return sums
