"""A runtime that gives back recorded bytes: the tests' seam, and a way to decode a recording."""

from __future__ import annotations

from collections.abc import Sequence

from tpkit.batch import Batch
from tpkit.program import Program
from tpkit.runtime.base import Counts


class ReplayRuntime:
    """Hands out ``chunks``, each a ring buffer's bytes of whole records, one for each read; then it is at its end.

    counts: what programs have counted by the time of each read; where none are given, just what was read.
    """

    def __init__(self, chunks: Sequence[bytes], counts: Sequence[tuple[Counts, ...]] = ()) -> None:
        self._chunks = tuple(chunks)
        self._counts = tuple(counts)

    def start(self, program: Program) -> Replaying:
        """A fresh run from the first chunk on."""
        return Replaying(program, self._chunks, self._counts)


class Replaying:
    """One run of a replay; ``closed`` tells a test that the session cleaned up."""

    def __init__(self, program: Program, chunks: tuple[bytes, ...], counts: tuple[tuple[Counts, ...], ...]) -> None:
        self._program = program
        self._chunks = chunks
        self._counts = counts
        self._next = 0
        self._read = [0] * len(program.layouts)
        self.closed = False

    def ready_descriptor(self) -> int | None:
        """None: everything is there already."""
        return None

    def read(self) -> Batch:
        """The next chunk, an empty batch behind the last."""
        import numpy as np  # as in record.py

        chunk = self._chunks[self._next] if self._next < len(self._chunks) else b""
        self._next += 1
        batch = Batch.of_bytes(self._program.layouts, np.frombuffer(chunk, dtype=np.uint8))
        self._read = [a + b for a, b in zip(self._read, batch.count_by_probe(), strict=True)]
        return batch

    def fullness(self) -> float:
        """It waits for nobody."""
        return 1.0

    def counts(self) -> tuple[Counts, ...]:
        """As given for the last read, the last one given behind it."""
        if not self._counts:
            return tuple(Counts(matched=count) for count in self._read)
        return self._counts[min(max(self._next - 1, 0), len(self._counts) - 1)]

    def unfinished(self) -> tuple[int, ...]:
        """None."""
        return (0,) * len(self._program.layouts)

    def missed(self) -> int:
        """None."""
        return 0

    def unfollowed(self) -> int:
        """None."""
        return 0

    def finished(self) -> bool:
        """Whether every chunk was read."""
        return self._next >= len(self._chunks)

    def follow(self, thread: int) -> None:
        """What is recorded is recorded."""

    def detach(self) -> None:
        """Nothing to detach."""

    def close(self) -> None:
        """Notes that the session is over."""
        self.closed = True
