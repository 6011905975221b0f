"""Bytes that anybody may have chosen, made safe for a terminal.

The spelling is C's: ``\\n``, ``\\"``, ``\\\\``, and three octal digits for other bytes, which no
following digit can extend. What Unicode calls printable stays as it is; that leaves out control
characters, escape sequences and the marks that reorder text. So are characters escaped that nobody can see.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_SHORT = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}
_UNQUOTED = {code: escape for code, escape in _SHORT.items() if code != ord('"')}

# Printable, but nothing to be seen: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, and
# the blank of Braille. The rest of them isn't printable anyway.
_INVISIBLE = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0)
).union(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class _Characters(dict[int, str]):
    """What each character becomes, for ``str.translate``; found out when it is first met."""

    def __init__(self, short: dict[int, str]) -> None:
        super().__init__(short)
        self._short = short

    def __missing__(self, code: int) -> str:
        if len(self) > 1 << 14:  # somebody is showing off all of Unicode
            self.clear()
            self.update(self._short)
        spelled = self[code] = _character(chr(code), code)
        return spelled


def _character(character: str, code: int) -> str:
    if character.isprintable() and code not in _INVISIBLE:
        return character
    # A surrogate stands for one byte, or (in a text that never was bytes) for nothing.
    errors = "surrogateescape" if 0xDC80 <= code <= 0xDCFF else "surrogatepass"
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", errors))


_IN_QUOTES = _Characters(_SHORT)
_BARE = _Characters(_UNQUOTED)
_FOR_PEOPLE = _Characters({})


def quote(data: bytes) -> str:
    """The bytes as a C string in double quotes; the exact bytes can be recovered from it."""
    if _PLAIN.fullmatch(data):
        return f'"{data.decode("ascii")}"'
    return f'"{_escape(data, _IN_QUOTES)}"'


def plain(data: bytes) -> str:
    """The bytes without quotes, for columns such as COMM; unsafe ones escaped as in ``quote``."""
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    return _escape(data, _BARE)


def safe(text: str) -> str:
    """Text for a person, such as a message that repeats the user's words: nothing reaches the terminal raw.

    Newlines stay, and backslashes too: this isn't meant to be read back.
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """Words of ours or the kernel's, such as a flag's name, on one line; as ``safe``."""
    return text if text.isascii() and text.isprintable() else text.translate(_FOR_PEOPLE)


def _escape(data: bytes, characters: _Characters) -> str:
    # surrogateescape: each byte that isn't UTF-8 becomes one character, U+DC80 and up.
    return data.decode("utf-8", "surrogateescape").translate(characters)


def json_text(data: bytes) -> tuple[str, str | None]:
    """The bytes as text for JSON, and in hexadecimal where the text can't give them back (not UTF-8)."""
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), data.hex()
