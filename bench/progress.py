"""What is going on, on stderr: the tables are for stdout alone."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


def shout(text: str) -> None:
    """A line that must not be overlooked: something isn't measured."""
    say(f"*** {text} ***")
