"""Whole system calls in the running kernel: one event each, as strace writes it, of the tasks that are meant."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE
from tests.decoded import collected
from tests.live.conftest import OWN_MOUNTS, UNSHARE, Trace, Waiting, are_missed
from tpkit import BccRuntime, Call, Cause, ProbeSpec, Session, Tracefs, TracepointId, generate_bcc, parse_event
from tpkit.event_pattern import both_halves
from tpkit.program import MAX_STRING_SIZE
from tpkit.runtime.bytecode import Bytecode
from tpkit.runtime.compiler import CachingCompiler, compile_with_bcc

UNPAIRED = str(Cause.UNPAIRED)
NOBODY = 65534

StartTrace = Callable[..., Trace]
MakeWaiting = Callable[..., Waiting]
MakeCaller = Callable[[str], Waiting]

PRELUDE = """
import ctypes, errno, mmap, os, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def unlinkat(path, flag=0, dfd=-100):
    libc.unlinkat(dfd, ctypes.c_char_p(path) if isinstance(path, bytes) else ctypes.c_void_p(path), flag)
"""


@pytest.fixture
def caller(waiting: MakeWaiting) -> MakeCaller:
    """Makes processes that wait, and then make the calls of a piece of Python."""
    return lambda script: waiting('exec /usr/bin/python3 -S -c "$1"', PRELUDE + script)


def calls_of(tracing: Trace) -> list[str]:
    """What the text has of each event, without time and task."""
    return [line.split(None, 3)[3] for line in tracing.text().splitlines()[1:]]


def paths_of(tracing: Trace) -> list[str]:
    """Of JSON's events."""
    return [each["args"]["pathname"] for each in tracing.events()]


def test_the_reference_line(trace: StartTrace, caller: MakeCaller) -> None:
    calling = caller('unlinkat(b"/nonexistent/x")')
    tracing = trace("unlinkat", "-p", str(calling.pid))
    calling.go()
    assert tracing.process.wait(PATIENCE) == 0
    (line,) = calls_of(tracing)
    expected = 'unlinkat(dfd=AT_FDCWD, pathname="/nonexistent/x", flag=0) = -1 ENOENT (No such file or directory) '
    assert line.startswith(expected)
    assert re.fullmatch(r"<\d(\d\d|\.\d\d|\d\.\d)(ns|µs|ms)>", line.removeprefix(expected))


# ------------------------------------------------------------------- strings


# A file's page that is in memory, and not yet in this process'.
FAULTS = """
with open(sys.argv[-1], "r+b") as file:
    page = mmap.mmap(file.fileno(), mmap.PAGESIZE, mmap.MAP_SHARED)
start = ctypes.addressof(ctypes.c_char.from_buffer(page))
libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(mmap.PAGESIZE), 4)
unlinkat(start)
"""


def test_a_string_that_faults_is_read_again(trace: StartTrace, waiting: MakeWaiting, tmp_path: Path) -> None:
    file = tmp_path / "page"
    file.write_bytes(b"/nonexistent/in-a-file".ljust(1 << 16, b"\0"))
    calling = waiting('exec /usr/bin/python3 -S -c "$1" "$2"', PRELUDE + FAULTS, str(file))
    entry, whole = (trace(event, "-p", str(calling.pid), "-f", "json") for event in ("sys_enter_unlinkat", "unlinkat"))
    assert calling.go() == 0
    assert (entry.process.wait(PATIENCE), whole.process.wait(PATIENCE)) == (0, 0)
    (unread,), (read,) = entry.events(), whole.events()
    assert re.fullmatch(r"0x[0-9a-f]+", unread["args"]["pathname"])
    assert unread["args_unreadable"] == ["pathname"]
    assert read["args"]["pathname"] == "/nonexistent/in-a-file"
    assert read["ret_text"] == "-ENOENT"
    assert [each.ledger()["events"][0]["faulted"] for each in (entry, whole)] == [1, 0]


@pytest.mark.parametrize("event", ["unlinkat", "sys_enter_unlinkat"])
def test_long_strings(trace: StartTrace, caller: MakeCaller, event: str) -> None:
    sizes = [0, 1, 254, 255, 256, 257, 258, 511, 2048, 4094, 4095, 4096, 4097, 6000]
    text = "".join(chr(ord("a") + n % 26) for n in range(6000))
    calling = caller(f"text = {text.encode()!r}\nfor size in {sizes}: unlinkat(text[:size])")
    tracing = trace(event, "-p", str(calling.pid), "-f", "json")
    calling.go()
    assert tracing.process.wait(PATIENCE) == 0
    assert paths_of(tracing) == [text[: min(size, MAX_STRING_SIZE)] for size in sizes]
    cut = [size for size, each in zip(sizes, tracing.events(), strict=True) if "args_truncated" in each]
    assert cut == [size for size in sizes if size > MAX_STRING_SIZE]
    assert tracing.ledger()["events"][0]["truncated"] == len(cut)


def test_strings_of_execve(trace: StartTrace, caller: MakeCaller) -> None:
    calling = caller(
        'for argv in (["a", "", "b c\\n"], [str(n) for n in range(70)], ["x" * 5000, "y"]):\n'
        '    try: os.execv("/nonexistent/program", argv)\n'
        "    except FileNotFoundError: pass"
    )
    tracing = trace("execve", "-p", str(calling.pid), "--failed")
    calling.go()
    assert tracing.process.wait(PATIENCE) == 0
    few, many, long = (re.search(r"argv=\[(.*)\], envp", line) for line in calls_of(tracing))
    assert few is not None and many is not None and long is not None  # noqa: PT018 - mypy's sake
    assert few[1] == r'"a", "", "b c\n"'
    assert many[1].startswith('"0", "1", "2", ')
    assert many[1].endswith("...")
    assert re.match(r'"x+"\.\.\.', long[1])


PIECES = """
import socket
one, other = socket.socketpair()
one.sendmsg([b"hello, ", b"world"])
other.recvmsg_into([bytearray(4), bytearray(100)])
one.sendmsg([])
one.sendmsg([bytes([65 + n]) for n in range(17)])
os.writev(other.fileno(), [b"x" * 30, b"y" * 30])
os.readv(one.fileno(), [bytearray(20), bytearray(8)])
there = ctypes.create_string_buffer(b"there", 5)
pieces = (ctypes.c_uint64 * 4)(ctypes.addressof(there), 5, 0x1000, 7)
libc.writev(other.fileno(), pieces, 2)
libc.writev(other.fileno(), 0x1000, 2)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"to nobody"], [], 0, ("127.0.0.1", 9))
"""


@pytest.mark.parametrize("half", ["", "sys_enter_"])
def test_pieces_of_memory(trace: StartTrace, caller: MakeCaller, half: str) -> None:
    calling = caller(PIECES)
    kinds = ("sendmsg", "recvmsg", "writev", "readv")
    tracing = trace(*(f"syscalls:{half}{each}" for each in kinds), "-p", str(calling.pid))
    calling.go()
    assert tracing.process.wait(PATIENCE) == 0
    sent, received, nothing, many, long, read, faulty, nowhere, named = map(_without_addresses, calls_of(tracing))
    assert 'msg_iov=[{iov_base="hello, ", iov_len=7}, {iov_base="world", iov_len=5}], msg_iovlen=2' in sent
    assert "msg_iov=NULL, msg_iovlen=0" in nothing
    assert b"1 strings or buffers unreadable, 3 cut" in tracing.stderr.read_bytes()
    assert '{iov_base="A", iov_len=1}, ' in many
    assert '{iov_base="P", iov_len=1}, ...], msg_iovlen=17' in many
    assert f'vec=[{{iov_base="{"x" * 30}", iov_len=30}}, {{iov_base="yy"..., iov_len=30}}]' in long
    assert 'vec=[{iov_base="there", iov_len=5}, {iov_base=ADDRESS, iov_len=7}]' in faulty
    assert "vec=ADDRESS, vlen=2" in nowhere
    assert 'msg_name={sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.0.1")}' in named
    assert 'msg_iov=[{iov_base="to nobody", iov_len=9}]' in named
    if not half:  # an entry has only addresses of what is still to be filled
        assert 'msg_iov=[{iov_base="hell", iov_len=4}, {iov_base="o, world", iov_len=100}]' in received
        assert 'vec=[{iov_base="xxxxxxxxxxxxxxxxxxxx", iov_len=20}, {iov_base="xxxxxxxx", iov_len=8}]' in read


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "ADDRESS", text)


# ------------------------------------------------------------------- pairs


def test_a_childs_own_return_is_no_call(trace: StartTrace) -> None:
    """clone(2) returns twice, and was entered once."""
    script = "for n in range(20):\n    if not os.fork(): os._exit(0)\n    os.wait()\n"
    script += "each = threading.Thread(target=time.sleep, args=(0,))\neach.start()\neach.join()"
    python = ["/usr/bin/python3", "-S", "-c", PRELUDE + script]
    tracing = trace("clone", "clone3", "fork", "vfork", "-f", "json", "--", *python)
    assert tracing.process.wait(PATIENCE) == 0
    events, ledger = tracing.events(), tracing.ledger()
    assert len(events) == 21
    assert all(each["ret"] > 0 for each in events)
    assert (ledger["balanced"], ledger["matched"], ledger["lost"]) == (True, 21, {})


def test_a_call_that_began_before_is_counted(trace: StartTrace, waiting: MakeWaiting) -> None:
    shell = waiting("read x < /dev/null; exit 0")  # it waits in a read(2)
    tracing = trace("read", "-p", str(shell.pid), "-f", "json", "--on-loss", "exit")
    shell.go()
    assert tracing.process.wait(PATIENCE) == 0  # nobody could have seen more
    ledger = tracing.ledger()
    assert ledger["balanced"]
    assert ledger["lost"] == {UNPAIRED: 1}
    assert ledger["matched"] == ledger["delivered"] + 1 == len(tracing.events()) + 1
    assert [line["cause"] for line in tracing.lines() if "lost" in line] == [UNPAIRED]


# seccomp(2): what unlinkat gets is EPERM, before the tracepoint of its entry (syscall_trace_enter of kernel/entry).
REFUSED = """
import struct
number = {number}
code = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7FFF0000)
kept = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(kept))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
for n in range(3): unlinkat(b"/nonexistent")
"""


def test_what_seccomp_refuses_is_counted(trace: StartTrace, caller: MakeCaller) -> None:
    number = {"x86_64": 263, "aarch64": 35}[os.uname().machine]
    calling = caller(REFUSED.replace("{number}", str(number)))
    whole = trace("unlinkat", "-p", str(calling.pid), "-f", "json")
    half = trace("sys_exit_unlinkat", "-p", str(calling.pid))
    assert calling.go() == 0
    assert whole.process.wait(PATIENCE) == half.process.wait(PATIENCE) == 0
    assert whole.events() == []
    assert whole.ledger()["lost"] == {UNPAIRED: 3}
    assert calls_of(half) == ["sys_exit_unlinkat(ret=-EPERM)"] * 3


def test_more_calls_at_once_than_can_be_kept(syscalls: Tracefs, caller: MakeCaller) -> None:
    """With a table for 5 calls instead of 16,384, and 12 threads that sleep at the same time."""
    threads = "several = [threading.Thread(target=time.sleep, args=(3,)) for n in range(12)]\n"
    calling = caller(f"{threads}for t in several: t.start()\nfor t in several: t.join()")
    halves = both_halves(TracepointId("syscalls", "clock_nanosleep"))
    enter, leave = (parse_event(syscalls.format_text(half), half) for half in halves)
    program = generate_bcc(ProbeSpec((), (Call(enter, leave),), pids=(calling.pid,)))
    runtime = BccRuntime(compiler=CachingCompiler(None, compile_with_few_calls))
    with Session(program, runtime, pids=(calling.pid,)) as session:
        calling.go()
        delivered = len(collected(session).events)
    ledger = session.ledger
    unkept = ledger.lost[Cause.UNKEPT]
    if (delivered, dict(ledger.lost)) != (5, {Cause.UNKEPT: 7}):
        assert delivered <= 5
        assert are_missed(max(1, 12 - delivered - unkept), ledger.missed), ledger
    assert ledger.is_balanced
    assert ledger.is_lossy


def compile_with_few_calls(source: str) -> Bytecode:
    """The program with a small table of calls that haven't returned."""
    whole = compile_with_bcc(source)
    maps = (replace(each, entries=5) if each.name == "calls" else each for each in whole.maps)
    return replace(whole, maps=tuple(maps))


def test_a_call_without_a_return(trace: StartTrace, waiting: MakeWaiting) -> None:
    shell = waiting("exit 3")
    text = trace("exit_group", "-p", str(shell.pid))
    lines = trace("exit_group", "-p", str(shell.pid), "-f", "json")
    shell.go()
    assert (text.process.wait(PATIENCE), lines.process.wait(PATIENCE)) == (0, 0)
    assert calls_of(text) == ["exit_group(error_code=3) = ?"]
    (event,) = lines.events()
    assert (event["args"], event["ret"]) == ({"error_code": 3}, None)


# ------------------------------------------------------------------- what is let through


MIXED = """
import os
os.makedirs(FOLDER + "/d")
open(FOLDER + "/there", "w").close()
for path in (b"/nonexistent/a", FOLDER.encode() + b"/there", b"/nonexistent/b", FOLDER.encode() + b"/d"):
    unlinkat(path)
unlinkat(FOLDER.encode() + b"/d", 0x200)
unlinkat(b"/nonexistent/c", 0x200)
"""
RESULTS = [-2, 0, -2, -21, 0, -2]


def test_what_is_let_through(trace: StartTrace, caller: MakeCaller, tmp_path: Path) -> None:
    folder = str(tmp_path / "work")
    wanted: list[tuple[tuple[str, ...], list[int]]] = [
        (("--failed",), [0, 2, 3, 5]),
        (("--filter", "ret == 0"), [1, 4]),
        (("--filter", "ret == -EISDIR"), [3]),
        (("--filter", "flag & AT_REMOVEDIR && ret < 0"), [5]),
        (("--filter", 'pathname ~ "/nonexistent/*" && flag == 0'), [0, 2]),
        (("--filter", f'pathname == "{folder}/there"'), [1]),
        (("--filter", 'pathname ~ "*/nobody-has-this"'), []),
        (("--failed", "--filter", 'unlinkat: pathname !~ "/nonexistent/*"'), [3]),
        (("--min-latency", "100s"), []),
    ]
    calling = caller(f"FOLDER = {folder!r}\n{MIXED}")
    traces = [trace("unlinkat", "-p", str(calling.pid), "-f", "json", *options) for options, _ in wanted]
    assert calling.go() == 0
    for tracing, (options, expected) in zip(traces, wanted, strict=True):
        assert tracing.process.wait(PATIENCE) == 0
        assert [each["ret"] for each in tracing.events()] == [RESULTS[at] for at in expected], options
        ledger = tracing.ledger()
        assert (ledger["matched"], ledger["filtered"]) == (len(expected), len(RESULTS) - len(expected)), options
        assert ledger["balanced"]


def test_latency(trace: StartTrace, caller: MakeCaller) -> None:
    calling = caller("for n in (1, 60, 2, 80): time.sleep(n / 1000)")
    tracing = trace("clock_nanosleep", "-p", str(calling.pid), "-f", "json", "--min-latency", "50ms")
    calling.go()
    assert tracing.process.wait(PATIENCE) == 0
    durations = [each["duration_ns"] for each in tracing.events()]
    assert all(each >= 50_000_000 for each in durations)
    assert len(durations) >= 2
    assert tracing.ledger()["filtered"] + len(durations) == 4


# ------------------------------------------------------------------- whose calls


def begin(calling: Waiting, said: Path) -> None:
    """Lets it go as far as to say, in this file, what its threads' numbers are."""
    assert calling.process.stdin is not None
    calling.process.stdin.write(b"\n")
    calling.process.stdin.close()
    while not said.exists():
        assert calling.process.poll() is None
        time.sleep(0.01)


def test_one_thread_of_several(trace: StartTrace, caller: MakeCaller, tmp_path: Path) -> None:
    work = "def work(name):\n    gates[name].wait()\n    unlinkat(b'/nonexistent/%s' % name)\n"
    script = f"names = (b'one', b'two', b'main')\ngates = {{n: threading.Event() for n in names}}\n{work}"
    script += "both = [threading.Thread(target=work, args=(n,)) for n in names[:2]]\nfor t in both: t.start()\n"
    script += f"open({str(tmp_path / 'tids.new')!r}, 'w').write(' '.join(str(t.native_id) for t in both))\n"
    script += f"os.rename({str(tmp_path / 'tids.new')!r}, {str(tmp_path / 'tids')!r})\n"
    script += f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    # One after the other: at the same time, a kernel may not run the program for all of them (``are_missed``).
    script += "for n, t in zip(names, both):\n    gates[n].set()\n    t.join()\ngates[b'main'].set()\nwork(b'main')"
    calling = caller(script)
    begin(calling, tmp_path / "tids")
    _, second = (tmp_path / "tids").read_text().split()
    tracing = trace("unlinkat", "-t", second, "-f", "json", "-M", "1")
    (tmp_path / "go").touch()
    assert calling.process.wait(PATIENCE) == 0
    assert tracing.process.wait(PATIENCE) == 0
    (event,) = tracing.events()
    assert (event["pid"], event["tid"]) == (calling.pid, int(second))
    assert event["args"]["pathname"] == "/nonexistent/two"


def test_filters_ask_whose_call_it_was_at_its_entry(trace: StartTrace, caller: MakeCaller) -> None:
    """When these return the thread has another name, and another user."""
    calling = caller(f"libc.setresuid({NOBODY}, {NOBODY}, {NOBODY})\nos.execv('/bin/true', ['true'])")
    chosen = {"execve": 'comm == "python3"', "setresuid": "uid == 0"}
    traces = [
        trace(call, "-p", str(calling.pid), "-f", "json", "--filter", wanted.replace("==", operator))
        for call, wanted in chosen.items()
        for operator in ("==", "!=")
    ]
    assert calling.go() == 0
    for tracing in traces:
        assert tracing.process.wait(PATIENCE) == 0
    by_python, others, by_root, by_nobody = (tracing.events() for tracing in traces)
    assert [(each["comm"], each["args"]["filename"]) for each in by_python] == [("python3", "/bin/true")]
    assert [(each["comm"], each["args"]["filename"]) for each in others] == [("sh", "/usr/bin/python3")]
    assert [each["args"]["ruid"] for each in by_root] == [NOBODY]
    assert by_nobody == []


@pytest.mark.parametrize("by_thread", [False, True])
def test_a_thread_that_takes_another_number(
    trace: StartTrace, caller: MakeCaller, tmp_path: Path, by_thread: bool
) -> None:
    """Its execve is entered under one number, and returns under that of its thread group."""
    script = f"def work():\n    open({str(tmp_path / 'new')!r}, 'w').write(str(threading.get_native_id()))\n"
    script += f"    os.rename({str(tmp_path / 'new')!r}, {str(tmp_path / 'tid')!r})\n"
    script += f"    while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    script += "    os.execv('/bin/true', ['true'])\nthreading.Thread(target=work).start()\nthreading.Event().wait()"
    calling = caller(script)
    begin(calling, tmp_path / "tid")
    thread = (tmp_path / "tid").read_text()
    tracing = trace("execve", *(("-t", thread) if by_thread else ("-p", str(calling.pid))), "-f", "json", "-M", "1")
    (tmp_path / "go").touch()
    assert calling.process.wait(PATIENCE) == 0
    assert tracing.process.wait(PATIENCE) == 0
    (event,) = tracing.events()
    assert (event["pid"], event["tid"], event["ret"]) == (calling.pid, int(thread), 0)
    assert event["args"]["filename"] == "/bin/true"
    assert tracing.ledger()["lost"] == {}


def test_one_user(trace: StartTrace, caller: MakeCaller) -> None:
    calling = caller(f"unlinkat(b'/nonexistent/root')\nos.setuid({NOBODY})\nunlinkat(b'/nonexistent/nobody')")
    traces = [trace("unlinkat", "-p", str(calling.pid), "-u", user, "-f", "json") for user in ("0", str(NOBODY))]
    assert calling.go() == 0
    assert [each.process.wait(PATIENCE) for each in traces] == [0, 0]
    assert [paths_of(each) for each in traces] == [["/nonexistent/root"], ["/nonexistent/nobody"]]


class Cgroup:
    """A cgroup of version 2, of ours. prefix: what a command needs in front of it to see it."""

    def __init__(self, root: Path, prefix: list[str]) -> None:
        self.prefix = prefix
        self.path = root / f"tpkit-test-{os.getpid()}"
        made = subprocess.run([*prefix, "/bin/mkdir", self.path], capture_output=True, check=False)
        if made.returncode:
            pytest.skip(f"no cgroup can be made here: {made.stderr.decode()}")

    def take(self, pid: int) -> None:
        """This process is in it from now on."""
        script = 'echo "$1" > "$2/cgroup.procs"'
        subprocess.run([*self.prefix, "/bin/sh", "-c", script, "sh", str(pid), self.path], check=True)

    def remove(self) -> None:
        end = time.monotonic() + PATIENCE
        command = [*self.prefix, "/bin/rmdir", str(self.path)]
        while subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def cgroup(tmp_path: Path, waiting: MakeWaiting) -> Iterator[Cgroup]:
    """Where cgroup2 isn't mounted, it is so in a mount namespace."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    root = next((Path(folder) for folder, kind in mounts if kind == "cgroup2"), None)
    prefix: list[str] = []
    if root is None:
        root = tmp_path / "cgroups"
        root.mkdir()
        script = f'{OWN_MOUNTS} mount -t cgroup2 cgroups "$1" && shift && exec "$@"'
        prefix = [*UNSHARE, "/bin/sh", "-c", script, "sh", str(root)]
    made = Cgroup(root, prefix)
    yield made
    made.remove()


def test_one_cgroup_and_never_tpkit_itself(cgroup: Cgroup, trace: StartTrace, waiting: MakeWaiting) -> None:
    inside, outside = (waiting(f"rm -f /nonexistent/{name}; echo {name} >&2; exit 0") for name in ("in", "out"))
    cgroup.take(inside.pid)
    enter = ["/bin/sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', "sh", str(cgroup.path)]
    prefix = [*cgroup.prefix, *enter]
    tracing = trace("unlinkat", "write", "--cgroup", str(cgroup.path), "-f", "json", prefix=prefix)
    assert cgroup.path.name in Path(f"/proc/{tracing.process.pid}/cgroup").read_text()
    assert (outside.go(), inside.go()) == (0, 0)
    tracing.wait_for(tracing.stdout, rb'"buf": "in\n"')
    assert tracing.end(signal.SIGINT) == 0
    events = tracing.events()
    seen: dict[str, list[Any]] = {}
    for each in events:
        seen.setdefault(each["event"], []).append(each["args"])
    assert [each["pathname"] for each in seen["syscalls:unlinkat"]] == ["/nonexistent/in"]
    assert len(seen["syscalls:write"]) == 1
    assert tracing.process.pid not in {each["pid"] for each in events}


# ------------------------------------------------------------------- several at once


def test_events_of_all_shapes_come_by_time(trace: StartTrace) -> None:
    script = "def work(name):\n    for n in range(300): unlinkat(b'/nonexistent/%d/%d' % (name, n))\n"
    script += "several = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
    script += "for t in several: t.start()\nfor t in several: t.join()\n"
    script += "for n in range(5):\n    if not os.fork(): os.execv('/bin/true', ['true'])\n    os.wait()\n"
    events = ("sys_enter_unlinkat", "unlinkat", "execve", "openat", "exit_group")
    others = ("sched:sched_process_fork", "sched:sched_process_exec", "task:task_rename")
    tracing = trace(*events, *others, "-f", "json", "--", "/usr/bin/python3", "-S", "-c", PRELUDE + script)
    assert tracing.process.wait(PATIENCE) == 0
    ledger, found = tracing.ledger(), tracing.events()
    # Linux 7.2 doesn't run a probe while another thread has been taken off its CPU in the midst of it, and says so.
    missed = ledger["missed"]
    assert ledger["balanced"]
    assert missed or ledger["lost"] == {}
    ends = [each["ktime_ns"] + (each.get("duration_ns") or 0) for each in found]
    assert ends == sorted(ends)
    kinds = {each["event"] for each in found}
    assert {"syscalls:sys_enter_unlinkat", "syscalls:unlinkat", "syscalls:execve"} <= kinds
    assert {"sched:sched_process_fork", "sched:sched_process_exec", "syscalls:exit_group"} <= kinds
    for thread in range(4):
        mine = [each for each in found if each["args"].get("pathname", "").startswith(f"/nonexistent/{thread}/")]
        assert len({each["tid"] for each in mine}) == 1
        for kind in ("sys_enter_unlinkat", "unlinkat"):
            names = [each["args"]["pathname"] for each in mine if each["event"].endswith(f":{kind}")]
            assert names == sorted(set(names), key=lambda name: int(name.rpartition("/")[2]))
            assert 300 - missed <= len(names) <= 300
        if not missed:
            assert [each["event"].rpartition(":")[2] for each in mine] == ["sys_enter_unlinkat", "unlinkat"] * 300
