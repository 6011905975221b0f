"""tpkit itself through its command line, once for each form of output that this checkout has."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import load, losses
from bench.errors import TracerFailed
from bench.peers import version_of
from bench.progress import shout
from bench.tracers import STRING_SIZE, Files, Tracer
from tpkit.format_cache import FormatCache

_OFFERED = re.compile(r"--format\s+<([\w|]+)>")  # in the help of `tpkit trace`
_ATTACHED = "tpkit: tracing "  # said on stderr once events are seen


@dataclass(frozen=True, slots=True)
class Form:
    """One value of ``-f``. is_batch: binary or columns, written in blocks; else lines, each as soon as it is known."""

    name: str
    is_batch: bool = False
    first_rate: int = 100_000  # events per second


FORMS = (
    Form("text"),
    Form("json"),
    Form("csv"),
    Form("records", is_batch=True, first_rate=500_000),
)


class Tpkit(Tracer):
    """``tpkit trace -f FORM``."""

    def __init__(self, program: Path, form: Form) -> None:
        self._program = str(program)
        self._form = form
        self.name = f"tpkit:{form.name}"
        self.first_rate = form.first_rate
        self.version = version_of([self._program, "--version"], r"(\d[\w.+]*)")
        cache = FormatCache.of_user()
        self.cache = cache.folder if cache else None
        self.knock_us = 0 if form.is_batch else Tracer.knock_us

    def command(self, pid: int, files: Files) -> Sequence[str]:
        return [*self._traced(pid), "-o", str(files.output)]

    def live_command(self, pid: int) -> Sequence[str] | None:
        return None if self._form.is_batch else self._traced(pid)

    def _traced(self, pid: int) -> list[str]:
        words = [self._program, "trace", load.EVENT, "-p", str(pid), "-f", self._form.name]
        return [*words, "--string-size", str(STRING_SIZE)]

    def environment(self) -> Mapping[str, str]:
        """Its messages, in English."""
        return {"LC_ALL": "C.UTF-8"}

    def is_attached(self, files: Files) -> bool:
        if self._form.is_batch:
            return _ATTACHED in files.words()
        return super().is_attached(files)

    def reported_loss(self, files: Files) -> int | None:
        account = losses.of_tpkit(files.words())
        return account.lost if account else None


def beside_this_python() -> Path:
    """The tpkit that is measured."""
    return Path(sys.executable).parent / "tpkit"


def all_forms(program: Path) -> list[Tracer]:
    """One tracer for each form, in the table's order; says which of them this checkout hasn't. Raises TracerFailed."""
    done = subprocess.run([program, "trace", "--help"], capture_output=True, text=True, check=False)
    found = _OFFERED.search(done.stdout)
    if not found:
        raise TracerFailed(f"{program} trace --help doesn't say which formats there are")
    offered = found[1].split("|")
    for form in FORMS:
        if form.name not in offered:
            shout(f"tpkit:{form.name} is skipped: this checkout has no -f {form.name}")
    for name in sorted(set(offered) - {form.name for form in FORMS}):
        shout(f"tpkit:{name} is skipped: bench/tpkit_tracer.py doesn't know -f {name}; add it to FORMS")
    return [Tpkit(program, form) for form in FORMS if form.name in offered]
