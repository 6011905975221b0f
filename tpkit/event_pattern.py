"""What a user calls an event by: ``tracepoint:c:n``, ``t:c:n``, ``c:n``, ``c/n``, its name or category alone, globs.

Commas separate several, ``!`` in front of one excludes.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from tpkit.model import TracepointId

_PREFIX = re.compile(r"^(?:tracepoint|t):", re.IGNORECASE)

# System calls whose tracepoints have the name of the kernel's function, and not that of the call itself (syscall(2),
# strace): the function's got a prefix when it replaced an older one.
_CALLS = {
    "stat": "newstat",
    "fstat": "newfstat",
    "lstat": "newlstat",
    "uname": "newuname",
    "umount2": "umount",
    "sendfile": "sendfile64",
}

Matcher = Callable[[TracepointId], bool]


def name_matcher(part: str) -> Matcher:
    """What tells whether an event is meant by one of these, be it excluded or not; a word is a whole name."""
    part = part.removeprefix("!")
    halves = split_name(part)
    if halves is not None:
        category, name = halves
        pattern = glob(f"{category}:{_CALLS.get(name, name) if category == 'syscalls' else name}")
        return lambda event: bool(pattern(str(event)))
    name = without_prefix(part)
    word, call = glob(name), _CALLS.get(name)
    return lambda event: bool(word(event.name) or word(event.category)) or (
        event.name == call and event.category == "syscalls"
    )


def means(names: str, event: TracepointId) -> bool:
    """Whether the event is among those that the names choose, separated by commas; the last that knows it counts.

    A system call as a whole (``syscalls:unlinkat``) is meant by its own name, and by what means both of its events.
    """
    halves = [] if event.category != "syscalls" or event.syscall else list(both_halves(event))
    chosen = False
    for part in filter(None, names.split(",")):
        matches, excludes = name_matcher(part), part.startswith("!")
        known = (any if excludes else all)(map(matches, halves)) if halves else False
        if known or matches(event):
            chosen = not excludes
    return chosen


def both_halves(call: TracepointId) -> tuple[TracepointId, TracepointId]:
    """The names of a call's entry and return."""
    return TracepointId(call.category, f"sys_enter_{call.name}"), TracepointId(call.category, f"sys_exit_{call.name}")


def without_prefix(text: str) -> str:
    """Without bpftrace's word for tracepoints."""
    return _PREFIX.sub("", text, count=1)


def split_name(part: str) -> tuple[str, str] | None:
    """Category and name of ``c:n`` or ``c/n``, None for a single word."""
    text = without_prefix(part)
    for separator in (":", "/"):
        category, found, name = text.partition(separator)
        if found:
            return category, name
    return None


def glob(pattern: str) -> Callable[[str], object]:
    """What tells whether a whole text is like a pattern."""
    return re.compile(fnmatch.translate(pattern)).match
