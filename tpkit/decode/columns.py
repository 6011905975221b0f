"""Records and their layout → columns of values: one array or list for each field, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import Batch, Offsets
from tpkit.payload import PayloadKind
from tpkit.record import COMM, CUT, HEADER_SIZE, PID, TID, TIME, Capture, Column, RecordLayout


@dataclass(frozen=True, slots=True)
class Values:
    """One field's values in a batch.

    numbers: of integers and pointers, None for fields copied as bytes; data: the strings or bytes, None for a
    value that couldn't be read, None altogether for plain numbers; sizes: how many bytes there were, those that
    weren't kept included, negative after a fault; truncated: which of them were cut.
    """

    column: Column
    numbers: NDArray[np.generic] | None
    data: list[bytes | None] | None = None
    sizes: NDArray[np.int64] | None = None
    truncated: NDArray[np.bool_] | None = None

    def faults(self) -> list[int]:
        """Which of the data couldn't be read."""
        return [] if self.sizes is None else np.flatnonzero(self.sizes < 0).tolist()

    def cuts(self) -> list[int]:
        """Which of the data were cut."""
        return [] if self.truncated is None else np.flatnonzero(self.truncated).tolist()


@dataclass(frozen=True, slots=True)
class Rows:
    """All of a batch's records of one event.

    probe: its number; positions: which records of the batch they are; times in ns since boot; comms: (n, 16)
    bytes, zeros behind the name; tasks: pid, tid and comm as they lie in the record, for look-ups: see
    ``task_of``; values: a column each; result: of calls that return; durations: of calls, in ns.
    """

    layout: RecordLayout
    probe: int
    positions: NDArray[np.intp]
    times: NDArray[np.uint64]
    pids: NDArray[np.uint32]
    tids: NDArray[np.uint32]
    comms: NDArray[np.uint8]
    tasks: NDArray[np.bytes_]
    values: tuple[Values, ...]
    result: Values | None = None
    durations: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class Task:
    """Whose event it is: process, thread, and the thread's name."""

    pid: int
    tid: int
    comm: bytes


_TASK_SIZE = HEADER_SIZE - TIME.size


def task_of(packed: bytes) -> Task:
    """One of ``Rows.tasks``, unpacked."""
    whole = packed.ljust(_TASK_SIZE, b"\0")  # numpy's strings lose zeros at their end
    pid, tid = np.frombuffer(whole[: PID.size + TID.size], dtype=np.uint32).tolist()
    return Task(pid, tid, whole[-COMM.size :].split(b"\0", 1)[0])


@lru_cache(maxsize=256)
def _task_type(stride: int) -> np.dtype[np.void]:
    """A record of this size that has but one member."""
    return np.dtype({"names": ["task"], "formats": [f"S{_TASK_SIZE}"], "offsets": [TIME.size], "itemsize": stride})


def rows_by_event(batch: Batch) -> Iterator[Rows]:
    """The batch's records, event by event."""
    if not len(batch):
        return
    probes = batch.probes()
    if (probes == probes[0]).all():
        yield _rows(batch, int(probes[0]), np.arange(len(batch)), batch.data.tobytes())
        return
    data = batch.data.tobytes()
    order = np.argsort(probes, kind="stable")
    ends = np.flatnonzero(np.diff(probes[order])) + 1
    for positions in np.split(order, ends):
        yield _rows(batch, int(probes[positions[0]]), positions, data)


def decodable(batch: Batch) -> NDArray[np.bool_]:
    """Which records are what their layouts say: of a known probe, and long enough for all that they claim to hold.

    Records of our own programs always are; those from a file may be anything.
    """
    good = batch.lengths >= HEADER_SIZE
    whole = np.flatnonzero(good)
    probes = batch[whole].probes()
    good[whole] = probes < len(batch.layouts)
    for number in np.unique(probes).tolist():
        if number < len(batch.layouts):
            positions = whole[probes == number]
            good[positions] = _fit(batch[positions], number)
    return good


def _fit(batch: Batch, number: int) -> NDArray[np.bool_]:
    """Which records of one probe are long enough."""
    layout = batch.layouts[number]
    good = batch.lengths >= layout.stride
    whole = np.flatnonzero(good)
    records = batch.fixed(number, batch.starts[whole])
    needed = np.full(len(whole), layout.stride, dtype=np.int64)
    for column in layout.payloads:
        needed += _in_steps(_kept(column, _sizes(column, records)))
    good[whole] = batch.lengths[whole] >= needed
    return good


def _rows(batch: Batch, number: int, positions: NDArray[np.intp], data: bytes) -> Rows:
    layout = batch.layouts[number]
    starts = batch.starts[positions]
    records = batch.fixed(number, starts)
    tails = _Tails(data, starts + layout.stride)
    return Rows(
        layout=layout,
        probe=number,
        positions=positions,
        times=records[f"header.{TIME.name}"],
        pids=records[f"header.{PID.name}"],
        tids=records[f"header.{TID.name}"],
        comms=records[f"header.{COMM.name}"],
        tasks=records.view(_task_type(layout.stride))["task"],
        values=tuple(_values(column, records, tails) for column in layout.columns),
        result=None if layout.result is None else _values(layout.result, records, tails),
        durations=None if layout.duration is None else records[layout.duration.name],
    )


class _Tails:
    """The records' tails: asked for the payloads one after the other, as they lie there."""

    def __init__(self, data: bytes, places: Offsets) -> None:
        self._data = data
        self._places = places

    def next(self, kept: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[bytes | None]:
        """Of each record's next payload, of ``kept`` bytes, the first ``wanted``."""
        data = self._data
        starts, ends = self._places.tolist(), (self._places + wanted).tolist()
        self._places = self._places + _in_steps(kept)
        return [data[start:end] for start, end in zip(starts, ends, strict=True)]


def _in_steps(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """As much room as payloads take: multiples of 8 bytes."""
    return (sizes + 7) & -8


def _sizes(column: Column, records: NDArray[np.void]) -> NDArray[np.int64]:
    """How many bytes of a payload are there, marked with CUT where that isn't all."""
    assert column.size is not None  # payloads have one
    return records[column.size.name].astype(np.int64)


def _kept(column: Column, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of a payload's bytes are in the record."""
    return np.minimum(np.maximum(_uncut(sizes), 0), column.room)


def _uncut(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sizes without their marks."""
    return np.where(sizes >= CUT, sizes - CUT, sizes)


def _values(column: Column, records: NDArray[np.void], tails: _Tails) -> Values:
    if column.capture is Capture.BYTES:
        return _copied(column, records[column.value.name])
    numbers = records[column.value.name]
    if column.size is None:
        return Values(column, numbers)
    sizes = _sizes(column, records)
    kept = _kept(column, sizes)
    zero = 1 if _is_string(column) else 0  # at its end; of a cut one, the byte that told so
    most = column.room - 2
    data = tails.next(kept, np.minimum(np.maximum(kept - zero, 0), most))
    for fault in np.flatnonzero(sizes < 0).tolist():
        data[fault] = None
    if column.payload is not None:
        data = _closed(column.payload.kind, data, most)
    # Of a cut one it isn't known how long it was: longer than what is there.
    whole = np.where(sizes >= CUT, sizes - CUT + 1, sizes)
    return Values(column, numbers, data, whole, (sizes - zero > most) | (sizes >= CUT))


def _closed(kind: PayloadKind, data: list[bytes | None], most: int) -> list[bytes | None]:
    """Strings without the zeros that don't belong to them."""
    if kind is PayloadKind.STRING:
        return [each and each.split(b"\0", 1)[0] for each in data]
    if kind is PayloadKind.STRINGS:
        # The kernel closes with a zero what it cuts because there is no more room.
        return [each and (each[:-1] if len(each) == most else each) for each in data]
    return data


def _is_string(column: Column) -> bool:
    """Whether the payload ends in a zero, which its size counts."""
    if column.capture is Capture.USER_MEMORY:
        return False
    return column.field.type.is_text or not column.field.type.is_dynamic


def _copied(column: Column, rows: NDArray[np.uint8]) -> Values:
    """A field that is in the record as it is."""
    width = rows.shape[1]
    flat = np.ascontiguousarray(rows).tobytes()
    data: list[bytes | None] = [flat[start : start + width] for start in range(0, len(flat), width)]
    if column.field.type.is_text:
        data = [each and each.split(b"\0", 1)[0] for each in data]
    cut = column.value.size < column.field.size
    return Values(column, None, data, np.full(len(rows), column.field.size), np.full(len(rows), cut))
