"""What every measurement is given: the tracers, where to work, how much of it to do."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.errors import TracerFailed
from bench.progress import say, shout
from bench.tracers import Tracer
from bench.trial import Shop, Trial, traced

NEWEST = "bpftrace-newest"  # ratios are to this one, where it is there
NEWEST_IN_BLOCKS = f"{NEWEST}:full"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done. Rates in events per second, 0 for flat out; resolution: of searches, 1.1 for 10 %.

    seconds: of one trial; confirm_seconds: of the trial that confirms a highest rate, 0 for none.
    starts: how often the time to the first event is taken.
    """

    rounds: int = 5
    seconds: float = 2
    searches: int = 3
    confirm_seconds: float = 10
    resolution: float = 1.1
    steady_rate: int = 5_000
    loss_rates: tuple[int, ...] = (100_000, 200_000, 300_000, 500_000, 0)
    cpu_rates: tuple[int, ...] = (20_000, 100_000)
    memory_rate: int = 200_000
    memory_seconds: float = 60
    starts: int = 11

    @classmethod
    def short(cls) -> Effort:
        """All of it, in a quarter of an hour."""
        return cls(
            rounds=3,
            seconds=1.5,
            searches=1,
            confirm_seconds=4,
            resolution=1.2,
            loss_rates=(300_000, 0),
            cpu_rates=(20_000,),
            memory_seconds=20,
            starts=5,
        )

    @classmethod
    def quick(cls) -> Effort:
        """Enough to see that all of it works; the numbers are rough."""
        return cls(
            rounds=1,
            seconds=0.3,
            searches=1,
            confirm_seconds=0,
            resolution=2,
            loss_rates=(300_000, 0),
            cpu_rates=(20_000,),
            memory_seconds=2,
            starts=1,
        )


@dataclass(slots=True)
class Bench:
    """failures: what tracers failed at, by their names; such a tracer isn't tried at that measurement again."""

    shop: Shop
    tracers: Sequence[Tracer]
    effort: Effort
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def base(self) -> str:
        """Which tracer ratios are to: the newest bpftrace, else any bpftrace, else the first peer."""
        peers = [tracer.name for tracer in self.tracers if not tracer.name.startswith("tpkit")]
        by_rank = [name for name in (NEWEST, "bpftrace", *peers) if name in peers]
        return by_rank[0] if by_rank else self.tracers[0].name

    def in_turns(self, what: str, rounds: int) -> Iterator[tuple[int, Tracer]]:
        """Each tracer once a round, so that a noisy moment hits all of them; with the round, from 0."""
        for number in range(rounds):
            for tracer in self.tracers:
                if not self._has_failed(what, tracer):
                    say(f"{what}, round {number + 1} of {rounds}: {tracer.name}")
                    yield number, tracer

    def trial(self, what: str, tracer: Tracer, rate: int, seconds: float, look_every: float = 0) -> Trial | None:
        """One trial; None, said loudly and kept, when the tracer fails."""
        try:
            return traced(self.shop, tracer, rate, seconds, look_every)
        except TracerFailed as failure:
            self.fail(what, tracer, str(failure))
            return None

    def fail(self, what: str, tracer: Tracer, why: str) -> None:
        """Note that a tracer can't be measured at this."""
        shout(f"{what}: {why}")
        self.failures.append((what, tracer.name, why))

    def _has_failed(self, what: str, tracer: Tracer) -> bool:
        return any((what, tracer.name) == failure[:2] for failure in self.failures)


def median(values: Iterable[float]) -> float | None:
    """None of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def rate_name(rate: int) -> str:
    """``300k/s``, ``flat out``."""
    if not rate:
        return "flat out"
    return f"{rate / 1000:g}k/s" if rate >= 1000 else f"{rate}/s"
