"""Generated files into a folder: each in one step, and over nothing that tpkit didn't write.

Everything goes through the folder's descriptor: whoever swaps the folder's name for a link meanwhile
gains nothing.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tpkit.codegen.generated import GeneratedFile
from tpkit.errors import SinkError
from tpkit.host import trusted_owners

MARK = b"Made by tpkit "  # in the first lines of all that the templates make
_MARKED = 1024  # bytes to look for it in
_FORCE = "remove it, give another folder, or say --force"


def write_files(folder: Path, files: Sequence[GeneratedFile], *, force: bool = False) -> tuple[Path, ...]:
    """Write the files, making the folder if it isn't there; their paths.

    All names are looked at before the first file is written. Raises SinkError: for a folder that is a
    symbolic link or others may write to, for a file of that name that isn't ours to replace (force: any
    regular file is), and when writing fails.
    """
    with _opened(folder) as descriptor:
        for file in files:
            _refuse_foreign(descriptor, folder / file.name, force=force)
        for file in files:
            _write(descriptor, folder / file.name, file)
    return tuple(folder / file.name for file in files)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o755)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        what = "is a symbolic link, which tpkit doesn't follow" if folder.is_symlink() else str(error.strerror)
        raise SinkError(f"can't be used: {what}", where=str(folder), remedy="give another folder to -o") from None
    try:
        _refuse_shared(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_shared(descriptor: int, folder: Path) -> None:
    """Nobody else may swap the files before they are built and run, perhaps by root."""
    status = os.fstat(descriptor)
    if status.st_uid not in trusted_owners():
        raise SinkError(
            "belongs to somebody else, who could change what you build and run there",
            where=str(folder),
            remedy="give a folder of your own",
        )
    if status.st_mode & stat.S_IWOTH:
        raise SinkError(
            "anybody may write to this folder, and change what you build and run there",
            where=str(folder),
            remedy="give a folder of your own below it",
        )


def _refuse_foreign(descriptor: int, path: Path, *, force: bool) -> None:
    try:
        status = os.stat(path.name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SinkError(f"can't be looked at: {error.strerror}", where=str(path)) from None
    if stat.S_ISLNK(status.st_mode):
        raise SinkError("is a symbolic link, which tpkit neither follows nor replaces", where=str(path), remedy=_FORCE)
    if not stat.S_ISREG(status.st_mode):
        raise SinkError("isn't a regular file", where=str(path), remedy="give another folder")
    if not force and not _is_ours(descriptor, path.name):
        raise SinkError("is there already, and tpkit didn't write it", where=str(path), remedy=_FORCE)


def _is_ours(descriptor: int, name: str) -> bool:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    try:
        return MARK in os.read(file, _MARKED)
    finally:
        os.close(file)


def _write(descriptor: int, path: Path, file: GeneratedFile) -> None:
    """Under a name of its own first, then by renaming: nobody sees half a file, and no link is followed."""
    part = f".{path.name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        new = os.open(part, flags, 0o755 if file.executable else 0o644, dir_fd=descriptor)
        try:
            with os.fdopen(new, "wb") as target:
                target.write(file.text.encode())
            os.rename(part, path.name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(part, dir_fd=descriptor)
            raise
    except OSError as error:
        raise SinkError(f"can't be written: {error.strerror}", where=str(path)) from None
