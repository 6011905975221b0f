"""Functions that a print fmt calls and that need nothing but their arguments.

Builtins of the compiler, byte order, time, and the kernel's words for truth
(``include/linux/string_choices.h``). All others are the kernel's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from tpkit.print_fmt.tree import Expr, Number, Text
from tpkit.print_fmt.values import INT, LONG_LONG, Int, IntType, Str, UnevaluableError, Value, truth, wrap

if TYPE_CHECKING:
    from tpkit.print_fmt.evaluate import Evaluation

Rule = Callable[["Evaluation", Sequence[Expr]], Value]
_MILLISECONDS = 1000


def _first(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """A function that gives its first argument: ``__builtin_expect``."""
    if not arguments:
        raise UnevaluableError("a call without its argument")
    return evaluation.value(arguments[0])


def _first_integer(evaluation: Evaluation, arguments: Sequence[Expr]) -> Int:
    if not arguments:
        raise UnevaluableError("a call without its argument")
    return evaluation.integer(arguments[0])


def _choose(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__builtin_choose_expr``."""
    if len(arguments) != 3:
        raise UnevaluableError("__builtin_choose_expr() takes three arguments")
    return evaluation.value(arguments[1 if truth(evaluation.value(arguments[0])) else 2])


def _is_constant(_evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__builtin_constant_p``: what the compiler saw as a constant."""
    return Int(int(bool(arguments) and isinstance(arguments[0], (Number, Text))), INT)


def _swap(size: int) -> Rule:
    kind = IntType(size, False)

    def swap(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        number = wrap(_first_integer(evaluation, arguments).value, kind).value
        return Int(int.from_bytes(number.to_bytes(size, "little"), "big"), kind)

    return swap


def _ordered(size: int, order: Literal["little", "big"]) -> Rule:
    """``be32_to_cpu`` and its kin: a swap, unless the machine has that order."""
    swap = _swap(size)
    kind = IntType(size, False)

    def convert(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        if evaluation.machine.byte_order == order:
            return wrap(_first_integer(evaluation, arguments).value, kind)
        return swap(evaluation, arguments)

    return convert


def _loaded(size: int, order: Literal["little", "big"]) -> Rule:
    """``be32_to_cpup`` and its kin, which take an address."""

    def load(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        data = evaluation.bytes_at(_first(evaluation, arguments), size, arguments[0])
        return Int(int.from_bytes(data, order), IntType(size, False))

    return load


def _bits(count: Callable[[int, int], int]) -> Rule:
    """A builtin that counts bits of an argument of the size that its suffix says."""

    def counted(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        number = _first_integer(evaluation, arguments)
        size = max(number.type.size, INT.size)
        return Int(count(number.value & ((1 << size * 8) - 1), size * 8), INT)

    return counted


def _trailing_zeros(number: int, bits: int) -> int:
    return (number & -number).bit_length() - 1 if number else bits


def _duration(divisor: int) -> Rule:
    """``ktime_to_us`` and its kin: signed nanoseconds, divided towards zero."""

    def converted(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        time = wrap(_first_integer(evaluation, arguments).value, LONG_LONG).value
        return Int(abs(time) // divisor * (1 if time >= 0 else -1), LONG_LONG)

    return converted


def _jiffies(unit: int) -> Rule:
    """``jiffies_to_msecs`` (``kernel/time/time.c``) where a tick is a whole number of units."""

    def converted(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        hz = evaluation.machine.hz
        if not hz or unit % hz:
            raise UnevaluableError("the kernel's ticks a second (CONFIG_HZ) aren't known")
        return wrap(_first_integer(evaluation, arguments).value * (unit // hz), IntType(4, False))

    return converted


def _words(yes: str, no: str) -> Rule:
    def chosen(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
        return Str((yes if truth(_first(evaluation, arguments)) else no).encode())

    return chosen


FUNCTIONS: dict[str, Rule] = {
    "__builtin_expect": _first,
    "__builtin_expect_with_probability": _first,
    "likely": _first,
    "unlikely": _first,
    "__builtin_choose_expr": _choose,
    "__builtin_constant_p": _is_constant,
    "__builtin_bswap16": _swap(2),
    "__builtin_bswap32": _swap(4),
    "__builtin_bswap64": _swap(8),
    "__builtin_ctz": _bits(_trailing_zeros),
    "__builtin_ctzl": _bits(_trailing_zeros),
    "__builtin_ctzll": _bits(_trailing_zeros),
    "__builtin_clz": _bits(lambda number, bits: bits - number.bit_length()),
    "__builtin_clzl": _bits(lambda number, bits: bits - number.bit_length()),
    "__builtin_clzll": _bits(lambda number, bits: bits - number.bit_length()),
    "__builtin_ffs": _bits(lambda number, _: _trailing_zeros(number, -1) + 1),
    "__builtin_ffsl": _bits(lambda number, _: _trailing_zeros(number, -1) + 1),
    "__builtin_ffsll": _bits(lambda number, _: _trailing_zeros(number, -1) + 1),
    "__builtin_popcount": _bits(lambda number, _: number.bit_count()),
    "__builtin_popcountl": _bits(lambda number, _: number.bit_count()),
    "__builtin_popcountll": _bits(lambda number, _: number.bit_count()),
    "ktime_to_ns": _duration(1),
    "ktime_to_us": _duration(1_000),
    "ktime_to_ms": _duration(1_000_000),
    "jiffies_to_msecs": _jiffies(1_000),
    "jiffies_to_usecs": _jiffies(1_000_000),
    "str_yes_no": _words("yes", "no"),
    "yesno": _words("yes", "no"),
    "str_on_off": _words("on", "off"),
    "onoff": _words("on", "off"),
    "str_true_false": _words("true", "false"),
    "str_enable_disable": _words("enable", "disable"),
    "str_enabled_disabled": _words("enabled", "disabled"),
    "enableddisabled": _words("enabled", "disabled"),
    "str_read_write": _words("read", "write"),
    "str_high_low": _words("high", "low"),
    "str_up_down": _words("up", "down"),
}

_ORDERS: tuple[tuple[str, Literal["little", "big"]], ...] = (("le", "little"), ("be", "big"))
for _bits_wide in (16, 32, 64):
    for _prefix, _order in _ORDERS:
        for _pattern in ("{0}{1}_to_cpu", "__{0}{1}_to_cpu", "cpu_to_{0}{1}", "__cpu_to_{0}{1}"):
            FUNCTIONS[_pattern.format(_prefix, _bits_wide)] = _ordered(_bits_wide // 8, _order)
        for _pattern in ("{0}{1}_to_cpup", "__{0}{1}_to_cpup"):
            FUNCTIONS[_pattern.format(_prefix, _bits_wide)] = _loaded(_bits_wide // 8, _order)
for _name, _size in (("ntohs", 2), ("htons", 2), ("ntohl", 4), ("htonl", 4)):
    FUNCTIONS[_name] = _ordered(_size, "big")
    FUNCTIONS[f"__{_name}"] = _ordered(_size, "big")
