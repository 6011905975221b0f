"""Other programs, run to their end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from tests.matrix.ending import descendants, end_all

Argument = str | Path
TAIL = 25  # lines


class MatrixError(Exception):
    """What stands in the way of running the matrix at all."""


def output(*command: Argument, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints. Raises MatrixError with its last words when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=None if env is None else {**os.environ, **env},
        cwd=cwd,
    )
    if done.returncode:
        words = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-TAIL:])
        raise MatrixError(f"{Path(command[0]).name} failed ({done.returncode}):\n{words}")
    return done.stdout


def run_within(
    command: Sequence[Argument],
    log: Path,
    seconds: float,
    env: Mapping[str, str] | None = None,
    stop: Event | None = None,
) -> int | None:
    """Run a command with its words in a file; its exit status, or None if the time was up and it was ended.

    It gets a session of its own, and all that it started ends with it. Raises MatrixError if ``stop`` is set
    already: the matrix has been told to end.
    """
    _go_on(stop)
    with log.open("wb") as words:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if env is None else {**os.environ, **env},
        )
        try:
            _go_on(stop)  # whoever set it meanwhile may not have seen our process
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                end_all([process.pid, *descendants(process.pid)])
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _go_on(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        raise MatrixError("the matrix was told to end")


def tail(path: Path, lines: int = TAIL) -> tuple[str, ...]:
    """The last lines of a file that may not be there, fit to be printed."""
    try:
        text = path.read_bytes()[-65536:].decode(errors="replace")
    except OSError:
        return ()
    printable = ("".join(c for c in line if c.isprintable()) for line in text.splitlines())
    return tuple(line for line in printable if line.strip())[-lines:]
