"""What system calls return: an address, a mode, flags; for most just a number, or an error.

Sources: section 2 of the manual pages.
"""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.model import SymbolTable
from tpkit.record import Display
from tpkit.widths import Width

_MACHINE = "x86_64"
_WIDE = Width(8, True)

_DISPLAYS: Mapping[str, Display] = {
    **dict.fromkeys("mmap mremap brk shmat".split(), Display.POINTER),
    "umask": Display.OCTAL,
}
_GROUPS: Mapping[str, str] = {
    "personality": "personality",
    "sched_getscheduler": "policy_fork",
    "ioprio_get": "io_priority",
}


def result_display(syscall: str) -> Display:
    """How a call's result is shown if it isn't an error."""
    return _DISPLAYS.get(syscall, Display.ERROR)


def result_table(syscall: str, others: Mapping[str, int], machine: str = _MACHINE) -> SymbolTable | None:
    """Names for a call's result, None where it is just a number; others: its arguments by their parameters' names.

    strace shows the number as well: ``= 0x8002 (flags O_RDWR|O_LARGEFILE)``.
    """
    from tpkit.syscall_words.dependent import dependent_result
    from tpkit.syscall_words.names import OWN
    from tpkit.syscall_words.tables import group_table

    if machine not in OWN:
        return None
    group = _GROUPS.get(syscall)
    return dependent_result(syscall, others, machine) if group is None else group_table(group, _WIDE, machine)


def result_groups() -> set[str]:
    """All groups that results have by themselves."""
    return set(_GROUPS.values())
