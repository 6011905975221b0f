"""Where each type's record starts: the walk through the type section that type ids need.

A type's id is its record's position in the section, so the way to a type leads over all types before
it. The walk goes as far as it is asked to and keeps what it has seen: 10 to 20 ms for a whole kernel.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import repeat

from tpkit.btf.blob import RECORD_WORDS, Blob

_CHUNK = 4096  # types walked at once on the way to a position


class TypeIndex:
    """The starts of one blob's records, in words, as far as they are known."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._starts = array("I")
        self._next = 0
        self._lengths: dict[int, int] = {}

    def start(self, number: int) -> int | None:
        """Where the record of this number (from 0) starts, None behind the last. Raises BtfError."""
        if number >= len(self._starts):
            self._walk(number + 1 - len(self._starts))
        return self._starts[number] if number < len(self._starts) else None

    def number(self, start: int) -> int | None:
        """Which record starts at a position, from 0; None where none does. Raises BtfError."""
        while self._next <= start and not self._is_complete():
            self._walk(_CHUNK)
        at = bisect_left(self._starts, start)
        return at if at < len(self._starts) and self._starts[at] == start else None

    def count(self) -> int:
        """The number of all types. Raises BtfError."""
        while not self._is_complete():
            self._walk(_CHUNK)
        return len(self._starts)

    def start_around(self, position: int) -> int:
        """Where the record starts that covers a position within the section. Raises BtfError."""
        while self._next <= position and not self._is_complete():
            self._walk(_CHUNK)
        return self._starts[bisect_right(self._starts, position) - 1]

    def _is_complete(self) -> bool:
        return self._next == len(self._blob.words)

    def _walk(self, count: int) -> None:
        """Go on by ``count`` types, or to the end.

        The loop runs 130,000 times: local names only, and no call in it. A kernel has about 300
        different info words, so their lengths are looked up.
        """
        words, lengths, append, at = self._blob.words, self._lengths, self._starts.append, self._next
        wanted, end = len(self._starts) + count, len(words)
        while at < end and len(self._starts) < wanted:
            try:
                for _ in repeat(None, wanted - len(self._starts)):
                    length = lengths[words[at + 1]]
                    append(at)
                    at += length
            except KeyError:
                lengths[words[at + 1]] = self._blob.length(words[at + 1])
            except IndexError:  # at the end, or in the middle of a record that is cut short
                break
        self._next = at
        if at != end and at + RECORD_WORDS > end:
            raise self._blob.error("the last type's record is cut short")
