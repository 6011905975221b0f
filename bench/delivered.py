"""What has arrived in a tracer's output: every name looked for, chunk by chunk.

Looking for the whole name as bytes suits every form that holds strings as they are: lines, JSON (no byte of
these names needs an escape), CSV, and columns that aren't compressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.load import DIGITS, prefix

Numbers = NDArray[np.int64]

CHUNK = 32 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """events: different ones that arrived; twice: arrivals beyond the first; foreign: names that were never used.

    checked: whether by name; otherwise ``events`` is a mere count.
    """

    events: int
    twice: int = 0
    foreign: int = 0
    checked: bool = True


def chunks(path: Path, overlap: int, size: int = CHUNK) -> Iterator[bytes]:
    """The file's bytes; each chunk begins with the ``overlap`` last bytes of the one before."""
    before = b""
    with path.open("rb") as file:
        while data := file.read(size):
            yield before + data
            before = (before + data)[-overlap:] if overlap else b""


def by_name(path: Path, made: int, size: int = CHUNK) -> Delivered:
    """Look for the names that a load of ``made`` events used. Raises OSError."""
    name = re.compile(re.escape(prefix()) + rb"(\d{%d})" % DIGITS)
    # One byte less than a name: one that ends in a chunk isn't found again in the next.
    pieces = chunks(path, len(prefix()) + DIGITS - 1, size)
    return _checked((_numbers(name.findall(piece)) for piece in pieces), made)


def by_dfd(path: Path, made: int) -> Delivered:
    """Look for ``dfd: 0x…`` in lines, of a load that was told to number it. Raises OSError."""
    found = (re.findall(rb"dfd: 0x([0-9a-f]+)", lines) for lines in whole_lines(path))
    return _checked((np.array([int(word, 16) for word in words], dtype=np.int64) for words in found), made)


def by_count(path: Path, made: int, line: re.Pattern[bytes]) -> Delivered:
    """Count the lines that the pattern matches a part of; what is more than ``made`` came twice. Raises OSError."""
    with path.open("rb") as file:
        count = sum(1 for each in file if line.search(each))
    return Delivered(min(count, made), twice=max(0, count - made), checked=False)


def _checked(arrivals: Iterable[Numbers], made: int) -> Delivered:
    seen = np.zeros(made, dtype=bool)
    arrived = foreign = 0
    for numbers in arrivals:
        known = numbers[numbers < made]
        seen[known] = True
        arrived += len(known)
        foreign += len(numbers) - len(known)
    events = int(seen.sum())
    return Delivered(events, twice=arrived - events, foreign=foreign)


def _numbers(words: list[bytes]) -> Numbers:
    """Decimal numbers of DIGITS digits each, all at once."""
    digits = np.frombuffer(b"".join(words), dtype=np.uint8).reshape(-1, DIGITS) - ord("0")
    return digits.astype(np.int64) @ 10 ** np.arange(DIGITS - 1, -1, -1, dtype=np.int64)


def whole_lines(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """The file's bytes, many lines at a time: none is torn, and none comes twice."""
    rest = b""
    for chunk in chunks(path, 0, size):
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        yield lines + newline
    yield rest
