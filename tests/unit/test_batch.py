"""The ring buffer's bytes: every whole record is found, whatever the lengths, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records import batch, fixture_layout, record, ring, unlinkat
from tpkit.batch import Batch, walk
from tpkit.record import RecordLayout

BUSY, DISCARD = 0x8000_0000, 0x4000_0000


@pytest.fixture
def layouts() -> tuple[RecordLayout, ...]:
    return tuple(fixture_layout(f"syscalls:sys_{side}_unlinkat") for side in ("enter", "exit"))


def as_array(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(data, dtype=np.uint8)


lengths = st.lists(st.one_of(st.just(40), st.integers(0, 200)), max_size=60)


@given(lengths, st.integers(0, 500))
def test_whole_records_are_found(sizes: list[int], cut: int) -> None:
    ends = np.cumsum([8 + (size + 7) // 8 * 8 for size in sizes]).tolist()
    whole = ring(*(bytes(size) for size in sizes))
    data = whole[: max(0, len(whole) - cut)]
    expected = [number for number, end in enumerate(ends) if end <= len(data)]
    starts, found, end = walk(as_array(data))
    assert found.tolist() == [sizes[number] for number in expected]
    assert starts.tolist() == [ends[number] - (sizes[number] + 7) // 8 * 8 for number in expected]
    assert end == (ends[expected[-1]] if expected else 0)


@pytest.mark.parametrize("before", [0, 1, 15, 16, 17, 5000])
@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("flag", [BUSY, DISCARD, BUSY | DISCARD])
def test_an_unfinished_record_ends_it(before: int, odd: int, flag: int) -> None:
    sizes = [48 + 8 * odd * (number % 3) for number in range(before)]
    good = ring(*(bytes(size) for size in sizes))
    bad = (48 | flag).to_bytes(4, "little") + bytes(4) + bytes(48)
    starts, found, end = walk(as_array(good + bad + ring(bytes(48))))
    assert found.tolist() == sizes
    assert len(starts) == before
    assert end == len(good)


def test_long_and_mixed_runs_are_walked_to_the_end() -> None:
    sizes = [64] * 1000 + [64, 72] * 20_000 + [80] * 1000 + [8]
    starts, found, end = walk(as_array(ring(*(bytes(size) for size in sizes))))
    assert found.tolist() == sizes
    assert len(starts) == len(sizes)
    assert end == sum(sizes) + 8 * len(sizes)


def test_columns_of_a_batch(layouts: tuple[RecordLayout, ...]) -> None:
    records = [
        unlinkat(layouts, b"x", {"time": 3, "pid": 1, "tid": 2}),
        record(layouts, 1, {"time": 1, "pid": 3, "tid": 4}, ret=-2),
        unlinkat(layouts, b"a longer path", {"time": 2, "pid": 5, "tid": 6}),
    ]
    whole = batch(layouts, *records)
    assert len(whole) == 3
    assert whole.times().tolist() == [3, 1, 2]
    assert whole.pids().tolist() == [1, 3, 5]
    assert whole.tids().tolist() == [2, 4, 6]
    assert whole.count_by_probe() == [2, 1]
    assert whole.ends().tolist() == [3, 1, 2]
    assert whole[np.argsort(whole.ends())].times().tolist() == [1, 2, 3]
    assert Batch.joined([whole, whole[1:]]).times().tolist() == [3, 1, 2, 1, 2]


def test_fixed_parts_are_the_same_however_the_records_lie(layouts: tuple[RecordLayout, ...]) -> None:
    even = batch(layouts, *(unlinkat(layouts, b"same", flag=number) for number in range(50)))
    uneven = batch(layouts, *(unlinkat(layouts, b"x" * number, flag=number) for number in range(50)))
    for each in (even, uneven, even[::-1], even[:1], even[::7]):
        flags = each.fixed(0, each.starts)["flag"].tolist()
        assert flags == [each.fixed(0, each.starts[at : at + 1])["flag"][0] for at in range(len(each))]
    assert even[::-1].fixed(0, even.starts[::-1])["flag"].tolist() == list(range(49, -1, -1))
