"""The bpftrace programs that are kept as golden files, and how to write them anew.

``python -m tests.golden.bpftrace_programs`` writes ``tests/golden/bpftrace/*.bt``; read the difference
before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.bcc_programs import event
from tpkit import EventFormat, ProbeSpec
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.program import SCRIPT_STRING_SIZE

FOLDER = Path(__file__).parent / "bpftrace"


def programs() -> dict[str, str]:
    """Each file's name and text."""
    enter, leave = event("syscalls:sys_enter_unlinkat", "7.2"), event("syscalls:sys_exit_unlinkat", "7.2")
    return {
        "unlinkat.bt": _text(enter),
        "unlinkat_pair.bt": _text(enter, leave, pair=True),
        "sched_switch.bt": _text(event("sched:sched_switch")),
    }


def _text(*events: EventFormat, pair: bool = False) -> str:
    pids, comm = ((1234,), b"rm") if pair else ((), None)
    spec = ProbeSpec(events, pids=pids, comm=comm, string_size=SCRIPT_STRING_SIZE)
    return generate_bpftrace(spec, pair=pair)[0].text


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in programs().items():
        (FOLDER / name).write_text(text)
