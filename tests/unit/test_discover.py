"""Names and patterns, as users of bpftrace, perf and trace-cmd write them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tpkit import EventNotFound, InvalidName, Tracefs, TracepointId, UsageError
from tpkit.discover import NO_SYSCALLS, not_found, parse_bpftrace_list, resolve, resolve_calls, select, suggest
from tpkit.event_pattern import means

NAMES = """sched:sched_switch sched:sched_wakeup sched:sched_stat_runtime syscalls:sys_enter_open
syscalls:sys_enter_openat syscalls:sys_enter_unlink syscalls:sys_enter_unlinkat syscalls:sys_exit_unlinkat
signal:signal_generate raw_syscalls:sys_enter xhci-hcd:xhci_add_endpoint""".split()
EVENTS = [TracepointId.parse(name) for name in NAMES]


def names(events: list[TracepointId]) -> list[str]:
    return [str(event) for event in events]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["unlinkat"], ["syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat"]),
        (["sched:*"], ["sched:sched_stat_runtime", "sched:sched_switch", "sched:sched_wakeup"]),
        (["sched:*", "!*stat*"], ["sched:sched_switch", "sched:sched_wakeup"]),
        (["sched:*,!*stat*"], ["sched:sched_switch", "sched:sched_wakeup"]),
        (["tracepoint:sched:sched_switch"], ["sched:sched_switch"]),
        (["T:sched:sched_switch"], ["sched:sched_switch"]),
        (["t:sched/sched_switch"], ["sched:sched_switch"]),
        (["sched/sched_switch,signal"], ["sched:sched_switch", "signal:signal_generate"]),
        (["sys_enter_*at"], ["syscalls:sys_enter_openat", "syscalls:sys_enter_unlinkat"]),
        (["xhci-hcd"], ["xhci-hcd:xhci_add_endpoint"]),
        (["*:sys_enter"], ["raw_syscalls:sys_enter"]),
        (["nothing"], []),
    ],
)
def test_select(patterns: list[str], expected: list[str]) -> None:
    assert names(select(EVENTS, patterns)) == expected


CALL_NAMES = """syscalls:sys_enter_openat syscalls:sys_exit_openat syscalls:sys_enter_unlinkat
syscalls:sys_exit_unlinkat syscalls:sys_enter_exit syscalls:sys_enter_read syscalls:sys_exit_read
raw_syscalls:sys_enter raw_syscalls:sys_exit sched:sched_switch sched:sched_process_exit task:read""".split()
BOTH = ["syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat"]


@pytest.mark.parametrize(
    ("wanted", "pair", "events", "calls"),
    [
        # A call's own name is the call.
        ("unlinkat", None, [], ["syscalls:unlinkat"]),
        ("syscalls:unlinkat", None, [], ["syscalls:unlinkat"]),
        ("syscalls/unlinkat", None, [], ["syscalls:unlinkat"]),
        ("unlinkat,openat", None, [], ["syscalls:unlinkat", "syscalls:openat"]),
        ("unlinkat", True, [], ["syscalls:unlinkat"]),
        ("unlinkat", False, BOTH, []),
        # Events that are named are what they are, unless pairs are asked for.
        ("sys_enter_unlinkat", None, BOTH[:1], []),
        ("sys_exit_unlinkat", None, BOTH[1:], []),
        ("sys_enter_unlinkat,sys_exit_unlinkat", None, BOTH, []),
        ("sys_enter_unlinkat", True, [], ["syscalls:unlinkat"]),
        ("sys_exit_unlinkat", True, [], ["syscalls:unlinkat"]),
        ("sys_enter_unlinkat", False, BOTH[:1], []),
        # A pattern that means both halves means the call, one that means one half means that.
        ("*unlinkat", None, [], ["syscalls:unlinkat"]),
        ("syscalls:sys_*_unlinkat", None, [], ["syscalls:unlinkat"]),
        ("sys_enter_*at", None, ["syscalls:sys_enter_openat", *BOTH[:1]], []),
        ("sys_exit_*at", None, ["syscalls:sys_exit_openat", *BOTH[1:]], []),
        ("*unlinkat", False, BOTH, []),
        ("sys_enter_*at", True, [], ["syscalls:openat", "syscalls:unlinkat"]),
        # All of a category; exit has no return, and is what it is unless it is asked for as a call.
        (
            "syscalls:*",
            None,
            ["syscalls:sys_enter_exit"],
            ["syscalls:openat", "syscalls:read", "syscalls:unlinkat"],
        ),
        ("syscalls", None, ["syscalls:sys_enter_exit"], ["syscalls:openat", "syscalls:read", "syscalls:unlinkat"]),
        ("exit", None, [], ["syscalls:exit"]),
        ("exit", False, ["syscalls:sys_enter_exit"], []),
        ("syscalls:sys_enter_exit", True, [], ["syscalls:exit"]),
        # Names of events go before names of calls.
        ("read", None, ["task:read"], []),
        ("syscalls:read", None, [], ["syscalls:read"]),
        ("raw_syscalls:*", True, ["raw_syscalls:sys_enter", "raw_syscalls:sys_exit"], []),
        ("sched_switch,unlinkat", None, ["sched:sched_switch"], ["syscalls:unlinkat"]),
        # What is excluded is gone, by either name.
        ("syscalls:*,!unlinkat,!*exit", None, [], ["syscalls:openat", "syscalls:read"]),
        ("syscalls:*,!sys_enter_unlinkat,!exit", None, [], ["syscalls:openat", "syscalls:read"]),
        ("sys_enter_*at,!unlinkat", None, ["syscalls:sys_enter_openat"], []),
        ("sched:*,unlinkat,!sys_*", None, ["sched:sched_process_exit", "sched:sched_switch"], []),
        ("sched:*,!sys_enter_sched_switch", None, ["sched:sched_process_exit", "sched:sched_switch"], []),
        ("syscalls:*,!*at", None, ["syscalls:sys_enter_exit"], ["syscalls:read"]),
        ("*unlinkat,!sys_exit_unlinkat", False, BOTH[:1], []),
        ("unlinkat,!syscalls:*", None, [], []),
        ("unlinkat,sys_enter_unlinkat", None, BOTH[:1], ["syscalls:unlinkat"]),
    ],
)
def test_calls(wanted: str, pair: bool | None, events: list[str], calls: list[str]) -> None:
    chosen = resolve_calls(map(TracepointId.parse, CALL_NAMES), [wanted], pair=pair)
    assert (names(list(chosen.events)), names(list(chosen.calls))) == (events, calls)


@pytest.mark.parametrize("wanted", ["fstat", "syscalls:fstat", "newfstat", "fstat,!syscalls:openat", "*newfstat"])
def test_calls_by_the_names_that_everybody_knows(wanted: str) -> None:
    known = [TracepointId("syscalls", f"sys_{half}_{call}") for half in ("enter", "exit") for call in ("newfstat", "x")]
    chosen = resolve_calls(known, [wanted])
    assert (chosen.events, names(list(chosen.calls))) == ((), ["syscalls:newfstat"])
    assert means(wanted, chosen.calls[0])


def test_no_such_call() -> None:
    known = [TracepointId.parse(name) for name in CALL_NAMES]
    for pair in (None, True, False):
        with pytest.raises(EventNotFound, match="unlinkat") as caught:
            resolve_calls(known, ["unlinkta"], pair=pair)
        assert caught.value.suggestions[0] == "syscalls:sys_enter_unlinkat"


def test_select_all_and_by_regex() -> None:
    assert select(EVENTS, []) == sorted(EVENTS, key=str)
    assert names(select(EVENTS, ["sys_(enter|exit)_unlinkat$"], regex=True)) == [
        "syscalls:sys_enter_unlinkat",
        "syscalls:sys_exit_unlinkat",
    ]
    with pytest.raises(UsageError, match="no regular expression"):
        select(EVENTS, ["("], regex=True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["syscalls:sys_enter_unlink"], ["syscalls:sys_enter_unlink"]),
        (["sys_enter_unlink"], ["syscalls:sys_enter_unlink"]),
        (["sys_exit_unlinkat", "sys_enter_unlinkat"], ["syscalls:sys_exit_unlinkat", "syscalls:sys_enter_unlinkat"]),
        (["signal"], ["signal:signal_generate"]),
        (["sched:*", "!sched_s*"], ["sched:sched_wakeup"]),
        (["sched_switch", "sched_switch"], ["sched:sched_switch"]),
    ],
)
def test_resolve_means_whole_names_in_the_order_asked_for(wanted: list[str], expected: list[str]) -> None:
    assert names(resolve(EVENTS, wanted)) == expected


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("syscall:sys_enter_unlinkat", "syscalls:sys_enter_unlinkat"),
        ("syscalls:sys_enter_unlinkta", "syscalls:sys_enter_unlinkat"),
        ("sched_swich", "sched:sched_switch"),
        ("sheds", "sched:*"),
    ],
)
def test_unknown_names_come_with_the_nearest(wanted: str, nearest: str) -> None:
    with pytest.raises(EventNotFound) as caught:
        resolve(EVENTS, [wanted])
    assert caught.value.suggestions[0] == nearest
    assert suggest(EVENTS, wanted)[0] == nearest
    assert nearest in str(caught.value)


@pytest.fixture
def no_syscalls(tree: Tracefs, tmp_path: Path) -> list[TracepointId]:
    """The events of a kernel that was built without CONFIG_FTRACE_SYSCALLS."""
    copy = tmp_path / "tracing"
    shutil.copytree(tree.root / "events", copy / "events", ignore=shutil.ignore_patterns("syscalls", "raw_syscalls"))
    return Tracefs.captured_tree(copy).event_ids()


@pytest.mark.parametrize(
    "wanted",
    ["syscalls:sys_enter_unlinkat", "t:syscalls/sys_exit_unlinkat", "sys_enter_*", "syscalls", "unlinkat", "openat"],
)
def test_a_kernel_without_system_calls_is_named_as_the_reason(no_syscalls: list[TracepointId], wanted: str) -> None:
    assert select(no_syscalls, [wanted]) == []
    with pytest.raises(EventNotFound, match=r"this kernel has no syscalls events: .* CONFIG_FTRACE_SYSCALLS"):
        resolve(no_syscalls, [wanted])
    assert NO_SYSCALLS in str(not_found(no_syscalls, "sys_(enter|exit)_read", regex=True))


@pytest.mark.parametrize("wanted", ["sched_swich", "sched:sched_swich", "net:nothing"])
def test_it_is_no_reason_for_other_events(no_syscalls: list[TracepointId], wanted: str) -> None:
    assert NO_SYSCALLS not in str(not_found(no_syscalls, wanted))
    assert NO_SYSCALLS not in str(not_found(EVENTS, "sys_enter_nothing"))


@pytest.mark.parametrize("name", ["../etc/passwd", "a b", "-x", "a\0b", "sched:$(id)", "a;b", "", ",", "\x1b[31m", "é"])
def test_what_can_be_no_name(name: str) -> None:
    with pytest.raises((InvalidName, UsageError)):
        resolve(EVENTS, [name])
    with pytest.raises((InvalidName, UsageError)):
        select(EVENTS, [name])


def test_bpftrace_list() -> None:
    text = "hardware:cycles:\ntracepoint:sched:sched_switch\nWARNING: x\ntracepoint:a b:c\ntracepoint:block:bio\n"
    assert names(parse_bpftrace_list(text)) == ["block:bio", "sched:sched_switch"]
