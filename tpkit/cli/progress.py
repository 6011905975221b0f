"""How far a long run is: one line on stderr, for a person at a terminal and nobody else."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tpkit.cli.show import write_words

if TYPE_CHECKING:
    from tpkit.runtime.session import Session

_AFTER = 0.5  # seconds until a run is long enough to say how far it is
_EVERY = 0.1  # seconds between two looks of the line
_WIDTH = 30  # characters of the bar


class Progress:
    """A bar on the terminal's last line, shown once a run has lasted ``after`` seconds.

    total: how many things there are; things: what they are called.
    """

    def __init__(self, total: int, things: str, after: float = _AFTER) -> None:
        self._total = total
        self._things = things
        self._line = _Line(after)

    def step(self, done: int, failed: int = 0) -> None:
        """So many are done by now, so many of them failed."""
        if self._line.is_due():
            full = _WIDTH * done // self._total
            failures = f", {failed} failed" if failed else ""
            self._line.show(f"tpkit: [{'#' * full:.<{_WIDTH}}] {done} of {self._total} {self._things}{failures}")

    def clear(self) -> None:
        """Leave the line to others."""
        self._line.clear()


class Rate:
    """Events, events a second and losses, for a trace that goes to a file."""

    def __init__(self) -> None:
        self._line = _Line(_EVERY)
        self._before = (time.monotonic(), 0)

    def show(self, session: Session) -> None:
        """The session's account by now."""
        if self._line.is_due():
            ledger = session.ledger
            now, (then, count) = time.monotonic(), self._before
            self._before = now, ledger.delivered
            rate = (ledger.delivered - count) / (now - then)
            self._line.show(f"tpkit: {ledger.delivered:,} events, {rate:,.0f}/s, {ledger.all_lost:,} lost")

    def clear(self) -> None:
        """Leave the line to others."""
        self._line.clear()


class _Line:
    """The terminal's last line, if stderr is one; after: seconds until it is used."""

    def __init__(self, after: float) -> None:
        self._shown = ""
        self._next = time.monotonic() + after if sys.stderr.isatty() else float("inf")

    def is_due(self) -> bool:
        """Whether it may be changed again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _EVERY
        return True

    def show(self, text: str) -> None:
        """This, and nothing of what stood there."""
        write_words(f"\r{text}{' ' * (len(self._shown) - len(text))}")
        self._shown = text

    def clear(self) -> None:
        """Leave the line to others."""
        if self._shown:
            self.show("")
            write_words("\r")
            self._shown = ""
