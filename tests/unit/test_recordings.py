"""Files of records: all comes back as it was, and hostile files are refused and harm nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ReadFixture
from tests.unit.records import batch, call_layout_of, fixture_layout, record, ring, unlinkat
from tpkit import Tracefs, parse_event
from tpkit.batch import Batch
from tpkit.codegen.columns import Memory, Sizes, plan_columns
from tpkit.decode.clock import Clock
from tpkit.decode.words import DEFAULT_WORDING
from tpkit.described import described, restored
from tpkit.errors import RecordingError
from tpkit.ledger import Account, Cause, Ledger, Loss
from tpkit.record import RecordLayout
from tpkit.sinks.jsonlines import JsonLines
from tpkit.sinks.lines import lines
from tpkit.sinks.output import Output
from tpkit.sinks.record_head import Head
from tpkit.sinks.records import Recording, RecordsSink, read
from tpkit.sinks.text import TextLines

CLOCK = Clock(1234)
UNLINKAT = fixture_layout("syscalls:sys_enter_unlinkat")
LAYOUTS = (UNLINKAT, fixture_layout("syscalls:sys_exit_unlinkat"))
LEDGER = Ledger((Account(UNLINKAT.event, 5, 0, 4, {Cause.RING_FULL: 1}),), 2.0)


def saved(path: Path, layouts: tuple[RecordLayout, ...], *batches: Batch) -> Path:
    with Output.file(path) as output:
        sink = RecordsSink(output, CLOCK, layouts)
        sink.begin()
        for each in batches:
            sink.write(each)
            sink.lost([Loss(UNLINKAT.event, 1)])
        sink.end(LEDGER)
    return path


def records_of(batches: list[Batch]) -> list[bytes]:
    return [
        each.data[start : start + length].tobytes()
        for each in batches
        for start, length in zip(each.starts.tolist(), each.lengths.tolist(), strict=True)
    ]


def some(count: int) -> Batch:
    chosen = [unlinkat(LAYOUTS, b"/x" * n) if n % 3 else record(LAYOUTS, 1, ret=n) for n in range(count)]
    return batch(LAYOUTS, *chosen)


def test_all_comes_back(tmp_path: Path) -> None:
    first, second = some(50), some(9)
    path = saved(tmp_path / "out", LAYOUTS, first, second[::-1], second[:0], second[2:4])
    with Recording(path) as recording:
        found = list(recording.batches())
    assert records_of(found) == records_of([first, second[::-1], second[2:4]])
    assert recording.layouts == LAYOUTS
    assert recording.clock == CLOCK
    assert [each["lost"] for each in recording.losses] == [1] * 4
    assert recording.ledger is not None
    assert recording.ledger["lost"] == {"ring buffer full": 1}


def test_large_files_are_read_in_parts(tmp_path: Path) -> None:
    many = Batch.joined([some(1000)] * 100)
    path = saved(tmp_path / "out", LAYOUTS, many)
    assert path.stat().st_size > 1 << 23
    found = list(read(path))
    assert len(found) > 1
    assert records_of(found) == records_of([many])


def test_layouts_of_all_fixtures_come_back(tree: Tracefs) -> None:
    layouts = []
    for name in tree.event_ids():
        event = parse_event(tree.format_text(name), name)
        columns = (source.column for source in plan_columns(event, 256))
        layouts.append(RecordLayout.fitting(name, columns, packed=True))
    head = Head(tuple(layouts), -5)
    line = head.line()
    assert Head.of_line(line, "file") == head
    assert len(line) % 8 == 0
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_numpy_alone_can_read_it(tmp_path: Path) -> None:
    """The head says all that is needed."""
    path = saved(tmp_path / "out", LAYOUTS, batch(LAYOUTS, unlinkat(LAYOUTS, b"/tmp/x", dfd=7)))
    head, _, rest = path.read_bytes().partition(b"\n")
    shape = json.loads(head)["records"][0]
    fixed = shape["fixed"]
    formats = [each if isinstance(each, str) else (each[0], tuple(each[1])) for each in fixed["formats"]]
    wanted: Any = {**fixed, "formats": formats}
    row = np.frombuffer(rest[8:], dtype=np.dtype(wanted), count=1)[0]
    (payload,) = shape["payloads"]
    assert row["dfd"] == 7
    start = 8 + fixed["itemsize"]
    assert rest[start : start + row[payload["size"]]] == b"/tmp/x\0"


def test_calls_come_back(tmp_path: Path, read_fixture: ReadFixture) -> None:
    layouts = (call_layout_of(read_fixture("syscalls:sys_enter_unlinkat")),)
    path = saved(tmp_path / "out", layouts, batch(layouts, record(layouts, 0, None, {"pathname": b"x"}, took=5)))
    (found,) = read(path)
    assert found.layouts == layouts


def test_what_arguments_lead_to_comes_back(tmp_path: Path, read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_write")
    sizes = Sizes(string=64, buffer=32, memory=Memory.CALL)
    columns = [source.column for source in plan_columns(event, sizes)]
    assert any(column.payload is not None for column in columns)
    layouts = (RecordLayout.fitting(event.id, columns, packed=True),)
    written = batch(layouts, record(layouts, 0, None, {"buf": b"hello\n"}, fd=1, count=6, buf=0x7F00))
    (found,) = read(saved(tmp_path / "out", layouts, written))
    assert found.layouts == layouts
    assert b'buf="hello\\n", count=6)' in lines(found, TextLines(CLOCK, DEFAULT_WORDING))
    event_object = json.loads(lines(found, JsonLines(CLOCK, DEFAULT_WORDING)))
    assert event_object["args"]["buf"] == "hello\n"


# --------------------------------------------------------------------------------- hostile files


@pytest.mark.parametrize("cut", [1, 8, 100, 700, 1000, 1500, 2000])
def test_what_was_cut_is_read_up_to_there(tmp_path: Path, cut: int) -> None:
    whole = some(20)
    path = saved(tmp_path / "out", LAYOUTS, whole)
    os.truncate(path, path.stat().st_size - cut)
    found: list[Batch] = []
    with Recording(path) as recording, pytest.raises(RecordingError, match="ends too early"):
        found.extend(recording.batches())
    assert recording.ledger is None
    assert records_of(found) == records_of([whole])[: len(records_of(found))]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (ring(unlinkat(LAYOUTS, b"x")[:-8]), "isn't what its layout says"),
        (ring(b""), "isn't what its layout says"),
        (ring(record(LAYOUTS, 1, {"probe": 2})), "isn't what its layout says"),
        (b"\xff" * 16, "a size that none has"),
        ((0x8000_0030).to_bytes(4, "little") + bytes(60), "a size that none has"),
        ((0x0010_0008).to_bytes(4, "little") + bytes(60), "a size that none has"),
        ((0x4000_0008).to_bytes(4, "little") + bytes(4) + b"not json", "a note that can't be read"),
        ((0x4000_0008).to_bytes(4, "little") + bytes(4) + b"[1,2,34]", "a note that can't be read"),
        ((0x4000_0010).to_bytes(4, "little") + bytes(4) + b'{"ledger": {}}  ' + b"more", "something behind its end"),
    ],
)
def test_damaged_bodies(tmp_path: Path, body: bytes, what: str) -> None:
    path = tmp_path / "out"
    path.write_bytes(Head(LAYOUTS, 0).line() + body)
    with pytest.raises(RecordingError, match=what):
        list(read(path))


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    head = json.loads(Head(LAYOUTS, 0).line())
    change(head)
    return json.dumps(head).encode()


def set_in(*place: Any) -> Callable[[dict[str, Any]], None]:
    """Puts the last value at the place that those before it lead to."""

    def change(head: dict[str, Any]) -> None:
        at: Any = head
        for step in place[:-2]:
            at = at[step]
        at[place[-2]] = place[-1]

    return change


COLUMN = ("layouts", 0, "columns", 1)


@pytest.mark.parametrize(
    "change",
    [
        set_in("tpkit", "other"),
        set_in("version", 2),
        set_in("byte_order", "middle"),
        set_in("clock_offset_ns", 1 << 70),
        set_in("clock_offset_ns", "0"),
        set_in("layouts", []),
        set_in("layouts", {}),
        set_in("layouts", 0, "stride", 40),
        set_in("layouts", 0, "stride", 4096 + 4),
        set_in("layouts", 0, "stride", 1 << 40),
        set_in("layouts", 0, "stride", -8),
        set_in("layouts", 0, "stride", True),
        set_in("layouts", 0, "packed", False),
        set_in("layouts", 0, "event", "name", "../../etc/passwd"),
        set_in("layouts", 0, "event", "name", "\x1b[31m"),
        set_in("layouts", 0, "extra", 1),
        set_in(*COLUMN, "label", "a\nb"),
        set_in(*COLUMN, "label", "dfd"),
        set_in(*COLUMN, "size", None),
        set_in(*COLUMN, "text", None),
        set_in(*COLUMN, "text", "length", 1),
        set_in(*COLUMN, "text", "length", None),
        set_in(*COLUMN, "value", "length", 5),
        set_in(*COLUMN, "value", "length", 1 << 60),
        set_in(*COLUMN, "value", "name", "dfd"),
        set_in(*COLUMN, "capture", "VALUE"),
        set_in(*COLUMN, "capture", "ANYTHING"),
        set_in(*COLUMN, "display", "DECIMAL"),
        set_in(*COLUMN, "display", "NUMBERS"),
        set_in(*COLUMN, "display", "MEMORY"),
        set_in(*COLUMN, "payload", {"kind": "BUFFER", "size": 8}),
        set_in(*COLUMN, "field", "size", -1),
        set_in("layouts", 0, "columns", 0, "display", "TEXT"),
        set_in("layouts", 0, "columns", 0, "table", "shift", -1),
    ],
)
def test_damaged_heads(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = tmp_path / "out"
    path.write_bytes(changed(change) + b"\n")
    with pytest.raises(RecordingError):
        Recording(path)


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"{}\n", b"[" * 100_000 + b"\n", b'{"tpkit": "records"', b"\xff\n", b"7" * 9999]
)
def test_what_isnt_a_head(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "out"
    path.write_bytes(head)
    with pytest.raises(RecordingError):
        Recording(path)


def test_what_isnt_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nowhere", Path("/dev/zero")):
        with pytest.raises(RecordingError):
            Recording(path)


@settings(deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8))
def test_any_damage_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes) -> None:
    good = Head((UNLINKAT,), 0).line() + ring(*(unlinkat((UNLINKAT,), b"/tmp/x") for _ in range(8)))
    path = tmp_path_factory.getbasetemp() / "damaged"
    at %= len(good)
    path.write_bytes(good[:at] + junk + good[at + len(junk) :])
    with pytest.raises(RecordingError):
        show_all(path)


def show_all(path: Path) -> None:
    with Recording(path) as recording:
        for each in recording.batches():
            for make in (TextLines, JsonLines):
                assert lines(each, make(recording.clock, DEFAULT_WORDING)).count(b"\n") == len(each)


def test_values_of_other_types_are_refused() -> None:
    good = described(UNLINKAT)
    assert restored(RecordLayout, good) == UNLINKAT
    assert restored(RecordLayout, json.loads(json.dumps(good))) == UNLINKAT
    for name, bad in (("stride", 8.0), ("columns", "ab"), ("columns", [1]), ("result", 3), ("event", ["a", "b"])):
        with pytest.raises(ValueError, match=r"is no|has other"):
            restored(RecordLayout, {**good, name: bad})
    assert replace(UNLINKAT, stride=64) == UNLINKAT.with_stride(64)
