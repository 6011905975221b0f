"""The test suites that look at the running kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.matrix.context import TREE, Context
from tests.matrix.results import Result

# What the workload does for the comparison: a part's every step is emulated, and so is each record's text.
PARTS = ("everything",)
_OUTCOME = re.compile(r"^(tests/\S+?::.*?) (PASSED|FAILED|ERROR|SKIPPED)\b", re.MULTILINE)


def live(context: Context) -> Result:
    """``pytest tests/live``: passed, failed and skipped."""
    log = context.folder / "live-suite.txt"
    command = [sys.executable, "-m", "pytest", "-v", "-rfEs", "-p", "no:cacheprovider", "--durations=10", "tests/live"]
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


def rendered(_: Context) -> Result:
    """Our text of records beside the kernel's own."""
    from tests.rendering.compare import compare
    from tests.rendering.instance import TRACEFS
    from tests.rendering.record import Tally, default_passes, record
    from tpkit.btf import load_kernel_btf
    from tpkit.machine import running_machine
    from tpkit.tracefs import Tracefs

    tally = Tally()
    records = record([each for each in default_passes() if each.part in PARTS], tally=tally, hash_pointers=False)
    machine = running_machine(Tracefs(TRACEFS), load_kernel_btf())
    events = TRACEFS / "events"
    outcome = compare(records, machine, lambda event: events.joinpath(*event.split(":"), "format").read_text())
    total = outcome.compared.total()
    equal = total - outcome.different.total()
    details = [
        f"{event}: kernel {each.expected!r}, ours {each.got!r}"
        for event, samples in sorted(outcome.differences.items())
        for each in samples[:1]
    ]
    cell = f"{equal}/{total} of {len(outcome.compared)} events"
    return Result.of(equal == total and total > 0, cell, *details, f"steps not possible: {tally.failed_steps}")
