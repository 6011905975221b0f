"""The door to formats: when what was parsed before is taken, and when it is parsed anew.

The trees are copies that are handed in as if they were the running kernel's, with folders made anew where the
kernel would: each event's folder has an inode of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tpkit import EventFormat, EventNotFound, FormatError, Tracefs, TracepointId
from tpkit.catalog import Catalog
from tpkit.format_cache import FILE, FormatCache

SWITCH = TracepointId("sched", "sched_switch")


class Machine:
    """A kernel of files: its tracefs, its boot id, and the folder of the cache."""

    def __init__(self, folder: Path) -> None:
        self.tree = Tracefs(folder / "tracing")
        self.cache_folder = folder / "tpkit"
        self.boot_id = folder / "boot_id"
        self.boot_id.write_text("8a4e23f1-0000-4000-8000-000000000001\n")
        for category in ("sched", "signal", "syscalls"):
            source = FIXTURES / "6.18-x86_64" / "events" / category
            shutil.copytree(source, self.tree.root / "events" / category)

    def catalog(self) -> Catalog:
        """As a new process has it."""
        return Catalog(self.tree, FormatCache(self.cache_folder), self.boot_id)

    def all_formats(self) -> list[EventFormat]:
        catalog = self.catalog()
        return catalog.events(catalog.ids())

    def folder(self, event: TracepointId) -> Path:
        return self.tree.root / "events" / event.category / event.name

    def register_again(self, event: TracepointId, text: str) -> None:
        """A new folder in the place of the old one, with another inode since both are there for a moment."""
        folder = self.folder(event)
        new = folder.with_name(f"{folder.name}.new")
        new.mkdir()
        (new / "format").write_text(text)
        shutil.rmtree(folder)
        new.rename(folder)

    def lose_texts(self) -> None:
        """From here on nothing can be parsed."""
        for path in self.tree.root.glob("events/*/*/format"):
            path.write_text("")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_second_time_nothing_is_read(machine: Machine) -> None:
    parsed = machine.all_formats()
    assert parsed == Catalog(machine.tree).events(machine.tree.event_ids())
    machine.lose_texts()
    assert machine.all_formats() == parsed
    assert machine.catalog().event(SWITCH) in parsed
    assert machine.catalog().events([SWITCH, SWITCH]) == [machine.catalog().event(SWITCH)] * 2


def test_an_event_that_was_registered_again(machine: Machine) -> None:
    before = machine.all_formats()
    text = machine.tree.format_text(SWITCH)
    machine.register_again(SWITCH, text.replace("prev_comm", "other_comm"))
    after = machine.all_formats()
    assert [a.id for a, b in zip(after, before, strict=True) if a != b] == [SWITCH]
    assert machine.catalog().event(SWITCH).fields[0].name == "other_comm"


def test_an_event_that_came_and_one_that_went(machine: Machine) -> None:
    before = machine.all_formats()
    shutil.copytree(machine.folder(SWITCH), machine.folder(TracepointId("sched", "another")))
    assert len(machine.all_formats()) == len(before) + 1
    shutil.rmtree(machine.folder(TracepointId("sched", "another")))
    shutil.rmtree(machine.folder(SWITCH))
    assert machine.all_formats() == [event for event in before if event.id != SWITCH]
    with pytest.raises(EventNotFound):
        machine.catalog().event(SWITCH)


def test_another_boot(machine: Machine) -> None:
    machine.all_formats()
    machine.boot_id.write_text("8a4e23f1-0000-4000-8000-000000000002\n")
    machine.folder(SWITCH).joinpath("format").write_text("not a format")
    with pytest.raises(FormatError, match="sched:sched_switch"):
        machine.all_formats()


def test_no_boot_id(machine: Machine) -> None:
    machine.boot_id.unlink()
    assert machine.all_formats()
    assert not machine.cache_folder.exists()


def test_another_tpkit(machine: Machine) -> None:
    parsed = machine.all_formats()
    machine.lose_texts()
    newer = Catalog(machine.tree, FormatCache(machine.cache_folder), machine.boot_id, version="99.0")
    assert newer.events(newer.ids()) != parsed


def test_parts_are_put_beside_each_other(machine: Machine) -> None:
    first, *others = machine.tree.event_ids()
    parsed = machine.catalog().events([first])
    parsed += machine.catalog().events(others)
    machine.lose_texts()
    assert machine.catalog().events([first, *others]) == parsed


def test_what_was_not_saved_is_parsed(machine: Machine) -> None:
    first, second, *_ = machine.tree.event_ids()
    machine.catalog().event(first)
    assert machine.catalog().event(second) == Catalog(machine.tree).event(second)


def test_a_part_of_another_state_goes(machine: Machine) -> None:
    """What is known of an event that was registered again isn't put beside what is read now."""
    machine.catalog().event(SWITCH)
    text = machine.tree.format_text(SWITCH)
    machine.register_again(SWITCH, text.replace("prev_comm", "other_comm"))
    machine.catalog().event(TracepointId("syscalls", "sys_enter_unlinkat"))
    assert machine.catalog().event(SWITCH).fields[0].name == "other_comm"


def test_a_damaged_part_is_replaced(machine: Machine) -> None:
    machine.catalog().event(SWITCH)
    file = machine.cache_folder / FILE
    file.write_bytes(file.read_bytes()[:-9] + b"\0" * 9)
    parsed = machine.all_formats()
    machine.lose_texts()
    assert machine.all_formats() == parsed


def test_a_copy_has_no_cache(machine: Machine) -> None:
    copy = Tracefs.captured_tree(machine.tree.root)
    Catalog(copy, FormatCache(machine.cache_folder), machine.boot_id).events(copy.event_ids())
    assert not machine.cache_folder.exists()


class NumberedAlike(Tracefs):
    """As Linux 6.7 has it, where the numbers tell nothing."""

    def event_folders(self) -> Iterator[tuple[str, int]]:
        return ((name, 0x134B2F5) for name, _ in Tracefs.event_folders(self))


def test_folders_that_share_a_number(machine: Machine) -> None:
    machine.tree = NumberedAlike(machine.tree.root)
    assert machine.all_formats()
    assert not machine.cache_folder.exists()


def test_an_event_registered_again_while_all_are_read(machine: Machine) -> None:
    class Late(FormatCache):
        """Nothing is found, and by then the kernel has another event."""

        def load(self, state: str, events: Iterable[TracepointId]) -> list[EventFormat] | None:
            machine.register_again(SWITCH, machine.tree.format_text(SWITCH))
            return super().load(state, events)

    catalog = Catalog(machine.tree, Late(machine.cache_folder), machine.boot_id)
    assert catalog.events(catalog.ids())
    assert not machine.cache_folder.exists()


def test_a_broken_cache_is_made_anew(machine: Machine) -> None:
    parsed = machine.all_formats()
    file = machine.cache_folder / FILE
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    assert machine.all_formats() == parsed
    assert file.read_bytes() == good


def test_a_cache_that_can_not_be_used_is_no_error(machine: Machine) -> None:
    machine.cache_folder.mkdir(0o777)
    machine.cache_folder.chmod(0o777)
    assert machine.all_formats() == Catalog(machine.tree).events(machine.tree.event_ids())
    assert list(machine.cache_folder.iterdir()) == []


PROGRAM = """
import sys
from pathlib import Path
from tpkit.catalog import Catalog
from tpkit.format_cache import FormatCache
from tpkit.tracefs import Tracefs

root, folder, boot_id = map(Path, sys.argv[1:])
catalog = Catalog(Tracefs(root), FormatCache(folder), boot_id)
print(len(catalog.events(catalog.ids())), *sorted({"pyparsing", "hashlib", "numpy"} & sys.modules.keys()))
"""


def test_what_is_imported(machine: Machine) -> None:
    """A grammar that nobody needs costs 30 ms."""

    def run() -> str:
        places = [str(path) for path in (machine.tree.root, machine.cache_folder, machine.boot_id)]
        program = [sys.executable, "-c", PROGRAM, *places]
        return subprocess.run(program, capture_output=True, text=True, check=True).stdout

    count = len(machine.tree.event_ids())
    assert "pyparsing" in run()
    assert run() == f"{count}\n"
