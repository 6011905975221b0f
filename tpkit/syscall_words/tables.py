"""A group of names as the table of one argument: in its order, and with numbers as the argument's type has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from tpkit.model import Field, SymbolTable
from tpkit.syscall_words.arguments import group_of
from tpkit.syscall_words.names import BASES, FLAGS, MASKS, NAMES, OWN, Names
from tpkit.widths import Width, argument_width

# Groups of flags among which permissions stand, as in a file's mode.
_WITH_MODES = frozenset("file_mode ipc_get shared_get".split())

# -1 where an unsigned argument means "leave as it is".
_NONE: Names = ((-1, "-1"), (0xFFFF_FFFF, "-1"))


def argument_names(syscall: str, field: Field, machine: str) -> SymbolTable | None:
    """The table for an argument, None where it is just a number or the machine isn't known."""
    group = group_of(syscall, field)
    width = argument_width(field)
    if group is None or width is None or field.type.is_pointer or machine not in OWN:
        return None
    if group == "none":
        return SymbolTable(None, tuple(dict(_fitting(_NONE, width)).items()))
    return group_table(group, width, machine)


@lru_cache(maxsize=1024)
def group_table(group: str, width: Width, machine: str) -> SymbolTable | None:
    """A group's names for numbers of a width, None where the machine has none of them. Raises KeyError for no group."""
    table = _table(group, machine, width)
    return table if table.symbols or table.base else None


def _table(group: str, machine: str, width: Width) -> SymbolTable:
    if group not in FLAGS:
        return SymbolTable(None, tuple(_fitting(_names(group, machine), width)), mask=MASKS.get(group))
    names = tuple(_fitting(_names(group, machine), replace(width, signed=False)))  # bits have no sign
    zero = tuple(pair for pair in names if not pair[0])
    base = SymbolTable(None, zero) if zero else None
    if group in BASES:
        base = _table(BASES[group], machine, width)
    flags = tuple(sorted((pair for pair in names if pair[0]), key=_flag_order))
    return SymbolTable("|", flags, base=base, octal=group in _WITH_MODES)


def _names(group: str, machine: str) -> Names:
    own = OWN[machine].get(group)
    return NAMES[group] if own is None else tuple(sorted(NAMES[group] + own))


def _fitting(names: Iterable[tuple[int, str]], width: Width) -> Iterable[tuple[int, str]]:
    """The names whose numbers an argument of this type can have, each as the type has it."""
    bits = width.size * 8
    for number, name in names:
        if -(1 << bits - 1) <= number < 1 << bits:
            value = number & ((1 << bits) - 1)
            yield value - (1 << bits) if width.signed and value >> bits - 1 else value, name


def _flag_order(pair: tuple[int, str]) -> tuple[int, int, int]:
    """By the lowest bit, and then what has more bits first: so it goes before all that have some of its bits."""
    number = pair[0]
    return (number & -number, -number.bit_count(), number)
