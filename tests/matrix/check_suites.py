"""The test suites that look at the running kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.matrix.context import TREE, Context
from tests.matrix.results import Result
from tests.rendering.workload import PARTS
from tpkit import Tracefs, TracepointId, parse_event
from tpkit.print_fmt import Renderer

# What is done for the comparison, and which events are left out of it: pairing 200,000 lines takes an
# emulated machine five minutes. Of each event so many records are rendered.
PART = "everything"
FLOODS = (*PARTS["files"].floods, "rcu", "raw_syscalls", "timer", "cgroup")
SAMPLES = 30
ENOUGH = 50  # events, for the comparison to mean anything
HIDDEN = "\ue000" * 16  # stands for a hashed pointer, which has 16 characters; no kernel's text has these
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
    """Our text of records beside the kernel's own.

    Pointers are hashed, as they are by default, and compared as such: 5.10 knows nothing else, and until
    6.12 a kernel that is told not to hash them leaves out the first string of a line (it reads its format
    in the buffer where it rewrites it, ``trace_event_format`` and ``trace_check_vprintf``).
    """
    from tests.rendering.instance import TRACEFS
    from tests.rendering.record import Pass, Tally, record
    from tpkit.btf import load_kernel_btf
    from tpkit.machine import running_machine

    tally = Tally()
    records = record([Pass(PART, FLOODS, SAMPLES)], tally=tally)
    machine = replace(running_machine(Tracefs(TRACEFS), load_kernel_btf()), pointers=lambda _: HIDDEN)
    equal: Counter[str] = Counter()
    different: dict[str, str] = {}
    renderers: dict[str, Renderer] = {}
    for each in records:
        if each.event not in renderers:
            text = TRACEFS.joinpath("events", *each.event.split(":"), "format").read_text()
            renderers[each.event] = Renderer(parse_event(text, TracepointId.parse(each.event)), machine)
        ours = renderers[each.event].render(each.record).text
        if is_same(ours, each.text):
            equal[each.event] += 1
        else:
            different.setdefault(each.event, f"{each.event}: kernel {each.text!r}, ours {ours!r}")
    cell = f"{equal.total()}/{len(records)} of {len(renderers)} events"
    details = [*different.values(), f"steps not possible here: {' '.join(tally.failed_steps) or 'none'}"]
    return Result.of(not different and len(renderers) > ENOUGH, cell, *details)


def is_same(ours: str, kernels: str) -> bool:
    """Whether the kernel's text is ours, where ours may hold pointers that only the kernel can hash."""
    pattern = re.escape(ours).replace(re.escape(HIDDEN), r"(?:[0-9a-f]{16}|\(____ptrval____\))")
    return re.fullmatch(pattern, kernels) is not None
