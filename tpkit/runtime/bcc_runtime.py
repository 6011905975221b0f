"""The kernel as a runtime: BCC's compiler makes bytecode of a program, our loader puts it there."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

from tpkit.batch import Batch
from tpkit.program import DEFAULT_RING_SIZE, Program
from tpkit.record import PROBE, PROBE_OFFSET
from tpkit.runtime.base import Counts
from tpkit.runtime.compiler import CachingCompiler
from tpkit.runtime.diagnose import check_privileges
from tpkit.runtime.loader import Loaded
from tpkit.runtime.ring import MappedRing

Progress = Callable[[int, int], None]


class BccRuntime:
    """The running kernel.

    ring_size: bytes of the ring buffer, a power of two; cgroup: a descriptor of the folder of the one to look at;
    compiler: may know programs from earlier runs, None for one that doesn't; progress: called with the number of
    probes that are attached, and of all.
    """

    def __init__(
        self,
        *,
        ring_size: int = DEFAULT_RING_SIZE,
        cgroup: int | None = None,
        compiler: CachingCompiler | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._ring_size = ring_size
        self._cgroup = cgroup
        self._compiler = compiler or CachingCompiler(None)
        self._progress = progress

    def start(self, program: Program) -> Attached:
        """Compiles, loads and attaches. Raises ProbeError, and then leaves nothing behind."""
        loaded = self._loaded(program)
        try:
            for number, hook in enumerate(program.hooks):
                loaded.attach(number, hook)
                if self._progress is not None:
                    self._progress(number + 1, len(program.hooks))
            return Attached(loaded, program, self._ring_size, self._cgroup)
        except BaseException:
            loaded.close()
            raise

    def load(self, program: Program) -> None:
        """Compiles and loads, attaches nothing, and gives all of it back: would the kernel take it?

        Raises ProbeError: CompileError, LoadError and what ``start`` raises besides them.
        """
        self._loaded(program).close()

    def _loaded(self, program: Program) -> Loaded:
        check_privileges()
        bytecode = self._compiler.compile(program.sources)
        loaded = Loaded(bytecode, program, self._ring_size)
        self._compiler.keep()
        return loaded


class Attached:
    """A program at work in the kernel, and its ring buffer."""

    def __init__(self, loaded: Loaded, program: Program, ring_size: int, cgroup: int | None) -> None:
        self._loaded = loaded
        self._program = program
        self._ring: MappedRing | None = MappedRing(loaded.maps[program.maps.ring], ring_size)
        try:
            if cgroup is not None and program.maps.cgroup is not None:
                loaded.put(program.maps.cgroup, 0, struct.pack("=I", cgroup))
            self._switch(on=True)
        except BaseException:
            self._ring.close()
            raise

    def follow(self, thread: int) -> None:
        """Look at this thread, and at all that it starts."""
        assert self._program.maps.followed is not None  # a program made for that
        self._loaded.put(self._program.maps.followed, thread, b"\1")

    def _switch(self, *, on: bool) -> None:
        """All programs at once: what they count and emit belongs together."""
        self._loaded.set_number(self._program.maps.session, 0, int(on))

    def ready_descriptor(self) -> int | None:
        """The ring buffer's map: it polls readable when its consumer has something to do."""
        return self._loaded.maps[self._program.maps.ring]

    def finished(self) -> bool:
        """Never: a kernel goes on."""
        return False

    def read(self) -> Batch:
        """The records that are complete, oldest first."""
        assert self._ring is not None  # closed sessions aren't read
        return self._ring.read(self._program.layouts)

    def fullness(self) -> float:
        """Which share of the ring buffer was taken at the last read, 0 to 1."""
        assert self._ring is not None  # as in read
        return self._ring.fullness

    def counts(self) -> tuple[Counts, ...]:
        """For each layout, what its programs have counted so far."""
        maps = self._program.maps
        return tuple(Counts(**each) for each in self._loaded.counters(maps.counts, len(self._program.layouts)))

    def unfinished(self) -> tuple[int, ...]:
        """For each layout, how many calls haven't returned."""
        found = [0] * len(self._program.layouts)
        if self._program.maps.calls is not None:
            for value in self._loaded.values(self._program.maps.calls):
                found[probe_of(value)] += 1
        return tuple(found)

    def missed(self) -> int:
        """How often the kernel didn't run a program of ours; 0 where it doesn't count that."""
        return self._loaded.misses()

    def unfollowed(self) -> int:
        """How many threads should have been followed, and couldn't be."""
        return self._loaded.number(self._program.maps.session, 1)

    def detach(self) -> None:
        """Nothing more is counted or emitted from here on."""
        if self._loaded.programs:
            self._switch(on=False)

    def close(self) -> None:
        """Detaches, unmaps, and lets the kernel free programs and maps."""
        if self._ring is not None:
            self.detach()
            self._ring.close()
            self._ring = None
            self._loaded.close()


def probe_of(record: bytes) -> int:
    """The number of what a record is of."""
    return int.from_bytes(record[PROBE_OFFSET : PROBE_OFFSET + PROBE.size], sys.byteorder)
