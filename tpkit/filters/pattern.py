"""Patterns of strings: bytes, ``?`` for any one byte, ``*`` for any number of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PATTERN = 255  # bytes of a pattern, each a comparison of the program
# A part between two stars is searched for: one bit of 64 for each byte of the pattern says how far it is found
# (after Baeza-Yates and Gonnet, "A new approach to text searching"). The verifier goes through it byte by byte, with
# at most 8,192 jumps open (BPF_COMPLEXITY_LIMIT_JMP_SEQ of kernel/bpf/verifier.c) and a million instructions in all,
# of which the largest filter takes half on Linux 6.18.
MAX_SEARCH = 32  # bytes of such a pattern
MAX_SEARCHED = 512  # bytes of a string that are searched
MAX_SEARCHES = 4  # for each event


class PatternError(ValueError):
    """Text that is no pattern; remedy: what would be."""

    def __init__(self, what: str, remedy: str | None = None) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, cut at its stars: ``"a*b?"`` has the parts ``a`` and ``b?``.

    parts: one more than there are stars; each of bytes, None for ``?``.
    """

    parts: tuple[tuple[int | None, ...], ...]

    @property
    def is_exact(self) -> bool:
        """Without a star."""
        return len(self.parts) == 1

    @property
    def is_search(self) -> bool:
        """With something between two stars, which may be anywhere."""
        return any(self.parts[1:-1])

    @property
    def head(self) -> tuple[int | None, ...]:
        """What the string begins with."""
        return self.parts[0]

    @property
    def tail(self) -> tuple[int | None, ...]:
        """What it ends with; nothing for an exact pattern, whose head is all of it."""
        return () if self.is_exact else self.parts[-1]

    @property
    def size(self) -> int:
        """How many bytes a string has at least that is like it."""
        return sum(map(len, self.parts))


def literal(raw: str) -> Pattern:
    """The pattern that only this string is like. Raises PatternError."""
    return _checked(Pattern((tuple(byte for byte, _ in _bytes(raw)),)))


def glob(raw: str) -> Pattern:
    """The pattern with ``*`` and ``?`` in it, unless they have a backslash in front. Raises PatternError."""
    parts: list[list[int | None]] = [[]]
    for byte, is_plain in _bytes(raw):
        if is_plain and byte == ord("*"):
            parts.append([])
        elif is_plain and byte == ord("["):
            raise PatternError("patterns know '*' and '?', and no sets of characters", "write \\[ for the character")
        else:
            parts[-1].append(None if is_plain and byte == ord("?") else byte)
    # Stars side by side are one.
    kept = [part for index, part in enumerate(parts) if part or index in (0, len(parts) - 1)]
    return _checked(Pattern(tuple(map(tuple, kept))))


def _checked(pattern: Pattern) -> Pattern:
    if pattern.size > MAX_PATTERN:
        raise PatternError(f"a pattern of {pattern.size} bytes: {MAX_PATTERN} are the most")
    if pattern.is_search and pattern.size > MAX_SEARCH:
        raise PatternError(
            f"a pattern of {pattern.size} bytes with a part between two stars: {MAX_SEARCH} are the most",
            f"a pattern with stars at its ends only, or one in its middle, may have {MAX_PATTERN}"
        )
    return pattern


_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "e": 27}
_PLAIN_ESCAPES = "\"'\\?*[]"
_CHARACTER = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]))|([^\\])")


def _bytes(raw: str) -> list[tuple[int, bool]]:
    """The bytes of a string's text, and whether each stands there without a backslash."""
    found = [pair for match in _CHARACTER.finditer(raw) for pair in _character(match)]
    if any(byte == 0 for byte, _ in found):
        raise PatternError("a string ends at its first zero byte, and can have none in it")
    return found


def _character(match: re.Match[str]) -> list[tuple[int, bool]]:
    hexadecimal, octal, letter, plain = match.groups()
    if plain is not None:
        # surrogateescape: a byte of the command line that is no UTF-8 is that byte
        return [(byte, True) for byte in plain.encode("utf-8", "surrogateescape")]
    if letter is None:
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if number > 255:
            raise PatternError(f"{match[0]} is more than a byte", "octal escapes go from \\1 to \\377")
        return [(number, False)]
    if letter in _PLAIN_ESCAPES:
        return [(ord(letter), False)]
    if letter not in _ESCAPES:
        raise PatternError(f"unknown escape {match[0]}", "write \\\\ for a backslash")
    return [(_ESCAPES[letter], False)]
