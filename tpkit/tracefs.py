"""The only reader of tracefs, live or captured.

A ``Tracefs`` is the kernel's mount or a copy of another machine's (its ``available_events``, if it was
copied too, and ``events/``). It hands out text and never interprets it. Every path is walked from the
root of the tree with ``O_NOFOLLOW``, so that a captured tree can't lead a root user's tpkit elsewhere.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tpkit import host
from tpkit.errors import EventNotFound, InvalidName, TracefsEmpty, TracefsError, TracefsNotMounted, TracefsUnreadable
from tpkit.model import TracepointId

MOUNT_POINTS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
MOUNT_REMEDY = "as root: mount -t tracefs tracefs /sys/kernel/tracing"
READ_REMEDY = (
    "run as root; or let a group of this user read it, as root: mount -o remount,gid=GROUP,mode=750 /sys/kernel/tracing"
)
EMPTY_REMEDY = "the kernel may lack CONFIG_EVENT_TRACING"
COPY_REMEDY = "copy events/ as well, with cp -r: for tar and rsync the files of tracefs are empty"
LOCKED = "kernel lockdown in confidentiality mode closes tracefs"
MAX_BYTES = 16 << 20  # available_events of a large kernel has 300 KiB


@dataclass(frozen=True, slots=True)
class Tracefs:
    """A tracefs: its folder, and whether it is a copy (``captured``) or the running kernel's.

    lockdown: the file in which the kernel says how far it is locked down.
    """

    root: Path
    captured: bool = False
    lockdown: Path = host.LOCKDOWN

    @classmethod
    def find(
        cls,
        mounts: Path = Path("/proc/self/mounts"),
        lockdown: Path = host.LOCKDOWN,
        places: Sequence[Path] = MOUNT_POINTS,
    ) -> Tracefs:
        """The running kernel's tracefs: the usual places first, then any other mount of it.

        Raises TracefsNotMounted, TracefsEmpty.
        """
        for root in (*places, *_mounted(mounts)):
            if _looks_like_tracefs(root):
                return cls(root, lockdown=lockdown)
        raise _nothing_found(mounts, lockdown)

    @classmethod
    def captured_tree(cls, root: Path) -> Tracefs:
        """A copy of another machine's tracefs. Raises TracefsNotMounted where there is none."""
        try:
            is_tree = stat.S_ISDIR((root / "events").stat().st_mode)
        except PermissionError:
            raise TracefsUnreadable("may not be read", where=str(root), remedy=READ_REMEDY) from None
        except OSError:
            is_tree = False
        if not is_tree:
            remedy = "give the folder that holds a copy of tracefs' events/"
            raise TracefsNotMounted("no events/ in this folder", where=str(root), remedy=remedy)
        return cls(root, captured=True)

    def event_ids(self) -> list[TracepointId]:
        """All tracepoints, sorted as text: from ``available_events``, or from the folders of a partial copy.

        Raises TracefsUnreadable, TracefsEmpty.
        """
        try:
            text = self._read("available_events")
        except FileNotFoundError:
            found = self._walk()
        else:
            # A name may be there twice: i915 and xe share a category in 6.12.
            found = [TracepointId.parse(line) for line in sorted(set(text.splitlines())) if line]
        if not found:
            raise TracefsEmpty(
                "there are no events here",
                where=str(self.root),
                remedy=COPY_REMEDY if self.captured else EMPTY_REMEDY,
            )
        return found

    def event_folders(self) -> Iterator[tuple[str, int]]:
        """The events' folders, ``category/name``, and their inodes' numbers, which listing gives without a stat.

        Raises OSError.
        """
        with os.scandir(self.root / "events") as categories:
            for category in categories:
                if category.is_dir(follow_symlinks=False):
                    with os.scandir(category.path) as entries:
                        for entry in entries:
                            if entry.is_dir(follow_symlinks=False):
                                yield f"{category.name}/{entry.name}", entry.inode()

    def format_text(self, event: TracepointId) -> str:
        """The event's format file. Raises EventNotFound, TracefsUnreadable."""
        return self._read_event(event, "format")

    def printk_formats(self) -> str:
        """Addresses of texts that records point to, with the texts. Raises FileNotFoundError, TracefsError."""
        return self._read("printk_formats")

    def event_number(self, event: TracepointId) -> int:
        """The kernel's id of the event, as perf_event_open(2) takes it. Raises EventNotFound."""
        return int(self._read_event(event, "id"))

    def _read_event(self, event: TracepointId, name: str) -> str:
        try:
            return self._read("events", event.category, event.name, name)
        except (FileNotFoundError, NotADirectoryError):
            raise EventNotFound(str(event), where=str(self.root)) from None

    def _read(self, *parts: str) -> str:
        """The text of a regular file below the root. Raises FileNotFoundError, TracefsError."""
        with self._translated(parts), self._opened(parts) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TracefsError("not a regular file", where=str(self.root.joinpath(*parts)))
            return _read_all(descriptor, self.root.joinpath(*parts))

    @contextmanager
    def _opened(self, parts: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of the file at ``parts``, reached without following any symlink."""
        flags = os.O_RDONLY | os.O_CLOEXEC
        # The root is the user's own word and may be a link; what lies below it may not.
        descriptors = [os.open(self.root, flags | os.O_DIRECTORY)]
        try:
            for part in parts[:-1]:
                descriptors.append(os.open(part, flags | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptors[-1]))
            # O_NONBLOCK: a fifo in a hostile tree must not hold us.
            descriptors.append(os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptors[-1]))
            yield descriptors[-1]
        finally:
            for descriptor in reversed(descriptors):
                os.close(descriptor)

    @contextmanager
    def _translated(self, parts: tuple[str, ...]) -> Iterator[None]:
        """Turns what the system says into our errors; a missing file stays FileNotFoundError."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise
        except PermissionError:
            raise self._unreadable() from None
        except OSError as error:
            what = "is a symbolic link, which tpkit doesn't follow" if error.errno == errno.ELOOP else error.strerror
            raise TracefsError(what or "can't be read", where=str(self.root.joinpath(*parts))) from None

    def _walk(self) -> list[TracepointId]:
        """The events that have a format file, for trees that hold no ``available_events``."""
        found = []
        try:
            for category in sorted(os.scandir(self.root / "events"), key=lambda entry: entry.name):
                if category.is_dir(follow_symlinks=False):
                    found += _events_of(category)
        except PermissionError:
            raise self._unreadable() from None
        return sorted(found, key=str)

    def _unreadable(self) -> TracefsUnreadable:
        if not self.captured and host.lockdown(self.lockdown) == "confidentiality":  # set since tracefs was mounted
            return TracefsUnreadable(LOCKED, where=str(self.root), remedy=host.LOCKDOWN_REMEDY)
        return TracefsUnreadable("may not be read", where=str(self.root), remedy=READ_REMEDY)


def _events_of(category: os.DirEntry[str]) -> list[TracepointId]:
    found = []
    for event in os.scandir(category.path):
        if not event.is_dir(follow_symlinks=False) or not Path(event.path, "format").exists():
            continue
        try:
            found.append(TracepointId(category.name, event.name))
        except InvalidName:  # not an event's folder, whatever it is
            continue
    return found


_OCTAL = re.compile(rb"\\([0-7]{3})")


def _mounted(mounts: Path) -> Iterator[Path]:
    """Where else tracefs is mounted, from a mount table (proc_pid_mounts(5), octal escapes)."""
    try:
        lines = mounts.read_bytes().split(b"\n")  # other ends of lines may be in the name of a folder
    except OSError:
        return
    for line in lines:
        match line.split(b" "):
            case _, place, b"tracefs", *_:
                yield Path(os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), place)))


def _nothing_found(mounts: Path, lockdown: Path) -> TracefsError:
    """Not mounted; or mounted without a file in it, as a kernel leaves it that was booted in lockdown.

    ``tracefs_create_file`` makes none in confidentiality mode (commit bf8e602186ec).
    """
    empty = next(_mounted(mounts), None)
    if empty is None:
        return TracefsNotMounted("tracefs is not mounted", where=str(MOUNT_POINTS[0]), remedy=MOUNT_REMEDY)
    if host.lockdown(lockdown) == "confidentiality":
        return TracefsEmpty(LOCKED, where=str(empty), remedy=host.LOCKDOWN_REMEDY)
    return TracefsEmpty("tracefs is mounted and empty", where=str(empty), remedy=EMPTY_REMEDY)


def _looks_like_tracefs(root: Path) -> bool:
    """Whether tracefs is mounted here, even if we may not read it."""
    try:
        (root / "available_events").stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _read_all(descriptor: int, path: Path) -> str:
    # tracefs reports size 0, and hands out a page at a time.
    chunks = []
    total = 0
    while chunk := os.read(descriptor, 1 << 16):
        chunks.append(chunk)
        total += len(chunk)
        if total > MAX_BYTES:
            raise TracefsError(f"larger than {MAX_BYTES} bytes", where=str(path), remedy="this is no file of tracefs")
    return b"".join(chunks).decode("utf-8", errors="surrogateescape")
