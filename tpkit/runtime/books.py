"""A session's book-keeping: what was matched, and what became of it, so that nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.ledger import Account, Cause, Ledger, Loss
from tpkit.model import TracepointId
from tpkit.runtime.base import Counts, Running


class Books:
    """Accounts by the number of what records are of. events: their names."""

    def __init__(self, events: tuple[TracepointId, ...]) -> None:
        self._events = events
        self._delivered = [0] * len(events)
        self._lost: dict[Cause, list[int]] = {cause: [0] * len(events) for cause in Cause}
        self._counts = (Counts(),) * len(events)
        self._unfinished = (0,) * len(events)
        self._missed = 0
        self._unfollowed = 0
        self._pending: Batch | None = None
        self._told: dict[tuple[int, Cause], int] = {}

    @property
    def delivered(self) -> int:
        """Records that were taken."""
        return sum(self._delivered)

    @property
    def is_balanced(self) -> bool:
        """Whether all that was matched, as far as counted, is accounted for."""
        return self.ledger(0.0).is_balanced

    def hand_on(self, batch: Batch) -> None:
        """These are being delivered: ``settle`` says how that went."""
        self._pending = batch

    def settle(self, taken: int, otherwise: Cause = Cause.OUTPUT) -> None:
        """Of the records that were handed on the first ones were taken, the others lost."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            for probe, count in enumerate(pending[:taken].count_by_probe()):
                self._delivered[probe] += count
            self.lose(pending[taken:], otherwise)

    def reject(self, bad: NDArray[np.bool_]) -> None:
        """Of the records that were handed on, these can't be decoded."""
        if self._pending is not None:
            self.lose(self._pending[bad], Cause.UNDECODABLE)
            self._pending = self._pending[~bad]

    def lose(self, batch: Batch, cause: Cause) -> None:
        """Nobody gets these."""
        for probe, count in enumerate(batch.count_by_probe()):
            self._lost[cause][probe] += count

    def count(self, running: Running) -> None:
        """Takes over what the programs have counted."""
        self._counts = running.counts()
        for probe, counts in enumerate(self._counts):
            self._lost[Cause.RING_FULL][probe] = counts.full
            self._lost[Cause.UNPAIRED][probe] = counts.unpaired
            self._lost[Cause.UNKEPT][probe] = counts.unkept

    def close(self, running: Running) -> None:
        """The last entries, once nothing more is counted."""
        self.count(running)
        self._unfinished = running.unfinished()
        self._missed, self._unfollowed = running.missed(), running.unfollowed()

    def news(self) -> tuple[Loss, ...]:
        """What was lost since the last call, and isn't the receiver's own doing."""
        found = []
        for cause in (Cause.RING_FULL, Cause.UNPAIRED, Cause.UNKEPT):
            for probe, count in enumerate(self._lost[cause]):
                before = self._told.get((probe, cause), 0)
                if count > before:
                    self._told[probe, cause] = count
                    found.append(Loss(self._events[probe], count - before, cause))
        return tuple(found)

    def ledger(self, seconds: float) -> Ledger:
        """All accounts."""
        accounts = tuple(self._account(probe, event) for probe, event in enumerate(self._events))
        return Ledger(accounts, seconds, missed=self._missed, unfollowed=self._unfollowed)

    def _account(self, probe: int, event: TracepointId) -> Account:
        counts = self._counts[probe]
        lost: Mapping[Cause, int] = {cause: each[probe] for cause, each in self._lost.items() if each[probe]}
        return Account(
            event=event,
            matched=counts.matched,
            filtered=counts.filtered,
            delivered=self._delivered[probe],
            lost=lost,
            faulted=counts.faulted,
            truncated=counts.truncated,
            unfinished=self._unfinished[probe],
        )
