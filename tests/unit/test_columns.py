"""Records to columns: payloads of varying length, faults, cuts, and records that aren't what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ReadFixture
from tests.unit.records import batch, call_layout_of, fixture_layout, record, ring, unlinkat
from tpkit.batch import Batch
from tpkit.decode.columns import Rows, Task, decodable, rows_by_event, task_of
from tpkit.model import TracepointId
from tpkit.record import RecordLayout

SIZE = 16
UNLINKAT = "syscalls:sys_enter_unlinkat"
LAYOUT = fixture_layout(UNLINKAT, SIZE)
NAMES = (UNLINKAT, "syscalls:sys_exit_unlinkat", "cgroup:cgroup_mkdir", "sched:sched_switch")


@pytest.fixture
def layouts() -> tuple[RecordLayout, ...]:
    return tuple(fixture_layout(name, SIZE) for name in NAMES)


def only(each: Batch) -> Rows:
    (rows,) = rows_by_event(each)
    return rows


@pytest.mark.parametrize(
    ("path", "kept", "cut"),
    [
        (b"", b"", False),
        (b"/tmp/x", b"/tmp/x", False),
        (b"x" * SIZE, b"x" * SIZE, False),
        (b"x" * (SIZE + 1), b"x" * SIZE, True),
        (b"x" * 500, b"x" * SIZE, True),
        (None, None, False),
    ],
)
def test_a_string(layouts: tuple[RecordLayout, ...], path: bytes | None, kept: bytes | None, cut: bool) -> None:
    rows = only(batch(layouts, unlinkat(layouts, path), unlinkat(layouts, b"behind")))
    values = rows.values[1]
    assert values.data == [kept, b"behind"]
    assert values.cuts() == [0] * cut
    assert values.faults() == [0] * (path is None)


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40).map(lambda each: each.replace(b"\0", b"0"))), min_size=1))
def test_strings_of_all_lengths(paths: list[bytes | None]) -> None:
    rows = only(batch((LAYOUT,), *(unlinkat((LAYOUT,), path) for path in paths)))
    assert rows.values[1].data == [None if path is None else path[:SIZE] for path in paths]


def test_several_payloads_lie_behind_each_other() -> None:
    shape = fixture_layout("sched:sched_process_fork", SIZE, "7.2")
    first, second = shape.payloads
    pairs = [(b"a", b"bb" * 9), (b"c" * 30, b""), (b"", b"d")]
    records = [record((shape,), 0, {}, {first.label: a, second.label: b}) for a, b in pairs]
    found = {values.column.label: values for values in only(batch((shape,), *records)).values}
    assert found[first.label].data == [a[:SIZE] for a, _ in pairs]
    assert found[second.label].data == [b[:SIZE] for _, b in pairs]
    assert found[first.label].cuts() == [1]
    assert found[second.label].cuts() == [0]


def test_rows_of_each_event_with_their_positions(layouts: tuple[RecordLayout, ...]) -> None:
    mixed = batch(
        layouts,
        unlinkat(layouts, b"a"),
        record(layouts, 1, ret=7),
        unlinkat(layouts, b"b"),
        record(layouts, 3, prev_comm=b"swapper", prev_pid=3),
    )
    found = {rows.probe: rows for rows in rows_by_event(mixed)}
    assert {probe: rows.positions.tolist() for probe, rows in found.items()} == {0: [0, 2], 1: [1], 3: [3]}
    assert found[0].values[1].data == [b"a", b"b"]
    assert found[3].values[0].data == [b"swapper"]
    assert list(rows_by_event(mixed[:0])) == []


def test_whole_calls(read_fixture: ReadFixture) -> None:
    shape = call_layout_of(read_fixture(UNLINKAT), SIZE)
    rows = only(batch((shape,), record((shape,), 0, {}, {"pathname": b"x"}, ret=-2, took=12_345)))
    assert rows.layout.event == TracepointId("syscalls", "unlinkat")
    assert rows.result is not None
    assert rows.result.numbers is not None
    assert rows.result.numbers.tolist() == [-2]
    assert rows.durations is not None
    assert rows.durations.tolist() == [12_345]


@pytest.mark.parametrize("comm", [b"", b"rm", b"x" * 15, b"\xff\x1b", b"a b"])
def test_tasks(layouts: tuple[RecordLayout, ...], comm: bytes) -> None:
    rows = only(batch(layouts, unlinkat(layouts, b"x", {"pid": 1 << 20, "tid": 0, "comm": comm})))
    assert [task_of(each) for each in rows.tasks.tolist()] == [Task(1 << 20, 0, comm)]


# -------------------------------------------------------------------------------- not to be decoded


def test_good_records_can_be_decoded(layouts: tuple[RecordLayout, ...]) -> None:
    assert decodable(batch(layouts, unlinkat(layouts, b"x"), unlinkat(layouts, None), record(layouts, 1))).all()


def test_damaged_records_are_found(layouts: tuple[RecordLayout, ...]) -> None:
    good = unlinkat(layouts, b"/tmp/x")
    bad = [
        b"",
        good[:39],
        good[:40],
        good[:-8],  # the path isn't there
        unlinkat(layouts, b"", pathname_size=1000),
        record(layouts, 1, {"probe": 4}),
        record(layouts, 1, {"probe": 0xFFFF_FFFF}),
    ]
    data = np.frombuffer(ring(good, *bad, good), dtype=np.uint8)
    assert decodable(Batch.of_bytes(layouts, data)).tolist() == [True, *[False] * len(bad), True]


@given(st.binary(max_size=800))
def test_any_bytes_are_either_refused_or_decoded(data: bytes) -> None:
    records = [data[at : at + 72] for at in range(0, len(data), 72)]
    whole = batch((LAYOUT,), *records)
    for rows in rows_by_event(whole[decodable(whole)]):
        assert len(rows.values) == 3
