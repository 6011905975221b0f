"""What a call costs the traced thread more than an untraced one: flat out, and at a rate that nobody loses at."""

from __future__ import annotations

from collections.abc import Sequence

from bench.context import Bench, median, rate_name
from bench.load import FLAT_OUT, LoadResult
from bench.outcome import Outcome, record
from bench.tables import Column, Table
from bench.trial import Trial, untraced

NAME = "overhead"
UNTRACED = "untraced"
ADDED = 1  # the column of what is added, flat out, by the clock

Loads = dict[int, list[LoadResult]]
Row = list[float | None]


def measure(bench: Bench) -> Outcome:
    """Nanoseconds per call; the untraced load has a turn in each round as well."""
    rates = (FLAT_OUT, bench.effort.steady_rate)
    loads: Loads = {rate: [] for rate in rates}
    trials: list[Trial] = []
    for number, tracer in bench.in_turns(NAME, bench.effort.rounds):
        for rate in rates:
            if len(loads[rate]) <= number:
                loads[rate].append(untraced(bench.shop, rate, bench.effort.seconds))
            trial = bench.trial(NAME, tracer, rate, bench.effort.seconds)
            trials += [trial] if trial else []
    bare = [{"tracer": UNTRACED, "rate": rate, "load": record(each)} for rate in rates for each in loads[rate]]
    return Outcome(NAME, (_table(bench, loads, trials),), [*bare, *map(record, trials)])


def _table(bench: Bench, loads: Loads, trials: Sequence[Trial]) -> Table:
    columns: list[Column] = []
    rows: dict[str, Row] = {UNTRACED: [], **{tracer.name: [] for tracer in bench.tracers}}
    for rate, bare in loads.items():
        columns += _columns(rate_name(rate))
        rows[UNTRACED] += [median(each.wall_per_call for each in bare), None, None, None]
        for tracer in bench.tracers:
            rows[tracer.name] += _cells(bare, [t for t in trials if t.tracer == tracer.name and t.rate == rate])
    title = "Overhead: nanoseconds per call on the traced thread, and how much of that the tracer adds"
    return Table(title, tuple(columns), rows, bench.base, {})


def _columns(rate: str) -> tuple[Column, ...]:
    return (
        Column(f"{rate}: per call", has_ratio=False),
        Column("added"),
        Column("added CPU"),
        Column("lost %", "{:.1f}", has_ratio=False),
    )


def _cells(bare: Sequence[LoadResult], trials: Sequence[Trial]) -> Row:
    wall, cpu = median(t.load.wall_per_call for t in trials), median(t.load.cpu_per_call for t in trials)
    lost = median(100 * t.lost / max(1, t.load.events) for t in trials)
    return [
        wall,
        _less(wall, median(each.wall_per_call for each in bare)),
        _less(cpu, median(each.cpu_per_call for each in bare)),
        lost,
    ]


def _less(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base
