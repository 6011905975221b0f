"""The running kernel, for tests that load programs into it.

A missing capability is a skip that says why. Where the kernel is known to have it, it is a failure:
a kernel that lists tracefs in /proc/filesystems can mount it, one that has the sysctl
kernel.unprivileged_bpf_disabled can load BPF for root.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from tests.conftest import PATIENCE, command
from tpkit import Tracefs, TracefsError
from tpkit.runtime.alone import PREEMPTIBLE, SYMBOLS

TRACEFS = Path("/sys/kernel/tracing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def tracefs() -> Tracefs:
    """The kernel's tracefs, readable."""
    if os.geteuid() != 0:
        pytest.skip("not root: tracefs and BPF are root's")
    if "tracefs" not in Path("/proc/filesystems").read_text().split():
        pytest.skip("this kernel has no tracefs")
    try:
        return Tracefs.find()
    except TracefsError as error:
        pytest.fail(f"this kernel has tracefs, and it isn't there: {error}")


@pytest.fixture(scope="session")
def bpf(tracefs: Tracefs) -> Tracefs:
    """A kernel that takes our programs: tracefs, BPF, its ring buffer."""
    if not Path("/proc/sys/kernel/unprivileged_bpf_disabled").exists():
        pytest.skip("this kernel has no BPF (CONFIG_BPF_SYSCALL)")
    if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (5, 8):
        pytest.skip("this kernel is older than 5.8: no BPF ring buffer")
    return tracefs


@pytest.fixture(scope="session")
def syscalls(bpf: Tracefs) -> Tracefs:
    """A kernel whose system calls are events."""
    if not (bpf.root / "events" / "syscalls").is_dir():
        pytest.skip("this kernel has no events for system calls (CONFIG_FTRACE_SYSCALLS)")
    return bpf


class Waiting:
    """A shell of ours that runs its commands when it is let go; its pid is known before."""

    def __init__(self, script: str, *arguments: str | bytes) -> None:
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"read _; {script}", "sh", *arguments], stdin=subprocess.PIPE, cwd="/"
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def go(self) -> int:
        """Lets it run, to its end; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()


@pytest.fixture
def waiting() -> Iterator[Callable[..., Waiting]]:
    """Makes shells that wait: ``waiting('rm "$1"', path)``."""
    made: list[Waiting] = []

    def make(script: str, *arguments: str | bytes) -> Waiting:
        made.append(Waiting(script, *arguments))
        return made[-1]

    yield make
    for each in made:
        each.end()


class Trace:
    """A running ``tpkit trace`` whose output can be waited for."""

    def __init__(self, arguments: Sequence[str], stdout: Path, stderr: Path, prefix: Sequence[str] = ()) -> None:
        self.stdout, self.stderr = stdout, stderr
        with stdout.open("wb") as out, stderr.open("wb") as err:
            self.process = subprocess.Popen(
                [*prefix, *command("trace", *arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def wait_for(self, path: Path, text: bytes, seconds: float = PATIENCE) -> None:
        """Until the file holds the text, or the trace ends."""
        end = time.monotonic() + seconds
        while text not in path.read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{text!r} didn't come: {path.read_text()} {self.stderr.read_text()}")
            time.sleep(0.01)

    def wait_until_attached(self) -> None:
        """The notice comes once the probes are attached."""
        self.wait_for(self.stderr, b"tracing")

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def text(self) -> str:
        return self.stdout.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """All of the JSON: events, losses, the account."""
        return [json.loads(line) for line in self.stdout.read_bytes().splitlines()]

    def events(self) -> list[dict[str, Any]]:
        """The events alone."""
        return [line for line in self.lines() if not line.keys() & {"lost", "ledger"}]

    def ledger(self) -> dict[str, Any]:
        """The account, which comes last."""
        ledger: dict[str, Any] = self.lines()[-1]["ledger"]
        return ledger


@pytest.fixture
def trace(tmp_path: Path, syscalls: Tracefs) -> Iterator[Callable[..., Trace]]:
    """Starts ``tpkit trace`` and waits until its probes are attached."""
    made: list[Trace] = []

    def start(*arguments: str, prefix: Sequence[str] = (), attached: bool = True) -> Trace:
        number = len(made)
        made.append(Trace(arguments, tmp_path / f"out{number}", tmp_path / f"err{number}", prefix))
        if attached:
            made[-1].wait_until_attached()
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def bpftool(*arguments: str) -> list[dict[str, object]]:
    done = subprocess.run(["/usr/sbin/bpftool", "-j", *arguments], capture_output=True, check=True)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


Objects = set[tuple[str, int]]


# As the kernel knows them, 15 bytes at most. The last two are of generated scripts.
MAPS = frozenset("events counters session scratch pieces calls followed cgroup filter_texts lost filtered".split())


def ours_in_the_kernel() -> Objects:
    """Programs and maps with names that tpkit gives, whichever tpkit it was."""
    loaded = bpftool("prog", "show")
    programs = {("prog", int(str(p["id"]))) for p in loaded if str(p.get("name")).startswith("on_")}
    maps = {("map", int(str(m["id"]))) for m in bpftool("map", "show") if m.get("name") in MAPS}
    return programs | maps


def held_by(pid: int | str) -> Objects:
    """Programs and maps that a process has open (fdinfo of proc(5))."""
    found: Objects = set()
    with suppress(OSError):  # ended meanwhile
        for info in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(OSError):  # closed meanwhile
                objects = re.findall(r"^(prog|map)_id:\s*(\d+)$", info.read_text(), re.MULTILINE)
                found |= {(kind, int(number)) for kind, number in objects}
    return found


def attached() -> Objects:
    """Programs on perf events that a process has open, and their maps: none of its descriptors says so."""
    numbers = {each["prog_id"] for each in bpftool("perf", "show")}
    programs = [each for each in bpftool("prog", "show") if each["id"] in numbers]
    maps = {("map", int(number)) for each in programs for number in cast("list[int]", each.get("map_ids", []))}
    return {("prog", int(str(each["id"]))) for each in programs} | maps


def are_missed(number: int, missed: int) -> bool:
    """Whether so many events less than were to come may be those that probes weren't run for; missed: the ledger's.

    Only where the kernel may take the CPU away from a program on system calls, and then doesn't run the same for
    another thread (``tpkit.runtime.alone``): in emulated machines some runs in a hundred.
    """
    if not number:
        return True
    assert f" {PREEMPTIBLE}\n" in SYMBOLS.read_text(), f"{number} are missing"
    return number <= missed


def nothing_is_left(*ids: tuple[str, int]) -> None:
    """No object of tpkit's outlives its process, nor any of these.

    The kernel frees a program a moment after its last descriptor is closed (RCU).
    """
    end = time.monotonic() + PATIENCE
    while left := left_over(*ids):
        assert time.monotonic() < end, left
        time.sleep(0.02)


def left_over(*ids: tuple[str, int]) -> Objects:
    kernel = ours_in_the_kernel()
    left = kernel - set().union(*(held_by(path.name) for path in Path("/proc").glob("[0-9]*")))
    return (left - attached() if left else left) | (kernel & set(ids))


# A mount namespace whose changes stay in it. unshare(1) would do both at once, but not in a chroot, where
# "/" is no mount: then the mounts that the tests change are made private one by one, or nothing is done.
UNSHARE = ["/usr/bin/unshare", "--mount", "--propagation", "unchanged"]
OWN_MOUNTS = (
    "mount --make-rprivate / 2>&- || { mount --make-rprivate /sys && mount --make-rprivate /proc; } || exit 99;"
)
