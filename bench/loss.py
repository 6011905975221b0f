"""What each tracer says it has lost, beside what really hasn't arrived."""

from __future__ import annotations

from bench.context import Bench, median, rate_name
from bench.outcome import Outcome, record
from bench.tables import Column, Table
from bench.trial import Trial

NAME = "loss"


def measure(bench: Bench) -> Outcome:
    """Per cent of the events made, at rates that some can't stand."""
    trials: list[Trial] = []
    for _, tracer in bench.in_turns(NAME, bench.effort.searches):
        for rate in bench.effort.loss_rates:
            trial = bench.trial(NAME, tracer, rate, bench.effort.seconds)
            if trial is None:
                break
            trials.append(trial)
    return Outcome(NAME, (_table(bench, trials),), list(map(record, trials)))


def _table(bench: Bench, trials: list[Trial]) -> Table:
    columns: list[Column] = []
    rows: dict[str, list[float | None]] = {tracer.name: [] for tracer in bench.tracers}
    notes: dict[str, str] = {}
    for rate in bench.effort.loss_rates:
        columns.append(Column(f"{rate_name(rate)}: lost %", "{:.2f}", has_ratio=False))
        columns.append(Column("reported %", "{:.2f}", has_ratio=False))
        for name, row in rows.items():
            own = [t for t in trials if t.tracer == name and t.rate == rate]
            row.append(median(100 * t.lost / max(1, t.load.events) for t in own))
            said = [(t.reported_loss, t.load.events) for t in own]
            row.append(median(100 * lost / max(1, made) for lost, made in said if lost is not None))
    for name in rows:
        notes[name] = _verdict([t for t in trials if t.tracer == name])
    return Table("Loss reported against loss real", tuple(columns), rows, bench.base, notes)


def _verdict(trials: list[Trial]) -> str:
    """How far the reports were off, over all trials, in events."""
    twice = sum(t.delivered.twice for t in trials)
    return _report(trials) + (f"; {twice:,} delivered twice" if twice else "")


def _report(trials: list[Trial]) -> str:
    if not trials:
        return "not measured"
    wrong = [t for t in trials if t.reported_loss != t.lost]
    if not wrong:
        return f"exact in all {len(trials)} trials" if any(t.lost for t in trials) else "nothing lost"
    worst = max(wrong, key=lambda t: abs((t.reported_loss or 0) - t.lost))
    return f"wrong in {len(wrong)} of {len(trials)}; worst: {worst.lost:,} lost, {worst.reported_loss} reported"
