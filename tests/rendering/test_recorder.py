"""The recorder: its pairing on made up lines, its scrubbing, and the whole of it on the live kernel."""

from __future__ import annotations

import os
import struct

import pytest

from tests.rendering.fixtures import is_publishable
from tests.rendering.instance import TRACEFS
from tests.rendering.kinds import EventKind, PairedRecord, kind_of
from tests.rendering.pairing import PairingError, pair
from tests.rendering.record import Pass, Tally, record

COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""


def kind(name: str, number: int, fields: str = "") -> EventKind:
    return kind_of("test", f'name: {name}\nID: {number}\nformat:\n{COMMON}{fields}\nprint fmt: "x"\n')


KINDS = {each.number: each for each in (kind("one", 1), kind("two", 2))}


def raw(number: int, pid: int) -> bytes:
    return struct.pack("=HBBi", number, 0, 0, pid)


def test_lines_that_begin_no_record_go_on_with_the_one_before() -> None:
    text = (
        "# tracer: nop\n#\n"
        "    a b-1-7       [003] d..1.    12.000002: one: first\n => second\n# third\n"
        "           <...>-7       [003] .....    12.000002: two: \n"
    )
    paired = pair(text, [(12_000_001_600, raw(1, 7)), (12_000_002_400, raw(2, 7))], 3, KINDS)
    assert [(each.event, each.text, each.pid) for each in paired] == [
        ("test:one", "first\n => second\n# third", 7),
        ("test:two", "", 7),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  a-7 [003] ..... 12.000002: two: x\n",
        "  a-8 [003] ..... 12.000002: one: x\n",
        "  a-7 [003] ..... 12.000003: one: x\n",
        "  stray\n  a-7 [003] ..... 12.000002: one: x\n",
    ],
)
def test_text_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(PairingError):
        pair(line, [(12_000_002_000, raw(1, 7))], 3, KINDS)


def test_names_of_other_tasks_are_seen() -> None:
    named = kind("named", 3, "\tfield:char next_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n")
    for comm, foreign in ((b"tpkit-files", False), (b"bash", True), (b"tpkit\0rest", True), (b"", False)):
        assert named.names_others(raw(3, 7) + comm.ljust(16, b"\0")) is foreign


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("filename=/tmp/tpkit-workload-abc/tpkit-true", True),
        ("filename=/home/someone/secret", False),
        ("daddr=127.0.0.1:80", True),
        ("daddr=192.168.7.1", False),
        ("daddrv6=fd77::2 saddrv6=::1", True),
        ("daddrv6=2001:db8::1", False),
        ("dev=eth0 len=5", False),
    ],
)
def test_what_tells_of_the_machine_stays_out(text: str, fit: bool) -> None:
    each = PairedRecord("test:one", text.encode(), text, 0, 0, 1, 7, 0)
    assert is_publishable(each, (b"eth0",)) is fit


@pytest.mark.live
@pytest.mark.skipif(
    os.geteuid() != 0 or not (TRACEFS / "instances").is_dir(), reason="needs root and a mounted tracefs"
)
def test_live_recording() -> None:
    """Every raw record finds its text; tracefs is left as it was."""
    before = sorted((TRACEFS / "instances").iterdir())
    tally = Tally()
    records = record([Pass("files"), Pass("rings")], tally=tally)
    assert tally.lost == 0
    assert len({each.event for each in records}) > 100
    assert sorted((TRACEFS / "instances").iterdir()) == before
