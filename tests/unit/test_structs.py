"""What arguments lead to, in words: by example, and for any bytes at all."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpkit.decode.structs import payload_text
from tpkit.decode.structs.members import _SHOWN
from tpkit.model import CType, Field, TracepointId
from tpkit.payload import Payload, PayloadKind
from tpkit.syscall_words.layouts import OWN, STRUCTS
from tpkit.syscall_words.names import NAMES
from tpkit.syscall_words.payloads import all_payloads, needed_numbers, payload_of, struct_name, struct_size

K = PayloadKind
SOCKADDR_IN = struct.pack("<H", socket.AF_INET) + bytes([0, 80, 127, 0, 0, 1]) + bytes(8)
SOCKADDR_IN6 = struct.pack("<H", socket.AF_INET6) + bytes([1, 187]) + bytes(4) + bytes(15) + b"\1" + bytes(4)
FLOCK = struct.pack("<hhxxxxqqixxxx", 1, 0, 5, 10, 0)
CHILD = struct.pack("<iiiiiIixxxxqq", 17, 0, 1, 0, 42, 1000, 3, 1, 2)


def words(
    kind: PayloadKind,
    data: bytes,
    machine: str = "x86_64",
    whole: int | None = None,
    others: Mapping[str, int] | None = None,
) -> str:
    return payload_text(kind, data, whole=len(data) if whole is None else whole, machine=machine, others=others)


def pack(layout: str, *values: int | bytes) -> bytes:
    return struct.pack(f"<{layout}", *values)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (K.BUFFER, b"a\n\xff", '"a\\n\\377"'),
        (K.STRING, b"tmpfs\0garbage", '"tmpfs"'),
        (K.STRINGS, b"sh\0-c\0x\0", '["sh", "-c", "x"]'),
        (K.STRINGS, b"", "[]"),
        (K.STRINGS, b"\0", '[""]'),
        (K.INTS, pack("ii", 3, -1), "[3, -1]"),
        (K.OFFSET, pack("q", 1 << 40), "[1099511627776]"),
        (K.ADDRESS, pack("Q", 0x7F0012345678), "[0x7f0012345678]"),
        (K.PROCESSOR_SET, bytes([3]) + bytes(7) + bytes([2]), "[0 1 65]"),
        (K.TIMESPEC, pack("qq", 1, 500), "{tv_sec=1, tv_nsec=500}"),
        (
            K.TIMESPEC_PAIR,
            pack("qqqq", 0, (1 << 30) - 1, 7, 0),
            "[UTIME_NOW, {tv_sec=7, tv_nsec=0}]",
        ),
        (K.TIMEVAL_PAIR, pack("qqqq", 1, 2, 3, 4), "[{tv_sec=1, tv_usec=2}, {tv_sec=3, tv_usec=4}]"),
        (
            K.ITIMERVAL,
            pack("qqqq", 0, 0, 1, 2),
            "{it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=1, tv_usec=2}}",
        ),
        (K.SIGSET, pack("Q", 1 << 1 | 1 << 14 | 1 << 33), "[INT TERM RT_2]"),
        (K.SIGSET, pack("Q", 2**64 - 1 - (1 << 8)), "~[KILL]"),
        (K.SIGSET, pack("Q", 0), "[]"),
        (K.RLIMIT, pack("QQ", 8 << 20, 2**64 - 1), "{rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}"),
        (K.RLIMIT, pack("QQ", 1024, 1025), "{rlim_cur=1024, rlim_max=1025}"),
        (
            K.POLLFDS,
            pack("ihhihh", 3, 1, 0, 4, 5, 1),
            "[{fd=3, events=POLLIN}, {fd=4, events=POLLIN|POLLOUT, revents=POLLIN}]",
        ),
        (K.EPOLL_EVENT, pack("IQ", 0x80000001, 7), "{events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}"),
        (K.WAIT_STATUS, pack("I", 3 << 8), "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]"),
        (K.WAIT_STATUS, pack("I", 9), "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]"),
        (K.WAIT_STATUS, pack("I", 0x8B), "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}]"),
        (K.WAIT_STATUS, pack("I", 0x137F), "[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}]"),
        (K.WAIT_STATUS, pack("I", 0xFFFF), "[{WIFCONTINUED(s)}]"),
        (K.SOCKADDR, SOCKADDR_IN, '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}'),
        (
            K.SOCKADDR,
            SOCKADDR_IN6,
            "{sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), "
            'inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}',
        ),
        (K.SOCKADDR, pack("H", 1) + b"/run/x\0yz", '{sa_family=AF_UNIX, sun_path="/run/x"}'),
        (K.SOCKADDR, pack("H", 1) + b"\0name", '{sa_family=AF_UNIX, sun_path=@"name"}'),
        (K.SOCKADDR, pack("H", 1), "{sa_family=AF_UNIX}"),
        (K.SOCKADDR, pack("HHII", 16, 0, 42, 1), "{sa_family=AF_NETLINK, nl_pid=42, nl_groups=00000001}"),
        (K.SOCKADDR, SOCKADDR_IN[:6], '{sa_family=AF_INET, sa_data="\\000P\\177\\000"}'),
        (K.SOCKADDR, pack("H", 999) + b"ab", '{sa_family=999, sa_data="ab"}'),
        (K.IOVEC, pack("QQ", 0x1000, 5), "[{iov_base=0x1000, iov_len=5}]"),
        (K.OPEN_HOW, pack("QQQ", 0o100, 0o644, 4), "{flags=O_RDONLY|O_CREAT, mode=0644, resolve=RESOLVE_NO_SYMLINKS}"),
        (K.OPEN_HOW, pack("QQQ", 0, 0, 0), "{flags=O_RDONLY, resolve=0}"),
        (
            K.CLONE_ARGS,
            pack("QQQQQQQQ", 0x4100, 0, 0, 0, 17, 0x1000, 0x9000, 0),
            "{flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x1000, stack_size=0x9000}",
        ),
        (
            K.SIGINFO,
            CHILD,
            "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=42, si_uid=1000, si_status=3, si_utime=1, si_stime=2}",
        ),
        (K.SIGINFO, bytes(48), "{}"),
        (
            K.SCHEDULE,
            pack("IIQiIQQQII", 48, 0, 0, 5, 0, 0, 0, 0, 7, 7),
            "{size=48, sched_policy=SCHED_OTHER, sched_flags=0, sched_nice=5, sched_priority=0, sched_runtime=0, "
            "sched_deadline=0, sched_period=0}",
        ),
        (K.UTSNAME, b"Linux".ljust(65, b"\0") + b"vm".ljust(325, b"\0"), '{sysname="Linux", nodename="vm", ...}'),
        (K.MESSAGE, pack("q", 1) + b"text", '{mtype=1, mtext="text"}'),
        (K.SEMAPHORE_OPERATIONS, pack("Hhh", 0, -1, 0x1000), "[{sem_num=0, sem_op=-1, sem_flg=SEM_UNDO}]"),
        (
            K.FILE_HANDLE,
            pack("Ii", 4, 1) + b"\1\2\3\4rest",
            r'{handle_bytes=4, handle_type=1, f_handle="\x01\x02\x03\x04"}',
        ),
        (
            K.CAPABILITY_DATA,
            pack("IIIIII", 1, 3, 0, 0, 1 << 8, 0),
            "{effective=1<<CAP_CHOWN, permitted=1<<CAP_CHOWN|1<<CAP_DAC_OVERRIDE|1<<CAP_CHECKPOINT_RESTORE, "
            "inheritable=0}",
        ),
        (
            K.DIRENTS,
            pack("QqHB", 2, 1, 24, 4) + b"..\0\0\0" + pack("QqHB", 12, 2, 24, 8) + b"a\x1bb\0\0",
            '[{d_ino=2, d_type=DT_DIR, d_name=".."}, {d_ino=12, d_type=DT_REG, d_name="a\\033b"}]',
        ),
        (K.STATFS, pack("qqqqqqqiiqqq", 0x1021994, 4096, 9, 8, 7, 6, 5, 1, 2, 255, 4096, 0x1020).ljust(120, b"\0"),
         "{f_type=TMPFS_MAGIC, f_bsize=4096, f_blocks=9, f_bfree=8, f_bavail=7, f_files=6, f_ffree=5, "
         "f_fsid={val=[0x1, 0x2]}, f_namelen=255, f_frsize=4096, f_flags=ST_VALID|ST_RELATIME}"),
    ],
)  # fmt: skip
def test_words(kind: PayloadKind, data: bytes, text: str) -> None:
    assert words(kind, data) == text


@pytest.mark.parametrize(
    ("kind", "data", "others", "text"),
    [
        (K.FCNTL, FLOCK, {"cmd": 6}, "{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=5, l_len=10}"),
        (K.FCNTL, FLOCK, {"cmd": 4}, ""),
        (K.FCNTL, FLOCK, {}, ""),
        (
            K.IOCTL,
            pack("HHHH", 24, 80, 0, 0) + bytes(56),
            {"cmd": 0x5413, "ret": 0},
            "{ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}",
        ),
        (K.IOCTL, bytes(64), {"cmd": 0x5413, "ret": -25}, ""),
        (K.IOCTL, pack("i", 1).ljust(64, b"x"), {"cmd": 0x5421, "ret": -9}, "[1]"),
        (K.IOCTL, bytes(64), {"cmd": 12345, "ret": 0}, ""),
        (K.PRCTL, b"worker\0garbage!!", {"option": 15, "ret": 0}, '"worker"'),
        (K.PRCTL, bytes(16), {"option": 4, "ret": 0}, ""),
        (K.PRCTL, pack("i", 9), {"option": 2, "ret": 0}, "[SIGKILL]"),
        (K.ARCH_PRCTL, pack("Q", 0x7F00), {"option": 0x1003, "ret": 0}, "[0x7f00]"),
        (K.ARCH_PRCTL, pack("Q", 0x7F00), {"option": 0x1002, "ret": 0}, ""),
        (K.SECCOMP, pack("HxxxxxxQ", 4, 0x1000), {"op": 1}, "{len=4, filter=0x1000}"),
        (K.SECCOMP, pack("I", 0x7FFF0000), {"op": 2}, "[SECCOMP_RET_ALLOW]"),
        (K.FCNTL, FLOCK, {"cmd": 5, "ret": 0}, "{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=5, l_len=10, l_pid=0}"),
        (
            K.BPF,
            pack("IIIII", 1, 4, 8, 16, 1),
            {"cmd": 0},
            "{map_type=BPF_MAP_TYPE_HASH, key_size=4, value_size=8, max_entries=16, map_flags=BPF_F_NO_PREALLOC}",
        ),
        (K.BPF, pack("IxxxxQQQ", 3, 0x10, 0x20, 0), {"cmd": 2}, "{map_fd=3, key=0x10, value=0x20, flags=0}"),
        (
            K.IOCTL,
            pack("IIII", 0x500, 5, 0xBF, 0x8A3B).ljust(64, b"\0"),
            {"cmd": 0x5401, "ret": 0},
            "{c_iflag=ICRNL|IXON, c_oflag=OPOST|ONLCR, c_cflag=B38400|CS8|CREAD, "
            "c_lflag=ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN, ...}",
        ),
        (K.FUTEX_TIMEOUT, pack("qq", 1, 2), {"op": 0x80}, "{tv_sec=1, tv_nsec=2}"),
        (K.FUTEX_TIMEOUT, pack("qq", 1, 2), {"op": 0x189}, "{tv_sec=1, tv_nsec=2}"),
        (K.FUTEX_TIMEOUT, pack("qq", 1, 2), {"op": 1}, ""),
        (K.SOCKET_OPTION, pack("i", 1), {"level": 1, "optname": 2}, "[1]"),
        (K.SOCKET_OPTION, pack("i", 111), {"level": 1, "optname": 4}, "[ECONNREFUSED]"),
        (K.SOCKET_OPTION, pack("i", 1), {"level": 1, "optname": 3}, "[SOCK_STREAM]"),
        (K.SOCKET_OPTION, pack("ii", 1, 5), {"level": 1, "optname": 13}, "{l_onoff=1, l_linger=5}"),
        (K.SOCKET_OPTION, pack("iII", 1, 2, 3), {"level": 1, "optname": 17}, "{pid=1, uid=2, gid=3}"),
        (K.SOCKET_OPTION, b"cubic\0", {"level": 6, "optname": 13}, '"cubic"'),
        (K.WAIT_STATUS, pack("I", 0), {"ret": 0}, ""),
        (K.PARENT_TID, pack("i", 42), {"clone_flags": 0x100000}, "[42]"),
        (K.PARENT_TID, pack("i", 42), {"clone_flags": 0x11}, ""),
        (
            K.NEW_QUEUE,
            pack("qqqq", 0, 10, 8192, 0),
            {"oflag": 0o102},
            "{mq_flags=0, mq_maxmsg=10, mq_msgsize=8192, mq_curmsgs=0}",
        ),
        (K.NEW_QUEUE, bytes(32), {"oflag": 2}, ""),
        (K.DESCRIPTOR_SET, bytes([0b11000]) + bytes([255] * 127), {"n": 5}, "[3 4]"),
    ],
)  # fmt: skip
def test_words_that_depend(kind: PayloadKind, data: bytes, others: Mapping[str, int], text: str) -> None:
    assert words(kind, data, others=others) == text


@pytest.mark.parametrize(
    ("kind", "data", "whole", "text"),
    [
        (K.BUFFER, b"abc", 10, '"abc"...'),
        (K.STRING, b"abc", 10, '"abc"...'),
        (K.STRINGS, b"sh\0-", 10, '["sh", "-"..., ...]'),
        (K.STRINGS, b"sh\0-lg\0", 10, '["sh", "-lg", ...]'),
        (K.INTS, pack("i", 1), 12, "[1, ...]"),
        (K.POLLFDS, pack("ihh", 3, 1, 0), 16, "[{fd=3, events=POLLIN}, ...]"),
        (K.TIMESPEC, pack("q", 3), 16, "{tv_sec=3, ...}"),
        (K.SOCKADDR, pack("H", 999) + b"ab", 99, '{sa_family=999, sa_data="ab"...}'),
        (
            K.DIRENTS,
            pack("QqHB", 2, 1, 24, 4) + b".\0\0\0\0" + b"rest",
            99,
            '[{d_ino=2, d_type=DT_DIR, d_name="."}, ...]',
        ),
    ],
)
def test_what_is_cut_is_marked(kind: PayloadKind, data: bytes, whole: int, text: str) -> None:
    assert words(kind, data, whole=whole) == text


HEADER = pack("QIxxxxQQQQi4x", 0x9000, 16, 0x9100, 2, 0, 0, 0)
PIECES = pack("QQQQ", 0x1000, 5, 0x2000, 4)
TWO = {"vlen": 2}


@pytest.mark.parametrize(
    ("kind", "data", "whole", "others", "text"),
    [
        (K.IOVEC, PIECES + b"helloworl", 41, TWO, '[{iov_base="hello", iov_len=5}, {iov_base="worl", iov_len=4}]'),
        (K.IOVEC, PIECES + b"hellow", 39, TWO, '[{iov_base="hello", iov_len=5}, {iov_base="w"..., iov_len=4}]'),
        (K.IOVEC, PIECES + b"hel", 36, TWO, '[{iov_base="hel"..., iov_len=5}, {iov_base=0x2000, iov_len=4}]'),
        (K.IOVEC, PIECES + b"hel", 35, TWO, '[{iov_base="hel", iov_len=5}, {iov_base="", iov_len=4}]'),
        (K.IOVEC, PIECES + b"hel", 35, {"nr_segs": 2}, '[{iov_base="hel", iov_len=5}, {iov_base="", iov_len=4}]'),
        (K.IOVEC, PIECES[:16] + b"hel", 20, {"liovcnt": 1}, '[{iov_base="hel"..., iov_len=5}]'),
        (K.SIGSET_ARGUMENT, pack("QQ", 0x1000, 8), 16, {}, "{sigmask=0x1000, sigsetsize=8}"),
        (K.SIGSET_ARGUMENT, pack("QQQ", 0x1000, 8, 1 << 16), 16, {}, "{sigmask=[CHLD], sigsetsize=8}"),
        (K.IOVEC, PIECES, 32, {}, "[{iov_base=0x1000, iov_len=5}, {iov_base=0x2000, iov_len=4}]"),
        (K.IOVEC, PIECES, 64, {}, "[{iov_base=0x1000, iov_len=5}, {iov_base=0x2000, iov_len=4}, ...]"),
        (
            K.MSGHDR,
            HEADER,
            56,
            {},
            "{msg_name=0x9000, msg_namelen=16, msg_iov=0x9100, msg_iovlen=2, msg_controllen=0, msg_flags=0}",
        ),
        (
            K.MSGHDR,
            HEADER + SOCKADDR_IN + PIECES,
            105,
            {},
            '{msg_name={sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, msg_namelen=16, '
            "msg_iov=[{iov_base=0x1000, iov_len=5}, {iov_base=0x2000, iov_len=4}], msg_iovlen=2, msg_controllen=0, "
            "msg_flags=0}",
        ),
        (
            K.MSGHDR,
            HEADER + SOCKADDR_IN,
            73,
            {},
            '{msg_name={sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, msg_namelen=16, '
            "msg_iov=0x9100, msg_iovlen=2, msg_controllen=0, msg_flags=0}",
        ),
        (
            K.MSGHDR,
            HEADER + SOCKADDR_IN + PIECES + b"hello",
            110,
            {},
            '{msg_name={sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, msg_namelen=16, '
            'msg_iov=[{iov_base="hello", iov_len=5}, {iov_base=0x2000, iov_len=4}], msg_iovlen=2, msg_controllen=0, '
            "msg_flags=0}",
        ),
    ],
)
def test_pieces_of_memory(kind: PayloadKind, data: bytes, whole: int, others: Mapping[str, int], text: str) -> None:
    assert words(kind, data, whole=whole, others=others) == text


def test_machines_differ() -> None:
    """A file's status as this machine's kernel laid it out, and as aarch64's would."""
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(144)
    number = {"x86_64": 5, "aarch64": 80}.get(os.uname().machine)  # fstat
    if number is None:
        pytest.skip("the call's number isn't known here")
    with open(os.devnull, "rb") as file:  # noqa: PTH123
        assert libc.syscall(number, file.fileno(), buffer) == 0
    assert words(K.STAT, buffer.raw, os.uname().machine) == "{st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}"
    arm = struct.pack("<QQIIIIQQq", 1, 2, 0o100600, 1, 0, 0, 0, 0, 7).ljust(128, b"\0")
    assert words(K.STAT, arm, "aarch64") == "{st_mode=S_IFREG|0600, st_size=7, ...}"
    action = pack("QQQQ", 1, 0x14000000, 0x1234, 1 << 1)
    restorer = ", sa_restorer=0x1234"
    assert (
        words(K.SIGACTION, action)
        == f"{{sa_handler=SIG_IGN, sa_mask=[INT], sa_flags=SA_RESTORER|SA_RESTART{restorer}}}"
    )
    assert restorer not in words(K.SIGACTION, action[:24], "riscv64")


def test_values_are_this_kernels() -> None:
    """Sizes of what the kernel fills in, where Python can tell them."""
    machine = os.uname().machine
    if machine not in OWN:
        pytest.skip(f"no structs of {machine}")
    assert struct_size("poll", machine) == struct.calcsize("ihh")
    assert struct_size("itimerval", machine) == 4 * struct.calcsize("l")
    assert len(signal.valid_signals()) <= 8 * 8
    libc = ctypes.CDLL(None)
    name = ctypes.create_string_buffer(struct_size("system_name", machine))
    assert libc.uname(name) == 0
    assert words(K.UTSNAME, name.raw, machine).startswith(f'{{sysname="Linux", nodename="{os.uname().nodename[:8]}')


# ------------------------------------------------------------------------------- everything that is known


def payload(argument: str, machine: str = "x86_64") -> Payload | None:
    call, name = argument.split(".")
    field = Field(name, CType("struct x *", "struct x", pointers=1), 24, 8, False)
    return payload_of(TracepointId("syscalls", f"sys_enter_{call}"), field, machine)


@pytest.mark.parametrize("machine", OWN)
def test_every_payload_has_a_size(machine: str) -> None:
    for argument in all_payloads():
        found = payload(argument, machine)
        assert found is not None
        assert 0 <= found.size <= 1024, argument
        assert found.size_argument in (None, *range(6))
        assert not found.size_is_pointer or found.at_exit
        assert not found.sized_by_result or found.at_exit
        assert found.size % found.unit == 0


def test_calls_have_few() -> None:
    calls = [argument.partition(".")[0] for argument in all_payloads()]
    assert max(calls.count(call) for call in calls) <= 6
    assert len(set(calls)) > 100


def test_every_kind_is_used_and_has_words() -> None:
    assert set(all_payloads().values()) == set(PayloadKind)
    for kind in PayloadKind:
        for machine in OWN:
            assert isinstance(words(kind, bytes(512), machine), str)
        assert struct_name(kind) is None or struct_size(struct_name(kind) or "") > 0


def test_what_words_depend_on_is_said() -> None:
    """Numbers that aren't said to be needed change nothing."""
    for kind in PayloadKind:
        others = dict.fromkeys(OTHERS - set(needed_numbers(kind)), 2)
        assert set(needed_numbers(kind)) <= OTHERS
        assert words(kind, bytes(range(128)), others=others) == words(kind, bytes(range(128)))


def test_every_member_can_be_shown() -> None:
    for layouts in (STRUCTS, *OWN.values()):
        for _, _, members in layouts.values():
            for label, _, _, _, shown in members:
                known = shown in _SHOWN or shown in NAMES or shown.removeprefix("struct ") in {*STRUCTS, *OWN["x86_64"]}
                assert not shown or known, (label, shown)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("write.buf", Payload(K.BUFFER, 0, size_argument=2)),
        ("read.buf", Payload(K.BUFFER, 0, size_argument=2, sized_by_result=True, at_exit=True)),
        ("accept.upeer_sockaddr", Payload(K.SOCKADDR, 128, size_argument=2, size_is_pointer=True, at_exit=True)),
        ("poll.ufds", Payload(K.POLLFDS, 128, size_argument=1, unit=8, at_exit=True, in_out=True)),
        ("epoll_wait.events", Payload(K.EPOLL_EVENTS, 192, unit=12, sized_by_result=True, at_exit=True)),
        ("pipe2.fildes", Payload(K.INTS, 8, unit=4, at_exit=True)),
        ("msgsnd.msgp", Payload(K.MESSAGE, 0, size_argument=2, extra=8)),
        ("openat.dfd", None),
    ],
)
def test_payloads(argument: str, expected: Payload | None) -> None:
    assert payload(argument) == expected


def test_only_entries_of_known_machines_have_payloads() -> None:
    field = Field("buf", CType("char *", "char", pointers=1), 24, 8, False)
    assert payload_of(TracepointId("syscalls", "sys_exit_write"), field) is None
    assert payload_of(TracepointId("sched", "sched_switch"), field) is None
    assert payload("write.buf", "pdp11") is None


OTHERS = {"ret", "n", "op", "cmd", "option", "level", "optname", "clone_flags", "oflag", "vlen", "nr_segs", "liovcnt"}


@given(
    kind=st.sampled_from(PayloadKind),
    data=st.binary(max_size=200),
    more=st.integers(-5, 400),
    machine=st.sampled_from(sorted(OWN)),
    others=st.dictionaries(st.sampled_from(sorted(OTHERS)), st.integers(-(2**63), 2**64 - 1)),
)
def test_any_bytes_give_safe_words(
    kind: PayloadKind, data: bytes, more: int, machine: str, others: Mapping[str, int]
) -> None:
    text = payload_text(kind, data, whole=len(data) + more, machine=machine, others=others)
    assert text.isprintable()


@given(
    data=st.binary(max_size=64), known=st.sampled_from([(0x5401, K.IOCTL), (7, K.FCNTL), (15, K.PRCTL), (2, K.FCNTL)])
)
def test_any_bytes_of_known_commands(data: bytes, known: tuple[int, PayloadKind]) -> None:
    assert words(known[1], data, others={"cmd": known[0], "option": known[0], "ret": 0}).isprintable()
