"""What people and programs get to see of events, sink by sink."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ReadFixture
from tests.unit.records import batch, call_layout_of, fixture_layout, record, unlinkat
from tpkit.decode.calls import duration, rounded
from tpkit.decode.clock import Clock
from tpkit.decode.words import Wording
from tpkit.ledger import Account, Cause, Ledger, Loss
from tpkit.model import TracepointId
from tpkit.record import Display, RecordLayout
from tpkit.sinks.base import Sink
from tpkit.sinks.csvlines import CsvSink
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output
from tpkit.sinks.terminal import TerminalSink, wants_colours
from tpkit.sinks.text import TextSink
from tpkit.sinks.totals import account_lines

CLOCK = Clock(0)
SIZE = 16
UNLINKAT = "syscalls:sys_enter_unlinkat"
NAMES = (UNLINKAT, "syscalls:sys_exit_unlinkat", "sched:sched_process_exec", "sched:sched_wakeup")
LAYOUTS = tuple(fixture_layout(name, SIZE) for name in NAMES)
RAW = Wording(raw=True)

Make = Callable[[Output], Sink]


@pytest.fixture
def calls(read_fixture: ReadFixture) -> tuple[RecordLayout, ...]:
    event = read_fixture(UNLINKAT)
    return (call_layout_of(event, SIZE), call_layout_of(event, SIZE, result=None))


def written(tmp_path: Path, make: Make, layouts: tuple[RecordLayout, ...], *records: bytes) -> str:
    with Output.file(tmp_path / "out") as output:
        sink = make(output)
        sink.begin()
        sink.write(batch(layouts, *records))
    return (tmp_path / "out").read_bytes().decode()


def text_of(tmp_path: Path, *records: bytes, layouts: tuple[RecordLayout, ...] = LAYOUTS, **options: Any) -> list[str]:
    text = written(tmp_path, lambda out: TextSink(out, CLOCK, header=False, **options), layouts, *records)
    return text.removesuffix("\n").split("\n")


def json_of(
    tmp_path: Path, *records: bytes, layouts: tuple[RecordLayout, ...] = LAYOUTS, **options: Any
) -> list[dict[str, Any]]:
    text = written(tmp_path, lambda out: JsonLinesSink(out, CLOCK, **options), layouts, *records)
    return [json.loads(line) for line in text.splitlines()]


def csv_of(
    tmp_path: Path, *records: bytes, layouts: tuple[RecordLayout, ...] = LAYOUTS, **options: Any
) -> list[dict[str, str]]:
    text = written(tmp_path, lambda out: CsvSink(out, CLOCK, layouts, **options), layouts, *records)
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [{name: cell for name, cell in row.items() if cell} for row in rows]


# ---------------------------------------------------------------------------------------- text


def test_text(tmp_path: Path) -> None:
    later = record(LAYOUTS, 1, {"time": 2_000_001_999}, ret=-2)
    lines = text_of(tmp_path, unlinkat(LAYOUTS, b"/tmp/x", flag=0x200), later)
    assert re.fullmatch(
        r'\d\d:\d\d:01\.000000 +42 rm +sys_enter_unlinkat\(dfd=AT_FDCWD, pathname="/tmp/x", flag=AT_REMOVEDIR\)',
        lines[0],
    )
    assert re.fullmatch(r"\d\d:\d\d:02\.000001 +42 rm +sys_exit_unlinkat\(ret=-ENOENT\)", lines[1])


def test_the_header_stands_over_the_columns(tmp_path: Path) -> None:
    head, line = written(tmp_path, lambda out: TextSink(out, CLOCK), LAYOUTS, unlinkat(LAYOUTS, b"x")).splitlines()
    assert head.split() == ["TIME", "PID", "COMM", "EVENT"]
    assert head.index("EVENT") == line.index("sys_enter_unlinkat")
    assert head.index("COMM") == line.index("rm")


@pytest.mark.parametrize(
    ("path", "members", "shown"),
    [
        (b"/x", {"flag": 0x201}, "flag=AT_REMOVEDIR|0x1"),
        (b"/x", {"flag": 1}, "flag=1"),
        (b"/x", {"dfd": 7}, "dfd=7"),
        (b"x" * 16, {}, 'pathname="xxxxxxxxxxxxxxxx",'),
        (b"x" * 17, {}, 'pathname="xxxxxxxxxxxxxxxx"...,'),
        (None, {}, "pathname=0x7ffe0000,"),
        (None, {"pathname": 0}, "pathname=NULL,"),
        (b"", {}, 'pathname="",'),
        (b'a\nb\x1b[31m"\xff\\', {}, r'pathname="a\nb\033[31m\"\377\\",'),
        ("café".encode(), {}, 'pathname="café",'),
        ("a\u202eb".encode(), {}, r'pathname="a\342\200\256b",'),
    ],
)
@pytest.mark.parametrize("others", [0, 3])
def test_values_in_text(tmp_path: Path, path: bytes | None, members: dict[str, Any], shown: str, others: int) -> None:
    """The same alone and among others of the batch."""
    records = [unlinkat(LAYOUTS, path, **members), *(unlinkat(LAYOUTS, b"other", dfd=n) for n in range(others))]
    lines = text_of(tmp_path, *records)
    assert shown in lines[0]
    assert [f'dfd={n}, pathname="other"' in line for n, line in enumerate(lines[1:])] == [True] * others


@pytest.mark.parametrize("numbers", [(3, 4, 3), (-100, 3, -100), (0, 0, 7), (5, 5, 5)])
def test_columns_of_equal_and_of_different_numbers(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    records = [unlinkat(LAYOUTS, b"x", {"time": 200 + n, "pid": 200 + n}, dfd=n) for n in numbers]
    shown = [{-100: "AT_FDCWD"}.get(n, str(n)) for n in numbers]
    assert [re.findall("dfd=([^,]*),", line)[0] for line in text_of(tmp_path, *records)] == shown
    events = json_of(tmp_path, *records)
    assert [(each["args"]["dfd"], each["ktime_ns"], each["pid"]) for each in events] == [
        (n, 200 + n, 200 + n) for n in numbers
    ]
    assert [row["dfd"] for row in csv_of(tmp_path, *records)] == [str(n) for n in numbers]


def test_whole_calls_look_as_strace_writes_them(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    path = {"pathname": b"/tmp/x"}
    records = [
        record(calls, 0, None, path, dfd=-100, ret=-2, took=12_345),
        record(calls, 0, None, path, dfd=-100, ret=3, took=999),
        record(calls, 0, None, path, dfd=-100, ret=-512, took=1_500_000_000),
        record(calls, 0, None, path, dfd=-100, ret=-4000, took=0),
        record(calls, 1, None, path, dfd=-100, took=7),
    ]
    lines = text_of(tmp_path, *records, layouts=calls)
    start = 'unlinkat(dfd=AT_FDCWD, pathname="/tmp/x", flag=0) = '
    assert [line[line.index("unlinkat") :].removeprefix(start) for line in lines] == [
        "-1 ENOENT (No such file or directory) <12.3µs>",
        "3 <999ns>",
        "? ERESTARTSYS (To be restarted if SA_RESTART is set) <1.50s>",
        "-4000 <0ns>",
        "?",
    ]


def test_results_that_are_addresses(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    assert calls[0].result is not None
    shape = (replace(calls[0], result=replace(calls[0].result, display=Display.POINTER)),)
    records = [record(shape, 0, None, {"pathname": b""}, ret=ret, took=1) for ret in (0x7F00_0000_0000, -12, 0)]
    found = [line.split(" = ")[1] for line in text_of(tmp_path, *records, layouts=shape)]
    assert found == ["0x7f0000000000 <1ns>", "-1 ENOMEM (Cannot allocate memory) <1ns>", "NULL <1ns>"]
    texts = [(event["ret"], event.get("ret_text")) for event in json_of(tmp_path, *records, layouts=shape)]
    assert texts == [(0x7F00_0000_0000, "0x7f0000000000"), (-12, "-ENOMEM"), (0, "NULL")]


def test_raw_text(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    call = record(calls, 0, None, {"pathname": b"/tmp/x"}, dfd=-100, flag=0x200, ret=-2, took=12_345)
    (line,) = text_of(tmp_path, call, layouts=calls, wording=RAW)
    assert line.endswith('unlinkat(dfd=-100, pathname="/tmp/x", flag=512) = -2 <12.3µs>')
    (event,) = json_of(tmp_path, call, layouts=calls, wording=RAW)
    assert not {"args_text", "ret_text"} & set(event)


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0ns"), (1, "1ns"), (999, "999ns"), (1000, "1.00µs"), (1004, "1.00µs"), (1005, "1.01µs"),
        (9_994, "9.99µs"), (9_995, "10.0µs"), (99_949, "99.9µs"), (99_950, "100µs"), (999_499, "999µs"),
        (999_500, "1.00ms"), (12_345_678, "12.3ms"), (999_999_999, "1.00s"), (61_000_000_000, "61.0s"),
        (1_234_567_000_000, "1230s"), ((1 << 64) - 1, "4610000000s"),
    ],
)  # fmt: skip
def test_durations_have_three_digits(nanoseconds: int, shown: str) -> None:
    import numpy as np

    assert duration(int(rounded(np.array([nanoseconds], dtype=np.uint64))[0])) == shown


def test_order_is_kept_across_events(tmp_path: Path) -> None:
    mixed = [unlinkat(LAYOUTS, b"a"), record(LAYOUTS, 1, ret=0), unlinkat(LAYOUTS, b"b")]
    for lines in (text_of(tmp_path, *mixed), [each["event"] for each in json_of(tmp_path, *mixed)]):
        assert ["enter" in line for line in lines] == [True, False, True]


def test_seconds_may_change_within_a_batch(tmp_path: Path) -> None:
    times = [1_999_999_999, 2_000_000_000, 61_000_000_123, 2_000_000_001]
    records = [unlinkat(LAYOUTS, b"x", {"time": time}) for time in times]
    assert [line.split()[0] for line in text_of(tmp_path, *records)] == [CLOCK.time_of_day(time) for time in times]
    assert [event["time"] for event in json_of(tmp_path, *records)] == [CLOCK.iso(time) for time in times]
    assert [event["ktime_ns"] for event in json_of(tmp_path, *records)] == times


# ---------------------------------------------------------------------------------------- JSON


def test_json(tmp_path: Path) -> None:
    (event,) = json_of(tmp_path, unlinkat(LAYOUTS, b"/x/y"))
    assert event == {
        "time": "1970-01-01T00:00:01.000000000Z",
        "ktime_ns": 1_000_000_000,
        "event": UNLINKAT,
        "pid": 42,
        "tid": 43,
        "comm": "rm",
        "args": {"dfd": -100, "pathname": "/x/y", "flag": 0},
        "args_text": {"dfd": "AT_FDCWD"},
    }


def test_what_is_said_beside_the_arguments(tmp_path: Path) -> None:
    """Each row has what belongs to it, whatever the others have."""
    records = [
        unlinkat(LAYOUTS, b"x", dfd=3),
        unlinkat(LAYOUTS, b"y" * 17, dfd=3, flag=0x200),
        unlinkat(LAYOUTS, None),
        unlinkat(LAYOUTS, b"\xff" * 20),
        unlinkat(LAYOUTS, None, pathname=0, flag=0x200),
    ]
    events = json_of(tmp_path, *records)
    names = ("args_text", "args_hex", "args_truncated", "args_unreadable")
    assert [{name: event[name] for name in names if name in event} for event in events] == [
        {},
        {"args_text": {"flag": "AT_REMOVEDIR"}, "args_truncated": ["pathname"]},
        {"args_text": {"dfd": "AT_FDCWD"}, "args_unreadable": ["pathname"]},
        {"args_text": {"dfd": "AT_FDCWD"}, "args_hex": {"pathname": "ff" * 16}, "args_truncated": ["pathname"]},
        {"args_text": {"dfd": "AT_FDCWD", "flag": "AT_REMOVEDIR"}, "args_unreadable": ["pathname"]},
    ]
    assert [event["args"]["pathname"] for event in events[2::2]] == ["0x7ffe0000", "NULL"]


def test_calls_in_json(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    records = [record(calls, 0, None, {"pathname": b""}, ret=ret, took=7) for ret in (-2, 0, -512)]
    events = json_of(tmp_path, *records, record(calls, 1, None, {"pathname": b""}), layouts=calls)
    wanted = ("event", "ret", "ret_text", "duration_ns")
    assert [tuple(event.get(name, "-") for name in wanted) for event in events] == [
        ("syscalls:unlinkat", -2, "-ENOENT", 7),
        ("syscalls:unlinkat", 0, "-", 7),
        ("syscalls:unlinkat", -512, "-ERESTARTSYS", 7),
        ("syscalls:unlinkat", None, "-", "-"),
    ]


def test_losses_and_the_ledger_in_json(tmp_path: Path) -> None:
    event = TracepointId.parse(UNLINKAT)
    account = Account(event, 10, 2, 6, {Cause.RING_FULL: 3, Cause.OUTPUT: 1}, faulted=1)
    with Output.file(tmp_path / "out") as output:
        sink = JsonLinesSink(output, CLOCK)
        sink.lost([Loss(event, 3), Loss(event, 1, Cause.OUTPUT)])
        sink.end(Ledger((account,), 1.5, missed=2, unfollowed=1))
    lost, failed, end = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert lost == {"lost": 3, "event": UNLINKAT, "cause": "ring buffer full"}
    assert failed["cause"] == "output failed"
    ledger = end["ledger"]
    assert (ledger["seconds"], ledger["balanced"]) == (1.5, True)
    assert (ledger["matched"], ledger["filtered"], ledger["delivered"]) == (10, 2, 6)
    assert ledger["lost"] == {"ring buffer full": 3, "output failed": 1}
    assert ledger["events"][0]["event"] == UNLINKAT
    assert (ledger["missed"], ledger["unfollowed"]) == (2, 1)


def test_what_the_kernel_left_out_in_words() -> None:
    """A call of which one half wasn't seen is none that was begun before, whatever its cause is named."""
    account = Account(TracepointId.parse(UNLINKAT), 10, 0, 8, {Cause.UNPAIRED: 2}, unfinished=1)
    lines = list(account_lines(Ledger((account,), 1.5, missed=3)))
    assert lines == [
        "8 events in 1.5 s, 2 lost: entered before the trace, or refused by seccomp",
        "1 calls that haven't returned",
        "3 times a probe wasn't run, as its CPU was in another one: those events aren't counted, and calls may lack"
        " their entry or their return",
    ]


# ----------------------------------------------------------------------------------------- CSV


def test_csv(tmp_path: Path) -> None:
    only = LAYOUTS[:1]
    text = written(tmp_path, lambda out: CsvSink(out, CLOCK, only), only, unlinkat(only, b"/tmp/x"))
    assert text == (
        "time,ktime_ns,event,pid,tid,comm,dfd,dfd_text,pathname,flag,flag_text,truncated,unreadable\r\n"
        f"1970-01-01T00:00:01.000000000Z,1000000000,{UNLINKAT},42,43,rm,-100,AT_FDCWD,/tmp/x,0,,,\r\n"
    )


def test_csv_of_several_events(tmp_path: Path) -> None:
    wakeup = record(LAYOUTS, 3, {"comm": b"waker"}, comm=b"woken", pid=7)
    rows = csv_of(tmp_path, unlinkat(LAYOUTS, None), record(LAYOUTS, 1, ret=-2), wakeup, unlinkat(LAYOUTS, b"x" * 20))
    assert rows[0]["unreadable"] == rows[3]["truncated"] == "pathname"
    assert rows[0]["pathname"] == "0x7ffe0000"
    assert (rows[1]["ret"], rows[1]["ret_text"]) == ("-2", "ENOENT")
    assert (rows[2]["comm"], rows[2]["sched:sched_wakeup.comm"]) == ("waker", "woken")
    assert (rows[2]["pid"], rows[2]["sched:sched_wakeup.pid"]) == ("42", "7")


def test_calls_in_csv(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    both = (*calls[:1], LAYOUTS[1])
    records = [record(both, 0, None, {"pathname": b"a,b"}, ret=-2, took=7), record(both, 1, ret=-1)]
    call, end = csv_of(tmp_path, *records, layouts=both)
    assert (call["pathname"], call["ret"], call["ret_text"], call["duration_ns"]) == ("a,b", "-2", "ENOENT", "7")
    assert end["syscalls:sys_exit_unlinkat.ret"] == "-1"


# ------------------------------------------------------------------------------------ terminal


class Second:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(tmp_path: Path, act: Callable[[TerminalSink, Second], None]) -> list[str]:
    second = Second()
    with Output.file(tmp_path / "out") as output:
        sink = TerminalSink(output, CLOCK, header=False, coloured=False, most=5, now=second)
        act(sink, second)
        sink.end(Ledger((), 1.0))
    return [re.sub(r".*pathname", "pathname", line) for line in (tmp_path / "out").read_bytes().decode().split("\n")]


def some(count: int) -> list[bytes]:
    return [unlinkat(LAYOUTS, b"%d" % number) for number in range(count)]


def test_a_flood_is_summarised(tmp_path: Path) -> None:
    def act(sink: TerminalSink, second: Second) -> None:
        sink.write(batch(LAYOUTS, *some(3)))
        sink.write(batch(LAYOUTS, *some(4)))
        sink.write(batch(LAYOUTS, *some(2000)))
        second.now = 1.5
        sink.write(batch(LAYOUTS, *some(1)))
        assert (sink.shown, sink.summarised) == (6, 2002)

    lines = shown(tmp_path, act)
    assert [line.split('"')[1] for line in lines if line.startswith("pathname")] == ["0", "1", "2", "0", "1", "0"]
    assert lines[5].split("\r")[1:] == [
        "… 7 events in 1 s, shown 5 (all of them: -o FILE)",
        "… 2,007 events in 1 s, shown 5 (all of them: -o FILE)",
    ]
    assert lines[-2] == "--- 2,008 events: 6 shown, 2,002 only counted ---"


def test_losses_in_a_flood_are_told_once_a_second(tmp_path: Path) -> None:
    event = LAYOUTS[0].event

    def act(sink: TerminalSink, second: Second) -> None:
        sink.lost([Loss(event, 1)])
        sink.write(batch(LAYOUTS, *some(9)))
        for _ in range(100):
            sink.lost([Loss(event, 2)])
        second.now = 1.0
        sink.write(batch(LAYOUTS, *some(1)))

    lines = shown(tmp_path, act)
    assert [line for line in lines if "lost" in line] == [
        f"--- lost {count} {event}: ring buffer full ---" for count in (1, 200)
    ]


def test_colours(tmp_path: Path, calls: tuple[RecordLayout, ...]) -> None:
    failed = record(calls, 0, None, {"pathname": b"x"}, ret=-2, took=1)
    text = written(tmp_path, lambda out: TerminalSink(out, CLOCK, header=False, coloured=True), calls, failed)
    assert "\x1b[1munlinkat\x1b[0m(" in text
    assert '\x1b[32m"x"\x1b[0m' in text
    assert "= \x1b[31m-1 ENOENT (No such file or directory)\x1b[0m <" in text


def test_who_wants_colours() -> None:
    assert wants_colours({"TERM": "xterm"})
    assert not wants_colours({"TERM": "xterm", "NO_COLOR": "1"})
    assert wants_colours({"TERM": "xterm", "NO_COLOR": ""})  # no-color.org: when present and not empty
    assert not wants_colours({"TERM": "dumb"})
    assert not wants_colours({})


# ---------------------------------------------------------------------------------------- addresses


def test_addresses_are_strings_for_machines_too(tmp_path: Path) -> None:
    """jq and JavaScript keep 53 bits of a number."""
    layout = fixture_layout("kmem:kmalloc")
    address, text = 0xFFFF_FFFF_8142_CAB1, "0xffffffff8142cab1"
    (event,) = json_of(tmp_path, record((layout,), 0, {}, call_site=address, ptr=address), layouts=(layout,))
    assert (event["args"]["call_site"], event["args"]["ptr"]) == (text, text)
    assert event["args"]["bytes_req"] == 0
