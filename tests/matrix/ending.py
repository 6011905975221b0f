"""The end of programs: those that were started, all that they started, and the matrix itself by a signal."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 3.0  # seconds for those that clean up behind themselves


class Ended(SystemExit):
    """A signal told the matrix to end. The status is as a shell gives it: 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def ended_by_signals(stop: Event) -> Iterator[None]:
    """In here a signal sets ``stop``, ends all that we started, and raises Ended in the main thread.

    Other threads see their programs die; ``run_within`` starts no other once it has been told to stop.
    What the caller ignores, as nohup does SIGHUP, stays ignored.
    """

    def end(number: int, _: FrameType | None) -> None:
        stop.set()
        end_descendants(os.getpid())
        raise Ended(number)

    numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_descendants(pid: int) -> None:
    """End all that came of a process, but not itself."""
    end_all(descendants(pid))
    end_all(descendants(pid), grace=0)  # what was started meanwhile


def end_all(pids: Iterable[int], grace: float = GRACE) -> None:
    """Ask processes to end, and kill those that haven't after a moment; none is left when this returns."""
    with ExitStack() as stack:
        running = []
        for pid in pids:
            with suppress(ProcessLookupError):
                running.append(os.pidfd_open(pid))
                stack.callback(os.close, running[-1])
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            for each in running:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(each, number)
            running = _still_running(running, seconds)


def _still_running(descriptors: list[int], seconds: float) -> list[int]:
    """Those of the processes that haven't ended when the time is up."""
    end = time.monotonic() + seconds
    poll = select.poll()
    for each in descriptors:
        poll.register(each, select.POLLIN)
    running = set(descriptors)
    while running:
        for each, _ in poll.poll(max(0.0, end - time.monotonic()) * 1000):
            poll.unregister(each)
            running.remove(each)
        if time.monotonic() >= end:
            break
    return sorted(running)


def descendants(pid: int) -> list[int]:
    """A process' children, theirs and so on, whatever sessions they made; without those that have ended."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            # proc_pid_stat(5): the name, in parentheses, may hold anything; then come state and parent.
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(path.parent.name))
    found = list(children.get(pid, ()))
    for each in found:  # it grows while we go through it
        found += children.get(each, ())
    return found
