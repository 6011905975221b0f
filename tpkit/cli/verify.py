"""``tpkit verify``: which events' programs the running kernel takes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

import typer

from tpkit.cli import options
from tpkit.cli.options import Target
from tpkit.cli.progress import Progress
from tpkit.cli.show import write, write_words
from tpkit.errors import UsageError

if TYPE_CHECKING:
    from tpkit.verify import Failure, Loader, Report

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def verify(
    events: options.Events,
    target: options.TargetOption = Target.BCC,
    verbose: options.Words = False,
    json_report: options.JsonReport = False,
) -> None:
    """Try whether this kernel takes the programs for events: generate, compile, load; nothing is attached.

    \b
    tpkit verify '*'                          every tracepoint of this kernel: a minute
    tpkit verify 'sched:*' sys_enter_openat
    tpkit verify '*' --target libbpf          with clang and libbpf in BCC's place
    tpkit verify '*' --json | jq .failures

    Needs root. Events that no BPF program can be attached to are counted apart.

    Exit status: 0 all accepted, 1 some failed, or none was for BPF, 2 wrong usage.
    """
    if target is Target.BPFTRACE:
        raise UsageError("bpftrace's programs can't be verified", where="--target", remedy="give bcc or libbpf")
    report = _verify(events, target)
    write(_json(report, target) if json_report else report_text(report, verbose=verbose))
    if not report.ok:
        raise typer.Exit(1)


def _verify(patterns: list[str], target: Target) -> Report:
    from tpkit.catalog import Catalog  # heavy imports, which help needn't wait for
    from tpkit.tracefs import Tracefs
    from tpkit.verify import select_events, verify

    selection = select_events(Catalog.of(Tracefs.find()), patterns)
    progress = Progress(len(selection.events), "events")
    try:
        with _ended_by_signals(progress), _loader(target) as loader:
            return verify(selection, loader, progress=progress.step)
    finally:
        progress.clear()


def _loader(target: Target) -> AbstractContextManager[Loader]:
    from tpkit.verify import BccLoader, libbpf_loader

    return libbpf_loader() if target is Target.LIBBPF else nullcontext(BccLoader())


@contextmanager
def _ended_by_signals(progress: Progress) -> Iterator[None]:
    """A signal ends the program at once; what it holds in the kernel and on the disk goes with it."""

    def end(number: int, _frame: FrameType | None) -> None:
        progress.clear()
        write_words("tpkit: interrupted\n")
        sys.exit(128 + number)  # as shells have it

    heeded = [number for number in _ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup(1)
    before = {number: signal.signal(number, end) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _json(report: Report, target: Target) -> str:
    """The whole report as one object on one line."""
    return json.dumps({"kernel": os.uname().release, "target": target.value, **report.to_dict()}) + "\n"


def report_text(report: Report, *, verbose: bool) -> str:
    """A table of what failed, if anything did, and the account below it."""
    lines = [*_failure_lines(report, verbose=verbose), *_account(report)]
    return "".join(f"{line}\n" for line in lines)


def _failure_lines(report: Report, *, verbose: bool) -> Iterator[str]:
    """A line for each event that failed, and below it what the compiler or the verifier said."""
    from tpkit.decode.text import safe

    if not report.failures:
        return
    width = max(len(str(failure.event)) for failure in report.failures)
    yield f"{'EVENT':{width}}  STAGE     WHY"
    for failure in report.failures:
        yield f"{failure.event!s:{width}}  {failure.stage.value:8}  {safe(failure.reason)}"
        yield from (f"  | {line}" for line in _words(failure, verbose=verbose))
    yield ""


def _words(failure: Failure, *, verbose: bool) -> list[str]:
    from tpkit.decode.text import safe

    words = failure.words if verbose else failure.telling_words
    return safe(words).split("\n") if words else []


def _account(report: Report) -> Iterator[str]:
    """A number for each stage, with the reasons of those that ended before it."""
    from tpkit.verify import Stage

    yield f"matched      {report.matched:6}"
    for reason, number in Counter(each.reason for each in report.skipped).items():
        yield f"not for BPF  {number:6}  {reason}"
    for stage, word in ((Stage.GENERATE, "generated"), (Stage.COMPILE, "compiled"), (Stage.LOAD, "accepted")):
        failed = len(report.failed(stage))
        yield f"{word:12} {report.passed(stage):6}" + (f"  {failed} failed" if failed else "")
    yield f"in {report.seconds:.1f} s, on Linux {os.uname().release}"
