"""How fields are shown, told by what their print fmt says of them, in text and in JSON."""

from __future__ import annotations

import errno
import socket

import pytest

from tests.conftest import ReadFixture
from tpkit.codegen.columns import plan_columns
from tpkit.decode.naming import number_shower
from tpkit.decode.words import address, numbers
from tpkit.format_parser import parse_event
from tpkit.model import EventFormat, TracepointId
from tpkit.record import Column, Display, Scalar


def column(read: ReadFixture, event: str, name: str, kernel: str = "6.18") -> Column:
    return next(s.column for s in plan_columns(read(event, kernel), 64) if s.column.label == name)


@pytest.mark.parametrize(
    ("event", "name", "display"),
    [
        ("sock:inet_sock_set_state", "saddr", Display.IPV4),
        ("sock:inet_sock_set_state", "daddr_v6", Display.IPV6),
        ("tcp:tcp_probe", "saddr", Display.SOCKET_ADDRESS),
        ("raw_syscalls:sys_enter", "args", Display.NUMBERS),
        ("block:block_rq_issue", "dev", Display.DEVICE),
        ("block:block_rq_issue", "ioprio", Display.DECIMAL),
        ("kmem:kmalloc", "call_site", Display.POINTER),
        ("kmem:kmalloc", "bytes_req", Display.DECIMAL),
        ("sched:sched_switch", "prev_comm", Display.TEXT),
        ("sched:sched_switch", "prev_pid", Display.DECIMAL),
        ("syscalls:sys_enter_openat", "mode", Display.OCTAL),
        ("syscalls:sys_enter_openat", "filename", Display.TEXT),
        ("syscalls:sys_enter_unlinkat", "flag", Display.DECIMAL),
        ("syscalls:sys_exit_unlinkat", "ret", Display.ERROR),
    ],
)
def test_displays(read_fixture: ReadFixture, event: str, name: str, display: Display) -> None:
    kernel = "7.2" if event.startswith("tcp:") else "6.18"
    assert column(read_fixture, event, name, kernel).display is display


def test_numbers_as_text(read_fixture: ReadFixture) -> None:
    mode = number_shower(column(read_fixture, "syscalls:sys_enter_openat", "mode"))
    assert [mode(n) for n in (0, 0o644)] == ["0", "0644"]
    result = number_shower(column(read_fixture, "syscalls:sys_exit_unlinkat", "ret"))
    assert [result(n) for n in (0, -2, -4000)] == ["0", "-ENOENT", "-4000"]
    directory = number_shower(column(read_fixture, "syscalls:sys_enter_unlinkat", "dfd"))
    assert [directory(n) for n in (-100, 3)] == ["AT_FDCWD", "3"]


def made_up(event: str, declaration: str, size: int, print_fmt: str = '""') -> EventFormat:
    field = f"\tfield:{declaration};\toffset:16;\tsize:{size};\tsigned:0;\n"
    name = TracepointId.parse(event)
    return parse_event(f"name: {name.name}\nID: 1\nformat:\n{field}\nprint fmt: {print_fmt}\n", name)


@pytest.mark.parametrize(
    "declaration",
    ["unsigned int fd", "unsigned int fildes", "unsigned int newfd", "unsigned long fd", "long pid", "int fd"],
)
def test_descriptors_and_processes_may_be_none(declaration: str) -> None:
    (source,) = plan_columns(made_up("syscalls:sys_enter_x", declaration, 8), 64)
    assert (source.column.value.scalar, number_shower(source.column)(-1)) == (Scalar.S32, "-1")


@pytest.mark.parametrize("declaration", ["unsigned int max_fd", "unsigned int nfds", "unsigned long len"])
def test_other_numbers_have_no_sign(declaration: str) -> None:
    (source,) = plan_columns(made_up("syscalls:sys_enter_x", declaration, 8), 64)
    assert not source.column.value.scalar.is_signed


@pytest.mark.parametrize(("number", "name"), [(0, "0"), (1, "1"), (2, "ABS"), (3, "REL"), (7, "7")])
def test_names_that_only_the_kernels_enums_know(number: int, name: str) -> None:
    table = '{ HRTIMER_MODE_ABS, "ABS" }, { HRTIMER_MODE_REL, "REL" }'
    event = made_up("timer:x", "enum hrtimer_mode mode", 4, f'"%s", __print_symbolic(REC->mode, {table})')
    known = {"HRTIMER_MODE_ABS": 2, "HRTIMER_MODE_REL": 3}  # what a kernel's BTF may say
    (source,) = plan_columns(event, 64, enum_value=known.get)
    assert number_shower(source.column)(number) == name
    (source,) = plan_columns(event, 64)
    assert number_shower(source.column)(number) == str(number)


@pytest.mark.parametrize("kernel", ["5.10", "6.18", "7.2"])
def test_states_are_those_of_the_kernels_own_text(read_fixture: ReadFixture, kernel: str) -> None:
    event = read_fixture("sched:sched_switch", kernel)
    show = number_shower(column(read_fixture, "sched:sched_switch", "prev_state", kernel))
    field = event.field("prev_state")
    for state in (0, *(1 << bit for bit in range(9)), 3, 0x41):
        record = bytearray(64)
        record[field.offset : field.offset + 8] = state.to_bytes(8, "little")
        assert f" prev_state={show(state)} ==>" in event.render(bytes(record))


def test_errors_have_the_kernels_names(read_fixture: ReadFixture) -> None:
    result = number_shower(column(read_fixture, "syscalls:sys_exit_unlinkat", "ret"))
    numbers_of_errors = (errno.EOPNOTSUPP, errno.EDEADLK, errno.EAGAIN, errno.ENOENT)
    assert [result(-n) for n in numbers_of_errors] == ["-EOPNOTSUPP", "-EDEADLK", "-EAGAIN", "-ENOENT"]


def test_devices(read_fixture: ReadFixture) -> None:
    shown = number_shower(column(read_fixture, "block:block_rq_issue", "dev"))
    numbers_of_devices = (0, 8 << 20, (259 << 20) + 17, (1 << 32) - 1, -1)
    last = "4095:1048575"
    assert list(map(shown, numbers_of_devices)) == ["0:0", "8:0", "259:17", last, last]


@pytest.mark.parametrize(
    ("print_fmt", "display"),
    [
        ('"%d,%d", ((unsigned int) ((REC->d) >> 20)), ((unsigned int) ((REC->d) & ((1U << 20) - 1)))', Display.DEVICE),
        ('"%d %d", REC->d & ((1U << 20) - 1), REC->d >> 20', Display.DEVICE),
        ('"%d", ((unsigned int) ((REC->d) >> 20))', Display.DECIMAL),
        ('"%d", ((unsigned int) ((REC->d) & ((1U << 20) - 1)))', Display.DECIMAL),
        ('"%d,%d", ((REC->d) >> 20), ((REC->e) & ((1U << 20) - 1))', Display.DECIMAL),
        ('"%d,%d", ((REC->d) >> 10), ((REC->d) & ((1U << 10) - 1))', Display.DECIMAL),
        ('"%d,%d", (((REC->d) + 1) >> 20), (((REC->d) + 1) & ((1U << 20) - 1))', Display.DECIMAL),
        ('"%p", (void *)REC->d', Display.POINTER),
        ('"%pS", (void *)REC->d', Display.POINTER),
        ('"%pK", REC->d', Display.POINTER),
        ('"%pd", REC->d', Display.DECIMAL),
        ('"%ph", REC->d', Display.DECIMAL),
    ],
)
def test_what_print_fmts_say_of_numbers(print_fmt: str, display: Display) -> None:
    fields = "".join(
        f"\tfield:unsigned int {name};\toffset:{at};\tsize:4;\tsigned:0;\n" for name, at in (("d", 8), ("e", 12))
    )
    event = parse_event(f"name: x\nID: 1\nformat:\n\n{fields}\nprint fmt: {print_fmt}\n", TracepointId("own", "x"))
    assert plan_columns(event, 64)[0].column.display is display


def test_an_array_of_numbers(read_fixture: ReadFixture) -> None:
    args = column(read_fixture, "raw_syscalls:sys_enter", "args")
    data = b"".join(n.to_bytes(8, "little") for n in (1, 2**64 - 1, 3))
    assert numbers(args, data) == [1, 2**64 - 1, 3]
    assert numbers(args, data[:-1]) == [1, 2**64 - 1]


def test_addresses() -> None:
    port = (443).to_bytes(2, "big")
    four = socket.AF_INET.to_bytes(2, "little") + port + bytes([127, 0, 0, 1])
    six = socket.AF_INET6.to_bytes(2, "little") + port + bytes(4) + bytes(15) + b"\1"
    assert address(Display.IPV4, bytes([10, 0, 0, 255])) == "10.0.0.255"
    assert address(Display.IPV6, bytes(15) + b"\1") == "::1"
    assert address(Display.SOCKET_ADDRESS, four + bytes(20)) == "127.0.0.1:443"
    assert address(Display.SOCKET_ADDRESS, six) == "[::1]:443"
    assert address(Display.SOCKET_ADDRESS, bytes(28)) == "AF_UNSPEC"
    for data in (b"", b"\2\0\0", six[:20], b"\x77\x77" + bytes(26)):
        assert address(Display.SOCKET_ADDRESS, data) in (None, "AF_UNSPEC")
    assert address(Display.BYTES, bytes(4)) is None


def test_addresses_that_are_no_pointers(read_fixture: ReadFixture) -> None:
    """As strace has them; a length is a number all the same."""
    shown = {name: number_shower(column(read_fixture, "syscalls:sys_enter_mmap", name)) for name in ("addr", "len")}
    assert (shown["addr"](0x7F0000000000), shown["addr"](0)) == ("0x7f0000000000", "NULL")
    assert shown["len"](4096) == "4096"
