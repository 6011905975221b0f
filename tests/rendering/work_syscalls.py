"""Every system call once, with arguments that none can serve, by a process without any rights."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.rendering.kernel_calls import call, number_call, supported

LAST = 470

# x86-64 numbers. What ends or replaces the caller, needs the C library's help, or concerns the whole
# machine even in name: it would be refused to us, but it isn't ours to try.
LEFT_OUT = {
    15: "rt_sigreturn", 34: "pause", 56: "clone", 57: "fork", 58: "vfork", 60: "exit", 62: "kill", 103: "syslog",
    105: "setuid", 153: "vhangup", 159: "adjtimex", 162: "sync", 163: "acct", 164: "settimeofday",
    167: "swapon", 168: "swapoff", 169: "reboot", 170: "sethostname", 171: "setdomainname", 172: "iopl",
    173: "ioperm", 175: "init_module", 176: "delete_module", 179: "quotactl", 200: "tkill", 227: "clock_settime",
    231: "exit_group", 246: "kexec_load", 305: "clock_adjtime", 313: "finit_module", 320: "kexec_file_load",
    335: "uretprobe", 336: "uprobe", 443: "quotactl_fd", 12: "brk", 11: "munmap", 9: "mmap", 158: "arch_prctl",
    218: "set_tid_address", 334: "rseq", 273: "set_robust_list", 453: "map_shadow_stack",
}  # fmt: skip


def hopeless(_folder: Path) -> None:
    """All arguments -1: bad descriptors, addresses, sizes and flags."""
    _call_all(-1)


def impossible_pointers(_folder: Path) -> None:
    """All arguments small and alike: descriptors that aren't open, addresses that aren't mapped."""
    _call_all(999)


def _call_all(argument: int) -> None:
    if not supported:
        raise OSError("the numbers of this architecture's system calls aren't known here")
    _give_up_rights()
    signal.signal(signal.SIGALRM, lambda *_: None)  # without SA_RESTART: what blocks is interrupted
    for number in _numbers():
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.05)
        with suppress(OSError):
            number_call(number, *[argument] * 6)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _numbers() -> Iterable[int]:
    return (number for number in range(LAST) if number not in LEFT_OUT)


def _give_up_rights() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    call("prctl", 1, 9)  # the change of user took the signal at the parent's death away


def answered(_folder: Path) -> None:
    """The few that are left out above and are harmless with good arguments."""
    number_call(12, 0)  # brk
    number_call(218, ctypes.addressof(ctypes.create_string_buffer(8)))
    number_call(62, os.getpid(), 0)  # kill
    number_call(158, 0x1003, ctypes.addressof(ctypes.create_string_buffer(8)))  # ARCH_GET_FS
    if number_call(57) == 0:  # fork
        number_call(60, 0)  # exit
    with suppress(ChildProcessError):
        os.wait()


STEPS = (hopeless, impossible_pointers, answered)
