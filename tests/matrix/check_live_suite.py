"""The suite of live tests, as ``make live`` runs it; what takes longest in an emulator is a column of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.matrix.context import TREE, Context
from tests.matrix.results import Result

_OUTCOME = re.compile(r"^(tests/\S+?::.*?) (PASSED|FAILED|ERROR|SKIPPED)\b", re.MULTILINE)


def live(context: Context) -> Result:
    """``pytest tests/live``: passed, failed and skipped."""
    return _run(context.folder / "live-suite.txt", "not every_event")


def every_event(context: Context) -> Result:
    """The tests that look at all of the kernel's events."""
    return _run(context.folder / "every-event.txt", "every_event")


def _run(log: Path, wanted: str) -> Result:
    command = [sys.executable, "-m", "pytest", "-v", "-rfEs", "-p", "no:cacheprovider", "--durations=10", "-m", wanted]
    command.append("tests/live")
    with log.open("wb") as words:
        status = subprocess.run(
            command, cwd=TREE, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, check=False
        ).returncode
    return read_live(log, status)


def read_live(log: Path, status: int | None) -> Result:
    """A result from pytest's words; status: its exit status, None if it didn't come to an end."""
    text = log.read_text(errors="replace") if log.exists() else ""
    counts = Counter(outcome for _, outcome in _OUTCOME.findall(text))
    failed = counts["FAILED"] + counts["ERROR"]
    cell = f"{counts['PASSED']} passed, {failed} failed, {counts['SKIPPED']} skipped"
    summary = text.partition("short test summary info")[2].splitlines()[1:]
    if status is None:
        return Result.failed(f"{cell}, no end", *text.splitlines()[-10:])
    return Result.of(status == 0 and bool(counts["PASSED"]) and not failed, cell, *summary)
