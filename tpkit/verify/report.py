"""What a verification is about, and what came of it: values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tpkit.errors import CompileError, LoadError, TpkitError
from tpkit.model import EventFormat, TracepointId

# The verifier's log ends with its statistics (print_verification_stats in kernel/bpf/verifier.c).
_STATISTICS = re.compile(r"^processed \d+ insns", re.MULTILINE)
_COMPILER_ERROR = re.compile(r"\berror:")


class Stage(StrEnum):
    """How far an event's program has to come; a failure is in one of them."""

    GENERATE = "generate"
    COMPILE = "compile"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event that no BPF program can be attached to, and why."""

    event: TracepointId
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An event whose program didn't come through a stage.

    reason: in one sentence; words: the compiler's or the verifier's own, of a program for this event alone.
    """

    event: TracepointId
    stage: Stage
    reason: str
    words: str | None = None

    @classmethod
    def of(cls, event: TracepointId, error: TpkitError) -> Failure:
        """As the error tells it, which also tells the stage."""
        stage = Stage.GENERATE
        if isinstance(error, CompileError):
            stage = Stage.COMPILE
        elif isinstance(error, LoadError):
            stage = Stage.LOAD
        return cls(event, stage, error.what, error.details)

    @property
    def telling_words(self) -> str | None:
        """The line of the words that matters most: the first error of a compiler, the verifier's last word."""
        words = self.words or ""
        statistics = _STATISTICS.search(words) if self.stage is Stage.LOAD else None
        if statistics:
            return next(reversed(_lines(words[: statistics.start()])), None)
        lines = _lines(words)
        return next(filter(_COMPILER_ERROR.search, lines), next(iter(lines), None))


def _lines(words: str) -> list[str]:
    return [line.strip() for line in words.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that are meant.

    events: to be tried; skipped: not for BPF; failures: those whose formats can't be read.
    """

    events: tuple[EventFormat, ...]
    skipped: tuple[Skipped, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def matched(self) -> int:
        """How many events are meant, tried or not."""
        return len(self.events) + len(self.skipped) + len(self.failures)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a verification.

    matched: events that were meant, those among them that aren't for BPF included; failures: those
    whose formats can't be read first, then in the events' order; seconds: that it took.
    """

    matched: int
    skipped: tuple[Skipped, ...]
    failures: tuple[Failure, ...]
    seconds: float

    def failed(self, stage: Stage) -> tuple[Failure, ...]:
        """Those that failed in this stage."""
        return tuple(failure for failure in self.failures if failure.stage is stage)

    def passed(self, stage: Stage) -> int:
        """How many events' programs came through this stage, and so through those before it."""
        stages = list(Stage)
        lost = sum(stages.index(failure.stage) <= stages.index(stage) for failure in self.failures)
        return self.matched - len(self.skipped) - lost

    @property
    def ok(self) -> bool:
        """Whether there was something to try, and all of it was accepted."""
        return not self.failures and self.passed(Stage.LOAD) > 0

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "matched": self.matched,
            "not_for_bpf": len(self.skipped),
            "generated": self.passed(Stage.GENERATE),
            "compiled": self.passed(Stage.COMPILE),
            "accepted": self.passed(Stage.LOAD),
            "failed": {stage.value: len(self.failed(stage)) for stage in Stage},
            "seconds": round(self.seconds, 3),
            "failures": [
                {"event": str(f.event), "stage": f.stage.value, "reason": f.reason, "words": f.words}
                for f in self.failures
            ],
            "skipped": [{"event": str(s.event), "reason": s.reason} for s in self.skipped],
        }
