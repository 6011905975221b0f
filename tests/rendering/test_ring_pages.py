"""Pages of the ring buffer, made by hand after ``kernel/trace/ring_buffer.c``."""

from __future__ import annotations

import struct
import sys

import pytest

from tests.rendering.ring_pages import PageError, PageLayout, decode_page

HEADER_PAGE = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
LAYOUT = PageLayout.parse(HEADER_PAGE)

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the entries here are little-endian")


def head(kind: int, delta: int) -> bytes:
    return struct.pack("<I", kind | delta << 5)


def page(*entries: bytes, start: int = 1000, flags: int = 0, tail: bytes = b"") -> bytes:
    data = b"".join(entries)
    return (struct.pack("<QQ", start, len(data) | flags) + data + tail).ljust(LAYOUT.page_size, b"\0")


def test_layout_is_read_from_header_page() -> None:
    assert PageLayout(8, 8, 16, 4080) == LAYOUT
    assert LAYOUT.page_size == 4096


def test_short_and_long_entries() -> None:
    long = b"x" * 200
    decoded = decode_page(page(head(2, 5) + b"abcdefgh", head(0, 7) + struct.pack("<I", 204) + long), LAYOUT)
    assert decoded.records == ((1005, b"abcdefgh"), (1012, long))
    assert decoded.missed == 0


def test_time_extends_and_stamps_move_the_clock() -> None:
    decoded = decode_page(
        page(
            head(30, 3) + struct.pack("<I", 1),  # a time too far for 27 bits
            head(1, 1) + b"abcd",
            head(31, 9) + struct.pack("<I", 2),  # an absolute one
            head(1, 0) + b"efgh",
        ),
        LAYOUT,
    )
    assert decoded.records == ((1000 + (1 << 27) + 4, b"abcd"), ((2 << 27) + 9, b"efgh"))


def test_absolute_time_keeps_the_upper_bits() -> None:
    before = (3 << 59) | 500
    decoded = decode_page(page(head(31, 400) + struct.pack("<I", 0), head(1, 0) + b"abcd", start=before), LAYOUT)
    assert decoded.records == (((4 << 59) | 400, b"abcd"),)


def test_padding_is_skipped_or_ends_the_page() -> None:
    discarded = head(29, 9) + struct.pack("<I", 8) + b"gone"
    decoded = decode_page(page(discarded, head(1, 1) + b"abcd", head(29, 0), b"rest"), LAYOUT)
    assert decoded.records == ((1001, b"abcd"),)


def test_missed_events() -> None:
    stored = page(head(1, 1) + b"abcd", flags=3 << 30, tail=struct.pack("<Q", 77))
    assert decode_page(stored, LAYOUT).missed == 77
    assert decode_page(page(head(1, 1) + b"abcd", flags=1 << 31), LAYOUT).missed is None


@pytest.mark.parametrize("data", [b"", bytes(15), struct.pack("<QQ", 0, 5000)])
def test_no_page(data: bytes) -> None:
    with pytest.raises(PageError):
        decode_page(data, LAYOUT)


def test_entry_beyond_the_committed_data() -> None:
    with pytest.raises(PageError):
        decode_page(page(head(28, 1) + b"abcd"), LAYOUT)
