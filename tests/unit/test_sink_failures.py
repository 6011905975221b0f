"""Outputs that fail: what is whole stays, and nobody is told that more was written."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.records import batch, fixture_layout, unlinkat
from tpkit.batch import Batch
from tpkit.decode.clock import Clock
from tpkit.decode.columns import rows_by_event
from tpkit.errors import RecordingError, SinkError
from tpkit.sinks.base import Sink
from tpkit.sinks.csvlines import CsvSink
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output, ReaderGone
from tpkit.sinks.records import Recording, RecordsSink
from tpkit.sinks.terminal import TerminalSink
from tpkit.sinks.text import TextSink

LAYOUTS = (fixture_layout("syscalls:sys_enter_unlinkat"),)
CLOCK = Clock(0)
EVENTS = 400

SINKS: dict[str, Callable[[Output], Sink]] = {
    "text": lambda output: TextSink(output, CLOCK),
    "json": lambda output: JsonLinesSink(output, CLOCK),
    "csv": lambda output: CsvSink(output, CLOCK, LAYOUTS),
    "records": lambda output: RecordsSink(output, CLOCK, LAYOUTS),
}


@pytest.fixture(scope="module")
def events() -> Batch:
    return batch(LAYOUTS, *(unlinkat(LAYOUTS, b"name-%d" % number) for number in range(EVENTS)))


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Lets files grow to so many bytes; as on a full disk, the last write is cut short, and the next one fails.

    No longer than that: pytest's own output may be a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names_in(path: Path, kind: str) -> list[str]:
    """The paths that a file has, which must be of whole lines or records."""
    if kind == "records":
        return recorded(path)
    data = path.read_bytes()
    assert data.endswith(b"\n")
    lines = data.decode().splitlines()
    if kind == "json":
        return [json.loads(line)["args"]["pathname"] for line in lines]
    return [line.split("name-")[1] for line in lines[1:]]


def recorded(path: Path) -> list[str]:
    batches: list[Batch] = []
    with Recording(path) as recording, pytest.raises(RecordingError, match="ends too early"):
        batches.extend(recording.batches())
    assert path.stat().st_size % 8 == 0
    return [str(name) for each in batches for rows in rows_by_event(each) for name in rows.values[1].data or ()]


@pytest.mark.parametrize("size", [20_000, 20_001, 20_077, 24_000])
@pytest.mark.parametrize("kind", SINKS)
def test_a_full_disk(tmp_path: Path, events: Batch, kind: str, size: int) -> None:
    path = tmp_path / "out"
    with Output.file(path) as output:
        sink = SINKS[kind](output)
        sink.begin()
        sink.write(events[:50])
        with limited(size), pytest.raises(SinkError) as failed:
            sink.write(events[50:])
    assert 0 < failed.value.written < EVENTS - 50
    assert len(names_in(path, kind)) == 50 + failed.value.written
    assert path.stat().st_size <= size


@pytest.mark.parametrize("kind", SINKS)
def test_nothing_goes_into_dev_full(events: Batch, kind: str) -> None:
    with Output.file(Path("/dev/full")) as output, pytest.raises(SinkError, match="No space left") as failed:
        SINKS[kind](output).write(events)
    assert failed.value.written == 0


@pytest.mark.parametrize("kind", SINKS)
def test_a_reader_that_goes_away(events: Batch, kind: str) -> None:
    """What went into the pipe counts: nobody can tell what the reader did with it."""
    reader, writer = os.pipe()
    taken = bytearray()

    def read_some() -> None:
        while len(taken) < 9000:
            taken.extend(os.read(reader, 1000))
        os.close(reader)

    thread = threading.Thread(target=read_some)
    thread.start()
    many = Batch.joined([events] * 20)
    with Output(writer, "pipe", owned=True) as output, pytest.raises(ReaderGone) as gone:
        SINKS[kind](output).write(many)
    thread.join()
    assert 9000 // 350 < gone.value.written < len(many)


def test_what_others_append_to_isnt_taken_back(tmp_path: Path, events: Batch) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"precious\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    with Output(descriptor, "log", owned=True) as output, limited(5000), pytest.raises(SinkError) as failed:
        TextSink(output, CLOCK).write(events)
    data = path.read_bytes()
    assert data.startswith(b"precious\n")
    assert len(data) == 5000
    assert data.count(b"\n") == 1 + failed.value.written


def test_a_blocked_output_is_waited_for(events: Batch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    taken = bytearray()

    def read_all() -> None:
        while part := os.read(reader, 1 << 16):
            taken.extend(part)

    thread = threading.Thread(target=read_all)
    with Output(writer, "pipe", owned=True) as output:
        threading.Timer(0.05, thread.start).start()
        for _ in range(10):
            JsonLinesSink(output, CLOCK).write(events)
    thread.join()
    os.close(reader)
    assert taken.count(b"\n") == 10 * EVENTS


def test_a_terminal_counts_only_what_was_told(events: Batch) -> None:
    with Output.file(Path("/dev/full")) as output, pytest.raises(SinkError) as failed:
        TerminalSink(output, CLOCK, coloured=False, most=5).write(events)
    assert failed.value.written == 0
