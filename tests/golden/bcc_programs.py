"""The programs that are kept as golden files, and how to write them anew.

``python -m tests.golden.bcc_programs`` writes ``tests/golden/bcc/*.c``; read the difference before you
commit it.
"""

from __future__ import annotations

from pathlib import Path

from tests.conftest import FIXTURES
from tpkit import EventFormat, ProbeSpec, Tracefs, TracepointId, generate_bcc, parse_event, parse_filter
from tpkit.program import Call

FOLDER = Path(__file__).parent / "bcc"


def event(name: str, kernel: str = "6.18") -> EventFormat:
    tracepoint = TracepointId.parse(name)
    return parse_event(Tracefs.captured_tree(FIXTURES / f"{kernel}-x86_64").format_text(tracepoint), tracepoint)


UNLINKAT = Call(event("syscalls:sys_enter_unlinkat"), event("syscalls:sys_exit_unlinkat"))

PROGRAMS = {
    "unlinkat.c": ProbeSpec((event("syscalls:sys_enter_unlinkat"),), exclude_pid=4321),
    "unlinkat_7.2.c": ProbeSpec((event("syscalls:sys_enter_unlinkat", "7.2"),)),
    "unlinkat_enter_and_exit.c": ProbeSpec(
        (event("syscalls:sys_enter_unlinkat"), event("syscalls:sys_exit_unlinkat")), pids=(1234,), comm=b"rm"
    ),
    "unlinkat_call.c": ProbeSpec((), (UNLINKAT,), exclude_pid=4321),
    "unlinkat_failed.c": ProbeSpec(
        (), (UNLINKAT,), pids=(1234,), failed=True, filters=(parse_filter('pathname ~ "/tmp/*" && ret != -ENOENT'),)
    ),
    "sched_switch_in_a_pid_namespace.c": ProbeSpec((event("sched:sched_switch"),), pid_namespace=(4, 4026532177)),
    "sched_process_exec.c": ProbeSpec((event("sched:sched_process_exec"),), string_size=64),
    "ipi_send_cpumask.c": ProbeSpec((event("ipi:ipi_send_cpumask"),), string_size=30),
}


def rendered() -> dict[str, str]:
    """Each file's name and text."""
    return {name: generate_bcc(spec).source for name, spec in PROGRAMS.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)
