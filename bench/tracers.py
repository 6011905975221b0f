"""What is common to all that are measured: a way to trace one process' unlinkat calls into a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.delivered import Delivered, by_name

STRING_SIZE = 128  # bytes kept of a string, by each tracer that can be told: enough for the load's names
_LOOK_AT = 1 << 20  # bytes at the beginning of an output that are looked at for a knock


@dataclass(frozen=True, slots=True)
class Files:
    """Where one run's output and words go; folder: for whatever else it takes, removed after the run."""

    folder: Path

    @property
    def output(self) -> Path:
        """The events."""
        return self.folder / "output"

    @property
    def log(self) -> Path:
        """What it says: stderr, and stdout unless the events are there."""
        return self.folder / "log"

    def words(self) -> str:
        """The log as text."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Tracer(ABC):
    """One tracer in one way of using it."""

    name: str
    version: str
    first_rate = 20_000  # events per second: where the search for its highest rate begins
    writes_stdout = False  # the events go to its standard output
    ends_with_target = True  # it ends by itself when the traced process has
    knock = load.KNOCK  # bytes that a knock leaves in the output
    knock_us = 1000  # 0: it is seen to be attached without knocks
    number_dfd = False  # it shows no names, so that numbers in dfd are looked for
    fifos: tuple[str, ...] = ()  # to be made in the run's folder before it is started
    cache: Path | None = None  # where it keeps what makes the next start faster

    @abstractmethod
    def command(self, pid: int, files: Files) -> Sequence[str]:
        """Trace into the files, as fast as it can."""

    def plan(self, rate: int, seconds: float) -> load.LoadPlan:
        """The load for it."""
        return load.LoadPlan(rate, seconds, self.knock_us, self.number_dfd)

    @abstractmethod
    def live_command(self, pid: int) -> Sequence[str] | None:
        """Show events at once, on stdout or stderr; None if it can't."""

    def environment(self) -> Mapping[str, str]:
        """Variables beside our own."""
        return {}

    def is_attached(self, files: Files) -> bool:
        """Whether events of the target arrive by now."""
        try:
            with files.output.open("rb") as output:
                return self.knock in output.read(_LOOK_AT)
        except FileNotFoundError:
            return False

    def delivered(self, files: Files, made: int) -> Delivered:
        """What of ``made`` events has arrived. Raises OSError, TracerFailed."""
        return by_name(files.output, made)

    @abstractmethod
    def reported_loss(self, files: Files) -> int | None:
        """Events that it says were lost; None if it doesn't say."""
