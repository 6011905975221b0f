"""Who takes part: tpkit's forms and the peers that are here. Whoever is missing is named loudly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import newest, tpkit_tracer
from bench.context import NEWEST, NEWEST_IN_BLOCKS
from bench.errors import BenchError, TracerFailed
from bench.peers import Bpftrace, PerfRecord, PerfTrace, Strace
from bench.progress import shout
from bench.tracers import Tracer
from tests.matrix.commands import MatrixError

ROOT_VARIABLE = "BPFTRACE_ROOT"

# name, program, the variable that gives another one, how to make it
_PEERS: tuple[tuple[str, str, str, Callable[[str], Tracer]], ...] = (
    ("bpftrace", "bpftrace", "BPFTRACE", lambda program: Bpftrace("bpftrace", [program])),
    ("perf-trace", "perf", "PERF", PerfTrace),
    ("perf-record", "perf", "PERF", PerfRecord),
    ("strace", "strace", "STRACE", Strace),
)


def gather(
    wanted: Sequence[str], without: Sequence[str], root: Path | None, folder: Path, held: ExitStack
) -> list[Tracer]:
    """All that are wanted (by name or the part before the colon, all if none is named) and here.

    root: of the newest bpftrace; None: the one in the cache, made if need be. folder: the outputs'.
    held: keeps the root entered.
    Raises BenchError for a name that nobody has, and when nobody is left.
    """

    def is_wanted(name: str) -> bool:
        names = {name, name.partition(":")[0]}
        return (not wanted or bool(names & set(wanted))) and not names & set(without)

    found: list[Tracer] = []
    if is_wanted(NEWEST) or is_wanted(NEWEST_IN_BLOCKS):
        found += [each for each in _newest(root, folder, held) if is_wanted(each.name)]
    for name, program, variable, make in _PEERS:
        if is_wanted(name):
            found += _peer(name, os.environ.get(variable) or program, make)
    forms = tpkit_tracer.all_forms(tpkit_tracer.beside_this_python())
    found += [form for form in forms if is_wanted(form.name)]
    known = {
        NEWEST,
        NEWEST_IN_BLOCKS,
        "tpkit",
        *(peer[0] for peer in _PEERS),
        *(f"tpkit:{form.name}" for form in tpkit_tracer.FORMS),
    }
    unknown = sorted({*wanted, *without} - known)
    if unknown:
        raise BenchError(f"no tracer {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if not found:
        raise BenchError("no tracer is left to be measured")
    return found


def _peer(name: str, program: str, make: Callable[[str], Tracer]) -> list[Tracer]:
    path = shutil.which(program)
    if path is None:
        shout(f"{name} is skipped: there is no {program} here; tools/setup bench installs it")
        return []
    try:
        return [make(path)]
    except TracerFailed as failure:
        shout(f"{name} is skipped: {failure}")
        return []


def _newest(root: Path | None, folder: Path, held: ExitStack) -> list[Tracer]:
    try:
        place = root or newest.made_root(newest.cache_folder())
        program = [*held.enter_context(newest.entered(place, folder)), "bpftrace"]
        return [Bpftrace(NEWEST, program), Bpftrace(NEWEST_IN_BLOCKS, program, in_blocks=True)]
    except (MatrixError, TracerFailed, OSError) as failure:
        shout(f"{NEWEST} is skipped: {failure}")
        return []
