"""A command to be traced from its first instruction: it is there before the trace, and waits to be let go.

It waits twice: in a read(2) as long as programs are compiled, and then, for the moment in which the trace is switched
on, in a loop that makes no system call, so that the first one that is seen of it is its own execve(2).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tpkit.errors import CommandError

_READY, _GO = 1, 2  # what the page says that both processes share
_SECONDS = 60  # until the child is ready: an emulated machine takes its time
_NOT_FOUND, _NOT_RUN = 127, 126  # as shells have them


class Command:
    """``with Command(["make"]) as command: …; command.go(); …; status = command.wait()``.

    Raises CommandError for a program that isn't there. One that was never let go is ended.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._arguments = [os.fsencode(each) for each in arguments]
        self._environment = dict(os.environ if environment is None else environment)
        self._program = _found(arguments[0], self._environment.get("PATH"))
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.pid = 0
        self.status: int | None = None
        self._gone = False

    def __enter__(self) -> Command:
        reader, self._gate = os.pipe2(os.O_CLOEXEC)
        self._failure, failed = os.pipe2(os.O_CLOEXEC)
        call = _execve(self._program, self._arguments, self._environment)
        self.pid = os.fork()
        if not self.pid:
            os.close(self._gate)
            _be_child(call, self._page, reader, failed)
        os.close(reader)
        os.close(failed)
        return self

    def get_ready(self) -> None:
        """The child is past its last system call before its execve(2). Raises CommandError when it is gone."""
        os.write(self._gate, b"!")
        end = time.monotonic() + _SECONDS
        while self._page[0] != _READY:
            if time.monotonic() > end or self._reaped():
                raise CommandError("ended before it began", where=os.fsdecode(self._program))
            time.sleep(0.0005)

    def go(self) -> None:
        """Lets it run. Raises CommandError when the kernel refuses to run it."""
        self._gone = True
        self._page[0] = _GO
        answer = os.read(self._failure, 16)
        if answer:
            reason = os.strerror(int(answer))
            raise CommandError(
                f"can't be run: {reason}", where=os.fsdecode(self._program), exit_status=_NOT_RUN
            )

    def wait(self) -> int:
        """Its exit status, 128 and the signal's number if one ended it."""
        if self.status is None:
            self._note(os.waitpid(self.pid, 0)[1])
        assert self.status is not None
        return self.status

    def is_running(self) -> bool:
        """Whether it hasn't ended yet."""
        return not self._reaped()

    def send(self, number: int) -> None:
        """A signal, if it still runs."""
        if not self._reaped():
            os.kill(self.pid, number)

    def _reaped(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._note(status)
        return self.status is not None

    def _note(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.status = code if code >= 0 else 128 - code

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._gate)
        os.close(self._failure)
        if not self._gone:
            self.send(signal.SIGKILL)
            self.wait()
        self._page.close()


def _found(name: str, path: str | None) -> bytes:
    """The program's file: the command is the user's own wish, and so is where it is looked for."""
    found = shutil.which(name, path=path)
    if found is not None:
        return os.fsencode(found)
    if "/" in name and os.path.lexists(name):
        reason = "is a folder" if Path(name).is_dir() else "may not be executed"
        raise CommandError(reason, where=name, exit_status=_NOT_RUN)
    raise CommandError("there is no such program", where=name, exit_status=_NOT_FOUND)


def _execve(program: bytes, arguments: Sequence[bytes], environment: Mapping[str, str]) -> tuple[object, ...]:
    """execve(2) with all that it is given, made ready: the child needn't ask the kernel for memory any more."""
    pairs = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment.items()]
    argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
    envp = (ctypes.c_char_p * (len(pairs) + 1))(*pairs, None)
    function = ctypes.CDLL(None, use_errno=True).execve
    return function, ctypes.c_char_p(program), argv, envp


def _be_child(call: tuple[object, ...], page: mmap.mmap, gate: int, failed: int) -> None:
    """The child's side; it never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) wants SIGHUP
                signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and by nobody else
            signal.signal(number, signal.SIG_DFL)
        execve, *arguments = call
        if os.read(gate, 1):  # nothing: the parent has died
            page[0] = _READY
            while page[0] != _GO:
                pass
            execve(*arguments)  # type: ignore[operator]
            os.write(failed, str(ctypes.get_errno()).encode())
    finally:
        os._exit(_NOT_RUN)
