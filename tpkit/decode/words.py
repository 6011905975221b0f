"""Values → the words that a person reads, as strace would write them."""

from __future__ import annotations

from tpkit.decode.columns import Values
from tpkit.decode.tables import namer
from tpkit.decode.text import quote
from tpkit.model import TracepointId


def words(event: TracepointId, values: Values) -> list[str]:
    """Each value of one field as text: quoted strings, names for numbers, pointers in hexadecimal."""
    if values.data:
        return _data_words(values)
    names = namer(event, values.column)
    if names is not None:
        return [names(n) or str(n) for n in values.numbers]
    if values.column.field.type.is_pointer:
        return [pointer(n) for n in values.numbers]
    return [str(n) for n in values.numbers]


def pointer(number: int) -> str:
    """``NULL`` or the address in hexadecimal."""
    return hex(number) if number else "NULL"


def _data_words(values: Values) -> list[str]:
    is_text = values.column.field.type.is_text or values.column.field.type.is_char_pointer
    shown = quote if is_text else bytes.hex
    return [
        _unread(values, position) if data is None else shown(data) + ("..." if cut else "")
        for position, (data, cut) in enumerate(zip(values.data, values.truncated, strict=True))
    ]


def _unread(values: Values, position: int) -> str:
    """A string that couldn't be read: where it was, as strace shows it."""
    if values.column.field.type.is_dynamic:
        return "?"
    return pointer(values.numbers[position])
