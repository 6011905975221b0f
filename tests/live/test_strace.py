"""Our words for system calls beside strace's, call by call, arguments, memory and results.

Each call is harmless: it asks, or fails, or concerns the process that makes it and ends right after.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.strace import accounts, ours
from tests.strace.caller import MARK
from tests.strace.compare import Compared, compared, summary
from tests.strace.given import Wanted, all_wanted
from tests.strace.lines import Call, calls
from tests.strace.memory import MEMORY_CALLS
from tests.strace.numbers import NUMBERS
from tpkit import Tracefs
from tpkit.syscall_words.dependent import _DEPENDENT
from tpkit.syscall_words.displays import all_displays
from tpkit.syscall_words.payloads import all_payloads, needed_numbers

AIM = 0.95
COUNTS = {"vlen", "nr_segs", "liovcnt"}  # of pieces of memory: calls that have any have one of these


@pytest.fixture
def strace() -> str:
    """strace's path."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("no strace here")
    if os.uname().machine != "x86_64":
        pytest.skip("the calls' numbers are x86-64's")
    if not ours.NUMBERS.exists():
        pytest.skip("no kernel headers here, and so no system calls' numbers")
    return found


def test_arguments_are_this_kernels(syscalls: Tracefs) -> None:
    """No name of an argument is misspelt: each is in its event's format, where the kernel has the event."""
    formats = ours.Formats(syscalls)
    known = {argument: ["ret", *needed_numbers(kind)] for argument, kind in all_payloads().items()}
    known |= {argument: [] for argument in all_displays()}
    known |= {argument: names.split() for argument, (names, _) in _DEPENDENT.items()}
    met = 0
    for argument, needed in known.items():
        call, parameter = argument.split(".")
        columns = formats.columns(call)
        if columns is not None:
            labels = {"ret", *(column.label for column in columns)}
            assert {parameter, *needed} - COUNTS <= labels, argument
            assert len(COUNTS & {*needed} & labels) == (1 if COUNTS & {*needed} else 0), argument
            met += 1
    assert met > 200


def test_words_are_straces(syscalls: Tracefs, strace: str, tmp_path: Path) -> None:
    """What tpkit knows, without a kernel program: ``caller`` tells what its memory held."""
    formats = ours.Formats(syscalls)
    wanted = _workload(formats)
    (tmp_path / "work").mkdir()
    account = tmp_path / "account"
    tracer = (strace, "-f", "-s", "4096", "-o", account, "-e", "signal=none")
    seen = ours.run([*tracer, *ours.command(tmp_path / "work")], ours.orders(formats, wanted))
    theirs = list(_asked(calls(account.read_text(errors="surrogateescape").splitlines()), wanted))
    assert [each.name for each in theirs] == [each.name for each in wanted]
    pairs = [(ours.our_call(formats, one), other) for one, other in zip(seen, theirs, strict=True)]
    _judge([each for one, other in pairs for each in compared(one, other)])


def test_trace_tells_what_strace_tells(syscalls: Tracefs, strace: str, tmp_path: Path) -> None:
    """What ``tpkit trace`` shows of the same calls: both look at one run, so all addresses and numbers are the same."""
    formats = ours.Formats(syscalls)
    (tmp_path / "work").mkdir()
    accounts.record(tmp_path, ours.command(tmp_path / "work"), ours.orders(formats, _workload(formats)))
    found = accounts.read(tmp_path)
    assert not found.missed
    _judge(found.compared())


def _workload(formats: ours.Formats) -> list[Wanted]:
    """All calls that this kernel has."""
    known = ours.call_numbers()
    wanted = [Wanted(name, call) for name, several in NUMBERS.items() for call in several] + all_wanted(MEMORY_CALLS)
    return [each for each in wanted if each.name in known and formats.columns(each.name) is not None]


def _judge(found: Sequence[Compared]) -> None:
    sys.stdout.write(f"{summary(found)}\n")
    assert len({each.call for each in found}) >= 60
    assert sum(each.verdict.is_same for each in found) >= AIM * len(found)


def _asked(account: Iterator[Call], wanted: Sequence[Wanted]) -> Iterator[Call]:
    """The calls between the two marks that were asked for: Python makes some of its own."""
    waiting = [each.name for each in wanted]
    thread = None
    for call in account:
        if call.name == "access" and any(MARK in text for _, text in call.arguments):
            if thread is not None:
                return
            thread = call.thread
        elif waiting and (call.thread, call.name) == (thread, waiting[0]):
            waiting.pop(0)
            yield call


DEPENDING = """
import ctypes, fcntl, os, signal, socket
opened = os.open("/dev/null", os.O_RDWR)
fcntl.fcntl(opened, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
fcntl.fcntl(opened, fcntl.F_GETFL)
fcntl.fcntl(opened, fcntl.F_DUPFD, 200)
fcntl.lockf(opened, fcntl.LOCK_SH)
libc = ctypes.CDLL(None)
libc.prctl(1, 9, 0, 0, 0)
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
os.umask(0o22)
os.umask(0o77)
os.write(opened, b"\\xff\\n")
blocked = (ctypes.c_uint64 * 16)(1 << signal.SIGCHLD - 1)
libc.pselect(0, None, None, None, ctypes.byref((ctypes.c_long * 2)(0, 1)), blocked)
os.execv("/bin/true", ["true", *map(str, range(100))])
"""


def test_words_that_other_numbers_decide(syscalls: Tracefs, tmp_path: Path) -> None:
    """In lines for people, with no oracle at hand."""
    account = tmp_path / "account"
    tracer = [
        sys.executable,
        "-m",
        "tpkit",
        "trace",
        "fcntl",
        "prctl",
        "socket",
        "umask",
        "write",
        "execve",
        "brk",
        "pselect6",
    ]
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c", DEPENDING]
    subprocess.run([*tracer, "-o", account, "--", *command], check=True, timeout=PATIENCE, capture_output=True)
    text = account.read_text()
    for shown in (
        "cmd=F_SETFD, arg=FD_CLOEXEC) = 0 <",
        ") = 0x8002 (flags O_RDWR|O_LARGEFILE) <",
        "cmd=F_DUPFD, arg=200) = 200 <",
        "cmd=F_SETLKW, arg={l_type=F_RDLCK, l_whence=SEEK_SET, l_start=0, l_len=0}) = 0 <",
        "prctl(option=PR_SET_PDEATHSIG, arg2=SIGKILL, ",
        "socket(family=AF_NETLINK, type=SOCK_RAW|SOCK_CLOEXEC, protocol=NETLINK_ROUTE) = ",
        "umask(mask=077) = 022 <",
        r'buf="\377\n", count=2) = 2 <',
        "sig={sigmask=[CHLD], sigsetsize=8}) = 0",
        '"62", ...], envp=0x',  # 64 strings are kept, whole
    ):
        assert shown in text, shown
    assert re.search(r"brk\(brk=NULL\) = 0x[0-9a-f]+ <", text)
