"""What a check has at hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Context:
    """folder: where files for the host go; modules: kernel modules that may be loaded for their tracepoints."""

    folder: Path
    modules: tuple[str, ...] = ()


def tpkit(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tpkit", *arguments],
        cwd=TREE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def words_of(done: subprocess.CompletedProcess[str]) -> tuple[str, ...]:
    """What a program printed, as lines, and its status."""
    return (*done.stdout.splitlines()[-10:], *done.stderr.splitlines()[-10:], f"exit status {done.returncode}")
