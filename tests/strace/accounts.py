"""One run under both tracers: ``tpkit trace -f json … -- strace -f -o FILE COMMAND``, and the two accounts aligned.

Both see the same calls with the same addresses, numbers of processes and times; each thread's calls are in order in
both. tpkit also sees strace itself, and what its child does before it becomes the command.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from tests.strace.compare import Compared, OurCall, Ours, compared, event_name
from tests.strace.lines import Call, calls
from tpkit.decode.tables import call_error
from tpkit.decode.text import quote

STRING = 256  # of strace's texts; longer ones are cut, as ours are


@dataclass(frozen=True, slots=True)
class Accounts:
    """Calls that both saw, and how many strace saw alone."""

    pairs: list[tuple[OurCall, Call]]
    missed: list[Call]

    def compared(self) -> list[Compared]:
        """All arguments and results."""
        return [each for ours, theirs in self.pairs for each in compared(ours, theirs)]


def record(folder: Path, command: Sequence[str | Path], stdin: str = "", options: Sequence[str] = ()) -> bytes:
    """Runs a command under both; its stdout. The accounts are in the folder: ``ours``, ``theirs``."""
    tracer = [sys.executable, "-m", "tpkit", "trace", "syscalls:*", "-f", "json", "-o", str(folder / "ours"), *options]
    strace = ["strace", "-f", "-s", str(STRING), "-o", str(folder / "theirs"), "-e", "signal=none"]
    done = subprocess.run(
        [*tracer, "--", *strace, *command], input=stdin.encode(), capture_output=True, timeout=900, check=False
    )
    if not (folder / "ours").exists() or not (folder / "theirs").exists():
        raise RuntimeError(done.stderr.decode(errors="replace"))
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return done.stdout


def read(folder: Path) -> Accounts:
    """The accounts of one run."""
    with (folder / "theirs").open(errors="surrogateescape") as lines:
        theirs = list(calls(lines))
    with (folder / "ours").open() as lines:
        ours = list(our_calls(lines))
    return aligned(ours, theirs)


def our_calls(lines: Iterable[str]) -> Iterator[tuple[int, OurCall]]:
    """Threads and calls of what ``tpkit trace -f json`` wrote."""
    for line in lines:
        event: Mapping[str, Any] = json.loads(line)
        if "event" in event and "args" in event:
            yield event["tid"], our_call(event)


def our_call(event: Mapping[str, Any]) -> OurCall:
    """One event as its line of text would have it."""
    told: Mapping[str, str] = event.get("args_text", {})
    exact: Mapping[str, str] = event.get("args_hex", {})
    cut: Sequence[str] = event.get("args_truncated", ())
    given = {name: _exact(value, exact.get(name)) for name, value in event["args"].items()}
    arguments = tuple(_argument(name, value, told.get(name), name in cut) for name, value in given.items())
    return OurCall(event["event"].partition(":")[2], arguments, _result(event))


def _exact(given: object, hexadecimal: str | None) -> object:
    """A text that isn't UTF-8 by its bytes."""
    return given if hexadecimal is None else bytes.fromhex(hexadecimal).decode("utf-8", "surrogateescape")


def _argument(name: str, given: object, text: str | None, is_cut: bool) -> Ours:
    if isinstance(given, str) and re.fullmatch("NULL|0x[0-9a-f]+", given):  # an address
        return Ours(name, text or given, 0 if given == "NULL" else int(given, 16))
    if isinstance(given, int):
        return Ours(name, text or str(given), given)
    assert isinstance(given, str)
    return Ours(name, quote(given.encode("utf-8", "surrogateescape")) + ("..." if is_cut else ""), None)


def _result(event: Mapping[str, Any]) -> str:
    result = event.get("ret")
    if not isinstance(result, int):
        return "?"
    note = event.get("ret_text")
    if -4095 <= result < 0:
        return call_error(result)
    return f"{result} ({note})" if note else str(result)


def aligned(ours: Iterable[tuple[int, OurCall]], theirs: Iterable[Call]) -> Accounts:
    """Each thread's calls, paired in order by their names."""
    our_threads: defaultdict[int, list[OurCall]] = defaultdict(list)
    their_threads: defaultdict[int, list[Call]] = defaultdict(list)
    for thread, call in ours:
        our_threads[thread].append(call)
    for each in theirs:
        their_threads[each.thread].append(each)
    pairs, missed = [], []
    for thread, found in their_threads.items():
        both, alone = _paired(our_threads[thread], found)
        pairs += both
        missed += alone
    return Accounts(pairs, missed)


def _paired(ours: Sequence[OurCall], theirs: Sequence[Call]) -> tuple[list[tuple[OurCall, Call]], list[Call]]:
    left, right = [call.name for call in ours], [event_name(call.name) for call in theirs]
    # From the end: what strace's child does before it becomes the command is at the beginning.
    blocks = SequenceMatcher(None, left[::-1], right[::-1], autojunk=False).get_matching_blocks()
    matched = {len(right) - 1 - b - n: len(left) - 1 - a - n for a, b, size in blocks for n in range(size)}
    pairs = [(ours[matched[at]], call) for at, call in enumerate(theirs) if at in matched]
    return pairs, [call for at, call in enumerate(theirs) if at not in matched]
