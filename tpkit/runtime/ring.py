"""Ways to empty a BPF ring buffer in batches.

``MappedRing`` maps the ring and reads it as the array it is: 0.3 µs an event. The layout is that of
``kernel/bpf/ringbuf.c``: a page with the consumer's position (ours to write), a page with the
producer's, and the data, mapped twice in a row so that no record is ever cut. Before each record
stand 8 bytes, a u32 with its length and two flags, and a u32 for the kernel's own use.

``CallbackRing`` asks libbcc for one record at a time, for machines where plain loads may be
reordered: there MappedRing would need barriers that Python can't express.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RECORD_HEADER = 8  # BPF_RINGBUF_HDR_SZ; BUSY and DISCARD are bits 31 and 30 of its first word

# Loads aren't reordered with loads here (x86 TSO; the z/Architecture is as strict).
STRONGLY_ORDERED = ("x86_64", "i686", "s390x")


class Ring(Protocol):
    """A ring buffer of records that all have the same size."""

    def read(self) -> NDArray[np.uint8]:
        """The complete records, oldest first, as (n, stride) bytes of our own."""

    def close(self) -> None:
        """Unmaps, where something was mapped."""


class MappedRing:
    """The ring buffer behind ``descriptor``, of ``size`` bytes, with records of ``stride`` bytes."""

    def __init__(self, descriptor: int, size: int, stride: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self._step = stride + RECORD_HEADER
        self._length = stride
        self._consumer_page = mmap.mmap(descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._pages = mmap.mmap(descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        except BaseException:
            self._consumer_page.close()
            raise
        self._consumer = np.frombuffer(self._consumer_page, dtype=np.uint64, count=1)
        self._producer = np.frombuffer(self._pages, dtype=np.uint64, count=1)
        self._data = np.frombuffer(self._pages, dtype=np.uint8, offset=page)

    def read(self) -> NDArray[np.uint8]:
        """The complete records; the room they took is the kernel's again."""
        consumed = int(self._consumer[0])
        waiting = int(self._producer[0]) - consumed
        start = consumed & (self._size - 1)
        records = self._data[start : start + waiting // self._step * self._step].reshape(-1, self._step)
        lengths = np.ascontiguousarray(records[:, :4]).view(np.uint32)[:, 0]
        # A record that is still being written has its busy bit set, and ends what can be read now.
        unfinished = np.flatnonzero(lengths != self._length)
        count = int(unfinished[0]) if unfinished.size else len(records)
        copied = records[:count, RECORD_HEADER:].copy()
        self._consumer[0] = consumed + count * self._step  # only now: the kernel may write there at once
        return copied

    def close(self) -> None:
        """Unmaps the ring."""
        del self._consumer, self._producer, self._data
        self._consumer_page.close()
        self._pages.close()


class CallbackRing:
    """A ring buffer read by libbcc, one callback a record.

    open_ring: takes the callback ``(ctx, data, size)``, as bcc's ``RingBuf.open_ring_buffer``;
    consume: calls it for all that waits.
    """

    def __init__(
        self,
        open_ring: Callable[[Callable[[object, int, int], int]], object],
        consume: Callable[[], object],
        stride: int,
    ) -> None:
        self._consume = consume
        self._stride = stride
        self._records: list[bytes] = []
        open_ring(self._take)

    def _take(self, _context: object, data: int, _size: int) -> int:
        self._records.append(ctypes.string_at(data, self._stride))
        return 0

    def read(self) -> NDArray[np.uint8]:
        """The complete records."""
        self._consume()
        taken, self._records = self._records, []
        return np.frombuffer(b"".join(taken), dtype=np.uint8).reshape(-1, self._stride)

    def close(self) -> None:
        """libbcc frees its ring with the program."""


def can_map() -> bool:
    """Whether this machine keeps the order of loads that MappedRing relies on."""
    return platform.machine() in STRONGLY_ORDERED
