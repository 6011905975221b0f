"""Limits on what a process may open: an event takes two descriptors, and shells give 1,024 in all."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.conftest import PATIENCE, command
from tests.live.conftest import nothing_is_left
from tpkit import Tracefs

FEW = 40  # descriptors: fewer than these events take
MANY_EVENTS = ("syscalls:sys_enter_*at", "syscalls:sys_exit_*at")


def run_limited(limit: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    shell = ["/bin/sh", "-c", f'ulimit {limit} {FEW}; exec "$@"', "sh", *command(*arguments)]
    return subprocess.run(shell, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)


def test_a_soft_limit_is_raised_but_not_the_commands(syscalls: Tracefs) -> None:
    done = run_limited("-Sn", ["trace", *MANY_EVENTS, "-q", "--", "sh", "-c", "ulimit -Sn"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(FEW).encode()


def test_a_hard_limit_is_named(syscalls: Tracefs) -> None:
    done = run_limited("-n", ["trace", *MANY_EVENTS, "-d", "5"])
    assert done.returncode == 1, done.stderr
    assert f"{FEW} files".encode() in done.stderr
    assert b"ulimit -n" in done.stderr
    assert b"Traceback" not in done.stderr
    nothing_is_left()
