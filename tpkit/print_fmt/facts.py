"""What holds for all records of one event, looked up once: fields, constants, tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from tpkit.model import Field
from tpkit.print_fmt.c_types import field_kind
from tpkit.print_fmt.machine import Machine
from tpkit.print_fmt.values import IntType, Place

Table: TypeAlias = tuple[list[tuple[int, str]], list[str]]  # numbers and texts; names without a number

DUMP_PREFIXES = {"DUMP_PREFIX_NONE": 0, "DUMP_PREFIX_ADDRESS": 1, "DUMP_PREFIX_OFFSET": 2}  # printk.h
_CONSTANTS = {"true": 1, "false": 0, "NULL": 0, **DUMP_PREFIXES}


class Facts:
    """What holds for all records of an event: its fields, the machine, and what was looked up once."""

    def __init__(self, fields: Iterable[Field], machine: Machine) -> None:
        self.machine = machine
        self.fields: dict[str, Field] = {}
        for field in fields:
            self.fields.setdefault(field.name, field)
        self.tables: dict[int, Table] = {}
        self._kinds: dict[str, IntType | Place] = {}
        self._numbers: dict[str, int | None] = {}

    def kind(self, field: Field) -> IntType | Place:
        """How one of the event's fields is read."""
        known = self._kinds.get(field.name)
        if known is None:
            known = field_kind(field, self.machine.long_size, self.machine.char_signed)
            self._kinds[field.name] = known
        return known

    def number(self, name: str) -> int | None:
        """The number of a constant, None for a name that has none here."""
        if name not in self._numbers:
            constant = _CONSTANTS.get(name)
            self._numbers[name] = self.machine.names(name) if constant is None else constant
        return self._numbers[name]
