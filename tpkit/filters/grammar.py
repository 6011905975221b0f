"""The grammar of filters: text → tree.

No rule ever goes back behind a word that it has read, so reading takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pyparsing as pp

from tpkit.errors import FilterError
from tpkit.filters.tree import (
    Bitwise,
    Comparison,
    Device,
    Filter,
    Logic,
    Name,
    Negation,
    Negative,
    Node,
    Number,
    Place,
    Text,
)
from tpkit.record import MAJOR_BITS, MINOR_BITS

MAX_TEXT = 4096  # characters
MAX_NESTING = 24  # of parentheses: pyparsing takes some twenty of Python's thousand frames for each

_WORD = r"[A-Za-z0-9_.*?/\[\]!^-]+"
_NAME = rf"(?:(?i:tracepoint|t):)?{_WORD}(?::{_WORD})?"
_EVENT = re.compile(rf"\s*(?![0-9]+:[0-9])({_NAME}(?:,{_NAME})*+),?\s*:")
_OPERAND = "a field, a constant, a string or '('"
_END = "an operator or the end"
# What is no word here, and what to write for it.
_FOREIGN = (
    (re.compile(r"=(?!=)"), "write == to compare"),
    (re.compile(r"and\b", re.IGNORECASE), "write && for 'and'"),
    (re.compile(r"or\b", re.IGNORECASE), "write || for 'or'"),
    (re.compile(r"'"), "strings stand in double quotes"),
    (re.compile(r"[<>=!]"), "two comparisons are joined by &&, as in 1 < x && x < 5"),
)


def parse_filter(text: str) -> Filter:
    """Read a filter, with the event in front of it that it is for, if there is one.

    Raises FilterError for text that isn't a filter; what its names mean isn't looked at.
    """
    if len(text) > MAX_TEXT:
        raise FilterError(f"a filter has at most {MAX_TEXT} characters", text=text, at=MAX_TEXT, end=MAX_TEXT + 1)
    found = _EVENT.match(text)
    # The event's characters become spaces, so that what is behind them keeps its place.
    source = " " * found.end() + text[found.end() :] if found else text
    _check_nesting(text, source)
    try:
        condition: Node = _FILTER.parse_string(source)[0]
    except pp.ParseBaseException as error:
        raise _unreadable(text, source, error) from None
    if found is None:
        return Filter(text, condition)
    return Filter(text, condition, found[1], Place(*found.span(1)))


def _check_nesting(text: str, source: str) -> None:
    depth = 0
    for found in re.finditer(rf"{_STRING}|[()]", source):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > MAX_NESTING:
            raise FilterError(
                f"parentheses are nested more than {MAX_NESTING} deep", text=text, at=found.start(), end=found.end()
            )


def _unreadable(text: str, source: str, error: pp.ParseBaseException) -> FilterError:
    """pyparsing's error as ours, with the whole word that stands at its place."""
    word = re.compile(r"\s*([A-Za-z0-9_.]+|[&|=<>!~]+|\S|\Z)").match(source, error.loc)
    assert word is not None  # the end at least is there
    remedy = next((hint for pattern, hint in _FOREIGN if pattern.match(source, word.start(1))), None)
    if word[1] == '"' and not _WHOLE_STRING.match(source, word.start(1)):
        remedy = 'a string ends with a double quote, and has \\" for one within'
    at, end = word.span(1) if word[1] else (len(text.rstrip()), len(text.rstrip()) + 1)
    what = error.msg[:1].lower() + error.msg[1:]
    return FilterError(what, text=text, at=at, end=end, remedy=remedy)


# ------------------------------------------------------------------------------------------- words

_STRING = r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"'
_WHOLE_STRING = re.compile(_STRING)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")


def _sign(pattern: str, name: str) -> pp.ParserElement:
    return pp.Regex(pattern).set_name(name)


def _to_number(source: str, at: int, found: pp.ParseResults) -> Number:
    word = found[0]
    if not _NUMBER.fullmatch(word):
        raise pp.ParseFatalException(source, at, "expected a whole number as in C: 10, 0x1f, 0644")
    octal = word.startswith("0") and word.isdigit()
    # Python refuses to read decimal numbers of more than 4,300 digits.
    value = int(word, 8 if octal else 0) if len(word) <= 24 else 1 << 64
    if value >= 1 << 64:
        raise pp.ParseFatalException(source, at, "numbers have 64 bits at most")
    return Number(value, Place(at, at + len(word)))


def _to_device(source: str, at: int, found: pp.ParseResults) -> Device:
    major, _, minor = found[0].partition(":")
    # Longer ones are too large, and needn't be read to know it.
    if len(major) > 4 or len(minor) > 7 or int(major) >> MAJOR_BITS or int(minor) >> MINOR_BITS:
        raise pp.ParseFatalException(
            source, at, f"a device's numbers have {MAJOR_BITS} and {MINOR_BITS} bits: 4095:1048575 is the last one"
        )
    return Device(int(major), int(minor), Place(at, at + len(found[0])))


def _to_name(_: str, at: int, found: pp.ParseResults) -> Name:
    return Name(found[0], Place(at, at + len(found[0])))


def _to_text(_: str, at: int, found: pp.ParseResults) -> Text:
    return Text(found[0][1:-1], Place(at, at + len(found[0])))


# ------------------------------------------------------------------------------------------- rules


def _to_place(_: str, at: int, found: pp.ParseResults) -> Place:
    return Place(at, at + len(found[0]))


def _prefixed(kind: type[Negative | Negation]) -> Callable[[pp.ParseResults], Node]:
    """Makes nodes of the prefixes' places and the operand behind them."""

    def make(found: pp.ParseResults) -> Node:
        node: Node = found[-1]
        for place in reversed(found[:-1]):
            node = kind(node, place.to(node.place))
        return node

    return make


def _joined(kind: type[Bitwise | Logic]) -> Callable[[pp.ParseResults], Node]:
    """Makes one node of operands with the same operator between them; a single operand stays what it is."""

    def make(found: pp.ParseResults) -> Node:
        operands: tuple[Node, ...] = tuple(found[::2])
        if len(operands) == 1:
            return operands[0]
        return kind(found[1], operands, operands[0].place.to(operands[-1].place))

    return make


def _to_comparison(found: pp.ParseResults) -> Node:
    if len(found) == 1:
        node: Node = found[0]
        return node
    left, operator, right = found
    return Comparison(operator, left, right, left.place.to(right.place))


def _grammar() -> pp.ParserElement:
    condition = pp.Forward()
    number = pp.Regex(r"[0-9][A-Za-z0-9_.]*+").set_parse_action(_to_number)
    device = pp.Regex(r"[0-9]++:[0-9]++").set_parse_action(_to_device)
    name = pp.Regex(r"[A-Za-z_][A-Za-z0-9_]*+").set_parse_action(_to_name)
    string = pp.Regex(_STRING).set_parse_action(_to_text)
    nested = pp.Suppress("(") - condition - pp.Suppress(_sign(r"\)", "')'"))
    operand = (device | number | name | string | nested).set_name(_OPERAND)
    minus = _sign("-", "'-'").set_parse_action(_to_place)
    bang = _sign(r"!(?![=~])", "'!'").set_parse_action(_to_place)

    sign = (minus[...] + operand).set_parse_action(_prefixed(Negative))
    mask = (sign + (_sign(r"&(?!&)", "'&'") - sign)[...]).set_parse_action(_joined(Bitwise))
    bits = (mask + (_sign(r"\|(?!\|)", "'|'") - mask)[...]).set_parse_action(_joined(Bitwise))
    comparator = _sign(r"[=!<>]=|[<>]|!?~", "a comparison")
    comparison = (bits + pp.Opt(comparator - bits)).set_parse_action(_to_comparison)
    negation = (bang[...] + comparison).set_parse_action(_prefixed(Negation))
    both = (negation + (_sign("&&", "'&&'") - negation)[...]).set_parse_action(_joined(Logic))
    condition <<= (both + (_sign(r"\|\|", "'||'") - both)[...]).set_parse_action(_joined(Logic))
    return (condition + pp.StringEnd().set_name(_END)).parse_with_tabs()


_FILTER = _grammar()
