"""How long a tracer takes from its start until the first event is seen, while there is one each millisecond."""

from __future__ import annotations

import os
import select
import shutil
import time

from bench import load
from bench.context import Bench, median
from bench.errors import TracerFailed
from bench.load import Load, LoadPlan
from bench.outcome import Outcome
from bench.process import Running
from bench.tables import Column, Table
from bench.tracers import Tracer

NAME = "first-event"
COLD, WARM = 0, 1  # the columns
_EVENT_US = 1000
_PATIENCE_SECONDS = 60.0
_MARKS = (load.KNOCK, b"sys_enter_unlinkat(dfd")  # the second: perf trace, which doesn't show the path


def measure(bench: Bench) -> Outcome:
    """Seconds. Cold: with the tracer's own caches removed; who has none is as warm as ever."""
    times: dict[str, tuple[list[float], list[float]]] = {tracer.name: ([], []) for tracer in bench.tracers}
    for _, tracer in bench.in_turns(NAME, bench.effort.starts):
        for warm in (False, True):
            if not warm:
                _forget(tracer)
            try:
                seconds = _first_event(bench, tracer)
            except TracerFailed as failure:
                bench.fail(NAME, tracer, str(failure))
                break
            if seconds is not None:
                times[tracer.name][warm].append(seconds)
    columns = (Column("cold, s", "{:.3f}"), Column("warm, s", "{:.3f}"))
    rows = {name: [median(cold), median(warm)] for name, (cold, warm) in times.items()}
    notes = {t.name: "not live" for t in bench.tracers if t.live_command(0) is None}
    table = Table("Time to the first event", columns, rows, bench.base, notes)
    records = [{"tracer": name, "cold_s": cold, "warm_s": warm} for name, (cold, warm) in times.items()]
    return Outcome(NAME, (table,), records)


def _forget(tracer: Tracer) -> None:
    """Empty its cache; for tpkit, the bench has mounted a file system of its own there (``isolation``)."""
    for path in tracer.cache.iterdir() if tracer.cache and tracer.cache.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _first_event(bench: Bench, tracer: Tracer) -> float | None:
    """Seconds from the process' start to the first knock in its output; None where it can't show one."""
    with Load(bench.shop.load, LoadPlan(1, 1, _EVENT_US)) as knocking:
        command = tracer.live_command(knocking.pid)
        if command is None:
            return None
        started = time.monotonic()
        reader, writer = os.pipe()
        with Running(command, tracer.environment(), stdout=writer, stderr=writer):
            os.close(writer)
            try:
                return _read_until_seen(reader, tracer) - started
            finally:
                os.close(reader)  # before it is told to end: it mustn't wait for us to read on


def _read_until_seen(reader: int, tracer: Tracer) -> float:
    """When the first event was there to be read, on the monotonic clock."""
    output = b""
    while True:
        ready, _, _ = select.select([reader], [], [], _PATIENCE_SECONDS)
        now = time.monotonic()
        data = os.read(reader, 65536) if ready else b""
        output += data
        if any(mark in output for mark in _MARKS):
            return now
        if not data:
            words = output.decode(errors="replace")[-300:].strip()
            raise TracerFailed(f"{tracer.name} showed no event within {_PATIENCE_SECONDS:.0f} s: {words}")
