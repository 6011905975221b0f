"""Names for numbers. A small table now; the values are those of Linux' uapi headers.

Sources: AT_* of ``include/uapi/linux/fcntl.h``; errno names from Python's own ``errno``.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from tpkit.model import Field, TracepointId

MAX_ERRNO = 4095  # include/linux/err.h: a return value of -4095…-1 is an error

AT_FDCWD = -100

_DIRECTORY_NAMES = ("dfd", "olddfd", "newdfd", "dirfd", "from_dfd", "to_dfd")
_FLAGS: Mapping[tuple[str, str], Mapping[int, str]] = {
    ("unlinkat", "flag"): {0x200: "AT_REMOVEDIR"},
}

Namer = Callable[[int], str | None]


def namer(event: TracepointId, field: Field) -> Namer | None:
    """What turns the field's number into words, None where it is just a number.

    The function itself returns None for values without a name.
    """
    if event.is_syscall_exit and field.name == "ret":
        return _error
    if event.is_syscall_enter and field.name in _DIRECTORY_NAMES and field.type.base == "int":
        return _directory
    flags = _FLAGS.get((event.syscall or "", field.name)) if event.is_syscall_enter else None
    return None if flags is None else lambda value: _flags(value, flags)


def _error(value: int) -> str | None:
    if -MAX_ERRNO <= value < 0 and -value in errno.errorcode:
        return f"-{errno.errorcode[-value]}"
    return None


def _directory(value: int) -> str | None:
    return "AT_FDCWD" if value == AT_FDCWD else None


def _flags(value: int, names: Mapping[int, str]) -> str | None:
    """``A|B``; bits without a name stay visible as one hexadecimal number at the end."""
    words = [name for bit, name in names.items() if value & bit]
    rest = value & ~sum(names) & 0xFFFFFFFF
    if not words:
        return None
    return "|".join([*words, hex(rest)] if rest else words)
