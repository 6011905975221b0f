"""Our words for system calls' arguments beside strace's, call by call, for numbers that we choose.

Each call is harmless: it asks, or fails, or concerns the process that makes it and ends right after.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tpkit import Tracefs, TracepointId, parse_event
from tpkit.codegen.columns import plan_columns
from tpkit.decode.words import number_shower

NOWHERE = "/nonexistent/tpkit"
NOBODY = 0x7FFFFFFF  # no process has this number: above the highest pid_max
HERE = -100
MARK = "/tpkit/begins"

# A call's number on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), and sets of arguments: numbers, texts
# for pointers to them, None for NULL.
CALLS: dict[str, tuple[int, Sequence[tuple[int | str | None, ...]]]] = {
    "openat": (257, [(HERE, NOWHERE, flags, 0) for flags in (0, 1, 2, 3, 0o2000000, 0o1101, 0o200000, 0o20200002)]),
    "open": (2, [(NOWHERE, flags, 0o644) for flags in (0o302, 0o4010000, 0o10001, 0o2600000, 0o1000000, 0x40000000)]),
    "access": (21, [(NOWHERE, mode) for mode in (0, 1, 2, 4, 6, 7)]),
    "faccessat": (269, [(HERE, NOWHERE, 4)]),
    "faccessat2": (439, [(HERE, NOWHERE, 4, flags) for flags in (0, 0x200, 0x1100)]),
    "newfstatat": (262, [(HERE, NOWHERE, None, flags) for flags in (0, 0x100, 0x1800)]),
    "statx": (332, [(HERE, NOWHERE, *both, None) for both in ((0, 0x7FF), (0x900, 0xFFF), (0x2000, 2), (0x5000, 1))]),
    "unlinkat": (263, [(HERE, NOWHERE, 0), (-1, NOWHERE, 0x200)]),
    "linkat": (265, [(HERE, NOWHERE, HERE, NOWHERE, flags) for flags in (0, 0x400, 0x1000)]),
    "fchownat": (260, [(HERE, NOWHERE, -1, 0, 0x100), (HERE, NOWHERE, 0, -1, 0)]),
    "fchmodat": (268, [(HERE, NOWHERE, 0o755)]),
    "mkdirat": (258, [(HERE, NOWHERE, 0o1777)]),
    "utimensat": (280, [(HERE, NOWHERE, None, 0x100)]),
    "renameat2": (316, [(HERE, NOWHERE, 5, NOWHERE, flags) for flags in (0, 1, 2, 5)]),
    "name_to_handle_at": (303, [(HERE, NOWHERE, None, None, flags) for flags in (0, 0x400)]),
    "open_by_handle_at": (304, [(HERE, None, 0o2000002)]),
    "execveat": (322, [(HERE, NOWHERE, None, None, flags) for flags in (0x100, 0x1000)]),
    "lseek": (8, [(999, 0, whence) for whence in (0, 1, 2, 3, 4)]),
    "fcntl": (72, [(999, cmd, 1) for cmd in (0, 1, 2, 3, 4, 10, 11, 1024, 1030, 1032, 1034, 1036)]),
    "flock": (73, [(999, cmd) for cmd in (1, 2, 6, 5, 8)]),
    "fallocate": (285, [(999, mode, 0, 1) for mode in (0, 1, 3, 8, 0x10)]),
    "fadvise64": (221, [(999, 0, 0, advice) for advice in (0, 1, 2, 3, 4, 5)]),
    "sync_file_range": (277, [(999, 0, 0, 3)]),
    "splice": (275, [(999, None, 998, None, 1, flags) for flags in (0, 1, 3, 6)]),
    "tee": (276, [(999, 998, 1, 2)]),
    "pwritev2": (328, [(999, None, 0, 0, 0, flags) for flags in (0, 1, 6, 0x18)]),
    "close_range": (436, [(999, 1000, flags) for flags in (0, 4)]),
    "dup3": (292, [(999, 998, flags) for flags in (0, 0o2000000)]),
    "pipe2": (293, [(None, flags) for flags in (0, 0o2004000, 0o40000)]),
    "memfd_create": (319, [(None, flags) for flags in (0, 1, 3, 4, 0x54000004)]),
    "fsetxattr": (190, [(999, NOWHERE, None, 0, flags) for flags in (0, 1, 2)]),
    "ioctl": (16, [(999, cmd, None) for cmd in (0x5401, 0x5413, 0x541B, 0x5421, 0x8912, 0x40049409, 0x80086601)]),
    "mount": (165, [("x", NOWHERE, "x", flags, None) for flags in (0, 0x1000, 0x5021, 0x44000, 0x200400)]),
    "umount2": (166, [(NOWHERE, flags) for flags in (0, 1, 2, 10)]),
    "open_tree": (428, [(HERE, NOWHERE, flags) for flags in (0, 0o2000001, 0x8001)]),
    "move_mount": (429, [(HERE, NOWHERE, HERE, NOWHERE, flags) for flags in (0, 4, 0x44)]),
    "fsopen": (430, [(NOWHERE, 1)]),
    "fspick": (433, [(HERE, NOWHERE, 3)]),
    "fsconfig": (431, [(999, cmd, None, None, 0) for cmd in (0, 1, 6)]),
    "fsmount": (432, [(999, 1, attributes) for attributes in (0, 0xF, 0x10)]),
    "mount_setattr": (442, [(999, NOWHERE, flags, None, 0) for flags in (0x8000, 0x1100)]),
    "quotactl": (179, [(0x80000400 - (1 << 32), NOWHERE, 0, None)]),
    "mmap": (9, [(0, 0, *both, -1, 0) for both in ((0, 1), (1, 2), (3, 0x4022), (5, 0x812), (3, 0x54040022))]),
    "mprotect": (10, [(1, 4096, prot) for prot in (0, 1, 3, 7, 0x01000001)]),
    "mremap": (25, [(1, 0, 0, flags, 0) for flags in (0, 1, 3)]),
    "madvise": (28, [(1, 4096, advice) for advice in (0, 4, 8, 14, 15, 21, 100)]),
    "msync": (26, [(1, 4096, flags) for flags in (1, 4, 6)]),
    "mlock2": (325, [(0, 0, 1)]),
    "mlockall": (151, [(flags,) for flags in (8, 0x83)]),
    "mbind": (237, [(0, 0, mode, None, 0, flags) for mode, flags in ((0, 0), (2, 1), (0x8003, 2))]),
    "set_mempolicy": (238, [(mode, None, 0) for mode in (0, 0x4002)]),
    "get_mempolicy": (239, [(None, None, 0, 0, flags) for flags in (0, 3, 4)]),
    "userfaultfd": (323, [(0o2004001,)]),
    "kill": (62, [(NOBODY, signal) for signal in (0, 1, 9, 15, 29, 32, 34, 64)]),
    "tgkill": (234, [(NOBODY, NOBODY, signal) for signal in (6, 31)]),
    "rt_sigaction": (13, [(signal, None, None, 8) for signal in (2, 13, 17, 33)]),
    "rt_sigprocmask": (14, [(how, None, None, 8) for how in (0, 1, 2)]),
    "pidfd_send_signal": (424, [(999, 10, None, 0)]),
    "pidfd_open": (434, [(NOBODY, flags) for flags in (0, 0o4000)]),
    "wait4": (61, [(NOBODY, None, options, None) for options in (0, 1, 2, 9, 0x40000001)]),
    "waitid": (247, [(which, NOBODY, None, options, None) for which, options in ((0, 1), (1, 5), (2, 0xC), (3, 4))]),
    # CLONE_THREAD without CLONE_SIGHAND: refused
    "clone": (56, [(flags, 0, None, None, 0) for flags in (0x10011, 0x10000, 0x1330000 - 0x20000 + 0x11)]),
    "unshare": (272, [(flags,) for flags in (0, 0x400, 0x200)]),
    "setns": (308, [(999, kind) for kind in (0, 0x40000000, 0x20000)]),
    "prctl": (157, [(option, 0, 0, 0, 0) for option in (3, 7, 21, 25, 27, 30, 34, 36 + 1000, 39, 47, 52)]),
    "arch_prctl": (158, [(0x1003, None), (0x1011, None), (0x1021, None)]),
    "ptrace": (101, [(request, NOBODY, None, None) for request in (1, 7, 12, 16, 0x4200, 0x4204, 0x4206)]),
    "seccomp": (317, [(2, 0, None), (1, 1, None), (1, 0xA, None), (3, 0, None)]),
    "getrlimit": (97, [(resource, None) for resource in range(16)]),
    "prlimit64": (302, [(NOBODY, resource, None, None) for resource in (3, 7)]),
    "getrusage": (98, [(who, None) for who in (0, -1, 1)]),
    "getpriority": (140, [(which, 0) for which in (0, 1, 2)]),
    "sched_setscheduler": (144, [(NOBODY, policy, None) for policy in (0, 1, 2, 3, 5, 0x40000001)]),
    "sched_get_priority_max": (146, [(policy,) for policy in (0, 6)]),
    "ioprio_get": (252, [(which, NOBODY) for which in (1, 2, 3)]),
    "ioprio_set": (251, [(1, NOBODY, priority) for priority in (0, 0x2000, 0x4004, 0x6007)]),
    "kcmp": (312, [(NOBODY, NOBODY, kind, 0, 0) for kind in (0, 1, 6, 7)]),
    "personality": (135, [(domain,) for domain in (0xFFFFFFFF, 0, 0x40000)]),
    "membarrier": (324, [(cmd, 0, 0) for cmd in (0, 1, 8, 16)]),
    "rseq": (334, [(None, 0, 0, 0), (None, 0, 1, 0)]),
    "setresuid": (117, [(-1, -1, -1)]),
    "futex": (202, [(None, op, 0, None, None, 0) for op in (0, 1, 128, 129, 0x189, 137, 4, 133, 6, 0x10B)]),
    "epoll_ctl": (233, [(999, op, 998, None) for op in (1, 2, 3)]),
    "epoll_create1": (291, [(0o2000000,)]),
    "eventfd2": (290, [(0, flags) for flags in (0, 0o2004001)]),
    "signalfd4": (289, [(999, None, 8, 0o2004000)]),
    "timerfd_create": (283, [(clock, flags) for clock, flags in ((0, 0), (1, 0o2004000), (7, 0o2000000))]),
    "timerfd_settime": (286, [(999, flags, None, None) for flags in (0, 1, 3)]),
    "inotify_init1": (294, [(0o2004000,)]),
    "inotify_add_watch": (254, [(999, NOWHERE, mask) for mask in (2, 0x3C8, 0x80000100, 0x21000FC6, 0xFFF)]),
    "fanotify_init": (300, [(flags, 0o2100000) for flags in (0x1000000, 0x1000007, 0x1000A09)]),
    "fanotify_mark": (301, [(999, flags, mask, HERE, NOWHERE) for flags, mask in ((1, 0x20), (0x11, 0x40000039))]),
    "clock_gettime": (228, [(clock, None) for clock in (*range(10), 11)]),
    "clock_nanosleep": (230, [(clock, flags, None, None) for clock, flags in ((0, 0), (1, 1))]),
    "timer_create": (222, [(1, None, None)]),
    "timer_settime": (223, [(999, 1, None, None)]),
    "getitimer": (36, [(which, None) for which in (0, 1, 2)]),
    "socket": (41, [(1, 1, 9), (2, 2, 17), (10, 0x80001, 6), (16, 0x80803, 99), (40, 5, 9)]),
    "socketpair": (53, [(1, 0x80805, 0, None)]),
    "accept4": (288, [(999, None, None, flags) for flags in (0, 0x80800)]),
    "sendto": (44, [(999, None, 0, flags, None, 0) for flags in (0, 0x4000, 0x40, 0x8041)]),
    "recvfrom": (45, [(999, None, 0, flags, None, None) for flags in (0, 2, 0x22, 0x40000100)]),
    "recvmsg": (47, [(999, None, flags) for flags in (0x40, 0x2000)]),
    "shutdown": (48, [(999, how) for how in (0, 1, 2)]),
    "setsockopt": (54, [(999, level, 2, None, 0) for level in (0, 1, 6, 17, 41, 263, 270)]),
    "shmget": (29, [(key, 0, flags) for key, flags in ((0, 0o600), (5, 0o3000), (0, 0o1600))]),
    "shmat": (30, [(-1, None, flags) for flags in (0, 0o10000, 0o30000)]),
    "shmctl": (31, [(-1, cmd, None) for cmd in (0, 1, 2, 3, 11, 13, 14)]),
    "semget": (64, [(0, 0, flags) for flags in (0o600, 0o1600)]),
    "semctl": (66, [(-1, 0, cmd, 0) for cmd in (0, 2, 11, 12, 16, 17)]),
    "msgget": (68, [(5, 0), (5, 0o2000)]),
    "msgctl": (71, [(-1, cmd, None) for cmd in (0, 2, 11)]),
    "msgrcv": (70, [(-1, None, 0, 0, flags) for flags in (0, 0o14000, 0o20000)]),
    "bpf": (321, [(cmd, None, 0) for cmd in (0, 1, 5, 10, 18, 28, 35)]),
    "perf_event_open": (298, [(None, 0, 0, -1, flags) for flags in (0, 8, 6)]),
    "io_uring_enter": (426, [(999, 0, 0, flags, None, 0) for flags in (0, 1, 9)]),
    "io_uring_register": (427, [(999, opcode, None, 0) for opcode in (0, 1, 8, 20)]),
    "getrandom": (318, [(None, 0, flags) for flags in (0, 1, 2, 4)]),
    "keyctl": (250, [(option, 0, 0, 0, 0) for option in (31, 17, 30)]),
    "add_key": (248, [(None, None, None, 0, ring) for ring in (-1, -4)]),
    "landlock_create_ruleset": (444, [(None, 0, 1)]),
    "landlock_add_rule": (445, [(999, 1, None, 0)]),
    "reboot": (169, [(0xFEE1DEAD - (1 << 32), 0, 0, None)]),  # without the second magic number: refused
}

# Where strace and the kernel call the same thing by different names.
EVENTS = {"umount2": "umount"}

PROGRAM = f"""
import ctypes, json, sys
libc = ctypes.CDLL(None)
def argument(given):
    return ctypes.c_char_p(given.encode()) if isinstance(given, str) else ctypes.c_long(given or 0)
for number, *arguments in [[21, {MARK!r}, 0], *json.load(sys.stdin)]:
    libc.syscall(ctypes.c_long(number), *map(argument, arguments))
"""


@dataclass(frozen=True)
class Compared:
    """One argument of one call: the number, our words and strace's."""

    call: str
    parameter: str
    number: int
    ours: str
    theirs: str

    @property
    def is_equal(self) -> bool:
        """In meaning: the same names in whatever order, the same number however it is written."""
        return _meaning(self.ours) == _meaning(self.theirs)

    @property
    def has_names(self) -> bool:
        """Whether one of us has more to say than the number."""
        return any(isinstance(word, str) for word in _meaning(self.ours) | _meaning(self.theirs))


def _meaning(words: str) -> set[int | str]:
    return {_number(word) if re.fullmatch(r"NULL|-?(0x[\da-f]+|\d+)", word) else word for word in words.split("|")}


def _number(word: str) -> int:
    if word == "NULL":
        return 0
    return int(word, 8) if re.fullmatch(r"0[0-7]+", word) else int(word, 0)


def test_words_are_straces(syscalls: Tracefs, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here")
    if os.uname().machine != "x86_64":
        pytest.skip("the calls' numbers are x86-64's")
    wanted = [(name, call) for name, (_, calls) in CALLS.items() for call in calls]
    told = list(_account(strace, tmp_path / "account", [(CALLS[name][0], *call) for name, call in wanted]))
    assert [name for name, _ in told] == [name for name, _ in wanted]
    compared = [
        each
        for (name, call), (_, theirs) in zip(wanted, told, strict=True)
        for each in _compare(syscalls, name, call, theirs)
    ]
    named = [each for each in compared if each.has_names]
    different = [each for each in named if not each.is_equal]
    counts = f"{len(compared)} numbers, {len(named)} of them with names, {len(different)} different:"
    lines = (
        f"  {each.call}.{each.parameter} {each.number:#x}: {each.ours} strace: {each.theirs}" for each in different
    )
    sys.stdout.write("\n".join((f"{len(wanted)} calls of {len(CALLS)} system calls, {counts}", *lines, "")))
    assert len(named) > 300
    assert len(different) <= 0.05 * len(named), different
    assert all(each.is_equal for each in compared if not each.has_names)


def _account(strace: str, file: Path, calls: list[tuple[int | str | None, ...]]) -> Iterator[tuple[str, list[str]]]:
    """What strace says of the calls: each one's name, and its arguments as they stand."""
    subprocess.run(
        [strace, "-o", file, "-e", "signal=none", sys.executable, "-I", "-S", "-c", PROGRAM],
        input=json.dumps(calls).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    lines = file.read_text(errors="replace").splitlines()
    start = next(index for index, line in enumerate(lines) if MARK in line) + 1
    waiting = [number for number, *_ in calls]
    for line in lines[start:]:
        name, _, rest = line.partition("(")
        if waiting and name in CALLS and CALLS[name][0] == waiting[0]:
            waiting.pop(0)
            yield name, _arguments(rest)


def _arguments(text: str) -> list[str]:
    """``1, {a, b}, "c,d") = 0`` as its arguments, without comments."""
    found, word, depth = [], "", 0
    for part in re.findall(r'"(?:\\.|[^"\\])*"(?:\.\.\.)?|/\*.*?\*/|.', text):
        if part.startswith("/*"):
            continue
        if depth == 0 and part in ",)":
            found.append(word.strip())
            word = ""
            if part == ")":
                break
            continue
        depth += (part in "({[") - (part in ")}]")
        word += part
    return found


def _compare(tracefs: Tracefs, name: str, call: Sequence[int | str | None], theirs: list[str]) -> Iterator[Compared]:
    """The call's arguments that are numbers and that strace shows."""
    event = TracepointId("syscalls", f"sys_enter_{EVENTS.get(name, name)}")
    file = tracefs.root / "events" / event.category / event.name / "format"
    if not file.exists():
        return  # not in this kernel
    if name == "clone":  # child_stack=…, flags=…
        theirs = [word.removeprefix("flags=") for word in theirs if word.startswith("flags=")]
    columns = [source.column for source in plan_columns(parse_event(file.read_text(), event), 64)]
    if name == "pwritev2":  # the two halves of the position are one
        theirs.insert(4, "0")
    for column, given, words in zip(columns, call, theirs, strict=False):
        if isinstance(given, int) and not column.field.type.is_pointer:
            size = column.value.size * 8
            number = given & ((1 << size) - 1)
            if column.value.scalar.is_signed and number >> size - 1:
                number -= 1 << size
            yield Compared(name, column.label, number, number_shower(column)(number), words)
