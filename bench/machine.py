"""The machine that a run was made on, as far as numbers depend on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.tracers import Tracer

QUIET = 0.3  # load average of the last minute, per core: above it, something else is running


@dataclass(frozen=True, slots=True)
class Machine:
    """load: averages over 1, 5 and 15 minutes, before the run; date: its start, UTC; work: the outputs' file system."""

    kernel: str
    processor: str
    cores: int
    memory_mib: int
    work: str
    load: tuple[float, float, float]
    date: str
    tpkit: str
    versions: dict[str, str]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing else seemed to run."""
        return self.load[0] <= QUIET * self.cores

    def lines(self) -> list[str]:
        """For people."""
        noise = "" if self.is_quiet else " - NOISY: something else was running, don't trust these numbers"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"{self.date}, Linux {self.kernel}, {self.cores} cores ({self.processor}), outputs on {self.work}",
            f"tpkit at {self.tpkit}; {versions}",
            f"load before the run: {' '.join(f'{each:.2f}' for each in self.load)}{noise}",
        ]


def describe(tracers: Sequence[Tracer], work: Path) -> Machine:
    """As it is now, before anything is measured."""
    return Machine(
        kernel=platform.release(),
        processor=_first(r"^model name\s*: (.*)$", Path("/proc/cpuinfo")) or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(_first(r"^MemTotal:\s+(\d+) kB$", Path("/proc/meminfo")) or 0) // 1024,
        work=_output("stat", "-f", "-c", "%T", str(work)),
        load=os.getloadavg(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tpkit=_output("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty") or "no checkout",
        versions={tracer.name: tracer.version for tracer in tracers},
    )


def _first(form: str, path: Path) -> str | None:
    found = re.search(form, path.read_text(errors="replace"), re.MULTILINE)
    return found[1] if found else None


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
