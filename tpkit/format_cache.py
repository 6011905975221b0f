"""Parsed formats on disk: what one run of tpkit has parsed, the next one needn't.

One file in a folder that nobody but its owner may write: a line with a checksum, the ``state`` that the
formats belong to, and JSON. It is believed only where the state is the wanted one, letter by letter, and
where every value in it is one that the grammar could have made. In every other case there is no cache:
nothing is raised, ``why_not`` tells why.
"""

from __future__ import annotations

import gc
import json
import os
from binascii import crc32
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tpkit.cache_folder import CacheFolder, Unusable
from tpkit.model import (
    MAX_FILE,
    MAX_LINE,
    MAX_NAME,
    MAX_OFFSET,
    CType,
    Dimension,
    EventFormat,
    Field,
    Location,
    TracepointId,
)

FILE = "formats.json"
MAX_BYTES = 16 << 20  # the 2,323 events of a Linux 6.18 take 0.7 MiB

MAX_NUMBER = 999_999_999
MAX_DIMENSION = (1 << 32) - 1

_HEAD = b"tpkit formats 1 %08x\n"  # the checksum of what follows
_HEAD_SIZE = len(_HEAD % 0)

T = TypeVar("T")
Row = Sequence[Any]


class FormatCache:
    """The formats of one state of the kernel. why_not: why the last load or save came to nothing, if it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.why_not: str | None = None

    @classmethod
    def of_user(cls, user: int | None = None, environment: Mapping[str, str] = os.environ) -> FormatCache | None:
        """Where a user's caches are (``CacheFolder.of_user``); None for a user who has no place for one."""
        folder = CacheFolder.of_user(user, environment)
        return None if folder is None else cls(folder.path)

    def load(self, state: str, events: Iterable[TracepointId]) -> list[EventFormat] | None:
        """The formats of these events, as they were saved for this state; None if they weren't, or can't be trusted."""
        with self._explained():
            content = _content(CacheFolder(self.folder).read(FILE, MAX_BYTES), state)
            try:
                with _no_collection():
                    formats = _Formats(json.loads(content))
                    return [formats.event(event) for event in events]
            except (ValueError, TypeError, LookupError, RecursionError):
                raise Unusable("damaged") from None
        return None

    def add(self, state: str, events: Sequence[EventFormat]) -> bool:
        """Put these formats beside those that were saved for this state. False as ``save``."""
        known: list[EventFormat] = []
        with suppress(Unusable, OSError, ValueError, TypeError, LookupError, RecursionError), _no_collection():
            known = _Formats(json.loads(_content(CacheFolder(self.folder).read(FILE, MAX_BYTES), state))).all()
        new = {event.id for event in events}
        return self.save(state, [*events, *(event for event in known if event.id not in new)])

    def save(self, state: str, events: Sequence[EventFormat]) -> bool:
        """Put these formats in the place of what was there. False if that can't be done, or not without loss."""
        with self._explained():
            CacheFolder(self.folder).write(FILE, _with_head(state, _encoded(events)))
            return True
        return False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Ends what it surrounds quietly where the cache can't be used, and says why in ``why_not``."""
        self.why_not = None
        try:
            yield
        except Unusable as error:
            self.why_not = f"{self.folder}: {error}"
        except OSError as error:
            self.why_not = f"{self.folder}: {error.strerror}"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Ten thousand new values, none of them garbage: to search them for cycles takes as long as to make them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# ------------------------------------------------------------------------------------- the file


def _with_head(state: str, content: bytes) -> bytes:
    body = _key(state) + content
    return _HEAD % crc32(body) + body


def _content(whole: bytes, state: str) -> bytes:
    """What follows the head and the state. Raises Unusable for damage, and for another state."""
    if not whole.startswith(_HEAD % crc32(memoryview(whole)[_HEAD_SIZE:])):
        raise Unusable("damaged")
    key = _key(state)
    if not whole.startswith(key, _HEAD_SIZE):
        raise Unusable("of another boot, kernel, set of events or tpkit")
    return whole[_HEAD_SIZE + len(key) :]


def _key(state: str) -> bytes:
    return state.encode("utf-8", "surrogateescape") + b"\n\n"


# --------------------------------------------------------------------------- formats as plain data


class _Table(dict[T, int]):
    """Values and their places, each value once."""

    def __missing__(self, value: T) -> int:
        self[value] = len(self)
        return len(self) - 1


def _tables(events: Sequence[EventFormat]) -> dict[str, Any]:
    """What ``_Formats`` reads: each type, field, list of fields and print fmt once; values that refer by place.

    Columns, not rows: they are checked, and put together again, a column at a time.
    """
    lists: _Table[tuple[Field, ...]] = _Table()
    fields: _Table[Field] = _Table()
    types: _Table[CType] = _Table()
    texts: _Table[str] = _Table()
    rows = [(str(e.id), e.number, lists[e.common_fields], lists[e.fields], texts[e.print_fmt]) for e in events]
    return {
        "events": _columns(rows, 5),
        "lists": [[fields[field] for field in each] for each in lists],
        "fields": _columns([_field_row(field, types) for field in fields], 8),
        "types": [_type_row(ctype) for ctype in types],
        "texts": list(texts),
    }


def _columns(rows: Sequence[Row], count: int) -> list[list[Any]]:
    return [[row[number] for row in rows] for number in range(count)]


def _field_row(field: Field, types: _Table[CType]) -> Row:
    numbers = [types[field.type], field.offset, field.size]
    return [field.name, *numbers, field.signed, field.common, field.overlaps, field.duplicate]


def _type_row(ctype: CType) -> Row:
    dimensions = [[dimension.text, dimension.value] for dimension in ctype.dimensions]
    named = [ctype.qualifiers, ctype.attributes, dimensions, ctype.location.value, ctype.function]
    return [ctype.text, ctype.base, ctype.pointers, *named]


def _encoded(events: Sequence[EventFormat]) -> bytes:
    """The formats as JSON. Raises Unusable unless they can be read back as they are: runs must not differ."""
    content = json.dumps(_tables(events), separators=(",", ":")).encode()
    try:
        formats = _Formats(json.loads(content))
        same = all(formats.event(event.id) == event for event in events)
    except ValueError:  # more than a format may have
        same = False
    if not same or len(content) > MAX_BYTES // 2:  # the other half is the state's
        raise Unusable("these formats can't be stored")
    return content


class _Formats:
    """The same, read back. Raises ValueError, TypeError or LookupError for what no format file can say."""

    def __init__(self, tables: Any) -> None:
        types = [_type(row) for row in tables["types"]]
        fields = _fields(tables["fields"], types)
        lists = [tuple(_picked(fields, places)) for places in tables["lists"]]
        texts = _checked(tables["texts"], str)
        names, numbers, common, own, print_fmts = tables["events"]
        _numbers([number for number in numbers if number is not None], MAX_NUMBER)
        if max(map(len, texts), default=0) > MAX_FILE:
            raise ValueError(texts)
        rows = zip(numbers, _picked(lists, common), _picked(lists, own), _picked(texts, print_fmts), strict=True)
        self._events = dict(zip(names, rows, strict=True))

    def event(self, event: TracepointId) -> EventFormat:
        return EventFormat(event, *self._events[str(event)])

    def all(self) -> list[EventFormat]:
        return [EventFormat(TracepointId.parse(name), *row) for name, row in self._events.items()]


def _fields(columns: Sequence[Any], types: Sequence[CType]) -> list[Field]:
    names, ctypes, offsets, sizes, signed, *marks = columns
    if not all(map(_is_word, names)) or max(map(len, names), default=0) > MAX_NAME:
        raise ValueError(names)
    rows = zip(
        names,
        _picked(types, ctypes),
        _numbers(offsets, MAX_OFFSET),
        _numbers(sizes, MAX_OFFSET),
        _checked(signed, bool, type(None)),
        *(_checked(column, bool) for column in marks),
        strict=True,
    )
    return [Field(*row) for row in rows]


_TYPE_ROW = [str, str, int, list, list, list, str, bool]
_TYPEOF = ("typeof", "__typeof")
_IN_PLACE = ("struct ", "union ", "enum ")


def _type(row: Row) -> CType:
    """A type whose parts are parts of its text."""
    text, base, pointers, qualifiers, attributes, dimensions, location, function = row
    if [type(each) for each in row] != _TYPE_ROW or len(text) > MAX_LINE or not (text.isascii() and text.isprintable()):
        raise ValueError(row)
    words = [*qualifiers, *(base.split() if not _is_compound(base) else ())]
    parts = [base.split(), qualifiers, attributes, [each for each, _ in dimensions], ["["] if dimensions else []]
    if not all(map(_is_word, words)) or not all(part in text for several in parts for part in several):
        raise ValueError(row)
    _numbers([pointers], text.count("*"))
    _numbers([value for _, value in dimensions if value is not None], MAX_DIMENSION)
    return CType(
        text,
        base,
        pointers,
        qualifiers=tuple(qualifiers),
        attributes=tuple(attributes),
        dimensions=tuple(Dimension(each, value) for each, value in dimensions),
        location=Location(location),
        function=function,
    )


def _is_compound(base: str) -> bool:
    """Whether a base type is more than words: ``typeof (x)``, ``struct { int a; }``."""
    return base.startswith(_TYPEOF) or (base.startswith(_IN_PLACE) and "{" in base)


def _is_word(value: Any) -> bool:
    """An identifier of C: Python's are the same, among ASCII."""
    return type(value) is str and value.isascii() and value.isidentifier()


def _checked(column: Any, *kinds: type) -> Any:
    """A list of values of these very types, and of no derived one: True would pass for a number."""
    if type(column) is not list or not set(map(type, column)).issubset(kinds):
        raise ValueError(column)
    return column


def _numbers(column: Any, limit: int) -> Any:
    if _checked(column, int) and not 0 <= min(column) <= max(column) <= limit:
        raise ValueError(column)
    return column


def _picked(table: Sequence[T], places: Any) -> list[T]:
    """The values at these places. A negative one would count from the end of the table."""
    return [table[place] for place in _numbers(places, len(table) - 1)]
