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

from tpkit.errors import UsageError
from tpkit.program import Program
from tpkit.record import Batch
from tpkit.runtime.base import Running, Runtime

# The kernel wakes us when a record arrives at an empty ring buffer. After a batch of this many
# records we let the next one grow: fewer wake-ups for the traced threads, and larger batches.
BUSY_BATCH = 64
BUSY_PAUSE = 0.005  # seconds


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a session hands on: records, and for each probe how many were lost since the last delivery."""

    batch: Batch
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The account of a session: delivered and lost records by probe, and its length in seconds."""

    delivered: tuple[int, ...]
    lost: tuple[int, ...]
    seconds: float


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
        self._delivered = [0] * len(program.probes)
        self._lost = (0,) * len(program.probes)
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

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called, or something else has ended the session."""
        return self._stopping

    @property
    def has_begun(self) -> bool:
        """Whether the probes were attached."""
        return self._started > 0

    @property
    def totals(self) -> Totals:
        """The account so far, or of the whole session when it is over."""
        end = self._ended or time.monotonic()
        return Totals(tuple(self._delivered), self._lost, end - self._started)

    def __iter__(self) -> Iterator[Delivery]:
        """Deliveries until the session ends; the last ones come after the probes were detached."""
        assert self._running is not None  # iterated inside of the context only
        while not self._is_over():
            self._wait()
            yield from self._deliver(self._running)
        self._running.detach()
        self._ended = time.monotonic()
        yield from self._drain(self._running)

    def _is_over(self) -> bool:
        return (
            self._stopping
            or self._rest() == 0
            or (self._duration is not None and time.monotonic() >= self._started + self._duration)
            or (bool(self._pids) and not self._processes)
        )

    def _rest(self) -> int | None:
        """How many more records are wanted; None for all there are."""
        return None if self._max_events is None else max(0, self._max_events - sum(self._delivered))

    def _deliver(self, running: Running) -> Iterator[Delivery]:
        batch = running.read()
        lost = running.lost()
        rest = self._rest()
        if rest is not None and len(batch) > rest:
            batch = Batch(batch.layouts, batch.data[:rest])
        news = tuple(now - before for now, before in zip(lost, self._lost, strict=True))
        self._lost = lost
        if len(batch) or any(news):
            self._count(batch)
            yield Delivery(batch, news)
        if len(batch) >= BUSY_BATCH and not self._stopping:
            time.sleep(BUSY_PAUSE)

    def _drain(self, running: Running) -> Iterator[Delivery]:
        """What still waits once nothing new can come."""
        while True:
            before = sum(self._delivered)
            yield from self._deliver(running)
            if sum(self._delivered) == before:
                return

    def _count(self, batch: Batch) -> None:
        for probe, number in enumerate(batch.count_by_probe()):
            self._delivered[probe] += number

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
        timeout = None
        if self._duration is not None:
            timeout = max(0.0, self._started + self._duration - time.monotonic()) * 1000
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor in self._processes:
                self._poll.unregister(descriptor)
                os.close(descriptor)
                del self._processes[descriptor]
            elif descriptor in (self._wake_reader, self._hang_up):
                self._stopping = True

    def _close(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None
        for descriptor in (*self._processes, self._wake_reader, self._wake_writer):
            os.close(descriptor)
        self._processes = {}
        del self._wake_reader, self._wake_writer


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
