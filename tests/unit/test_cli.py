"""The program as a user runs it, on captured trees: no root, no kernel, no BCC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, Run, command

TREE = str(FIXTURES / "7.2-x86_64")
GUIDE = b"syscalls:sys_enter_unlinkat\nsyscalls:sys_exit_unlinkat\n"


def test_list_prints_exactly_the_guides_lines(tpkit: Run) -> None:
    done = tpkit("list", "unlinkat", "--tracefs", TREE)
    assert (done.returncode, done.stdout, done.stderr) == (0, GUIDE, b"")


def test_list_takes_the_tree_from_the_environment(tpkit: Run) -> None:
    done = tpkit("list", "unlinkat", env={**os.environ, "TPKIT_TRACEFS": TREE})
    assert done.stdout == GUIDE


def test_list_verbose(tpkit: Run) -> None:
    done = tpkit("list", "-v", "sys_enter_unlinkat", "--tracefs", str(FIXTURES / "6.18-x86_64"))
    assert done.stdout.decode().splitlines() == [
        "syscalls:sys_enter_unlinkat",
        "    int __syscall_nr",
        "    int dfd",
        "    const char * pathname",
        "    int flag",
    ]


def test_list_json_and_field(tpkit: Run) -> None:
    done = tpkit("list", "-F", "prev_comm", "-v", "--json", "--tracefs", TREE)
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert event["event"] == "sched:sched_switch"
    assert {"name": "prev_comm", "type": "char[16]"} in event["fields"]


def test_list_of_nothing(tpkit: Run) -> None:
    done = tpkit("list", "unlinkta", "--tracefs", TREE)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"did you mean" in done.stderr
    assert b"unlinkat" in done.stderr


def test_describe_json_maps_arguments(tpkit: Run) -> None:
    done = tpkit("describe", "syscalls:sys_enter_unlinkat", "--json", "--tracefs", TREE)
    event = json.loads(done.stdout)
    assert {f["name"]: f["argument"] for f in event["fields"] if f["argument"] is not None} == {
        "dfd": 0,
        "pathname": 1,
        "flag": 2,
    }
    value = next(f for f in event["fields"] if f["name"] == "__pathname_val")
    assert value["bpf_readable"] is False
    assert value["reason"]
    assert event["sections"] == ["tracepoint/syscalls/sys_enter_unlinkat", "tp/syscalls/sys_enter_unlinkat"]


def test_describe_text(tpkit: Run) -> None:
    text = tpkit("describe", "sys_exit_unlinkat", "--tracefs", TREE).stdout.decode()
    for part in ('SEC("tracepoint/syscalls/sys_exit_unlinkat")', 'SEC("tp/syscalls/', "trace_event_raw_sys_exit"):
        assert part in text


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "syscalls:../x", "a b", "-x", "--", "sched:\x1b[31m", "x" * 5000, "sched:sched_switch;id"],
)
@pytest.mark.parametrize("verb", ["list", "describe"])
def test_hostile_names(tpkit: Run, verb: str, name: str) -> None:
    done = tpkit(verb, "--tracefs", TREE, "--", name)
    assert done.returncode in (1, 2)
    assert b"\x1b" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert len(done.stderr) < 8000


def test_a_broken_format_says_where(tpkit: Run, tmp_path: Path) -> None:
    folder = tmp_path / "events" / "cat" / "thing"
    folder.mkdir(parents=True)
    (folder / "format").write_text("name: thing\nID: 1\nformat:\n\n\tfield:int x; }; int evil(void) {;\toffset:8;\n")
    done = tpkit("describe", "cat:thing", "--tracefs", str(tmp_path))
    assert done.returncode == 1
    assert b"cat:thing: line 5, column 13: expected" in done.stderr
    assert b"int evil(void)" in done.stderr
    assert b"^" in done.stderr


def test_no_tree(tpkit: Run, tmp_path: Path) -> None:
    done = tpkit("list", "--tracefs", str(tmp_path))
    assert done.returncode == 1
    assert b"no events/ in this folder" in done.stderr


def test_a_reader_that_has_enough() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tpkit", "list", "--tracefs", TREE], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [("--help",), ("list", "-h"), ("describe", "--help"), ("trace", "--help")])
def test_help_has_examples(tpkit: Run, arguments: tuple[str, ...]) -> None:
    done = tpkit(*arguments)
    assert done.returncode == 0
    assert b"tpkit" in done.stdout
    assert len(done.stdout.splitlines()) > 10


def test_wrong_usage(tpkit: Run) -> None:
    assert tpkit("list", "--no-such-option").returncode == 2
    assert tpkit("trace").returncode == 2


@pytest.mark.parametrize("verb", [["list", "unlinkat"], ["describe", "sys_enter_unlinkat"]])
def test_looking_things_up_needs_no_heavy_imports(verb: list[str]) -> None:
    program = (
        "import sys; sys.argv[0] = 'tpkit'\n"
        "from tpkit.cli.main import make_app\n"
        "make_app()(standalone_mode=False)\n"
        "print(sorted({'bcc', 'numpy', 'jinja2', 'rich', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *verb, "--tracefs", TREE], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "-1", "0", "1e10", "x", ""])
def test_durations_that_are_none(tpkit: Run, seconds: str) -> None:
    done = tpkit("trace", "unlinkat", "-d", seconds, "--show-program")
    assert done.returncode == 2
    assert b"Invalid value for '-d'" in done.stderr


# ------------------------------------------------------------------------------ outputs that aren't there


COMMANDS = (
    ("list", "unlinkat", "--tracefs", str(FIXTURES / "6.18-x86_64")),
    ("describe", "syscalls:sys_enter_unlinkat", "--tracefs", str(FIXTURES / "6.18-x86_64")),
    ("generate", "syscalls:sys_enter_unlinkat", "--tracefs", str(FIXTURES / "6.18-x86_64")),
    ("doctor",),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: each[0])
@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_output_that_cant_be_written(arguments: tuple[str, ...], redirection: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command(*arguments)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    words = done.stderr.decode()
    assert words.startswith("tpkit: error: standard output: can't be written: ")
    assert "Traceback" not in words
    assert words.count("\n") == 1
    assert done.returncode == 1


@pytest.mark.parametrize("redirection", ["<&-", "2>&-", "<&- 2>&-"])
def test_without_the_other_standard_files(redirection: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command(*COMMANDS[0])],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.decode().splitlines() == ["syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat"]
    assert (done.returncode, done.stderr) == (0, b"")
    missing = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command("list", "no-such-event", *COMMANDS[0][2:])],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert missing.returncode == 1
    assert missing.stdout == b""


def test_types_of_a_hostile_format_dont_reach_the_terminal(tmp_path: Path, tpkit: Run) -> None:
    folder = tmp_path / "events/c/n"
    folder.mkdir(parents=True)
    (tmp_path / "available_events").write_text("c:n\n")
    field = "\tfield:char foo[\x1b(0<\u009b>)2J\udce9];\toffset:8;\tsize:4;\tsigned:0;\n"
    text = f"name: n\nID: 1\nformat:\n{field}\nprint fmt: \"\"\n"
    (folder / "format").write_text(text, errors="surrogateescape")
    done = tpkit("list", "-v", "c:n", "--tracefs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().isprintable() or set(done.stdout.decode()) <= set(map(chr, range(32, 127))) | {"\n"}
