"""The words of a print fmt: where its format string ends, and what the C text behind it consists of.

Two pyparsing grammars. The first finds the format string, which comes in two encodings. In most events
the compiler has resolved it (``TP_printk`` in the kernel's ``trace_events.h`` stages): escapes are
gone, so raw newlines and inner quotes occur, and it is one literal. ``ftrace/*`` events
(``trace_export.c``) and system calls (``trace_syscalls.c``) keep the source text: escapes stand, and
literals may be adjacent. The second grammar cuts C text into tokens: kind, text and place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pyparsing as pp

from tpkit.errors import FormatError

MAX_TEXT = 1 << 20  # characters; the largest print fmt of Linux 7.2 has 34,052
MAX_CANDIDATES = 4  # places where a resolved format string may end; the first is right nearly always

NAME, NUMBER, CHARACTER, TEXT, SIGN, END = "name", "number", "character", "text", "sign", "end"
FIELD = "field"  # REC->name as one token, and
ENTRY = "entry"  # { number, "text" } as one token, because a kernel's files consist of these by half


class Token(NamedTuple):
    """One word of C. kind: one of the constants above; at: its place in the text, from 0."""

    kind: str
    text: str
    at: int


def format_error(text: str, at: int, expected: str) -> FormatError:
    """A FormatError for position ``at`` of ``text``; line 1 is the one behind ``print fmt:``."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    return FormatError(expected, line=text.count("\n", 0, at) + 1, column=at - start + 1, text=line)


# ------------------------------------------------------------------------------ the format string

_LITERAL = r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"'
_BEHIND = r"[ \t\n]*(?:,|\Z)"


class Template(NamedTuple):
    """A format string with its escapes resolved, and where in the text its arguments begin."""

    text: str
    arguments_at: int


# A possessive group that fails behind its first character isn't undone by Python 3.11's re: groups
# here either fail at once or aren't possessive.
_SOURCE = pp.Regex(rf"{_LITERAL}(?:\s++{_LITERAL})*(?={_BEHIND})").leave_whitespace()
_RESOLVED = pp.Regex(rf'"[\s\S]*?"(?={_BEHIND})').leave_whitespace()
_SOURCE.set_parse_action(lambda _, at, found: [(at + len(found[0]), join_literals(found[0]))])
_RESOLVED.set_parse_action(lambda _, at, found: [(at + len(found[0]), found[0][1:-1])])
_TEMPLATE = (_SOURCE | _RESOLVED).parse_with_tabs()
_TEMPLATE_NAME = "a format string in double quotes, then ',' or the end"
_LATER_END = re.compile(rf'"(?={_BEHIND})')
_COMMA = re.compile(r"[ \t\n]*,?")


def templates(text: str) -> Iterator[Template]:
    """What the format string of a print fmt may be, the most likely first, a few at most.

    A resolved string may hold a quote and a comma itself, which only its arguments can tell.
    Raises FormatError when there is none.
    """
    try:
        end, template = _TEMPLATE.parse_string(text)[0]
    except pp.ParseBaseException:
        raise format_error(text, 0, _TEMPLATE_NAME) from None
    yield Template(template, _behind_comma(text, end))
    for _ in range(MAX_CANDIDATES - 1):
        later = _LATER_END.search(text, end)
        if not later:
            return
        end = later.end()
        yield Template(text[1 : end - 1], _behind_comma(text, end))


def _behind_comma(text: str, at: int) -> int:
    found = _COMMA.match(text, at)
    return found.end() if found else at


# ---------------------------------------------------------------------------------------- literals

_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|\n|([\s\S]))")


def unescape(text: str) -> str:
    """The text of a C literal without its quotes, escapes resolved; ``\\x`` and octal give one byte."""
    return _ESCAPE.sub(_resolve_escape, text) if "\\" in text else text


def _resolve_escape(found: re.Match[str]) -> str:
    hexadecimal, octal, letter = found.groups()
    if hexadecimal or octal:
        return chr(int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 0xFF)
    return _ESCAPES.get(letter, letter) if letter else ""


_EACH_LITERAL = re.compile(_LITERAL)


def join_literals(text: str) -> str:
    """Adjacent string literals as one text: ``"a" "b\\n"`` gives ``ab`` and a newline."""
    return "".join(unescape(each[1:-1]) for each in _EACH_LITERAL.findall(text))


# ------------------------------------------------------------------------------------------ tokens

# C's widest has 64 bits; Python refuses to read decimal numbers of more than 4,300 digits.
_NUMBER = r"(?:0[xX][0-9a-fA-F]{1,64}+|0[bB][01]{1,128}+|[0-9]{1,64}+)[uUlL]{0,4}+"
_KINDS: dict[str, str] = {
    FIELD: r"REC\s*->\s*[A-Za-z_][A-Za-z0-9_]*+",
    NAME: r"[A-Za-z_$][A-Za-z0-9_$]*+",
    ENTRY: rf"\{{\s*-?{_NUMBER}\s*,\s*{_LITERAL}\s*\}}",
    NUMBER: rf"{_NUMBER}(?![A-Za-z0-9_$.])",
    TEXT: rf"{_LITERAL}(?:\s*+{_LITERAL})*",
    CHARACTER: r"L?'(?:[^'\\\n]|\\[^\n])[^'\n]{0,8}'",
    SIGN: r"->|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|\.\.\.|[-+*/%&|^~!<>=?:.,;()\[\]{}]",
}
_WORD = pp.Regex("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), as_match=True)
_WORD.set_whitespace_chars(" \t\n\r\f\v").set_name("a name, number, string or sign of C")
_WORD.add_parse_action(lambda found: Token(found[0].lastgroup, found[0].group(), found[0].start()))
_WORDS = (pp.ZeroOrMore(_WORD) + pp.StringEnd()).parse_with_tabs()


def tokenize(text: str) -> list[Token]:
    """The tokens of C text, and one of kind END behind them. Raises FormatError; takes linear time."""
    try:
        tokens: list[Token] = list(_WORDS.parse_string(text))
    except pp.ParseBaseException as error:
        raise format_error(text, error.loc, "a name, number, string or sign of C") from None
    tokens.append(Token(END, "the end", len(text)))
    return tokens
