"""The pages of ``per_cpu/cpuN/trace_pipe_raw``: bytes → (timestamp, record) in the order of writing.

The layout is the kernel's ``struct buffer_data_page`` and ``struct ring_buffer_event`` (see
``include/linux/ring_buffer.h``, ``kernel/trace/ring_buffer.c``); tracefs describes it in
``events/header_page`` and ``events/header_event``.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
_DELTA_BITS = 27
_MISSED_EVENTS, _MISSED_STORED = 1 << 31, 1 << 30
_TIME_STAMP_BITS = 59  # of an absolute time stamp; the upper five come from the time before it


class PageError(ValueError):
    """Bytes that aren't a page of the ring buffer."""


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Where the parts of a page are, from ``events/header_page``: offsets and sizes in bytes."""

    commit_offset: int
    commit_size: int
    data_offset: int
    data_size: int

    @property
    def page_size(self) -> int:
        return self.data_offset + self.data_size

    @classmethod
    def parse(cls, header_page: str) -> PageLayout:
        """Raises PageError when ``commit`` or ``data`` isn't described."""
        found = {
            name: (int(offset), int(size))
            for name, offset, size in re.findall(r"(\w+);\s*offset:(\d+);\s*size:(\d+);", header_page)
        }
        try:
            return cls(*found["commit"], *found["data"])
        except KeyError as error:
            raise PageError(f"header_page doesn't describe {error}") from None


@dataclass(frozen=True, slots=True)
class Page:
    """One page. missed: events lost before it, None when the kernel doesn't know how many (0: none)."""

    missed: int | None
    records: tuple[tuple[int, bytes], ...]


def decode_page(page: bytes, layout: PageLayout) -> Page:
    """The records of a page with their times (ns of the trace clock). Raises PageError."""
    start = layout.data_offset
    if len(page) < start:
        raise PageError(f"a page of {len(page)} bytes has no header")
    commit_bytes = page[layout.commit_offset : layout.commit_offset + layout.commit_size]
    commit = int.from_bytes(commit_bytes, sys.byteorder) & 0xFFFFFFFF
    length = commit & ~(_MISSED_EVENTS | _MISSED_STORED)
    if start + length > len(page):
        raise PageError(f"{length} bytes committed in a page of {len(page)}")
    data = page[start : start + length]
    (timestamp,) = struct.unpack_from("=Q", page)
    return Page(_missed(page, commit, start + length), tuple(_entries(data, timestamp)))


def _missed(page: bytes, commit: int, end: int) -> int | None:
    if not commit & _MISSED_EVENTS:
        return 0
    if not commit & _MISSED_STORED:
        return None
    return int(struct.unpack_from("=Q", page, end)[0])


def _entries(data: bytes, timestamp: int) -> Iterator[tuple[int, bytes]]:
    """Walk the entries. As in the kernel's reader, only data and time entries move the clock."""
    position = 0
    while position < len(data):
        (head,) = struct.unpack_from("=I", data, position)
        kind, delta = _split(head)
        position += 4
        if kind == _PADDING and delta == 0:  # the rest of the page is empty
            return
        extra = 0
        if kind == 0 or kind >= _PADDING:
            (extra,) = struct.unpack_from("=I", data, position)
        if kind == _PADDING:  # a discarded event; its length counts the word that holds it
            position += extra
        elif kind == _TIME_EXTEND:
            timestamp += (extra << _DELTA_BITS) + delta
            position += 4
        elif kind == _TIME_STAMP:
            timestamp = _absolute((extra << _DELTA_BITS) + delta, timestamp)
            position += 4
        else:
            timestamp += delta
            begin, position = (position + 4, position + extra) if kind == 0 else (position, position + kind * 4)
            if position > len(data):
                raise PageError(f"an entry reaches {position - len(data)} bytes beyond the committed data")
            yield timestamp, data[begin:position]


def _split(head: int) -> tuple[int, int]:
    """type_len and time_delta: bit fields, so the machine's byte order says which end they are at."""
    if sys.byteorder == "little":
        return head & 31, head >> 5
    return head >> _DELTA_BITS, head & ((1 << _DELTA_BITS) - 1)


def _absolute(stamp: int, before: int) -> int:
    """An absolute time made whole with the upper bits of the time before it (``rb_fix_abs_ts``)."""
    upper = before >> _TIME_STAMP_BITS << _TIME_STAMP_BITS
    if upper:
        stamp |= upper
        if stamp < before:  # the lower bits wrapped in between
            stamp += 1 << _TIME_STAMP_BITS
    return stamp
