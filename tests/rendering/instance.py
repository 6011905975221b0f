"""A tracefs instance of our own, and the workload's process that it follows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

TRACEFS = Path("/sys/kernel/tracing")
REPOSITORY = Path(__file__).resolve().parents[2]


class Instance:
    """A tracefs instance of our own. Use as a context manager: it is gone afterwards."""

    def __init__(self, name: str) -> None:
        self.path = TRACEFS / "instances" / name

    def __enter__(self) -> Self:
        self.path.mkdir()
        try:
            self._prepare()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _prepare(self) -> None:
        self.write("tracing_on", "0")
        self.write("options/event-fork", "1")
        self.write("options/overwrite", "0")  # when it is full keep the beginning: no gaps to pair over
        self.write("options/annotate", "0")
        self.write("trace_clock", "local")
        self.write("buffer_size_kb", "32768")

    def _remove(self) -> None:
        for name, text in (("tracing_on", "0"), ("events/enable", "0"), ("set_event_pid", "")):
            with suppress(OSError):
                self.write(name, text)
        self.path.rmdir()

    def write(self, name: str, text: str) -> None:
        # A tracefs file takes a whole request in one write; opening for truncation is itself a request.
        with (self.path / name).open("w") as file:
            file.write(text)

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def follow(self, pid: int) -> None:
        self.write("set_event_pid", str(pid))

    def followed(self) -> set[int]:
        return {int(line) for line in self.read("set_event_pid").split()}

    def switch(self, event: str, on: bool) -> None:
        """Turn a category or ``category:name`` on or off; unknown ones are left alone."""
        folder = self.path / "events" / event.replace(":", "/")
        if folder.is_dir():
            (folder / "enable").write_text("1" if on else "0")

    def categories(self) -> list[str]:
        return sorted(entry.name for entry in (self.path / "events").iterdir() if entry.is_dir())

    def cpus(self) -> list[int]:
        return sorted(int(entry.name.removeprefix("cpu")) for entry in (self.path / "per_cpu").iterdir())

    def lost(self, cpu: int) -> int:
        stats = self.read(f"per_cpu/cpu{cpu}/stats")
        return sum(int(n) for n in re.findall(r"^(?:overrun|commit overrun|dropped events): (\d+)$", stats, re.M))

    def text(self, cpu: int) -> str:
        """The kernel's text; reading it consumes nothing."""
        path = self.path / f"per_cpu/cpu{cpu}/trace"
        return path.read_bytes().decode("utf-8", "surrogateescape")

    def pages(self, cpu: int, size: int) -> list[bytes]:
        """The raw pages; reading them consumes them."""
        # Not a generator: one that an exception interrupts would keep the file open, and the instance busy.
        descriptor = os.open(self.path / f"per_cpu/cpu{cpu}/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return list(iter(lambda: _read_available(descriptor, size), b""))
        finally:
            os.close(descriptor)


def _read_available(descriptor: int, size: int) -> bytes:
    """What can be read without waiting; nothing at the end."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return b""


class Workload:
    """The workload's process: started waiting, told part by part what to do. Ends with its context."""

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._errors = (folder / "errors").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rendering.workload", str(folder)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # a Ctrl-C is ours to handle
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, line: str) -> list[str]:
        """Send a request and wait for its end; the names of the steps that failed."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the workload has no pipes")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if not answer or answer[0] != "done":
            self._errors.seek(0)
            raise RuntimeError(f"the workload ended in {line!r}: {self._errors.read()[-2000:]}")
        return answer[1:]

    def stop(self) -> None:
        """End it, and with it its namespaces and all that lives in them."""
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        for group in Path("/sys/fs/cgroup").glob(f"*/{self._name}*"):  # left only by one that was killed
            with suppress(OSError):
                group.rmdir()
