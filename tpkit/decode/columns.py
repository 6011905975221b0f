"""Records and their layout → columns of values: one list for each field, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpkit.record import COMM, PID, TID, TIME, Batch, Capture, Column, RecordLayout


@dataclass(frozen=True, slots=True)
class Values:
    """One field's values in a batch.

    numbers: of integers and pointers, empty for fields copied as bytes; data: the strings or bytes,
    None where they couldn't be read, empty for plain numbers; truncated: which of them were cut.
    """

    column: Column
    numbers: list[int]
    data: list[bytes | None]
    truncated: list[bool]


@dataclass(frozen=True, slots=True)
class Rows:
    """All of a batch's records of one event.

    positions: which records of the batch they are; times in ns since boot; comms without their padding.
    """

    layout: RecordLayout
    positions: NDArray[np.intp]
    times: list[int]
    pids: list[int]
    tids: list[int]
    comms: list[bytes]
    values: tuple[Values, ...]


def rows_by_event(batch: Batch) -> Iterator[Rows]:
    """The batch's records, event by event."""
    probes = batch.probes()
    for number, layout in enumerate(batch.layouts):
        positions = np.flatnonzero(probes == number)
        if positions.size:
            yield _rows(layout, positions, batch.data[positions])


def _rows(layout: RecordLayout, positions: NDArray[np.intp], data: NDArray[np.uint8]) -> Rows:
    records = np.ascontiguousarray(data).view(layout.dtype())[:, 0]
    return Rows(
        layout=layout,
        positions=positions,
        times=records[f"header.{TIME.name}"].tolist(),
        pids=records[f"header.{PID.name}"].tolist(),
        tids=records[f"header.{TID.name}"].tolist(),
        comms=[_until_zero(comm) for comm in _byte_rows(records[f"header.{COMM.name}"])],
        values=tuple(_values(column, records) for column in layout.columns),
    )


def _values(column: Column, records: NDArray[np.void]) -> Values:
    if column.capture is Capture.BYTES:
        rows = _byte_rows(records[column.value.name])
        data: list[bytes | None] = [_until_zero(r) for r in rows] if column.field.type.is_text else list(rows)
        cut = column.value.size < column.field.size
        return Values(column, [], data, [cut] * len(rows))
    numbers = records[column.value.name].tolist()
    if column.size is None or column.text is None:
        return Values(column, numbers, [], [])
    sizes = records[column.size.name].tolist()
    rows = _byte_rows(records[column.text.name])
    is_string = column.field.type.is_text or not column.field.type.is_dynamic
    return Values(column, numbers, *_texts(rows, sizes, column.text.size - 2, is_string))


def _texts(rows: list[bytes], sizes: list[int], kept: int, is_string: bool) -> tuple[list[bytes | None], list[bool]]:
    """What a helper brought: of a string its size counts the final zero, a negative one is an error."""
    end = 1 if is_string else 0
    data: list[bytes | None] = [
        None if size < 0 else row[: min(max(size - end, 0), kept)] for row, size in zip(rows, sizes, strict=True)
    ]
    return data, [size - end > kept for size in sizes]


def _byte_rows(array: NDArray[np.uint8]) -> list[bytes]:
    width = array.shape[1]
    flat = np.ascontiguousarray(array).tobytes()
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def _until_zero(data: bytes) -> bytes:
    return data.split(b"\0", 1)[0]
