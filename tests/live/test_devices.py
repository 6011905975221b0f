"""Devices, on locks of files that tests make; the oracle is what the table of mounts says of their file system."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Run
from tests.live.conftest import Trace, Waiting
from tests.live.test_generated_bcc import Running, written
from tests.live.test_generated_libbpf import Loader, build
from tpkit import Tracefs

LOCK = "filelock:flock_lock_inode"

MakeWaiting = Callable[..., Waiting]
StartTrace = Callable[..., Trace]


@pytest.fixture
def device(tmp_path: Path, bpf: Tracefs) -> tuple[Path, str]:
    """A file, and the device that it is on, as lsblk writes it."""
    if not (bpf.root / "events" / LOCK.replace(":", "/")).is_dir():
        pytest.skip("this kernel has no events for file locks (CONFIG_FILE_LOCKING)")
    path = tmp_path / "lock"
    path.touch()
    # Not stat's: of a file on btrfs, or overlayfs, that is another one.
    found = subprocess.run(["/usr/bin/findmnt", "-n", "-o", "MAJ:MIN", "-T", path], capture_output=True, check=True)
    return path, found.stdout.decode().strip()


def test_in_filters_and_json(device: tuple[Path, str], waiting: MakeWaiting, trace: StartTrace) -> None:
    path, name = device
    shell = waiting('flock "$1" true; exec flock "$1" true', str(path))
    inode = path.stat().st_ino
    wanted = ("-f", "json", "--comm", "flock")
    tracing = trace(LOCK, *wanted, "-M", "2", "--filter", f"s_dev == {name} && i_ino == {inode}")
    other = trace(LOCK, *wanted, "--filter", f"s_dev != {name} && i_ino == {inode}")
    assert shell.go() == 0
    assert tracing.process.wait(PATIENCE) == 0
    other.end()
    for event in tracing.events():
        assert event["args_text"]["s_dev"] == name
        major, minor = map(int, name.split(":"))
        assert event["args"]["s_dev"] == major << 20 | minor
    assert len(tracing.events()) == 2
    assert other.events() == []


def test_generated_programs_show_what_trace_shows(
    tmp_path: Path, device: tuple[Path, str], waiting: MakeWaiting, bpf: Tracefs, trace: StartTrace, tpkit: Run
) -> None:
    path, name = device
    folder = tmp_path / "libbpf"
    shell = waiting('exec flock "$1" true', str(path))
    script = Running(written(tmp_path, bpf, LOCK, pids=(shell.pid,)))
    script.wait_until_attached()
    done = tpkit("generate", LOCK, "--target", "libbpf", "-o", str(folder), "-p", str(shell.pid))
    assert done.returncode == 0, done.stderr
    loader = Loader(build(folder))
    tracing = trace(LOCK, "-p", str(shell.pid))
    assert shell.go() == 0
    assert script.process.wait(PATIENCE) == tracing.process.wait(PATIENCE) == 0
    expected = [line[16:] for line in tracing.text().splitlines()[1:]]
    assert f" s_dev={name}, " in expected[0]
    assert script.lines() == expected
    _, out, _ = loader.end(after="flock_lock_inode")
    assert [line[16:] for line in out.splitlines()[1:]] == expected
