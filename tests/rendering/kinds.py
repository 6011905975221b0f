"""The events of this kernel as the recorder needs them: number → name, origin, and whose names it holds."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tpkit.format_parser import parse_format
from tpkit.model import EventFormat, Field

OWN_COMM = b"tpkit"  # every task of the workload is named with it


@dataclass(frozen=True, slots=True)
class PairedRecord:
    """A record and the kernel's text of it.

    event: ``category:name``; record: from common_type on; text: what follows ``name: `` in the trace
    file, several lines joined with newlines (for a system call, the whole ``sys_read(fd: …)``);
    timestamp: ns of the trace clock; number: the event's number on this boot; pid and flags: common_pid
    and common_flags.
    """

    event: str
    record: bytes
    text: str
    timestamp: int
    cpu: int
    number: int
    pid: int
    flags: int


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event of the running kernel."""

    event: str
    number: int
    lead: str
    format: EventFormat
    comms: tuple[Field, ...]

    def origin(self, record: bytes) -> tuple[int, int]:
        """common_pid and common_flags."""
        return _integer(record, self.format.field("common_pid")), record[self.format.field("common_flags").offset]

    def names_others(self, record: bytes) -> bool:
        """Whether a task's name in the record isn't one of the workload's, or a log line isn't its own."""
        if self.event == "printk:console":  # whoever holds the console's lock prints for all
            return OWN_COMM not in record
        return any(not _is_own(comm) for comm in (self._bytes(record, each) for each in self.comms))

    def new_pids(self, record: bytes) -> set[int]:
        """The process that the record tells the birth of."""
        if self.event == "sched:sched_process_fork":
            return {_integer(record, self.format.field("child_pid"))}
        if self.event == "task:task_newtask":
            return {_integer(record, self.format.field("pid"))}
        return set()

    def _bytes(self, record: bytes, field: Field) -> bytes:
        value = record[field.offset : field.end]
        if not field.type.is_dynamic:
            return value
        where = int.from_bytes(value, sys.byteorder)
        return record[where & 0xFFFF : (where & 0xFFFF) + (where >> 16)]


def _integer(record: bytes, field: Field) -> int:
    return int.from_bytes(record[field.offset : field.end], sys.byteorder, signed=bool(field.signed))


def _is_own(comm: bytes) -> bool:
    """Bytes behind the end count too: they may hold the rest of an older name."""
    name, _, rest = comm.partition(b"\0")
    return (name.startswith(OWN_COMM) or not name) and not rest.strip(b"\0")


def kind_of(category: str, text: str) -> EventKind:
    """From a format file's text."""
    parsed = parse_format(text, category)
    comms = tuple(f for f in parsed.fields if re.fullmatch(r"\w*comm", f.name) and f.type.is_text)
    return EventKind(str(parsed.id), parsed.number or 0, _lead(parsed), parsed, comms)


def _lead(parsed: EventFormat) -> str:
    """How the event's text begins: with its name, or with the system call's as the kernel defines it.

    print_syscall_enter() and print_syscall_exit() don't use the print fmt.
    """
    if parsed.id.is_syscall_enter:
        return f"sys_{parsed.id.syscall}("
    if parsed.id.is_syscall_exit:
        return f"sys_{parsed.id.syscall} -> "
    return f"{parsed.id.name}: "


def read_kinds(tracefs: Path) -> dict[int, EventKind]:
    """All events of the running kernel by number."""
    kinds = (
        kind_of(path.parts[-3], path.read_text())
        for path in (tracefs / "events").glob("*/*/format")
        if path.parts[-3] != "ftrace"
    )
    return {kind.number: kind for kind in kinds}
