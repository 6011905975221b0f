"""Which lines of the kernel's text belong to which raw record."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from tests.rendering.kinds import EventKind, PairedRecord

# <comm>-<pid> [<cpu>] <flags> <seconds>.<micros>: <text>, as trace_print_context() writes it.
_LINE = re.compile(r"^.*?-(\d+)\s+\[(\d+)\] \S+\s+(\d+)\.(\d{6}): ")


class PairingError(AssertionError):
    """The kernel's text and its raw records don't tell the same story."""


def pair(text: str, raw: Iterable[tuple[int, bytes]], cpu: int, kinds: dict[int, EventKind]) -> list[PairedRecord]:
    """The records of one CPU with their text: all of them, or PairingError.

    A record's text begins at the line that has its pid, CPU, time and name, and goes on to the line
    that begins the next record, because some events write several lines.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    while lines and lines[0].startswith("#"):
        lines.pop(0)
    paired: list[PairedRecord] = []
    position = 0
    entries = [(timestamp, data, _head(timestamp, data, cpu, kinds)) for timestamp, data in raw]
    starts: list[tuple[int, int]] = []
    for _timestamp, _data, head in entries:
        begin = _find(lines, position, head)
        if begin is None:
            raise PairingError(f"no text for a record of {head[1]} at {head[0]} on CPU {cpu}")
        starts.append(begin)
        position = begin[0] + 1
    if lines and (not starts or starts[0][0] != 0):
        raise PairingError(f"text without a record on CPU {cpu}")
    for index, (timestamp, data, _) in enumerate(entries):
        line, column = starts[index]
        end = starts[index + 1][0] if index + 1 < len(starts) else len(lines)
        body = "\n".join([lines[line][column:], *lines[line + 1 : end]])
        kind = kinds[int.from_bytes(data[:2], sys.byteorder)]
        pid, flags = kind.origin(data)
        paired.append(PairedRecord(kind.event, data, body, timestamp, cpu, kind.number, pid, flags))
    return paired


Head = tuple[tuple[int, int, int, int], str]


def _head(timestamp: int, data: bytes, cpu: int, kinds: dict[int, EventKind]) -> Head:
    """What the first line of a record's text must say: (pid, CPU, seconds, micros), and its beginning."""
    number = int.from_bytes(data[:2], sys.byteorder)
    if number not in kinds:
        raise PairingError(f"a record of an unknown event {number} on CPU {cpu}")
    kind = kinds[number]
    seconds, micros = divmod((timestamp + 500) // 1000, 1_000_000)  # ns2usecs() rounds
    return (kind.origin(data)[0], cpu, seconds, micros), kind.lead


def _find(lines: list[str], position: int, head: Head) -> tuple[int, int] | None:
    """The line from ``position`` on that fits the head, and the column behind its lead.

    Lines in between belong to the text of the record before, so they mustn't look like a record's.
    """
    wanted, lead = head
    for number in range(position, len(lines)):
        match = _LINE.match(lines[number])
        if match is None:
            continue
        if tuple(map(int, match.groups())) == wanted and lines[number].startswith(lead, match.end()):
            # A system call's text has no name before it: the lead is part of the text.
            return number, match.end() + (len(lead) if lead.endswith(": ") else 0)
        return None
    return None
