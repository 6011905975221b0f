"""System calls that Python's library doesn't offer, for the workload."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None

# Numbers of the x86-64 system calls used by name (arch/x86/entry/syscalls/syscall_64.tbl).
X86_64 = {
    "ioctl": 16, "madvise": 28, "shmget": 29, "shmat": 30, "shmctl": 31, "setitimer": 38, "fork": 57,
    "semget": 64, "semop": 65, "semctl": 66, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71,
    "capget": 125, "prctl": 157, "mount": 165, "umount2": 166, "gettid": 186, "readahead": 187, "futex": 202,
    "sched_setaffinity": 203, "io_setup": 206, "io_destroy": 207, "timer_create": 222,
    "timer_settime": 223, "timer_gettime": 224, "timer_getoverrun": 225, "timer_delete": 226, "mbind": 237,
    "mq_open": 240, "mq_unlink": 241, "mq_timedsend": 242, "mq_timedreceive": 243, "add_key": 248,
    "request_key": 249, "keyctl": 250, "inotify_init1": 294, "inotify_add_watch": 254, "move_pages": 279,
    "unshare": 272, "tee": 276, "sync_file_range": 277, "vmsplice": 278, "timerfd_create": 283,
    "fallocate": 285, "timerfd_settime": 286, "fanotify_init": 300, "fanotify_mark": 301,
    "name_to_handle_at": 303, "setns": 308, "kcmp": 312, "sched_setattr": 314, "sched_getattr": 315,
    "renameat2": 316, "seccomp": 317, "bpf": 321, "userfaultfd": 323, "membarrier": 324, "mlock2": 325,
    "pkey_alloc": 330, "statx": 332, "rseq": 334, "pidfd_send_signal": 424, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "pidfd_open": 434, "close_range": 436,
    "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440, "landlock_create_ruleset": 444,
    "memfd_secret": 447, "futex_waitv": 449, "cachestat": 451, "fchmodat2": 452,
}  # fmt: skip

supported = platform.machine() == "x86_64"


def call(name: str, *arguments: Argument) -> int:
    """A system call by name. Raises OSError."""
    return number_call(X86_64[name], *arguments)


def number_call(number: int, *arguments: Argument) -> int:
    """A system call by number. Raises OSError."""
    result: int = _syscall(number, *arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"system call {number}: {os.strerror(error)}")
    return result


def _syscall(number: int, *arguments: Argument) -> int:
    libc.syscall.restype = ctypes.c_long
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *values)
    return result


def address_of(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def set_name(name: str) -> None:
    """The name (comm) of the calling thread, at most 15 bytes."""
    call("prctl", 15, name.encode()[:15])  # PR_SET_NAME


def die_with_parent() -> None:
    call("prctl", 1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def mount(source: str, target: Path | str, kind: str, flags: int = 0, options: str = "") -> None:
    call("mount", source.encode(), str(target).encode(), kind.encode(), flags, options.encode() or None)


def umount(target: Path | str) -> None:
    call("umount2", str(target).encode(), 0)


def run(*command: str, timeout: float = 20) -> None:
    """Run a program quietly. Raises OSError when it is missing, SubprocessError when it fails."""
    program = shutil.which(command[0], path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise FileNotFoundError(f"{command[0]} isn't installed")
    subprocess.run([program, *command[1:]], check=True, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True)


def in_child(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked child; its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            work()
        except Exception:  # the child must not return into the parent's code
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]
