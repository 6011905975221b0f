"""A place in the tokens of C text, and the steps that every rule of the grammar takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tpkit.errors import FormatError
from tpkit.print_fmt.tokens import NAME, Token, format_error

MAX_NESTING = 64  # of brackets, prefixes and ternaries; the macros of Linux 7.2 reach 24

_T = TypeVar("_T")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


class Cursor:
    """The tokens of a source, the index of the next one, and how deep the rules are nested."""

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._closing = _match_brackets(source, tokens)

    def _error(self, expected: str, at: int | None = None) -> FormatError:
        return format_error(self._source, self._tokens[self._at if at is None else at].at, expected)

    def _accept(self, sign: str) -> bool:
        """Step over the sign if it is next. Strings and characters never equal a sign."""
        if self._tokens[self._at].text == sign:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise self._error(f"{sign!r}")

    def _nested(self, rule: Callable[[], _T]) -> _T:
        """Apply a rule one level deeper."""
        if self._depth >= MAX_NESTING:
            raise self._error(f"an expression nested at most {MAX_NESTING} deep")
        self._depth += 1
        try:
            return rule()
        finally:
            self._depth -= 1

    def _skip_brackets(self) -> str:
        """Step over the bracket that is next and all that it holds; gives the text, brackets included."""
        opening, closing = self._tokens[self._at], self._closing[self._at]
        self._at = closing + 1
        return self._source[opening.at : self._tokens[closing].at + 1]

    def _bracketed(self, rule: Callable[[], _T]) -> _T:
        """The bracket that is next, with what the rule finds in it."""
        closer = _CLOSERS.get(self._tokens[self._at].text)
        if closer is None:
            raise self._error("'('")
        self._at += 1
        node = self._nested(rule)
        self._expect(closer)
        return node

    def _name(self) -> str:
        token = self._tokens[self._at]
        if token.kind != NAME:
            raise self._error("a name")
        self._at += 1
        return token.text


def _match_brackets(source: str, tokens: list[Token]) -> dict[int, int]:
    """For each opening bracket's index that of its closing one. Raises FormatError."""
    closing: dict[int, int] = {}
    waiting: list[tuple[int, str]] = []
    for index, token in enumerate(tokens):
        if token.text in _CLOSERS:
            waiting.append((index, _CLOSERS[token.text]))
        elif token.text in (")", "]", "}"):
            if not waiting or waiting[-1][1] != token.text:
                wanted = f"{waiting[-1][1]!r}" if waiting else f"no {token.text!r}"
                raise format_error(source, token.at, wanted)
            closing[waiting.pop()[0]] = index
    if waiting:
        raise format_error(source, len(source), f"{waiting[-1][1]!r}")
    return closing
