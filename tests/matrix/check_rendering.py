"""Our text of records beside the kernel's own.

Pointers are hashed, as they are by default, and compared as such: 5.10 knows nothing else, and a kernel
of 5.12 or a little later that is told not to hash them loses the first string of a line (``trace_event_format``
returns the buffer that ``trace_check_vprintf`` then writes to; measured on 6.1).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.rendering.instance import TRACEFS
from tests.rendering.kinds import PairedRecord
from tests.rendering.record import Pass, Tally, record
from tests.rendering.workload import PARTS
from tpkit import Tracefs, TracepointId, parse_event
from tpkit.btf import load_kernel_btf
from tpkit.machine import running_machine
from tpkit.print_fmt import Machine, Renderer

# What is done, and which events are left out: pairing 200,000 lines takes an emulated machine five minutes.
# Of each event so many records are rendered.
PART = "everything"
FLOODS = (*PARTS["files"].floods, "rcu", "raw_syscalls", "timer", "cgroup")
SAMPLES = 30
ENOUGH = 50  # events, for the comparison to mean anything
MOST = 0.95  # of the records must be equal; of the others tpkit must have said that it can't know
HIDDEN = "\ue000" * 16  # stands for a hashed pointer, which has 16 characters; no kernel's text has these


@dataclass(slots=True)
class Comparison:
    """Counts by event, and a sample of each that differs. doubtful: tpkit itself says that it can't know."""

    equal: Counter[str] = field(default_factory=Counter)
    different: dict[str, str] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)

    def add(self, record: PairedRecord, renderer: Renderer) -> None:
        """One more record."""
        rendering = renderer.render(record.record)
        if is_same(rendering.text, record.text):
            self.equal[record.event] += 1
        elif rendering.doubts:
            self.doubtful.setdefault(record.event, f"{record.event}, in doubt: {rendering.doubts[0]}")
        else:
            sample = f"{record.event}: kernel {record.text!r}, ours {rendering.text!r}"
            self.different.setdefault(record.event, sample)

    def result(self, total: int) -> Result:
        """The cell: equal ones of all records, and of how many events they are."""
        events = {*self.equal, *self.different, *self.doubtful}
        equal = self.equal.total()
        good = not self.different and len(events) > ENOUGH and equal > MOST * total
        return Result.of(
            good,
            f"{equal}/{total} of {len(events)} events",
            *self.different.values(),
            *self.doubtful.values(),
        )


def rendered(_: Context) -> Result:
    """A workload's records, each rendered here and by the kernel."""
    tally = Tally()
    records = record([Pass(PART, FLOODS, SAMPLES)], tally=tally)
    machine = running_machine(Tracefs(TRACEFS), load_kernel_btf())
    result = compare(records, machine).result(len(records))
    skipped = f"steps not possible here: {' '.join(tally.failed_steps) or 'none'}; lost: {tally.lost}"
    return replace(result, details=(*result.details, skipped))


def compare(records: Iterable[PairedRecord], machine: Machine) -> Comparison:
    """Render every record; formats are those of the running kernel."""
    machine = replace(machine, pointers=lambda _: HIDDEN)
    comparison = Comparison()
    renderers: dict[str, Renderer] = {}
    for each in records:
        if each.event not in renderers:
            event = TracepointId.parse(each.event)
            renderers[each.event] = Renderer(parse_event(Tracefs(TRACEFS).format_text(event), event), machine)
        comparison.add(each, renderers[each.event])
    return comparison


def is_same(ours: str, kernels: str) -> bool:
    """Whether the kernel's text is ours, where ours may hold pointers that only the kernel can hash."""
    pattern = re.escape(ours).replace(re.escape(HIDDEN), r"(?:[0-9a-f]{16}|\(____ptrval____\))")
    return re.fullmatch(pattern, kernels) is not None
