"""Without what tpkit needs: a named cause and a remedy, never a bare EPERM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, PATIENCE, command
from tests.live.conftest import OWN_MOUNTS, UNSHARE
from tpkit import Tracefs

ENTER = "syscalls:sys_enter_unlinkat"
NO_CAPABILITIES = ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all"]
NOBODY = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
UNMOUNT = "umount -l /sys/kernel/tracing 2>&-; umount -l /sys/kernel/debug 2>&-; "


def run(prefix: list[str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*prefix, *command(*arguments)], capture_output=True, timeout=PATIENCE, check=False)


def in_own_mounts(script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """tpkit in a mount namespace of its own, changed by a script first; ours stays as it is."""
    return run([*UNSHARE, "/bin/sh", "-c", f'{OWN_MOUNTS} {script} exec "$@"', "sh"], *arguments)


def test_missing_capabilities(syscalls: Tracefs) -> None:
    done = run(NO_CAPABILITIES, "trace", ENTER, "-d", "1", "-p", str(os.getpid()))
    assert done.returncode == 1
    assert b"CAP_BPF and CAP_PERFMON missing" in done.stderr
    assert b"run as root" in done.stderr


@pytest.fixture
def for_everybody() -> Iterator[Path]:
    """A folder that other users can enter; pytest's own are 0700."""
    folder = Path(tempfile.mkdtemp(prefix="tpkit-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_as_nobody(tracefs: Tracefs, for_everybody: Path) -> None:
    can_import = [*NOBODY, sys.executable, "-c", "import tpkit, typer"]
    if subprocess.run(can_import, capture_output=True, check=False).returncode:
        pytest.skip("this checkout can't be read by other users")
    shutil.copytree(FIXTURES / "7.2-x86_64", for_everybody / "tree")
    tree = str(for_everybody / "tree")
    assert run(NOBODY, "list", "unlinkat", "--tracefs", tree).stdout.count(b"\n") == 2
    assert b"args[2]" in run(NOBODY, "describe", ENTER, "--tracefs", tree).stdout
    (for_everybody / "tree" / "events").chmod(0)
    for verb in ("list", "describe"):
        done = run(NOBODY, verb, "unlinkat", "--tracefs", tree)
        assert done.returncode == 1
        assert b"may not be read" in done.stderr
    if tracefs.root.stat().st_mode & 0o007 == 0:
        done = run(NOBODY, "list", "unlinkat")
        assert done.returncode == 1
        assert b"may not be read" in done.stderr
        assert b"run as root" in done.stderr


def test_tracefs_is_not_mounted(tracefs: Tracefs) -> None:
    for arguments in (["describe", ENTER], ["list", "--from", "tracefs"], ["trace", ENTER]):
        done = in_own_mounts(UNMOUNT, *arguments)
        assert done.returncode == 1
        assert b"tracefs is not mounted" in done.stderr
        assert b"mount -t tracefs tracefs /sys/kernel/tracing" in done.stderr
    assert (tracefs.root / "available_events").exists()


HIDE_BCC = "for d in /usr/lib/python3*/*-packages/bcc; do [ -d $d ] && mount -t tmpfs tmpfs $d; done;"


def test_no_bcc(syscalls: Tracefs) -> None:
    done = in_own_mounts(HIDE_BCC, "trace", ENTER, "-p", str(os.getpid()), "-d", "1", "--no-cache")
    assert done.returncode == 1
    assert b"BCC for Python isn't installed" in done.stderr
    assert b"bcc" in done.stderr.split(b"installed", 1)[1] or b"bpfcc" in done.stderr


def test_looking_up_needs_no_bcc(syscalls: Tracefs) -> None:
    assert in_own_mounts(HIDE_BCC, "describe", ENTER).returncode == 0
    assert in_own_mounts(HIDE_BCC, "list", "unlinkat").returncode == 0


def test_what_is_compiled_already_needs_no_bcc(syscalls: Tracefs) -> None:
    few = ("trace", ENTER, "-p", str(os.getpid()), "-d", "0.1")
    assert in_own_mounts("", *few).returncode == 0
    assert in_own_mounts(HIDE_BCC, *few).returncode == 0
