"""Work that other processes do: libbcc isn't made for threads, and what it prints goes to the one stderr of a process.

Not by ``concurrent.futures``: a signal that ends us while its pool starts, or ends, leaves it waiting for ever.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from tpkit.runtime.system_calls import die_with

Given = TypeVar("Given")
Found = TypeVar("Found")

_LENGTH = struct.Struct("=IQ")  # a result's number, and its bytes


class Workers(Generic[Given, Found]):
    """As many processes as there are processors for us, each with its share of the work.

    ``with Workers(function, things) as workers: for number, found in workers: …``: results as they come. What the
    function raises is raised here, EOFError for a process that dies. Leaving the context ends all processes.
    """

    def __init__(self, function: Callable[[Given], Found], things: Sequence[Given]) -> None:
        self._function = function
        self._things = things
        self._pids: list[int] = []
        self._pipes: list[int] = []

    def __enter__(self) -> Workers[Given, Found]:
        count = min(len(os.sched_getaffinity(0)), len(self._things))
        parent = os.getpid()
        try:
            for first in range(count):
                reader, writer = os.pipe2(os.O_CLOEXEC)
                self._pipes.append(reader)
                pid = os.fork()
                if not pid:
                    self._be_worker(parent, range(first, len(self._things), count), writer)
                self._pids.append(pid)
                os.close(writer)
        except BaseException:
            self._end()
            raise
        return self

    def __iter__(self) -> Iterator[tuple[int, Found]]:
        poll = select.poll()
        waiting: dict[int, int] = {}  # results that are still to come, by pipe
        for first, pipe in enumerate(self._pipes):
            poll.register(pipe, select.POLLIN)
            waiting[pipe] = len(range(first, len(self._things), len(self._pipes)))
        while any(waiting.values()):
            for pipe, _ in poll.poll():
                number, error, found = _received(pipe)
                if error is not None:
                    raise error
                waiting[pipe] -= 1
                if not waiting[pipe]:
                    poll.unregister(pipe)  # it would tell of its end for ever
                yield number, found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        while self._pids:
            pid = self._pids[-1]
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._pids.pop()
        while self._pipes:
            os.close(self._pipes.pop())

    def _be_worker(self, parent: int, numbers: range, writer: int) -> None:
        """The other process' side; it never returns."""
        try:
            _belong_to(parent)
            for number in numbers:
                try:
                    answer: tuple[BaseException | None, Found | None] = (None, self._function(self._things[number]))
                except Exception as error:  # it is the parent's to deal with
                    answer = (error, None)
                data = pickle.dumps(answer)
                _write(writer, _LENGTH.pack(number, len(data)) + data)
        finally:
            os._exit(0)


def _belong_to(parent: int) -> None:
    """A signal is for the process that waits for us; and when that one ends, so do we."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _received(pipe: int) -> tuple[int, BaseException | None, Any]:
    """A result's number, what was raised, and what was found. Raises EOFError when the process has died."""
    number, length = _LENGTH.unpack(_read(pipe, _LENGTH.size))
    error, found = pickle.loads(_read(pipe, length))  # noqa: S301 - of a process that we have made
    return number, error, found


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(pipe, size - len(data))
        if not part:
            raise EOFError("a process that compiles has died")
        data += part
    return data
