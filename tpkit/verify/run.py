"""Tries programs for many events at a time, and finds those that spoil a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from tpkit.errors import CompileError, FormatError, GenerateError, LoadError, TpkitError
from tpkit.model import EventFormat
from tpkit.verify.loaders import Loader
from tpkit.verify.report import Failure, Report, Selection

BATCH = 60  # events a program: more would save little, and take longer to break off

Progress = Callable[[int, int], None]


def verify(
    selection: Selection, loader: Loader, batch_size: int = BATCH, progress: Progress | None = None
) -> Report:
    """Each event's program generated, compiled, loaded; a failing batch is halved until the guilty are alone.

    batch_size: events to a program; progress: called with the number of events that are decided, and
    of those that failed. Raises what the loader raises of errors that aren't one event's.
    """
    started = time.monotonic()
    decided, failures = 0, list(selection.failures)
    for start in range(0, len(selection.events), batch_size):
        for number, found in _verdicts(selection.events[start : start + batch_size], loader):
            decided += number
            failures += found
            if progress is not None:
                progress(decided, len(failures))
    return Report(selection.matched, selection.skipped, tuple(failures), time.monotonic() - started)


def _verdicts(events: Sequence[EventFormat], loader: Loader) -> Iterator[tuple[int, list[Failure]]]:
    """Numbers of events that are decided, with the failures among them."""
    error = _refusal(events, loader)
    if error is None:
        yield len(events), []
    elif len(events) == 1:
        yield 1, [Failure.of(events[0].id, error)]
    else:
        half = len(events) // 2
        yield from _verdicts(events[:half], loader)
        yield from _verdicts(events[half:], loader)


def _refusal(events: Sequence[EventFormat], loader: Loader) -> TpkitError | None:
    """Why no program of these events comes through."""
    try:
        loader.check(events)
    except (GenerateError, FormatError, CompileError, LoadError) as error:
        return error
    return None
