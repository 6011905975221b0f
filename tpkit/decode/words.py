"""Values → the words that a person reads, as strace would write them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping

from tpkit.decode.columns import Values
from tpkit.decode.tables import error_name, name_of, namer
from tpkit.decode.text import quote
from tpkit.record import Column, Display


def words(values: Values) -> list[str]:
    """Each value of one field as text: quoted strings, names for numbers, pointers in hexadecimal."""
    if values.data:
        return _data_words(values)
    shown = number_shower(values.column)
    return [shown(n) for n in values.numbers]


def number_shower(column: Column) -> Callable[[int], str]:
    """What turns the field's numbers into text."""
    table = column.table
    plain = _NUMBERS.get(column.display, str)
    if column.display is Display.HEX:
        mask = (1 << column.value.size * 8) - 1

        def plain(number: int) -> str:
            return hex(number & mask)

    if table is None:
        return plain
    bits, name = _bits(column), namer(table)
    return lambda number: name(bits(number)) or plain(number)


def _bits(column: Column) -> Callable[[int], int]:
    """What a table is asked for: of flags a number's bits, without the endless sign that Python gives it."""
    if column.table is None or column.table.delimiter is None:
        return int
    mask = (1 << column.value.size * 8) - 1
    return lambda number: number & mask


def value_name(column: Column, number: int) -> str | None:
    """The name for one number, None where it is just a number."""
    if column.table is not None:
        return name_of(column.table, _bits(column)(number))
    return error_name(number) if column.display is Display.ERROR else None


def address(display: Display, data: bytes) -> str | None:
    """The text of a host's or a socket's address, None where the bytes are none."""
    try:
        if display is Display.IPV4:
            return socket.inet_ntop(socket.AF_INET, data[:4])
        if display is Display.IPV6:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
        return _socket_address(data) if display is Display.SOCKET_ADDRESS else None
    except ValueError:
        return None


def _socket_address(data: bytes) -> str | None:
    """``127.0.0.1:80``, ``[::1]:80`` (struct sockaddr_in and sockaddr_in6 of ip(7) and ipv6(7))."""
    family, port = int.from_bytes(data[:2], sys.byteorder), int.from_bytes(data[2:4], "big")
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(family, data[4:8])}:{port}"
    if family == socket.AF_INET6:
        return f"[{socket.inet_ntop(family, data[8:24])}]:{port}"
    return "AF_UNSPEC" if family == socket.AF_UNSPEC else None


def numbers(column: Column, data: bytes) -> list[int]:
    """An array's elements."""
    element = column.element
    assert element is not None  # NUMBERS have one
    return [
        int.from_bytes(data[start : start + element.size], sys.byteorder, signed=element.is_signed)
        for start in range(0, len(data) - element.size + 1, element.size)
    ]


def pointer(number: int) -> str:
    """``NULL`` or the address in hexadecimal."""
    return hex(number) if number else "NULL"


def _octal(number: int) -> str:
    return f"0{number:o}" if number > 0 else str(number)


def _error(number: int) -> str:
    return error_name(number) or str(number)


_NUMBERS: Mapping[Display, Callable[[int], str]] = {
    Display.POINTER: pointer,
    Display.OCTAL: _octal,
    Display.ERROR: _error,
}


def _data_words(values: Values) -> list[str]:
    return [
        _unread(values, position) if data is None else _data_word(values.column, data) + ("..." if cut else "")
        for position, (data, cut) in enumerate(zip(values.data, values.truncated, strict=True))
    ]


def _data_word(column: Column, data: bytes) -> str:
    if column.display is Display.TEXT:
        return quote(data)
    if column.display is Display.NUMBERS:
        return f"[{', '.join(map(str, numbers(column, data)))}]"
    return address(column.display, data) or data.hex()


def _unread(values: Values, position: int) -> str:
    """A string that couldn't be read: where it was, as strace shows it."""
    if values.column.field.type.is_dynamic:
        return "?"
    return pointer(values.numbers[position])
