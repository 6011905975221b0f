"""Our account of calls beside strace's, argument by argument."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.strace.lines import Call
from tests.strace.meaning import Verdict, compare, plain

# Where strace and the kernel call the same thing by different names.
EVENTS = {
    "umount2": "umount",
    "stat": "newstat",
    "lstat": "newlstat",
    "fstat": "newfstat",
    "uname": "newuname",
    "sendfile": "sendfile64",
}
# strace's names for clone's arguments, and the kernel's.
_NAMED = {
    "child_stack": "newsp",
    "flags": "clone_flags",
    "parent_tid": "parent_tidptr",
    "child_tidptr": "child_tidptr",
    "tls": "tls",
}
# Calls whose last two arguments are the halves of one number.
_HALVES = frozenset("preadv pwritev preadv2 pwritev2".split())


@dataclass(frozen=True, slots=True)
class Ours:
    """An argument as we show it; number: what it is worth."""

    name: str
    text: str
    number: int | None


@dataclass(frozen=True, slots=True)
class OurCall:
    """A call as we show it."""

    name: str
    arguments: tuple[Ours, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One argument of one call, or its result."""

    call: str
    parameter: str
    ours: str
    theirs: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.call}.{self.parameter}: {self.ours}  strace: {self.theirs}"


def event_name(call: str) -> str:
    """The kernel's name for a call that strace names."""
    return EVENTS.get(call, call)


def compared(ours: OurCall, theirs: Call) -> Iterator[Compared]:
    """The call's arguments that strace shows, and its result."""
    for argument, text in _aligned(ours, theirs):
        verdict = compare(argument.text, text, argument.number)
        yield Compared(theirs.name, argument.name, argument.text, text, verdict)
    yield Compared(theirs.name, "ret", ours.result, theirs.result, _result(ours.result, theirs.result))


def _aligned(ours: OurCall, theirs: Call) -> Iterator[tuple[Ours, str]]:
    by_name = {each.name: each for each in ours.arguments}
    position = 0
    for name, text in theirs.arguments:
        wanted = _NAMED.get(name or "", name or "")
        if name is not None and wanted in by_name and theirs.name in ("clone", "clone2"):
            yield by_name[wanted], text
        elif position < len(ours.arguments):
            left_out = ours.arguments[position].name == "uaddr2" and _is_about_bits(theirs)
            position += left_out
            yield ours.arguments[position], text if name is None else f"{name}={text}"
            position += 2 if theirs.name in _HALVES and ours.arguments[position].name == "pos_l" else 1


def _is_about_bits(call: Call) -> bool:
    """Whether strace leaves futex's second address out: operations on bits have none (futex(2))."""
    return call.name == "futex" and any("_BITSET" in text for _, text in call.arguments[:2])


def _result(ours: str, theirs: str) -> Verdict:
    """``-1 ENOENT (No such file or directory)``, ``0x8002 (flags O_RDWR|O_LARGEFILE)``, ``? ERESTARTSYS (…)``."""
    if ours == theirs:
        return Verdict.EQUAL
    left, right = _taken(ours), _taken(theirs)
    numbers = compare(left[0], right[0])
    if not numbers.is_same:
        return numbers
    if left[1] and right[1]:
        return Verdict.SAME if compare(left[1], right[1]).is_same else Verdict.DIFFERENT
    return Verdict.SAME


def _taken(text: str) -> tuple[str, str]:
    """A result's number or error, and its note without ``flags``."""
    text = plain(text)
    found = re.match(r"(?:-1 |\? |-)?(E[A-Z0-9_]+)\b", text)
    if found is not None:
        return found[1], ""
    number, _, note = text.partition(" ")
    return number, re.sub(r"^\((?:flags |Timeout|in |left )?(.*)\)$", r"\1", note)


# ------------------------------------------------------------------------------------------- the summary


def summary(found: Sequence[Compared], limit: int = 200) -> str:
    """Counts, and each kind of difference once with how often it was met."""
    counts = Counter(each.verdict for each in found)
    same = sum(counts[verdict] for verdict in Verdict if verdict.is_same)
    calls = {each.call for each in found}
    share = 100 * same / max(len(found), 1)
    head = f"{len(found)} values of {len(calls)} system calls; {share:.1f} % the same in meaning"
    lines = [f"{head}: " + ", ".join(f"{counts[each]} {each.name.lower()}" for each in Verdict)]
    for verdict in (Verdict.DIFFERENT, Verdict.LESS, Verdict.MORE):
        lines += _examples(verdict, [each for each in found if each.verdict is verdict], limit)
    return "\n".join(lines)


def _examples(verdict: Verdict, found: Iterable[Compared], limit: int) -> Iterator[str]:
    by_place: dict[tuple[str, str], list[Compared]] = {}
    for each in found:
        by_place.setdefault((each.call, each.parameter), []).append(each)
    for places in sorted(by_place.values(), key=len, reverse=True)[:limit]:
        yield f"  {verdict.name.lower()} {len(places)} x {str(places[0])[:600]}"
