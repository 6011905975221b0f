"""Conditions of filters as C expressions, in which numbers compare as numbers do.

C would compare -1 with an unsigned number as if it were a large one; where two fields differ in their
sign, a cast or a second comparison says what is meant. Constants fit their field: that is checked before.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

from tpkit.filters.conditions import Bits, Compare, Condition, Constant, Joined, Matches, Not, Quantity, Subject, Value
from tpkit.record import Display, Scalar

WIDTH = 88  # of a line, without its indentation

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
# What a negative number is, beside one that never is.
_SMALLER = ("!=", "<", "<=")


def expression(condition: Condition, values: Mapping[Subject, str], calls: Mapping[Matches, str]) -> str:
    """The condition as C; values: what each number is called; calls: of the functions for patterns."""

    def written(each: Condition) -> str:
        match each:
            case Compare():
                return _comparison(each, values)
            case Matches():
                return calls[each]
            case Not(Compare(operator, left, right)):
                return _comparison(Compare(_OPPOSITE[operator], left, right), values)
            case Not(Matches() as found):
                return f"!{calls[found]}"
            case Not(part):
                return f"!({written(part)})"
            case Joined(operator, parts):
                return f" {operator} ".join(_enclosed(written(part), isinstance(part, Joined)) for part in parts)

    return written(condition)


def lines(text: str) -> tuple[str, ...]:
    """An expression, broken behind its ``&&`` and ``||``."""
    glued = re.sub(r"(?<!&&)(?<!\|\|) ", "\0", text)
    return tuple(
        line.replace("\0", " ") for line in textwrap.wrap(glued, WIDTH, break_long_words=False, break_on_hyphens=False)
    )


def _enclosed(text: str, yes: bool) -> str:
    return f"({text})" if yes else text


def _comparison(compare: Compare, values: Mapping[Subject, str]) -> str:
    left, operator, right = compare.left, compare.operator, compare.right
    if isinstance(right, Constant):
        return f"{_quantity(left, values)} {operator} {_number(right.number, _is_hex(left))}"
    if left.scalar.is_signed == right.scalar.is_signed:
        return f"{_quantity(left, values)} {operator} {_quantity(right, values)}"
    if right.scalar.is_signed:
        left, operator, right = right, _MIRRORED[operator], left
    signed, unsigned = _quantity(left, values), _quantity(right, values)
    if right.scalar is not Scalar.U64:
        return f"(__s64){signed} {operator} (__s64){unsigned}"
    if operator in _SMALLER:
        return f"({signed} < 0 || (__u64){signed} {operator} {unsigned})"
    return f"({signed} >= 0 && (__u64){signed} {operator} {unsigned})"


def _quantity(quantity: Quantity, values: Mapping[Subject, str]) -> str:
    name = values[quantity.subject]
    return name if isinstance(quantity, Value) else f"({name} & {quantity.mask:#x})"


def _is_hex(quantity: Quantity) -> bool:
    """Whether numbers beside it read better in hexadecimal."""
    column = quantity.subject.column
    return isinstance(quantity, Bits) or (column is not None and column.display in (Display.HEX, Display.POINTER))


def _number(number: int, in_hex: bool) -> str:
    """A number as C writes it, of a type that holds it."""
    if number == -(1 << 63):
        return f"(-{(1 << 63) - 1} - 1)"
    # A decimal constant is never unsigned by itself, a hexadecimal one is where it has to be.
    return f"{number:#x}" if (in_hex and number > 9) or number >= 1 << 63 else str(number)
