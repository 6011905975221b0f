"""Structs by their layouts: ``{fd=3, events=POLLIN}``, one or several."""

from __future__ import annotations

from tpkit.decode.structs import members
from tpkit.decode.structs.given import Given
from tpkit.syscall_words.layouts import OWN, STRUCTS, Struct

# Members that aren't shown when they are 0: they have no meaning then (of clone3, openat2, poll and sched_setattr),
# or tell the value of a pointer to nothing.
_OPTIONAL = frozenset(
    "pidfd child_tid parent_tid tls set_tid set_tid_size cgroup mode revents sched_util_min sched_util_max "
    "msg_control".split()
)


def layout(name: str, machine: str) -> Struct:
    """A struct's members on a machine. Raises KeyError."""
    return STRUCTS.get(name) or OWN[machine][name]


def struct(given: Given, name: str) -> str:
    """One struct, as much of it as there is."""
    rest = layout(name, given.machine)[1]
    words = _members(given, name)
    if rest or len(words) < _wanted(given, name) or not given.data:
        words.append("...")
    return f"{{{', '.join(word for word in words if word)}}}"


def structs(given: Given, name: str) -> str:
    """Several structs, one after the other."""
    size = layout(name, given.machine)[0]
    starts = range(0, len(given.data) - size + 1, size)
    words = [struct(Given(given.data[at : at + size], size, given.machine, given.others), name) for at in starts]
    if given.whole >= size * (len(words) + 1):
        words.append("...")
    return f"[{', '.join(words)}]"


def parts(given: Given, name: str) -> list[str]:
    """``label=value`` for the struct's members that there are."""
    return [word for word in _members(given, name) if word]


def _wanted(given: Given, name: str) -> int:
    """How many members a caller of this size means: structs grow from version to version."""
    return sum(offset + size <= max(given.whole, 1) for _, offset, size, _, _ in layout(name, given.machine)[2])


def _members(given: Given, name: str) -> list[str]:
    """The members that there are enough bytes for; empty where one needn't be shown."""
    words = []
    for label, offset, size, signed, shown in layout(name, given.machine)[2]:
        data = given.data[offset : offset + size]
        if len(data) < size and not (shown == "text" and data):
            break
        if label in _OPTIONAL and not any(data):
            words.append("")
        elif shown.startswith("struct "):
            inner = Given(data, size, given.machine, given.others)
            words.append(f"{label}={struct(inner, shown.removeprefix('struct '))}")
        else:
            words.append(f"{label}={members.value(data, signed, shown, given.machine)}")
    return words
