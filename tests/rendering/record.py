"""Record what the kernel writes of our workload's events, twice: as raw records and as its own text.

Everything happens in a tracefs instance of our own that follows the workload's processes only. What
other processes left in a record all the same (the name of a task that a switch went to, say) makes the
record be dropped as soon as it is read.

    python -m tests.rendering.record --summary             what fires, and does every line pair?
    python -m tests.rendering.record --out tests/fixtures/rendering    the recorded part, as fixtures
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.rendering import fixtures
from tests.rendering.instance import TRACEFS, Instance, Workload
from tests.rendering.kinds import EventKind, PairedRecord, read_kinds
from tests.rendering.pairing import pair
from tests.rendering.ring_pages import PageLayout, decode_page
from tests.rendering.workload import PARTS

# They fire in interrupts or for every task, never with anything of the workload's own; kvm needs a guest,
# and ftrace holds no tracepoints.
NEVER = frozenset({"kvm", "kvmmmu", "ras", "cpuhp", "mei", "clk", "thermal", "rpm", "power", "irq_matrix", "ftrace"})

HARDIRQ_OR_NMI = 0x08 | 0x40  # TRACE_FLAG_HARDIRQ, TRACE_FLAG_NMI


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of a part of the workload.

    off: categories or ``category:name`` that would flood the buffer here. limit: records kept of one
    event; the rest is paired and counted all the same.
    """

    part: str
    off: tuple[str, ...] = ()
    limit: int = 2000


@dataclass(slots=True)
class Tally:
    """What became of the recorded events.

    fired: the workload's records by event; paired: records with their text, foreign ones included (a
    record without one is a PairingError); foreign: records with something of another process, dropped;
    lost: records that found the buffer full; failed_steps: what this machine didn't let the workload do.
    """

    fired: Counter[str] = field(default_factory=Counter)
    paired: int = 0
    foreign: int = 0
    lost: int = 0
    failed_steps: list[str] = field(default_factory=list)


def record(passes: Sequence[Pass], *, tally: Tally | None = None, hash_pointers: bool = True) -> list[PairedRecord]:
    """Run the passes on the live kernel; the workload's records with the kernel's text of each.

    hash_pointers: whether ``%p`` shows hashed values, as it does by default, or the pointers as they are
    (the trace option hash-ptr).

    Raises PairingError when text and records differ in number or name, OSError without the rights, and
    RuntimeError when the workload ends early.
    """
    tally = tally if tally is not None else Tally()
    found: list[PairedRecord] = []
    folder = Path(tempfile.mkdtemp(prefix="tpkit-workload-"))
    try:
        with _ended_by_signal(), Instance(f"tpkit-rendering-{os.getpid()}") as instance:
            if not hash_pointers:  # Linux 5.12, commit a345a6718bd5; on is what every instance begins with
                instance.write("options/hash-ptr", "0")
            with Workload(folder) as workload:
                instance.follow(workload.pid)
                workload.ask("prepare")
                _enable(instance)
                recorder = _Recorder(instance, workload, tally)
                for each in passes:
                    found += recorder.run(each)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM as an exception, so that everything is cleaned up behind us."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _enable(instance: Instance) -> None:
    if not instance.followed():
        raise RuntimeError("the instance follows no process: refusing to enable events")
    for category in instance.categories():
        if category not in NEVER:
            instance.switch(category, on=True)


class _Recorder:
    """Runs passes, one after the other, on an instance that follows the workload."""

    def __init__(self, instance: Instance, workload: Workload, tally: Tally) -> None:
        self._instance = instance
        self._workload = workload
        self._tally = tally
        self._kinds = read_kinds(TRACEFS)
        self._layout = PageLayout.parse((TRACEFS / "events/header_page").read_text())

    def run(self, wanted: Pass) -> list[PairedRecord]:
        """The workload's records of one pass."""
        for event in wanted.off:
            self._instance.switch(event, on=False)
        self._instance.write("trace", "")
        pids = self._instance.followed()
        self._instance.write("tracing_on", "1")
        try:
            failed = self._workload.ask(wanted.part)
        finally:
            self._instance.write("tracing_on", "0")
        self._tally.failed_steps += [f"{wanted.part}.{step}" for step in failed]
        records = [each for cpu in self._instance.cpus() for each in self._read(cpu)]
        for event in wanted.off:
            self._instance.switch(event, on=True)
        return list(self._ours(records, pids, wanted.limit))

    def _read(self, cpu: int) -> list[PairedRecord]:
        """The text first: reading it leaves the records where they are, reading the pages doesn't."""
        self._tally.lost += self._instance.lost(cpu)
        text = self._instance.text(cpu)
        pages = self._instance.pages(cpu, self._layout.page_size)
        raw = (entry for page in pages for entry in decode_page(page, self._layout).records)
        paired = pair(text, raw, cpu, self._kinds)
        self._tally.paired += len(paired)
        return paired

    def _ours(self, records: list[PairedRecord], pids: set[int], limit: int) -> Iterator[PairedRecord]:
        """The workload's records: written by one of its processes, and without a word of another one."""
        records.sort(key=lambda each: each.timestamp)
        pids = set(pids)
        for each in records:
            if each.pid in pids:
                pids |= self._kinds[each.number].new_pids(each.record)
        for each in records:
            if each.pid not in pids or _is_interrupt(each) or self._kind(each).names_others(each.record):
                self._tally.foreign += 1
                continue
            self._tally.fired[each.event] += 1
            if self._tally.fired[each.event] <= limit:
                yield each

    def _kind(self, each: PairedRecord) -> EventKind:
        return self._kinds[each.number]


def _is_interrupt(each: PairedRecord) -> bool:
    """An interrupt works for anyone, whoever is running; but its vector's number or a timer isn't data."""
    return bool(each.flags & HARDIRQ_OR_NMI) and not each.event.startswith(("irq_vectors:", "timer:"))


def default_passes() -> list[Pass]:
    """All parts of the workload, each without what would flood it."""
    return [Pass(name, off=part.floods) for name, part in PARTS.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rendering.record", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="write fixtures below this folder (pointers not hashed)")
    parser.add_argument("--summary", action="store_true", help="show what fired")
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this part (repeatable)")
    options = parser.parse_args(arguments)
    passes = [each for each in default_passes() if not options.part or each.part in options.part]
    tally = Tally()
    records = record(passes, tally=tally, hash_pointers=options.out is None)
    if options.out is not None:
        folder = options.out / fixtures.folder_name()
        written = fixtures.write(records, folder, TRACEFS)
        sys.stdout.write(f"{folder}: {written} records\n")
    if options.summary or options.out is None:
        summarise(tally, records, sys.stdout.write)
    return 0


def summarise(tally: Tally, records: Sequence[PairedRecord], write: Callable[[str], object]) -> None:
    """What fired, by category, and in all."""
    by_category = Counter(event.partition(":")[0] for event in tally.fired)
    for category, count in sorted(by_category.items()):
        write(f"{category:16} {count:4} events\n")
    plain = len(tally.fired) - by_category["syscalls"]
    write(f"events fired: {len(tally.fired)} ({plain} without syscalls)\n")
    write(f"records paired with their text: {tally.paired}, all; lost in the buffer: {tally.lost}\n")
    write(f"records kept: {len(records)}, dropped as foreign: {tally.foreign}\n")
    write(f"steps that failed: {' '.join(tally.failed_steps) or 'none'}\n")


if __name__ == "__main__":
    sys.exit(main())
