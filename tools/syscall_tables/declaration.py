"""What tools/syscall-*.toml declare: groups of names, structs, machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class DeclarationError(Exception):
    """What the declaration says doesn't fit the headers."""


@dataclass(frozen=True)
class Source:
    """Where names come from: headers, and the pattern of the names; forms: text and C with ``{}`` for the name.

    defined_as: the pattern of what they stand for, a macro's text or ``enum`` and the enum's name; libc: the
    headers are, or need, the C library's; they are read as on this machine.
    """

    headers: tuple[str, ...]
    names: re.Pattern[str]
    without: re.Pattern[str]
    defined_as: re.Pattern[str]
    forms: tuple[tuple[str, str], ...]
    libc: bool

    def wanted(self, defined: Mapping[str, str]) -> list[str]:
        """Those of the headers' names, sorted; defined: each with what it stands for."""
        return sorted(
            name
            for name, text in defined.items()
            if self.names.fullmatch(name) and not self.without.fullmatch(name) and self.defined_as.fullmatch(text)
        )


@dataclass(frozen=True)
class Group:
    """Names that belong together.

    flags: each is a bit or several; mask: C, the bits that the names are about; base: the group that
    names some of the bits as a whole; aliases: a number may have several names; machines: where it is,
    None for everywhere.
    """

    name: str
    flags: bool
    sources: tuple[Source, ...]
    mask: str | None
    base: str | None
    aliases: bool
    machines: tuple[str, ...] | None


@dataclass(frozen=True)
class Machine:
    """A machine as uname(2) calls it, the folder of its own headers, what its compiler defines."""

    name: str
    folder: str
    macros: tuple[str, ...]


def groups(declared: Mapping[str, Any]) -> list[Group]:
    """The declaration's groups, sorted by their names."""
    return [group(name, declared[name]) for name in sorted(declared)]


def group(name: str, told: Mapping[str, Any]) -> Group:
    """One group; it has one source itself, or several under ``from``."""
    sources = tuple(source(each) for each in told.get("from", [told]))
    kinds = {"flags" in each for each in told.get("from", [told])}
    if len(kinds) != 1:
        raise DeclarationError(f"{name}: flags or values, not both")
    machines = tuple(told["machines"]) if "machines" in told else None
    return Group(name, kinds.pop(), sources, told.get("mask"), told.get("base"), told.get("aliases", False), machines)


def source(told: Mapping[str, Any]) -> Source:
    """One source of a group."""
    names = told["flags"] if "flags" in told else told["values"]
    return Source(
        headers=tuple(told["headers"]),
        names=re.compile(names),
        without=re.compile(told.get("without", r"(?!)")),
        defined_as=re.compile(told.get("as", ".*")),
        forms=tuple((text, c) for text, c in told.get("forms", [["{}", "{}"]])),
        libc=told.get("libc", False),
    )
