"""A runtime that gives back recorded bytes: the tests' seam, and a way to decode a recording."""

from __future__ import annotations

from collections.abc import Sequence

from tpkit.program import Program
from tpkit.record import Batch


class ReplayRuntime:
    """Hands out ``chunks``, each the bytes of whole records, one for each read; then it is at its end.

    lost: what each probe has lost by the time of each read, for accounts of losses.
    """

    def __init__(self, chunks: Sequence[bytes], lost: Sequence[tuple[int, ...]] = ()) -> None:
        self._chunks = tuple(chunks)
        self._lost = tuple(lost)

    def start(self, program: Program) -> Replaying:
        """A fresh run from the first chunk on."""
        return Replaying(program, self._chunks, self._lost)


class Replaying:
    """One run of a replay; ``closed`` tells a test that the session cleaned up."""

    def __init__(self, program: Program, chunks: tuple[bytes, ...], lost: tuple[tuple[int, ...], ...]) -> None:
        self._program = program
        self._chunks = chunks
        self._lost = lost
        self._next = 0
        self.closed = False

    def ready_descriptor(self) -> int | None:
        """None: everything is there already."""
        return None

    def read(self) -> Batch:
        """The next chunk, an empty batch behind the last."""
        import numpy as np  # as in record.py

        chunk = self._chunks[self._next] if self._next < len(self._chunks) else b""
        self._next += 1
        data = np.frombuffer(chunk, dtype=np.uint8).reshape(-1, self._program.stride)
        return Batch(self._program.layouts, data)

    def lost(self) -> tuple[int, ...]:
        """As given for the last read, the last one given behind it."""
        nothing = (0,) * len(self._program.probes)
        if not self._lost:
            return nothing
        return self._lost[min(max(self._next - 1, 0), len(self._lost) - 1)]

    def finished(self) -> bool:
        """Whether every chunk was read."""
        return self._next >= len(self._chunks)

    def detach(self) -> None:
        """Nothing to detach."""

    def close(self) -> None:
        """Notes that the session is over."""
        self.closed = True
