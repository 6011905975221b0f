"""However a trace ends, nothing of it stays in the kernel, and what has an end says what it saw."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

from tests.matrix.check_left_over import PATIENCE, held, loaded
from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.matrix.traced import Trace, trace, worker

CLOSED_PIPE = "closed pipe"
ENDINGS = (CLOSED_PIPE, "SIGINT", "SIGTERM", "SIGKILL")  # the first one while nothing happens
MOMENT = 0.2  # seconds of tracing
QUICKLY = 30  # seconds, in an emulated machine: the end of a trace doesn't wait for that of what is traced

_WORKER = """
import ctypes, sys, time
unlinkat = ctypes.CDLL(None).unlinkat
print("ready", flush=True)
sys.stdin.readline()
while True:
    unlinkat(-100, b"/nonexistent-tpkit", 0)
    time.sleep(0.001)
"""

Objects = set[tuple[str, int]]


def clean_up(_: Context) -> Result:
    """Traces of a process that does nothing, and then doesn't stop making calls, each ended in another way."""
    details = []
    with worker(_WORKER) as child:
        for ending in ENDINGS:
            details += [f"{ending}: {word}" for word in _trouble(ending, child.process.pid)]
            child.go()
    return Result.of(not details, f"{len(ENDINGS)} ways" if not details else "trouble", *details)


def _trouble(ending: str, pid: int) -> list[str]:
    """What is wrong when a trace ends in this way."""
    is_pipe = ending == CLOSED_PIPE
    with tempfile.TemporaryDirectory() as path:
        reader, writer = os.pipe()
        with trace(Path(path), "unlinkat", "-p", str(pid), stdout=writer if is_pipe else None) as tracing:
            os.close(writer)
            objects = held(str(tracing.process.pid))
            os.close(reader)
            if not is_pipe:
                time.sleep(MOMENT)
                tracing.process.send_signal(signal.Signals[ending])
            began = time.monotonic()
            tracing.wait()
            seconds = time.monotonic() - began
        return [
            *_ended(tracing, ending),
            *([] if seconds < QUICKLY else [f"it took {seconds:.0f} s"]),
            *([] if {kind for kind, _ in objects} == {"prog", "map"} else [f"it held {sorted(objects)}"]),
            *_left(objects),
        ]


def _ended(tracing: Trace, ending: str) -> list[str]:
    """As it should: a reader that goes away is as good an end as any."""
    if ending == "SIGKILL":
        return [] if tracing.process.returncode == -signal.SIGKILL else [f"status {tracing.process.returncode}"]
    if ending == CLOSED_PIPE:
        words = tracing.words
        good = tracing.process.returncode == 0 and "Traceback" not in words and " events in " in words
        return [] if good else [f"status {tracing.process.returncode}", *words.splitlines()[-5:]]
    return [*tracing.trouble(), *([] if tracing.events() else ["no events"])]


def _left(objects: Objects) -> list[str]:
    """Which of them the kernel still has, after a moment."""
    end = time.monotonic() + PATIENCE
    while left := objects & {(kind, number) for kind in ("prog", "map") for number in loaded(kind)}:
        if time.monotonic() > end:
            return [f"left: {kind} {number}" for kind, number in sorted(left)]
        time.sleep(0.2)
    return []
