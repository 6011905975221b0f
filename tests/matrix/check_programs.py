"""A fixed cross-section of events of all shapes: generated, compiled, accepted by the verifier, attached."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import BccRuntime, EventFormat, ProbeSpec, TpkitError, Tracefs, TracepointId, generate_bcc, parse_event

FILE = Path(__file__).with_name("cross_section.txt")


def read_cross_section(text: str) -> tuple[TracepointId, ...]:
    """The events of the file: a name a line, and what it is there for behind a ``#``."""
    names = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(TracepointId.parse(name) for name in names if name)


def cross_section(_: Context) -> Result:
    """All events that this kernel has, in one program, which takes a compile; one by one when it is refused."""
    wanted = read_cross_section(FILE.read_text())
    tree = Tracefs.find()
    there = [each for each in wanted if (tree.root / "events" / each.category / each.name / "format").exists()]
    missing = [f"not on this kernel: {each}" for each in wanted if each not in there]
    events = [parse_event(tree.format_text(each), each) for each in there]
    refused = _refused(events)
    if refused:
        refused = [f"{event.id}: {word}" for event in events for word in _refused([event])] or refused
    good = len(there) - len(refused)
    cell = f"{good}/{len(wanted)}" + (f" ({len(missing)} n/a)" if missing else "")
    return Result.of(not refused and len(there) > len(missing), cell, *refused, *missing)


def _refused(events: Sequence[EventFormat]) -> list[str]:
    """Why a program of these events can't run; nothing if it can. Only our own process would be recorded."""
    try:
        BccRuntime().start(generate_bcc(ProbeSpec(tuple(events), pids=(os.getpid(),)))).close()
    except TpkitError as error:
        return [f"{error}: {(error.details or '')[-600:]}"]
    return []
