"""Filters in the running kernel: a process of ours does known things, each filter lets the right ones through."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Run
from tests.decoded import Event, collected
from tests.live.conftest import Trace, Waiting
from tpkit import (
    BccRuntime,
    ProbeSpec,
    Program,
    Session,
    Tracefs,
    TracepointId,
    generate_bcc,
    parse_event,
    parse_filter,
)

ENTER = "syscalls:sys_enter_unlinkat"
EXIT = "syscalls:sys_exit_unlinkat"
AT_FDCWD, AT_REMOVEDIR = -100, 0x200
SIZE = 256  # of a string that is kept

MakeWaiting = Callable[..., Waiting]
StartTrace = Callable[..., Trace]


@dataclass(frozen=True)
class Call:
    """One unlinkat: path None is NULL, an int an address that can't be read."""

    dfd: int
    path: bytes | int | None
    flag: int
    result: int = -errno.ENOENT

    @property
    def text(self) -> bytes | None:
        """What the kernel could read."""
        return self.path if isinstance(self.path, bytes) else None

    @property
    def start(self) -> bytes:
        """What a record keeps of it."""
        return (self.text or b"")[:SIZE]


def calls(folder: bytes) -> list[Call]:
    """The workload. The kernel refuses flags that it doesn't know before it looks at anything else."""
    paths: list[bytes | int | None] = [
        b"/etc/passwd-not-there",
        folder + b"/a.c",
        folder + b"/a.cc",
        folder + b"/dir/foo-bar.c",
        folder + b"/fo",
        b"relative.c",
        b"",
        b"caf\xc3\xa9\xff\n*?",
        b"x" * 255,
        folder + b"/" + b"d/" * 400 + b"long.c",
        None,
        8,
    ]
    known = [Call(AT_FDCWD, path, 0, _result(path)) for path in paths]
    known.append(Call(AT_FDCWD, folder + b"/there", 0, 0))
    known.append(Call(AT_FDCWD, folder + b"/directory", 0, -errno.EISDIR))
    known.append(Call(AT_FDCWD, folder + b"/directory", AT_REMOVEDIR, 0))
    known += [Call(7, b"/odd/flag", flag, -errno.EINVAL) for flag in (1, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF)]
    return known


def _result(path: bytes | int | None) -> int:
    return -errno.ENOENT if isinstance(path, bytes) else -errno.EFAULT


def signed(number: int) -> int:
    return ctypes.c_int32(number).value


WORKLOAD = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for line in sys.stdin:
    dfd, path, flag = line.split()
    path = int(path[1:]) if path[0] == "@" else ctypes.c_char_p(bytes.fromhex(path[1:]))
    libc.unlinkat(int(dfd), path, ctypes.c_uint(int(flag)))
"""


class Worker:
    """A process that makes calls when it is told to."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["/usr/bin/python3", "-S", "-c", WORKLOAD], stdin=subprocess.PIPE, cwd="/")

    def make(self, known: Sequence[Call]) -> None:
        """All of the calls, and the end."""
        lines = [f"{call.dfd} {_written(call.path)} {call.flag}\n" for call in known]
        self.process.communicate("".join(lines).encode(), timeout=PATIENCE)


def _written(path: bytes | int | None) -> str:
    return f"={path.hex()}" if isinstance(path, bytes) else f"@{path or 0}"


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def program(tree: Tracefs, pid: int, names: Sequence[str], filters: Sequence[str]) -> Program:
    ids = [TracepointId.parse(name) for name in names]
    events = tuple(parse_event(tree.format_text(each), each) for each in ids)
    return generate_bcc(ProbeSpec(events, pids=(pid,), string_size=SIZE, filters=tuple(map(parse_filter, filters))))


@contextmanager
def sessions(programs: Sequence[Program], pid: int) -> Iterator[list[Session]]:
    """All of them attached at once, so that one run of the workload is enough."""
    with ExitStack() as stack:
        yield [stack.enter_context(Session(each, BccRuntime(), pids=(pid,))) for each in programs]


def happened(session: Session) -> list[Event]:
    """Events, until the traced process has ended."""
    events = collected(session).events
    assert session.ledger.is_balanced
    assert session.ledger.all_lost == 0
    return events


ENTRIES: list[tuple[str, Callable[[Call], bool]]] = [
    ("dfd != AT_FDCWD", lambda c: c.dfd != AT_FDCWD),
    ("flag & AT_REMOVEDIR && dfd == AT_FDCWD", lambda c: bool(c.flag & AT_REMOVEDIR) and c.dfd == AT_FDCWD),
    ("flag < 0 || flag == 0x7fffffff", lambda c: signed(c.flag) < 0 or c.flag == 0x7FFFFFFF),
    ("flag & 0x80000001 == 0x80000000", lambda c: c.flag & 0x80000001 == 0x80000000),
    ('pathname == "/etc/passwd-not-there"', lambda c: c.text == b"/etc/passwd-not-there"),
    ('pathname != "relative.c"', lambda c: c.text != b"relative.c"),
    ('pathname == ""', lambda c: c.text == b""),
    (r'pathname == "café\377\n*?"', lambda c: c.text == b"caf\xc3\xa9\xff\n*?"),
    (f'pathname == "{"x" * 255}"', lambda c: c.text == b"x" * 255),
    ('pathname ~ "/tmp/*"', lambda c: (c.text or b"").startswith(b"/tmp/")),
    ('pathname ~ "*.c"', lambda c: (c.text or b"").endswith(b".c")),
    ('pathname ~ "*foo*"', lambda c: b"foo" in (c.text or b"")),
    ('pathname ~ "/*/f?o*b*r.c" && !(flag == 1)', lambda c: (c.text or b"").endswith(b"/foo-bar.c")),
    ('pathname ~ "/*.c" && pathname !~ "*foo*"', lambda c: is_path_of_c(c) and b"foo" not in (c.text or b"")),
    ('pathname ~ "*"', lambda c: c.text is not None),
    ("pathname == NULL", lambda c: c.path is None),
    (f'comm ~ "pyth*" && comm ~ "*o*3*" && tid == pid && cpu < 4096 && uid == {os.getuid()}', lambda _: True),
    ('comm == "somebody else"', lambda _: False),
]


def is_path_of_c(call: Call) -> bool:
    return call.text is not None and call.text.startswith(b"/") and call.text.endswith(b".c")


def prepare(folder: Path) -> list[Call]:
    (folder / "there").touch()
    (folder / "directory").mkdir()
    return calls(os.fsencode(folder))


def test_what_is_let_through_is_exact(tmp_path: Path, syscalls: Tracefs, worker: Worker) -> None:
    known = prepare(tmp_path)
    pid = worker.process.pid
    programs = [program(syscalls, pid, [ENTER], [text]) for text, _ in ENTRIES]
    with sessions(programs, pid) as running:
        worker.make(known)
        for (text, wanted), session in zip(ENTRIES, running, strict=True):
            found = [(e.args["dfd"], e.text("pathname") or b"", e.args["flag"]) for e in happened(session)]
            assert found == [(c.dfd, c.start, signed(c.flag)) for c in known if wanted(c)], text
            (account,) = session.ledger.accounts
            assert (account.matched, account.filtered) == (len(found), len(known) - len(found)), text


RESULTS: list[tuple[list[str], Callable[[Call], bool]]] = [
    (["ret == -ENOENT"], lambda c: c.result == -errno.ENOENT),
    (["ret < 0 && ret != -ENOENT"], lambda c: c.result < 0 and c.result != -errno.ENOENT),
    (["ret == 0"], lambda c: c.result == 0),
    (["sys_exit_*: ret < -EISDIR", "ret > -0x40", "pid == tid"], lambda c: -0x40 < c.result < -errno.EISDIR),
    (["ret & 1 && ret < -1"], lambda c: bool(c.result & 1) and c.result < -1),
]


def test_results(tmp_path: Path, syscalls: Tracefs, worker: Worker) -> None:
    known = prepare(tmp_path)
    pid = worker.process.pid
    with sessions([program(syscalls, pid, [EXIT], filters) for filters, _ in RESULTS], pid) as running:
        worker.make(known)
        for (filters, wanted), session in zip(RESULTS, running, strict=True):
            assert [each.args["ret"] for each in happened(session)] == [c.result for c in known if wanted(c)], filters


def test_one_event_of_two(tmp_path: Path, trace: StartTrace, worker: Worker) -> None:
    known = prepare(tmp_path)
    filters = ("--filter", "sys_exit_*: ret == 0", "--filter", "sys_enter_unlinkat: flag & AT_REMOVEDIR && dfd < 0")
    tracing = trace(ENTER, EXIT, "-p", str(worker.process.pid), *filters)
    worker.make(known)
    assert tracing.process.wait(PATIENCE) == 0
    lines = [line.split(None, 3)[3] for line in tracing.text().splitlines()[1:]]
    removed = f'sys_enter_unlinkat(dfd=AT_FDCWD, pathname="{tmp_path}/directory", flag=AT_REMOVEDIR)'
    assert lines == ["sys_exit_unlinkat(ret=0)", removed, "sys_exit_unlinkat(ret=0)"]


def test_openat(tmp_path: Path, trace: StartTrace, waiting: MakeWaiting) -> None:
    """Flags of an openat: a file is created by the one call that has O_CREAT."""
    shell = waiting('read x < "$1/in"; echo x > "$1/out"; exit 0', os.fsencode(tmp_path))
    (tmp_path / "in").write_text("x\n")
    wanted = f'flags & {os.O_CREAT:#x} && filename ~ "*/out"'
    tracing = trace("sys_enter_openat", "-p", str(shell.pid), "--filter", wanted)
    shell.go()
    assert tracing.process.wait(PATIENCE) == 0
    assert len(re.findall(r"sys_enter_openat", tracing.text())) == 1
    assert f'filename="{tmp_path}/out"' in tracing.text()


RENAME = """
import ctypes, sys
libc = ctypes.CDLL(None)
for line in sys.stdin:
    libc.prctl(15, line.strip().encode())
"""


def test_strings_in_the_record(tmp_path: Path, bpf: Tracefs) -> None:
    """char[16], by value: the names that a thread of ours gives itself."""
    if not (bpf.root / "events" / "task" / "task_rename").is_dir():
        pytest.skip("this kernel has no task:task_rename")
    process = subprocess.Popen(["/usr/bin/python3", "-S", "-c", RENAME], stdin=subprocess.PIPE, cwd="/")
    names = ["one", "two", "twofold", "fifteen letters", "o"]
    filters = ['newcomm ~ "tw*"', 'newcomm ~ "*e*e*"', 'oldcomm == "two"', 'newcomm == "fifteen letters"']
    wanted = [["two", "twofold"], ["fifteen letters"], ["twofold"], ["fifteen letters"]]
    try:
        programs = [program(bpf, process.pid, ["task:task_rename"], [each]) for each in filters]
        with sessions(programs, process.pid) as running:
            process.communicate("".join(f"{name}\n" for name in names).encode(), timeout=PATIENCE)
            found = [[(e.text("newcomm") or b"").decode() for e in happened(session)] for session in running]
    finally:
        process.kill()
        process.wait()
    assert found == wanted


def test_strings_behind_the_record(bpf: Tracefs, waiting: MakeWaiting) -> None:
    """__data_loc char[]: the file of an exec."""
    shell = waiting("exec /bin/true")
    filters = ['filename ~ "/*/true"', 'filename == "/bin/false"']
    programs = [program(bpf, shell.pid, ["sched:sched_process_exec"], [each]) for each in filters]
    with sessions(programs, shell.pid) as running:
        assert shell.go() == 0
        assert [len(happened(session)) for session in running] == [1, 0]


def test_a_name_that_changes_during_the_call(trace: StartTrace, waiting: MakeWaiting) -> None:
    """execve is entered by ``sh``, and returns in ``true``."""
    shell = waiting("exec /bin/true")
    tracing = trace("execve", "-p", str(shell.pid), "--comm", "sh", "-f", "json")
    shell.go()
    assert tracing.process.wait(PATIENCE) == 0
    assert [(each["comm"], each["ret"]) for each in tracing.events()] == [("sh", 0)]


def test_the_largest_filters_load(syscalls: Tracefs) -> None:
    """What the limits allow the verifier takes."""
    letters = "".join(map(chr, range(ord("0"), ord("0") + 36))).replace("?", "").replace("[", "")
    searches = [f"*{letters[first:first + 28]}*{letters[:4]}" for first in range(4)]
    exact = [f'pathname == "{letter * 255}"' for letter in "ab"]
    for operator in ("&&", "||"):
        text = f" {operator} ".join([*(f'pathname ~ "{each}"' for each in searches), *exact])
        BccRuntime().load(program(syscalls, os.getpid(), [ENTER], [text]))


def test_a_generated_script(tmp_path: Path, syscalls: Tracefs, worker: Worker, tpkit: Run) -> None:
    """``generate`` writes the same C into its script."""
    known = prepare(tmp_path)
    pid = str(worker.process.pid)
    made = tpkit("generate", ENTER, "-p", pid, "--filter", 'pathname ~ "*.c"', "-o", str(tmp_path))
    assert made.returncode == 0, made.stderr
    script = tmp_path / "trace_unlinkat.py"
    assert "static inline int sys_enter_unlinkat_is_wanted" in script.read_text()
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        running = subprocess.Popen(["/usr/bin/python3", script], stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL)
    try:
        while b"TIME" not in out.read_bytes():
            assert running.poll() is None, err.read_text()
            time.sleep(0.05)
        worker.make(known)
    finally:
        running.terminate()
        running.wait(PATIENCE)
    wanted = [call for call in known if (call.text or b"").endswith(b".c")]
    assert out.read_text().count("sys_enter_unlinkat(") == len(wanted)
