"""What a call of the workload is given: numbers, and descriptions of memory that ``caller`` makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Data:
    """The address of these bytes; label: by which ``Of`` finds it again."""

    data: bytes
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """The address of so many zeros, for the kernel to fill."""

    size: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The address of a struct that has other addresses in it: each part with its size in bytes."""

    parts: tuple[tuple[int, Argument], ...]


@dataclass(frozen=True, slots=True)
class Of:
    """What an earlier call returned, or where memory with a label is; offset: of an int within it, itself read."""

    label: str
    offset: int | None = None


# A text stands for the address of its bytes with a zero behind, None for NULL.
Argument = int | str | None | Data | Room | Parts | Of
Arguments = tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call; label: by which later ones find what it returned."""

    name: str
    arguments: Arguments
    label: str | None = None


def pointers(*arguments: Argument) -> Parts:
    """An array of addresses."""
    return Parts(tuple((8, each) for each in arguments))


def described(argument: Argument) -> Any:
    """As JSON has it, for ``caller``."""
    if argument is None or isinstance(argument, int):
        return argument or 0
    if isinstance(argument, Of):
        return {"of": argument.label, "offset": argument.offset}
    if isinstance(argument, Parts):
        return {"parts": [[size, described(each)] for size, each in argument.parts]}
    if isinstance(argument, str):
        return {"data": argument.encode().hex() + "00"}
    data = argument.data if isinstance(argument, Data) else bytes(argument.size)
    return {"data": data.hex(), "label": argument.label}


def all_wanted(calls: Sequence[object]) -> list[Wanted]:
    """Calls, some written as ``("name", argument, …)``."""
    return [each if isinstance(each, Wanted) else _wanted(each) for each in calls]


def _wanted(call: object) -> Wanted:
    assert isinstance(call, tuple)
    return Wanted(call[0], call[1:])
