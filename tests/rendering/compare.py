"""Our text beside the kernel's: which events differ, and how.

python -m tests.rendering.compare                 records on the live kernel, compares all
python -m tests.rendering.compare --fixtures DIR  compares the recorded part, without root
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from tests.rendering import fixtures
from tests.rendering.instance import TRACEFS
from tests.rendering.record import Tally, default_passes, record, summarise
from tpkit.btf import load_kernel_btf
from tpkit.format_parser import parse_format
from tpkit.machine import machine_of, running_machine
from tpkit.print_fmt import Machine, Renderer
from tpkit.tracefs import Tracefs

SAMPLES = 3


class Recorded(Protocol):
    """What is compared: a record, its event's name, and the kernel's text of it."""

    @property
    def event(self) -> str: ...
    @property
    def record(self) -> bytes: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A record whose text isn't the kernel's. got: ours; doubts: what we knew that we didn't know."""

    event: str
    expected: str
    got: str
    doubts: tuple[str, ...]
    record: bytes
    print_fmt: str


@dataclass(slots=True)
class Outcome:
    """All that was compared. differences: up to three samples of each event."""

    compared: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    differences: dict[str, list[Difference]] = field(default_factory=lambda: defaultdict(list))


def compare(records: Iterable[Recorded], machine: Machine, format_of: Callable[[str], str]) -> Outcome:
    """Render every record. format_of: the format file's text of an event."""
    # The records were made with the trace option hash-ptr off, so that %p can be compared too.
    machine = replace(machine, pointers=machine.plain_pointer)
    outcome = Outcome()
    renderers: dict[str, Renderer] = {}
    for each in records:
        if each.event not in renderers:
            renderers[each.event] = Renderer(parse_format(format_of(each.event), each.event.split(":")[0]), machine)
        renderer = renderers[each.event]
        rendering = renderer.render(each.record)
        outcome.compared[each.event] += 1
        if rendering.text != each.text:
            outcome.different[each.event] += 1
            if len(outcome.differences[each.event]) < SAMPLES:
                doubts = tuple(map(str, rendering.doubts))
                outcome.differences[each.event].append(
                    Difference(each.event, each.text, rendering.text, doubts, each.record, renderer.event.print_fmt)
                )
    return outcome


def compare_live(tally: Tally | None = None) -> Outcome:
    """Record everything on this kernel, and compare."""
    records = record(default_passes(), tally=tally, hash_pointers=False)
    machine = running_machine(Tracefs(TRACEFS), load_kernel_btf())
    return compare(records, machine, lambda event: _format_file(TRACEFS, event).read_text())


def compare_fixtures(folder: Path) -> Outcome:
    """Compare what ``fixtures.write`` recorded."""
    facts = json.loads((folder / "machine.json").read_text())
    machine = machine_of(
        (folder / "kallsyms").read_text(), (folder / "printk_formats").read_text(), facts["names"].get, facts["hz"]
    )
    return compare(fixtures.read(folder), machine, lambda event: _format_file(folder, event).read_text())


def _format_file(root: Path, event: str) -> Path:
    return root.joinpath("events", *event.split(":"), "format")


def report(outcome: Outcome, write: Callable[[str], object]) -> None:
    """The differences with their samples, then the sums."""
    for event, samples in sorted(outcome.differences.items()):
        write(f"=== {event}: {outcome.different[event]} of {outcome.compared[event]} differ\n")
        for each in samples:
            write(f"expected: {each.expected}\ngot:      {each.got}\n")
            write("".join(f"doubt:    {doubt}\n" for doubt in each.doubts))
            write(f"record:   {each.record.hex()}\n")
        write(f"print fmt: {samples[0].print_fmt}\n\n")
    equal = outcome.compared.total() - outcome.different.total()
    write(f"lines: {outcome.compared.total()} compared, {equal} equal\n")
    write(f"events: {len(outcome.compared)} compared, {len(outcome.different)} with differences\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rendering.compare", description=__doc__.split("\n")[0])
    parser.add_argument("--fixtures", type=Path, help="a fixture folder instead of the live kernel")
    options = parser.parse_args(arguments)
    if options.fixtures is None:
        tally = Tally()
        outcome = compare_live(tally)
        summarise(tally, [], sys.stdout.write)
    else:
        outcome = compare_fixtures(options.fixtures)
    report(outcome, sys.stdout.write)
    return 1 if outcome.different else 0


if __name__ == "__main__":
    sys.exit(main())
