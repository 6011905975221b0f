"""What a BPF program sees: arguments by offset, and what it may not read."""

from __future__ import annotations

import pytest

from tests.conftest import ReadFixture
from tpkit import EventFormat, access, accesses, describe_event, parse_format
from tpkit.context import prototype

KERNELS = ("5.10", "6.1", "6.12", "6.18", "7.2")


def arguments(event: EventFormat) -> dict[str, int]:
    return {a.field.name: a.argument for a in accesses(event) if a.argument is not None}


@pytest.mark.parametrize("kernel", KERNELS)
def test_unlinkat_on_every_kernel(read_fixture: ReadFixture, kernel: str) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat", kernel)
    assert arguments(event) == {"dfd": 0, "pathname": 1, "flag": 2}
    assert prototype(event) == "unlinkat(int dfd, const char *pathname, int flag)"


@pytest.mark.parametrize("name", ["sys_enter_unlinkat", "sys_enter_openat", "sys_enter_write"])
def test_values_that_only_ftrace_sees(read_fixture: ReadFixture, name: str) -> None:
    event = read_fixture(f"syscalls:{name}", "7.2")
    values = [f for f in event.fields if f.name.endswith("_val")]
    assert values
    for field in values:
        got = access(event, field)
        assert not got.readable
        assert got.argument is None
        assert "ftrace" in (got.refusal or "")


def test_the_common_header_is_refused(tree_event: EventFormat) -> None:
    for field in tree_event.common_fields:
        assert not access(tree_event, field).readable


@pytest.fixture
def tree_event(read_fixture: ReadFixture) -> EventFormat:
    return read_fixture("sched:sched_switch")


def test_arguments_go_by_offset_not_by_order() -> None:
    fields = [("int __syscall_nr", 8, 4), ("int flag", 32, 8), ("int dfd", 16, 8), ("char * p", 24, 8)]
    lines = "".join(f"\tfield:{d};\toffset:{o};\tsize:{s};\tsigned:0;\n" for d, o, s in fields)
    event = parse_format(f"name: sys_enter_x\nID: 1\nformat:\n\n{lines}\nprint fmt: \"\"\n", "syscalls")
    assert arguments(event) == {"dfd": 0, "p": 1, "flag": 2}


def test_events_without_arguments(read_fixture: ReadFixture) -> None:
    assert arguments(read_fixture("syscalls:sys_enter_getpid")) == {}
    assert arguments(read_fixture("syscalls:sys_exit_unlinkat")) == {}
    assert arguments(read_fixture("raw_syscalls:sys_enter")) == {}


def test_description_without_btf(read_fixture: ReadFixture) -> None:
    description = describe_event(read_fixture("syscalls:sys_enter_unlinkat", "7.2"), None)
    assert description.sections == (
        "tracepoint/syscalls/sys_enter_unlinkat",
        "tp/syscalls/sys_enter_unlinkat",
    )
    assert description.context.structs == ("trace_event_raw_sys_enter",)
    assert description.context.verified is None
    data = description.to_dict()
    assert {f["name"]: f["argument"] for f in data["fields"] if f["argument"] is not None} == {
        "dfd": 0,
        "pathname": 1,
        "flag": 2,
    }
    assert next(f for f in data["fields"] if f["name"] == "__pathname_val")["bpf_readable"] is False
    assert "sys_exit_unlinkat" in description.usage
