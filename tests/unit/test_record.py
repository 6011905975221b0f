"""The record's layout: what C writes is what numpy reads."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.conftest import ReadFixture
from tpkit import (
    EventFormat,
    GenerateError,
    ProbeSpec,
    RecordLayout,
    Tracefs,
    UsageError,
    generate_bcc,
    parse_event,
    parse_format,
)
from tpkit.codegen.packed import MAX_RECORD, SPARE
from tpkit.codegen.probes import plan_probes
from tpkit.record import HEADER_SIZE, Member, Scalar


def layout_of(event: EventFormat, string_size: int = 64) -> RecordLayout:
    return generate_bcc(ProbeSpec((event,), string_size=string_size)).layouts[0]


def test_every_fixture_has_a_layout_without_gaps(tree: Tracefs) -> None:
    for name in tree.event_ids():
        if name.category == "ftrace":
            continue  # no BPF program can be attached to those
        layout = layout_of(parse_event(tree.format_text(name), name))
        assert layout.stride % 8 == 0
        assert HEADER_SIZE + sum(member.size for member in layout.members()) == layout.stride
        assert layout.dtype().itemsize == layout.stride


def test_offsets_agree_with_the_members(read_fixture: ReadFixture) -> None:
    layout = layout_of(read_fixture("syscalls:sys_enter_unlinkat"))
    dtype = layout.dtype()
    assert dtype.fields is not None
    offset = HEADER_SIZE
    for member in layout.members():
        if not re.match(r"_pad\d", member.name):
            assert dtype.fields[member.name][1] == offset
            assert dtype.fields[member.name][0].itemsize == member.size
        offset += member.size


def test_header_members_never_clash_with_fields(read_fixture: ReadFixture) -> None:
    dtype = layout_of(read_fixture("sched:sched_wakeup")).dtype()
    assert dtype.names is not None
    assert {"header.pid", "header.comm", "pid", "comm"} <= set(dtype.names)


def test_narrow_types_in_wide_slots(read_fixture: ReadFixture) -> None:
    columns = {c.label: c for c in layout_of(read_fixture("syscalls:sys_enter_openat")).columns}
    assert columns["dfd"].value.scalar is Scalar.S32
    assert columns["mode"].value.scalar is Scalar.U16  # umode_t
    assert columns["filename"].value.scalar is Scalar.U64


def test_scalars_have_the_sizes_that_they_say() -> None:
    for scalar in Scalar:
        assert np.dtype(scalar.code).itemsize == scalar.size
    assert Member("x", Scalar.U16, 3).size == 6
    with pytest.raises(ValueError, match="no integer"):
        Scalar.of(3, signed=False)


def test_every_event_has_records_of_its_own_size(read_fixture: ReadFixture) -> None:
    events = (read_fixture("syscalls:sys_enter_getpid"), read_fixture("syscalls:sys_enter_openat"))
    small, large = generate_bcc(ProbeSpec(events)).layouts
    assert small.stride == HEADER_SIZE
    # dfd, filename, its size, flags, mode: the string itself comes behind.
    assert large.stride == HEADER_SIZE + 4 + 4 + 8 + 4 + 4 + 2 + 6
    assert [column.label for column in large.payloads] == ["filename"]


def test_all_events_of_a_script_share_a_stride(read_fixture: ReadFixture) -> None:
    events = (read_fixture("syscalls:sys_enter_getpid"), read_fixture("syscalls:sys_enter_openat"))
    small, large = (plan.layout for plan in plan_probes(ProbeSpec(events, string_size=64)))
    assert small.stride == large.stride
    assert large.stride >= HEADER_SIZE + 64


@pytest.mark.parametrize(
    "wanted",
    [{"pids": (0,)}, {"pids": (-1,)}, {"pids": (1 << 23,)}, {"string_size": 0}, {"string_size": 4097}]
    + [{"comm": comm} for comm in (b"", b"x" * 16, b"a\0b")],
)
def test_wishes_that_no_kernel_can_fulfil(read_fixture: ReadFixture, wanted: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ProbeSpec((read_fixture("sched:sched_switch"),), **wanted)  # type: ignore[arg-type]


def test_no_event_is_no_wish() -> None:
    with pytest.raises(UsageError):
        ProbeSpec(())


def test_a_record_that_is_too_large() -> None:
    for count, size in ((40, 4096), (5000, 1)):
        with pytest.raises(GenerateError, match="bytes"):
            plan_probes(ProbeSpec((with_strings(count),), string_size=size))
    with pytest.raises(GenerateError, match="bytes"):
        generate_bcc(ProbeSpec((with_strings(500),)))


def test_many_strings_share_the_room_that_there_is() -> None:
    (few,), (many,) = (generate_bcc(ProbeSpec((with_strings(count),))).layouts for count in (3, 40))
    assert [column.room for column in few.columns] == [4096 + 2] * 3
    assert {column.room for column in many.columns} == {(MAX_RECORD - many.stride - SPARE) // 40 // 8 * 8}


def with_strings(count: int) -> EventFormat:
    lines = "".join(f"\tfield:const char * p{n};\toffset:{8 + 8 * n};\tsize:8;\tsigned:0;\n" for n in range(count))
    return parse_format(f'name: big\nID: 1\nformat:\n\n{lines}\nprint fmt: ""\n', "cat")
