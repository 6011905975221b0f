"""``tpkit lint``: what it finds, where it says it is, and what a hostile tree can't make it do."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES, Run
from tpkit import TracepointId
from tpkit.errors import UsageError
from tpkit.lint import MAX_DEPTH, FormatFile, Part, find, lint, lint_all, lint_text
from tpkit.model import MAX_FILE

EVENT = TracepointId("cat", "thing")
HEAD = "name: thing\nID: 7\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
FIELD = "\tfield:int x;\toffset:4;\tsize:4;\tsigned:1;\n\n"
GOOD = HEAD + FIELD + 'print fmt: "%d", REC->x\n'
BAD_FIELD = HEAD + "\tfield:int;\toffset:4;\tsize:4;\tsigned:1;\n\n" + 'print fmt: "%d", REC->x\n'
BAD_FMT = HEAD + FIELD + 'print fmt: "%d", REC->\n'


def write_event(root: Path, text: str, name: str = "thing") -> Path:
    folder = root / "events" / "cat" / name
    folder.mkdir(parents=True)
    (folder / "format").write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder / "format"


def places(text: str) -> list[tuple[Part, int, int]]:
    return [(each.part, each.line, each.column) for each in lint_text(text, EVENT, "format").failures]


def report(tpkit: Run, *paths: Path, status: int) -> dict[str, Any]:
    done = tpkit("lint", "--json", *map(str, paths))
    assert (done.returncode, done.stderr) == (status, b"")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------------------------ verdicts


def test_a_good_file() -> None:
    verdict = lint_text(GOOD, EVENT, "format")
    assert (verdict.failures, verdict.doubts) == ((), ())


def test_places_are_those_of_the_file() -> None:
    assert places(BAD_FIELD) == [(Part.FIELDS, 6, 8)]
    assert places(BAD_FMT) == [(Part.PRINT_FMT, 8, 23)]
    assert places(HEAD + FIELD + 'print fmt: "a\nb", REC->x,\n  REC->\n') == [(Part.PRINT_FMT, 10, 8)]
    assert places(HEAD + FIELD + 'print fmt:\t\n "%d", (\n') == [(Part.PRINT_FMT, 9, 9)]


def test_both_parts_may_fail() -> None:
    assert places(BAD_FIELD.replace("REC->x", ")")) == [(Part.FIELDS, 6, 8), (Part.PRINT_FMT, 8, 18)]


def test_the_excerpt_shows_the_whole_line() -> None:
    (failure,) = lint_text(BAD_FMT, EVENT, "format").failures
    assert failure.excerpt == '    8 | print fmt: "%d", REC->\n      |                       ^'
    assert failure.message.startswith("expected ")


def test_doubts_are_no_failures() -> None:
    verdict = lint_text(GOOD.replace("REC->x", "show(REC->x)"), EVENT, "format")
    assert not verdict.failures
    assert [(doubt.source, doubt.reason) for doubt in verdict.doubts] == [("show(REC->x)", "a function of the kernel")]


def test_a_name_that_no_event_has() -> None:
    (failure,) = lint_text(GOOD.replace("name: thing", "name: -x"), EVENT, "format").failures
    assert (failure.part, failure.line) == (Part.FIELDS, 1)


WELL_FORMED = {
    "carriage returns, as adb on Windows adds": GOOD.replace("\n", "\r\n"),
    "two carriage returns": GOOD.replace("\n", "\r\r\n"),
    "byte order mark": "\ufeff" + GOOD,
    "NULs behind the end": GOOD + "\0" * 40,
    "no newline at the end": GOOD[:-1],
    "empty lines at the end": GOOD + "\n \n\n",
    "no empty lines": GOOD.replace("\n\n", "\n"),
    "two empty lines": GOOD.replace("\n\n", "\n\n\n"),
    "empty lines of blanks": GOOD.replace("\n\n", "\n \t\n"),
    "blanks for tabs": GOOD.replace("\t", "        "),
    "no tabs": GOOD.replace("\t", ""),
    "blanks at the ends of lines": GOOD.replace("\n", " \n"),
    "blanks behind colons": GOOD.replace("offset:", "offset: ").replace("signed:", "signed: "),
    "no blank behind print fmt": GOOD.replace("print fmt: ", "print fmt:"),
    "indented print fmt": GOOD.replace("print fmt: ", "  print fmt: "),
    "signed: missing": GOOD.replace("\tsigned:0;", "").replace("\tsigned:1;", ""),
    "field special": GOOD.replace("field:int", "field special:int"),
    "name with dots and dashes": GOOD.replace("thing", "6.a-b_c"),
    "no print fmt": HEAD + FIELD,
    "no print fmt, and no newline": (HEAD + FIELD).rstrip(),
    "no fields": HEAD + "print fmt: \n",
    "no fields, no print fmt": HEAD,
    "header alone": "name: thing\nID: 7\nformat:\n",
    "(null)": HEAD + "print fmt: (null)\n",
    "nothing": "",
    "nothing but a newline": "\n",
    "Latin-1 in the format string": GOOD.replace("%d", "%d\udcb0C"),
    "other line ends in the format string": GOOD.replace("%d", "%d\v\f\x1c\x85\u2028"),
    "carriage return in the format string": GOOD.replace("%d", "%d\r\n"),
}


@pytest.mark.parametrize("text", WELL_FORMED.values(), ids=WELL_FORMED.keys())
def test_what_copies_do_to_a_file_is_no_failure(text: str) -> None:
    verdict = lint_text(text, EVENT, "format")
    assert (verdict.failures, verdict.doubts) == ((), ())


# ----------------------------------------------------------------------------------- hostile trees


def test_links_below_a_path_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    tree = tmp_path / "tree"
    write_event(tree, GOOD)
    (tree / "events" / "cat" / "linked").mkdir()
    (tree / "events" / "cat" / "linked" / "format").symlink_to(secret)
    (tree / "events" / "more").symlink_to(tmp_path)
    found = find([tree])
    assert ([file.parts for file in found.files], found.links) == ([("events", "cat", "thing", "format")], 2)


def test_a_link_put_in_place_later_is_not_followed(tmp_path: Path) -> None:
    path = write_event(tmp_path, GOOD)
    (file,) = find([tmp_path]).files
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")
    assert [failure.message for failure in lint(file).failures] == ["is a symbolic link, which tpkit doesn't follow"]
    assert not lint(FormatFile(path)).failures  # the user's own word may be a link


def test_what_is_no_file_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(write_event(tmp_path, "", "fifo").parent / "other")
    (tmp_path / "events/cat/fifo/format").unlink()
    (tmp_path / "events/cat/fifo/other").rename(tmp_path / "events/cat/fifo/format")
    place = write_event(tmp_path, "", "socket")
    place.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(place))  # a socket's path must be short
        found = find([tmp_path])
        messages = [failure.message for file in found.files for failure in lint(file).failures]
    assert messages == ["not a regular file", "No such device or address"]


def test_a_file_too_large(tmp_path: Path) -> None:
    write_event(tmp_path, "x" * (MAX_FILE + 1))
    summary = lint_all(find([tmp_path]), lambda _: None)
    assert (summary.files, summary.unreadable, summary.field_errors) == (1, 1, 0)
    assert "longer than" in summary.failures[0].message


def test_folders_too_deep_are_told(tmp_path: Path) -> None:
    write_event(tmp_path, GOOD)
    (tmp_path / "/".join(["d"] * (MAX_DEPTH + 3))).mkdir(parents=True)
    (failure,) = find([tmp_path]).failures
    assert "nested deeper" in failure.message


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("events/sched/sched_switch/format", "sched:sched_switch"),
        ("/sched/sched_switch/format", "sched:sched_switch"),
        ("/a b/c d/format", "unknown:unknown"),
        ("/format", "unknown:unknown"),
    ],
)
def test_the_folders_name_the_event(path: str, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(FormatFile(Path(path)).event) == event


# ----------------------------------------------------------------------------------- the command


def test_fixtures_are_all_well(tpkit: Run) -> None:
    found = report(tpkit, *(FIXTURES.glob("*-x86_64")), status=0)
    assert found["files"] > 100
    assert (found["field_errors"], found["print_fmt_errors"], found["failures"]) == (0, 0, [])
    assert 0 < found["unevaluable"] < found["files"]
    assert sum(found["unevaluable_reasons"].values()) >= found["unevaluable"]
    assert found["seconds"] > 0


def test_json_of_failures(tpkit: Run, tmp_path: Path) -> None:
    bad = write_event(tmp_path, BAD_FIELD, "bad")
    worse = write_event(tmp_path, BAD_FMT, "worse")
    write_event(tmp_path, GOOD)
    found = report(tpkit, tmp_path, status=1)
    numbers = [found[key] for key in ("files", "field_errors", "print_fmt_errors", "unevaluable", "unreadable")]
    assert numbers == [3, 1, 1, 0, 0]
    assert [(f["path"], f["line"], f["column"], f["part"]) for f in found["failures"]] == [
        (str(bad), 6, 8, "fields"),
        (str(worse), 8, 23, "print fmt"),
    ]
    assert all(f["message"].startswith("expected ") for f in found["failures"])


def test_text_of_failures(tpkit: Run, tmp_path: Path) -> None:
    bad = write_event(tmp_path, BAD_FIELD)
    done = tpkit("lint", str(tmp_path))
    first, excerpt, mark, last = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    assert first.startswith(f"{bad}:6:8: expected a type")
    assert excerpt == "    6 |  field:int; offset:4; size:4; signed:1;"
    assert mark == "      |        ^"
    assert last.startswith("1 file in ")
    assert "1 field error, 0 print fmt errors" in last


def test_verbose_says_what_cannot_be_evaluated(tpkit: Run, tmp_path: Path) -> None:
    path = write_event(tmp_path, GOOD.replace("REC->x", "show(REC->x)"))
    done = tpkit("lint", "-v", str(path))
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0] == f"{path}: show(REC->x): a function of the kernel"


def test_nothing_hostile_reaches_the_terminal(tpkit: Run, tmp_path: Path) -> None:
    write_event(tmp_path, BAD_FMT.replace("REC->", "REC->\x1b[31m"), "a\x1b]0;x\nb")
    done = tpkit("lint", str(tmp_path))
    assert done.returncode == 1
    assert b"\x1b" not in done.stdout
    assert b"a\\033]0;x\\nb" in done.stdout


def test_json_is_strict_and_paths_can_be_had_back(tpkit: Run, tmp_path: Path) -> None:
    path = write_event(tmp_path, BAD_FMT, "a\udcff")
    (failure,) = report(tpkit, tmp_path, status=1)["failures"]
    assert "\udcff" not in failure["path"]
    assert bytes.fromhex(failure["path_hex"]) == os.fsencode(path)


def test_no_such_path(tpkit: Run, tmp_path: Path) -> None:
    done = tpkit("lint", "--json", str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"No such file or directory" in done.stderr


def test_no_format_file(tpkit: Run, tmp_path: Path) -> None:
    write_event(tmp_path / "tree", GOOD)
    (tmp_path / "empty").mkdir()
    done = tpkit("lint", str(tmp_path / "tree"), str(tmp_path / "empty"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no file named 'format' below this folder" in done.stderr
    with pytest.raises(UsageError, match="no file named"):
        find([tmp_path / "empty"])


def test_a_file_of_any_name(tpkit: Run, tmp_path: Path) -> None:
    (tmp_path / "sched_switch.txt").write_text(GOOD)
    assert report(tpkit, tmp_path / "sched_switch.txt", status=0)["files"] == 1
