"""Accounts of system calls, strace's and ours, taken apart: ``name(a, b=1) = 0``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Strings, comments, and everything else one by one: no bracket within a string or a comment counts.
_PARTS = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|.', re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one thread.

    arguments: as they stand, in order, ``name=value`` split where an account names them; result: what stands behind
    the ``=``, its note in brackets included; resumed: it was interrupted by other threads' lines.
    """

    thread: int
    name: str
    arguments: tuple[tuple[str | None, str], ...]
    result: str


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """What strace -f -o wrote, without signals and exits; calls that never returned are left out."""
    unfinished: dict[int, str] = {}
    for line in lines:
        found = re.match(r"(\d+)\s+(.*)", line.rstrip("\n"))
        if found is None:
            continue
        thread, text = int(found[1]), found[2]
        resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)", text)
        if text.endswith(" <unfinished ...>"):
            unfinished[thread] = text.removesuffix(" <unfinished ...>")
            continue
        if resumed is not None:
            text = unfinished.pop(thread, f"{resumed[1]}(") + resumed[2]
        call = parsed(thread, text)
        if call is not None:
            yield call


def parsed(thread: int, text: str) -> Call | None:
    """One line without its thread, None where it is no call that returned."""
    name, bracket, rest = text.partition("(")
    if not bracket or not re.fullmatch(r"\w+", name):
        return None
    words, behind = split(rest)
    found = re.match(r"\s*=\s+(.*)", behind)
    if found is None:
        return None
    return Call(thread, name, tuple(_named(word) for word in words), found[1].strip())


def split(text: str) -> tuple[list[str], str]:
    """``1, {a, b}, "c,d") = 0`` as its parts up to the closing bracket, and what is behind that."""
    words: list[str] = []
    word, depth = "", 0
    parts = _PARTS.findall(text)
    for at, part in enumerate(parts):
        if depth == 0 and part in (",", *_CLOSE):
            if word.strip() or words or part == ",":
                words.append(word.strip())
            word = ""
            if part != ",":
                return words, "".join(parts[at + 1 :])
            continue
        depth += (part in _OPEN) - (part in _CLOSE)
        word += part
    return [*words, word.strip()] if word.strip() else words, ""


def _named(word: str) -> tuple[str | None, str]:
    """``child_stack=NULL`` and ``flags=…``: strace names clone's arguments, we name all."""
    found = re.match(r"([a-z_]\w*)=(?!=)(.*)", word, re.DOTALL)
    return (found[1], found[2]) if found else (None, word)
