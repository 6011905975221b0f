"""The recorded part of the comparison: a few records of each event, fit to be published.

A fixture folder holds ``records.jsonl`` (one record a line: event, record in hex, the kernel's text with
the trace option hash-ptr off); what one must know of the kernel to write the same text: ``machine.json``,
and the lines of ``kallsyms`` and ``printk_formats`` that the records point to; and the format files of
its events, verbatim, below ``events/``. What tells of the machine or of other processes stays out: whole
records are left away, none is edited.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import re
import shutil
import struct
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.rendering.kinds import PairedRecord
from tpkit.btf import load_kernel_btf
from tpkit.machine import ticks

RECORDS_PER_EVENT = 3
OWN_PATHS = ("/tmp/tpkit-workload-", "/tpkit", "/dev/null", "/dev/zero", "/proc/self/", "/dev/loop")  # noqa: S108
OWN_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.77.0.0/16", "0.0.0.0/32", "::/127", "fd77::/16", "fe80::/10", "ff00::/8",
         "::ffff:127.0.0.0/104", "::ffff:10.77.0.0/112", "::ffff:0.0.0.0/128"),
    )
)  # fmt: skip

_PATH = re.compile(r"(?<![\w.)>])/[A-Za-z0-9_.-]{2,}(?:/[A-Za-z0-9_.-]+)*")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|\d+\.\d+\.\d+\.\d+)?(?![\w:])", re.I)


def folder_name() -> str:
    """``6.18-x86_64``: the running kernel's release without its patch level, and the architecture."""
    major, minor = platform.release().split(".")[:2]
    return f"{major}.{re.match(r'[0-9]+', minor)[0]}-{platform.machine()}"  # type: ignore[index]


def write(records: Iterable[PairedRecord], folder: Path, tracefs: Path) -> int:
    """Choose records and write them with their format files; the number of records. Replaces the folder."""
    chosen = choose(records)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for each in chosen:
            line = {"event": each.event, "record": each.record.hex(), "text": each.text}
            file.write(json.dumps(line) + "\n")
    (folder / "machine.json").write_text(json.dumps(describe_machine(chosen, tracefs), indent=1) + "\n")
    (folder / "kallsyms").write_text("".join(symbols_of(chosen)))
    (folder / "printk_formats").write_text("".join(strings_of(chosen, tracefs)))
    for event in sorted({each.event for each in chosen}):
        inner = Path("events", *event.split(":"), "format")
        (folder / inner).parent.mkdir(parents=True)
        (folder / inner).write_text((tracefs / inner).read_text())
    return len(chosen)


@dataclass(frozen=True, slots=True)
class FixtureRecord:
    """A recorded line: the event's name, its record, and the kernel's text."""

    event: str
    record: bytes
    text: str


def read(folder: Path) -> list[FixtureRecord]:
    """What ``write`` wrote."""
    with (folder / "records.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [FixtureRecord(line["event"], bytes.fromhex(line["record"]), line["text"]) for line in lines]


def describe_machine(records: Iterable[PairedRecord], tracefs: Path) -> dict[str, object]:
    """What the texts depend on besides the records.

    byte_order, long_size (bytes), hz (ticks a second, None where the kernel doesn't tell), and names: the
    values of the enum constants that the events' print fmts name.
    """
    btf = load_kernel_btf()
    names = {name for event in {each.event for each in records} for name in _constants(tracefs, event)}
    values = {name: btf.enum_value(name) for name in sorted(names)} if btf else {}
    return {
        "byte_order": sys.byteorder,
        "long_size": struct.calcsize("l"),
        "hz": ticks(Path("/proc/config.gz")),
        "names": {name: value for name, value in values.items() if value is not None},
    }


def _constants(tracefs: Path, event: str) -> set[str]:
    """Words of a print fmt, outside of its strings, that look like constants."""
    text = tracefs.joinpath("events", *event.split(":"), "format").read_text()
    code = re.sub(r'"(?:[^"\\]|\\.)*"', "", text.partition("print fmt:")[2])
    return set(re.findall(r"\b[A-Z_][A-Z0-9_]{2,}\b", code)) - {"REC"}


_BOUNDS = frozenset(("_stext", "_etext", "_sinittext", "_einittext", "_end"))  # of the kernel's code


def symbols_of(records: Iterable[PairedRecord]) -> list[str]:
    """The lines of kallsyms that the records' texts name, each with the next one, which bounds it."""
    with Path("/proc/kallsyms").open() as file:
        # Addresses are of one width. BPF programs and trampolines are of whoever loaded them.
        lines = sorted(line for line in file if not line.rstrip().endswith("]"))
    addresses = [int(line.split(" ", 1)[0], 16) for line in lines]
    wanted = {a for line, a in zip(lines, addresses, strict=True) if line.split()[2] in _BOUNDS}
    for each in records:
        for value in _words(each.record):
            last = bisect_right(addresses, value)
            if 0 < last < len(lines):
                first = bisect_left(addresses, addresses[last - 1])
                if any(line.split()[2] in each.text for line in lines[first:last]):
                    wanted |= {addresses[first], addresses[last]}
    return [line for line, address in zip(lines, addresses, strict=True) if address in wanted]


def strings_of(records: Iterable[PairedRecord], tracefs: Path) -> list[str]:
    """The lines of printk_formats that the records' texts quote."""
    known = {}
    for line in (tracefs / "printk_formats").read_text().splitlines(keepends=True):
        if found := re.match(r'0x([0-9a-f]+) : "(.*)"$', line):
            known[int(found[1], 16)] = (found[2], line)
    quoted = {
        known[value][1]
        for each in records
        for value in _words(each.record)
        if value in known and known[value][0] in each.text
    }
    return sorted(quoted)


def _words(record: bytes) -> set[int]:
    """Everything in the record that may be an address in the kernel's image."""
    values = {int.from_bytes(record[at : at + 8], sys.byteorder) for at in range(0, len(record) - 7, 4)}
    return {value for value in values if value >= 0xFFFF_8000_0000_0000}


def choose(records: Iterable[PairedRecord]) -> list[PairedRecord]:
    """Up to three unlike records of each event, short ones first; of system calls one of each shape."""
    by_event: dict[str, dict[str, PairedRecord]] = defaultdict(dict)
    forbidden = _machine_names()
    for each in records:
        shapes = by_event[each.event]
        shape = _shape(each.text)
        better = shape not in shapes or len(each.record) < len(shapes[shape].record)
        if better and is_publishable(each, forbidden):
            shapes[shape] = each
    chosen: list[PairedRecord] = []
    seen: set[str] = set()
    for event, shapes in sorted(by_event.items()):
        count = RECORDS_PER_EVENT
        if event.startswith("syscalls:"):
            kind = _call_shape(event, shapes)
            count = 0 if kind in seen else 1
            seen.add(kind)
        ordered = sorted(shapes.values(), key=lambda each: (len(each.record), each.timestamp))
        chosen += _spread(ordered, count)
    return chosen


def _spread(ordered: list[PairedRecord], count: int) -> list[PairedRecord]:
    """``count`` of them, the first and the last among them."""
    if len(ordered) <= count:
        return ordered
    return [ordered[index * (len(ordered) - 1) // max(1, count - 1)] for index in range(count)]


def _shape(text: str) -> str:
    """The text with its numbers made alike."""
    return re.sub(r"\b(0x)?[0-9a-f]+\b", "#", text)


def _call_shape(event: str, shapes: dict[str, PairedRecord]) -> str:
    """System calls print alike: enough to keep one for each number of arguments, and each kind of exit."""
    if not shapes:
        return event
    text = next(iter(shapes.values())).text
    return f"{event.split('_')[1]} {re.sub(r'[^,>(]', '', text)}"


def _machine_names() -> tuple[bytes, ...]:
    """Names of this machine: its own, and its network devices but for the loopback."""
    names = [platform.node(), *(entry.name for entry in Path("/sys/class/net").iterdir())]
    return tuple(os.fsencode(name) for name in names if name not in ("lo", "localhost") and len(name) > 3)


def is_publishable(each: PairedRecord | FixtureRecord, forbidden: Iterable[bytes] = ()) -> bool:
    """Whether nothing in the record tells of this machine, its files or its network."""
    text = f"{each.text}\n{each.record.decode('latin-1')}"
    return (
        not any(name in each.record for name in forbidden)
        and all(path.startswith(OWN_PATHS) for path in _PATH.findall(text) if len(path) > 5)
        and all(_is_own_address(address) for address in _IPV4.findall(text) + _IPV6.findall(each.text))
    )


def _is_own_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a version number, a MAC address or a time
        return True
    return any(address in network for network in OWN_NETWORKS if network.version == address.version)
