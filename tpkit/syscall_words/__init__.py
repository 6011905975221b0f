"""Names for the numbers of system calls' arguments: ``O_RDONLY|O_CLOEXEC``, ``SIGKILL``, ``AT_FDCWD``.

``arguments`` says which argument has which group of names, ``names`` (made by tools/syscall-tables from
the kernel's uapi headers) what the names are worth on which machine. Neither is loaded before a system
call's argument is asked about: start-up time is a feature.
"""

from __future__ import annotations

from tpkit.model import Field, SymbolTable, TracepointId

MACHINE = "x86_64"


def argument_table(event: TracepointId, field: Field, machine: str = MACHINE) -> SymbolTable | None:
    """The names for a system call's argument, None where it is just a number.

    machine: the one whose numbers they are, as ``uname -m`` calls it; one that isn't known has no names.
    """
    if event.syscall is None or not event.is_syscall_enter:
        return None
    from tpkit.syscall_words.tables import argument_names

    return argument_names(event.syscall, field, machine)
