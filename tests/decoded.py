"""Batches as plain events, one object each, for tests that look at single values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tpkit import Batch, Delivery
from tpkit.decode.columns import Rows, Values, rows_by_event, task_of


@dataclass(frozen=True)
class Event:
    """One event. args: numbers, of those that came alone; bytes of strings and memory, None after a fault.

    numbers: of all arguments that have one, pointers too; cut: names of those that were longer.
    """

    name: str
    time: int
    pid: int
    tid: int
    comm: bytes
    args: dict[str, int | bytes | None]
    numbers: dict[str, int]
    cut: frozenset[str]
    ret: int | None = None
    duration: int | None = None

    def number(self, name: str) -> int:
        """An argument's number."""
        return self.numbers[name]

    def text(self, name: str) -> bytes | None:
        """An argument's bytes."""
        value = self.args[name]
        assert not isinstance(value, int), f"{name} is a number"
        return value


@dataclass
class Collected:
    """All events of a session, in their order. batches: how many events came at once."""

    events: list[Event] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)


def collected(deliveries: Iterable[Delivery]) -> Collected:
    """Everything that a session delivers."""
    found = Collected()
    for delivery in deliveries:
        found.batches.append(len(delivery.batch))
        found.events += events_of(delivery.batch)
    return found


def events_of(batch: Batch) -> list[Event]:
    """The batch's events, in its order."""
    found: dict[int, Event] = {}
    for rows in rows_by_event(batch):
        found |= zip(rows.positions.tolist(), _events(rows), strict=True)
    return [found[position] for position in sorted(found)]


def _events(rows: Rows) -> Iterator[Event]:
    cuts = [(values.column.label, set(values.cuts())) for values in rows.values]
    for at in range(len(rows)):
        task = task_of(rows.tasks[at])
        yield Event(
            name=str(rows.layout.event),
            time=int(rows.times[at]),
            pid=task.pid,
            tid=task.tid,
            comm=task.comm,
            args={values.column.label: _value(values, at) for values in rows.values},
            numbers={v.column.label: int(v.numbers[at]) for v in rows.values if v.numbers is not None},
            cut=frozenset(label for label, those in cuts if at in those),
            ret=None if rows.result is None or rows.result.numbers is None else int(rows.result.numbers[at]),
            duration=None if rows.durations is None else int(rows.durations[at]),
        )


def _value(values: Values, at: int) -> int | bytes | None:
    if values.data is not None:
        return values.data[at]
    assert values.numbers is not None
    return int(values.numbers[at])
