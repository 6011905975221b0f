"""``make bench``: tpkit and its peers, traced side by side in one run. ``python -m bench --help``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from bench import consumer, first_event, load, loss, overhead, rates, roster
from bench.context import Bench, Effort
from bench.errors import BenchError
from bench.goals import goals
from bench.isolation import enter_own_mounts
from bench.machine import Machine, describe
from bench.outcome import Outcome
from bench.progress import say, shout
from bench.tables import markdown
from bench.trial import Shop

MEASUREMENTS: dict[str, Callable[[Bench], Outcome]] = {
    overhead.NAME: overhead.measure,
    rates.NAME: rates.measure,
    loss.NAME: loss.measure,
    first_event.NAME: first_event.measure,
    consumer.CPU: consumer.measure_cpu,
    consumer.MEMORY: consumer.measure_memory,
}
RESULTS = Path(__file__).parents[1] / "build" / "bench.json"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="a short look at everything; the numbers are rough")
    add("--short", action="store_true", help="all of it in a quarter of an hour: fewer and shorter trials")
    add("--only", action="append", default=[], choices=MEASUREMENTS, help="only this measurement (repeatable)")
    add(
        "--tracer",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one: bpftrace, bpftrace-newest, "
        "perf-trace, perf-record, strace, tpkit, tpkit:json … (repeatable)",
    )
    add("--without", action="append", default=[], metavar="NAME", help="all but this one (repeatable)")
    add(
        "--newest-root",
        type=Path,
        metavar="DIR",
        help="a root with the newest bpftrace (also: BPFTRACE_ROOT); "
        "without, one is made and kept in TPKIT_BENCH_CACHE, /var/cache/tpkit-bench if unset",
    )
    add("--rounds", type=int, metavar="N", help="turns of each tracer, of which medians are shown")
    add("--seconds", type=float, metavar="S", help="of load in one trial")
    add("--memory-seconds", type=float, metavar="S", help="of load while memory is looked at")
    add("--output", type=Path, default=RESULTS, metavar="FILE", help="for the JSON (build/bench.json)")
    add("--work", type=Path, metavar="DIR", help="for the tracers' outputs, some GB (a temporary folder)")
    return parser.parse_args(arguments)


def effort_of(options: argparse.Namespace) -> Effort:
    """How much is to be done."""
    effort = Effort.quick() if options.quick else Effort.short() if options.short else Effort()
    if options.rounds:
        effort = replace(effort, rounds=options.rounds, searches=options.rounds, starts=options.rounds)
    if options.seconds:
        effort = replace(effort, seconds=options.seconds)
    if options.memory_seconds:
        effort = replace(effort, memory_seconds=options.memory_seconds)
    return effort


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    try:
        if os.geteuid() != 0:
            raise BenchError("tracing needs root; run: sudo make bench")
        enter_own_mounts(arguments)
        with ExitStack() as held:
            _run(options, held)
    except BenchError as error:
        say(f"NOT RUN: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


def _run(options: argparse.Namespace, held: ExitStack) -> None:
    work = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="tpkit-bench-", dir=options.work)))
    given = options.newest_root or os.environ.get(roster.ROOT_VARIABLE)
    tracers = roster.gather(options.tracer, options.without, Path(given) if given else None, work, held)
    bench = Bench(Shop(load.compiled(work), work), tracers, effort_of(options))
    machine = describe(tracers, work)
    for line in machine.lines():
        say(line)
    outcomes = [MEASUREMENTS[name](bench) for name in MEASUREMENTS if not options.only or name in options.only]
    _write(options.output, bench, machine, outcomes)
    _show(bench, machine, outcomes)


def _show(bench: Bench, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    print("\n".join([*machine.lines(), f"In brackets: how many times {bench.base}'s.", ""]))
    for outcome in outcomes:
        print("\n".join(map(markdown, outcome.tables)))
    print("\n".join(map(str, goals({outcome.name: outcome.tables[0] for outcome in outcomes}))))
    for measurement, tracer, why in bench.failures:
        shout(f"{measurement} failed for {tracer}: {why}")


def _write(path: Path, bench: Bench, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    document = {
        "machine": asdict(machine),
        "effort": asdict(bench.effort),
        "base": bench.base,
        "measurements": {
            each.name: {"tables": [asdict(table) for table in each.tables], "records": each.records}
            for each in outcomes
        },
        "failures": [dict(zip(("measurement", "tracer", "why"), each, strict=True)) for each in bench.failures],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    say(f"everything is in {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
