"""Generated BCC scripts, run as a user runs them, on processes that these tests start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.live.conftest import Trace, Waiting, held_by, nothing_is_left, ours_in_the_kernel
from tpkit import ProbeSpec, Tracefs, TracepointId, parse_event
from tpkit.codegen.bcc_script import generate_bcc_script
from tpkit.program import SCRIPT_STRING_SIZE

ENTER = "syscalls:sys_enter_unlinkat"
EXIT = "syscalls:sys_exit_unlinkat"
HOSTILE = b'a\nb\x1b[31m"\xff\\' + "caf\u00e9\u202e".encode()
HEADER = "TIME                PID COMM            EVENT"

MakeWaiting = Callable[..., Waiting]
StartTrace = Callable[..., Trace]


def written(folder: Path, tree: Tracefs, *names: str, pids: tuple[int, ...] = (), comm: bytes | None = None) -> Path:
    """The script for these events, as a file that can be started."""
    events = tuple(parse_event(tree.format_text(id), id) for id in map(TracepointId.parse, names))  # noqa: A001
    (file,) = generate_bcc_script(ProbeSpec(events, pids=pids, comm=comm, string_size=SCRIPT_STRING_SIZE))
    path = folder / file.name
    path.write_text(file.text)
    path.chmod(0o755)
    return path


class Running:
    """A script that runs; its header says that its probes are attached."""

    def __init__(self, path: Path, env: Mapping[str, str] | None = None) -> None:
        self.stdout, self.stderr = path.with_suffix(".out"), path.with_suffix(".err")
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)

    def wait_until_attached(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self.stdout.read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"no header came: {self.words()}")
            time.sleep(0.01)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def words(self) -> str:
        return self.stderr.read_text()

    def lines(self) -> list[str]:
        """What it printed behind the header, without the times."""
        header, *lines = self.stdout.read_text().removesuffix("\n").split("\n")
        assert header == HEADER
        assert all(re.match(r"\d\d:\d\d:\d\d\.\d{6} ", line) for line in lines if not line.startswith("---"))
        return [line if line.startswith("---") else line[16:] for line in lines]


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Starts a script and waits until its probes are attached."""
    made: list[Running] = []

    def start(path: Path, env: Mapping[str, str] | None = None) -> Running:
        made.append(Running(path, env))
        made[-1].wait_until_attached()
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


Run = Callable[..., Running]


def test_a_deletion(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, run: Run) -> None:
    path = os.fsencode(tmp_path) + b"/" + HOSTILE
    Path(os.fsdecode(path)).touch()
    shell = waiting('exec rm -- "$1"', path)
    script = run(written(tmp_path, syscalls, ENTER, pids=(shell.pid,)))
    assert shell.go() == 0
    assert script.process.wait(PATIENCE) == 0  # the process that it looks at has ended
    name = r"a\nb\033[31m\"\377\\café\342\200\256"
    assert script.lines() == [
        f'{shell.pid:7} rm              sys_enter_unlinkat(dfd=AT_FDCWD, pathname="{tmp_path}/{name}", flag=0)'
    ]
    assert script.words() == "trace_unlinkat: 1 event, none lost\n"


def test_enter_and_exit_as_trace_shows_them(
    tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, run: Run, trace: StartTrace
) -> None:
    folder = tmp_path / "caf\u00e9"
    folder.mkdir()
    long = "/nonexistent/" + "x" * 300
    shell = waiting('exec rm -r -- "$1" "$2" "$3"', os.fsencode(folder), b"/nonexistent/tpkit", long)
    script = run(written(tmp_path, syscalls, ENTER, EXIT, "syscalls:sys_enter_newfstatat", pids=(shell.pid,)))
    tracing = trace(ENTER, EXIT, "syscalls:sys_enter_newfstatat", "-p", str(shell.pid), "--string-size", "256")
    assert shell.go() == 1
    assert script.process.wait(PATIENCE) == tracing.process.wait(PATIENCE) == 0
    expected = [line[16:] for line in tracing.text().splitlines()[1:]]
    assert f'sys_enter_unlinkat(dfd=AT_FDCWD, pathname="{folder}", flag=AT_REMOVEDIR)' in "\n".join(expected)
    assert f"{'x' * 243}\"..." in "\n".join(expected)
    assert script.lines() == expected


UNLINK_MANY = """
import ctypes, sys
open("/proc/self/comm", "w").write(sys.argv[1])
libc = ctypes.CDLL(None)
print(flush=True)
sys.stdin.read(1)
for n in range(int(sys.argv[2])):
    libc.unlinkat(-100, b"/nonexistent/%d" % n, 0)
"""


def test_every_event_is_printed_or_counted_as_lost(tmp_path: Path, syscalls: Tracefs, run: Run) -> None:
    """A script that is stopped loses events, and says exactly how many; here it looks for a thread's name."""
    count, name = 60_000, f"many-{os.getpid()}"
    child = subprocess.Popen(
        ["/usr/bin/python3", "-c", UNLINK_MANY, name, str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
    )
    assert child.stdout is not None
    child.stdout.readline()
    script = run(written(tmp_path, syscalls, ENTER, comm=name.encode()))
    script.process.send_signal(signal.SIGSTOP)
    child.communicate(b"x", timeout=PATIENCE)
    script.process.send_signal(signal.SIGCONT)
    assert script.end() == 0
    lines = script.lines()
    losses = [int(line.split()[2]) for line in lines if line.startswith("--- lost ")]
    numbers = [int(found[1]) for line in lines if (found := re.search(r'/nonexistent/(\d+)"', line))]
    assert sum(losses) > 0
    assert len(numbers) + sum(losses) == count
    assert numbers == list(range(len(numbers)))  # what was lost came last, and nothing twice
    assert script.words() == f"trace_unlinkat: {len(numbers)} events, {sum(losses)} lost (ring buffer full)\n"


def test_a_script_doesnt_see_itself(tmp_path: Path, syscalls: Tracefs, run: Run) -> None:
    """It writes a header, and would write a line for that, and for that line another one."""
    script = run(written(tmp_path, syscalls, "syscalls:sys_enter_write", comm=b"trace_write.py"))
    assert Path(f"/proc/{script.process.pid}/comm").read_text() == "trace_write.py\n"
    assert script.end() == 0
    assert script.words() == "trace_write: 0 events, none lost\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(
    tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, run: Run, number: signal.Signals
) -> None:
    shell = waiting("exit 0")
    script = run(written(tmp_path, syscalls, ENTER, pids=(shell.pid,)))
    mine = held_by(script.process.pid)
    assert sorted(kind for kind, _ in mine) == ["map", "map", "prog"]
    assert mine <= ours_in_the_kernel()
    assert script.end(number) == (-number if number is signal.SIGKILL else 0)
    nothing_is_left(*mine)
    assert script.words() == ("" if number is signal.SIGKILL else "trace_unlinkat: 0 events, none lost\n")


def test_a_reader_that_goes_away(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs) -> None:
    """``2>&1 | head -1``: no event need come for the script to notice, and nowhere is left to complain."""
    shell = waiting("exit 0")
    path = written(tmp_path, syscalls, ENTER, pids=(shell.pid,))
    status = tmp_path / "status"
    done = subprocess.run(
        ["/bin/sh", "-c", '{ "$1" 2>&1; echo $? > "$2"; } | head -1', "sh", path, status],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )
    assert (done.stdout, done.stderr) == (f"{HEADER}\n", "")
    assert status.read_text() == "0\n"
    nothing_is_left()


def test_a_full_disk(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs) -> None:
    shell = waiting("exit 0")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [written(tmp_path, syscalls, ENTER, pids=(shell.pid,))],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "trace_unlinkat: 0 events, none lost\ntrace_unlinkat: No space left on device\n"


def test_callers_settings_dont_matter(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, run: Run) -> None:
    shell = waiting("exec rm -f /nonexistent")
    path = written(tmp_path, syscalls, ENTER, pids=(shell.pid,))
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for folder in (hostile, tmp_path):  # PYTHONPATH, and the script's own folder
        (folder / "bcc.py").write_text("raise SystemExit('foreign code')\n")
    names = ("BCC_KERNEL_SOURCE", "BCC_PROBE_PREFIX", "TMPDIR", "PYTHONPATH")
    script = run(path, env={**dict.fromkeys(names, str(hostile)), "LC_ALL": "C", "PATH": "/nowhere"})
    shell.go()
    assert script.process.wait(PATIENCE) == 0
    assert len(script.lines()) == 1
    assert [each.name for each in hostile.iterdir()] == ["bcc.py"]


def test_a_process_that_isnt_there(tmp_path: Path, syscalls: Tracefs) -> None:
    path = written(tmp_path, syscalls, ENTER, pids=(1 << 22,))
    done = subprocess.run([path], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "trace_unlinkat: one of the processes (4194304,): No such process\n"


def test_without_privileges(tmp_path: Path, syscalls: Tracefs) -> None:
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-"],
        input=written(tmp_path, syscalls, ENTER, comm=b"nobody").read_text(),
        capture_output=True, text=True, timeout=PATIENCE, check=False, cwd="/",
        user=65534, group=65534, extra_groups=[],
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("; run it as root\n")
    assert "Traceback" not in done.stderr
