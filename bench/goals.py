"""What tpkit has set out to reach beside the newest bpftrace, and whether this run shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench import first_event, overhead, rates
from bench.context import NEWEST, NEWEST_IN_BLOCKS
from bench.tables import Table, ratio
from bench.tpkit_tracer import FORMS

TEXT, JSON = "tpkit:text", "tpkit:json"
BATCH = tuple(f"tpkit:{form.name}" for form in FORMS if form.is_batch)


@dataclass(frozen=True, slots=True)
class Goal:
    """value: what was measured, None where it wasn't; at_most: else it has to be at least ``bound``."""

    text: str
    value: float | None
    bound: float
    at_most: bool = False

    def __str__(self) -> str:
        if self.value is None:
            return f"not measured  {self.text}"
        met = self.value <= self.bound if self.at_most else self.value >= self.bound
        return f"{'met' if met else 'NOT MET':<12}  {self.text}: {self.value:,.2f}"


def goals(tables: Mapping[str, Table]) -> list[Goal]:
    """tables: each measurement's, by its name."""

    def value(measurement: str, tracer: str, column: int) -> float | None:
        return tables[measurement].value(tracer, column) if measurement in tables else None

    def to_newest(measurement: str, tracer: str, column: int, newest: str = NEWEST) -> float | None:
        return ratio(value(measurement, tracer, column), value(measurement, newest, column))

    batch = _most(value(rates.NAME, name, rates.RATE) for name in BATCH)
    added = to_newest(overhead.NAME, TEXT, overhead.ADDED)
    text = to_newest(rates.NAME, TEXT, rates.RATE)
    in_blocks = to_newest(rates.NAME, TEXT, rates.RATE, NEWEST_IN_BLOCKS)
    cold, warm = (to_newest(first_event.NAME, TEXT, column) for column in (first_event.COLD, first_event.WARM))
    return [
        Goal("overhead, text, flat out / newest bpftrace's <= 0.5", added, 0.5, at_most=True),
        Goal("lossless rate, best batch form >= 1,000,000/s", batch, 1_000_000),
        Goal("lossless rate, text / newest bpftrace's >= 5", text, 5),
        Goal("lossless rate, text / newest bpftrace's with -B full >= 5", in_blocks, 5),
        Goal("lossless rate, text >= 500,000/s (aim)", value(rates.NAME, TEXT, rates.RATE), 500_000),
        Goal("lossless rate, JSON lines >= 250,000/s", value(rates.NAME, JSON, rates.RATE), 250_000),
        Goal("first event, cold / newest bpftrace's <= 1", cold, 1, at_most=True),
        Goal("first event, warm / newest bpftrace's <= 0.5", warm, 0.5, at_most=True),
    ]


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
