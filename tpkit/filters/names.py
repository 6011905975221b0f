"""What the names in a filter stand for: an event's fields, the task, names for numbers, errors."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tpkit.context import accesses
from tpkit.filters.conditions import MAX_TEXT_SIZE, Subject
from tpkit.model import EventFormat, SymbolTable, TracepointId
from tpkit.record import COMM_SIZE, Capture, Column, Display, Scalar

# What is known of the task when an event has no field of the name.
TASK = (
    Subject("pid", Scalar.U32),
    Subject("tid", Scalar.U32),
    Subject("comm", None, text_size=COMM_SIZE - 1),
    Subject("uid", Scalar.U32),
    Subject("cpu", Scalar.U32),
)
NULL = "NULL"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one event.

    subjects: by their names; unreadable: fields that no filter can ask about, and why; elsewhere: fields
    of other events that are traced, and one of those events.
    """

    event: TracepointId
    subjects: Mapping[str, Subject]
    unreadable: Mapping[str, str]
    elsewhere: Mapping[str, TracepointId]


def event_names(
    event: EventFormat,
    columns: Iterable[Column],
    elsewhere: Mapping[str, TracepointId] | None = None,
    *,
    name: TracepointId | None = None,
    result: Column | None = None,
) -> Names:
    """What a filter on this event may name: the fields that its records carry, by their labels, and the task.

    name: what its records are called, if not as the event (a call, whose entry the event is); result: what a call
    returns.
    """
    subjects = {column.label: _subject(column) for column in columns}
    if result is not None:
        subjects[result.label] = Subject(result.label, result.value.scalar, column=result, may_fail=True)
    subjects |= {each.name: each for each in TASK if each.name not in subjects}
    unreadable = {
        each.field.name: each.refusal or "the event's name says it already"
        for each in accesses(event)
        if each.field.name not in subjects
    }
    return Names(name or event.id, subjects, unreadable, elsewhere or {})


def _subject(column: Column) -> Subject:
    if column.capture in (Capture.VALUE, Capture.USER_MEMORY):
        may_fail = column.display is Display.ERROR
        return Subject(column.label, column.value.scalar, column=column, may_fail=may_fail)
    if column.display is not Display.TEXT:
        return Subject(column.label, None, column=column)
    if column.capture is Capture.BYTES:
        return Subject(column.label, None, text_size=min(column.value.size, MAX_TEXT_SIZE), column=column)
    pointer = column.value.scalar if column.capture in (Capture.USER_STRING, Capture.KERNEL_STRING) else None
    return Subject(column.label, pointer, text_size=MAX_TEXT_SIZE, column=column)


# ------------------------------------------------------------------------------ names for numbers


@dataclass(frozen=True, slots=True)
class Symbol:
    """A number that a name stands for; mask: the bits that the name tells something of, None for all."""

    number: int
    mask: int | None = None


def symbol(name: str, subject: Subject) -> Symbol | None:
    """What a name says beside this subject, None where it says nothing."""
    column = subject.column
    if column is None or subject.scalar is None:
        return None
    if name == NULL and (column.display is Display.POINTER or column.capture is Capture.USER_MEMORY):
        return Symbol(0)
    if column.table is None:
        return None
    number = next((number for number, each in _entries(column.table) if each == name), None)
    return None if number is None else _placed(number, column.table, subject.scalar)


def _placed(number: int, table: SymbolTable, scalar: Scalar) -> Symbol:
    """The number where the field has it: the table is about ``(field >> shift) & mask``."""
    if not table.shift and table.mask is None:
        return Symbol(number)
    every_bit = (1 << scalar.size * 8) - 1
    mask = every_bit if table.mask is None else table.mask << table.shift
    mask &= every_bit >> table.shift << table.shift
    return Symbol(number << table.shift & mask, mask)


def symbol_names(subject: Subject) -> list[str]:
    """The names for the subject's numbers, errors apart."""
    column = subject.column
    return [name for _, name in _entries(column.table)] if column is not None and column.table is not None else []


def _entries(table: SymbolTable) -> tuple[tuple[int, str], ...]:
    """The table's numbers and names, and those of its base."""
    return table.symbols if table.base is None else table.base.symbols + table.symbols


def has_flags(subject: Subject) -> bool:
    """Whether the subject's numbers are flags, by the names that there are for them."""
    column = subject.column
    return column is not None and column.table is not None and column.table.delimiter is not None


def is_device(subject: Subject) -> bool:
    """Whether the subject's numbers are devices."""
    return subject.column is not None and subject.column.display is Display.DEVICE


def error_number(name: str) -> int | None:
    """The number of an error, ``ENOENT``: 2 (errno(3)); aliases such as EWOULDBLOCK count."""
    number = getattr(errno, name, None) if name.startswith("E") else None
    return number if isinstance(number, int) else None


def error_names() -> list[str]:
    """The names that ``error_number`` knows, as they stand in filters."""
    return [f"-{name}" for name in dir(errno) if error_number(name) is not None]


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates most like the name, best first, three at most; capitals don't count."""
    spelled = {each.lower(): each for each in candidates}
    return [spelled[each] for each in get_close_matches(name.lower(), spelled)]
