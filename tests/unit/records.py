"""Records for tests without a kernel: bytes as a probe would have written them, and as the ring buffer holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tpkit import Tracefs, parse_event
from tpkit.batch import Batch
from tpkit.codegen.columns import plan_columns
from tpkit.model import CType, EventFormat, Field, TracepointId
from tpkit.program import Program
from tpkit.record import Capture, Column, Display, Member, RecordLayout, Scalar

Layouts = Sequence[RecordLayout]
Payloads = Mapping[str, bytes | None]

FAULT = -14  # EFAULT, as the kernel's helpers say that they couldn't read

_RESULT = Column(
    field=Field("ret", CType("long", "long"), 16, 8, signed=True),
    label="ret",
    capture=Capture.VALUE,
    value=Member("ret", Scalar.S64),
    display=Display.ERROR,
)


def layout_of(event: EventFormat, string_size: int = 64) -> RecordLayout:
    """An event's layout as trace has it."""
    columns = (source.column for source in plan_columns(event, string_size))
    return RecordLayout.fitting(event.id, columns, packed=True)


def fixture_layout(name: str, string_size: int = 64, kernel: str = "6.18") -> RecordLayout:
    """The layout of a captured kernel's event."""
    event = TracepointId.parse(name)
    tree = Tracefs.captured_tree(Path(__file__).parents[1] / f"fixtures/{kernel}-x86_64")
    return layout_of(parse_event(tree.format_text(event), event), string_size)


def call_layout_of(event: EventFormat, string_size: int = 64, *, result: Column | None = _RESULT) -> RecordLayout:
    """The layout of a whole call; event: its entry."""
    columns = (source.column for source in plan_columns(event, string_size))
    name = TracepointId("syscalls", event.id.syscall or "")
    return RecordLayout.fitting(name, columns, packed=True, result=result, duration=Member("took", Scalar.U64))


def record(
    source: Program | Layouts,
    probe: int = 0,
    header: Mapping[str, Any] | None = None,
    payloads: Payloads | None = None,
    **members: Any,
) -> bytes:
    """One record.

    ``members`` by their name in the C struct, ``header`` by theirs in its header, ``payloads`` by their column's
    label: strings without the zero at their end, None for what couldn't be read.
    """
    layout = (source.layouts if isinstance(source, Program) else source)[probe]
    row = np.zeros(1, dtype=layout.dtype())
    values = {"time": 1_000_000_000, "pid": 42, "tid": 43, "probe": probe, "comm": b"rm", **(header or {})}
    tail = b""
    for column in layout.payloads:
        if payloads is not None and column.label in payloads:
            size, kept = as_read(column, payloads[column.label])
            members = {**_payload_members(layout, column, size, kept), **members}
            tail += kept + b"\0" * (-len(kept) % 8) if layout.packed else b""
    for name, value in {**{f"header.{key}": value for key, value in values.items()}, **members}.items():
        if isinstance(value, bytes):
            row[name][0, : len(value)] = np.frombuffer(value, dtype=np.uint8)
        else:
            row[name] = value
    return row.tobytes() + tail


def _payload_members(layout: RecordLayout, column: Column, size: int, kept: bytes) -> dict[str, Any]:
    assert column.size is not None
    assert column.text is not None
    members: dict[str, Any] = {column.size.name: size}
    return members if layout.packed else {**members, column.text.name: kept}


def as_read(column: Column, data: bytes | None) -> tuple[int, bytes]:
    """The size that a helper reports, and the bytes that it leaves."""
    if data is None:
        return FAULT, b""
    if column.capture in (Capture.USER_STRING, Capture.KERNEL_STRING):
        kept = data[: column.room - 1] + b"\0"
        return len(kept), kept
    whole = data + b"\0" if column.field.type.is_text else data
    return len(whole), whole[: column.room]


def unlinkat(
    source: Program | Layouts, path: bytes | None, header: Mapping[str, Any] | None = None, **members: Any
) -> bytes:
    """A record of unlinkat, its first layout; path None: a fault."""
    values: dict[str, Any] = {"dfd": -100, "pathname": 0x7FFE0000, "flag": 0, **members}
    return record(source, 0, header, {"pathname": path}, **values)


def ring(*records: bytes) -> bytes:
    """As the ring buffer holds them."""
    return b"".join(len(each).to_bytes(4, "little") + bytes(4) + each + b"\xaa" * (-len(each) % 8) for each in records)


def batch(layouts: Layouts, *records: bytes) -> Batch:
    """A batch of these records."""
    return Batch.of_bytes(tuple(layouts), np.frombuffer(ring(*records), dtype=np.uint8))
