"""Names for numbers, by the table that a column has."""

from __future__ import annotations

import errno

from tpkit.model import SymbolTable

MAX_ERRNO = 4095  # include/linux/err.h: a return value of -4095…-1 is an error


def name_of(table: SymbolTable, value: int) -> str | None:
    """``A|B`` or one name, None for a value without a name.

    Bits without a name stay visible, as one hexadecimal number at the end.
    """
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


def error_name(value: int) -> str | None:
    """``-ENOENT`` for a return value that is an error, None for others."""
    if -MAX_ERRNO <= value < 0 and -value in errno.errorcode:
        return f"-{errno.errorcode[-value]}"
    return None
