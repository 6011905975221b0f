"""What a filter asks of one event: conditions in which every name is known and every type fits."""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.filters.pattern import Pattern
from tpkit.record import Column, Scalar

MAX_TEXT_SIZE = 4095  # bytes of a string that are looked at: as long as a path can be (PATH_MAX)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a filter asks about: a field that records carry, or something of the task.

    scalar: the type of its number (of a string's address), None without one; text_size: how many bytes
    its string may have, None where it is no string; column: the field's, None for the task's ``pid``,
    ``tid``, ``comm``, ``uid`` and ``cpu``; may_fail: whether its number may be an error's.
    """

    name: str
    scalar: Scalar | None
    text_size: int | None = None
    column: Column | None = None
    may_fail: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it is compared as a string."""
        return self.text_size is not None


@dataclass(frozen=True, slots=True)
class Value:
    """A subject's number."""

    subject: Subject
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Bits:
    """Some bits of a subject's number, as a number that is never negative."""

    subject: Subject
    mask: int
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Constant:
    """A number; mask: the bits that its name is about, None for a number of all bits."""

    number: int
    mask: int | None = None


Quantity = Value | Bits


@dataclass(frozen=True, slots=True)
class Compare:
    """Two numbers, compared as numbers are, whatever C makes of their types. operator: ``== != < <= > >=``."""

    operator: str
    left: Quantity
    right: Quantity | Constant


@dataclass(frozen=True, slots=True)
class Matches:
    """Whether a string is like a pattern. One that can't be read is like none."""

    subject: Subject
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Joined:
    """All of the parts (``&&``) or one of them at least (``||``)."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Compare | Matches | Not | Joined


def subjects(condition: Condition) -> tuple[Subject, ...]:
    """What the condition asks about, each once, in its order."""
    return tuple(dict.fromkeys(_subjects(condition)))


def _subjects(condition: Condition) -> list[Subject]:
    match condition:
        case Compare():
            sides = (condition.left, condition.right)
            return [side.subject for side in sides if not isinstance(side, Constant)]
        case Matches(subject):
            return [subject]
        case Not(part):
            return _subjects(part)
        case Joined(_, parts):
            return [subject for part in parts for subject in _subjects(part)]


def searches(condition: Condition) -> tuple[Pattern, ...]:
    """The patterns that have to be searched for, each once."""
    return tuple(dict.fromkeys(each.pattern for each in matches(condition) if each.pattern.is_search))


def matches(condition: Condition) -> tuple[Matches, ...]:
    """The conditions on strings, each once, in their order."""
    match condition:
        case Matches():
            return (condition,)
        case Not(part):
            return matches(part)
        case Joined(_, parts):
            return tuple(dict.fromkeys(each for part in parts for each in matches(part)))
    return ()
