"""Every way to end, at every stage, with few probes and with many: nothing is left, and the status is right."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, is_running
from tests.decoded import collected
from tests.live.conftest import Trace, Waiting, held_by, nothing_is_left
from tpkit import BccRuntime, ProbeSpec, Session, Tracefs, TracepointId, generate_bcc, parse_event
from tpkit.cache_folder import CacheFolder
from tpkit.runtime.compiler import CachingCompiler
from tpkit.runtime.loader import FEW_EVENTS

MANY = "syscalls:*[d-o]at"  # a dozen calls, two probes each
PARTS = "syscalls:*e"  # of several parts, compiled by several processes
CPU = Path("/sys/devices/system/cpu/cpu1/online")

StartTrace = Callable[..., Trace]
MakeWaiting = Callable[..., Waiting]


def members(pid: int) -> set[int]:
    """Processes of this session, which a trace of ours was started in, that haven't ended."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(path.name)) == pid and is_running(int(path.name)):
                found.add(int(path.name))
        except ProcessLookupError:
            continue
    return found


SESSION = ["/usr/bin/setsid"]  # in front of tpkit, so that whatever it leaves is known


# ------------------------------------------------------------------- what happens meanwhile


@pytest.fixture
def unplugged() -> Iterator[Callable[[bool], None]]:
    """Takes the second CPU away, and puts it back, in the end in any case."""
    if not CPU.exists() or not os.access(CPU, os.W_OK):
        pytest.skip("no second CPU that can be taken away: its file 'online' isn't there, or can't be written")

    def switch(online: bool) -> None:
        try:
            CPU.write_text("1" if online else "0")
        except OSError as error:
            pytest.skip(f"the second CPU can't be switched: {error.strerror}")

    yield switch
    if CPU.read_text().strip() != "1":
        CPU.write_text("1")


CALLS = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
for n in range(int(sys.argv[1])):
    libc.unlinkat(-100, b"/nonexistent/%d" % n, 0)
    time.sleep(0.0001)
"""


def test_a_cpu_that_goes_and_comes(
    trace: StartTrace, waiting: MakeWaiting, unplugged: Callable[[bool], None]
) -> None:
    count = 8000
    shell = waiting('exec /usr/bin/python3 -S -c "$1" "$2"', CALLS, str(count))
    tracing = trace("unlinkat", "-p", str(shell.pid), "-f", "json")
    assert shell.process.stdin is not None
    shell.process.stdin.write(b"\n")
    shell.process.stdin.close()
    for online in (False, True):
        time.sleep(0.3)
        unplugged(online)
    assert shell.process.poll() is None  # it still makes its calls
    late = trace("unlinkat", "-p", str(shell.pid), "-M", "1")  # with a CPU that was away
    assert late.process.wait(PATIENCE) == 0
    assert tracing.process.wait(PATIENCE) == 0
    assert [each["args"]["pathname"] for each in tracing.events()] == [f"/nonexistent/{n}" for n in range(count)]
    assert tracing.ledger()["balanced"]
    nothing_is_left()


def test_a_trace_that_begins_without_a_cpu(
    trace: StartTrace, waiting: MakeWaiting, unplugged: Callable[[bool], None]
) -> None:
    shell = waiting("rm -f /nonexistent/x; exec rm -f /nonexistent/y")
    unplugged(False)
    tracing = trace("unlinkat", "-p", str(shell.pid), "-f", "json")
    unplugged(True)
    shell.go()
    assert tracing.process.wait(PATIENCE) == 0
    assert [each["args"]["pathname"] for each in tracing.events()] == ["/nonexistent/y"]


def fall_asleep(shell: Waiting, tracing: Trace) -> None:
    assert shell.process.stdin is not None
    shell.process.stdin.write(b"\n")
    shell.process.stdin.flush()
    tracing.wait_for(tracing.stdout, b"execve")
    end = time.monotonic() + PATIENCE
    while not is_within("nanosleep", shell.pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def is_within(function: str, pid: int) -> bool:
    """Whether a process sleeps in a function of the kernel's; its wchan is 0 in older kernels, which lost their way."""
    return function in Path(f"/proc/{pid}/stack").read_text()


def test_a_process_that_dies_in_a_call(trace: StartTrace, waiting: MakeWaiting) -> None:
    shell = waiting("exec /bin/sleep 60")
    tracing = trace("clock_nanosleep", "execve", "-p", str(shell.pid), "-f", "json")
    fall_asleep(shell, tracing)
    shell.process.kill()
    assert tracing.process.wait(PATIENCE) == 0
    ledger = tracing.ledger()
    assert (ledger["balanced"], ledger["lost"]) == (True, {})
    assert [each["ret"] for each in tracing.events()[1:]] == [-516]  # ERESTART_RESTARTBLOCK: nobody restarts it
    assert ledger["events"][0]["unfinished"] == 0


def test_a_trace_that_ends_in_a_call(trace: StartTrace, waiting: MakeWaiting) -> None:
    shell = waiting("exec /bin/sleep 60")
    tracing = trace("clock_nanosleep", "execve", "-p", str(shell.pid), "-f", "json")
    fall_asleep(shell, tracing)
    assert tracing.end() == 0
    ledger = tracing.ledger()
    assert (ledger["balanced"], ledger["lost"]) == (True, {})
    assert {each["event"]: (each["matched"], each["unfinished"]) for each in ledger["events"]} == {
        "syscalls:clock_nanosleep": (0, 1),
        "syscalls:execve": (1, 0),
    }
    assert b"1 calls that haven't returned" in tracing.stderr.read_bytes()


# ------------------------------------------------------------------- many probes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_many_probes(trace: StartTrace, waiting: MakeWaiting, number: signal.Signals) -> None:
    shell = waiting("exit 0")
    tracing = trace(MANY, "-p", str(shell.pid), prefix=SESSION)
    mine = held_by(tracing.process.pid)
    assert len([kind for kind, _ in mine if kind == "prog"]) > FEW_EVENTS
    assert tracing.end(number) == (-number if number is signal.SIGKILL else 0)
    nothing_is_left(*mine)
    end = time.monotonic() + PATIENCE
    while members(tracing.process.pid):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("stage", ["start", "compile", "attach", "drain", "print"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_at_each_stage(
    trace: StartTrace, waiting: MakeWaiting, tmp_path: Path, stage: str, number: signal.Signals
) -> None:
    shell = waiting('while :; do /bin/true < /dev/null; [ -e "$1" ] && exit 0; done', str(tmp_path / "end"))
    compiles = ("--no-cache", PARTS) if stage in ("start", "compile") else (MANY,)
    if stage == "attach":
        trace(MANY, "-p", str(shell.pid)).end()  # compiled by now
    reader = None
    if stage == "print":
        path = tmp_path / ("out1" if stage == "attach" else "out0")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    tracing = trace(*compiles, "-p", str(shell.pid), prefix=SESSION, attached=stage in ("drain", "print"))
    reach(stage, tracing, shell)
    tracing.process.send_signal(number)
    if reader is not None:  # it was in the middle of a write, which nobody reads
        os.close(reader)
    status = tracing.process.wait(PATIENCE)
    words = tracing.stderr.read_bytes()
    assert b"Traceback" not in words, words
    assert status == (-number if number is signal.SIGKILL else 0 if stage in ("drain", "print") else 130), words
    (tmp_path / "end").touch()
    end = time.monotonic() + PATIENCE
    while members(tracing.process.pid):
        assert time.monotonic() < end, members(tracing.process.pid)
        time.sleep(0.05)
    nothing_is_left()


def reach(stage: str, tracing: Trace, shell: Waiting) -> None:
    """Waits until the trace is there."""
    begun, pid = time.monotonic(), tracing.process.pid
    if stage in ("drain", "print"):
        assert shell.process.stdin is not None
        shell.process.stdin.write(b"\n")
        shell.process.stdin.flush()
    is_there: dict[str, Callable[[], bool]] = {
        "start": lambda: len(members(pid)) > 1,  # the first process that compiles
        "compile": lambda: len(members(pid)) > 1 and time.monotonic() > begun + 1,
        "attach": lambda: len(held_by(pid)) > FEW_EVENTS,
        "drain": lambda: tracing.stdout.stat().st_size > 10_000,
        "print": lambda: is_within("pipe", pid),
    }
    while not is_there[stage]():
        assert tracing.process.poll() is None, tracing.stderr.read_text()
        assert time.monotonic() < begun + PATIENCE
        time.sleep(0.002)


# ------------------------------------------------------------------- again and again


def test_cycles_leave_nothing_behind(syscalls: Tracefs, tmp_path: Path) -> None:
    """300 sessions in one process: descriptors, maps, memory stay what they are after the first ones."""
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    event = TracepointId.parse("syscalls:sys_enter_unlinkat")
    wanted = generate_bcc(ProbeSpec((parse_event(syscalls.format_text(event), event),), pids=(child.pid,)))
    compiler = CachingCompiler(CacheFolder(tmp_path / "cache"))
    measured = {}
    try:
        for cycle in range(1, 301):
            with Session(wanted, BccRuntime(compiler=compiler, ring_size=1 << 16), pids=(child.pid,)) as session:
                session.stop()
                assert collected(session).events == []
            if cycle in (30, 300):
                gc.collect()
                measured[cycle] = state()
    finally:
        child.kill()
        child.communicate()
    (descriptors, threads, before), (descriptors_then, threads_then, after) = measured[30], measured[300]
    assert (descriptors_then, threads_then) == (descriptors, threads)
    assert held_by(os.getpid()) == set()
    assert after - before < 2 << 20
    nothing_is_left()


def state() -> tuple[int, int, int]:
    """Descriptors, threads, bytes of memory."""
    status = Path("/proc/self/status").read_text()
    numbers = dict(re.findall(r"^(VmRSS|Threads):\s*(\d+)", status, re.MULTILINE))
    return len(list(Path("/proc/self/fd").iterdir())), int(numbers["Threads"]), int(numbers["VmRSS"]) << 10
