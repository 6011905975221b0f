"""From the options that choose events and tasks to what is wanted, for every command that takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tpkit.catalog import Catalog
from tpkit.cli.list import open_catalog
from tpkit.discover import resolve
from tpkit.errors import UsageError
from tpkit.filters.tree import Filter
from tpkit.host import pid_namespace
from tpkit.model import EventFormat
from tpkit.program import ProbeSpec


def pids_of(text: str | None) -> tuple[int, ...]:
    """``12,34`` as numbers. Raises UsageError."""
    try:
        return tuple(int(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        raise UsageError(f"{text!r} is no list of process ids", where="-p", remedy="give -p 12 or -p 12,34") from None


def chosen_events(names: list[str], tracefs: Path | None = None) -> tuple[EventFormat, ...]:
    """The formats of the events that the names stand for. Raises EventNotFound and the errors of tracefs."""
    catalog: Catalog = open_catalog(tracefs)
    return tuple(catalog.events(resolve(catalog.ids(), names)))


def probe_spec(
    events: tuple[EventFormat, ...],
    pid: str | None,
    comm: str | None,
    string_size: int,
    *,
    filters: Sequence[str] | None = None,
    exclude_pid: int | None = None,
) -> ProbeSpec:
    """What is wanted of these events. Raises UsageError, of which FilterError is one."""
    pids = pids_of(pid)
    return ProbeSpec(
        events=events,
        pids=pids,
        comm=None if comm is None else os.fsencode(comm),
        string_size=string_size,
        exclude_pid=exclude_pid,
        pid_namespace=pid_namespace() if pids or exclude_pid else None,
        filters=_parsed(filters) if filters else (),
        machine=os.uname().machine,
    )


def _parsed(filters: Iterable[str]) -> tuple[Filter, ...]:
    from tpkit.filters.grammar import parse_filter  # the grammar takes 30 ms

    return tuple(map(parse_filter, filters))
