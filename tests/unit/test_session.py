"""Sessions and sinks on recorded bytes: limits, losses, ends, and what people and programs get to see."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ReadFixture
from tests.unit.records import record, ring, unlinkat
from tpkit import (
    Cause,
    Ledger,
    Loss,
    ProbeSpec,
    Program,
    ReplayRuntime,
    Session,
    SinkError,
    TracepointId,
    UsageError,
    generate_bcc,
)
from tpkit.batch import Batch
from tpkit.decode.clock import Clock
from tpkit.runtime.base import Counts
from tpkit.runtime.replay import Replaying
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output, ReaderGone
from tpkit.sinks.text import TextSink
from tpkit.tracing import run

CLOCK = Clock(0)
HOSTILE = b'a\nb\x1b[31m"\xff\\'


@pytest.fixture
def program(read_fixture: ReadFixture) -> Program:
    names = ("syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat", "sched:sched_process_exec")
    return generate_bcc(ProbeSpec(tuple(read_fixture(n) for n in names), string_size=16))


def written(tmp_path: Path, program: Program, *chunks: bytes, form: str = "text", **options: Any) -> str:
    """What sinks make of a recording; chunks: of whole records."""
    path = tmp_path / "out"
    with Output.file(path) as output:
        sink = TextSink(output, CLOCK) if form == "text" else JsonLinesSink(output, CLOCK)
        with Session(program, ReplayRuntime(chunks), **options) as session:
            run(session, sink)
    return path.read_text()


def events(tmp_path: Path, program: Program, *records: bytes) -> list[dict[str, Any]]:
    lines = written(tmp_path, program, ring(*records), form="json").splitlines()
    return [json.loads(line) for line in lines if '"ledger"' not in line]


def test_text(tmp_path: Path, program: Program) -> None:
    exit_record = record(program, 1, {"time": 2_000_000_000}, ret=-2)
    lines = written(tmp_path, program, ring(unlinkat(program, b"/tmp/x", flag=0x200), exit_record)).splitlines()
    assert lines[0].split() == ["TIME", "PID", "COMM", "EVENT"]
    assert re.fullmatch(
        r'\d\d:\d\d:01\.000000 +42 rm +sys_enter_unlinkat\(dfd=AT_FDCWD, pathname="/tmp/x", flag=AT_REMOVEDIR\)',
        lines[1],
    )
    assert lines[2].endswith("sys_exit_unlinkat(ret=-ENOENT)")


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"flag": 0x201}, "flag=AT_REMOVEDIR|0x1"),
        ({"flag": 1}, "flag=1"),
        ({"dfd": 7}, "dfd=7"),
        ({"path": b"x" * 16}, 'pathname="xxxxxxxxxxxxxxxx",'),
        ({"path": b"x" * 17}, 'pathname="xxxxxxxxxxxxxxxx"...,'),
        ({"path": None}, "pathname=0x7ffe0000,"),
        ({"path": None, "pathname": 0}, "pathname=NULL,"),
        ({"path": b""}, 'pathname="",'),
        ({"path": HOSTILE}, r'pathname="a\nb\033[31m\"\377\\",'),
        ({"path": "café".encode()}, 'pathname="café",'),
        ({"path": "a\u202eb".encode()}, r'pathname="a\342\200\256b",'),
        ({"header": {"comm": b"\x1b]0;x"}}, r" \033]0;x "),
    ],
)
def test_values_in_text(tmp_path: Path, program: Program, members: dict[str, Any], shown: str) -> None:
    members = {"path": b"/x", **members}
    text = written(tmp_path, program, ring(unlinkat(program, **members)))
    assert shown in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_json_gives_the_exact_bytes_back(tmp_path: Path, program: Program) -> None:
    (event,) = events(tmp_path, program, unlinkat(program, HOSTILE))
    assert event["event"] == "syscalls:sys_enter_unlinkat"
    assert (event["pid"], event["tid"], event["comm"]) == (42, 43, "rm")
    assert event["args"] == {"dfd": -100, "pathname": HOSTILE.decode("utf-8", "replace"), "flag": 0}
    assert event["args_text"] == {"dfd": "AT_FDCWD"}
    assert bytes.fromhex(event["args_hex"]["pathname"]) == HOSTILE
    assert event["time"] == "1970-01-01T00:00:01.000000000Z"


def test_json_of_strings_that_are_utf8(tmp_path: Path, program: Program) -> None:
    name = b'a\nb\x1b[31m"'
    (event,) = events(tmp_path, program, unlinkat(program, name))
    assert event["args"]["pathname"].encode() == name
    assert "args_hex" not in event


def test_json_of_what_is_missing(tmp_path: Path, program: Program) -> None:
    cut, fault = events(tmp_path, program, unlinkat(program, b"y" * 17), unlinkat(program, None))
    assert (cut["args"]["pathname"], cut["args_truncated"]) == ("y" * 16, ["pathname"])
    assert (fault["args"]["pathname"], fault["args_unreadable"]) == ("0x7ffe0000", ["pathname"])


def test_order_is_kept_across_events(tmp_path: Path, program: Program) -> None:
    mixed = (unlinkat(program, b"a"), record(program, 1, ret=0), unlinkat(program, b"b"))
    assert [e["event"].split("_")[1] for e in events(tmp_path, program, *mixed)] == ["enter", "exit", "enter"]


def test_dynamic_strings(tmp_path: Path, program: Program) -> None:
    exec_record = record(program, 2, None, {"filename": b"/bin/rm"}, old_pid=7)
    text = written(tmp_path, program, ring(exec_record))
    assert 'sched_process_exec(filename="/bin/rm", pid=0, old_pid=7)' in text


def test_max_events_is_exact(tmp_path: Path, program: Program) -> None:
    chunk = ring(*[unlinkat(program, b"x")] * 10)
    text = written(tmp_path, program, chunk, chunk, max_events=13)
    assert len(text.splitlines()) == 1 + 13


def test_what_comes_behind_the_last_one_wanted_is_counted(program: Program) -> None:
    chunk = ring(*[unlinkat(program, b"x")] * 10)
    with Session(program, ReplayRuntime([chunk, chunk]), max_events=13) as session:
        sizes = [len(delivery.batch) for delivery in session]
    assert sizes == [10, 3]
    account = session.ledger.accounts[0]
    assert (account.matched, account.delivered, account.lost) == (20, 13, {Cause.LIMIT: 7})
    assert account.is_balanced
    assert not session.ledger.is_lossy  # nobody misses what wasn't wanted


def test_losses_are_told_when_they_happen(program: Program) -> None:
    chunk = ring(unlinkat(program, b"x"))
    counted = [
        (Counts(matched=1), Counts(), Counts()),
        (Counts(matched=6, full=5), Counts(), Counts(matched=1, unpaired=1)),
        (Counts(matched=9, full=7), Counts(), Counts(matched=1, unpaired=1)),
    ]
    with Session(program, ReplayRuntime([chunk, b"", chunk], counted)) as session:
        told = [delivery.losses for delivery in session]
    enter, _, exec_ = program.events
    assert [losses for losses in told if losses] == [
        (Loss(enter, 5), Loss(exec_, 1, Cause.UNPAIRED)),
        (Loss(enter, 2),),
    ]
    assert [account.all_lost for account in session.ledger.accounts] == [7, 0, 1]
    assert [account.delivered for account in session.ledger.accounts] == [2, 0, 0]
    assert session.ledger.lost == {Cause.RING_FULL: 7, Cause.UNPAIRED: 1}
    assert session.ledger.is_balanced
    assert session.ledger.is_lossy


@pytest.mark.parametrize(
    ("counts", "cause", "is_lossy"),
    [
        (Counts(matched=4, unpaired=3), Cause.UNPAIRED, False),  # nobody could have seen more
        (Counts(matched=4, unkept=3), Cause.UNKEPT, True),
    ],
)
def test_calls_without_an_entry(program: Program, counts: Counts, cause: Cause, is_lossy: bool) -> None:
    counted = [(counts, Counts(), Counts())]
    with Session(program, ReplayRuntime([ring(unlinkat(program, b"x"))], counted)) as session:
        losses = [loss for delivery in session for loss in delivery.losses]
    assert losses == [Loss(program.events[0], 3, cause)]
    assert session.ledger.lost == {cause: 3}
    assert (session.ledger.is_balanced, session.ledger.is_lossy) == (True, is_lossy)


def test_lost_events_are_shown(tmp_path: Path) -> None:
    event = TracepointId("sched", "sched_switch")
    for form, sink in (("text", TextSink), ("json", JsonLinesSink)):
        path = tmp_path / form
        with Output.file(path) as output:
            sink(output, CLOCK).lost([Loss(event, 3)])
        text = path.read_text()
        assert "3" in text
        assert str(event) in text
    assert json.loads(text) == {"lost": 3, "event": str(event), "cause": "ring buffer full"}


class FailingSink:
    """Takes so many batches, and of the next one only some records; then its disk is full."""

    def __init__(self, batches: int, records: int, error: BaseException) -> None:
        self.taken = 0
        self._batches, self._records, self._error = batches, records, error
        self.ended: Ledger | None = None

    def begin(self) -> None:
        pass

    def write(self, batch: Batch) -> None:
        if not self._batches:
            if isinstance(self._error, SinkError):
                self._error.written = self._records
            self.taken += self._records
            raise self._error
        self._batches -= 1
        self.taken += len(batch)

    def lost(self, losses: Any) -> None:
        pass

    def end(self, ledger: Ledger) -> None:
        self.ended = ledger


@pytest.mark.parametrize(
    ("error", "records"), [(SinkError("full", where="out"), 4), (RuntimeError("a bug"), 0), (KeyboardInterrupt(), 0)]
)
def test_what_a_failing_sink_didnt_take_is_counted(program: Program, error: BaseException, records: int) -> None:
    chunks = [ring(*[unlinkat(program, b"x")] * 10)] * 4
    sink = FailingSink(1, records, error)
    runtime = WatchedRuntime(chunks)
    with Session(program, runtime) as session, pytest.raises(type(error)):
        run(session, sink)
    account = session.ledger.accounts[0]
    # What was still on its way is nobody's any more, and counted all the same.
    assert (account.matched, account.delivered) == (40, 10 + records)
    assert account.lost == {Cause.OUTPUT: 30 - records}
    assert sink.taken == account.delivered
    assert session.ledger.is_balanced
    assert session.ledger.is_lossy


def test_a_reader_that_goes_away_is_no_error(program: Program) -> None:
    gone = ReaderGone("pipe")
    sink = FailingSink(1, 0, gone)
    with Session(program, ReplayRuntime([ring(unlinkat(program, b"x"))] * 3)) as session:
        ledger = run(session, sink)
    assert (ledger.delivered, ledger.lost) == (1, {Cause.OUTPUT: 2})
    assert sink.ended == ledger


def test_the_first_loss_may_end_it(program: Program) -> None:
    chunk = ring(unlinkat(program, b"x"))
    lost = [0, 0, *[3] * 6]
    counted = [(Counts(matched=n + each, full=each), Counts(), Counts()) for n, each in enumerate(lost, 1)]
    runtime = ReplayRuntime([chunk] * 8, counted)
    sink = FailingSink(100, 0, RuntimeError())
    seen: list[int] = []
    with Session(program, runtime) as session:
        ledger = run(session, sink, observe=lambda session: seen.append(session.ledger.all_lost), end_on_loss=True)
    assert seen[:3] == [0, 0, 3]
    assert session.is_stopping
    assert ledger.is_balanced  # what was waiting still came
    assert ledger.delivered == 8


class WatchedRuntime(ReplayRuntime):
    """A replay that keeps hold of its run."""

    runs: list[Replaying]

    def start(self, program: Program) -> Replaying:
        self.runs = [*getattr(self, "runs", []), super().start(program)]
        return self.runs[-1]


def test_a_session_cleans_up_after_an_error(program: Program) -> None:
    runtime = WatchedRuntime([ring(unlinkat(program, b"x"))])
    before = open_descriptors()
    with pytest.raises(RuntimeError, match="consumer"):
        consume_badly(program, runtime)
    assert runtime.runs[0].closed
    assert open_descriptors() == before


def consume_badly(program: Program, runtime: ReplayRuntime) -> None:
    with Session(program, runtime) as session:
        for _ in session:
            raise RuntimeError("consumer")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_stop_before_and_after(program: Program) -> None:
    session = Session(program, ReplayRuntime([ring(unlinkat(program, b"x"))]))
    session.stop()
    with session:
        assert sum(len(d.batch) for d in session) == 1  # what waits is still delivered
    session.stop()


class RingingRuntime(ReplayRuntime):
    """A replay that can be waited for as a ring buffer can: its records come in the order of ends, not of begins."""

    def start(self, program: Program) -> Ringing:
        return Ringing(program, self._chunks, self._counts)


class Ringing(Replaying):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._bell = os.eventfd(1)

    def ready_descriptor(self) -> int | None:
        return self._bell

    def close(self) -> None:
        super().close()
        os.close(self._bell)


def at(program: Program, *times: int) -> bytes:
    return ring(*(unlinkat(program, b"x", header={"time": time}) for time in times))


def test_what_waits_at_the_end_comes_by_time_too(program: Program) -> None:
    first = 1_000_000_000
    chunks = [at(program, first + 400_000, first), at(program, first + 300_000, first + 50_000_000), at(program, first)]
    session = Session(program, RingingRuntime(chunks))
    session.stop()
    with session:
        batches = [delivery.batch for delivery in session]
        assert session.ledger.is_balanced
    times = [int(each) - first for batch in batches for each in batch.times()]
    assert times == [0, 300_000, 400_000, 0, 50_000_000]  # what comes more than a window later can't be waited for


def test_a_clock_that_isnt_the_kernels(program: Program) -> None:
    """In a time namespace records seem to come from the future: they aren't kept back until then."""
    later = time.monotonic_ns() + 10**15
    with Session(program, RingingRuntime([at(program, later + n) for n in range(3)]), duration=1) as session:
        assert [len(delivery.batch) for delivery in session] == [1, 1, 1]


def test_a_month_is_no_shorter_than_a_day(program: Program) -> None:
    runtime = RingingRuntime([at(program, 1), at(program, 2)])
    with Session(program, runtime, duration=40 * 86_400, max_events=2) as session:
        assert sum(len(delivery.batch) for delivery in session) == 2


def test_a_process_that_doesnt_exist(program: Program) -> None:
    with pytest.raises(UsageError, match="there is no process"), Session(program, ReplayRuntime([]), pids=(1 << 22,)):
        pass


def test_output_follows_no_links(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(SinkError, match="symbolic link"):
        Output.file(tmp_path / "link")
    os.link(target, tmp_path / "second")
    with pytest.raises(SinkError, match="second name"):
        Output.file(tmp_path / "second")
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_output_goes_into_nobody_elses_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        Output.file(path).close()
        os.chown(path, 65534, 65534)
        with pytest.raises(SinkError, match="somebody else"):
            Output.file(path)
    finally:
        os.close(reader)


def test_output_is_private_and_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old" * 100)
    with Output.file(path) as output:
        output.write(b"new")
    assert path.read_text() == "new"
    with Output.file(tmp_path / "fresh"):
        assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_and_a_closed_pipe() -> None:
    with Output.file(Path("/dev/full")) as full, pytest.raises(SinkError, match="No space left"):
        full.write(b"x")
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(ReaderGone):
        Output(writer, "pipe", owned=False).write(b"x")
    os.close(writer)


def test_the_kernels_own_table_names_flags(tmp_path: Path, read_fixture: ReadFixture) -> None:
    program = generate_bcc(ProbeSpec((read_fixture("syscalls:sys_enter_openat", "7.2"),), string_size=16))
    opened = record(program, 0, None, {"filename": b"/x"}, flags=0x80241 | 1 << 30, dfd=3)
    assert "flags=O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|0x40000000, mode=0)" in written(tmp_path, program, ring(opened))
    (event,) = events(tmp_path, program, opened)
    assert event["args"]["flags"] == 0x80241 | 1 << 30
    assert event["args_text"]["flags"].startswith("O_WRONLY|")
