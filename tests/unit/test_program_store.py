"""Programs that are kept between runs: the same ones, for the same wishes and formats, and for nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tpkit import FilterError, Program, Tracefs, TracepointId, UsageError
from tpkit.cache_folder import CacheFolder
from tpkit.catalog import Catalog
from tpkit.discover import Chosen
from tpkit.program_store import FEW, PREFIX, ProgramStore, Wanted

UNLINKAT = TracepointId("syscalls", "unlinkat")
ENTER = TracepointId("syscalls", "sys_enter_unlinkat")
SWITCH = TracepointId("sched", "sched_switch")


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache")


def wanted(**members: Any) -> Wanted:
    return replace(Wanted(Chosen((SWITCH,), (UNLINKAT,)), string_size=64, buffer_size=32), **members)


def store(folder: CacheFolder | None, tree: Path = FIXTURES / "6.18-x86_64") -> ProgramStore:
    return ProgramStore(Catalog(Tracefs.captured_tree(tree), None), folder)


def files(folder: CacheFolder) -> list[Path]:
    return sorted(folder.path.glob(f"{PREFIX}*")) if folder.path.exists() else []


def made(**members: Any) -> Program:
    return store(None).program(wanted(**members))


def test_a_format_that_isnt_utf_8(folder: CacheFolder, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(FIXTURES / "6.18-x86_64", tree)
    path = tree / "events/sched/sched_switch/format"
    path.write_bytes(path.read_bytes().replace(b"==> next_comm", b"==>\xe9 next_comm"))
    for _ in range(2):
        again = store(folder, tree)
        assert again.program(wanted()).layouts
        assert again.why_not is None
    assert len(files(folder)) == 1


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"pids": (1, 2), "tids": (3,), "uid": 0, "comm": b"\xff", "pid_namespace": (4, 4026532177)},
        {"filters": ('unlinkat: pathname ~ "/tmp/*" && ret < 0',), "failed": True, "min_latency": 1000},
        {"follow": False, "exclude_pid": 77, "cgroup": True},
    ],
)
def test_a_kept_program_is_the_one_that_would_be_made(folder: CacheFolder, members: dict[str, Any]) -> None:
    first = store(folder).program(wanted(**members))
    assert len(files(folder)) == 1
    again = store(folder)
    assert again.program(wanted(**members)) == first == made(**members)
    assert again.why_not is None


def test_one_program_for_all_processes(folder: CacheFolder) -> None:
    store(folder).program(wanted(pids=(12,), exclude_pid=1))
    other = store(folder).program(wanted(pids=(34,), exclude_pid=2))
    assert len(files(folder)) == 1
    assert other == made(pids=(34,), exclude_pid=2)


@pytest.mark.parametrize(
    "members",
    [
        *({"pids": (1, 2)}, {"string_size": 65}, {"uid": 0}, {"comm": b"rm"}, {"failed": True}),
        *({"filters": ("pid == 1",)}, {"chosen": Chosen((ENTER,), ())}, {"machine": "aarch64"}, {"exclude_pid": 3}),
    ],
)
def test_another_wish_is_another_program(folder: CacheFolder, members: dict[str, Any]) -> None:
    store(folder).program(wanted())
    assert store(folder).program(wanted(**members)) == made(**members)
    assert len(files(folder)) == 2


def test_another_format_is_another_program(folder: CacheFolder, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(FIXTURES / "6.18-x86_64", tree)
    before = store(folder, tree).program(wanted())
    path = tree / "events" / "sched" / "sched_switch" / "format"
    path.write_text(path.read_text().replace("ID: ", "ID: 9"))
    after = store(folder, tree).program(wanted())
    assert before.hooks[0].number != after.hooks[0].number


@pytest.mark.parametrize("change", [lambda b: b[:-9], lambda b: b[::-1], lambda _: b"", lambda b: 2 * b])
def test_a_damaged_file_is_not_believed(folder: CacheFolder, change: Any) -> None:
    store(folder).program(wanted())
    (path,) = files(folder)
    path.write_bytes(change(path.read_bytes()))
    again = store(folder)
    assert again.program(wanted()) == made()
    assert again.why_not is not None
    assert store(folder).program(wanted()) == made()  # and it is replaced
    assert files(folder) == [path]


def test_a_file_that_says_something_else_is_not_believed(folder: CacheFolder) -> None:
    """Its checksum is right, and what it holds is no program."""
    one = store(folder)
    one.program(wanted())
    (path,) = files(folder)
    key = one._key(wanted(), list(one._names(wanted())))
    for content in (b"{}", b"[]", b"null", b'{"sources": [1]}', b"[" * 100_000, b"nonsense"):
        folder.save(path.name, key, content)
        again = store(folder)
        assert again.program(wanted()) == made()
        assert again.why_not is not None


def test_what_others_could_have_written_is_not_believed(folder: CacheFolder) -> None:
    store(folder).program(wanted())
    folder.path.chmod(0o777)
    again = store(folder)
    assert again.program(wanted()) == made()
    assert again.why_not is not None


def test_a_link_is_not_followed(folder: CacheFolder, tmp_path: Path) -> None:
    store(folder).program(wanted())
    moved = tmp_path / "moved"
    folder.path.rename(moved)
    folder.path.symlink_to(moved)
    again = store(folder)
    assert again.program(wanted()) == made()
    assert again.why_not is not None


def test_large_programs_are_not_kept(folder: CacheFolder) -> None:
    tree = Tracefs.captured_tree(FIXTURES / "6.18-x86_64")
    many = tuple(event for event in tree.event_ids() if event.category not in ("ftrace", "syscalls"))[: FEW + 1]
    store(folder).program(wanted(chosen=Chosen(many, ())))
    assert files(folder) == []


def test_wishes_are_checked_whether_kept_or_not(folder: CacheFolder) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="process id"):
            store(folder).program(wanted(pids=(0,)))
        with pytest.raises(FilterError):
            store(folder).program(wanted(filters=("nonsense == 1",)))
        store(folder).program(wanted(pids=(1,)))
