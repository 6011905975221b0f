"""Whose events are wanted, as C tells it: numbers that differ from run to run stand there as placeholders.

The same program then has the same source and the same compiled code whichever process it is for, and needn't be
compiled again: the loader puts the numbers in.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.codegen.names import c_characters
from tpkit.program import FIRST_PLACEHOLDER, ProbeSpec, task_numbers

NUMBER_PLACEHOLDER = FIRST_PLACEHOLDER - 1


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro, and the placeholder that it stands for."""

    name: str
    placeholder: str


@dataclass(frozen=True, slots=True)
class Tasks:
    """What the template says of the tasks that are wanted: macros, and numbers."""

    macros: tuple[Macro, ...]
    pids: tuple[str, ...]
    tids: tuple[str, ...]
    own_pid: str | None
    uid: int | None
    comm_bytes: tuple[str, ...]
    namespace: tuple[int, int] | None


def plan_tasks(spec: ProbeSpec) -> Tasks:
    """The tasks of a spec."""
    numbers = task_numbers(spec.pids, spec.tids, spec.own_pid)
    names = [name for name, _ in numbers]
    return Tasks(
        macros=tuple(Macro(name, f"{placeholder:#x}") for name, (placeholder, _) in numbers),
        pids=tuple(name for name in names if name.startswith("PID_")),
        tids=tuple(name for name in names if name.startswith("TID_")),
        own_pid=next((name for name in names if name == "OWN_PID"), None),
        uid=spec.uid,
        comm_bytes=tuple(c_characters(spec.comm)),
        namespace=spec.pid_namespace,
    )
