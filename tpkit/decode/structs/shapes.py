"""Structs by their layouts: ``{fd=3, events=POLLIN}``, one or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tpkit.decode.structs import members
from tpkit.decode.structs.given import Given
from tpkit.syscall_words.layouts import OWN, STRUCTS, Struct

# Members that aren't shown when they are 0: they have no meaning then (clone3(2), openat2(2), poll(2), sigaction(2)).
_OPTIONAL = frozenset(
    "pidfd child_tid parent_tid tls set_tid set_tid_size cgroup mode revents msg_control sa_restorer".split()
)


@dataclass(frozen=True, slots=True)
class _Member:
    """start and end: bytes within the struct; needed: how many of them it takes to show it."""

    label: str
    start: int
    end: int
    needed: int
    optional: bool
    shower: Callable[[bytes], str]


def layout(name: str, machine: str) -> Struct:
    """A struct's members on a machine. Raises KeyError."""
    return STRUCTS.get(name) or OWN[machine][name]


def struct(given: Given, name: str) -> str:
    """One struct, as much of it as there is."""
    return _struct(given.data, given.whole, name, given.machine)


def structs(given: Given, name: str) -> str:
    """Several structs, one after the other."""
    size = layout(name, given.machine)[0]
    starts = range(0, len(given.data) - size + 1, size)
    words = [_struct(given.data[at : at + size], size, name, given.machine) for at in starts]
    if given.whole >= size * (len(words) + 1):
        words.append("...")
    return f"[{', '.join(words)}]"


def parts(given: Given, name: str) -> list[str]:
    """``label=value`` for the struct's members that there are."""
    return [word for word in _words(given.data, name, given.machine) if word]


def _struct(data: bytes, whole: int, name: str, machine: str) -> str:
    words = _words(data, name, machine)
    # Structs grow from version to version: a caller that has a shorter one means fewer members.
    wanted = sum(member.end <= max(whole, 1) for member in _members(name, machine))
    if layout(name, machine)[1] or len(words) < wanted or not data:
        words.append("...")
    return f"{{{', '.join(word for word in words if word)}}}"


def _words(data: bytes, name: str, machine: str) -> list[str]:
    """The members that there are enough bytes for; empty where one needn't be shown."""
    words = []
    for member in _members(name, machine):
        piece = data[member.start : member.end]
        if len(piece) < member.needed:
            break
        words.append("" if member.optional and not any(piece) else f"{member.label}={member.shower(piece)}")
    return words


@lru_cache(maxsize=256)
def _members(name: str, machine: str) -> tuple[_Member, ...]:
    return tuple(
        _Member(
            label,
            offset,
            offset + size,
            1 if shown == "text" else size,
            label in _OPTIONAL,
            _shower(size, signed, shown, machine),
        )
        for label, offset, size, signed, shown in layout(name, machine)[2]
    )


def _shower(size: int, signed: bool, shown: str, machine: str) -> Callable[[bytes], str]:
    if not shown.startswith("struct "):
        return lambda data: members.value(data, signed, shown, machine)
    inner = shown.removeprefix("struct ")
    return lambda data: _struct(data, size, inner, machine)
