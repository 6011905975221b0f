"""Generated bpftrace programs, run as a user runs them, on processes that these tests start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.live.conftest import Waiting
from tests.matrix.check_programs import FILE, read_cross_section
from tests.matrix.check_targets import own_trouble
from tpkit import EventFormat, ProbeSpec, Tracefs, TracepointId, parse_event
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.host import find_tool
from tpkit.program import SCRIPT_STRING_SIZE as SIZE

UNLINKAT = ("syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat")
ODD_NAME = b'o"d\\d/%s\xff'

# What is traced: calls that say when the program is there, and then those that are looked at.
CALLS = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
folder = os.open(sys.argv[1], os.O_RDONLY)
os.chdir(folder)
with open("/proc/self/comm", "wb") as comm:
    comm.write(os.fsencode(sys.argv[2]))
os.mkdir("d")
while not os.path.exists("go"):
    libc.unlinkat(-100, b"ready", 0)
    time.sleep(0.05)
libc.unlinkat(-100, b"go", 0)
libc.unlinkat(folder, b"d", 0x200)
libc.unlinkat(folder, b"d", 0x204)
libc.unlinkat(-100, b'q"uote', 0)
"""

MakeWaiting = Callable[..., Waiting]


@pytest.fixture(scope="module")
def bpftrace(syscalls: Tracefs) -> str:
    """The distribution's bpftrace, where it can do what it is asked for."""
    found = find_tool("bpftrace")
    assert found is not None, "tools/setup test installs it"
    trouble = own_trouble(found)
    if trouble is not None:
        pytest.skip(trouble)
    return str(found)


class Running:
    """A program that runs: the file itself is started, so its first line is looked at too."""

    def __init__(self, path: Path) -> None:
        self.stdout, self.stderr = path.with_suffix(".out"), path.with_suffix(".err")
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def wait_for(self, text: bytes, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while text not in self.stdout.read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{text!r} didn't come: {self.stdout.read_bytes()!r} {self.stderr.read_text()}")
            time.sleep(0.01)

    def end(self) -> list[str]:
        """Its lines, without those that came while the calls were waiting for it."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0
        lines = self.stdout.read_bytes().decode("utf-8", "backslashreplace").split("\n")
        header = lines.index("TIME                PID COMM            EVENT")
        return [line for line in lines[header + 1 :] if line and '"ready"' not in line]


@pytest.fixture
def run(tmp_path: Path, bpftrace: str) -> Iterator[Callable[..., Running]]:
    """Generates a program, and starts it."""
    made: list[Running] = []

    def start(spec: ProbeSpec, *, pair: bool = False) -> Running:
        (file,) = generate_bpftrace(spec, pair=pair)
        path = tmp_path / file.name
        path.write_text(file.text)
        path.chmod(0o755 if file.executable else 0o644)
        made.append(Running(path))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def events(tree: Tracefs, *names: str) -> tuple[EventFormat, ...]:
    return tuple(parse_event(tree.format_text(each), each) for each in map(TracepointId.parse, names))


def lines_of_calls(shell: Waiting, folder: Path, running: Running) -> list[str]:
    """Lets the calls be made once the program sees them; what it printed, without the times."""
    assert shell.process.stdin is not None
    shell.process.stdin.write(b"\n")
    shell.process.stdin.flush()
    running.wait_for(b'"ready"')
    (folder / "go").touch()
    assert shell.process.wait(PATIENCE) == 0
    running.wait_for(b'"q"uote"')
    lines = running.end()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{6} ", line) for line in lines)
    return [line[16:] for line in lines]


def calling(waiting: MakeWaiting, folder: Path, comm: bytes = b"calls") -> Waiting:
    folder.mkdir()
    return waiting('exec "$@"', sys.executable, "-c", CALLS, os.fsencode(folder), comm)


def test_unlinkat(tmp_path: Path, waiting: MakeWaiting, run: Callable[..., Running], syscalls: Tracefs) -> None:
    folder = tmp_path / "f"
    shell = calling(waiting, folder)
    running = run(ProbeSpec(events(syscalls, UNLINKAT[0]), pids=(shell.pid,), comm=b"calls", string_size=SIZE))
    lines = lines_of_calls(shell, folder, running)
    head = f"{shell.pid:7d} calls           sys_enter_unlinkat"
    assert [re.sub(r"dfd=\d+", "dfd=N", line) for line in lines] == [
        f'{head}(dfd=AT_FDCWD, pathname="go", flag=0)',
        f'{head}(dfd=N, pathname="d", flag=AT_REMOVEDIR)',
        f'{head}(dfd=N, pathname="d", flag=0x204)',
        f'{head}(dfd=AT_FDCWD, pathname="q"uote", flag=0)',
    ]


def test_whole_calls(tmp_path: Path, waiting: MakeWaiting, run: Callable[..., Running], syscalls: Tracefs) -> None:
    folder = tmp_path / "f"
    shell = calling(waiting, folder, ODD_NAME)
    spec = ProbeSpec(events(syscalls, *UNLINKAT), pids=(1, shell.pid), comm=ODD_NAME, string_size=SIZE)
    running = run(spec, pair=True)
    lines = lines_of_calls(shell, folder, running)
    calls = [re.sub(r"dfd=\d+", "dfd=N", line[line.index(" unlinkat(") + 1 :]) for line in lines]
    assert [re.sub(r" <\d+ us>$", "", call) for call in calls] == [
        'unlinkat(dfd=AT_FDCWD, pathname="go", flag=0) = 0',
        'unlinkat(dfd=N, pathname="d", flag=AT_REMOVEDIR) = 0',
        'unlinkat(dfd=N, pathname="d", flag=0x204) = -22',
        'unlinkat(dfd=AT_FDCWD, pathname="q"uote", flag=0) = -2',
    ]
    assert all(re.search(r" <\d+ us>$", call) for call in calls)


def test_events_of_all_shapes(tmp_path: Path, bpftrace: str, bpf: Tracefs) -> None:
    """One program with all that the kernel has of them: accepted by bpftrace and by the verifier, and attached.

    Nothing is printed: no process has the last of all pids.
    """
    wanted = [str(each) for each in read_cross_section(FILE.read_text())]
    there = [name for name in wanted if (bpf.root / "events" / name.replace(":", "/") / "format").exists()]
    assert len(there) > 40
    (file,) = generate_bpftrace(ProbeSpec(events(bpf, *there), pids=(4194303,), string_size=SIZE))
    path = tmp_path / file.name
    path.write_text(file.text + "\ninterval:ms:1 { exit(); }\n")
    # 278 s on an emulated 6.1 beside two other machines.
    done = subprocess.run([bpftrace, path], capture_output=True, timeout=4 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    errors = [line for line in done.stderr.splitlines() if line.startswith(b"ERROR") and b"RLIMIT_MEMLOCK" not in line]
    assert errors == []
    lines = [line for line in done.stdout.decode().split("\n") if line]
    assert lines[-1] == "TIME                PID COMM            EVENT"
