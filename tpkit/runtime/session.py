"""A running probe from start to end: deliveries of records, an account of losses, one way to end.

A signal, a limit, the death of the traced process, a reader that went away: all end a session the
same way. The probes are detached first, then the ring buffer is emptied, then everything is given
back to the kernel.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch
from tpkit.errors import UsageError
from tpkit.ledger import Cause, Ledger, Loss
from tpkit.program import Program
from tpkit.runtime.base import Running, Runtime
from tpkit.runtime.books import Books

# The kernel wakes us when a record arrives at an empty ring buffer, which costs the traced thread some microseconds.
# Behind each batch we let the next one grow: fewer wake-ups, and larger batches.
PAUSES = ((0.05, 0.01), (0.15, 0.005), (0.5, 0.001))  # up to this share of the ring buffer was full: seconds

# Records get their time when their program begins, and into the ring buffer when it ends: on another CPU a younger
# one may be faster. So long the youngest wait for older ones.
WINDOW = 1_000_000  # ns

COUNT_EVERY = 0.1  # seconds between two looks at the programs' counters
LONGEST = 3600.0  # seconds: poll(2) can't wait for a month
LAST_WAIT = 0.2  # seconds that the last programs have to end, once no more events are wanted


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a session hands on: records, ordered by time, and what was lost since the last delivery, as far as known."""

    batch: Batch
    losses: tuple[Loss, ...]


class Session:
    """Runs a program: ``with Session(program, runtime) as session: for delivery in session: …``.

    duration: seconds after which it ends by itself; max_events: records after which it does; pids:
    processes whose end ends it; hang_up: a descriptor whose reader's going away ends it.

    Raises ProbeError on entering the context, and UsageError for a pid that doesn't exist.
    """

    def __init__(
        self,
        program: Program,
        runtime: Runtime,
        *,
        duration: float | None = None,
        max_events: int | None = None,
        pids: Sequence[int] = (),
        hang_up: int | None = None,
    ) -> None:
        self._program = program
        self._runtime = runtime
        self._duration = duration
        self._max_events = max_events
        self._pids = tuple(pids)
        self._hang_up = hang_up
        self._stopping = False
        self._books = Books(program.events)
        self._held: Batch | None = None
        self._counted = self._busy = 0.0
        self._processes: dict[int, int] = {}
        self._running: Running | None = None
        self._started = self._ended = 0.0

    def __enter__(self) -> Session:
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._processes = _open_processes(self._pids)
            self._running = self._runtime.start(self._program)
            self._poll = self._make_poll(self._running)
        except BaseException:
            self._close()
            raise
        self._started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def stop(self) -> None:
        """Ends the session soon. May be called from a signal handler, and before it has begun."""
        self._stopping = True
        if hasattr(self, "_wake_writer"):
            try:
                os.write(self._wake_writer, b"!")
            except (BlockingIOError, OSError):  # full: it is awake already; closed: it is over
                return

    def follow(self, thread: int) -> None:
        """Look at this thread, by the kernel's number, and at all that it starts; for a program made for that."""
        assert self._running is not None  # inside of the context only
        self._running.follow(thread)

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called, or something else has ended the session."""
        return self._stopping

    @property
    def has_begun(self) -> bool:
        """Whether the probes were attached."""
        return self._started > 0

    @property
    def ledger(self) -> Ledger:
        """The account so far, or of the whole session when it is over."""
        end = self._ended or time.monotonic()
        return self._books.ledger(end - self._started if self._started else 0.0)

    def __iter__(self) -> Iterator[Delivery]:
        """Deliveries until the session ends; the last ones come after the probes were detached.

        A delivery counts as delivered when the next one is asked for; see ``failed``.
        """
        assert self._running is not None  # iterated inside of the context only
        while not self._is_over():
            self._wait()
            yield from self._deliver(self._running)
        self._end(self._running)
        yield from self._drain(self._running)

    def failed(self, written: int = 0) -> None:
        """The receiver of the last delivery took only its first ``written`` records, and takes no more."""
        assert self._running is not None  # as in __iter__
        self._books.settle(written, Cause.OUTPUT)
        self._end(self._running)
        for batch in self._rest_of(self._running):
            self._books.lose(batch, Cause.OUTPUT)
        self._books.close(self._running)

    def reject(self, bad: NDArray[np.bool_]) -> None:
        """Of the last delivery's records, these can't be decoded."""
        self._books.reject(bad)

    def _end(self, running: Running) -> None:
        if not self._ended:
            running.detach()
            self._ended = time.monotonic()

    def _is_over(self) -> bool:
        return (
            self._stopping
            or self._rest() == 0
            or (self._duration is not None and time.monotonic() >= self._started + self._duration)
            or (bool(self._pids) and not self._processes)
        )

    def _rest(self) -> int | None:
        """How many more records are wanted; None for all there are."""
        return None if self._max_events is None else max(0, self._max_events - self._books.delivered)

    def _deliver(self, running: Running) -> Iterator[Delivery]:
        size, batch = self._read(running)
        yield from self._hand_on(batch, self._news(running))
        if size and not self._stopping:
            time.sleep(_pause(running.fullness()))

    def _hand_on(self, batch: Batch, losses: tuple[Loss, ...]) -> Iterator[Delivery]:
        rest = self._rest()
        if rest is not None and len(batch) > rest:
            self._books.lose(batch[rest:], Cause.LIMIT)
            batch = batch[:rest]
        if len(batch) or losses:
            self._books.hand_on(batch)
            yield Delivery(batch, losses)
            self._books.settle(len(batch))

    def _read(self, running: Running) -> tuple[int, Batch]:
        """How many records came, and those that are old enough to be followed by none that is older."""
        batch = running.read()
        size = len(batch)
        if size:
            self._busy = time.monotonic()
        if running.ready_descriptor() is None:
            return size, batch  # a recording: its order is as it was recorded
        return size, self._in_order(batch, time.monotonic_ns())

    def _in_order(self, batch: Batch, now: int | None) -> Batch:
        """The records and those that were held, by time; held are now those that an older one may still follow.

        now: in ns since boot; None: when the newest of them was over.
        """
        if self._held is not None:
            batch, self._held = Batch.joined([self._held, batch]), None
        if not len(batch):
            return batch
        ends = batch.ends()
        if bool((ends[1:] < ends[:-1]).any()):
            order = np.argsort(ends, kind="stable")
            batch, ends = batch[order], ends[order]
        newest = int(ends[-1])
        if now is not None and newest > now:  # time_namespaces(7): our clock isn't the kernel's, and can't tell
            return batch
        old = int(np.searchsorted(ends, (newest if now is None else now) - WINDOW))
        self._held = batch[old:].compact() if old < len(batch) else None
        return batch[:old]

    def _drain(self, running: Running) -> Iterator[Delivery]:
        """What still waits once nothing new can come."""
        for batch in self._rest_of(running):
            yield from self._hand_on(batch, ())
        self._books.close(running)
        losses = self._books.news()
        if losses:
            yield from self._hand_on(running.read(), losses)

    def _rest_of(self, running: Running) -> Iterator[Batch]:
        """All that is on its way: until the account is balanced, or its last programs had the time to end."""
        end = time.monotonic() + LAST_WAIT
        while True:
            batch = running.read()
            if len(batch):
                yield batch if running.ready_descriptor() is None else self._in_order(batch, None)
                continue
            held, self._held = self._held, None
            if held is not None:
                yield held
                continue
            self._books.count(running)
            if self._books.is_balanced or time.monotonic() > end:
                return
            time.sleep(PAUSES[-1][1])

    def _news(self, running: Running) -> tuple[Loss, ...]:
        now = time.monotonic()
        if now - self._counted < COUNT_EVERY and running.ready_descriptor() is not None:
            return ()
        self._counted = now
        self._books.count(running)
        return self._books.news()

    # ------------------------------------------------------------------------------ waiting

    def _make_poll(self, running: Running) -> select.poll:
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        for descriptor in self._processes:
            poll.register(descriptor, select.POLLIN)
        ready = running.ready_descriptor()
        if ready is not None:
            poll.register(ready, select.POLLIN)
        if self._hang_up is not None:
            poll.register(self._hang_up, 0)  # 0: POLLERR and POLLHUP only
        return poll

    def _wait(self) -> None:
        """Until records wait, or something ends the session."""
        assert self._running is not None  # as in __iter__
        if self._running.ready_descriptor() is None:
            self._stopping = self._stopping or self._running.finished()
            return
        for descriptor, _ in self._poll.poll(self._timeout()):
            if descriptor in self._processes:
                self._poll.unregister(descriptor)
                os.close(descriptor)
                del self._processes[descriptor]
            elif descriptor in (self._wake_reader, self._hang_up):
                self._stopping = True

    def _timeout(self) -> float | None:
        """Milliseconds until there is something to do though nothing happens; None: nothing."""
        now = time.monotonic()
        waits = []
        if self._duration is not None:
            waits.append(self._started + self._duration - now)
        if self._held is not None:
            waits.append(2 * WINDOW / 1e9)
        elif self._counted < self._busy:
            waits.append(COUNT_EVERY)
        return max(0.0, min(*waits, LONGEST)) * 1000 if waits else None

    def _close(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None
        for descriptor in (*self._processes, self._wake_reader, self._wake_writer):
            os.close(descriptor)
        self._processes = {}
        del self._wake_reader, self._wake_writer


def _pause(fullness: float) -> float:
    """How long records may gather, in seconds, by the share of the ring buffer that they took last time."""
    return next((seconds for most, seconds in PAUSES if fullness <= most), 0.0)


def _open_processes(pids: Sequence[int]) -> dict[int, int]:
    """A pidfd for each process (pidfd_open(2)). Raises UsageError for one that doesn't exist."""
    opened: dict[int, int] = {}
    try:
        for pid in pids:
            opened[os.pidfd_open(pid)] = pid
    except OSError as error:
        for descriptor in opened:
            os.close(descriptor)
        what = f"there is no process {pid}" if isinstance(error, ProcessLookupError) else f"{pid}: {error.strerror}"
        raise UsageError(what, where="-p", remedy="pids are process ids, not thread ids; see ps(1)") from None
    return opened
