"""Whole system calls, by the engine's own C run natively: what is kept at the entry, sent at the return, counted."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ReadFixture
from tests.decoded import Event, events_of
from tests.unit.native import NativeProgram, compile_native
from tests.unit.records import batch
from tpkit import Call, EventFormat, ProbeSpec, Program, TracepointId, generate_bcc, parse_filter
from tpkit.runtime.base import Counts

AT_FDCWD = -100
ENOENT = -errno.ENOENT


class Calls:
    """A native program of whole calls. What is named by its place among the calls."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self.native: NativeProgram = compile_native(program, folder)
        self._functions = [hook.function for hook in program.hooks]

    def enter(self, *arguments: int, call: int = 0, pid: int = 1, comm: bytes = b"native", uid: int = 0) -> None:
        """The entry; nothing is sent."""
        hook = self._functions.index(self._of("enter", call))
        values = [argument & (1 << 64) - 1 for argument in arguments]
        context = struct.pack("=8xi4x6Q", 0, *values, *[0] * (6 - len(values)))
        assert not self.native.sends(hook, context, pid=pid, comm=comm, uid=uid)

    def leave(
        self, result: int, *, call: int = 0, pid: int = 1, comm: bytes = b"native", uid: int = 0
    ) -> Event | None:
        """The return, and what is sent then."""
        hook = self._functions.index(self._of("exit", call))
        record = self.native.record(hook, struct.pack("=8xi4xq", 0, result), pid=pid, comm=comm, uid=uid)
        if record is None:
            return None
        (event,) = events_of(batch(self._program.layouts, record))
        return event

    def _of(self, side: str, call: int) -> str:
        return f"on_{side}_{self._program.layouts[call].event.name}"


Make = Callable[..., Calls]


@pytest.fixture
def unlinkat(read_fixture: ReadFixture) -> Call:
    return Call(read_fixture("syscalls:sys_enter_unlinkat"), read_fixture("syscalls:sys_exit_unlinkat"))


@pytest.fixture
def make(tmp_path: Path, unlinkat: Call) -> Make:
    """A program of one call, or of these."""

    def made(*calls: Call, filters: Sequence[str] = (), **wanted: Any) -> Calls:
        spec = ProbeSpec((), calls or (unlinkat,), filters=tuple(map(parse_filter, filters)), **wanted)
        return Calls(generate_bcc(spec), tmp_path)

    return made


def address(data: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(data)


def renamed(event: EventFormat, name: str) -> EventFormat:
    """The entry or return of another call, which has the same fields."""
    return replace(event, id=TracepointId("syscalls", f"{event.id.name.rsplit('_', 1)[0]}_{name}"))


# -------------------------------------------------------------------------------- pairs


def test_a_call_is_one_event(make: Make) -> None:
    calls, path = make(), ctypes.create_string_buffer(b"/tmp/x")
    calls.native.set_time(1_000)
    calls.enter(AT_FDCWD, address(path), 0x200)
    calls.native.set_time(13_345)
    event = calls.leave(ENOENT)
    assert event is not None
    assert event.name == "syscalls:unlinkat"
    assert event.args == {"dfd": AT_FDCWD, "pathname": b"/tmp/x", "flag": 0x200}
    assert (event.ret, event.time, event.duration) == (ENOENT, 1_000, 12_345)
    assert (event.pid, event.comm) == (1, b"native")
    assert calls.native.counts() == Counts(matched=1)


def test_threads_dont_mix(make: Make) -> None:
    calls, paths = make(), [ctypes.create_string_buffer(b"/%d" % number) for number in range(5)]
    for number, path in enumerate(paths):
        calls.enter(number, address(path), 0, pid=10 + number)
    for number in (3, 0, 4, 1, 2):
        event = calls.leave(-number, pid=10 + number)
        assert event is not None
        assert (event.pid, event.args["dfd"], event.ret) == (10 + number, number, -number)
        assert event.args["pathname"] == b"/%d" % number
    assert calls.native.counts() == Counts(matched=5)


def test_a_call_that_began_before_is_counted_as_unpaired(make: Make) -> None:
    calls = make()
    assert calls.leave(0) is None
    assert calls.native.counts() == Counts(matched=1, unpaired=1)


def test_calls_that_found_no_room_are_counted_by_that_name(make: Make) -> None:
    """The table of calls that haven't returned has eight places here."""
    calls, path = make(), ctypes.create_string_buffer(b"/")
    assert calls.leave(0, pid=50) is None  # entered before
    for pid in range(100, 111):
        calls.enter(pid, address(path), 0, pid=pid)
    returned = [pid for pid in range(100, 111) if calls.leave(0, pid=pid) is not None]
    assert returned == list(range(100, 108))
    assert calls.native.counts() == Counts(matched=12, unpaired=1, unkept=3)
    assert calls.leave(0, pid=51) is None  # entered before, too
    assert calls.native.counts() == Counts(matched=13, unpaired=2, unkept=3)


def test_a_call_returns_once(make: Make) -> None:
    calls, path = make(), ctypes.create_string_buffer(b"/")
    calls.enter(3, address(path), 0)
    assert calls.leave(0) is not None
    assert calls.leave(0) is None
    assert calls.native.counts() == Counts(matched=2, unpaired=1)


def test_the_return_of_another_call_is_no_pair(make: Make, unlinkat: Call) -> None:
    """As behind an execve, or where an entry was missed."""
    assert unlinkat.exit is not None
    other = Call(renamed(unlinkat.enter, "rmdirat"), renamed(unlinkat.exit, "rmdirat"))
    calls, path = make(unlinkat, other), ctypes.create_string_buffer(b"/")
    calls.enter(3, address(path), 0)
    assert calls.leave(0, call=1) is None
    assert calls.native.counts(1) == Counts(matched=1, unpaired=1)
    assert calls.leave(0) is not None
    assert calls.native.counts(0) == Counts(matched=1)


def test_a_new_task_returns_from_a_call_that_it_never_made(make: Make, unlinkat: Call) -> None:
    assert unlinkat.exit is not None
    clone = Call(renamed(unlinkat.enter, "clone"), renamed(unlinkat.exit, "clone"))
    calls, path = make(clone), ctypes.create_string_buffer(b"/")
    calls.enter(0, address(path), 0, pid=5)
    assert calls.leave(0, pid=6) is None  # the child
    assert calls.native.counts() == Counts()
    event = calls.leave(6, pid=5)
    assert event is not None
    assert event.ret == 6
    assert calls.leave(7, pid=8) is None  # a parent whose call began before
    assert calls.native.counts() == Counts(matched=2, unpaired=1)


def test_a_call_that_never_returns(tmp_path: Path, unlinkat: Call) -> None:
    exit_group = Call(renamed(unlinkat.enter, "exit_group"), None)
    program = generate_bcc(ProbeSpec((), (exit_group,)))
    native, path = compile_native(program, tmp_path), ctypes.create_string_buffer(b"/")
    record = native.record(0, struct.pack("=8xi4x3Q", 0, 3, address(path), 0))
    assert record is not None
    (event,) = events_of(batch(program.layouts, record))
    assert (event.name, event.ret, event.args["dfd"]) == ("syscalls:exit_group", None, 3)
    assert native.counts() == Counts(matched=1)


# ------------------------------------------------------------------------------ strings


def test_what_faults_at_the_entry_is_read_at_the_return(make: Make) -> None:
    """A page that isn't there yet: the kernel itself brings it in while the call lasts."""
    calls, path = make(), ctypes.create_string_buffer(b"/not/there/yet")
    calls.native.hide(address(path), len(path))
    calls.enter(3, address(path), 0)
    calls.native.hide(0, 0)
    event = calls.leave(0)
    assert event is not None
    assert event.args["pathname"] == b"/not/there/yet"
    assert event.cut == frozenset()
    assert calls.native.counts() == Counts(matched=1)


def test_what_faults_at_both_is_a_fault(make: Make) -> None:
    calls, path = make(), ctypes.create_string_buffer(b"/never")
    calls.native.hide(address(path), len(path))
    calls.enter(3, address(path), 0)
    event = calls.leave(-errno.EFAULT)
    assert event is not None
    assert event.args["pathname"] is None
    assert event.numbers["pathname"] == address(path)
    assert calls.native.counts() == Counts(matched=1, faulted=1)


def test_null_is_no_fault(make: Make) -> None:
    calls = make()
    calls.enter(3, 0, 0)
    event = calls.leave(-errno.EFAULT)
    assert event is not None
    assert (event.args["pathname"], event.numbers["pathname"]) == (None, 0)
    assert calls.native.counts() == Counts(matched=1)


def test_what_was_there_at_the_entry_stays(make: Make) -> None:
    """Another thread, or the kernel, may write there while the call lasts."""
    calls, path = make(), ctypes.create_string_buffer(b"/first")
    calls.enter(3, address(path), 0)
    path.value = b"/other"
    event = calls.leave(0)
    assert event is not None
    assert event.args["pathname"] == b"/first"


@pytest.mark.parametrize("gone", [False, True])
def test_strings_of_every_length(make: Make, gone: bool) -> None:
    """Long ones are read again when the call returns; where that isn't possible, their beginning is kept."""
    calls, truncated = make(), 0
    lengths = (0, 1, 7, 8, 255, 256, 257, 258, 1000, 4095, 4096, 4097, 5000)
    for length in lengths:
        text = bytes(33 + number % 90 for number in range(length))
        path = ctypes.create_string_buffer(text)
        calls.enter(3, address(path), 0)
        if gone:
            calls.native.hide(address(path), len(path))
        event = calls.leave(0)
        calls.native.hide(0, 0)
        assert event is not None
        kept = 256 if gone and length > 256 else 4096
        assert event.args["pathname"] == text[:kept]
        assert event.cut == (frozenset({"pathname"}) if length > kept else frozenset())
        truncated += length > kept
        assert calls.native.counts().truncated == truncated, length
    assert calls.native.counts() == Counts(matched=len(lengths), truncated=truncated)


@pytest.mark.parametrize("size", [1, 10, 255, 256, 300])
def test_strings_that_are_cut_as_was_wanted(make: Make, size: int) -> None:
    calls = make(string_size=size)
    for length in (0, size - 1, size, size + 1, size + 1000):
        path = ctypes.create_string_buffer(b"x" * length)
        calls.enter(3, address(path), 0)
        event = calls.leave(0)
        assert event is not None
        assert event.args["pathname"] == (b"x" * length)[:size]
        assert event.cut == (frozenset({"pathname"}) if length > size else frozenset())
    assert calls.native.counts() == Counts(matched=5, truncated=2)


# ------------------------------------------------------------------------------ filters


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({"failed": True}, [-1, ENOENT, -4095]),
        ({"filters": ["ret == -ENOENT"]}, [ENOENT]),
        ({"filters": ["unlinkat: ret >= 0"]}, [0, 7]),
        ({"failed": True, "filters": ["ret != -ENOENT"]}, [-1, -4095]),
    ],
)
def test_by_results(make: Make, wanted: dict[str, Any], kept: list[int]) -> None:
    calls, path = make(**wanted), ctypes.create_string_buffer(b"/")
    results, found = [0, -1, ENOENT, 7, -4095, -4096, -(1 << 40)], []
    for result in results:
        calls.enter(3, address(path), 0)
        event = calls.leave(result)
        found += [] if event is None else [event.ret]
    assert found == kept or (not wanted.get("failed") and found == [r for r in results if r in kept])
    assert calls.native.counts() == Counts(matched=len(found), filtered=len(results) - len(found))


def test_by_duration(make: Make) -> None:
    calls, path, found = make(min_latency=1_000_000), ctypes.create_string_buffer(b"/"), []
    for duration in (0, 999_999, 1_000_000, 5_000_000_000):
        calls.native.set_time(100)
        calls.enter(3, address(path), 0)
        calls.native.set_time(100 + duration)
        event = calls.leave(0)
        found += [] if event is None else [event.duration]
    assert found == [1_000_000, 5_000_000_000]
    assert calls.native.counts() == Counts(matched=2, filtered=2)


def test_by_arguments_result_and_string_together(make: Make) -> None:
    wanted = 'dfd == AT_FDCWD && ret < 0 && (pathname ~ "/tmp/*.c" || pathname == "x") && pid == 1'
    calls = make(filters=[wanted])

    def seen(dfd: int, text: bytes, result: int, pid: int = 1) -> bool:
        path = ctypes.create_string_buffer(text)
        calls.enter(dfd, address(path), 0, pid=pid)
        return calls.leave(result, pid=pid) is not None

    assert seen(AT_FDCWD, b"/tmp/a.c", -1)
    assert seen(AT_FDCWD, b"x", -1)
    assert seen(AT_FDCWD, b"/tmp/" + b"y" * 600 + b".c", -1)  # longer than what is kept of it at the entry
    assert not seen(3, b"/tmp/a.c", -1)
    assert not seen(AT_FDCWD, b"/tmp/a.c", 0)
    assert not seen(AT_FDCWD, b"/var/a.c", -1)
    assert not seen(AT_FDCWD, b"/tmp/a.c", -1, pid=2)
    assert calls.native.counts() == Counts(matched=3, filtered=4)


def test_a_filter_on_a_string_that_faulted_at_the_entry(make: Make) -> None:
    calls, path = make(filters=['pathname ~ "*late*"']), ctypes.create_string_buffer(b"/late")
    calls.native.hide(address(path), len(path))
    calls.enter(3, address(path), 0)
    calls.native.hide(0, 0)
    assert calls.leave(0) is not None


def test_what_a_filter_kept_back_is_forgotten(make: Make) -> None:
    calls, path = make(failed=True), ctypes.create_string_buffer(b"/")
    calls.enter(3, address(path), 0)
    assert calls.leave(0) is None
    assert calls.leave(-1) is None  # nobody entered this one
    assert calls.native.counts() == Counts(matched=1, filtered=1, unpaired=1)


# --------------------------------------------------------------------------------- tasks


def test_other_tasks_leave_no_trace(make: Make) -> None:
    calls, path = make(pids=(7,)), ctypes.create_string_buffer(b"/")
    calls.enter(3, address(path), 0, pid=8)
    assert calls.leave(0, pid=8) is None
    assert calls.native.counts() == Counts()
    calls.enter(3, address(path), 0, pid=7)
    assert calls.leave(0, pid=7) is not None


@pytest.mark.parametrize(
    ("wanted", "before", "after"),
    [({"comm": b"old"}, {"comm": b"old"}, {"comm": b"new"}), ({"uid": 7}, {"uid": 7}, {"uid": 8})],
)
def test_what_a_task_was_when_it_entered_a_call_counts(
    make: Make, wanted: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    """execve gives a thread another name, prctl too, setuid another user."""
    calls, path = make(**wanted), ctypes.create_string_buffer(b"/")
    calls.enter(1, address(path), 0, **before)
    event = calls.leave(0, **after)
    assert event is not None
    assert event.args["dfd"] == 1
    calls.enter(2, address(path), 0, **after)
    assert calls.leave(0, **after) is None
    assert calls.native.counts() == Counts(matched=1)


def test_a_call_of_before_is_no_pair_of_one_that_wasnt_wanted(make: Make) -> None:
    calls, path = make(comm=b"old"), ctypes.create_string_buffer(b"/")
    calls.enter(1, address(path), 0, comm=b"old")
    calls.leave(0, comm=b"new")
    calls.enter(2, address(path), 0, comm=b"new")
    assert calls.leave(0, comm=b"old") is None
    assert calls.native.counts() == Counts(matched=2, unpaired=1)
