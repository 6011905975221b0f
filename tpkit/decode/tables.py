"""Names for numbers, by the table that a column has."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from tpkit.error_names import ERROR_NAMES
from tpkit.model import SymbolTable

MAX_ERRNO = 4095  # include/linux/err.h: a return value of -4095…-1 is an error


Namer = Callable[[int], str | None]


def namer(table: SymbolTable) -> Namer:
    """``name_of`` for many values of one table."""
    if table.delimiter is not None:
        return partial(name_of, table)
    symbols = dict(table.symbols)
    return lambda value: symbols.get(_looked_up(table, value))


def name_of(table: SymbolTable, value: int) -> str | None:
    """``A|B`` or one name, None for a value without a name; value: of flags, the bits as an unsigned number.

    Bits without a name stay visible, as one number at the end: hexadecimal, or octal as permissions are.
    """
    if table.delimiter is None:
        return dict(table.symbols).get(_looked_up(table, value))
    words, number = _flags(table, _looked_up(table, value))
    if not words:
        return None
    rest = f"0{number:03o}" if table.octal else hex(number)
    return table.delimiter.join([*words, rest] if number else words)


def _flags(table: SymbolTable, number: int) -> tuple[list[str], int]:
    """The names of a number's bits, and the bits that have none."""
    words = []
    if table.base is not None and (whole := name_of(table.base, number)) is not None:
        words.append(whole)
        number = 0 if table.base.mask is None else number & ~table.base.mask
    for bits, name in table.symbols:  # in the table's order, as trace_print_flags_seq() goes through it
        if bits and number & bits == bits:
            words.append(name)
            number &= ~bits
    return words, number


def _looked_up(table: SymbolTable, value: int) -> int:
    number = value >> table.shift
    return number if table.mask is None else number & table.mask


def error_name(value: int) -> str | None:
    """``-ENOENT`` for a return value that is an error, None for others."""
    if -MAX_ERRNO <= value < 0 and -value in ERROR_NAMES:
        return f"-{ERROR_NAMES[-value]}"
    return None


def call_error_name(value: int) -> str | None:
    """``error_name`` of what a whole call returned; also of numbers that no program ever sees."""
    return f"-{_RESTARTS[value].split()[0]}" if value in _RESTARTS else error_name(value)


def call_error(value: int) -> str:
    """What strace shows of a call that failed: ``-1 ENOENT (No such file or directory)``.

    value: -4095 to -1. A call that a signal interrupts may return numbers that no program ever sees, as it gets
    restarted, or EINTR in their place: ``? ERESTARTSYS (To be restarted if SA_RESTART is set)``.
    """
    if value in _RESTARTS:
        return f"? {_RESTARTS[value]}"
    name = ERROR_NAMES.get(-value)
    return str(value) if name is None else f"-1 {name} ({os.strerror(-value)})"


# include/linux/errno.h; the words are strace's.
_RESTARTS = {
    -512: "ERESTARTSYS (To be restarted if SA_RESTART is set)",
    -513: "ERESTARTNOINTR (To be restarted)",
    -514: "ERESTARTNOHAND (To be restarted if no handler)",
    -516: "ERESTART_RESTARTBLOCK (Interrupted by signal)",
}
