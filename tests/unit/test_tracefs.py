"""The one reader of tracefs: captured trees, and what must never be followed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tpkit import (
    EventNotFound,
    InvalidName,
    Tracefs,
    TracefsEmpty,
    TracefsError,
    TracefsNotMounted,
    TracefsUnreadable,
    TracepointId,
)

UNLINKAT = TracepointId("syscalls", "sys_enter_unlinkat")


def make_event(root: Path, text: str = "name: x\n") -> Path:
    folder = root / "events" / "cat" / "thing"
    folder.mkdir(parents=True)
    (folder / "format").write_text(text)
    return folder


def test_a_partial_copy_is_listed_from_its_folders(tree: Tracefs) -> None:
    events = tree.event_ids()
    assert UNLINKAT in events
    assert events == sorted(events, key=str)
    assert "field:const char * pathname" in tree.format_text(UNLINKAT)


def test_available_events_goes_first_and_may_repeat(tmp_path: Path) -> None:
    make_event(tmp_path)
    (tmp_path / "available_events").write_text("b:y\na:x\nb:y\n")
    assert [str(e) for e in Tracefs.captured_tree(tmp_path).event_ids()] == ["a:x", "b:y"]


def test_no_tree(tmp_path: Path) -> None:
    with pytest.raises(TracefsNotMounted, match="no events/ in this folder"):
        Tracefs.captured_tree(tmp_path)
    with pytest.raises(TracefsNotMounted):
        Tracefs.captured_tree(tmp_path / "missing")


def test_an_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    with pytest.raises(TracefsEmpty):
        Tracefs.captured_tree(tmp_path).event_ids()


def test_unknown_event() -> None:
    with pytest.raises(EventNotFound):
        Tracefs.captured_tree(FIXTURES / "6.18-x86_64").format_text(TracepointId("syscalls", "sys_enter_nothing"))


@pytest.mark.parametrize("name", ["a:../b", "../a:b", "a:b/c", "a:-b", "a: b", "a:b\0", "a:", "a", "a:b\n", ".:.."])
def test_names_that_could_be_paths(name: str) -> None:
    with pytest.raises(InvalidName):
        TracepointId.parse(name)


def test_a_link_to_a_format_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("name: secret\n")
    folder = make_event(tmp_path)
    (folder / "format").unlink()
    (folder / "format").symlink_to(secret)
    with pytest.raises(TracefsError, match="symbolic link"):
        Tracefs.captured_tree(tmp_path).format_text(TracepointId("cat", "thing"))


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    make_event(elsewhere)
    (tmp_path / "tree" / "events").mkdir(parents=True)
    (tmp_path / "tree" / "events" / "cat").symlink_to(elsewhere / "events" / "cat")
    tree = Tracefs.captured_tree(tmp_path / "tree")
    with pytest.raises(EventNotFound):  # O_NOFOLLOW with O_DIRECTORY says ENOTDIR
        tree.format_text(TracepointId("cat", "thing"))
    with pytest.raises(TracefsEmpty):
        tree.event_ids()


def test_a_fifo_doesnt_hold_us(tmp_path: Path) -> None:
    folder = make_event(tmp_path)
    (folder / "format").unlink()
    os.mkfifo(folder / "format")
    with pytest.raises(TracefsError, match="not a regular file"):
        Tracefs.captured_tree(tmp_path).format_text(TracepointId("cat", "thing"))


def test_a_file_without_end(tmp_path: Path) -> None:
    folder = make_event(tmp_path)
    with (folder / "format").open("wb") as file:
        file.truncate(64 << 20)
    with pytest.raises(TracefsError, match="larger than"):
        Tracefs.captured_tree(tmp_path).format_text(TracepointId("cat", "thing"))


@contextmanager
def kept_out(folder: Path) -> Iterator[None]:
    """Within it we may not enter a folder: as root we would in any case, so root is somebody else then."""
    folder.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


class TestLockdown:
    """``lockdown=confidentiality``, set when the kernel was booted, or since."""

    LOCKED = "none integrity [confidentiality]\n"

    def find(self, folder: Path, lockdown: str) -> Tracefs:
        """A kernel that says in ``lockdown`` how far it is locked down, with tracefs mounted on ``folder``."""
        (folder.parent / "mounts").write_text(f"proc /proc proc rw 0 0\ntracefs {folder} tracefs rw 0 0\n")
        (folder.parent / "lockdown").write_text(lockdown)
        return Tracefs.find(folder.parent / "mounts", folder.parent / "lockdown", places=())

    @pytest.fixture
    def tracing(self) -> Iterator[Path]:
        """Where everybody can enter, as securityfs is for everybody; pytest's own folders are 0700."""
        with tempfile.TemporaryDirectory(prefix="tpkit-test-") as folder:
            Path(folder).chmod(0o755)
            Path(folder, "tracing").mkdir()
            yield Path(folder, "tracing")

    def test_since_boot_there_are_no_files(self, tracing: Path) -> None:
        with pytest.raises(TracefsEmpty, match="lockdown in confidentiality mode") as caught:
            self.find(tracing, self.LOCKED)
        assert caught.value.where == str(tracing)
        assert "boot without lockdown=confidentiality" in str(caught.value.remedy)

    def test_without_files_for_another_reason(self, tracing: Path) -> None:
        with pytest.raises(TracefsEmpty, match="mounted and empty"):
            self.find(tracing, "none [integrity] confidentiality\n")

    def test_since_later_files_can_not_be_read(self, tracing: Path) -> None:
        make_event(tracing)
        (tracing / "available_events").write_text("cat:thing\n")
        event = TracepointId("cat", "thing")
        tree = self.find(tracing, self.LOCKED)
        assert tree.event_ids() == [event]
        with kept_out(tracing):
            for read in (tree.event_ids, lambda: tree.format_text(event)):
                with pytest.raises(TracefsUnreadable, match="lockdown in confidentiality mode") as caught:
                    read()
                assert "boot without lockdown=confidentiality" in str(caught.value.remedy)

    def test_not_to_be_read_for_another_reason(self, tracing: Path) -> None:
        (tracing / "available_events").write_text("cat:thing\n")
        tree = self.find(tracing, "[none] integrity confidentiality\n")
        with kept_out(tracing), pytest.raises(TracefsUnreadable, match="may not be read") as caught:
            tree.event_ids()
        assert "run as root" in str(caught.value.remedy)


def test_a_mount_table_with_hostile_names(tmp_path: Path) -> None:
    """The kernel escapes blanks and newlines only, and users may mount with FUSE."""
    place = tmp_path / "tracefs"
    place.mkdir()
    (place / "available_events").write_text("c:n\n")
    mounts = tmp_path / "mounts"
    odd = "".join(f"fuse /home/u/a{each}b fuse rw 0 0\n" for each in "\v\f\x1c\x1d\x1e\x85\u2028\r")
    mounts.write_text(f"short line\n\n{odd}tracefs {place} tracefs rw 0 0\n", newline="")
    assert Tracefs.find(mounts, places=()).root == place


def test_mounts_are_found_wherever_they_are(tmp_path: Path) -> None:
    place = tmp_path / "my tracing"
    place.mkdir()
    (place / "available_events").write_text("a:b\n")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"tracefs {str(place).replace(' ', chr(92) + '040')} tracefs rw 0 0\n")
    found = Tracefs.find(mounts)
    assert found.root in {place, Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing")}
