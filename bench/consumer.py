"""What the tracer's own process takes: CPU for each million events, and memory over time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.context import Bench, median, rate_name
from bench.outcome import Outcome, record
from bench.tables import Column, Table
from bench.trial import Sample, Trial

CPU = "cpu"
MEMORY = "memory"
_LOOKS = 120  # in one measurement of memory
_MIB = 1 << 20


def measure_cpu(bench: Bench) -> Outcome:
    """Seconds of user and system time per million events delivered."""
    trials: list[Trial] = []
    for _, tracer in bench.in_turns(CPU, bench.effort.rounds):
        for rate in bench.effort.cpu_rates:
            trial = bench.trial(CPU, tracer, rate, 2 * bench.effort.seconds)
            trials += [trial] if trial else []
    columns: list[Column] = []
    rows: dict[str, list[float | None]] = {tracer.name: [] for tracer in bench.tracers}
    for rate in bench.effort.cpu_rates:
        columns += [Column(f"at {rate_name(rate)}", "{:.2f}"), Column("lost %", "{:.1f}", has_ratio=False)]
        for name, row in rows.items():
            own = [t for t in trials if t.tracer == name and t.rate == rate]
            row.append(median(t.cpu_seconds / t.delivered.events * 1e6 for t in own if t.delivered.events))
            row.append(median(100 * t.lost / max(1, t.load.events) for t in own))
    title = "CPU of the tracer's process: seconds per million events delivered"
    return Outcome(CPU, (Table(title, tuple(columns), rows, bench.base, {}),), list(map(record, trials)))


def measure_memory(bench: Bench) -> Outcome:
    """Resident memory while a high rate goes on, once for each tracer."""
    effort = bench.effort
    trials: list[Trial] = []
    for _, tracer in bench.in_turns(MEMORY, 1):
        trial = bench.trial(MEMORY, tracer, effort.memory_rate, effort.memory_seconds, effort.memory_seconds / _LOOKS)
        trials += [trial] if trial else []
    columns = (
        Column("most, MiB", "{:.1f}"),
        Column("slope, KiB/s", "{:.1f}", has_ratio=False),
        Column("events/s made", has_ratio=False),
        Column("lost %", "{:.1f}", has_ratio=False),
    )
    rows: dict[str, Sequence[float | None]] = {
        t.tracer: [
            max((sample.rss_bytes for sample in t.memory), default=0) / _MIB,
            slope(t.memory),
            t.load.rate,
            100 * t.lost / max(1, t.load.events),
        ]
        for t in trials
    }
    title = f"Resident memory over {effort.memory_seconds:g} s at {rate_name(effort.memory_rate)}"
    return Outcome(MEMORY, (Table(title, columns, rows, bench.base, {}),), list(map(record, trials)))


def slope(samples: Sequence[Sample]) -> float | None:
    """KiB per second, by least squares over the second half, where the start is over; None if there is too little."""
    late = [sample for sample in samples[len(samples) // 2 :] if sample.rss_bytes]
    if len(late) < 3:
        return None
    line = statistics.linear_regression([s.seconds for s in late], [s.rss_bytes / 1024 for s in late])
    return line.slope
