"""The one door to programs: made for what is wanted, or as an earlier run made them.

To read formats, print fmts and templates takes longer than to load a program. So the program is kept, with all that it
was made of as its key: the formats' texts as the kernel has them, what is wanted, and tpkit's own code.
"""

from __future__ import annotations

import json
import os
from binascii import crc32
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from tpkit.cache_folder import CacheFolder, Unusable
from tpkit.catalog import Catalog
from tpkit.described import described, restored
from tpkit.discover import Chosen
from tpkit.event_pattern import both_halves
from tpkit.model import EventFormat, TracepointId
from tpkit.program import Call, Following, ProbeSpec, Program, check_pids, task_numbers
from tpkit.version import __version__

PREFIX = "made-"
KEPT = 64  # programs
FEW = 16  # events: of larger programs it is the compiling that takes time
MAX_BYTES = 16 << 20

# rt_sigreturn's return is seen under no number: it restores the registers of what was interrupted.
NEVER_RETURN = frozenset({"exit", "exit_group", "rt_sigreturn"})

# The calls by which a thread may get another number: that of its thread group's leader (de_thread of fs/exec.c).
EXECUTING = frozenset({"execve", "execveat"})

FORK, EXIT, EXEC = (TracepointId("sched", f"sched_process_{name}") for name in ("fork", "exit", "exec"))
_CODE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a program is to be made for; the members are ``ProbeSpec``'s, with names in the place of formats."""

    chosen: Chosen
    follow: bool = False
    pids: tuple[int, ...] = ()
    tids: tuple[int, ...] = ()
    exclude_pid: int | None = None
    uid: int | None = None
    comm: bytes | None = None
    cgroup: bool = False
    pid_namespace: tuple[int, int] | None = None
    string_size: int = 0
    buffer_size: int = 0
    filters: tuple[str, ...] = ()
    failed: bool = False
    min_latency: int = 0
    machine: str = "x86_64"

    @property
    def own_pid(self) -> int | None:
        """As ``ProbeSpec.own_pid``."""
        return None if self.pids or self.follow else self.exclude_pid

    @property
    def renumbers(self) -> bool:
        """Whether it matters that a thread gets another number."""
        return self.follow or any(call.name in EXECUTING for call in self.chosen.calls)


class ProgramStore:
    """Programs for a catalog's events.

    folder: where they are kept, None for nowhere; why_not: why that was of no use.
    """

    def __init__(self, catalog: Catalog, folder: CacheFolder | None) -> None:
        self._catalog = catalog
        self._folder = folder
        self.why_not: str | None = None

    def program(self, wanted: Wanted) -> Program:
        """The program. Raises UsageError, FilterError, GenerateError, and the errors of tracefs and formats."""
        check_pids((*wanted.pids, *wanted.tids))
        names = list(self._names(wanted))
        if self._folder is None or len(names) > FEW:
            return self._made(wanted)
        key = self._key(wanted, names)
        file = f"{PREFIX}{crc32(key.encode(errors='surrogateescape')):08x}"
        program = self._load(file, key)
        if program is None:
            program = self._made(wanted)
            self._save(file, key, program)
        numbers = task_numbers(wanted.pids, wanted.tids, wanted.own_pid)
        return replace(program, constants=tuple(pair for _, pair in numbers))

    def _made(self, wanted: Wanted) -> Program:
        from tpkit.codegen.bcc import generate_bcc  # templates and tables of names, which a kept program needs none of

        return generate_bcc(self.spec(wanted))

    def spec(self, wanted: Wanted) -> ProbeSpec:
        """What is wanted, with the events' formats."""
        from tpkit.filters.grammar import parse_filter  # the grammar takes 30 ms

        formats = {event.id: event for event in self._catalog.events(self._names(wanted))}
        return ProbeSpec(
            events=tuple(formats[event] for event in wanted.chosen.events),
            calls=tuple(_call(call, formats) for call in wanted.chosen.calls),
            follow=Following(formats[FORK], formats[EXIT]) if wanted.follow else None,
            executed=formats[EXEC] if wanted.renumbers else None,
            pids=wanted.pids,
            tids=wanted.tids,
            exclude_pid=wanted.exclude_pid,
            uid=wanted.uid,
            comm=wanted.comm,
            cgroup=wanted.cgroup,
            pid_namespace=wanted.pid_namespace,
            string_size=wanted.string_size,
            buffer_size=wanted.buffer_size,
            filters=tuple(map(parse_filter, wanted.filters)),
            failed=wanted.failed,
            min_latency=wanted.min_latency,
            machine=wanted.machine,
            enum_value=self._catalog.enum_value,
        )

    def _names(self, wanted: Wanted) -> Iterator[TracepointId]:
        """Whose formats are needed."""
        known = set(self._catalog.ids())
        yield from wanted.chosen.events
        for call in wanted.chosen.calls:
            yield from (half for half in both_halves(call) if half in known)
        if wanted.follow:
            yield from (FORK, EXIT)
        if wanted.renumbers:
            yield EXEC

    def _key(self, wanted: Wanted, names: list[TracepointId]) -> str:
        # Which processes are meant stands in no program: placeholders do, as many as there are.
        own = None if wanted.own_pid is None else 1
        shape = replace(wanted, pids=(1,) * len(wanted.pids), tids=(1,) * len(wanted.tids), exclude_pid=own)
        texts = [self._catalog.tree.format_text(name) for name in names]
        # What a format says by an enum's name is the kernel's own affair.
        kernel = f"{os.uname().release} {os.uname().version}" if not self._catalog.tree.captured else ""
        return "\n".join([_code_state(), kernel, json.dumps(astuple(shape), default=repr), *texts])

    def _load(self, file: str, key: str) -> Program | None:
        assert self._folder is not None
        try:
            content = self._folder.load(file, key, MAX_BYTES)
            return None if content is None else restored(Program, json.loads(content))
        except (OSError, Unusable, ValueError, TypeError, RecursionError) as error:
            self.why_not = str(error)
            return None

    def _save(self, file: str, key: str, program: Program) -> None:
        assert self._folder is not None
        with suppress(OSError, Unusable):
            self._folder.save(file, key, json.dumps(described(program)).encode())
            self._folder.keep_newest(PREFIX, KEPT)


def _call(call: TracepointId, formats: dict[TracepointId, EventFormat]) -> Call:
    enter, exit_event = both_halves(call)
    return Call(formats[enter], None if call.name in NEVER_RETURN else formats.get(exit_event))


def _code_state() -> str:
    """tpkit's version, and the state of its files: a checkout changes without a new version."""
    templates = next((each for each in (_CODE / "templates", _CODE.parent / "templates") if each.is_dir()), _CODE)
    files = sorted({*_CODE.rglob("*.py"), *templates.rglob("*.j2")})
    states = [(str(path), status.st_mtime_ns, status.st_size) for path in files for status in (path.stat(),)]
    return f"{__version__} {crc32(repr(states).encode()):08x} {len(files)}"
