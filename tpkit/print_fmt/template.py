"""The format string: text → literal parts and conversions, as the kernel's ``format_decode`` reads it.

The kernel's ``vsnprintf`` (``lib/vsprintf.c``) has its own ideas of a conversion: ``%Lu`` is 64 bits
wide, ``%p`` takes all letters and digits behind it as its extension, ``%5%`` prints a percent sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import pyparsing as pp

STAR = "*"  # a width or precision that is an argument


@dataclass(frozen=True, slots=True)
class Conversion:
    """One ``%…``.

    flags: of ``-+ #0``; width and precision: a number, ``*`` or None; qualifier: ``hh``, ``h``, ``l``,
    ``ll``, ``z``, ``t`` or empty; letter: the conversion itself, empty when the kernel knows none such
    (it then stops formatting); extension: what follows ``%p``; source: as written.
    """

    flags: str
    width: int | str | None
    precision: int | str | None
    qualifier: str
    letter: str
    extension: str
    source: str

    @property
    def arguments(self) -> int:
        """How many arguments it takes, stars included."""
        stars = (self.width == STAR) + (self.precision == STAR)
        return stars + (self.letter not in ("%", ""))


Part: TypeAlias = str | Conversion

_QUALIFIERS = {"L": "ll", "q": "ll", "ll": "ll", "Z": "z"}

_CONVERSION = pp.Regex(
    r"%(?P<flags>[-+ #0]*+)"
    r"(?P<width>[0-9]{1,7}|\*)?"
    r"(?:\.(?P<precision>[0-9]{1,7}|\*)?)?"  # to the kernel a lone point is no precision
    r"(?P<qualifier>hh|h|ll|l|L|q|z|Z|t)?"
    r"(?P<letter>p(?P<extension>[A-Za-z0-9]*+)|[csdiouxX%])?",
    as_match=True,
).leave_whitespace()
_CONVERSION.add_parse_action(lambda found: _conversion(found[0]))
_PARTS = pp.ZeroOrMore(pp.Regex(r"[^%]++").leave_whitespace() | _CONVERSION).parse_with_tabs()


def _conversion(found: re.Match[str]) -> Conversion:
    letter = found["letter"] or ""
    qualifier = found["qualifier"] or ""
    return Conversion(
        flags=found["flags"],
        width=_size(found["width"]),
        precision=_size(found["precision"]),
        qualifier=_QUALIFIERS.get(qualifier, qualifier),
        letter=letter[:1],
        extension=found["extension"] or "",
        source=found[0],
    )


def _size(text: str | None) -> int | str | None:
    return int(text) if text and text != STAR else text or None


@lru_cache(maxsize=1 << 12)
def parse_template(template: str) -> tuple[Part, ...]:
    """The parts of a format string, in order; never fails."""
    return tuple(_PARTS.parse_string(template))
