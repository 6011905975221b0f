"""What sinks say of whole calls: results, names that depend on other arguments, memory and where it is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records import batch, record
from tpkit import parse_event, parse_filter
from tpkit.batch import Batch
from tpkit.codegen.bcc import generate_bcc
from tpkit.codegen.packed import plan_packed
from tpkit.decode.clock import Clock
from tpkit.decode.columns import rows_by_event
from tpkit.decode.words import DEFAULT_WORDING, DataWords, Wording
from tpkit.model import EventFormat, TracepointId
from tpkit.payload import PayloadKind
from tpkit.program import Call, ProbeSpec
from tpkit.record import CUT, Column, Display, RecordLayout
from tpkit.sinks.csvlines import CsvSink
from tpkit.sinks.jsonlines import JsonLinesSink
from tpkit.sinks.output import Output
from tpkit.sinks.record_head import Head
from tpkit.sinks.text import TextSink

CLOCK = Clock(0)
X86 = Wording(machine="x86_64")
RAW = Wording(machine="x86_64", raw=True)

COMMON = (
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
)


def event(name: str, *parameters: str) -> EventFormat:
    """A system call's event, as the kernel writes its format; parameters as C declares them."""
    fields = "".join(
        f"\tfield:{each};\toffset:{16 + 8 * at};\tsize:8;\tsigned:{int(each.startswith('long'))};\n"
        for at, each in enumerate(parameters)
    )
    text = f'name: {name}\nID: 7\nformat:\n{COMMON}{fields}\nprint fmt: ""\n'
    return parse_event(text, TracepointId("syscalls", name))


def call(name: str, *parameters: str, **options: Any) -> RecordLayout:
    """The layout of a whole call, as the trace engine has it."""
    both = Call(event(f"sys_enter_{name}", *parameters), event(f"sys_exit_{name}", "long ret"))
    (layout,) = plan_packed(ProbeSpec((), (both,), **options)).layouts
    return layout


FCNTL = call("fcntl", "unsigned int fd", "unsigned int cmd", "unsigned long arg")
MMAP = call("mmap", "unsigned long addr", "unsigned long len", "unsigned long prot", "unsigned long flags")
UMASK = call("umask", "int mask")
PERSONALITY = call("personality", "unsigned int personality")
SCHEDULER = call("sched_getscheduler", "pid_t pid")
SOCKET = call("socket", "int family", "int type", "int protocol")
PRCTL = call("prctl", "int option", "unsigned long arg2", "unsigned long arg3", "unsigned long arg4")
WRITE = call("write", "unsigned int fd", "const char * buf", "size_t count")
READ = call("read", "unsigned int fd", "char * buf", "size_t count")
FSTAT = call("newfstat", "unsigned int fd", "struct stat * statbuf")
NANOSLEEP = call("nanosleep", "struct __kernel_timespec * rqtp", "struct __kernel_timespec * rmtp")
GETCWD = call("getcwd", "char * buf", "unsigned long size")
EXECVE = call("execve", "const char * filename", "const char *const * argv", "const char *const * envp")

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETLK, F_GETOWN_EX = 0, 1, 2, 3, 4, 6, 16
PERSONAL = "PER_LINUX|ADDR_NO_RANDOMIZE"
SECOND = (1).to_bytes(8, "little") + bytes(8)


def of(layout: RecordLayout, payloads: dict[str, bytes | None] | None = None, /, ret: int = 0, **members: int) -> bytes:
    """A record of this call."""
    assert layout.result is not None
    values = {layout.result.value.name: ret, **members}
    return record((layout,), 0, None, payloads, **{_member(layout, name): value for name, value in values.items()})


def _member(layout: RecordLayout, name: str) -> str:
    names = {column.label: column.value.name for column in layout.shown}
    return names.get(name, name)


def written(path: Path, make: Callable[[Output], Any], layout: RecordLayout, records: Sequence[bytes]) -> str:
    with Output.file(path / "out") as output:
        sink = make(output)
        sink.begin()
        sink.write(batch((layout,), *records))
    return (path / "out").read_bytes().decode()


def text_of(path: Path, layout: RecordLayout, *records: bytes, wording: Wording = X86) -> list[str]:
    """Each line's call, without its duration."""
    text = written(path, lambda out: TextSink(out, CLOCK, header=False, wording=wording), layout, records)
    return [line.split(" rm ")[1].strip().rsplit(" <", 1)[0] for line in text.splitlines()]


def json_of(path: Path, layout: RecordLayout, *records: bytes, wording: Wording = X86) -> list[dict[str, Any]]:
    text = written(path, lambda out: JsonLinesSink(out, CLOCK, wording=wording), layout, records)
    return [json.loads(line) for line in text.splitlines()]


def csv_of(path: Path, layout: RecordLayout, *records: bytes, wording: Wording = X86) -> list[dict[str, str]]:
    text = written(path, lambda out: CsvSink(out, CLOCK, (layout,), wording=wording), layout, records)
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [{name: cell for name, cell in row.items() if cell} for row in rows]


# ------------------------------------------------------------------------------------- results


@pytest.mark.parametrize(
    ("layout", "members", "ret", "shown", "text"),
    [
        (MMAP, {"addr": 0}, 0x7F00_0000_0000, "0x7f0000000000", "0x7f0000000000"),
        (MMAP, {"addr": 0}, -12, "-1 ENOMEM (Cannot allocate memory)", "-ENOMEM"),
        (UMASK, {"mask": 0o77}, 0o22, "022", None),
        (UMASK, {"mask": 0}, 0, "0", None),
        (PERSONALITY, {"personality": 0xFFFFFFFF}, 0x40000, "0x40000 (PER_LINUX|ADDR_NO_RANDOMIZE)", PERSONAL),
        (SCHEDULER, {"pid": 0}, 0, "0 (SCHED_OTHER)", "SCHED_OTHER"),
        (FCNTL, {"cmd": F_GETFL}, 0o100002, "0x8002 (flags O_RDWR|O_LARGEFILE)", "O_RDWR|O_LARGEFILE"),
        (FCNTL, {"cmd": F_GETFL}, 0, "0 (flags O_RDONLY)", "O_RDONLY"),
        (FCNTL, {"cmd": F_GETFD}, 1, "0x1 (flags FD_CLOEXEC)", "FD_CLOEXEC"),
        (FCNTL, {"cmd": F_GETFD}, 0, "0", None),
        (FCNTL, {"cmd": F_GETFL}, -9, "-1 EBADF (Bad file descriptor)", "-EBADF"),
        (FCNTL, {"cmd": F_DUPFD}, 2, "2", None),
        (WRITE, {"count": 2}, 2, "2", None),
    ],
)
def test_results(
    tmp_path: Path, layout: RecordLayout, members: dict[str, int], ret: int, shown: str, text: str | None
) -> None:
    """Alone, and among calls whose results mean other things."""
    other = of(layout, ret=5, **{**members, **({"cmd": F_DUPFD} if "cmd" in members else {})})
    for records in ([of(layout, ret=ret, **members)], [of(layout, ret=ret, **members), other]):
        assert text_of(tmp_path, layout, *records)[0].split(" = ")[1] == shown
        told = json_of(tmp_path, layout, *records)[0]
        assert told["ret"] == ret
        assert told.get("ret_text") == text
        row = csv_of(tmp_path, layout, *records)[0]
        assert (row["ret"], row.get("ret_text")) == (str(ret), text and text.removeprefix("-"))
    raw = json_of(tmp_path, layout, of(layout, ret=ret, **members), wording=RAW)
    assert "ret_text" not in raw[0]


def test_errors_of_calls_that_return_addresses_can_be_filtered_for() -> None:
    both = Call(event("sys_enter_mmap", "unsigned long addr"), event("sys_exit_mmap", "long ret"))
    spec = ProbeSpec((), (both,), filters=(parse_filter("ret == -ENOMEM"),))
    assert "ret == -12" in "".join(generate_bcc(spec).sources)


# ------------------------------------------------------------------ what other arguments decide


@pytest.mark.parametrize(
    ("layout", "members", "name", "shown", "text"),
    [
        (FCNTL, {"cmd": F_SETFD, "arg": 1}, "arg", "FD_CLOEXEC", "FD_CLOEXEC"),
        (FCNTL, {"cmd": F_SETFL, "arg": 0o4002}, "arg", "O_RDWR|O_NONBLOCK", "O_RDWR|O_NONBLOCK"),
        (FCNTL, {"cmd": F_DUPFD, "arg": 3}, "arg", "3", None),
        (FCNTL, {"cmd": F_DUPFD, "arg": 0x20000}, "arg", "131072", None),
        (FCNTL, {"cmd": 9999, "arg": 3}, "arg", "3", None),
        (FCNTL, {"cmd": F_SETLK, "arg": 0x10}, "arg", "0x10", None),
        (SOCKET, {"family": 2, "protocol": 6}, "protocol", "IPPROTO_TCP", "IPPROTO_TCP"),
        (SOCKET, {"family": 16, "protocol": 6}, "protocol", "NETLINK_XFRM", "NETLINK_XFRM"),
        (SOCKET, {"family": 1, "protocol": 6}, "protocol", "6", None),
        (PRCTL, {"option": 1, "arg2": 9}, "arg2", "SIGKILL", "SIGKILL"),
        (PRCTL, {"option": 47, "arg2": 2, "arg3": 21}, "arg3", "CAP_SYS_ADMIN", "CAP_SYS_ADMIN"),
        (PRCTL, {"option": 4, "arg2": 1}, "arg2", "0x1", None),
    ],
)
def test_names_that_depend(
    tmp_path: Path, layout: RecordLayout, members: dict[str, int], name: str, shown: str, text: str | None
) -> None:
    unread: dict[str, bytes | None] = {column.label: None for column in layout.payloads}
    records = [of(layout, unread, **members), of(layout, unread)]
    assert argument(text_of(tmp_path, layout, *records)[0], name) == shown
    told = json_of(tmp_path, layout, *records)[0]
    assert told["args"][name] == members[name]
    assert told.get("args_text", {}).get(name) == text
    row = csv_of(tmp_path, layout, *records)[0]
    assert (row[name], row.get(f"{name}_text")) == (str(members[name]), text)
    raw = argument(text_of(tmp_path, layout, *records, wording=RAW)[0], name)
    assert int(raw, 0) == members[name]


def argument(line: str, name: str) -> str:
    """A number's text in a line of a call."""
    found = re.search(rf"\b{name}=([^,)]*)", line)
    assert found is not None
    return found[1]


def test_each_row_has_what_its_own_numbers_decide(tmp_path: Path) -> None:
    records = [of(FCNTL, {"arg": None}, cmd=cmd, arg=1) for cmd in (F_SETFD, F_SETFL, F_DUPFD, F_SETFD)]
    found = [argument(line, "arg") for line in text_of(tmp_path, FCNTL, *records)]
    assert found == ["FD_CLOEXEC", "O_WRONLY", "1", "FD_CLOEXEC"]


def test_an_entry_alone_has_the_same_names(tmp_path: Path) -> None:
    both = event("sys_enter_socket", "int family", "int type", "int protocol")
    (layout,) = plan_packed(ProbeSpec((both,))).layouts
    (line,) = text_of(tmp_path, layout, record((layout,), 0, family=16, type=3, protocol=0))
    assert line == "sys_enter_socket(family=AF_NETLINK, type=SOCK_RAW, protocol=NETLINK_ROUTE)"


# -------------------------------------------------------------------------------------- memory


def test_memory_is_words_beside_its_address(tmp_path: Path) -> None:
    known = of(NANOSLEEP, {"rqtp": SECOND}, rqtp=0x7F00)
    assert text_of(tmp_path, NANOSLEEP, known) == ["nanosleep(rqtp={tv_sec=1, tv_nsec=0}, rmtp=NULL) = 0"]
    (told,) = json_of(tmp_path, NANOSLEEP, known)
    assert told["args"] == {"rqtp": "0x7f00", "rmtp": "NULL"}
    assert told["args_text"] == {"rqtp": "{tv_sec=1, tv_nsec=0}"}
    (row,) = csv_of(tmp_path, NANOSLEEP, known)
    assert (row["rqtp"], row["rqtp_text"]) == ("0x7f00", "{tv_sec=1, tv_nsec=0}")
    assert text_of(tmp_path, NANOSLEEP, known, wording=RAW) == ["nanosleep(rqtp=0x7f00, rmtp=NULL) = 0"]
    assert json_of(tmp_path, NANOSLEEP, known, wording=RAW)[0]["args"]["rqtp"] == "0x7f00"


def test_memory_without_words_is_its_address(tmp_path: Path) -> None:
    """Wherever that is, among calls that have words."""
    records = [of(NANOSLEEP, {"rqtp": data}, rqtp=at) for data, at in ((None, 0x7F00), (SECOND, 8), (None, 0))]
    found = [line.split(", rmtp")[0] for line in text_of(tmp_path, NANOSLEEP, *records)]
    assert found == ["nanosleep(rqtp=0x7f00", "nanosleep(rqtp={tv_sec=1, tv_nsec=0}", "nanosleep(rqtp=NULL"]
    told = json_of(tmp_path, NANOSLEEP, *records)
    assert [each["args"]["rqtp"] for each in told] == ["0x7f00", "0x8", "NULL"]
    assert ["args_text" in each for each in told] == [False, True, False]
    assert [each.get("args_unreadable") for each in told] == [["rqtp"], None, None]


def test_what_a_failed_call_left_alone_is_not_missing(tmp_path: Path) -> None:
    records = [of(FSTAT, {"statbuf": None}, statbuf=0x7F00, ret=ret) for ret in (-9, 0)]
    assert [each.get("args_unreadable") for each in json_of(tmp_path, FSTAT, *records)] == [None, ["statbuf"]]
    assert [row.get("unreadable") for row in csv_of(tmp_path, FSTAT, *records)] == [None, "statbuf"]


def test_a_number_that_leads_nowhere_is_not_missing(tmp_path: Path) -> None:
    records = [of(FCNTL, {"arg": None}, cmd=cmd, arg=5) for cmd in (F_DUPFD, F_SETLK, 9999)]
    told = json_of(tmp_path, FCNTL, *records)
    assert [each.get("args_unreadable") for each in told] == [None, ["arg"], None]


def test_words_depend_on_the_command_and_on_success(tmp_path: Path) -> None:
    owner = (1).to_bytes(4, "little") * 2
    records = [of(FCNTL, {"arg": owner}, cmd=F_GETOWN_EX, arg=0x7F00, ret=ret) for ret in (0, -9)]
    found = [line.split("arg=")[1].split(") =")[0] for line in text_of(tmp_path, FCNTL, *records)]
    assert found == ["{type=F_OWNER_PID, pid=1}", "0x7f00"]


def test_buffers_are_text(tmp_path: Path) -> None:
    texts: list[bytes | None] = [b"hello\n", b"\xff\x00", b"x" * 33, None]
    records = [of(WRITE, {"buf": text}, buf=0x7F00, count=40) for text in texts]
    found = [line.split("buf=")[1].split(", count")[0] for line in text_of(tmp_path, WRITE, *records)]
    assert found == ['"hello\\n"', '"\\377\\000"', '"' + "x" * 32 + '"...', "0x7f00"]
    told = json_of(tmp_path, WRITE, *records)
    assert [each["args"]["buf"] for each in told] == ["hello\n", "\ufffd\0", "x" * 32, "0x7f00"]
    assert [each.get("args_hex") for each in told] == [None, {"buf": "ff00"}, None, None]
    assert [each.get("args_truncated") for each in told] == [None, None, ["buf"], None]
    assert [each.get("args_unreadable") for each in told] == [None, None, None, ["buf"]]
    assert not any("args_text" in each for each in told)
    rows = csv_of(tmp_path, WRITE, *records)
    assert [row["buf"] for row in rows] == ["hello\\n", "\\377\\000", "x" * 32, "0x7f00"]
    assert "buf_text" not in rows[0]


def test_a_buffer_that_no_text_was_read_into(tmp_path: Path) -> None:
    """Then args has an address in place of a text, and says so."""
    (told,) = json_of(tmp_path, READ, of(READ, {"buf": None}, buf=0x7F00, ret=-9))
    assert (told["args"]["buf"], told["args_unreadable"]) == ("0x7f00", ["buf"])


def test_a_string_that_the_kernel_filled_has_no_zero(tmp_path: Path) -> None:
    (line,) = text_of(tmp_path, GETCWD, of(GETCWD, {"buf": b"/tmp\0"}, size=4096, ret=5))
    assert line == 'getcwd(buf="/tmp", size=4096) = 5'


def column_of(layout: RecordLayout, label: str) -> Column:
    return next(column for column in layout.columns if column.label == label)


@pytest.mark.parametrize(
    ("data", "size", "shown"),
    [
        (b"ls\0-l\0", 6, '["ls", "-l"]'),
        (b"ls\0-l\0", 6 | CUT, '["ls", "-l", ...]'),  # there were more
        (b"ls\0" + b"x" * 1020 + b"\0", 1025, '["ls", "' + "x" * 1020 + '"..., ...]'),  # there was no more room
    ],
)
def test_strings_of_which_there_are_more(tmp_path: Path, data: bytes, size: int, shown: str) -> None:
    layout = call(
        "execve", "const char * filename", "const char *const * argv", "const char *const * envp", string_size=1024
    )
    column = column_of(layout, "argv")
    assert column.size is not None
    whole = data.ljust(min(size & ~CUT, column.room), b"\0")
    called = record((layout,), 0, None, {"filename": b"/bin/ls", "argv": whole}, **{column.size.name: size})
    (line,) = text_of(tmp_path, layout, called)
    assert line.split("argv=")[1].split(", envp")[0] == shown


# ---------------------------------------------------------------------------------- the columns


def test_displays_are_the_calls_own() -> None:
    assert [column_of(MMAP, name).display for name in ("addr", "len")] == [Display.POINTER, Display.DECIMAL]
    assert column_of(FCNTL, "cmd").display is Display.HEX
    assert column_of(UMASK, "mask").display is Display.OCTAL
    assert column_of(FCNTL, "arg").dependent == "fcntl.arg"
    assert FCNTL.result is not None
    assert FCNTL.result.dependent == "fcntl"
    assert column_of(MMAP, "addr").dependent is None


def test_words_are_made_once_for_each_different_memory() -> None:
    """Where it is doesn't matter, only what is in it, and the numbers that its words need."""
    made: list[str] = []

    def say(word: str) -> bytes:
        made.append(word)
        return word.encode()

    same: Batch = batch((FSTAT,), *(of(FSTAT, {"statbuf": bytes(144)}, fd=at, statbuf=at) for at in range(1, 9)))
    (rows,) = rows_by_event(same)
    column = column_of(FSTAT, "statbuf")
    assert column.payload is not None
    assert column.payload.kind is PayloadKind.STAT
    assert len(DataWords(column, FSTAT, DEFAULT_WORDING, say).each(rows.values[1], rows)) == 8
    assert len(made) == 1


def test_layouts_of_calls_come_back() -> None:
    layouts = (FCNTL, MMAP, WRITE, FSTAT, EXECVE, PERSONALITY)
    assert Head.of_line(Head(layouts, 0).line(), "file").layouts == layouts


def test_a_key_of_somebody_elses_making_has_no_names(tmp_path: Path) -> None:
    """A file of records may claim that anything depends on anything."""
    for key in ("nothing.at", "prctl.arg3", "", "fcntl"):
        columns = tuple(replace(column, dependent=key) for column in SOCKET.columns)
        layout = replace(SOCKET, columns=columns)
        assert text_of(tmp_path, layout, of(layout, family=2, type=1)) == ["socket(family=2, type=1, protocol=0) = 0"]
