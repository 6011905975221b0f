"""Times of records: nanoseconds since boot (CLOCK_MONOTONIC, ``bpf_ktime_get_ns``) → times of day."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """offset: what to add to a record's time to get nanoseconds since 1970."""

    offset: int

    @classmethod
    def now(cls) -> Clock:
        """The offset as it is at this moment; steps of the clock later on aren't followed."""
        return cls(time.time_ns() - time.monotonic_ns())

    def time_of_day(self, ktime: int) -> str:
        """Local ``HH:MM:SS.microseconds``."""
        seconds, rest = divmod(ktime + self.offset, SECOND)
        return f"{_local(seconds)}.{rest // 1000:06d}"

    def iso(self, ktime: int) -> str:
        """UTC, ISO 8601 with nanoseconds."""
        seconds, rest = divmod(ktime + self.offset, SECOND)
        return f"{_utc(seconds)}.{rest:09d}Z"

    def times_of_day(self, ktimes: NDArray[np.uint64]) -> list[bytes]:
        """``time_of_day`` of many."""
        seconds, rest = self._split(ktimes)
        return _stamps(seconds, _local, (rest // 1_000_000, rest // 1000 % 1000), b"")

    def isos(self, ktimes: NDArray[np.uint64]) -> list[bytes]:
        """``iso`` of many."""
        seconds, rest = self._split(ktimes)
        return _stamps(seconds, _utc, (rest // 1_000_000, rest // 1000 % 1000, rest % 1000), b"Z")

    def _split(self, ktimes: NDArray[np.uint64]) -> tuple[Integers, Integers]:
        """Seconds since 1970, and nanoseconds.

        64 bits are enough until 2262; a damaged record's time may wrap around, to some time of theirs.
        """
        import numpy as np  # 150 ms that list and describe needn't pay

        since_1970 = ktimes.astype(np.int64) + np.int64(self.offset)
        seconds = since_1970 // SECOND
        return seconds, since_1970 - seconds * SECOND


def _stamps(
    seconds: Integers, text_of: Callable[[int], str], thousandths: Sequence[Integers], end: bytes
) -> list[bytes]:
    """``text_of`` of each second, a point, and groups of three digits."""
    import numpy as np  # as in Clock

    first = text_of(int(seconds[0])).encode() + b"."
    head = len(first)
    table = np.empty((len(seconds), head + 3 * len(thousandths) + len(end)), dtype=np.uint8)
    table[:, :head] = np.frombuffer(first, dtype=np.uint8)
    if seconds[0] != seconds[-1] or (seconds != seconds[0]).any():
        distinct, which = np.unique(seconds, return_inverse=True)
        texts = "".join(text_of(int(each)) + "." for each in distinct).encode()
        table[:, :head] = np.frombuffer(texts, dtype=np.uint8).reshape(len(distinct), head)[which]
    for group, numbers in enumerate(thousandths):
        table[:, head + 3 * group : head + 3 * group + 3] = _three_digits()[numbers]
    table[:, table.shape[1] - len(end) :] = np.frombuffer(end, dtype=np.uint8)
    stamps: list[bytes] = table.view(f"S{table.shape[1]}")[:, 0].tolist()
    return stamps


@lru_cache(maxsize=1)
def _three_digits() -> NDArray[np.uint8]:
    """000 to 999 in ASCII, (1000, 3)."""
    import numpy as np  # as in Clock

    return np.frombuffer(b"".join(b"%03d" % n for n in range(1000)), dtype=np.uint8).reshape(1000, 3)


@lru_cache(maxsize=64)
def _local(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


@lru_cache(maxsize=64)
def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
