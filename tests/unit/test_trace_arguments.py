"""trace's command line, where order counts: which filter is for which event, and what is the user's own command."""

from __future__ import annotations

import pytest

from tests.conftest import Run
from tpkit import TracepointId, UsageError, parse_filter
from tpkit.cli.request import nanoseconds_of, numbers_of, size_of, user_of
from tpkit.cli.trace_arguments import split_command, with_events
from tpkit.discover import resolve


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("", ""),
        ("unlinkat --filter ret<0", "unlinkat --filter ret<0"),
        ("-e unlinkat --filter ret<0", "-e unlinkat --filter unlinkat: ret<0"),
        ("--event unlinkat --filter ret<0", "--event unlinkat --filter unlinkat: ret<0"),
        ("--filter pid==1 -e unlinkat", "--filter pid==1 -e unlinkat"),
        (
            "-e openat --filter flags -e unlinkat --filter ret<0",
            "-e openat --filter openat: flags -e unlinkat --filter unlinkat: ret<0",
        ),
        ("-e a --filter x --filter y", "-e a --filter a: x --filter a: y"),
        ("--event=a --filter=x", "--event a --filter a: x"),
        ("-e sched:* --filter x", "-e sched:* --filter sched:*: x"),
        ("-p 5 -e a -o f --filter x", "-p 5 -e a -o f --filter a: x"),
        # As click takes short options: the value at once, others in front.
        ("-ea --filter x", "-e a --filter a: x"),
        ("-qe a --filter x", "-qe a --filter a: x"),
        ("-vqea --filter x", "-vqe a --filter a: x"),
        ("-e=a --filter x", "-e a --filter a: x"),
    ],
)
def test_a_filter_is_for_the_event_in_front_of_it(given: str, meant: str) -> None:
    words = given.split()
    assert " ".join(with_events(words)) == meant


def test_an_option_without_its_value_stays_for_click_to_complain() -> None:
    assert list(with_events(["-e"])) == ["-e"]
    assert list(with_events(["-e", "a", "--filter"])) == ["-e", "a", "--filter"]
    assert list(with_events(["--filter=", "-e", "a"])) == ["--filter", "", "-e", "a"]


@pytest.mark.parametrize(
    ("given", "own", "command"),
    [
        ("unlinkat", "unlinkat", None),
        ("unlinkat -- rm -f x", "unlinkat", "rm -f x"),
        ("unlinkat -- sh -c a -- b", "unlinkat", "sh -c a -- b"),
        ("-- make -e x --filter y", "", "make -e x --filter y"),
        ("unlinkat --", "unlinkat", ""),
    ],
)
def test_a_command_is_left_as_it_is(given: str, own: str, command: str | None) -> None:
    assert split_command(given.split()) == (own.split(), None if command is None else command.split())


@pytest.mark.parametrize("rest", [("--",), ("--", "")])
def test_a_command_that_is_none_is_no_trace_of_the_whole_machine(tpkit: Run, rest: tuple[str, ...]) -> None:
    done = tpkit("trace", "unlinkat", *rest)
    assert done.returncode == 2
    assert b"tpkit: error: --: there is no command behind it" in done.stderr


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("64K", 1 << 16), ("65536", 1 << 16), ("65537", 1 << 17), ("16M", 1 << 24), ("5m", 1 << 23), ("1G", 1 << 30)],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert size_of(text) == bytes_


@pytest.mark.parametrize("text", ["", "K", "63K", "1025M", "2G", "-1M", "1.5M", "16 M", "16MB", "0", "²M"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--buffer-size"):
        size_of(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, 0),
        ("1ns", 1),
        ("500us", 500_000),
        ("2.5µs", 2_500),
        ("1ms", 1_000_000),
        ("0.1s", 100_000_000),
        ("3s", 3_000_000_000),
    ],
)
def test_times(text: str | None, wanted: int) -> None:
    assert nanoseconds_of(text) == wanted


@pytest.mark.parametrize("text", ["", "1", "ms", "-1ms", "1 ms", "1e3ms", ".5s", "1m", "1hs"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--min-latency"):
        nanoseconds_of(text)


def test_numbers_and_users() -> None:
    assert numbers_of("1,22", "-t") == (1, 22)
    assert numbers_of(None, "-t") == ()
    assert (user_of("0"), user_of("root"), user_of(None)) == (0, 0, None)
    with pytest.raises(UsageError, match="-t"):
        numbers_of("1,x", "-t")
    with pytest.raises(UsageError, match="no user"):
        user_of("nobody knows this one")


@pytest.mark.parametrize(
    "wrong",
    [
        ("unlinkat", "--buffer-size", "5"),
        ("unlinkat", "--min-latency", "5"),
        ("unlinkat", "-u", "nobody knows this one"),
        ("unlinkat", "-t", "x"),
        ("unlinkat", "-t", str((1 << 22) - 1)),
        ("unlinkat", "-p", "1", "--", "true"),
        ("unlinkat", "-t", "1", "--", "true"),
        ("unlinkat", "--min-latency", "99999999999999s"),
        ("-e",),
        ("unlinkat", "-e", "a", "--filter"),
    ],
)
def test_wrong_usage(tpkit: Run, wrong: tuple[str, ...]) -> None:
    done = tpkit("trace", *wrong)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr


SWITCH, WAKEUP = (TracepointId("sched", f"sched_{name}") for name in ("switch", "wakeup"))
ENTER, EXIT, CALL = (TracepointId("syscalls", name) for name in ("sys_enter_openat", "sys_exit_openat", "openat"))


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        ("sched", {SWITCH, WAKEUP}),
        ("sched_switch,openat", {SWITCH, CALL}),
        ("sched,!sched_wakeup", {SWITCH}),
        ("t:syscalls:sys_enter_openat", {ENTER}),
        ("TRACEPOINT:sched:*", {SWITCH, WAKEUP}),
        ("sched/sched_switch", {SWITCH}),
        ("sys_e[nx]*_openat", {ENTER, EXIT}),
        ("sys_[!x]*_openat", {ENTER, EXIT}),
        ("syscalls:openat", {CALL}),
        ("syscalls", {ENTER, EXIT, CALL}),
        ("syscalls,!openat", {ENTER, EXIT}),
    ],
)
def test_a_filter_is_for_all_that_its_event_means(chosen: str, meant: set[TracepointId]) -> None:
    """Whatever -e understands; ``resolve`` chooses the very same events."""
    *_, text = with_events(["-e", chosen, "--filter", 'comm == "a:b"'])
    found = parse_filter(text)
    events = (SWITCH, WAKEUP, ENTER, EXIT, CALL)
    assert {event for event in events if found.is_for(event)} - {CALL} == meant - {CALL}
    assert set(resolve(events, [chosen])) == meant
    assert found.condition == parse_filter(f'{" " * (len(chosen) + 2)}comm == "a:b"').condition


@pytest.mark.parametrize(
    ("chosen", "is_meant"),
    [
        ("openat", True),
        ("sys_*_openat", True),  # by which both of its events are meant, and so the call
        ("sys_enter_openat,sys_exit_openat", False),  # one after the other they are two events
        ("sys_enter_openat", False),
        ("syscalls,!sys_exit_openat", False),
        ("syscalls,!openat", False),
    ],
)
def test_a_call_is_meant_by_what_means_both_of_its_events(chosen: str, is_meant: bool) -> None:
    assert parse_filter(f"{chosen}: ret < 0").is_for(CALL) == is_meant
