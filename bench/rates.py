"""The highest rate that each tracer delivers every event at, searched for and confirmed by names."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.context import Bench, median
from bench.errors import TracerFailed
from bench.outcome import Outcome, record
from bench.progress import say
from bench.search import Attempt, Found, Measure, highest_rate
from bench.tables import Column, Table
from bench.tracers import Tracer
from bench.trial import Trial, traced

NAME = "rates"
RATE = 0  # the column


def measure(bench: Bench) -> Outcome:
    """Events per second, medians of several searches."""
    found: dict[str, list[Found]] = {tracer.name: [] for tracer in bench.tracers}
    trials: list[Trial] = []
    for _, tracer in bench.in_turns(NAME, bench.effort.searches):
        try:
            found[tracer.name].append(_search(bench, tracer, trials))
        except TracerFailed as failure:
            bench.fail(NAME, tracer, str(failure))
    searches: list[dict[str, Any]] = [
        {"tracer": name, "search": asdict(each)} for name, own in found.items() for each in own
    ]
    return Outcome(NAME, (_table(bench, found, trials),), [*searches, *map(record, trials)])


def _search(bench: Bench, tracer: Tracer, trials: list[Trial]) -> Found:
    effort = bench.effort

    def trying(seconds: float) -> Measure:
        def attempt(rate: int) -> Attempt:
            trial = traced(bench.shop, tracer, rate, seconds)
            trials.append(trial)
            say(f"  {rate:>9,}/s: {trial.load.events:,} made, {trial.lost:,} lost, {trial.reported_loss} reported")
            share = trial.delivered.events / max(1, trial.load.events)
            return Attempt(rate, trial.load.rate, trial.is_lossless, share)

        return attempt

    confirm = trying(effort.confirm_seconds) if effort.confirm_seconds else None
    return highest_rate(trying(effort.seconds), tracer.first_rate, effort.resolution, confirm)


def _table(bench: Bench, found: dict[str, list[Found]], trials: list[Trial]) -> Table:
    rows: dict[str, list[float | None]] = {}
    notes: dict[str, str] = {}
    for name, own in found.items():
        rate = median(each.rate for each in own)
        lossless = [t for t in trials if t.tracer == name and t.is_lossless]
        lag = max((t.lag_seconds for t in lossless if rate and t.load.rate >= 0.9 * rate), default=None)
        rows[name] = [rate, lag]
        if any(each.held_back for each in own):
            notes[name] = "the load couldn't go faster"
        if any(t.tracer == name and not t.delivered.checked for t in trials):
            notes[name] = "; ".join([*filter(None, [notes.get(name)]), "counted: it shows no names"])
    columns = (Column("events/s, none lost"), Column("longest lag, s", "{:.2f}", has_ratio=False))
    return Table("Highest lossless rate", columns, rows, bench.base, notes)
