"""Our words for system calls beside strace's, call by call, arguments, memory and results.

Each call is harmless: it asks, or fails, or concerns the process that makes it and ends right after.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.strace import ours
from tests.strace.caller import MARK
from tests.strace.compare import Compared, compared, summary
from tests.strace.given import Wanted, all_wanted
from tests.strace.lines import Call, calls
from tests.strace.memory import MEMORY_CALLS
from tests.strace.numbers import NUMBERS
from tpkit import Tracefs

AIM = 0.95


@pytest.fixture
def strace() -> str:
    """strace's path."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("no strace here")
    if os.uname().machine != "x86_64":
        pytest.skip("the calls' numbers are x86-64's")
    if not ours.NUMBERS.exists():
        pytest.skip("no kernel headers here, and so no system calls' numbers")
    return found


def test_words_are_straces(syscalls: Tracefs, strace: str, tmp_path: Path) -> None:
    formats = ours.Formats(syscalls)
    known = ours.call_numbers()
    wanted = [Wanted(name, call) for name, several in NUMBERS.items() for call in several] + all_wanted(MEMORY_CALLS)
    wanted = [each for each in wanted if each.name in known and formats.columns(each.name) is not None]
    (tmp_path / "work").mkdir()
    account = tmp_path / "account"
    tracer = (strace, "-f", "-s", "4096", "-o", account, "-e", "signal=none")
    seen = ours.run([*tracer, *ours.command(tmp_path / "work")], ours.orders(formats, wanted))
    theirs = list(_asked(calls(account.read_text(errors="surrogateescape").splitlines()), wanted))
    assert [each.name for each in theirs] == [each.name for each in wanted]
    pairs = [(ours.our_call(formats, one), other) for one, other in zip(seen, theirs, strict=True)]
    found = [each for one, other in pairs for each in compared(one, other)]
    sys.stdout.write(f"{len(wanted)} calls: {summary(found)}\n")
    assert len({each.call for each in found}) >= 60
    assert _share(found) >= AIM


def _asked(account: Iterator[Call], wanted: Sequence[Wanted]) -> Iterator[Call]:
    """The calls between the two marks that were asked for: Python makes some of its own."""
    waiting = [each.name for each in wanted]
    thread = None
    for call in account:
        if call.name == "access" and any(MARK in text for _, text in call.arguments):
            if thread is not None:
                return
            thread = call.thread
        elif waiting and (call.thread, call.name) == (thread, waiting[0]):
            waiting.pop(0)
            yield call


def _share(found: Sequence[Compared]) -> float:
    return sum(each.verdict.is_same for each in found) / len(found)
