"""From the options that choose events and tasks to what is wanted, for every command that takes them."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Sequence

from tpkit.catalog import Catalog
from tpkit.discover import resolve
from tpkit.errors import UsageError
from tpkit.filters.tree import Filter
from tpkit.host import pid_namespace
from tpkit.program import RING_SIZES, ProbeSpec


def numbers_of(text: str | None, option: str) -> tuple[int, ...]:
    """``12,34`` as numbers. Raises UsageError."""
    try:
        return tuple(int(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        remedy = f"give {option} 12 or {option} 12,34"
        raise UsageError(f"{text!r} is no list of process ids", where=option, remedy=remedy) from None


def user_of(text: str | None) -> int | None:
    """A user's number, by number or name. Raises UsageError."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        remedy = "give a name or a number; see id(1)"
        raise UsageError(f"there is no user {text!r}", where="-u", remedy=remedy) from None


_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size_of(text: str) -> int:
    """``64K``, ``16M`` or a plain number, in bytes: the next power of two. Raises UsageError."""
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in _UNITS else (text, "")
    least, most = RING_SIZES
    if not number.isdecimal() or not least <= int(number) * _UNITS.get(unit, 1) <= most:
        remedy = f"give {least >> 10}K to {most >> 20}M"
        raise UsageError(f"{text!r} is no size of a buffer", where="--buffer-size", remedy=remedy)
    return 1 << (int(number) * _UNITS.get(unit, 1) - 1).bit_length()


MAX_LATENCY = 366 * 86_400 * 1_000_000_000  # ns
_TIMES = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def nanoseconds_of(text: str | None) -> int:
    """``1ms``, ``2.5us``, ``3s``, in nanoseconds; 0 for None. Raises UsageError."""
    if text is None:
        return 0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)", text)
    if found is None:
        raise UsageError(f"{text!r} is no time", where="--min-latency", remedy="give 500us, 1ms or 2.5s")
    number = round(float(found[1]) * _TIMES[found[2]])
    if number > MAX_LATENCY:
        raise UsageError(f"{text!r} is longer than any call lasts", where="--min-latency", remedy="give a year at most")
    return number


def probe_spec(
    catalog: Catalog,
    events: list[str],
    pid: str | None,
    comm: str | None,
    string_size: int | None,
    *,
    filters: Sequence[str] | None = None,
) -> ProbeSpec:
    """What is wanted of the events that these names stand for.

    Raises UsageError, of which FilterError is one, EventNotFound and the errors of tracefs.
    """
    pids = numbers_of(pid, "-p")
    return ProbeSpec(
        events=tuple(catalog.events(resolve(catalog.ids(), events))),
        pids=pids,
        comm=None if comm is None else os.fsencode(comm),
        string_size=string_size,
        pid_namespace=pid_namespace() if pids else None,
        filters=_parsed(filters) if filters else (),
        machine=os.uname().machine,
        enum_value=catalog.enum_value,
    )


def _parsed(filters: Iterable[str]) -> tuple[Filter, ...]:
    from tpkit.filters.grammar import parse_filter  # the grammar takes 30 ms

    return tuple(map(parse_filter, filters))
