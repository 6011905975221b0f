"""Whether two texts for one argument mean the same.

What is no difference, and nothing else is:

- comments, the order of flags and of a set's members, spaces;
- how a number is written: octal, hexadecimal, NULL, -1 for all bits, 8192*1024;
- where a string, an array or a struct is cut, if both sides say that it is (``...``) or one of them does: what both
  show must be the same;
- of an argument that the call changes, ``before => after``: the other side shows one of the two;
- names that are given to the same thing: RLIM_INFINITY and RLIM64_INFINITY, ``A or B`` where a number has two names,
  a name for 0 among flags (NL0 of a terminal's).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum

from tests.strace.lines import split

_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|/\*.*?\*/', re.DOTALL)
_NUMBER = re.compile(r"-?(0x[\da-fA-F]+|\d+)")
_PRODUCT = re.compile(r"(\d+)\*(\d+)")
_STRING = re.compile(r'@?"((?:\\.|[^"\\])*)"(\.\.\.)?', re.DOTALL)
_ALIASES = {"RLIM_INFINITY": "RLIM64_INFINITY"}
_LOWEST = 0x1000  # of addresses: nothing is mapped below
_ZEROS = frozenset("NL0 CR0 TAB0 BS0 VT0 FF0".split())
_ESCAPES = {"n": 10, "t": 9, "r": 13, "v": 11, "f": 12, "a": 7, "b": 8, "e": 27}


class Verdict(Enum):
    """How two texts compare."""

    EQUAL = "the same text"
    SAME = "the same in meaning"
    MORE = "we say more: strace has only the address, or leaves members out"
    LESS = "strace says more"
    DIFFERENT = "different"

    @property
    def is_same(self) -> bool:
        """Whether nothing that strace says is missing or different."""
        return self in (Verdict.EQUAL, Verdict.SAME, Verdict.MORE)


_ORDER = (Verdict.EQUAL, Verdict.SAME, Verdict.MORE, Verdict.LESS, Verdict.DIFFERENT)


def compare(ours: str, theirs: str, number: int | None = None) -> Verdict:
    """The verdict on one argument; number: what it is worth, as far as it is known."""
    if ours == theirs:
        return Verdict.EQUAL
    ours, theirs = plain(ours), plain(theirs)
    if ours == theirs:
        return Verdict.SAME
    before, arrow, after = _arrow(theirs)
    if arrow:
        return _worst([min((compare(ours, each, number) for each in (before, after)), key=_ORDER.index)])
    return _compared(ours, theirs, number)


def plain(text: str) -> str:
    """Without comments, and other names for the same."""
    text = _COMMENT.sub(lambda found: found[1] or "", text).strip()
    for name, other in _ALIASES.items():
        text = re.sub(rf"\b{name}\b", other, text)
    return text


def _compared(ours: str, theirs: str, number: int | None) -> Verdict:
    for applies, compared in _RULES:
        if applies(ours) and applies(theirs):
            return compared(ours, theirs)
    if _is_number(theirs) and not _is_number(ours) and _value(theirs) in _same_numbers(number):
        return Verdict.MORE
    if number is None and _is_number(theirs) and _is_memory(ours) and _value(theirs) >= _LOWEST:
        return Verdict.MORE
    if _is_number(ours) and not _is_number(theirs) and _value(ours) in _same_numbers(number):
        return Verdict.LESS
    are_alternatives = " or " in ours + theirs  # names of one number, of which each knows some
    return Verdict.SAME if are_alternatives and _words(ours) & _words(theirs) else Verdict.DIFFERENT


def _is_memory(text: str) -> bool:
    """Whether a text tells what an address leads to."""
    return _is_string(text) or _is_struct(text) or _is_array(text) or _is_set(text)


def _same_numbers(number: int | None) -> set[int]:
    return set() if number is None else {number, number & 0xFFFF_FFFF, number & (1 << 64) - 1}


# ------------------------------------------------------------------------------------- numbers and flags


def _is_number(text: str) -> bool:
    return text == "NULL" or _NUMBER.fullmatch(text) is not None or _PRODUCT.fullmatch(text) is not None


def _value(text: str) -> int:
    if text == "NULL":
        return 0
    product = _PRODUCT.fullmatch(text)
    if product is not None:
        return int(product[1]) * int(product[2])
    return int(text, 8) if re.fullmatch(r"-?0[0-7]+", text) else int(text, 0)


def _numbers(ours: str, theirs: str) -> Verdict:
    left, right = _value(ours), _value(theirs)
    same = left == right or any(left % 2**bits == right % 2**bits and min(left, right) < 0 for bits in (32, 64))
    return Verdict.SAME if same else Verdict.DIFFERENT


def _is_flags(text: str) -> bool:
    return re.fullmatch(r"[\w|<*-]+|[\w|]*\w+\([\w, ()]*\)", text) is not None and not _is_number(text)


def _flags(ours: str, theirs: str) -> Verdict:
    return Verdict.SAME if _words(ours) == _words(theirs) else Verdict.DIFFERENT


def _words(text: str) -> set[str | int]:
    """Flags, numbers among them added up: two sides may know different names."""
    found: set[str | int] = set()
    rest = 0
    for word in text.replace(" or ", "|").split("|"):
        if _is_number(word):
            rest |= _value(word)
        elif word not in _ZEROS:
            found.add(word)
    return found | ({rest} if rest or not found else set())


# -------------------------------------------------------------------------------------------- text


def _is_string(text: str) -> bool:
    return _STRING.fullmatch(text) is not None


def _strings(ours: str, theirs: str) -> Verdict:
    (left, left_cut), (right, right_cut) = _bytes(ours), _bytes(theirs)
    if left == right or (left_cut and right.startswith(left)) or (right_cut and left.startswith(right)):
        return Verdict.SAME
    return Verdict.DIFFERENT


def _bytes(text: str) -> tuple[bytes, bool]:
    """A string's bytes, and whether it is cut."""
    found = _STRING.fullmatch(text)
    assert found is not None
    data = bytearray()
    for part in re.findall(r"\\x[\da-f]{2}|\\[0-7]{1,3}|\\.|[^\\]+", found[1], re.DOTALL):
        data += _unescaped(part)
    return bytes(data), found[2] is not None


def _unescaped(part: str) -> bytes:
    if not part.startswith("\\"):
        return part.encode("utf-8", "surrogateescape")
    if part[1] == "x":
        return bytes([int(part[2:], 16)])
    if part[1] in "01234567":
        return bytes([int(part[1:], 8)])
    return bytes([_ESCAPES.get(part[1], ord(part[1]))])


# ------------------------------------------------------------------------------------ structs and arrays


def _is_struct(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")


def _structs(ours: str, theirs: str) -> Verdict:
    left, right = _members(ours), _members(theirs)
    both = left.keys() & right.keys() - {"..."}
    verdicts = [compare(left[each], right[each]) for each in both]
    if right.keys() - left.keys() - {"..."} and "..." not in left:
        verdicts.append(Verdict.LESS)
    if left.keys() - right.keys() - {"..."} and "..." not in right:
        verdicts.append(Verdict.MORE)
    if not both and left.keys() | right.keys() != {"..."} and (left or right):
        verdicts.append(Verdict.DIFFERENT)
    return _worst(verdicts)


def _members(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, word in enumerate(split(text[1:])[0]):
        named = re.match(r"([A-Za-z_]\w*)=(?!=)(.*)", word, re.DOTALL)
        label = "..." if word == "..." else str(at)
        found.update({named[1]: named[2]} if named else {label: word})
    return found


def _is_array(text: str) -> bool:
    return text.startswith("[") and text.endswith("]")


def _arrays(ours: str, theirs: str) -> Verdict:
    left, right = split(ours[1:])[0], split(theirs[1:])[0]
    cut = [bool(words) and words[-1] == "..." for words in (left, right)]
    left, right = left[: len(left) - cut[0]], right[: len(right) - cut[1]]
    if (len(left) > len(right) and not cut[1]) or (len(right) > len(left) and not cut[0]):
        return Verdict.DIFFERENT
    if len(left) == len(right) == 1 and " " in left[0] + right[0] and not _is_struct(left[0]):
        return _sets(ours, theirs)
    return _worst([compare(one, other) for one, other in zip(left, right, strict=False)])


def _sets(ours: str, theirs: str) -> Verdict:
    """``[INT TERM]``: strace's sets have spaces between."""
    left, right = ({*text.strip("~[]").split()} for text in (ours, theirs))
    same = left == right and ours.startswith("~") == theirs.startswith("~")
    return Verdict.SAME if same else Verdict.DIFFERENT


def _is_set(text: str) -> bool:
    return text.startswith("~[") and text.endswith("]")


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max([Verdict.SAME, *verdicts], key=_ORDER.index)


def _arrow(text: str) -> tuple[str, str, str]:
    """``before => after`` at the outside, or within one pair of brackets: ``[28 => 16]``."""
    inner = text[1:-1] if _is_array(text) else text
    depth = 0
    for part in re.finditer(r'"(?:\\.|[^"\\])*"|=>|.', inner, re.DOTALL):
        depth += (part[0] in "([{") - (part[0] in ")]}")
        if depth == 0 and part[0] == "=>":
            before, after = inner[: part.start()].strip(), inner[part.end() :].strip()
            wrap = "[{}]" if _is_array(text) else "{}"
            return wrap.format(before), "=>", wrap.format(after)
    return text, "", ""


_RULES: Sequence[tuple[Callable[[str], bool], Callable[[str, str], Verdict]]] = (
    (_is_string, _strings),
    (_is_number, _numbers),
    (_is_struct, _structs),
    (_is_array, _arrays),
    (_is_set, _sets),
    (_is_flags, _flags),
)
