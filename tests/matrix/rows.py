"""Makes the table's rows: each kernel's checks are run where they belong, and what they leave is gathered."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tests.matrix import guest, images, packages, roots
from tests.matrix.checks import Check, Context
from tests.matrix.commands import MatrixError, run_within, tail
from tests.matrix.context import TREE
from tests.matrix.kernels import Kernel, Place
from tests.matrix.machine import MEGABYTES, SHARED, Starter, copy_of
from tests.matrix.packages import say
from tests.matrix.results import GuestReport, Report, Result

TIME_LIMIT = 4500  # seconds for one row
NOTHING_NEW = "the row of the running kernel says it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how. stop: set when the matrix is told to end."""

    cache: Path
    checks: tuple[Check, ...]
    patience: float = 1
    at_once: int = 1
    options: tuple[str, ...] = ()
    kvm: bool = False
    qemu: Path | None = None
    stop: Event = field(default_factory=Event)

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(check.title for check in self.checks)

    @property
    def copy(self) -> Path:
        """Where machines and roots find the checkout's files."""
        return self.cache / "tree"

    @property
    def seconds(self) -> float:
        """The time limit of one row."""
        return TIME_LIMIT * self.patience


def machines_at_once() -> int:
    """As many as fit in the processors and the memory that are free. Emulated, a machine is busy on one."""
    available = 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) // 1024
    return max(1, min(len(os.sched_getaffinity(0)), available // (MEGABYTES + 1024)))


def run_matrix(kernels: tuple[Kernel, ...], plan: Plan) -> list[Report]:
    """All rows, in their order. Those on the running kernel are made last, and one by one: what they look for
    in it must be their own, and emulators beside them would take their time.
    """
    booted = tuple(kernel for kernel in kernels if kernel.place is Place.MACHINE)
    running = tuple(kernel for kernel in kernels if kernel.place is not Place.MACHINE)
    _get_ready(kernels, plan)
    reports = _in_threads(booted, plan, plan.at_once) + _in_threads(running, plan, 1)
    names = [kernel.name for kernel in kernels]
    return sorted(reports, key=lambda report: names.index(report.kernel))


def _get_ready(kernels: tuple[Kernel, ...], plan: Plan) -> None:
    """Get what the rows need, before the first one takes the processors. Raises MatrixError."""
    places = {kernel.place for kernel in kernels}
    if Place.MACHINE in places:
        packages.install_programs(packages.MACHINE_PROGRAMS)
        packages.virtme(plan.cache)
    if Place.ROOT in places:
        packages.install_programs(packages.ROOT_PROGRAMS)
    if places - {Place.HERE}:
        copy_of(TREE, plan.copy)
    for kernel in kernels:
        if kernel.place is Place.MACHINE:
            _try_fetch(kernel, plan)


def _try_fetch(kernel: Kernel, plan: Plan) -> None:
    """What fails will fail again, and be told, in its own row."""
    try:
        images.fetch(kernel, plan.cache)
    except MatrixError as error:
        say(f"{kernel.name}: {error}")


def _in_threads(kernels: tuple[Kernel, ...], plan: Plan, at_once: int) -> list[Report]:
    """Their rows. Never in the main thread, which a signal may interrupt anywhere."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda kernel: run_kernel(kernel, plan), kernels))


def run_kernel(kernel: Kernel, plan: Plan) -> Report:
    """One row of the table, whatever happens."""
    started = _now()
    folder = plan.cache / "runs" / kernel.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"{kernel.name}: begins; its words are in {folder}")
    problem = None
    try:
        _run_guest(kernel, plan, folder)
    except images.NotFetched as error:
        say(f"{kernel.name}: NOT RUN: {error}")
        return not_run(kernel, plan, str(error))
    except Exception as error:  # no row may take the others with it
        problem = str(error) if isinstance(error, MatrixError) else repr(error)
    report = gather(kernel, plan, folder, problem, started)
    say(f"{kernel.name}: {'red' if report.is_red(plan.titles) else 'green'} after {report.seconds:.0f} s")
    return report


def not_run(kernel: Kernel, plan: Plan, why: str) -> Report:
    """The row of a kernel that can't be had here: neither red nor green."""
    cells = {title: Result.skipped(why) for title in plan.titles}
    return Report(kernel.name, "", Result.skipped(why), cells, 0.0)


def _now() -> float:
    """Seconds, as ``/proc/uptime`` counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _run_guest(kernel: Kernel, plan: Plan, folder: Path) -> None:
    """Run the guest's program where it belongs. Raises MatrixError when it couldn't go its whole way."""
    options = ["-m", "tests.matrix.guest", "--patience", str(plan.patience)]
    chosen = ["--check", *(check.title for check in made_there(kernel, plan))]
    python = str(TREE / ".venv" / "bin" / "python")
    match kernel.place:
        case Place.HERE:
            _run_here([python, *options, str(folder), *chosen], plan, folder)
        case Place.ROOT:
            userspace = roots.Userspace(str(kernel.suite), plan.cache, plan.copy, plan.stop)
            userspace.run(folder, [roots.PYTHON, *options, SHARED, *chosen], plan.seconds)
        case Place.MACHINE:
            image = images.fetch(kernel, plan.cache)
            virtme = packages.virtme(plan.cache)
            starter = Starter(virtme, TREE, plan.copy, plan.options, plan.kvm, plan.qemu, plan.stop)
            command = [python, *options, SHARED, *chosen, "--module", *image.modules]
            starter.run(image, folder, command, plan.seconds)


def made_there(kernel: Kernel, plan: Plan) -> list[Check]:
    """The checks that the guest's program makes: not those on the host, nor those that another row makes."""
    return [check for check in plan.checks if not check.on_host and not _is_said_elsewhere(check, kernel)]


def _is_said_elsewhere(check: Check, kernel: Kernel) -> bool:
    return check.of_kernel and kernel.place is Place.ROOT


def _run_here(command: list[str], plan: Plan, folder: Path) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    status = run_within(command, folder / "console", plan.seconds, environment, plan.stop)
    if status is None:
        raise MatrixError(f"the time limit of {plan.seconds:.0f} s was reached")
    if status != 0:
        raise MatrixError(f"the checks' program ended with {status}")


def gather(kernel: Kernel, plan: Plan, folder: Path, problem: str | None, started: float) -> Report:
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
        if _is_said_elsewhere(check, kernel):
            results[check.title] = Result.skipped(NOTHING_NEW)
        elif check.on_host and (folder / "harvest.tar").exists():
            results[check.title] = _on_host(check, folder)
    boot = Result.failed("failed", problem) if problem else Result.of(True, _boot_cell(kernel, report, started))
    console = (*tail(folder / "console"), *tail(folder / "log", 10))
    return Report(kernel.name, report.release, boot, results, _now() - started, console if problem else ())


def _boot_cell(kernel: Kernel, report: GuestReport, started: float) -> str:
    """How long it took until the checks began: to boot a machine, to set a root up."""
    match kernel.place:
        case Place.HERE:
            return "-"
        case Place.ROOT:
            return f"{report.uptime - started:.0f} s"
        case Place.MACHINE:
            return f"{report.uptime:.0f} s"


def _on_host(check: Check, folder: Path) -> Result:
    started = time.monotonic()
    try:
        result = check.run(Context(folder))
    except Exception as error:  # a check that can't be made is a failed one
        result = Result.failed(type(error).__name__, str(error))
    return result.lasting(time.monotonic() - started)
