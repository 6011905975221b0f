"""A folder for what one run of tpkit needn't find out again, that nobody but its owner may write.

No link is followed, and nothing is believed that somebody else could have written. A file is replaced as a
whole, or stays as it was.
"""

from __future__ import annotations

import os
import pwd
import stat
import time
from binascii import crc32
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER_OF_ROOT = Path("/var/cache/tpkit")
_HEAD = b"tpkit 1 %08x\n"  # the checksum of what follows
_STALE_SECONDS = 3600  # a file half written an hour ago is one that its writer left behind
_RANDOM = 8  # bytes in the name of a file that isn't finished


class Unusable(Exception):
    """There is a cache, and it can't be used."""


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """Its methods raise Unusable for what can't be trusted, and OSError."""

    path: Path

    @classmethod
    def of_user(cls, user: int | None = None, environment: Mapping[str, str] = os.environ) -> CacheFolder | None:
        """Root's in ``/var/cache``, whatever the environment says; others' where XDG_CACHE_HOME says, or in their home.

        user: their id, ours if None. None for a user who has neither.
        """
        user = os.geteuid() if user is None else user
        if user == 0:  # under sudo, the environment and the home are the caller's
            return cls(FOLDER_OF_ROOT)
        parent = Path(environment.get("XDG_CACHE_HOME", ""))
        if not parent.is_absolute():
            try:
                parent = Path(pwd.getpwuid(user).pw_dir, ".cache")
            except KeyError:
                return None
        return cls(parent / "tpkit") if parent.is_absolute() else None

    def read(self, name: str, most: int) -> bytes:
        """A file's first so many bytes."""
        with _opened(self.path) as folder:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                _check_owned(os.fstat(descriptor), stat.S_ISREG)
                return file.read(most)

    def write(self, name: str, content: bytes) -> None:
        """Puts the content in the place of what the file held; makes the folder if there is none."""
        _make(self.path)
        with _opened(self.path) as folder:
            with suppress(FileNotFoundError):
                _check_owned(os.stat(name, dir_fd=folder, follow_symlinks=False), stat.S_ISREG)
            _sweep(folder, name)
            _replace(folder, name, content)

    def load(self, name: str, key: str, most: int) -> bytes | None:
        """What ``save`` put into a file for this very key; None where there is no such file."""
        try:
            whole = self.read(name, most)
        except FileNotFoundError:
            return None
        head, _, body = whole.partition(b"\n")
        if head + b"\n" != _HEAD % crc32(body):
            raise Unusable("damaged")
        length, _, rest = body.partition(b"\n")
        wanted = key.encode("utf-8", "surrogateescape")
        if length != b"%d" % len(wanted) or not rest.startswith(wanted):
            raise Unusable("for another key")
        return rest[len(wanted) :]

    def save(self, name: str, key: str, content: bytes) -> None:
        """Puts the content into a file, for this key and no other."""
        wanted = key.encode("utf-8", "surrogateescape")
        body = b"%d\n" % len(wanted) + wanted + content
        self.write(name, _HEAD % crc32(body) + body)

    def keep_newest(self, prefix: str, most: int) -> None:
        """Removes all but the newest files whose names begin so."""
        with _opened(self.path) as folder:
            ages = []
            for name in os.listdir(folder):  # noqa: PTH208 - of a descriptor, which pathlib knows nothing of
                if name.startswith(prefix):
                    with suppress(FileNotFoundError):
                        ages.append((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime, name))
            for _, name in sorted(ages)[: -most or None]:
                with suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(name, dir_fd=folder)


def _make(folder: Path) -> None:
    """The folder, and ``~/.cache`` if a user has none yet; nothing further up."""
    with suppress(FileExistsError):
        try:
            folder.mkdir(0o700)
        except FileNotFoundError:
            if os.geteuid() == 0:  # /var/cache is the system's to make
                raise
            folder.parent.mkdir(0o700)
            folder.mkdir(0o700)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder. Raises Unusable where others could put a file there, or a link leads there."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        raise Unusable("a symbolic link, or no folder") from None
    try:
        _check_owned(os.fstat(descriptor), stat.S_ISDIR)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_owned(status: os.stat_result, kind: Any) -> None:
    if not kind(status.st_mode):
        raise Unusable("not a regular file")
    if status.st_uid != os.geteuid():
        raise Unusable("owned by someone else")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable("others may write it")


def _replace(folder: int, file_name: str, content: bytes) -> None:
    """The file with this content: all of it or, whatever happens, what was there before."""
    name = f"{file_name}.{os.urandom(_RANDOM).hex()}"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(name, file_name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _sweep(folder: int, file_name: str) -> None:
    """Away with the files of writers that were killed."""
    for name in os.listdir(folder):
        if name.startswith(f"{file_name}."):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < time.time() - _STALE_SECONDS:
                    os.unlink(name, dir_fd=folder)
