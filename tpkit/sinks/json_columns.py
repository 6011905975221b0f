"""An event's columns as members of a JSON object, and what is to be said beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tpkit.decode.calls import result_naming
from tpkit.decode.columns import Rows, Values
from tpkit.decode.naming import Naming, Said, is_address, naming, pointers, signed
from tpkit.decode.parts import Part, decimals, either
from tpkit.decode.spelling import IN_JSON, json_words
from tpkit.decode.text import json_text
from tpkit.decode.words import DataWords, Missing, Wording, numbers, whereabouts
from tpkit.record import Column, Display, RecordLayout


@dataclass(slots=True)
class Notes:
    """What stands beside the arguments, for those that need it: a part each, empty where there is nothing to say."""

    text: list[Part] = field(default_factory=list)
    hexadecimal: list[Part] = field(default_factory=list)
    truncated: list[Part] = field(default_factory=list)
    unreadable: list[Part] = field(default_factory=list)

    def parts(self) -> list[Part]:
        """All of it, as further members of the event's object."""
        return [
            *_member(b', "args_text": {', self.text, b"}"),
            *_member(b', "args_hex": {', self.hexadecimal, b"}"),
            *_member(b', "args_truncated": [', self.truncated, b"]"),
            *_member(b', "args_unreadable": [', self.unreadable, b"]"),
        ]


def _member(opening: bytes, notes: Sequence[Part], closing: bytes) -> list[Part]:
    """One member of the rows that have anything to say, with commas where they belong."""
    notes = [note for note in notes if note != b""]
    if not notes:
        return []
    anchor = next((at for at, note in enumerate(notes) if isinstance(note, bytes) or all(note)), None)
    if anchor is None:
        rows = (b", ".join(filter(None, row)) for row in zip(*notes, strict=True))
        return [[b"%b%b%b" % (opening, row, closing) if row else b"" for row in rows]]
    # With one that every row has, the others bring their commas along.
    before = [_each(note, lambda each: each + b", ") for note in notes[:anchor]]
    behind = [_each(note, lambda each: b", " + each) for note in notes[anchor + 1 :]]
    return [opening, *before, notes[anchor], *behind, closing]


def _each(note: Part, change: Callable[[bytes], bytes]) -> Part:
    if isinstance(note, bytes):
        return change(note)
    return [change(each) if each else b"" for each in note]


class JsonColumn:
    """One column. name: in quotes."""

    def __init__(self, column: Column, layout: RecordLayout, wording: Wording) -> None:
        self.name = b'"%b"' % json_words(column.label)
        self._column = column
        self._data = DataWords(column, layout, wording, self._noted)
        self._missing = Missing(column, layout, wording)
        self._text = None if wording.raw else _texts(layout, naming(column, wording.machine), self._noted)
        self._number = _quoted_pointers if is_address(column, layout) else decimals

    def parts(self, values: Values, rows: Rows, notes: Notes) -> list[Part]:
        """The values; adds to the notes. Of at least one row."""
        if values.data is None:
            assert values.numbers is not None  # whatever isn't data is a number
            if self._text is not None:
                notes.text.append(self._text.part(values.numbers, rows))
            return [self._number(values.numbers)]
        faults, count = values.faults(), len(rows)
        notes.truncated.append(_only(values.cuts(), count, self.name))
        notes.unreadable.append(_only(self._missing.rows(values, rows), count, self.name))
        if self._column.payload is not None and self._column.display is not Display.TEXT:
            return self._memory(values, rows, notes)
        data = [each or b"" for each in values.data]
        if self._column.display is not Display.TEXT:
            return [_replaced(self._bytes(values, data, rows, notes), values, faults)]
        safe = self._strings(data, notes)
        if not faults:
            return [b'"', safe, b'"']
        return [_replaced([b'"%b"' % each for each in safe], values, faults)]

    def _memory(self, values: Values, rows: Rows, notes: Notes) -> list[Part]:
        """Where it is; what it holds is a note, or the number's name if it leads nowhere."""
        assert values.numbers is not None  # it leads there
        found: Part = self._data.each(values, rows) if self._data.has_words else b""
        if self._text is not None and not all(found):
            found = either(found, self._text.part(values.numbers, rows))
        notes.text.append(found)
        return [self._number(values.numbers)]

    def _noted(self, word: str) -> bytes:
        return b'%b: "%b"' % (self.name, json_words(word))

    def _strings(self, data: list[bytes], notes: Notes) -> list[bytes]:
        safe = list(data)
        exact: dict[int, bytes] = {}
        for at in IN_JSON.unsafe(data):
            hexadecimal = json_text(data[at])[1]
            safe[at] = IN_JSON.spell(data[at])
            if hexadecimal is not None:
                exact[at] = self._noted(hexadecimal)
        if exact:
            notes.hexadecimal.append([exact.get(at, b"") for at in range(len(data))])
        return safe

    def _bytes(self, values: Values, data: list[bytes], rows: Rows, notes: Notes) -> list[bytes]:
        if self._column.display is Display.NUMBERS:
            return [repr(numbers(self._column, each)).encode("ascii") for each in data]
        if self._data.has_words:
            notes.text.append(self._data.each(values, rows))
        return [b'"%b"' % each.hex().encode("ascii") for each in data]


class JsonResult:
    """What calls returned."""

    def __init__(self, layout: RecordLayout, column: Column, wording: Wording) -> None:
        named = None if wording.raw else result_naming(column, wording.machine)
        self._text = _texts(layout, named, lambda word: b', "ret_text": "%b"' % json_words(word))

    def parts(self, results: NDArray[np.generic], rows: Rows) -> list[Part]:
        """A number, and a further member for each row whose result has a text."""
        numbers = signed(results)
        return [b', "ret": ', decimals(numbers), b"" if self._text is None else self._text.part(numbers, rows)]


def _texts(layout: RecordLayout, named: Naming | None, say: Callable[[str], bytes]) -> Said | None:
    """What is said of numbers that have names, nothing of others; None if none has one."""
    if named is None:
        return None
    name = named.name
    return Said(layout, named.wanted, lambda number, others: say(word) if (word := name(number, others)) else b"")


def _only(rows: list[int], count: int, note: bytes) -> Part:
    """The note in these rows, nothing in the others."""
    if not rows:
        return b""
    notes = [b""] * count
    for row in rows:
        notes[row] = note
    return notes


def _replaced(words: list[bytes], values: Values, faults: list[int]) -> list[bytes]:
    """In place of what couldn't be read where it was, null if that isn't known."""
    for fault in faults:
        place = whereabouts(values, fault)
        words[fault] = b"null" if place is None else b'"%b"' % place.encode("ascii")
    return words


def _quoted_pointers(addresses: NDArray[np.generic]) -> Part:
    words = pointers(addresses)
    return b'"%b"' % words if isinstance(words, bytes) else [b'"%b"' % each for each in words]
