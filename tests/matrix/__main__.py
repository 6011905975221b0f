"""Runs the matrix: fetch, boot, check, gather, print. ``python -m tests.matrix --help``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.matrix import packages
from tests.matrix.checks import CHECKS, HARVEST, Check, titles
from tests.matrix.commands import MatrixError
from tests.matrix.ending import Ended, ended_by_signals
from tests.matrix.kernels import FILE, Kernel, choose, read_kernels
from tests.matrix.packages import say
from tests.matrix.results import merged
from tests.matrix.rows import Plan, machines_at_once, run_matrix
from tests.matrix.table import explain, render

RED, USAGE, NOT_RUN = 1, 2, 3  # exit statuses; the last: something is missing here, and nothing was red


def choose_checks(names: list[str], without: Sequence[str] = ()) -> tuple[Check, ...]:
    """The named columns, all when none is named; with those made here comes the harvest that they read."""
    unknown = sorted({*names, *without} - set(titles()))
    if unknown:
        raise ValueError(f"no column {', '.join(unknown)}; there are {', '.join(titles())}")
    harvest = any(check.on_host and check.title in names for check in CHECKS)
    chosen = (c for c in CHECKS if not names or c.title in names or (harvest and c.title == HARVEST))
    return tuple(check for check in chosen if check.title not in without)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--kernel", action="append", default=[], help="only this row of kernels.toml, or live (repeatable)")
    add("--check", action="append", default=[], help="only this column (repeatable)")
    add("--without", action="append", default=[], metavar="CHECK", help="all columns but this one (repeatable)")
    add("--output", type=Path, help="write the results there too, as JSON")
    add("--patience", type=float, default=1, metavar="N", help="time limits N times as long: a busy machine")
    add("--at-once", type=int, default=machines_at_once(), metavar="N", help="machines (default here: %(default)s)")
    add("--boot", action="append", default=[], metavar="OPTION", help="for the kernel, such as lockdown=integrity")
    add("--kvm", action="store_true", help="with the processor's help, where it works")
    add("--qemu", type=Path, metavar="PROGRAM", help="another QEMU than the system's: newer ones are faster")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        kernels = choose(read_kernels(FILE.read_text()), options.kernel)
        plan = Plan(
            cache=packages.cache_folder(),
            checks=choose_checks(options.check, options.without),
            patience=options.patience,
            at_once=options.at_once,
            options=tuple(options.boot),
            kvm=options.kvm,
            qemu=options.qemu,
        )
        with ended_by_signals(plan.stop):
            return _report(kernels, plan, options.output)
    except ValueError as error:
        say(str(error))
        return USAGE
    except MatrixError as error:
        say(f"NOT RUN: {error}")
        return NOT_RUN
    except Ended as ended:
        say(f"ended by {ended.signal.name}")
        raise


def _report(kernels: tuple[Kernel, ...], plan: Plan, output: Path | None) -> int:
    started = time.monotonic()
    reports = run_matrix(kernels, plan)
    document = merged(reports, plan.titles, time.monotonic() - started)
    for path in (plan.cache / "results.json", output):
        if path is not None:
            path.write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(f"{explain(reports, plan.titles)}\n{render(reports, plan.titles)}")
    if any(report.is_red(plan.titles) for report in reports):
        return RED
    return 0 if document["ok"] else NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
