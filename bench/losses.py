"""What tracers say that they have lost, read from their own words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BPFTRACE = re.compile(rb"Lost (\d+) events")  # 0.17: on stdout; newer: a warning on stderr
_PERF_TRACE = re.compile(rb"LOST (\d+) events!")
_PERF_SECTION = re.compile(r"^\S.*\bstats:$", re.MULTILINE)  # an event's part of `perf report --stats`
_PERF_COUNT = re.compile(r"^\s*(\w+) events:\s+(\d+)", re.MULTILINE)
_TPKIT = re.compile(r"^tpkit: (\d+) events? in [\d.]+ s, (?:(\d+) lost|none lost)", re.MULTILINE)


def of_bpftrace(words: bytes) -> int:
    """Events lost, all messages added up; bpftrace counts since the last message."""
    return sum(map(int, _BPFTRACE.findall(words)))


def of_perf_trace(words: bytes) -> int:
    """Events lost, all messages added up."""
    return sum(map(int, _PERF_TRACE.findall(words)))


@dataclass(frozen=True, slots=True)
class Account:
    """A tracer's own account of one session, in events. lost: None where it doesn't say."""

    delivered: int
    lost: int | None


def of_perf_report(text: str) -> Account:
    """What ``perf report --stats`` says of the one event that was recorded. Raises ValueError.

    In an event's own part, LOST_SAMPLES counts samples; in the part for all events it counts records.
    """
    parts = _PERF_SECTION.split(text)
    own = dict(_PERF_COUNT.findall(parts[-1])) if len(parts) > 2 else {}
    if not own and "stats:" not in text:
        raise ValueError("not what perf report --stats prints")
    return Account(int(own.get("SAMPLE", 0)), int(own.get("LOST_SAMPLES", 0)))


def of_tpkit(text: str) -> Account | None:
    """The totals on tpkit's stderr; None where there are none."""
    found = _TPKIT.search(text)
    return Account(int(found[1]), int(found[2] or 0)) if found else None
