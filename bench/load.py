"""The load generator, ``load.c``: compiled, started, told when to begin, and what it says of its calls."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.errors import BenchError

SOURCE = Path(__file__).with_name("load.c")
NAME = "tpkit-load"  # its comm
EVENT = "sys_enter_unlinkat"  # what it causes, once for each call
KNOCK = b"/tpkit-load-missing/knock/"  # how the names of calls begin that it makes before it is told to start
DIGITS = 10
LENGTH = 64  # bytes of a name
FLAT_OUT = 0  # as a rate
_SETTLE_SECONDS = 30  # how long it may take to end beyond what it was told


def prefix(length: int = LENGTH) -> bytes:
    """How all names of a measured run begin; DIGITS decimal digits follow, counted from 0."""
    return b"/tpkit-load-missing/".ljust(length - DIGITS, b"n")


def compiled(folder: Path) -> Path:
    """The program, in ``folder``. Raises BenchError."""
    program = folder / NAME
    try:
        done = subprocess.run(
            ["gcc", "-O2", "-Wall", "-o", program, SOURCE], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BenchError("gcc isn't installed; run: tools/setup bench") from None
    if done.returncode:
        raise BenchError(f"{SOURCE.name} doesn't compile:\n{done.stderr}")
    return program


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to do. rate: events per second, FLAT_OUT for as many as it can; it ends after ``seconds``."""

    rate: int
    seconds: float
    knock_us: int = 0  # microseconds between two knocks while it waits; 0: none
    number_dfd: bool = False  # each event's number is in dfd, too


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What it did. wall_ns, cpu_ns: nanoseconds within calls, in all; elapsed_ns: from its start to its last call."""

    events: int
    wall_ns: int
    cpu_ns: int
    elapsed_ns: int
    knocks: int

    @classmethod
    def parse(cls, text: str) -> LoadResult:
        """Raises ValueError, TypeError."""
        return cls(**json.loads(text))

    @property
    def wall_per_call(self) -> float:
        """Nanoseconds by the clock."""
        return self.wall_ns / max(1, self.events)

    @property
    def cpu_per_call(self) -> float:
        """Nanoseconds of the thread's CPU time."""
        return self.cpu_ns / max(1, self.events)

    @property
    def rate(self) -> float:
        """Events per second, pauses included."""
        return self.events / max(1, self.elapsed_ns) * 1e9


class Load:
    """A load that waits until ``start``; ``with`` ends it."""

    def __init__(self, program: Path, plan: LoadPlan) -> None:
        command = [str(program), "-r", str(plan.rate), "-t", str(plan.seconds), "-l", str(LENGTH)]
        self._plan = plan
        self._process = subprocess.Popen(
            [*command, "-k", str(plan.knock_us), *(["-d"] if plan.number_dfd else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Of its only thread."""
        return self._process.pid

    def start(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), b"x")

    def is_running(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    def result(self) -> LoadResult:
        """Wait for its end. Raises BenchError."""
        try:
            words, _ = self._process.communicate(timeout=self._plan.seconds + _SETTLE_SECONDS)
            return LoadResult.parse(words.decode())
        except (subprocess.TimeoutExpired, ValueError, TypeError):
            raise BenchError(f"{NAME} didn't come to its end") from None

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running():
            self._process.kill()
        self._process.communicate()
