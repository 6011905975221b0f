"""A tracer's process: started, looked at, ended by its pid."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_TICKS = os.sysconf("SC_CLK_TCK")  # of /proc/PID/stat, per second
_PAGE = os.sysconf("SC_PAGE_SIZE")
_POLL_SECONDS = 0.005
_MANNERS = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 60.0))


class Running:
    """A started program. usage, status: its rusage and exit status, once it has ended; ``with`` ends it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], stdout: BinaryIO | int, stderr: BinaryIO | int
    ) -> None:
        self.usage: resource.struct_rusage | None = None
        self.status: int | None = None
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self.pid = self._process.pid

    def has_ended(self) -> bool:
        """Reaps it when it has."""
        if self.status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.usage = usage
                self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time."""
        end = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def end(self) -> signal.Signals | None:
        """Interrupt it as a user would, then less politely; what it took, None if it had ended by itself."""
        for number, seconds in _MANNERS:
            if self.has_ended():
                return None
            os.kill(self.pid, number)
            if self.wait(seconds):
                return number
        return None

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads; from /proc in ticks while it runs."""
        if self.usage is not None:
            return self.usage.ru_utime + self.usage.ru_stime
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS  # utime, stime: proc_pid_stat(5)

    def rss_bytes(self) -> int:
        """Resident memory now; 0 when it has gone."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
