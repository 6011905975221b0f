"""What an expression of a print fmt can be worth: a C integer, a text, a place in the record.

Integers follow C on the kernel's compilers: two's complement, wrapping, promotion to int, the usual
arithmetic conversions, division towards zero (ISO C 6.3.1, 6.5.5).
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class IntType(NamedTuple):
    """A C integer type: bytes and sign."""

    size: int
    signed: bool


INT = IntType(4, True)
UNSIGNED = IntType(4, False)
BOOL = IntType(1, False)
CHAR = IntType(1, True)
U8 = IntType(1, False)
LONG_LONG = IntType(8, True)


class Int(NamedTuple):
    """A C integer; value is within its type."""

    value: int
    type: IntType


class Str(NamedTuple):
    """A pointer to text that is known: a literal, or what a helper of tracing built."""

    text: bytes


class Place(NamedTuple):
    """An address within the record.

    offset: bytes from the record's start; element: type of what lies there, None for a struct;
    step: bytes from one element to the next; size: bytes up to the end of the thing; struct: name
    of the struct that lies there, empty for others.
    """

    offset: int
    element: IntType | None
    step: int
    size: int
    struct: str = ""


Value: TypeAlias = Int | Str | Place


class UnevaluableError(Exception):
    """An expression has no value outside the kernel that wrote the record; reason says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Doubt:
    """A part of a print fmt that couldn't be evaluated: its C text, and why."""

    source: str
    reason: str


def wrap(value: int, kind: IntType) -> Int:
    """The value converted to a type, modulo its range."""
    bits = kind.size * 8
    value &= (1 << bits) - 1
    if kind.signed and value >> (bits - 1):
        value -= 1 << bits
    return Int(value, kind)


def promote(number: Int) -> Int:
    """Integer promotion: what is narrower than an int becomes one."""
    return Int(number.value, INT) if number.type.size < INT.size else number


def common_type(left: IntType, right: IntType) -> IntType:
    """The usual arithmetic conversions, for promoted types."""
    if left.size != right.size:
        return left if left.size > right.size else right
    return left if not left.signed else right


def truth(value: Value) -> bool:
    """Whether a value is not zero; an address in the record never is."""
    return value.value != 0 if isinstance(value, Int) else True


def boolean(true: bool) -> Int:
    """A C truth value: an int, 0 or 1."""
    return Int(int(true), INT)


def unary(operator: str, number: Int) -> Int:
    """One of ``+ - ~`` on an integer."""
    number = promote(number)
    if operator == "-":
        return wrap(-number.value, number.type)
    return wrap(~number.value, number.type) if operator == "~" else number


def binary(operator: str, left: Int, right: Int) -> Int:
    """An arithmetic, bitwise or comparing operator on integers. Raises UnevaluableError."""
    left, right = promote(left), promote(right)
    if operator in ("<<", ">>"):
        return _shift(operator, left, right)
    kind = common_type(left.type, right.type)
    first, second = wrap(left.value, kind).value, wrap(right.value, kind).value
    if operator in _COMPARISONS:
        return boolean(_COMPARISONS[operator](first, second))
    return wrap(_calculate(operator, first, second), kind)


def _shift(operator: str, left: Int, right: Int) -> Int:
    # Counts beyond the width are undefined in C; processors use the low bits of the count.
    count = right.value & (left.type.size * 8 - 1)
    return wrap(left.value << count if operator == "<<" else left.value >> count, left.type)


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    ">": operators.gt,
    "<=": operators.le,
    ">=": operators.ge,
}
_CALCULATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
    "&": operators.and_,
    "|": operators.or_,
    "^": operators.xor,
}


def _calculate(operator: str, first: int, second: int) -> int:
    if operator in ("/", "%"):
        return _divide(operator, first, second)
    if operator not in _CALCULATIONS:
        raise UnevaluableError(f"the operator {operator} changes something")
    return _CALCULATIONS[operator](first, second)


def _divide(operator: str, first: int, second: int) -> int:
    if second == 0:
        raise UnevaluableError("a division by zero")
    quotient = abs(first) // abs(second)
    if (first < 0) != (second < 0):
        quotient = -quotient
    return quotient if operator == "/" else first - quotient * second
