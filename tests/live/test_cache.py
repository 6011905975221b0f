"""The running kernel's formats, parsed and remembered: nobody can tell which."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Run, command
from tpkit import Tracefs
from tpkit.format_cache import FILE, FormatCache


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
