"""The first line of a file of records: what is in them, for us and for readers that know nothing of tpkit.

One JSON object, spaces behind it up to a multiple of 8 bytes, a newline. ``tpkit``: ``"records"``; ``version``;
``byte_order``; ``clock_offset_ns``: what to add to a record's time to get nanoseconds since 1970; ``records``: for
each probe ``event``, ``fixed`` (a numpy dtype: ``names``, ``formats``, ``offsets``, ``itemsize``) and ``payloads``,
in the order in which they lie behind the fixed part, each padded to a multiple of 8 bytes: ``name``, ``size`` (the
member that says how many bytes there were, negative if they couldn't be read) and ``most`` (how many are kept);
``layouts``: the same as tpkit's own values, with all that is needed to show them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpkit.described import described, restored
from tpkit.errors import RecordingError, TpkitError
from tpkit.payload import TEXTS
from tpkit.record import HEADER_SIZE, Capture, Column, Display, Member, RecordLayout, Scalar

VERSION = 1
MAX_HEAD = 1 << 26  # bytes; all 800 events of system calls take 2 MiB
MAX_RECORD = 1 << 20  # bytes; far above codegen's limit
MAX_LAYOUTS = 1 << 14

_OF_DATA = frozenset({Display.NUMBERS, Display.TEXT, Display.BYTES, Display.IPV4, Display.IPV6, Display.SOCKET_ADDRESS})


@dataclass(frozen=True, slots=True)
class Head:
    """layouts: by the probe's number; clock_offset: in ns."""

    layouts: tuple[RecordLayout, ...]
    clock_offset: int

    def line(self) -> bytes:
        """The file's first bytes, a multiple of 8."""
        text = json.dumps(
            {
                "tpkit": "records",
                "version": VERSION,
                "byte_order": sys.byteorder,
                "clock_offset_ns": self.clock_offset,
                "records": [_shape(layout) for layout in self.layouts],
                "layouts": [described(layout) for layout in self.layouts],
            }
        )
        return text.encode("ascii") + b" " * (-(len(text) + 1) % 8) + b"\n"

    @classmethod
    def of_line(cls, line: bytes, where: str) -> Head:
        """What a file begins with. Raises RecordingError for anything that isn't a head, or has strange values."""
        try:
            data = json.loads(line)
            _check(isinstance(data, dict) and data.get("tpkit") == "records", "isn't a file of tpkit's records")
            _check(data.get("version") == VERSION, f"has version {data.get('version')!r} of the format, not {VERSION}")
            _check(data.get("byte_order") == sys.byteorder, "was written on a machine with another byte order")
            offset = restored(int, data.get("clock_offset_ns"))
            _check(abs(offset) < 1 << 62, "has a strange clock")
            return cls(tuple(_layout(each) for each in _layouts(data)), offset)
        except (ValueError, TypeError, RecursionError, OverflowError, TpkitError) as error:
            what = error.what if isinstance(error, TpkitError) else "has a damaged head"
            raise RecordingError(what, where=where) from None


def _shape(layout: RecordLayout) -> dict[str, Any]:
    """A layout for those who have but numpy."""
    dtype = layout.dtype()
    members: Mapping[str, Any] = dtype.fields or {}
    return {
        "event": str(layout.event),
        "fixed": {
            "names": list(dtype.names or ()),
            "formats": [_format(members[name][0]) for name in dtype.names or ()],
            "offsets": [members[name][1] for name in dtype.names or ()],
            "itemsize": dtype.itemsize,
        },
        "payloads": [
            {"name": column.text.name, "size": column.size.name, "most": column.room}
            for column in layout.payloads
            if column.text is not None and column.size is not None
        ],
    }


def _format(dtype: Any) -> Any:
    base, shape = dtype.subdtype or (dtype, ())
    return [base.str, list(shape)] if shape else base.str


# -------------------------------------------------------------------------------- hostile heads


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise RecordingError(what)


def _layouts(data: dict[str, Any]) -> list[Any]:
    layouts = data.get("layouts")
    if not isinstance(layouts, list) or not 0 < len(layouts) <= MAX_LAYOUTS:
        raise RecordingError("has no layouts, or too many")
    return layouts


def _layout(data: Any) -> RecordLayout:
    layout = restored(RecordLayout, data)
    for column in layout.shown:
        _check_column(column)
    members = [layout.duration] if layout.duration is not None else []
    _check(all(each.scalar is Scalar.U64 and each.length is None for each in members), "has strange durations")
    result = layout.result
    _check(result is None or (result.capture is Capture.VALUE and layout.is_call), "has strange results")
    _check(layout.packed and layout.stride % 8 == 0 and HEADER_SIZE <= layout.stride <= MAX_RECORD, "has strange sizes")
    fitting = RecordLayout.fitting(
        layout.event, layout.columns, packed=True, result=layout.result, duration=layout.duration
    )
    _check(fitting.stride <= layout.stride, "has records too short for their members")
    labels = [column.label for column in layout.columns]
    _check(len(set(labels)) == len(labels), "has columns of the same name")
    layout.dtype()  # raises ValueError for two members of one name
    return layout


def _check_column(column: Column) -> None:
    """What decoding relies on."""
    value, size, text = column.value, column.size, column.text
    _check(column.label.isascii() and column.label.isidentifier(), "has strange names")
    _check(0 <= column.field.size <= MAX_RECORD, "has strange fields")
    _check(all(_is_sound(member) for member in column.members), "has strange members")
    is_copied = column.capture is Capture.BYTES
    _check((value.length is not None) == is_copied, "has arrays for numbers")
    _check(not is_copied or value.scalar.size == 1, "has strange bytes")
    payload = column.payload
    _check((column.capture is Capture.USER_MEMORY) == (payload is not None), "has strange memory")
    _check(payload is None or (column.display is Display.TEXT) == (payload.kind in TEXTS), "has strange memory")
    is_data = is_copied or column.capture.has_text if payload is None else payload.kind in TEXTS
    _check((column.display in _OF_DATA) == is_data, "shows numbers as bytes")
    _check((column.element is not None) == (column.display is Display.NUMBERS), "has strange arrays")
    _check({size is not None, text is not None} == {column.capture.has_text}, "has payloads without sizes")
    if size is not None and text is not None:
        _check(size.scalar is Scalar.S32 and size.length is None, "has strange sizes of payloads")
        _check(text.scalar is Scalar.CHAR and text.length is not None and text.length >= 2, "has strange payloads")
    table = column.table
    while table is not None:
        _check(0 <= table.shift < 64 and (table.mask is None or table.mask >= 0), "has strange tables")
        table = table.base


def _is_sound(member: Member) -> bool:
    return bool(member.name) and (member.length is None or 0 < member.length <= MAX_RECORD)
