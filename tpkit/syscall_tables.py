"""Names for the numbers of system calls' arguments. A small table now.

Sources: AT_* of ``include/uapi/linux/fcntl.h``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.model import Field, SymbolTable, TracepointId

_DIRECTORY = SymbolTable(None, ((-100, "AT_FDCWD"),))
_DIRECTORY_NAMES = frozenset({"dfd", "olddfd", "newdfd", "dirfd", "from_dfd", "to_dfd"})
_TABLES: Mapping[tuple[str, str], SymbolTable] = {
    ("unlinkat", "flag"): SymbolTable("|", ((0x200, "AT_REMOVEDIR"),)),
}


def argument_table(event: TracepointId, field: Field) -> SymbolTable | None:
    """The names for a system call's argument, None where it is just a number."""
    if not event.is_syscall_enter:
        return None
    if field.name in _DIRECTORY_NAMES and field.type.base == "int":
        return _DIRECTORY
    return _TABLES.get((event.syscall or "", field.name))
