"""Empties a BPF ring buffer in batches, by mapping it: a copy of what is in it, and no call a record.

The layout is that of ``kernel/bpf/ringbuf.c``: a page with the consumer's position (ours to write), a page with
the producer's, and the data, mapped twice in a row so that no record is ever cut.

Memory order: the kernel stores a record's bytes before its length loses the busy bit, and both before it looks at
our position; it does so with ``smp_store_release``, ``xchg`` and ``smp_load_acquire``. Our side needs loads to stay
in the order position, lengths, bytes, and the store of our position to come last. x86-64 and s390x promise that.
Elsewhere a full barrier stands between them, which Python has none of, but the kernel does: membarrier(2), of
which the GLOBAL_EXPEDITED kind has an ``smp_mb()`` of its caller's on its way (``kernel/sched/membarrier.c``;
the PRIVATE one returns before that in a process of one thread). Three calls a batch, about a microsecond.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

import numpy as np

from tpkit.batch import Batch, walk
from tpkit.errors import KernelUnsupported
from tpkit.record import RecordLayout
from tpkit.runtime.system_calls import barrier_command

# Loads aren't reordered with loads here, nor stores with what comes before them (x86 TSO; the z/Architecture).
STRONGLY_ORDERED = ("x86_64", "i686", "s390x")

MAX_BATCH = 8 << 20  # bytes that are copied at once: bounds our memory, whatever the ring buffer's size

# uapi/linux/membarrier.h
_GLOBAL_EXPEDITED = 1 << 1
_REGISTER_GLOBAL_EXPEDITED = 1 << 2

Barrier = Callable[[], object]


class MappedRing:
    """The ring buffer behind ``descriptor``, of ``size`` bytes. barrier: None for what this machine needs.

    fullness: the share of it that was taken at the last read, 0 to 1.
    """

    def __init__(self, descriptor: int, size: int, barrier: Barrier | None = None) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self.fullness = 0.0
        self._barrier = find_barrier() if barrier is None else barrier
        self._consumer_page = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._pages = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        except BaseException:
            self._consumer_page.close()
            raise
        self._consumer = np.frombuffer(self._consumer_page, dtype=np.uint64, count=1)
        self._producer = np.frombuffer(self._pages, dtype=np.uint64, count=1)
        self._data = np.frombuffer(self._pages, dtype=np.uint8, offset=page)

    def read(self, layouts: tuple[RecordLayout, ...]) -> Batch:
        """The complete records, 8 MiB of them at most; the room they took is the kernel's again."""
        consumed = int(self._consumer[0])
        waiting = int(self._producer[0]) - consumed
        self.fullness = waiting / self._size
        waiting = min(waiting, MAX_BATCH)
        self._barrier()
        start = consumed & (self._size - 1)
        region = self._data[start : start + waiting]
        starts, lengths, end = walk(region)
        self._barrier()
        copied = region[:end].copy()
        self._barrier()
        self._consumer[0] = consumed + end  # only now: the kernel may write there at once
        return Batch(layouts, copied, starts, lengths)

    def close(self) -> None:
        """Unmaps the ring."""
        del self._consumer, self._producer, self._data
        self._consumer_page.close()
        self._pages.close()


def find_barrier(machine: str | None = None) -> Barrier:
    """What keeps our loads and stores in order on this kind of machine. Raises KernelUnsupported."""
    if (machine or os.uname().machine) in STRONGLY_ORDERED:
        return _no_barrier
    try:
        barrier_command(_REGISTER_GLOBAL_EXPEDITED)
        return barrier_command(_GLOBAL_EXPEDITED)
    except OSError:
        raise KernelUnsupported(
            "this kernel has no membarrier(2), without which the ring buffer can't be read safely on this machine",
            remedy="boot a kernel with CONFIG_MEMBARRIER (Linux 4.16 or newer)",
        ) from None


def _no_barrier() -> None:
    """Nothing: the order is the processor's."""
