"""A flood of events, each with a name of its own, by ``bench/load.c``: what is missing can be told one by one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bench.load import DIGITS, LENGTH, prefix
from tests.conftest import PATIENCE

EVENTS = 200_000
LINE = re.compile(rb"%b(\d{%d})" % (re.escape(prefix()), DIGITS))


class Flood:
    """A load that waits until it is let go. rate: events a second, 0 for as many as it can."""

    def __init__(self, program: Path, events: int = EVENTS, rate: int = 0) -> None:
        self.process = subprocess.Popen(
            [program, "-n", str(events), "-l", str(LENGTH), "-r", str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def begin(self) -> None:
        """Lets it run."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"x")
        self.process.stdin.close()

    def wait(self) -> None:
        """All events have happened."""
        assert self.process.wait(PATIENCE) == 0

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()


def numbers_in(path: Path) -> list[int]:
    """The numbers of the names that a file has, in its order."""
    return [int(number) for number in LINE.findall(path.read_bytes())]
