"""The oracle's own judgement: what two texts for one argument have to do with each other."""

from __future__ import annotations

import json

import pytest

from tests.strace.accounts import aligned, our_calls
from tests.strace.compare import summary
from tests.strace.lines import Call, calls
from tests.strace.meaning import Verdict, compare

V = Verdict


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ("3", "3", V.EQUAL),
        ("0x10", "16", V.SAME),
        ("0644", "0x1a4", V.SAME),
        ("0", "NULL", V.SAME),
        ("-1", "4294967295", V.SAME),
        ("8192*1024", "8388608", V.SAME),
        ("3", "4", V.DIFFERENT),
        ("A|B", "B|A", V.SAME),
        ("A|0x30", "A|060", V.SAME),
        ("A|B", "A", V.DIFFERENT),
        ("OPOST|ONLCR", "NL0|CR0|OPOST|ONLCR", V.SAME),
        ("A B", "B C", V.DIFFERENT),
        ("TCGETS or SNDCTL", "TCGETS", V.SAME),
        ("FICLONE or BTRFS_IOC_CLONE", "BTRFS_IOC_CLONE or FICLONE", V.SAME),
        ("RLIM64_INFINITY", "RLIM_INFINITY", V.SAME),
        ("-100", "-100 /* AT_??? */", V.SAME),
        ('"a\\n"', '"a\\x0a"', V.SAME),
        ('"abc"...', '"abcdef"', V.SAME),
        ('"abcdef"', '"abc"...', V.SAME),
        ('"abc"', '"abcdef"', V.DIFFERENT),
        ('"a /* b */"', '"a "', V.DIFFERENT),
        ("{a=1, b=2}", "{b=2, a=1}", V.SAME),
        ("{a=1, b=2}", "{a=1, ...}", V.SAME),
        ("{a=1, ...}", "{a=1, b=2}", V.SAME),
        ("{a=1, b=2}", "{a=1}", V.MORE),
        ("{a=1}", "{a=1, b=2}", V.LESS),
        ("{a=1}", "{a=2}", V.DIFFERENT),
        ("{a=1}", "{b=1}", V.DIFFERENT),
        ("{a={b=1}}", "{a={b=2}}", V.DIFFERENT),
        ("[1, 2]", "[1, 2]", V.EQUAL),
        ("[1, 2]", "[1, ...]", V.SAME),
        ("[1, 2]", "[1, 3]", V.DIFFERENT),
        ("[1]", "[1, 2]", V.DIFFERENT),
        ("[INT TERM]", "[TERM INT]", V.SAME),
        ("[INT]", "~[INT]", V.DIFFERENT),
        ("[16]", "[28 => 16]", V.SAME),
        ("{a=1}", "{a=1} => {b=[2]}", V.SAME),
        ("[5]", "[28 => 16]", V.DIFFERENT),
        ("1", "{a=1}", V.DIFFERENT),
        ('{sa_family=AF_INET6, inet_pton(AF_INET6, "::1", &a), b=1}', '{sa_family=AF_INET6, b=1, ...}', V.SAME),
    ],
)  # fmt: skip
def test_verdicts(ours: str, theirs: str, verdict: Verdict) -> None:
    assert compare(ours, theirs) is verdict


@pytest.mark.parametrize(
    ("ours", "theirs", "number", "verdict"),
    [
        ("{a=1}", "0x7f00", 0x7F00, V.MORE),
        ("{a=1}", "0x7f00", 0x7F08, V.DIFFERENT),
        ("{a=1}", "0x7f00", None, V.MORE),
        ("{a=1}", "5", None, V.DIFFERENT),
        ("0x7f00", "{a=1}", 0x7F00, V.LESS),
        ("NAME", "3", 3, V.MORE),
        ("3", "NAME", 3, V.LESS),
    ],
)
def test_verdicts_where_the_number_is_known(ours: str, theirs: str, number: int | None, verdict: Verdict) -> None:
    assert compare(ours, theirs, number) is verdict


def test_lines() -> None:
    account = [
        '7 openat(AT_FDCWD, "a,(b\\")", O_RDONLY) = 3',
        "7 wait4(-1,  <unfinished ...>",
        "8 getpid() = 8",
        "7 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 8",
        "7 --- SIGCHLD {si_signo=SIGCHLD} ---",
        "7 fcntl(3, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)",
        "7 clone(child_stack=NULL, flags=SIGCHLD /* x */) = 9",
        "7 exit_group(0) = ?",
        "7 +++ exited with 0 +++",
    ]
    ended = "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]"
    assert list(calls(account)) == [
        Call(7, "openat", ((None, "AT_FDCWD"), (None, '"a,(b\\")"'), (None, "O_RDONLY")), "3"),
        Call(8, "getpid", (), "8"),
        Call(7, "wait4", tuple((None, word) for word in ("-1", ended, "0", "NULL")), "8"),
        Call(7, "fcntl", ((None, "3"), (None, "F_GETFL")), "0x8002 (flags O_RDWR|O_LARGEFILE)"),
        Call(7, "clone", (("child_stack", "NULL"), ("flags", "SIGCHLD /* x */")), "9"),
        Call(7, "exit_group", ((None, "0"),), "?"),
    ]  # fmt: skip


def test_accounts_are_aligned() -> None:
    """Each thread by itself, and without what only we saw."""
    ours = [
        {"event": "syscalls:close", "tid": 7, "args": {"fd": 99}, "ret": -9},
        {"event": "syscalls:newfstat", "tid": 7, "args": {"fd": 3}, "ret": 0},
        {"event": "syscalls:close", "tid": 7, "args": {"fd": 3}, "ret": 0},
        {"event": "syscalls:ptrace", "tid": 5, "args": {}, "ret": 0},
        {"ledger": {}},
    ]
    theirs = ["7 fstat(3, 0x1000) = 0", "7 close(3) = 0", "8 close(4) = 0"]
    found = aligned(our_calls(json.dumps(each) for each in ours), calls(theirs))
    assert [(one.name, other.name) for one, other in found.pairs] == [("newfstat", "fstat"), ("close", "close")]
    assert [each.thread for each in found.missed] == [8]
    compared = found.compared()
    assert [each.parameter for each in compared] == ["fd", "ret", "fd", "ret"]
    assert "100.0 % the same in meaning" in summary(compared)
