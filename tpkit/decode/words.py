"""Values → the words that a person reads, as strace would write them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tpkit.decode.columns import Rows, Values
from tpkit.decode.naming import Naming, Numbers, Others, Said, naming, plain_shower, pointer, pointers, signed
from tpkit.decode.parts import Part, Remembered, decimals, either
from tpkit.decode.spelling import IN_QUOTES, words
from tpkit.payload import Payload
from tpkit.record import Column, Display, RecordLayout

# Structs and arrays have many forms, and are larger than numbers: not so many are remembered.
_MOST_DATA = 1 << 12


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands before and behind words of one kind: colours, for a terminal; nothing elsewhere."""

    before: bytes = b""
    behind: bytes = b""


NO_MARKS = Marks()


@dataclass(frozen=True, slots=True)
class Wording:
    """raw: numbers stay numbers; machine: whose structs and numbers they are (``uname -m``); strings: the marks
    around strings."""

    raw: bool = False
    machine: str = os.uname().machine
    strings: Marks = NO_MARKS


DEFAULT_WORDING = Wording()


class ColumnWords:
    """One column's words, whole batches at a time."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording) -> None:
        self._column = column
        self._marks = wording.strings
        self._numbers = NumberWords(column, layout, wording)
        self._data = DataWords(column, layout, wording, words)

    def parts(self, values: Values, rows: Rows) -> list[Part]:
        """The words: quoted strings, names for numbers, pointers in hexadecimal; of at least one row.

        values: this column's in rows.
        """
        if values.data is None:
            assert values.numbers is not None  # whatever isn't data is a number
            return [self._numbers.part(values.numbers, rows)]
        if self._column.display is Display.TEXT:
            return self._texts(values)
        if self._column.payload is not None:
            return [self._memory(values, rows)]
        return [[word or _bytes_word(values, at) for at, word in enumerate(self._data.each(values, rows))]]

    def _texts(self, values: Values) -> list[Part]:
        faults, cuts = values.faults(), values.cuts()
        safe = IN_QUOTES.each([each or b"" for each in values.data or ()])
        before, behind = self._marks.before + b'"', b'"' + self._marks.behind
        if not faults and not cuts:
            return [before, safe, behind]
        found = [b"%b%b%b" % (before, each, behind) for each in safe]
        for cut in cuts:
            found[cut] += b"..."
        for fault in faults:
            found[fault] = unread(values, fault).encode()
        return [found]

    def _memory(self, values: Values, rows: Rows) -> Part:
        """What a struct holds; where that has no words the number, which needn't be an address."""
        assert values.numbers is not None  # it leads there
        if not self._data.has_words:
            return self._numbers.part(values.numbers, rows)
        found = self._data.each(values, rows)
        return found if all(found) else either(found, self._numbers.part(values.numbers, rows))


def unread(values: Values, position: int) -> str:
    """Something that couldn't be read: where it was, as strace shows it."""
    return whereabouts(values, position) or "?"


def whereabouts(values: Values, position: int) -> str | None:
    """Where one of the data was, None for what isn't found by a pointer."""
    if values.column.field.type.is_dynamic or values.numbers is None:
        return None
    return pointer(int(values.numbers[position]))


def _bytes_word(values: Values, position: int) -> bytes:
    """Bytes that have no words, in hexadecimal."""
    data = values.data[position] if values.data is not None else None
    if data is None:
        return unread(values, position).encode()
    return data.hex().encode() + (b"..." if values.truncated is not None and values.truncated[position] else b"")


# ------------------------------------------------------------------------------------- numbers


class NumberWords:
    """A column's numbers as text: their names, or as they are displayed."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording) -> None:
        self._column = column
        self._said: Said | None = None
        named = None if wording.raw else _naming(column, wording.machine)
        self._is_pointer = column.display is Display.POINTER
        if named is not None or (not wording.raw and not self._is_pointer and column.display is not Display.DECIMAL):
            plain, name, wanted = plain_shower(column), named and named.name, () if named is None else named.wanted
            self._said = Said(
                layout, wanted, lambda number, others: words((name and name(number, others)) or plain(number))
            )

    def part(self, numbers: NDArray[np.generic], rows: Rows) -> Part:
        """Of at least one row."""
        if self._said is not None:
            return self._said.part(numbers, rows)
        return pointers(numbers) if self._is_pointer else decimals(numbers)


def _naming(column: Column, machine: str) -> Naming | None:
    """A column's names; of what may be an address, as fcntl's argument, and has none, that it is one."""
    named = naming(column, machine)
    if column.payload is None or column.display is Display.POINTER:
        return named
    leads, needed = _leads(column.payload, machine)
    if named is None:
        return Naming(lambda number, others: pointer(number) if leads(others) else None, needed)
    name = named.name
    return Naming(
        lambda number, others: name(number, others) or (pointer(number) if leads(others) else None),
        tuple(dict.fromkeys(named.wanted + needed)),
    )


def _leads(payload: Payload, machine: str) -> tuple[Callable[[Numbers], bool], tuple[str, ...]]:
    """Whether a number leads to such memory, and which of the call's other numbers decide that."""
    from tpkit.decode.structs import leads_there
    from tpkit.syscall_words.payloads import deciding_numbers

    return lambda others: leads_there(payload.kind, others, machine), deciding_numbers(payload.kind)


# ---------------------------------------------------------------------------------------- data

# Data, how many bytes there were, and the call's other numbers.
_Given = tuple[bytes, int, tuple[int, ...]]


class DataWords:
    """The words for one column's data that is no string. has_words: whether there is more to say than its bytes."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording, say: Callable[[str], bytes]) -> None:
        """say: what is made of words, once for each that are different."""
        self._column = column
        self._wording = wording
        self._say = say
        self._others = Others(layout, _needed(column))
        self._known: Remembered[_Given] = Remembered(self._word, _MOST_DATA)
        is_memory = column.payload is not None
        self.has_words = not wording.raw if is_memory else column.display is not Display.BYTES

    def each(self, values: Values, rows: Rows) -> list[bytes]:
        """For each row what is said of it, empty where there are no words; values: this column's in rows."""
        assert values.data is not None
        assert values.sizes is not None
        if not self.has_words:
            return [b""] * len(rows)
        given = zip(values.data, values.sizes.tolist(), self._others.of(rows), strict=True)
        return [b"" if data is None else self._known[data, size, others] for data, size, others in given]

    def _word(self, given: _Given) -> bytes:
        data, size, others = given
        word = _data_word(self._column, data, size, self._others.named(others), self._wording)
        return self._say(word) if word else b""


def _needed(column: Column) -> tuple[str, ...]:
    """The names of the numbers that the words for a column's memory depend on."""
    if column.payload is None:
        return ()
    from tpkit.syscall_words.payloads import needed_numbers

    return needed_numbers(column.payload.kind)


class Missing:
    """Which of a column's data couldn't be read, though there was some."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording) -> None:
        self._payload = column.payload if column.display is not Display.TEXT else None
        leads, wanted = (bool, ()) if self._payload is None else _leads(self._payload, wording.machine)
        self._others = others = Others(layout, wanted)
        self._leads = lru_cache(maxsize=1024)(lambda numbers: leads(others.named(numbers)))

    def rows(self, values: Values, rows: Rows) -> list[int]:
        """values: this column's in rows. All text that isn't there; of memory what the call wanted or filled."""
        faults = values.faults()
        if not faults or self._payload is None or values.numbers is None:
            return faults
        faults = np.flatnonzero(self._expected(values, rows)).tolist()
        if not faults or not self._others.names:
            return faults
        others = self._others.of(rows)
        return [at for at in faults if self._leads(others[at])]

    def _expected(self, values: Values, rows: Rows) -> NDArray[np.bool_]:
        """What neither is NULL nor left as it was by a call that failed."""
        assert values.sizes is not None
        assert values.numbers is not None
        assert self._payload is not None
        expected: NDArray[np.bool_] = (values.sizes < 0) & (values.numbers != 0)
        if self._payload.at_exit and not self._payload.in_out and rows.result is not None:
            assert rows.result.numbers is not None  # results are numbers
            expected &= signed(rows.result.numbers) >= 0
        return expected


def _data_word(column: Column, data: bytes, size: int, others: Numbers, wording: Wording) -> str | None:
    """An array's elements, an address, what a struct holds; None where bytes are just bytes.

    size: how many bytes there were; others: the call's numbers that have a say.
    """
    if column.payload is not None:
        from tpkit.decode.structs import payload_text  # only for those that see any

        return payload_text(column.payload.kind, data, whole=size, machine=wording.machine, others=others)
    cut = "..." if size > len(data) else ""
    if column.display is Display.NUMBERS:
        return f"[{', '.join(map(str, numbers(column, data)))}]{cut}"
    word = None if wording.raw else address(column.display, data)
    return word and word + cut


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
    found: list[int] = np.frombuffer(data, dtype=element.code, count=len(data) // element.size).tolist()
    return found
