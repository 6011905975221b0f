"""What C libraries print, kept from the terminal: libbcc and libbpf tell the verifier's words on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """What C code prints to stderr meanwhile; the yielded function gives it as text.

    Python's own ``sys.stderr`` keeps its place: what a signal's handler says still reaches the user.
    """
    sys.stderr.flush()
    captured = os.memfd_create("tpkit-stderr", os.MFD_CLOEXEC)

    def words() -> str:
        size = os.lseek(captured, 0, os.SEEK_END)
        return os.pread(captured, size, 0).decode(errors="replace").strip()

    place = open(os.dup(2), "w", buffering=1, errors="backslashreplace")  # noqa: SIM115, PTH123
    try:
        with contextlib.redirect_stderr(place):
            os.dup2(captured, 2)
            try:
                yield words
            finally:
                os.dup2(place.fileno(), 2)
    finally:
        place.close()
        os.close(captured)
