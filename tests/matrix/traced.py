"""A process of ours that waits to be let go, and ``tpkit trace`` at work: what columns look at each other with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.matrix.context import TREE

SECONDS = 120  # for anything that an emulated machine does


class Worker:
    """A Python program that says a word when it is ready, and then waits.

    It does so in a read(2), or in a way of its own if it is let go by a signal.
    """

    def __init__(self, program: str, *arguments: str | bytes) -> None:
        command: list[str | bytes] = [sys.executable, "-S", "-E", "-c", program, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")

    def wait_until_asleep(self) -> None:
        """Its word has come, and it does nothing any more."""
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError(f"the worker ended before it was ready: {self.process.wait()}")
        stat = Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S", "the worker sleeps")

    def go(self, number: int | None = None) -> None:
        """Lets it run: by a line, or by a signal."""
        if number is not None:
            self.process.send_signal(number)
            return
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Until it has done all. Raises RuntimeError when it failed."""
        status = self.process.wait(SECONDS)
        if status:
            raise RuntimeError(f"the worker failed: {status}")


@contextmanager
def worker(program: str, *arguments: str | bytes) -> Iterator[Worker]:
    """A worker that is ready, and ends with the block."""
    made = Worker(program, *arguments)
    with made.process:
        try:
            made.wait_until_asleep()
            yield made
        finally:
            made.process.kill()


class Trace:
    """``tpkit trace --format json``, with its words in files of a folder."""

    def __init__(self, folder: Path, *arguments: str, stdout: int | None = None) -> None:
        self.out, self.err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "tpkit", "trace", "-f", "json", *arguments]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout, stderr=err, cwd=TREE
            )

    def wait_until_attached(self) -> None:
        """Raises RuntimeError, with its words, when it ends instead."""
        until(lambda: "tracing" in self.words or self.process.poll() is not None, "the probes are attached")
        if self.process.poll() is not None:
            raise RuntimeError(f"the trace ended: {self.words.strip()}")

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(SECONDS)

    @property
    def words(self) -> str:
        """What it says to people, so far."""
        return self.err.read_text(errors="replace")

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """All that it wrote. To be asked for in the end; raises ValueError where that isn't JSON."""
        return [json.loads(line) for line in self.out.read_bytes().splitlines()]

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Events, or those of this name: ``unlinkat``."""
        found = [line for line in self.lines if "event" in line and "lost" not in line]
        return [each for each in found if not name or each["event"].endswith(f":{name}")]

    def account(self, name: str) -> dict[str, Any]:
        """What the ledger says of an event: ``unlinkat``; nothing if it isn't there."""
        ledger = self.lines[-1].get("ledger", {}) if self.lines else {}
        return next((each for each in ledger.get("events", ()) if each["event"].endswith(f":{name}")), {})

    def trouble(self, status: int = 0) -> list[str]:
        """What is wrong with its end, whatever it traced: the status, an account that isn't balanced, or none."""
        found = []
        if self.process.returncode != status:
            found.append(f"exit status {self.process.returncode}, not {status}")
        ledger = self.lines[-1].get("ledger") if self.lines else None
        if ledger is None:
            found.append("no account at the end")
        elif not ledger["balanced"]:
            found.append(f"the account isn't balanced: {ledger}")
        return [*found, *self.words.splitlines()[-5:]] if found else []


@contextmanager
def trace(folder: Path, *arguments: str, stdout: int | None = None) -> Iterator[Trace]:
    """A trace at work; it ends with the block, if it hasn't before."""
    made = Trace(folder, *arguments, stdout=stdout)
    with made.process:
        try:
            made.wait_until_attached()
            yield made
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"no end after {SECONDS} s: {made.words.strip()}") from error
        finally:
            made.process.send_signal(signal.SIGKILL)


def until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Waits. Raises RuntimeError when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"this didn't come: {what}")
        time.sleep(0.05)
