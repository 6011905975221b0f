"""The highest rate that nothing is lost at: doubled until it fails, then halved between."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

LOWEST, HIGHEST = 100, 4_000_000  # events per second
REACHED = 0.95  # of the wanted rate: below that the tracer has slowed the load down


@dataclass(frozen=True, slots=True)
class Attempt:
    """One measurement. wanted, achieved: events per second; share: of the events made that have arrived, up to 1."""

    wanted: int
    achieved: float
    lossless: bool
    share: float = 1

    @property
    def is_saturated(self) -> bool:
        """Whether the load couldn't go that fast: a higher rate makes no difference."""
        return self.achieved < REACHED * self.wanted


@dataclass(frozen=True, slots=True)
class Found:
    """rate: the achieved one of the fastest lossless attempt, events per second; 0 if there was none.

    held_back: nothing was lost because the tracer makes its target wait.
    """

    rate: float
    held_back: bool
    attempts: tuple[Attempt, ...]


Measure = Callable[[int], Attempt]


def highest_rate(measure: Measure, first: int, resolution: float, confirm: Measure | None = None) -> Found:
    """Search from ``first`` on, until the bounds are within ``resolution`` (1.1: 10 %) of each other.

    confirm: a longer measurement, which has the last word: in a short one, buffers may carry what would be lost.
    Where it loses, the search goes on with it, below.
    """
    attempts: list[Attempt] = []

    def attempt(rate: float, how: Measure = measure) -> Attempt:
        attempts.append(how(max(LOWEST, min(HIGHEST, round(rate)))))
        return attempts[-1]

    best = _bisected(attempt, *_bounds(attempt, first), resolution)
    if best is not None and confirm is not None:
        best = _confirmed(lambda rate: attempt(rate, confirm), best.wanted, resolution)
    if best is None:
        return Found(0, False, tuple(attempts))
    return Found(best.achieved, best.is_saturated, tuple(attempts))


def _confirmed(attempt: Callable[[float], Attempt], rate: float, resolution: float) -> Attempt | None:
    """The fastest lossless attempt up to ``rate``. Where one loses, what has arrived tells how far to go down."""
    loses = math.inf
    while True:
        now = attempt(rate)
        if now.lossless:
            return _bisected(attempt, now, loses, resolution)
        if now.wanted <= LOWEST:
            return None
        loses = now.wanted
        rate *= min(now.share, 1 / resolution)


def _bounds(attempt: Callable[[float], Attempt], first: int) -> tuple[Attempt | None, float]:
    """The fastest lossless attempt by doubling, and the slowest rate known to lose; inf if none does."""
    best, rate = None, float(first)
    while True:
        now = attempt(rate)
        if now.lossless:
            if now.is_saturated or now.wanted >= HIGHEST:
                return now, math.inf
            best, rate = now, rate * 2
        elif best is not None or now.wanted <= LOWEST:
            return best, min(now.wanted, now.achieved)
        else:
            best, rate = _below(attempt, rate)
            return best, rate


def _below(attempt: Callable[[float], Attempt], rate: float) -> tuple[Attempt | None, float]:
    """The same by halving, from a rate that loses."""
    while rate > LOWEST:
        now = attempt(rate / 2)
        if now.lossless:
            return now, rate
        rate /= 2
    return None, rate


def _bisected(
    attempt: Callable[[float], Attempt], best: Attempt | None, loses: float, resolution: float
) -> Attempt | None:
    while best is not None and not math.isinf(loses) and loses / best.wanted > resolution:
        now = attempt(math.sqrt(best.wanted * loses))
        if not now.lossless:
            loses = now.wanted
        elif now.is_saturated:
            return now
        else:
            best = now
    return best
