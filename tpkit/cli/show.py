"""How the commands speak: data on stdout, everything else on stderr, errors in one shape."""

from __future__ import annotations

import os
import sys

from tpkit.errors import SinkError, TpkitError


def write(text: str) -> None:
    """Data on stdout; ends the program quietly when its reader has gone, as head(1) does. Raises SinkError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_the_rest()
        raise SystemExit(0) from None
    except OSError as error:
        _forget_the_rest()
        raise SinkError(f"can't be written: {error.strerror}", where="standard output") from None


def _forget_the_rest() -> None:
    """Python must not write what is left when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())


def say(message: str) -> None:
    """A line on stderr, if anybody reads it."""
    from tpkit.decode.text import safe  # not needed by a command that has nothing to say

    write_words(f"tpkit: {safe(message)}\n")


def write_words(text: str) -> None:
    """On stderr: it is no failure of a trace, or of the command that is traced, that nobody wants to read of it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stderr.fileno())


def show_error(error: TpkitError) -> None:
    """What happened and where; below it what to do, and then another program's own words, if any."""
    from tpkit.decode.text import safe

    where = f"{error.where}: " if error.where else ""
    lines = [f"tpkit: error: {safe(where + error.what)}"]
    if error.remedy:
        lines.append(f"       {safe(error.remedy)}")
    if error.details:
        lines += [f"  | {line}" for line in safe(error.details).split("\n")]
    write_words("\n".join(lines) + "\n")
