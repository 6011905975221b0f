"""What is remembered of the running kernel, formats and compiled programs: nobody can tell from what comes out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Run, command
from tests.decoded import collected
from tests.live.conftest import Waiting
from tpkit import (
    BccRuntime,
    Call,
    LoadError,
    ProbeSpec,
    Program,
    Session,
    Tracefs,
    TracepointId,
    generate_bcc,
    parse_event,
)
from tpkit.cache_folder import CacheFolder
from tpkit.event_pattern import both_halves
from tpkit.format_cache import FILE, FormatCache
from tpkit.runtime.bytecode import Bytecode
from tpkit.runtime.compiler import CachingCompiler, compile_with_bcc


@pytest.fixture
def cache_file(tracefs: Tracefs) -> Path:
    """Root's, with nothing in it yet."""
    cache = FormatCache.of_user()
    assert cache is not None
    file = cache.folder / FILE
    file.unlink(missing_ok=True)
    return file


@pytest.mark.parametrize("arguments", [["-v"], ["-v", "--json", "*"], ["-F", "pid"]])
def test_cold_is_warm(cache_file: Path, tpkit: Run, arguments: list[str]) -> None:
    cold = tpkit("list", *arguments)
    assert (cold.returncode, cold.stderr) == (0, b"")
    written = cache_file.stat()
    assert tpkit("list", *arguments).stdout == cold.stdout
    assert cache_file.stat().st_ino == written.st_ino  # read, not made anew


def test_a_few_events(cache_file: Path, tpkit: Run) -> None:
    few = ("describe", "sched:sched_switch", "--json")
    cold = tpkit(*few)
    size = cache_file.stat().st_size  # they alone are kept
    assert tpkit(*few).stdout == cold.stdout
    tpkit("list", "-v")
    assert cache_file.stat().st_size > 4 * size
    assert tpkit(*few).stdout == cold.stdout


def test_root_writes_nothing_where_the_caller_says(cache_file: Path, tmp_path: Path) -> None:
    """As under sudo, which may keep the caller's HOME."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(command("list", "-v"), stdout=subprocess.DEVNULL, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
    assert cache_file.stat().st_mode & 0o7777 == 0o600
    assert cache_file.parent.stat().st_uid == 0


# ------------------------------------------------------------------- compiled programs


class Compiler:
    """BCC's, which counts what it compiles."""

    def __init__(self) -> None:
        self.compiled = 0

    def __call__(self, source: str) -> Bytecode:
        self.compiled += 1
        return compile_with_bcc(source)


def traced(program: Program, folder: CacheFolder, shell: Waiting | None = None) -> tuple[int, list[bytes | None]]:
    """How much was compiled for a run with this cache, and which paths came."""
    compiler = Compiler()
    runtime = BccRuntime(compiler=CachingCompiler(folder, compiler))
    if shell is None:
        runtime.load(program)
        return compiler.compiled, []
    with Session(program, runtime, pids=(shell.pid,)) as session:
        shell.go()
        return compiler.compiled, [event.text("pathname") for event in collected(session).events]


def program(tree: Tracefs, pid: int) -> Program:
    halves = both_halves(TracepointId("syscalls", "unlinkat"))
    enter, leave = (parse_event(tree.format_text(half), half) for half in halves)
    return generate_bcc(ProbeSpec((), (Call(enter, leave),), pids=(pid,)))


def test_what_was_compiled_once_serves_any_process(
    syscalls: Tracefs, tmp_path: Path, waiting: Callable[..., Waiting]
) -> None:
    folder = CacheFolder(tmp_path / "cache")
    for number, compiled in enumerate([1, 0, 0]):
        shell = waiting(f"exec rm -f /nonexistent/{number}")
        found = traced(program(syscalls, shell.pid), folder, shell)
        assert found == (compiled, [b"/nonexistent/%d" % number])


def test_what_was_tampered_with_is_compiled_anew(syscalls: Tracefs, tmp_path: Path) -> None:
    folder, wanted = CacheFolder(tmp_path / "cache"), program(syscalls, os.getpid())
    assert traced(wanted, folder) == (1, [])
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-40] + b"BBBB" + whole[-36:], whole[:-1], b"", whole[:100] + b"\0" + whole[101:]):
        assert damaged != whole
        file.write_bytes(damaged)
        assert traced(wanted, folder) == (1, [])
        assert traced(wanted, folder) == (0, [])
        assert file.read_bytes() == whole
    file.chmod(0o666)
    assert traced(wanted, folder) == (1, [])


def test_what_the_kernel_refuses_is_not_kept(syscalls: Tracefs, tmp_path: Path) -> None:
    folder, good = CacheFolder(tmp_path / "cache"), program(syscalls, os.getpid())
    # What BPF programs may not read: the common header.
    bad = replace(good, sources=(re.sub(r"return 0;\n}\s*$", "return *(int *)ctx;\n}\n", good.source),))
    for _ in range(2):
        with pytest.raises(LoadError):
            traced(bad, folder)
    assert not (tmp_path / "cache").exists()


def test_the_second_run_compiles_nothing(syscalls: Tracefs, tpkit: Run) -> None:
    """As seen from outside: it maps no clang."""
    few = ("trace", "unlinkat", "-p", str(os.getpid()), "-d", "0.1")
    assert tpkit(*few).returncode == 0
    strace = ["/usr/bin/strace", "-f", "-qq", "-e", "trace=openat"]
    for options, loaded in (((), False), (("--no-cache",), True)):
        done = subprocess.run([*strace, *command(*few, *options)], capture_output=True, check=False)
        assert done.returncode == 0
        assert b"tpkit: tracing" in done.stderr
        assert (b"libbcc.so" in done.stderr) == loaded
