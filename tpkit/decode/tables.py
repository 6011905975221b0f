"""Names for numbers. A small table now; the values are those of Linux' uapi headers.

Sources: AT_* of ``include/uapi/linux/fcntl.h``; errno names from Python's own ``errno``.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from functools import partial

from tpkit.model import SymbolTable, TracepointId
from tpkit.record import Column

MAX_ERRNO = 4095  # include/linux/err.h: a return value of -4095…-1 is an error

AT_FDCWD = -100

_DIRECTORY_NAMES = ("dfd", "olddfd", "newdfd", "dirfd", "from_dfd", "to_dfd")
_FLAGS: Mapping[tuple[str, str], SymbolTable] = {
    ("unlinkat", "flag"): SymbolTable("|", ((0x200, "AT_REMOVEDIR"),)),
}

Namer = Callable[[int], str | None]


def namer(event: TracepointId, column: Column) -> Namer | None:
    """What turns the field's number into words, None where it is just a number.

    The kernel's own table, of the event's print fmt, goes before ours. The function itself returns
    None for values without a name.
    """
    field = column.field
    if column.table is not None:
        return partial(_by_table, column.table)
    if event.is_syscall_exit and field.name == "ret":
        return _error
    if event.is_syscall_enter and field.name in _DIRECTORY_NAMES and field.type.base == "int":
        return _directory
    flags = _FLAGS.get((event.syscall or "", field.name)) if event.is_syscall_enter else None
    return None if flags is None else partial(_by_table, flags)


def _error(value: int) -> str | None:
    if -MAX_ERRNO <= value < 0 and -value in errno.errorcode:
        return f"-{errno.errorcode[-value]}"
    return None


def _directory(value: int) -> str | None:
    return "AT_FDCWD" if value == AT_FDCWD else None


def _by_table(table: SymbolTable, value: int) -> str | None:
    """``A|B`` or one name; bits without a name stay visible as one hexadecimal number at the end."""
    number = value >> table.shift
    if table.mask is not None:
        number &= table.mask
    if table.delimiter is None:
        return dict(table.symbols).get(number)
    words = []
    for bits, name in table.symbols:  # in the table's order, as trace_print_flags_seq() goes through it
        if bits and number & bits == bits:
            words.append(name)
            number &= ~bits
    if not words:
        return None
    return table.delimiter.join([*words, hex(number)] if number else words)
