"""Where the program begins, and what becomes of errors.

Imports nothing of weight by itself: a Ctrl-C during the first 50 ms, most of which are imports, ends as
quietly as a later one.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Runs a command and exits with its status."""
    _open_what_is_closed()
    # KeyboardInterrupt wouldn't do: click makes "Aborted!" and status 1 of it.
    signal.signal(signal.SIGINT, end_interrupted)
    sys.unraisablehook = _end_all_the_same
    # Whoever ignores it has the kernel throw away how children ended, and hands that on: execve(2), wait(2).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _run()


def _open_what_is_closed() -> None:
    """Standard files that whoever started us has closed: else what we open next, a map or a pipe, is taken for one.

    To write to the output is then an error, as it should be; what is said to nobody isn't.
    """
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as we run
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - likewise


def _end_all_the_same(found: sys.UnraisableHookArgs) -> None:
    """A handler may run where no exception gets out (a weak reference's callback, of which imports have many)."""
    if isinstance(found.exc_value, SystemExit):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(found)


def end_interrupted(_number: int, _frame: FrameType | None) -> None:
    """Ends the program from within a signal handler."""
    with suppress(OSError):  # nobody has to read it
        sys.stderr.write("tpkit: interrupted\n")
    sys.exit(INTERRUPTED)


def _run() -> None:
    from tpkit.cli.main import make_app
    from tpkit.cli.show import show_error
    from tpkit.errors import TpkitError

    try:
        make_app()()
    except TpkitError as error:
        show_error(error)
        sys.exit(error.exit_status)
