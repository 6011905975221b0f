"""A filter as it was written: a tree whose nodes know their place in the text."""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.errors import FilterError
from tpkit.event_pattern import means
from tpkit.model import TracepointId


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the text something stands: its first character, and the one behind its last, from 0."""

    at: int
    end: int

    def to(self, other: Place) -> Place:
        """From here to the other one's end."""
        return Place(self.at, other.end)


@dataclass(frozen=True, slots=True)
class Name:
    """A field, or a name for a number."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Number:
    """A number, never negative."""

    value: int
    place: Place


@dataclass(frozen=True, slots=True)
class Device:
    """A device, ``8:0``: major and minor number."""

    major: int
    minor: int
    place: Place


@dataclass(frozen=True, slots=True)
class Text:
    """A string, as it stands between its quotes: whether ``*`` is a wildcard depends on what it is used for."""

    raw: str
    place: Place


@dataclass(frozen=True, slots=True)
class Negative:
    """``-`` and what is behind it."""

    operand: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Bitwise:
    """Two or more operands with ``&`` or ``|`` between them."""

    operator: str
    operands: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands; operator: one of ``== != < <= > >= ~ !~``."""

    operator: str
    left: Node
    right: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Negation:
    """``!`` and what is behind it."""

    operand: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more operands with ``&&`` or ``||`` between them."""

    operator: str
    operands: tuple[Node, ...]
    place: Place


Node = Name | Number | Device | Text | Negative | Bitwise | Comparison | Negation | Logic


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as a whole, and the events that it is for.

    event: the names in front of it, as ``event_pattern`` understands them, None for all events; event_place: where they
    stand.
    """

    text: str
    condition: Node
    event: str | None = None
    event_place: Place = Place(0, 0)

    def is_for(self, event: TracepointId) -> bool:
        """Whether the event is among those that the filter is for."""
        return self.event is None or means(self.event, event)

    def error(self, what: str, place: Place, remedy: str | None = None) -> FilterError:
        """What is wrong at this place of the filter."""
        return FilterError(what, text=self.text, at=place.at, end=place.end, remedy=remedy)
