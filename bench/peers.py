"""The peers: bpftrace, perf trace, perf record, strace, each told to do the same job."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bench import load, losses
from bench.delivered import Delivered, by_count, by_dfd, whole_lines
from bench.errors import TracerFailed
from bench.tracers import STRING_SIZE, Files, Tracer

_EVENT = f"syscalls:{load.EVENT}"


class Bpftrace(Tracer):
    """bpftrace's printf, as it comes but for the size of strings.

    With ``-B full`` it writes blocks instead of lines, which is its fastest, and then it isn't live.
    """

    first_rate = 50_000
    writes_stdout = True
    ends_with_target = False  # -p is for USDT probes

    def __init__(self, name: str, program: Sequence[str], *, in_blocks: bool = False) -> None:
        self.name = name
        self._in_blocks = in_blocks
        self._program = tuple(program)
        self.version = version_of([*self._program, "--version"], r"v(\d[\w.]*)")
        old = tuple(map(int, self.version.split(".")[:2])) < (0, 18)
        self._args = "args->" if old else "args."

    def _script(self, pid: int) -> str:
        fields = f"pid, comm, {self._args}dfd, str({self._args}pathname), {self._args}flag"
        return f'tracepoint:{_EVENT} /pid == {pid}/ {{ printf("%d %s %d %s %d\\n", {fields}); }}'

    def command(self, pid: int, files: Files) -> Sequence[str]:  # noqa: ARG002
        return [*self._program, *(["-B", "full"] if self._in_blocks else []), "-e", self._script(pid)]

    def live_command(self, pid: int) -> Sequence[str] | None:
        return None if self._in_blocks else [*self._program, "-e", self._script(pid)]

    def environment(self) -> Mapping[str, str]:
        """The first is known to 0.17, the second to newer ones."""
        return {"BPFTRACE_STRLEN": str(STRING_SIZE), "BPFTRACE_MAX_STRLEN": str(STRING_SIZE)}

    def reported_loss(self, files: Files) -> int:
        return losses.of_bpftrace(files.log.read_bytes()) + sum(map(losses.of_bpftrace, whole_lines(files.output)))


class PerfTrace(Tracer):
    """perf trace at the tracepoint. It may show no more of a path than that there is one: events are counted."""

    name = "perf-trace"
    knock = b"sys_enter_unlinkat("
    _line = re.compile(rb"sys_enter_unlinkat\((?!.*flag: (?:512|REMOVEDIR|0x200))")  # a knock has that flag

    def __init__(self, perf: str) -> None:
        self._perf = perf
        self.version = version_of([perf, "--version"], r"version (\S+)")

    def command(self, pid: int, files: Files) -> Sequence[str]:
        return [*self.live_command(pid), "-o", str(files.output)]

    def live_command(self, pid: int) -> Sequence[str]:
        return [self._perf, "trace", "-e", _EVENT, "-p", str(pid)]

    def delivered(self, files: Files, made: int) -> Delivered:
        return by_count(files.output, made, self._line)

    def reported_loss(self, files: Files) -> int:
        return losses.of_perf_trace(files.log.read_bytes()) + sum(map(losses.of_perf_trace, whole_lines(files.output)))


class PerfRecord(Tracer):
    """perf record: raw samples into a file, with pointers where the paths would be; numbers in dfd are looked for.

    It delivers an event twice now and then, when its target moves to another CPU (seen with Linux 6.18, perf 6.1).
    """

    name = "perf-record"
    first_rate = 200_000
    knock_us = 0  # its output shows nothing before the end; it answers instead
    number_dfd = True
    fifos = ("control", "answer")

    def __init__(self, perf: str) -> None:
        self._perf = perf
        self.version = version_of([perf, "--version"], r"version (\S+)")

    def command(self, pid: int, files: Files) -> Sequence[str]:
        control = f"fifo:{files.folder / 'control'},{files.folder / 'answer'}"
        return [self._perf, "record", "-e", _EVENT, "-p", str(pid), "-o", str(files.output), "--control", control]

    def live_command(self, pid: int) -> None:
        """It shows nothing before ``perf script`` does."""

    def is_attached(self, files: Files) -> bool:
        """It answers commands once its events are enabled (perf-record(1), --control)."""
        with suppress(OSError):  # nobody has opened the other end yet
            control = os.open(files.folder / "control", os.O_WRONLY | os.O_NONBLOCK)
            os.write(control, b"enable\n")
            os.close(control)
        answer = os.open(files.folder / "answer", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return b"ack" in os.read(answer, 4096)
        except BlockingIOError:
            return False
        finally:
            os.close(answer)

    def _account(self, files: Files) -> losses.Account:
        command = [self._perf, "report", "--stats", "-i", str(files.output)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        try:
            return losses.of_perf_report(done.stdout)
        except ValueError as error:
            raise TracerFailed(f"{self.name}: {error}: {done.stderr[-300:]}") from None

    def delivered(self, files: Files, made: int) -> Delivered:
        lines = files.folder / "lines"
        with lines.open("wb") as target:
            command = [self._perf, "script", "-i", str(files.output)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=target, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise TracerFailed(f"perf script failed: {done.stderr.decode(errors='replace')[-300:]}")
        return by_dfd(lines, made)

    def reported_loss(self, files: Files) -> int | None:
        return self._account(files).lost


class Strace(Tracer):
    """strace stops its target at each call, so it can't lose one."""

    name = "strace"
    first_rate = 5_000

    def __init__(self, strace: str) -> None:
        self._strace = strace
        self.version = version_of([strace, "--version"], r"version (\S+)")

    def command(self, pid: int, files: Files) -> Sequence[str]:
        return [*self.live_command(pid), "-o", str(files.output)]

    def live_command(self, pid: int) -> Sequence[str]:
        return [self._strace, "-e", "trace=unlinkat", "-s", str(STRING_SIZE), "-p", str(pid)]

    def reported_loss(self, files: Files) -> int:  # noqa: ARG002
        return 0


def version_of(command: Sequence[str], form: str) -> str:
    """What a program says it is. Raises TracerFailed."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TracerFailed(f"{command[0]} can't be run: {error.strerror}") from None
    found = re.search(form, done.stdout + done.stderr)
    if done.returncode or not found:
        raise TracerFailed(f"{' '.join(command)} doesn't work: {(done.stderr or done.stdout).strip()[-300:]}")
    return found[1]
