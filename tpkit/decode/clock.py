"""Times of records: nanoseconds since boot (CLOCK_MONOTONIC, ``bpf_ktime_get_ns``) → times of day."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache


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
        seconds, rest = divmod(ktime + self.offset, 1_000_000_000)
        return f"{_local(seconds)}.{rest // 1000:06d}"

    def iso(self, ktime: int) -> str:
        """UTC, ISO 8601 with nanoseconds."""
        seconds, rest = divmod(ktime + self.offset, 1_000_000_000)
        return f"{_utc(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=64)
def _local(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


@lru_cache(maxsize=64)
def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
