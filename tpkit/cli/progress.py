"""How far a long run is: one line on stderr, for a person at a terminal and nobody else."""

from __future__ import annotations

import sys
import time

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
        self._shown = ""
        self._next = time.monotonic() + after if sys.stderr.isatty() else float("inf")

    def step(self, done: int, failed: int = 0) -> None:
        """So many are done by now, so many of them failed."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            full = _WIDTH * done // self._total
            failures = f", {failed} failed" if failed else ""
            self._show(f"tpkit: [{'#' * full:.<{_WIDTH}}] {done} of {self._total} {self._things}{failures}")

    def clear(self) -> None:
        """Leave the line to others."""
        if self._shown:
            self._show(" " * len(self._shown))
            self._show("")

    def _show(self, text: str) -> None:
        self._shown = text
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()
