"""Batches: records as they came out of the ring buffer, still in its own bytes.

The layout of those bytes is that of ``kernel/bpf/ringbuf.c``: before each record stand 8 bytes, a u32 with its
length and two flags, and a u32 for the kernel's own use; the next one begins at the next multiple of 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from tpkit.record import PID, PROBE, PROBE_OFFSET, TID, TIME, RecordLayout

RECORD_HEADER = 8  # BPF_RINGBUF_HDR_SZ
UNFINISHED = 0xC000_0000  # BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT, uapi/linux/bpf.h

Offsets = NDArray[np.int64]

# As many records of one length in a row are measured at once, before the walk goes on one by one.
_RUN = 16
# So many steps of 8 bytes are walked one by one after a short run.
_PART = 1 << 14


@dataclass(frozen=True, slots=True)
class Batch:
    """Records, oldest first.

    layouts: by the probe's number; data: a ring buffer's bytes, of a multiple of 8 and aligned to 8; starts: where
    in it records begin (behind the ring buffer's own 8 bytes), in bytes; lengths: theirs, in bytes.
    """

    layouts: tuple[RecordLayout, ...]
    data: NDArray[np.uint8]
    starts: Offsets
    lengths: Offsets

    @classmethod
    def of_bytes(cls, layouts: tuple[RecordLayout, ...], data: NDArray[np.uint8]) -> Batch:
        """All complete records that these bytes of a ring buffer begin with."""
        starts, lengths, end = walk(data)
        return cls(layouts, data[:end], starts, lengths)

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Several as one; at least one, all of the same program."""
        if len(batches) == 1:
            return batches[0]
        ends = np.cumsum([0, *(len(each.data) for each in batches[:-1])])
        return cls(
            batches[0].layouts,
            np.concatenate([each.data for each in batches]),
            np.concatenate([each.starts + end for each, end in zip(batches, ends, strict=True)]),
            np.concatenate([each.lengths for each in batches]),
        )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, chosen: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Batch:
        """Some of the records; the bytes stay as they are."""
        return replace(self, starts=self.starts[chosen], lengths=self.lengths[chosen])

    def times(self) -> NDArray[np.uint64]:
        """Nanoseconds since boot."""
        return self.data.view(np.uint64)[self.starts // TIME.size]

    def pids(self) -> NDArray[np.uint32]:
        """Thread groups."""
        return self.data.view(np.uint32)[(self.starts + TIME.size) // PID.size]

    def tids(self) -> NDArray[np.uint32]:
        """Threads."""
        return self.data.view(np.uint32)[(self.starts + TIME.size + PID.size) // TID.size]

    def probes(self) -> NDArray[np.uint32]:
        """The number of the probe that each record is of."""
        return self.data.view(np.uint32)[(self.starts + PROBE_OFFSET) // PROBE.size]

    def ends(self) -> NDArray[np.uint64]:
        """When the events were over, in ns since boot: a call when it returned, others when they happened."""
        times = self.times()
        numbers = [n for n, layout in enumerate(self.layouts) if layout.is_call]
        if numbers:
            probes = self.probes()
            for number in np.intersect1d(probes, numbers).tolist():
                chosen, duration = probes == number, self.layouts[number].duration
                assert duration is not None  # of a call
                times[chosen] += self.fixed(number, self.starts[chosen])[duration.name]
        return times

    def compact(self) -> Batch:
        """The same records in no more bytes than they need."""
        data, steps = self.data.tobytes(), RECORD_HEADER + (self.lengths + 7) // 8 * 8
        begins = (self.starts - RECORD_HEADER).tolist()
        parts = [data[begin : begin + step] for begin, step in zip(begins, steps.tolist(), strict=True)]
        starts = np.cumsum([0, *steps[:-1].tolist()]) + RECORD_HEADER if parts else self.starts
        return replace(self, data=np.frombuffer(b"".join(parts), dtype=np.uint8), starts=starts)

    def count_by_probe(self) -> list[int]:
        """How many records there are of each probe."""
        return [int(n) for n in np.bincount(self.probes(), minlength=len(self.layouts))]

    def fixed(self, probe: int, starts: Offsets) -> NDArray[np.void]:
        """The fixed parts of the records of one probe that begin there, as a structured array (maybe a view)."""
        dtype = _dtype(self.layouts[probe])
        size = dtype.itemsize
        step = _step(starts, size)
        if step:
            first, last = int(starts[0]), int(starts[-1])
            part = self.data[first : last + size]
            table = as_strided(part, (len(starts), size), (step, 1), writeable=False)
        else:
            places = (starts // 8)[:, None] + np.arange(size // 8)
            table = self.data.view(np.uint64)[places].view(np.uint8).reshape(len(starts), -1)
        rows: NDArray[np.void] = table.view(dtype)[:, 0]
        return rows


# By id, with the layout so that the id stays its: 100 µs for each event of each batch are too much.
_DTYPES: dict[int, tuple[RecordLayout, np.dtype[np.void]]] = {}
_MOST_DTYPES = 1 << 12


def _dtype(layout: RecordLayout) -> np.dtype[np.void]:
    known = _DTYPES.get(id(layout))
    if known is None:
        if len(_DTYPES) >= _MOST_DTYPES:
            _DTYPES.clear()
        known = _DTYPES[id(layout)] = (layout, layout.dtype())
    return known[1]


def _step(starts: Offsets, size: int) -> int:
    """How far apart they all are, 0 where it differs or is less than the size."""
    if len(starts) < _RUN:  # to look takes longer than to copy
        return 0
    step = int(starts[1] - starts[0])
    return step if step >= size and bool((np.diff(starts) == step).all()) else 0


def walk(data: NDArray[np.uint8]) -> tuple[Offsets, Offsets, int]:
    """Where the complete records in a ring buffer's bytes begin, how long they are, and where the last one ends.

    data: begins with a record's header; a record that is still being written, or isn't wholly there, ends it.
    """
    words = data[: len(data) // 8 * 8].view(np.uint32)
    heads = words[::2]
    starts: list[NDArray[np.int64]] = []
    place = 0  # in steps of 8 bytes, as are all below
    while place < len(heads):
        length = int(heads[place])
        step = 1 + (length + 7) // 8
        if length >= UNFINISHED or place + step > len(heads):
            break
        run = _run_length(heads[place::step], length, (len(heads) - place) // step)
        starts.append(np.arange(place, place + run * step, step, dtype=np.int64))
        place += run * step
        if run < _RUN:
            singly, steps = _walk_singly(words[2 * place : 2 * (place + _PART)])
            starts.append(singly + place)
            place += steps
    found = np.concatenate(starts) if starts else np.empty(0, np.int64)
    return found * 8 + RECORD_HEADER, heads[found].astype(np.int64), place * 8


def _run_length(heads: NDArray[np.uint32], length: int, most: int) -> int:
    """How many records of this length follow each other; looks further only as long as they do."""
    checked, part = 0, _RUN
    while checked < most:
        other = np.flatnonzero(heads[checked : min(checked + part, most)] != length)
        if other.size:
            return checked + int(other[0])
        checked, part = checked + part, part * 8
    return most


def _walk_singly(words: NDArray[np.uint32]) -> tuple[NDArray[np.int64], int]:
    """The complete records in so many bytes, whatever their lengths; where the last one ends. All in steps."""
    heads, most = words.data, len(words)
    found: list[int] = []
    add = found.append
    place = 0  # in words of 4 bytes
    try:
        while True:  # the end is told by IndexError: comparing would cost a third of the time
            length = heads[place]
            add(place)
            place += (length + 15 >> 2) & -2
    except IndexError:
        if place > most:  # not wholly there, or not finished: the flags make a length beyond all data
            place = found.pop()
    return np.array(found, dtype=np.int64) // 2, place // 2
