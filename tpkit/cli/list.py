"""``tpkit list``: which tracepoints there are."""

from __future__ import annotations

import json
from pathlib import Path

from tpkit.catalog import Catalog
from tpkit.cli import options
from tpkit.cli.options import NameSource
from tpkit.cli.show import say, write
from tpkit.decode.text import safe
from tpkit.discover import events_of_bpftrace, not_found, select
from tpkit.errors import EventNotFound, ToolError, TracefsError, UsageError
from tpkit.model import EventFormat, TracepointId
from tpkit.tracefs import Tracefs


def list_events(
    patterns: options.Patterns = None,
    regex: options.Regex = False,
    field: options.FieldWord = None,
    verbose: options.Arguments = False,
    json_lines: options.Json = False,
    source: options.Source = None,
    tracefs: options.TracefsFolder = None,
) -> None:
    """List tracepoints, one category:name a line.

    \b
    tpkit list                      all of them
    tpkit list unlinkat             those whose name has this word
    tpkit list 'sched:*' '!*stat*'  globs, some left out
    tpkit list -r 'sys_(enter|exit)_open'
    tpkit list -F pathname -v       those with such a field, with their arguments
    """
    catalog, events = _events(source, tracefs)
    chosen = select(events, patterns or [], regex=regex)
    if (verbose or field) and catalog is None:
        raise UsageError("arguments come from tracefs, which can't be read", where="-v, -F", remedy="see 'tpkit list'")
    if not chosen:
        wanted = " ".join(patterns or [])
        raise not_found(events, wanted, regex=regex)
    if catalog is not None and (verbose or field):
        _write_formats(_with_field(catalog.events(chosen), field), json_lines=json_lines, verbose=verbose)
    else:
        _write_names(chosen, json_lines=json_lines)


def _events(source: NameSource | None, folder: Path | None) -> tuple[Catalog | None, list[TracepointId]]:
    """Where formats can be had, if anywhere, and all events."""
    if source is NameSource.BPFTRACE:
        if folder is not None:
            raise UsageError("bpftrace lists the running kernel's events only", where="--from bpftrace, --tracefs")
        return None, events_of_bpftrace()
    try:
        catalog = open_catalog(folder)
        return catalog, catalog.ids()
    except TracefsError as error:
        if folder is not None or source is NameSource.TRACEFS:
            raise
        try:
            events = events_of_bpftrace()
        except ToolError:
            raise error from None
        say(f"{error}; these names are bpftrace's")
        return None, events


def open_catalog(folder: Path | None) -> Catalog:
    """Of the copy that the user named, or of the running kernel's tracefs."""
    return Catalog.of(Tracefs.find() if folder is None else Tracefs.captured_tree(folder))


def _with_field(formats: list[EventFormat], word: str | None) -> list[EventFormat]:
    if word is None:
        return formats
    found = [event for event in formats if any(word in field.name for field in event.fields)]
    if not found:
        raise EventNotFound(f"a field named *{word}*")
    return found


def _write_names(events: list[TracepointId], *, json_lines: bool) -> None:
    if json_lines:
        lines = [json.dumps({"event": str(e), "category": e.category, "name": e.name}) for e in events]
    else:
        lines = [str(event) for event in events]
    write("".join(f"{line}\n" for line in lines))


def _write_formats(events: list[EventFormat], *, json_lines: bool, verbose: bool) -> None:
    if not verbose:
        _write_names([event.id for event in events], json_lines=json_lines)
    else:
        show = _json_line if json_lines else _text_lines
        write("".join(map(show, events)))


def _json_line(event: EventFormat) -> str:
    fields = [{"name": f.name, "type": f.type.text} for f in event.fields]
    line = {"event": str(event.id), "category": event.id.category, "name": event.id.name, "fields": fields}
    return json.dumps(line) + "\n"


def _text_lines(event: EventFormat) -> str:
    return "".join([f"{event.id}\n", *[f"    {safe(field.written)}\n" for field in event.fields]])
