"""Which tracepoints there are, by name: listing, patterns, near names. Parses no formats.

Names come from tracefs, or from ``bpftrace -l`` where tracefs can't be read. Patterns are what users
of bpftrace, perf and trace-cmd write: ``tracepoint:c:n``, ``t:c:n``, ``c:n``, ``c/n``, an event or a
category alone, globs, plain words, regular expressions; commas separate, ``!`` in front excludes.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tpkit.errors import EventNotFound, InvalidName, ToolError, UsageError
from tpkit.event_pattern import Matcher, both_halves, glob, name_matcher, split_name, without_prefix
from tpkit.host import clean_environment, find_tool, install_command
from tpkit.model import TracepointId

_PATTERN = re.compile(r"[A-Za-z0-9_.:/*?\[\]!^-]+", re.ASCII)
_GLOB = re.compile(r"[*?\[]")
_SYSCALLS = re.compile(r"(?:^|[:/])(?:syscalls\b|sys_(?:enter|exit)_)")
_BPFTRACE_SECONDS = 60

NO_SYSCALLS = "this kernel has no syscalls events: it was built without CONFIG_FTRACE_SYSCALLS"


# ---------------------------------------------------------------------------------- patterns


def select(events: Iterable[TracepointId], patterns: Sequence[str], *, regex: bool = False) -> list[TracepointId]:
    """The events that the patterns choose, sorted; all of them without a pattern.

    A plain word is a substring of ``category:name``. Raises UsageError for a pattern that is none.
    """
    make = _regex_matcher if regex else _list_matcher
    parts = list(patterns) if regex else _parts(patterns)
    unwanted = [make(part[1:]) for part in parts if part.startswith("!")]
    wanted = [make(part) for part in parts if not part.startswith("!")]
    return [
        event
        for event in sorted(events, key=str)
        if (not wanted or any(match(event) for match in wanted)) and not any(match(event) for match in unwanted)
    ]


def resolve(events: Iterable[TracepointId], names: Sequence[str]) -> list[TracepointId]:
    """The events that are meant by name, in the order of the names, for commands that work on single events.

    A plain word is the whole name of an event, or of a category. Raises EventNotFound for a name that
    means nothing, with the nearest ones; UsageError, InvalidName for one that can't be a name.
    """
    known = sorted(events, key=str)
    chosen: dict[TracepointId, None] = {}
    for part in _parts(names):
        found = list(filter(name_matcher(part), known))
        if part.startswith("!"):
            chosen = {event: None for event in chosen if event not in found}
        elif not found:
            raise not_found(known, part)
        else:
            chosen.update(dict.fromkeys(found))
    return list(chosen)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Events that are meant by themselves, and system calls (``syscalls:unlinkat``) of which both are meant as one."""

    events: tuple[TracepointId, ...]
    calls: tuple[TracepointId, ...]


def resolve_calls(events: Iterable[TracepointId], names: Sequence[str], *, pair: bool | None = None) -> Chosen:
    """As ``resolve``; a system call's own name (``unlinkat``, ``syscalls:unlinkat``) is the call as a whole.

    pair: whether the entry and the return of a call are one where both are meant; None: where a pattern means both,
    and not where each has been named. Raises as ``resolve`` does.
    """
    known = sorted(events, key=str)
    there = set(known)
    calls = {call_of(event): event for event in known if event.is_syscall_enter}
    chosen: dict[TracepointId, None] = {}
    for part in _parts(names):
        matches = name_matcher(part)
        found = list(filter(matches, known))
        if part.startswith("!"):
            chosen = {each: None for each in chosen if not any(map(matches, _names_of(each, calls)))}
            continue
        if not found:
            found = list(filter(matches, calls))
            if pair is False:
                found = [each for call in found for each in both_halves(call) if each in there]
        elif pair or (pair is None and _is_pattern(part)):
            found = _paired(found, calls, alone=not pair)
        if not found:
            raise not_found(known, part)
        chosen.update(dict.fromkeys(found))
    return Chosen(tuple(e for e in chosen if e not in calls), tuple(e for e in chosen if e in calls))


def call_of(event: TracepointId) -> TracepointId:
    """The system call that an entry or a return is of."""
    return TracepointId(event.category, str(event.syscall))


def _names_of(chosen: TracepointId, calls: Collection[TracepointId]) -> tuple[TracepointId, ...]:
    """By which an event or a call can be excluded: a call by its halves too, a half by its call."""
    if chosen in calls:
        return (chosen, *both_halves(chosen))
    return (chosen,) if chosen.syscall is None else (chosen, call_of(chosen))


def _paired(
    found: Sequence[TracepointId], calls: Mapping[TracepointId, TracepointId], *, alone: bool
) -> list[TracepointId]:
    """Calls in the place of their events; alone: events whose other half wasn't found stay what they are."""
    names = set(found)
    paired: dict[TracepointId, None] = {}
    for event in found:
        call = call_of(event) if event.syscall is not None else None
        whole = call in calls and not (alone and not names.issuperset(both_halves(call) if call else ()))
        paired[call if call is not None and whole else event] = None
    return list(paired)


def _is_pattern(part: str) -> bool:
    """Whether a name may mean many: a glob, or a category alone."""
    return _GLOB.search(part) is not None or split_name(part) is None


def not_found(events: Iterable[TracepointId], wanted: str, *, regex: bool = False) -> EventNotFound:
    """The error for a pattern that chooses none of the events: with the nearest names, and the reason if known."""
    known = sorted(events, key=str)
    near = [] if regex else suggest(known, wanted)
    return EventNotFound(wanted, near, reason=_why_absent(known, wanted))


def _why_absent(known: Sequence[TracepointId], wanted: str) -> str | None:
    if any(event.category == "syscalls" for event in known):
        return None
    # A word that is hardly anything else's may be a system call's name.
    may_be_one = split_name(wanted) is None and not suggest(known, wanted, nearness=0.8)
    return NO_SYSCALLS if may_be_one or _SYSCALLS.search(wanted) else None


def suggest(events: Iterable[TracepointId], wanted: str, count: int = 3, nearness: float = 0.6) -> list[str]:
    """The nearest names, best first: of whole names for ``c:n``, of events and categories for a word.

    nearness: 1 for equal, 0 for nothing in common (``difflib``'s ratio).
    """
    known = sorted(events, key=str)
    halves = split_name(wanted.lstrip("!"))
    if halves is not None:
        return difflib.get_close_matches(":".join(halves), [str(event) for event in known], count, nearness)
    word = without_prefix(wanted)
    names = {event.name: str(event) for event in known}
    names.update({event.category: f"{event.category}:*" for event in known})
    names.update({event.syscall: str(event) for event in known if event.syscall and event.is_syscall_enter})
    return [names[near] for near in difflib.get_close_matches(word, names, count, nearness)]


def _parts(patterns: Sequence[str]) -> list[str]:
    """The comma-separated parts of all patterns. Raises UsageError for characters that no name has."""
    parts = [part for pattern in patterns for part in pattern.split(",") if part]
    for part in parts:
        if not _PATTERN.fullmatch(part) or ".." in part or part.startswith("-"):
            raise InvalidName(
                f"{part[:80]!r} can't be a tracepoint's name or a pattern of names",
                remedy="names look like syscalls:sys_enter_unlinkat, patterns like 'sched:*'",
            )
    if patterns and not parts:
        raise UsageError("an empty pattern", remedy="give a name, a word or a glob such as 'sched:*'")
    return parts


def _list_matcher(part: str) -> Matcher:
    text = without_prefix(part)
    halves = split_name(part)
    if _GLOB.search(text):
        pattern = glob(":".join(halves) if halves else text)
        return lambda event: bool(pattern(str(event)) or (halves is None and pattern(event.name)))
    word = ":".join(halves) if halves else text
    return lambda event: word in str(event)


def _regex_matcher(part: str) -> Matcher:
    try:
        pattern = re.compile(part)
    except re.error as error:
        raise UsageError(f"{part!r} is no regular expression: {error}", where="-r") from None
    return lambda event: bool(pattern.search(str(event)))


# ---------------------------------------------------------------------------------- bpftrace


def events_of_bpftrace() -> list[TracepointId]:
    """What ``bpftrace -l 'tracepoint:*'`` lists, sorted. Raises ToolError."""
    program = find_tool("bpftrace")
    if program is None:
        raise ToolError("bpftrace isn't installed", remedy=install_command("bpftrace"))
    try:
        done = subprocess.run(
            [str(program), "-l", "tracepoint:*"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(),
            cwd="/",
            timeout=_BPFTRACE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"bpftrace can't be run: {error}", where=str(program)) from None
    words = done.stderr.decode(errors="replace").strip()
    names = parse_bpftrace_list(done.stdout.decode(errors="replace"))
    if done.returncode or not names:
        raise ToolError(
            "bpftrace lists no tracepoints",
            where=str(program),
            remedy="bpftrace needs root and a mounted tracefs",
            details=words or None,
        )
    return names


def parse_bpftrace_list(text: str) -> list[TracepointId]:
    """Tracepoints from ``bpftrace -l``'s lines ``tracepoint:category:name``, sorted; other lines are skipped."""
    found = set()
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(":")
        if kind == "tracepoint":
            try:
                found.add(TracepointId.parse(rest))
            except InvalidName:
                continue
    return sorted(found, key=str)
