"""Which events are meant: all that tracefs has a format of, and what is wrong with some."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tpkit.catalog import Catalog
from tpkit.discover import resolve
from tpkit.errors import EventNotFound, FormatError, InvalidName
from tpkit.model import EventFormat, TracepointId
from tpkit.verify.report import Failure, Selection, Skipped


def select_events(catalog: Catalog, patterns: Sequence[str]) -> Selection:
    """The events that patterns mean, as ``trace`` takes them, and those that ``trace`` knows nothing of.

    Raises EventNotFound, UsageError, TracefsError.
    """
    available = set(catalog.ids())
    chosen = resolve(available | _others(catalog), patterns)
    formats, failures = _formats(catalog, [event for event in chosen if event in available])
    skipped = tuple(Skipped(event, _why_not(event)) for event in chosen if event not in available)
    return Selection(tuple(formats), skipped, tuple(failures))


def _others(catalog: Catalog) -> set[TracepointId]:
    """Events with a folder that ``available_events`` doesn't name."""
    try:
        folders = [folder for folder, _ in catalog.tree.event_folders()]
    except OSError:  # who may not read them is told so when a format is read
        return set()
    found = set()
    for folder in folders:
        with suppress(InvalidName):
            found.add(TracepointId(*folder.split("/", 1)))
    return found


def _why_not(event: TracepointId) -> str:
    """These have TRACE_EVENT_FL_IGNORE_ENABLE: t_next() of kernel/trace/trace_events.c leaves them out."""
    if event.category == "ftrace":
        return "records of ftrace's own tracers, with no tracepoint behind them"
    return "not in available_events: nobody can enable it"


def _formats(catalog: Catalog, events: list[TracepointId]) -> tuple[list[EventFormat], list[Failure]]:
    """All formats at once; where one can't be read, halves, until it is found."""
    try:
        return catalog.events(events), []
    except (FormatError, EventNotFound) as error:
        if len(events) == 1:
            return [], [Failure.of(events[0], error)]
    half = len(events) // 2
    formats, failures = _formats(catalog, events[:half])
    more_formats, more_failures = _formats(catalog, events[half:])
    return formats + more_formats, failures + more_failures
