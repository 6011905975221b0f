"""Hostile names through every sink: nothing of them reaches a terminal, and their exact bytes come back."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hostile_names import HOSTILE, harmful
from tests.unit.records import batch, fixture_layout, unlinkat
from tpkit.batch import Batch
from tpkit.cli.show import say, show_error
from tpkit.decode.clock import Clock
from tpkit.decode.columns import rows_by_event
from tpkit.decode.spelling import IN_CELL, IN_JSON, IN_QUOTES
from tpkit.errors import TpkitError
from tpkit.ledger import Ledger
from tpkit.sinks.base import Sink
from tpkit.sinks.csvlines import CsvSink
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output
from tpkit.sinks.records import RecordsSink, read
from tpkit.sinks.terminal import TerminalSink
from tpkit.sinks.text import TextSink

LAYOUTS = (fixture_layout("syscalls:sys_enter_unlinkat", 256),)
CLOCK = Clock(0)

_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def unescaped(text: str) -> bytes:
    """What C's escapes stand for."""
    return _ESCAPE.sub(lambda found: _byte(found[1]), text.encode())


def _byte(escape: bytes) -> bytes:
    return bytes([int(escape, 8)]) if len(escape) == 3 else _SHORT.get(escape, escape)


def no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names)
    return dict(pairs)


def not_json(text: str) -> None:
    raise AssertionError(text)


def written(path: Path, kind: str, names: tuple[bytes, ...] = HOSTILE) -> bytes:
    """All names, as a file's and as a thread's, through one sink."""
    with Output.file(path) as output:
        sinks: dict[str, Sink] = {
            "text": TextSink(output, CLOCK, header=False),
            "terminal": TerminalSink(output, CLOCK, header=False, coloured=False, most=10_000),
            "json": JsonLinesSink(output, CLOCK),
            "csv": CsvSink(output, CLOCK, LAYOUTS),
            "records": RecordsSink(output, CLOCK, LAYOUTS),
        }
        sinks[kind].begin()
        sinks[kind].write(events(names))
        sinks[kind].end(Ledger((), 1.0))
    return path.read_bytes()


def events(names: tuple[bytes, ...]) -> Batch:
    return batch(LAYOUTS, *(unlinkat(LAYOUTS, name, {"comm": name[:15]}) for name in names))


@pytest.mark.parametrize("kind", ["text", "terminal"])
def test_text(tmp_path: Path, kind: str) -> None:
    text = written(tmp_path / "out", kind).decode()
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == len(HOSTILE)
    for name, line in zip(HOSTILE, lines, strict=True):
        assert not harmful(line), name
        assert line.isprintable()
        head, path = line.split(" sys_enter_unlinkat(dfd=AT_FDCWD, pathname=", 1)
        assert unescaped(head[24:].rstrip(" ")) == name[:15].rstrip(b" ")
        assert path.endswith(", flag=0)")
        assert unescaped(path.removesuffix(", flag=0)")[1:-1]) == name


def test_errors_and_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """A name may come in as a file's, a program's or an option's; only its newlines are left."""
    for name in HOSTILE:
        text = name.decode("utf-8", "surrogateescape")
        show_error(TpkitError(text, where=text, remedy=text, details=text))
        say(text)
        shown = capfd.readouterr().err
        assert shown.startswith("tpkit: error: ")
        for line in shown.split("\n"):
            assert not harmful(line), name
            assert line.isprintable(), name


def test_colours_are_the_only_escapes(tmp_path: Path) -> None:
    with Output.file(tmp_path / "out") as output:
        TerminalSink(output, CLOCK, coloured=True, most=10_000).write(events(HOSTILE))
    coloured = (tmp_path / "out").read_bytes()
    bare = re.sub(rb"\x1b\[(0|1|32)m", b"", coloured)
    assert len(coloured) - len(bare) == len(HOSTILE) * sum(map(len, (b"\x1b[1m", b"\x1b[32m", b"\x1b[0m\x1b[0m")))
    assert bare == written(tmp_path / "bare", "text")


def test_json(tmp_path: Path) -> None:
    lines = written(tmp_path / "out", "json").decode("ascii").removesuffix("\n").split("\n")
    assert len(lines) == len(HOSTILE) + 1
    for name, line in zip(HOSTILE, lines, strict=False):
        assert line.isprintable()
        event = json.loads(line, object_pairs_hook=no_name_twice, parse_constant=not_json)
        assert exact(event["args"]["pathname"], event.get("args_hex", {}).get("pathname")) == name
        assert exact(event["comm"], event.get("comm_hex")) == name[:15]


def exact(text: str, hexadecimal: str | None) -> bytes:
    return text.encode() if hexadecimal is None else bytes.fromhex(hexadecimal)


def test_csv(tmp_path: Path) -> None:
    text = written(tmp_path / "out", "csv").decode()
    assert len(text.removesuffix("\r\n").split("\r\n")) == len(HOSTILE) + 1
    assert not harmful(text.replace("\r\n", ""))
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    for name, row in zip(HOSTILE, rows, strict=True):
        assert len(row) == len(head)
        cells = dict(zip(head, row, strict=True))
        assert unescaped(cells["pathname"]) == name
        assert unescaped(cells["comm"]) == name[:15]
        assert not [cell for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r") or re.match("-[^0-9]", cell)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_formula_however_a_spreadsheet_splits_lines(tmp_path: Path, separator: str) -> None:
    text = written(tmp_path / "out", "csv").decode()
    for line in text.split("\r\n"):
        for cell in re.split(f"[{separator}\"']", line):
            assert not re.match("[=+@\uff1d]|-[^0-9]", cell), line


def test_records(tmp_path: Path) -> None:
    written(tmp_path / "out", "records")
    (rows,) = (rows for each in read(tmp_path / "out") for rows in rows_by_event(each))
    assert rows.values[1].data == list(HOSTILE)


@given(st.lists(st.binary(max_size=30).map(lambda each: each.replace(b"\0", b"")), min_size=1))
def test_many_are_spelled_as_one(names: list[bytes]) -> None:
    for spelling in (IN_QUOTES, IN_JSON, IN_CELL):
        assert spelling.each(names) == [spelling.spell(name) for name in names]
