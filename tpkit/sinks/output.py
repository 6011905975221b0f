"""A file, a pipe or a terminal to write to, with nothing followed and nothing written by halves."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tpkit.errors import SinkError
from tpkit.host import trusted_owners

# Between two writes a signal gets its turn; and from what is written at once, the kernel can't take all.
_MOST_AT_ONCE = 1 << 24


class ReaderGone(Exception):
    """Nobody reads the other end of our pipe any more.

    written: how many of the events that were handed over then went into the pipe, wholly; done: how many bytes.
    """

    written = 0
    done = 0


class Output:
    """Owns a descriptor. ``with Output.file(path) as output``, or ``Output.stdout()``."""

    def __init__(self, descriptor: int, name: str, *, owned: bool) -> None:
        self.descriptor = descriptor
        self._name = name
        self._owned = owned

    @classmethod
    def stdout(cls) -> Output:
        """Our standard output, unbuffered; left open."""
        return cls(1, "standard output", owned=False)

    @classmethod
    def file(cls, path: Path) -> Output:
        """A file, made with mode 0600 or emptied. Raises SinkError.

        What root writes must not land where somebody else wants it: no symlink is followed, and a
        file that is there already must be ours, with one name only.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            what = "is a symbolic link, which tpkit doesn't follow" if error.errno == errno.ELOOP else error.strerror
            raise SinkError(f"can't be opened: {what}", where=str(path), remedy="give another path to -o") from None
        output = cls(descriptor, str(path), owned=True)
        try:
            output._refuse_foreign()
            os.set_blocking(descriptor, True)
        except BaseException:
            output.close()
            raise
        return output

    def _refuse_foreign(self) -> None:
        status = os.fstat(self.descriptor)
        if stat.S_ISREG(status.st_mode):
            if status.st_uid != os.geteuid() or status.st_nlink > 1:
                raise SinkError("belongs to somebody else, or has a second name", where=self._name, remedy="remove it")
            os.ftruncate(self.descriptor, 0)
        elif stat.S_ISFIFO(status.st_mode):
            if status.st_uid not in trusted_owners():
                raise SinkError("is a pipe of somebody else, who would read it", where=self._name, remedy="remove it")
        elif not stat.S_ISCHR(status.st_mode):
            raise SinkError("isn't a file that can be written", where=self._name, remedy="give another path to -o")

    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return os.isatty(self.descriptor)

    def is_pipe(self) -> bool:
        """Whether a reader at the other end may go away."""
        mode = os.fstat(self.descriptor).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

    def write(self, data: bytes | memoryview) -> None:
        """All of the bytes. Raises ReaderGone and SinkError, whose ``done`` says how many were written."""
        whole = memoryview(data).cast("B")
        done = 0
        while done < len(whole):
            try:
                done += os.write(self.descriptor, whole[done : done + _MOST_AT_ONCE])
            except BlockingIOError:  # who has it too may have made it so: a shell's other child
                select.select([], [self.descriptor], [])
            except BrokenPipeError:
                gone = ReaderGone()
                gone.done = done
                raise gone from None
            except OSError as error:
                failed = SinkError(f"can't be written: {error.strerror}", where=self._name)
                failed.done = done
                raise failed from None

    def take_back(self, count: int) -> None:
        """The last so many bytes that were written, where that can be done: in a file that nobody else appends to."""
        status = os.fstat(self.descriptor)
        shared = fcntl.fcntl(self.descriptor, fcntl.F_GETFL) & os.O_APPEND
        if not count or not stat.S_ISREG(status.st_mode) or shared:
            return
        with suppress(OSError):  # what stays is half a line, and it was told that the output failed
            end = os.lseek(self.descriptor, 0, os.SEEK_CUR)
            if end == status.st_size:
                os.ftruncate(self.descriptor, end - count)
                os.lseek(self.descriptor, end - count, os.SEEK_SET)

    def close(self) -> None:
        """Closes what we opened."""
        if self._owned:
            self._owned = False
            os.close(self.descriptor)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
