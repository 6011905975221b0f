"""Runs the matrix: fetch, boot, check, gather, print. ``python -m tests.matrix --help``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.matrix import guest, images, packages
from tests.matrix.checks import CHECKS, HARVEST, Check, Context, titles
from tests.matrix.commands import MatrixError, run_within, tail
from tests.matrix.context import TREE
from tests.matrix.kernels import FILE, Kernel, choose, read_kernels
from tests.matrix.machine import MEGABYTES, SHARED, Starter, copy_of
from tests.matrix.packages import say
from tests.matrix.results import GuestReport, Report, Result, merged
from tests.matrix.table import explain, render

TIME_LIMIT = 1800  # seconds for one kernel


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how."""

    cache: Path
    checks: tuple[Check, ...]
    patience: float = 1
    at_once: int = 1
    options: tuple[str, ...] = ()
    kvm: bool = False

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(check.title for check in self.checks)

    @property
    def copy(self) -> Path:
        """Where the machines find the checkout's files."""
        return self.cache / "tree"

    @property
    def seconds(self) -> float:
        """The time limit of one kernel."""
        return TIME_LIMIT * self.patience


def run_kernel(kernel: Kernel, plan: Plan) -> Report:
    """One row of the table, whatever happens."""
    started = time.monotonic()
    folder = plan.cache / "runs" / kernel.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"{kernel.name}: begins; its words are in {folder}")
    try:
        problem = _run_guest(kernel, plan, folder)
    except Exception as error:  # no row may take the others with it
        problem = str(error) if isinstance(error, MatrixError) else repr(error)
    report = _gather(kernel, plan, folder, problem, started)
    say(f"{kernel.name}: {'red' if report.is_red(plan.titles) else 'green'} after {report.seconds:.0f} s")
    return report


def _run_guest(kernel: Kernel, plan: Plan, folder: Path) -> str | None:
    """Run the guest's program on the kernel; what went wrong with the machine, None for nothing."""
    chosen = [word for check in plan.checks if not check.on_host for word in ("--check", check.title)]
    program = [str(TREE / ".venv" / "bin" / "python"), "-m", "tests.matrix.guest", "--patience", str(plan.patience)]
    if kernel.is_live:
        environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        status = run_within([*program, folder, *chosen], folder / "console", plan.seconds, environment)
        return None if status == 0 else f"the checks' program ended with {status}"
    image = images.fetch(kernel, plan.cache)
    modules = [word for name in image.modules for word in ("--module", name)]
    starter = Starter(packages.virtme(plan.cache), TREE, plan.copy, plan.options, plan.kvm)
    return starter.run(image, folder, [*program, SHARED, *chosen, *modules], plan.seconds)


def _gather(kernel: Kernel, plan: Plan, folder: Path, problem: str | None, started: float) -> Report:
    """What the run left behind. No report, or one without an end, is a failure."""
    try:
        report = GuestReport.read(folder / guest.REPORT)
    except (OSError, ValueError) as error:
        report = GuestReport("", 0.0)
        problem = problem or f"no result: {error}"
    if not problem and not report.finished:
        problem = "it ended before its checks did"
    if not problem and not kernel.is_release(report.release):
        problem = f"another kernel than asked for: {report.release}"
    results = dict(report.results)
    for check in plan.checks:
        if check.on_host and (folder / "harvest.tar").exists():
            results[check.title] = _on_host(check, folder)
    boot = Result.failed("failed", problem) if problem else Result.of(True, _boot_cell(kernel, report))
    console = (*tail(folder / "console"), *tail(folder / "log", 10))
    seconds = time.monotonic() - started
    return Report(kernel.name, report.release, boot, results, seconds, console if problem else ())


def _boot_cell(kernel: Kernel, report: GuestReport) -> str:
    return "-" if kernel.is_live else f"{report.uptime:.0f} s"


def _on_host(check: Check, folder: Path) -> Result:
    started = time.monotonic()
    try:
        result = check.run(Context(folder))
    except Exception as error:  # a check that can't be made is a failed one
        result = Result.failed(type(error).__name__, str(error))
    return result.lasting(time.monotonic() - started)


def machines_at_once() -> int:
    """As many as fit in the processors and the memory that are free. Emulated, a machine is busy on one."""
    available = 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) // 1024
    return max(1, min(len(os.sched_getaffinity(0)), available // (MEGABYTES + 1024)))


def run_matrix(kernels: tuple[Kernel, ...], plan: Plan) -> list[Report]:
    """All rows. The running kernel comes last and alone: emulators beside it would take its time."""
    booted = [kernel for kernel in kernels if not kernel.is_live]
    if booted:
        packages.install_programs()
        packages.virtme(plan.cache)
        copy_of(TREE, plan.copy)
        for kernel in booted:
            _try_fetch(kernel, plan)
    with ThreadPoolExecutor(plan.at_once) as pool:
        reports = list(pool.map(lambda kernel: run_kernel(kernel, plan), booted))
    return reports + [run_kernel(kernel, plan) for kernel in kernels if kernel.is_live]


def _try_fetch(kernel: Kernel, plan: Plan) -> None:
    """Fetch before the first machine starts; what fails will fail again, and be told, in its own row."""
    try:
        images.fetch(kernel, plan.cache)
    except MatrixError as error:
        say(f"{kernel.name}: {error}")


def choose_checks(names: list[str]) -> tuple[Check, ...]:
    """The named columns, all when none is named; with those made here comes the harvest that they read."""
    unknown = sorted(set(names) - set(titles()))
    if unknown:
        raise ValueError(f"no column {', '.join(unknown)}; there are {', '.join(titles())}")
    harvest = any(check.on_host and check.title in names for check in CHECKS)
    return tuple(c for c in CHECKS if not names or c.title in names or (harvest and c.title == HARVEST))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--kernel", action="append", default=[], help="only this one (repeatable; live: the running one)")
    add("--check", action="append", default=[], help="only this column (repeatable)")
    add("--output", type=Path, help="write the results there too, as JSON")
    add("--patience", type=float, default=1, metavar="N", help="time limits N times as long: a busy machine")
    add("--at-once", type=int, default=machines_at_once(), metavar="N", help="machines (default here: %(default)s)")
    add("--boot", action="append", default=[], metavar="OPTION", help="for the kernel, such as lockdown=integrity")
    add("--kvm", action="store_true", help="with the processor's help, where it works")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        kernels = choose(read_kernels(FILE.read_text()), options.kernel)
        plan = Plan(
            cache=packages.cache_folder(),
            checks=choose_checks(options.check),
            patience=options.patience,
            at_once=options.at_once,
            options=tuple(options.boot),
            kvm=options.kvm,
        )
        return _report(kernels, plan, options.output)
    except (MatrixError, ValueError) as error:
        say(str(error))
        return 2


def _report(kernels: tuple[Kernel, ...], plan: Plan, output: Path | None) -> int:
    started = time.monotonic()
    reports = run_matrix(kernels, plan)
    document = merged(reports, plan.titles, time.monotonic() - started)
    for path in (plan.cache / "results.json", output):
        if path is not None:
            path.write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(f"{explain(reports, plan.titles)}\n{render(reports, plan.titles)}")
    return 0 if document["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
