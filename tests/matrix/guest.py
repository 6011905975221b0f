"""Runs the checks on the kernel it finds itself on, one after the other, and writes down what they say.

    python -m tests.matrix.guest FOLDER [--check TITLE...] [--module NAME...]

Each check gets a process and a time limit of its own, and its words a file in FOLDER. ``report.json``
there is replaced after each, so that a kernel that goes down takes only the rest with it.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tests.matrix.checks import CHECKS, Check, Context
from tests.matrix.commands import tail
from tests.matrix.results import GuestReport, Result

REPORT = "report.json"


def run_all(context: Context, checks: Sequence[Check], patience: float = 1) -> GuestReport:
    """Run them in order; the report is written before the first and after each."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    report = GuestReport(os.uname().release, uptime)
    report.write(context.folder / REPORT)
    for check in checks:
        result = _run_apart(context, check, check.seconds * patience)
        report = replace(report, results={**report.results, check.title: result})
        report.write(context.folder / REPORT)
    report = replace(report, finished=True)
    report.write(context.folder / REPORT)
    return report


def _run_apart(context: Context, check: Check, limit: float) -> Result:
    """The check in a process of its own, which may die or hang."""
    log, answer = context.folder / f"{check.file_name}.log", context.folder / f"{check.file_name}.json"
    answer.unlink(missing_ok=True)
    started = time.monotonic()
    pid = os.fork()
    if not pid:
        _be_apart(context, check, log, answer)
    status = _wait(pid, limit)
    seconds = time.monotonic() - started
    if status is None:
        return Result.failed("time limit", *tail(log)).lasting(seconds)
    try:
        return Result.from_json(json.loads(answer.read_text())).lasting(seconds)
    except (OSError, ValueError, KeyError, TypeError):
        return Result.failed(f"died ({status})", *tail(log)).lasting(seconds)


def _be_apart(context: Context, check: Check, log: Path, answer: Path) -> None:
    """The child's side: a session and files of its own; it never returns."""
    try:
        os.setsid()
        with log.open("wb") as words, Path(os.devnull).open("rb") as nothing:
            for source, target in ((nothing, 0), (words, 1), (words, 2)):
                os.dup2(source.fileno(), target)
        answer.write_text(json.dumps(run_one(context, check).as_json()))
        os._exit(0)
    finally:
        os._exit(1)


def run_one(context: Context, check: Check) -> Result:
    """What the check says; whatever it raises is its own failure and no other's."""
    try:
        return check.run(context)
    except Exception as error:
        return Result.failed(type(error).__name__, *traceback.format_exc().splitlines())


def _wait(pid: int, seconds: float) -> int | None:
    """The child's exit status, negative for a signal; None if its time was up. Its session ends with it."""
    poll = select.poll()
    descriptor = os.pidfd_open(pid)
    try:
        poll.register(descriptor, select.POLLIN)
        ended = bool(poll.poll(seconds * 1000))
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not ended:
            os.kill(pid, signal.SIGKILL)  # it may not have had the time for a session of its own
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status if ended else None
    finally:
        os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix.guest", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where reports and logs go")
    parser.add_argument("--check", nargs="*", help="only these")
    parser.add_argument("--module", nargs="*", default=[], help="kernel modules to load for the harvest")
    parser.add_argument("--patience", type=float, default=1, help="time limits this many times as long")
    options = parser.parse_args(arguments)
    inside = [check for check in CHECKS if not check.on_host]
    chosen = [check for check in inside if options.check is None or check.title in options.check]
    run_all(Context(options.folder, tuple(options.module)), chosen, options.patience)
    return 0


if __name__ == "__main__":
    sys.exit(main())
