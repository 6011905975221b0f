"""Generated BCC scripts: that they are good Python, and show what ``tpkit trace`` shows."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ReadFixture
from tests.unit.records import Layouts, batch, record
from tpkit import EventFormat, ProbeSpec, Tracefs, parse_event, parse_format
from tpkit.codegen.bcc_plain import plain_source
from tpkit.codegen.bcc_script import generate_bcc_script, literal
from tpkit.codegen.probes import plan_probes
from tpkit.decode.clock import Clock
from tpkit.record import Capture, Column, Display, RecordLayout
from tpkit.sinks.output import Output
from tpkit.sinks.text import TextSink

ROOT = Path(__file__).resolve().parents[2]
STRING_SIZE = 12

# Python names, names that ctypes looks for, names of the script's own, and twice the same.
HOSTILE_NAMES = (
    "system class lambda None self __init__ x x _fields_ _pack_ _anonymous_ __class__ __dict__ _pad9 _ __ _9"
    " from_buffer_copy header event print flags time os sys BPF PROBES Any main True from import"
).split()
HOSTILE_EVENTS = ("BPF", "any", "main", "9p", "_", "a-b.c", "string", "Probe", "class", "record_header", "RCU_x")


def script_of(spec: ProbeSpec) -> str:
    (file,) = generate_bcc_script(spec)
    assert file.executable
    return file.text


def hostile(name: str, category: str = "cat") -> EventFormat:
    lines = "".join(
        f"\tfield:int {field};\toffset:{8 + 4 * n};\tsize:4;\tsigned:1;\n" for n, field in enumerate(HOSTILE_NAMES)
    )
    return parse_format(f'name: {name}\nID: 1\nformat:\n\n{lines}\nprint fmt: ""\n', category)


# ------------------------------------------------------------------------------------ good Python


@pytest.fixture
def scripts(tmp_path: Path, read_fixture: ReadFixture) -> list[Path]:
    """Scripts of many kinds, as files."""
    specs = (
        ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat"),)),
        ProbeSpec((read_fixture("sched:sched_switch"),), pids=(1, 2), comm=b"a\"'\\", pid_namespace=(4, 5)),
        ProbeSpec((read_fixture("tcp:tcp_probe", "7.2"),)),
        ProbeSpec((read_fixture("raw_syscalls:sys_enter"),), pids=(1,)),
        ProbeSpec((read_fixture("ipi:ipi_send_cpumask"),), pid_namespace=(4, 5)),
        ProbeSpec(
            tuple(map(read_fixture, ("kmem:kmalloc", "sock:inet_sock_set_state", "syscalls:sys_exit_unlinkat")))
        ),
        ProbeSpec(tuple(hostile(name, f"c-{n}.x") for n, name in enumerate(HOSTILE_EVENTS))),
    )
    paths = []
    for number, spec in enumerate(specs):
        paths.append(tmp_path / f"script_{number}.py")
        paths[-1].write_text(script_of(spec))
    return paths


def test_scripts_are_python_3_9(scripts: list[Path]) -> None:
    for path in scripts:
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_ruff_finds_nothing(scripts: list[Path]) -> None:
    pytest.importorskip("ruff")
    rules = ["--config", str(ROOT / "pyproject.toml"), "--extend-select", "B"]
    checked("ruff", "check", "--no-cache", *rules, *map(str, scripts))


@pytest.mark.parametrize("interpreter", [sys.executable, "/usr/bin/python3"])
def test_mypy_finds_nothing(scripts: list[Path], tmp_path: Path, interpreter: str) -> None:
    """With a Python that has BCC, and with one that hasn't."""
    pytest.importorskip("mypy")
    if not Path(interpreter).exists():
        pytest.skip(f"there is no {interpreter}")
    options = ["--strict", "--config-file", "/dev/null", "--cache-dir", str(tmp_path / "cache")]
    checked("mypy", *options, "--python-executable", interpreter, *map(str, scripts))


def checked(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_script_holds_what_its_events_need_and_no_more(read_fixture: ReadFixture) -> None:
    unlinkat = script_of(ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat"),)))
    assert 'DFD_NAMES = {-100: "AT_FDCWD"}' in unlinkat
    for word in ("ipv6", "socket", "errno", "def numbers", "pidfd", "PID_NAMESPACE", "def octal"):
        assert word not in unlinkat
    exit_only = script_of(ProbeSpec((read_fixture("syscalls:sys_exit_unlinkat"),)))
    assert "def error(" in exit_only
    for word in ("def quote", "STRING_SIZE", "_NAMES", "def pointer"):
        assert word not in exit_only
    assert "def socket_address" in script_of(ProbeSpec((read_fixture("tcp:tcp_probe", "7.2"),)))


def test_the_program_is_a_plain_one(read_fixture: ReadFixture) -> None:
    events = (read_fixture("syscalls:sys_enter_unlinkat"), read_fixture("syscalls:sys_exit_unlinkat"))
    spec = ProbeSpec(events, pids=(12, 34), comm=b"rm", string_size=10, pid_namespace=(4, 5))
    assert plain_source(spec) in script_of(spec)
    assert "PIDS = (12, 34)\nPID_NAMESPACE = (4, 5)" in script_of(spec)


def test_without_pids_a_script_excludes_itself(read_fixture: ReadFixture) -> None:
    text = script_of(ProbeSpec((read_fixture("syscalls:sys_enter_write"),), exclude_pid=4321))
    assert "if (pid == OWN_PID)" in text
    assert 'f"-DOWN_PID={own_pid()}"' in text
    assert "4321" not in text


def test_the_same_text_every_time(read_fixture: ReadFixture) -> None:
    spec = ProbeSpec((read_fixture("sock:inet_sock_set_state"), read_fixture("kmem:kmalloc")))
    assert script_of(spec) == script_of(spec)


@pytest.mark.parametrize("text", ["", "a", '"', "'", "'\"", "\\", "\n", "\x1b[m", "\u202e", "{x}", '"""'])
def test_literals(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert literal(text).isascii()
    assert literal(text).isprintable()


# ---------------------------------------------------------------------------- what a script prints

RUN = """
import json, runpy, sys
for request in map(json.loads, sys.stdin):
    script = runpy.run_path(request["script"])
    print(json.dumps([script["line"](bytes.fromhex(each)) for each in request["records"]]))
"""


class Scripts:
    """Lets scripts print records that no kernel sent; a stand-in takes BCC's place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests: list[dict[str, Any]] = []
        (folder / "bcc.py").write_text("BPF = None\n")

    def add(self, spec: ProbeSpec, events: Sequence[Happened]) -> None:
        records = [each.for_script(layouts_of(spec)) for each in events]
        path = self._folder / f"script_{len(self._requests)}.py"
        path.write_text(script_of(spec))
        self._requests.append({"script": str(path), "records": [each.hex() for each in records]})

    def lines(self) -> list[list[str]]:
        """For each script the lines that it prints, without their times."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", RUN],
            input="\n".join(map(json.dumps, self._requests)).encode(),
            capture_output=True,
            timeout=600,
            check=False,
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stderr.decode()
        return [[without_time(line) for line in json.loads(answer)] for answer in done.stdout.splitlines()]


def without_time(line: str) -> str:
    assert line[2] == line[5] == ":"
    assert line[8] == "."
    return line[15:].rstrip("\n")


@dataclass(frozen=True)
class Happened:
    """An event that no kernel has seen. members: all of its record, with what strings' rooms hold."""

    probe: int
    header: Mapping[str, Any]
    members: Mapping[str, Any]

    def for_script(self, layouts: Layouts) -> bytes:
        """The record of the script's own program, where each string has its room."""
        return record(layouts, self.probe, self.header, None, **self.members)

    def for_trace(self, layouts: Layouts) -> bytes:
        """The record of the engine: what strings there are, and they alone, behind all else."""
        members, tail = dict(self.members), b""
        for column in layouts[self.probe].payloads:
            assert column.text is not None
            assert column.size is not None
            text = members.pop(column.text.name, b"")[: max(members.get(column.size.name, 0), 0)]
            tail += text + b"\0" * (-len(text) % 8)
        return record(layouts, self.probe, self.header, None, **members) + tail


def layouts_of(spec: ProbeSpec) -> tuple[RecordLayout, ...]:
    """Those of a script's records."""
    return tuple(plan.layout for plan in plan_probes(spec))


def traced(folder: Path, layouts: Layouts, events: Sequence[Happened]) -> list[str]:
    """What ``tpkit trace`` prints, without the times. layouts: the script's."""
    packed = [RecordLayout.fitting(layout.event, layout.columns, packed=True) for layout in layouts]
    with Output.file(folder / "trace") as output:
        TextSink(output, Clock(0)).write(batch(packed, *(each.for_trace(packed) for each in events)))
    # Not splitlines(): it takes more for a line's end than "\n".
    return [without_time(line) for line in (folder / "trace").read_text().removesuffix("\n").split("\n")]


@pytest.mark.parametrize("kernel", ["5.10", "6.18", "7.2"])
def test_scripts_print_what_trace_prints(tmp_path: Path, kernel: str) -> None:
    tree = Tracefs.captured_tree(ROOT / f"tests/fixtures/{kernel}-x86_64")
    scripts, expected = Scripts(tmp_path), []
    for name in tree.event_ids():
        if name.category == "ftrace":
            continue
        spec = ProbeSpec((parse_event(tree.format_text(name), name),), string_size=STRING_SIZE)
        layouts = layouts_of(spec)
        happened = [made_up(layouts, random.Random(f"{name} {n}")) for n in range(8)]  # noqa: S311
        scripts.add(spec, happened)
        expected.append(traced(tmp_path, layouts, happened))
    assert len(expected) > 40
    assert scripts.lines() == expected


def test_several_events(tmp_path: Path, read_fixture: ReadFixture) -> None:
    spec = ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat"), read_fixture("syscalls:sys_exit_unlinkat")))
    path: dict[str, Any] = {"dfd": -100, "pathname_text": b'a\n"\\\x1b\xff', "pathname_size": 7}
    scripts = Scripts(tmp_path)
    scripts.add(spec, [Happened(0, {"comm": b"r\tm"}, path), Happened(1, {}, {"ret": -2})])
    assert scripts.lines() == [[
        r'      42 r\tm            sys_enter_unlinkat(dfd=AT_FDCWD, pathname="a\n\"\\\033\377", flag=0)',
        "      42 rm              sys_exit_unlinkat(ret=-ENOENT)",
    ]]


def test_hostile_names(tmp_path: Path) -> None:
    """Whatever fields and events are called, each argument has its own name and its own value."""
    spec = ProbeSpec(tuple(hostile(name, f"c-{n}.x") for n, name in enumerate(HOSTILE_EVENTS)))
    layouts = layouts_of(spec)
    values = [{c.value.name: 100 + at for at, c in enumerate(layout.columns)} for layout in layouts]
    happened = [Happened(n, {}, members) for n, members in enumerate(values)]
    scripts = Scripts(tmp_path)
    scripts.add(spec, happened)
    (lines,) = scripts.lines()
    assert lines == traced(tmp_path, layouts, happened)
    assert "BPF(system=100, class=101, lambda=102, None=103, self=104, __init__=105, x=106, x_2=107, _f" in lines[0]


def made_up(layouts: Layouts, chance: random.Random) -> Happened:
    """An event as the program might have told of it."""
    members: dict[str, Any] = {}
    for column in layouts[0].columns:
        members.update(made_up_members(column, chance))
    return Happened(0, {"comm": chance.randbytes(15), "pid": chance.randrange(1 << 22)}, members)


def made_up_members(column: Column, chance: random.Random) -> Mapping[str, Any]:
    value = column.value
    if column.capture is Capture.BYTES:
        return {value.name: made_up_bytes(column, value.size, chance)}
    members: dict[str, Any] = {value.name: made_up_number(column, chance)}
    if column.size is not None and column.text is not None:
        length = chance.choice([-14, 1, 5, STRING_SIZE - 1, STRING_SIZE, STRING_SIZE + 1])
        members[column.size.name] = length
        members[column.text.name] = made_up_bytes(column, column.text.size, chance)
        if column.display is Display.TEXT and length >= 0:
            # As the helpers leave it: the zero counts, and what comes behind it is of an earlier record.
            text = bytes(byte or 1 for byte in chance.randbytes(length))
            rest = chance.randbytes(column.text.size - length - 1)
            members |= {column.size.name: length + 1, column.text.name: text + b"\0" + rest}
        elif length > STRING_SIZE:
            members[column.size.name] = chance.randrange(STRING_SIZE + 1, 1000)
    return members


def made_up_number(column: Column, chance: random.Random) -> int:
    scalar = column.value.scalar
    bits = scalar.size * 8
    lowest = -(1 << bits - 1) if scalar.is_signed else 0
    numbers = [0, 1, 2, -2, -5000, 0o644, chance.getrandbits(bits) + lowest]
    if column.table is not None:
        numbers += [number << column.table.shift for number, _ in column.table.symbols] * 3
        numbers.append(sum(chance.sample(numbers, 2)))
    fitting = [number for number in numbers if lowest <= number < lowest + (1 << bits)]
    return chance.choice(fitting)


def made_up_bytes(column: Column, size: int, chance: random.Random) -> bytes:
    if column.display is Display.SOCKET_ADDRESS:  # sometimes one of a known family
        return bytes([chance.choice([0, 2, 10, 77]), 0]) + chance.randbytes(size - 2)
    return chance.randbytes(size)
