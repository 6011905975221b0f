"""What writing an event costs, sink by sink: made-up records of unlinkat, decoded, formatted and written to a file.

``python -m bench.sinks [--events N] [--batch N] [--file PATH] [--mixed] [--hostile]``. One core, no kernel, no
peer. The best of three rounds counts, as other work on the machine only ever makes it slower.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.unit.records import batch, layout_of, record
from tpkit import Tracefs, TracepointId, parse_event
from tpkit.batch import Batch
from tpkit.decode.clock import Clock
from tpkit.ledger import Ledger
from tpkit.record import RecordLayout
from tpkit.sinks.base import Sink
from tpkit.sinks.csvlines import CsvSink
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output
from tpkit.sinks.records import RecordsSink
from tpkit.sinks.text import TextSink

FIXTURES = Path(__file__).resolve().parents[1] / "tests/fixtures/6.18-x86_64"
UNLINKAT = "syscalls:sys_enter_unlinkat"

MakeSink = Callable[[Output, Clock, tuple[RecordLayout, ...]], Sink]
SINKS: dict[str, MakeSink] = {
    "text": lambda output, clock, _: TextSink(output, clock),
    "json": lambda output, clock, _: JsonLinesSink(output, clock),
    "csv": CsvSink,
    "records": RecordsSink,
}


def layouts(*, mixed: bool) -> tuple[RecordLayout, ...]:
    tree = Tracefs.captured_tree(FIXTURES)
    names = [UNLINKAT]
    if mixed:
        names += [str(name) for name in tree.event_ids() if name.category != "ftrace" and str(name) != UNLINKAT]
    found = (parse_event(tree.format_text(name), name) for name in map(TracepointId.parse, names))
    return tuple(layout_of(event, 256) for event in found)


def made_up(shapes: tuple[RecordLayout, ...], count: int, *, hostile: bool) -> Iterator[bytes]:
    for number in range(count):
        probe = number * 7919 % len(shapes)
        header = {"time": 10**13 + 1000 * number, "pid": 1000 + number % 3, "tid": 1000 + number % 3, "comm": b"worker"}
        path = b"/tmp/%s/%044d" % ("é\u202e\n".encode() if hostile else b"abcdefgh.....", number)
        members = {} if probe else {"dfd": -100, "pathname": 0x7FFE_0000_0000}
        yield record(shapes, probe, header, {column.label: path for column in shapes[probe].payloads}, **members)


def seconds(make: MakeSink, batches: list[Batch], path: Path) -> float:
    with Output.file(path) as output:
        sink = make(output, Clock.now(), batches[0].layouts)
        sink.begin()
        started = time.perf_counter()
        for each in batches:
            sink.write(each)
        taken = time.perf_counter() - started
        sink.end(Ledger((), taken))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=10_000, help="events in a batch")
    parser.add_argument("--file", type=Path, help="where to write; a new temporary file if not given")
    parser.add_argument("--mixed", action="store_true", help="events of all kinds that there are fixtures of")
    parser.add_argument("--hostile", action="store_true", help="names that nobody may see as they are")
    parser.add_argument("--sink", choices=SINKS, action="append")
    options = parser.parse_args()
    shapes = layouts(mixed=options.mixed)
    one = batch(shapes, *made_up(shapes, options.batch, hostile=options.hostile))
    batches = [one] * (options.events // options.batch)
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder, "out")
        for name in options.sink or SINKS:
            taken = min(seconds(SINKS[name], batches, path) for _ in range(3))
            events = len(one) * len(batches)
            cost, rate, size = taken / events * 1e6, events / taken, path.stat().st_size / events
            print(f"{name:<8} {cost:6.3f} µs/event {rate:12,.0f} events/s {size:6.0f} bytes/event")


if __name__ == "__main__":
    main()
