"""Bytes that anybody may have chosen, made safe for a terminal.

The spelling is C's: ``\\n``, ``\\"``, ``\\\\``, and three octal digits for other bytes, which no
following digit can extend. What Unicode calls printable stays as it is; that leaves out control
characters, escape sequences and the marks that reorder text.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(rb'[ !#-\[\]-~]*')
_SHORT = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}
_UNQUOTED = {code: escape for code, escape in _SHORT.items() if code != ord('"')}


def quote(data: bytes) -> str:
    """The bytes as a C string in double quotes; the exact bytes can be recovered from it."""
    if _PLAIN.fullmatch(data):
        return f'"{data.decode("ascii")}"'
    return f'"{_escape(data, _SHORT)}"'


def plain(data: bytes) -> str:
    """The bytes without quotes, for columns such as COMM; unsafe ones escaped as in ``quote``."""
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    return _escape(data, _UNQUOTED)


def safe(text: str) -> str:
    """Text for a person, such as a message that repeats the user's words: nothing reaches the terminal raw.

    Newlines stay, and backslashes too: this isn't meant to be read back.
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(_escape(line.encode("utf-8", "surrogateescape"), {}) for line in text.split("\n"))


def _escape(data: bytes, short: dict[int, str]) -> str:
    # surrogateescape: each byte that isn't UTF-8 becomes one character, U+DC80 and up.
    return "".join(_character(c, short) for c in data.decode("utf-8", "surrogateescape"))


def _character(character: str, short: dict[int, str]) -> str:
    code = ord(character)
    if code in short:
        return short[code]
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def json_text(data: bytes) -> tuple[str, str | None]:
    """The bytes as text for JSON, and in hexadecimal where the text can't give them back (not UTF-8)."""
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), data.hex()
