"""How each form of output spells strings: thousands at a time, those with anything unsafe in them one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from json.encoder import encode_basestring_ascii

import numpy as np
from numpy.typing import NDArray

from tpkit.decode.text import json_text, one_line, plain, quote


@dataclass(frozen=True, slots=True)
class Spelling:
    """spell: makes one string safe; special: what it changes of the printable ASCII characters; leading: what it
    changes at the start of a string only."""

    spell: Callable[[bytes], bytes]
    special: bytes
    leading: bytes = b""

    def each(self, strings: Sequence[bytes]) -> list[bytes]:
        """All of them, safe."""
        safe = list(strings)
        for at in self.unsafe(safe):
            safe[at] = self.spell(safe[at])
        return safe

    def unsafe(self, strings: Sequence[bytes]) -> list[int]:
        """Which of them can't stay as they are."""
        text = b"".join(strings)
        if not text:
            return []
        codes = np.frombuffer(text, dtype=np.uint8)
        is_plain = codes.min() >= 0x20 and codes.max() <= 0x7E and not any(each in text for each in self.special)
        if is_plain and not self.leading:
            return []
        ends = np.fromiter(accumulate(map(len, strings)), dtype=np.int64, count=len(strings))
        found = set() if is_plain else set(_holders(_UNSAFE[self.special][codes], ends))
        return sorted(found.union(_begun_by(self.leading, codes, ends)))


def _holders(marked: NDArray[np.bool_], ends: NDArray[np.int64]) -> list[int]:
    """The strings that hold a marked byte; ends: where each ends in the text of all."""
    holders: list[int] = np.unique(np.searchsorted(ends, np.flatnonzero(marked), side="right")).tolist()
    return holders


def _begun_by(leading: bytes, codes: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[int]:
    """The strings that begin with one of these bytes."""
    if not leading:
        return []
    starts = np.concatenate(([0], ends[:-1]))
    full = np.flatnonzero(starts < ends)
    firsts = codes[starts[full]]
    begun: list[int] = full[_table(leading)[firsts]].tolist()
    return begun


def _table(codes: bytes) -> NDArray[np.bool_]:
    marked = np.zeros(256, dtype=np.bool_)
    marked[list(codes)] = True
    return marked


def _in_quotes(data: bytes) -> bytes:
    return quote(data)[1:-1].encode()


def _in_json(data: bytes) -> bytes:
    """Printable ASCII only, so that no terminal sees what JSON would let pass."""
    return encode_basestring_ascii(json_text(data)[0])[1:-1].encode("ascii")


# A cell that begins with one of these is a formula to a spreadsheet; the last four are wide forms, which some take
# for the same. A spreadsheet that expects semicolons or other quotes between cells sees more beginnings than we do.
_FORMULA = re.compile("(^|[,;\"'])([=+\\-@\uff1d\uff0b\uff0d\uff20])")


def _in_cell(data: bytes) -> bytes:
    """As ``plain``, with what might begin a formula escaped in the same way; in double quotes where RFC 4180 asks."""
    return _as_cell(plain(data))


def _as_cell(text: str) -> bytes:
    guarded = _FORMULA.sub(lambda found: found[1] + _octal(found[2]), text)
    if "," in guarded or '"' in guarded:
        guarded = '"' + guarded.replace('"', '""') + '"'
    return guarded.encode()


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def words(text: str) -> bytes:
    """Words of our own or the kernel's, for people."""
    return one_line(text).encode()


def json_words(text: str) -> bytes:
    """Words as the inside of a JSON string."""
    return _in_json(text.encode("utf-8", "backslashreplace"))


def cell_words(text: str) -> bytes:
    """Words as a cell of CSV; backslashes in them stay."""
    return _as_cell(one_line(text))


IN_QUOTES = Spelling(_in_quotes, special=b'"\\')
IN_JSON = Spelling(_in_json, special=b'"\\')
IN_CELL = Spelling(_in_cell, special=b"\"\\,;'", leading=b"=+-@")

_UNSAFE = {
    each.special: _table(bytes(set(range(256)) - set(range(0x20, 0x7F))) + each.special)
    for each in (IN_QUOTES, IN_JSON, IN_CELL)
}
