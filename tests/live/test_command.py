"""``tpkit trace … -- COMMAND``: followed from its own execve on, with all that it starts, and otherwise left alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, command, is_running
from tests.live.conftest import Trace, are_missed, nothing_is_left
from tpkit import Tracefs

CALLS = ("execve", "unlinkat", "openat", "newfstatat", "syscalls:mmap", "brk", "read", "close", "exit_group")

StartTrace = Callable[..., Trace]


class Done:
    """A command that was run under ``tpkit trace``, to its end. log: what was traced."""

    def __init__(self, log: Path, arguments: tuple[str, ...], given: bytes, events: tuple[str, ...]) -> None:
        self._log = log
        form = ("-f", "json", "-o", str(log))
        with subprocess.Popen(
            command("trace", *events, *form, "--", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            self.tpkit = process.pid
            self.stdout, self.stderr = process.communicate(given, timeout=PATIENCE)
            self.status = process.returncode

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if not line.keys() & {"lost", "ledger"}]

    @property
    def ledger(self) -> dict[str, Any]:
        ledger: dict[str, Any] = self.lines[-1]["ledger"]
        return ledger


RunTraced = Callable[..., Done]


@pytest.fixture
def traced(tmp_path: Path, syscalls: Tracefs) -> RunTraced:
    """Runs a command under tpkit: ``traced("rm", "-f", "x", events=("unlinkat",))``."""

    def run(*arguments: str, given: bytes = b"", events: tuple[str, ...] = CALLS) -> Done:
        return Done(tmp_path / "log", arguments, given, events)

    return run


# ------------------------------------------------------------------- whose events


def test_the_first_event_is_its_own_execve(traced: RunTraced) -> None:
    done = traced("/bin/sh", "-c", "exec rm -f -- /nonexistent-1 'a b'")
    assert done.status == 0, done.stderr
    first, *others = done.events
    assert (first["event"], first["ret"]) == ("syscalls:execve", 0)
    assert first["args"]["filename"] == "/bin/sh"
    assert first["args_text"]["argv"] == """["/bin/sh", "-c", "exec rm -f -- /nonexistent-1 'a b'"]"""
    second = next(each for each in others if each["event"] == "syscalls:execve" and each["ret"] == 0)
    assert second["args_text"]["argv"] == '["rm", "-f", "--", "/nonexistent-1", "a b"]'
    assert [each["args"]["pathname"] for each in others if each["event"] == "syscalls:unlinkat"] == [
        "/nonexistent-1",
        "a b",
    ]
    assert others[-1]["event"] == "syscalls:exit_group"
    assert {each["pid"] for each in done.events} == {first["pid"]} != {done.tpkit}
    assert done.ledger["balanced"]
    assert done.ledger["lost"] == {}


# A thread that isn't the first one takes that one's number when it executes a program (de_thread of fs/exec.c).
EXECUTE = """
import os, sys, threading
argv = ["rm", "-f", "--", "/nonexistent-1"]
if len(sys.argv) > 1: argv[:0] = ["/bin/sh", "-c", '"$@"; rm -f -- /nonexistent-2', "sh"]
# Since Python 3.14 the kernel is told the names of threads, too: comm is "Thread-1 (execv" without one.
threading.Thread(target=os.execvp, args=(argv[0], argv), name="python3").start()
threading.Event().wait()
"""


@pytest.mark.parametrize("more", [(), ("and a child",)])
def test_a_thread_that_executes(traced: RunTraced, more: tuple[str, ...]) -> None:
    events = ("execve", "unlinkat", "sched:sched_process_exec")
    done = traced("/usr/bin/python3", "-S", "-c", EXECUTE, *more, events=events)
    assert done.status == 0, done.stderr
    executed = [each for each in done.events if each["event"] == "syscalls:execve" and each["ret"] == 0]
    pid = executed[0]["pid"]
    assert (executed[1]["pid"], executed[1]["comm"]) == (pid, "python3")
    assert executed[1]["tid"] != pid
    assert executed[1]["args_text"]["argv"].startswith('["/bin/sh"' if more else '["rm"')
    of_events = [each for each in done.events if each["event"] == "sched:sched_process_exec"]
    assert len(of_events) == len(executed) == (4 if more else 2)
    assert of_events[1]["args"]["old_pid"] == executed[1]["tid"]
    deleted = [each["args"]["pathname"] for each in done.events if each["event"] == "syscalls:unlinkat"]
    assert deleted == ["/nonexistent-1", "/nonexistent-2"][: 1 + len(more)]
    assert done.ledger["balanced"]
    assert done.ledger["lost"] == {}


# Each process and thread deletes what isn't there, by a name of its own.
FAMILY = """
import ctypes, os, threading
libc = ctypes.CDLL(None)
def delete(name, count=50):
    for n in range(count):
        libc.unlinkat(-100, b"/nonexistent/%s/%d" % (name, n), 0)
delete(b"parent")
threads = [threading.Thread(target=delete, args=(b"thread%d" % n,)) for n in range(4)]
for each in threads: each.start()
for n in range(3):
    if not os.fork():
        delete(b"child%d" % n)
        grandchildren = []
        for m in range(2):
            if not os.fork():
                delete(b"grandchild%d-%d" % (n, m))
                thread = threading.Thread(target=delete, args=(b"its-thread%d-%d" % (n, m),))
                thread.start()
                thread.join()
                os._exit(0)
        for m in range(2): os.wait()
        os._exit(0)
for n in range(3): os.wait()
for each in threads: each.join()
"""


def process_of(group: str) -> str:
    """Whose thread it is, of FAMILY's."""
    return "parent" if group.startswith("thread") else group.replace("its-thread", "grandchild")


STRANGER = """
import ctypes, os
libc = ctypes.CDLL(None)
while True:
    for n in range(100):
        libc.unlinkat(-100, b"/nonexistent/stranger/%d" % n, 0)
    if not os.fork():
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that makes the same calls all the time, and isn't meant; its pid."""
    process = subprocess.Popen(["/usr/bin/nice", "/usr/bin/python3", "-S", "-c", STRANGER])
    yield process.pid
    process.kill()
    process.wait()


def test_all_descendants_and_nobody_else(traced: RunTraced, stranger: int) -> None:
    done = traced("/usr/bin/python3", "-S", "-c", FAMILY, events=("unlinkat", "sched:sched_process_exit"))
    assert done.status == 0, done.stderr
    groups = ["parent", *(f"thread{n}" for n in range(4)), *(f"child{n}" for n in range(3))]
    groups += [f"{kind}{n}-{m}" for kind in ("grandchild", "its-thread") for n in range(3) for m in range(2)]
    deleted = [each for each in done.events if each["event"] == "syscalls:unlinkat"]
    names = [each["args"]["pathname"].removeprefix("/nonexistent/") for each in deleted]
    expected = {f"{group}/{n}" for group in groups for n in range(50)}
    assert len(names) == len(set(names))
    assert set(names) <= expected
    assert are_missed(len(expected) - len(names), done.ledger["missed"])
    pids, tids = {each["pid"] for each in deleted}, {each["tid"] for each in deleted}
    # One that waits its turn inside the program can cost another thread on its processor all of its 50 calls.
    seen = [group for group in groups if any(name.startswith(f"{group}/") for name in names)]
    assert len({process_of(group) for group in groups}) == 1 + 3 + 6
    assert (len(pids), len(tids)) == (len({process_of(group) for group in seen}), len(seen))
    assert not pids & {stranger, done.tpkit, os.getpid()}
    ended = {each["tid"] for each in done.events if each["event"] == "sched:sched_process_exit"}
    assert tids - ended <= {deleted[0]["pid"]}  # its own end ends the trace
    assert (done.ledger["balanced"], done.ledger["unfollowed"]) == (True, 0)
    assert are_missed(sum(done.ledger["lost"].values()), done.ledger["missed"])


# ------------------------------------------------------------------- its status


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_its_status_is_ours(traced: RunTraced, script: str, status: int) -> None:
    done = traced("/bin/sh", "-c", script, events=("unlinkat",))
    assert done.status == status, done.stderr
    assert b"none lost" in done.stderr


def test_children_of_those_who_ignore_theirs(tmp_path: Path, syscalls: Tracefs) -> None:
    """The kernel would throw away how they ended; some that start others hand that on."""
    ignoring = "import os, sys; from signal import *; signal(SIGCHLD, SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    ask = ["/bin/sh", "-c", "exit 7"]
    trace = command("trace", "unlinkat,openat,read", "-o", str(tmp_path / "log"), "--", *ask)
    done = subprocess.run([sys.executable, "-c", ignoring, *trace], capture_output=True, timeout=300, check=False)
    assert done.returncode == 7, done.stderr


def test_what_it_leaves_behind_is_not_waited_for(traced: RunTraced) -> None:
    done = traced("/bin/sh", "-c", "sleep 120 >&- 2>&- & echo $!; exit 5", events=("unlinkat",))
    assert done.status == 5, done.stderr
    os.kill(int(done.stdout), signal.SIGKILL)  # it is still there


def test_what_cannot_be_run(traced: RunTraced, tmp_path: Path) -> None:
    plain, no_program = tmp_path / "plain", tmp_path / "no_program"
    plain.touch(0o644)
    no_program.write_bytes(b"\x7fELF, or not")
    no_program.chmod(0o755)
    cases = [
        (str(tmp_path / "missing"), 127, "there is no such program"),
        ("no-such-program-anywhere", 127, "there is no such program"),
        (str(plain), 126, "may not be executed"),
        (str(tmp_path), 126, "is a folder"),
        (str(no_program), 126, "Exec format error"),
    ]
    for name, status, words in cases:
        done = traced(name, events=("unlinkat",))
        assert (done.status, words.encode() in done.stderr) == (status, True), done.stderr
    nothing_is_left()


# ------------------------------------------------------------------- left alone


# What a process has from those before it: descriptors, signals, limits, environment, folder, group. The shell
# itself reads of its signals, and not a child: it blocks all of them while it starts one. SigQ is its user's.
ASK = (
    "for f in /proc/self/fd/*; do readlink $f; done | grep -v /proc/; cat /proc/self/limits; umask; pwd; "
    "while read -r name rest; do case $name in Sig[PBIC]*|Shd*|Threads*|NoNewPrivs*|Seccomp:|Cap[EBA]*) "
    'echo "$name $rest";; esac; done </proc/$$/status; '
    "ps -o nice=,cls=,sid= -p $$; cat /proc/$$/oom_score_adj; env | sort"
)


def test_it_is_as_without_us(traced: RunTraced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    ask = ["/bin/sh", "-c", ASK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(ask, **pipes) as process:  # type: ignore[call-overload]
        alone, _ = process.communicate(b"", timeout=PATIENCE)
    done = traced(*ask, events=("unlinkat",))
    assert done.status == 0, done.stderr
    without_pipes = [re.sub(rb"pipe:\[\d+\]", b"pipe", words) for words in (alone, done.stdout)]
    assert without_pipes[1].splitlines() == without_pipes[0].splitlines()
    assert b"OPENBLAS_NUM_THREADS=" not in done.stdout
    assert b"TPKIT" not in done.stdout


def test_what_goes_through_it(traced: RunTraced) -> None:
    given = bytes(range(256)) * 5000
    done = traced("/bin/sh", "-c", "cat; echo done >&2", given=given, events=("read", "write"))
    assert done.status == 0
    assert done.stdout == given
    assert b"\ndone\n" in done.stderr
    written = sum(each["ret"] for each in done.events if each["event"] == "syscalls:write")
    expected = len(given) + len("done\n")
    assert written == expected or (written < expected and are_missed(1, done.ledger["missed"]))


# ------------------------------------------------------------------- signals while it runs


@pytest.fixture
def talking(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A pipe to a command's standard input: its name, and the end to write into."""
    path = tmp_path / "in"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    yield path, writer
    os.close(writer)


def test_an_interrupt_ends_the_trace_and_not_the_command(trace: StartTrace, talking: tuple[Path, int]) -> None:
    """The terminal sends SIGINT to both; who sends it to tpkit alone means tpkit."""
    path, writer = talking
    script = f'exec < {path}; rm -f /nonexistent-before; read x; rm -f "$x"; exit 3'
    tracing = trace("unlinkat", "--", "/bin/sh", "-c", script)
    tracing.wait_for(tracing.stdout, b"nonexistent-before")
    tracing.process.send_signal(signal.SIGINT)
    tracing.wait_for(tracing.stderr, b"none lost")
    assert tracing.process.poll() is None
    nothing_is_left()
    os.write(writer, b"/nonexistent-behind\n")
    assert tracing.process.wait(PATIENCE) == 3
    assert "nonexistent-behind" not in tracing.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_for_the_command_too(trace: StartTrace, number: signal.Signals) -> None:
    script = 'trap "exit 9" TERM HUP; rm -f /nonexistent-before; while :; do sleep 0.05; done'
    tracing = trace("unlinkat", "--", "/bin/sh", "-c", script)
    tracing.wait_for(tracing.stdout, b"nonexistent-before")
    assert tracing.end(number) == 9
    assert b"none lost" in tracing.stderr.read_bytes()
    nothing_is_left()


def test_what_nohup_says_is_true_of_both(trace: StartTrace, talking: tuple[Path, int]) -> None:
    path, writer = talking
    script = f"exec < {path}; rm -f /nonexistent-before; read x; exit 3"
    nohup = ["/usr/bin/nohup"]
    tracing = trace("unlinkat", "--", "/bin/sh", "-c", script, prefix=nohup)
    tracing.wait_for(tracing.stdout, b"nonexistent-before")
    (child,) = children_of(tracing.process.pid)
    for pid in (tracing.process.pid, child):
        os.kill(pid, signal.SIGHUP)
    time.sleep(0.2)
    assert tracing.process.poll() is None
    assert b"none lost" not in tracing.stderr.read_bytes()
    os.write(writer, b"\n")
    assert tracing.process.wait(PATIENCE) == 3


def test_a_limit_ends_the_trace_and_not_the_command(traced: RunTraced, tmp_path: Path) -> None:
    ends = ("unlinkat", "-M", "1")
    script = f"rm -f /nonexistent-1; rm -f /nonexistent-2; sleep 0.5; touch {tmp_path}/end; exit 4"
    done = traced("/bin/sh", "-c", script, events=ends)
    assert done.status == 4
    assert [each["args"]["pathname"] for each in done.events] == ["/nonexistent-1"]
    assert (tmp_path / "end").exists()


def test_a_command_that_we_leave_behind_is_ended(trace: StartTrace) -> None:
    """Killed while programs are made: what was to be traced never runs."""
    tracing = trace("unlinkat", "--", "/usr/bin/touch", "/nonexistent/x", attached=False)
    end = time.monotonic() + PATIENCE
    while not (children := children_of(tracing.process.pid)):
        assert time.monotonic() < end
    tracing.end(signal.SIGKILL)
    while any(is_running(child) for child in children):
        assert time.monotonic() < end
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
