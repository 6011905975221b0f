"""What a line of a bpftrace program is made of: printf's words, arguments, and names kept in maps.

The language has no text to build a piece at a time, and a line that several calls of printf write gets
mixed up with another CPU's. So every line is one printf, and where a value may be shown in two ways
(its name, or the number) there is a printf for each. Names are in maps that the program fills when it
begins: a map that is asked for what it doesn't have says "".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from tpkit.codegen.names import unique

# What bpftrace 0.17 puts on its stack of 512 bytes for one argument of printf.
NUMBER_ROOM = 8
STRING_ROOM = 64  # BPFTRACE_STRLEN's default
ADDRESS_ROOM = 24
KEY_ROOM = 8  # of a map, for each time that it is asked

MAX_LITERAL = 63  # bytes of a string in the program's text: bpftrace 0.17


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a line. words: of printf's format; room: bytes of stack that its arguments need."""

    words: str
    arguments: tuple[str, ...] = ()
    room: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to show a column that is right where the condition holds; empty: it always does."""

    condition: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """How a column is shown.

    plain: what is always right; statements: to be executed before; choices: better ways, best first;
    usual: whether plain is no exception (most file descriptors have no name).
    """

    label: str
    plain: Shown
    statements: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a program gives.

    maps: of all maps; tables: the map of each table of names, shared by the columns that have the same
    table (key and name of each entry, as bpftrace writes them); variables: of one probe.
    """

    maps: set[str] = dataclasses.field(default_factory=set)
    tables: dict[tuple[tuple[str, str], ...], str] = dataclasses.field(default_factory=dict)
    variables: set[str] = dataclasses.field(default_factory=set)

    def for_probe(self, labels: Iterable[str]) -> Names:
        """The same for another probe, whose columns have variables of their own names."""
        return Names(self.maps, self.tables, set(labels))

    def table(self, name: str, entries: Iterable[tuple[str, str]]) -> str:
        """The map with these entries, by this name where it is new: ``@state_names``."""
        wanted = tuple(entries)
        if wanted not in self.tables:
            self.tables[wanted] = f"@{unique(name, self.maps)}"
        return self.tables[wanted]

    def variable(self, name: str) -> str:
        """A variable of the probe that is nobody else's: ``$state_name``."""
        return f"${unique(name, self.variables)}"


def literal(data: bytes) -> str:
    """A string of bpftrace's language that stands for exactly these bytes."""
    return '"' + "".join(map(_character, data)) + '"'


def name_literal(name: str) -> str:
    """The same for a name, cut to what bpftrace 0.17 takes."""
    data = _encoded(name)
    return literal(data if len(data) <= MAX_LITERAL else data[: MAX_LITERAL - 3] + b"...")


def name_room(names: Iterable[str], more: int = 0) -> int:
    """What the longest of the names needs, with so many bytes more, and the question for it."""
    longest = max(min(len(_encoded(name)) + more, MAX_LITERAL) for name in names)
    return (longest + 8) // 8 * 8 + KEY_ROOM


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _character(byte: int) -> str:
    return f"\\x{byte:02x}" if byte in b'"\\' or not 0x20 <= byte < 0x7F else chr(byte)
