"""Mappings, faults, huge pages, reclaim and the end of memory, inside control groups of our own."""

# Each line is here for the system call it makes, which pathlib would hide or change.
# ruff: noqa: PTH108

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.rendering.kernel_calls import call, in_child, libc, mount, umount
from tests.rendering.work_processes import control_group, enter_group

HUGE = 2 << 20


def mappings(_folder: Path) -> None:
    view = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view[:] = b"x" * len(view)
    view.madvise(mmap.MADV_DONTNEED)
    view.madvise(mmap.MADV_FREE)
    view.resize(2 << 20)
    at = ctypes.addressof(ctypes.c_char.from_buffer(view))
    for protection in (1, 3):
        libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), protection)
    libc.mlock(ctypes.c_void_p(at), ctypes.c_size_t(8192))
    libc.munlock(ctypes.c_void_p(at), ctypes.c_size_t(8192))
    libc.msync(ctypes.c_void_p(at), ctypes.c_size_t(4096), 4)
    libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(4096), ctypes.create_string_buffer(4))
    with suppress(OSError):
        call("pkey_alloc", 0, 0)


def file_mappings(_folder: Path) -> None:
    Path("tpkit-mapped").write_bytes(b"x" * (1 << 20))
    with Path("tpkit-mapped").open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        total = sum(view[i] for i in range(0, len(view), 4096))
        view[0] = total & 0x7F
        view.flush()


def sharing(_folder: Path) -> None:
    """Copy on write, and pages offered for merging."""
    view = mmap.mmap(-1, 256 << 10, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view[:] = b"y" * len(view)
    in_child(lambda: view.write(b"z" * len(view)))
    with suppress(OSError):
        view.madvise(mmap.MADV_MERGEABLE)
        view.madvise(mmap.MADV_UNMERGEABLE)


def huge_pages(_folder: Path) -> None:
    view = mmap.mmap(-1, 4 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = ctypes.addressof(ctypes.c_char.from_buffer(view))
    at = (at + HUGE - 1) // HUGE * HUGE
    for offset in range(0, HUGE, 4096):
        ctypes.memset(at + offset, 1, 1)
    call("madvise", at, HUGE, 14)  # MADV_HUGEPAGE
    with suppress(OSError):
        call("madvise", at, HUGE, 25)  # MADV_COLLAPSE
    ctypes.memset(at + HUGE, 1, 4096)
    call("madvise", at, HUGE, 21)  # MADV_PAGEOUT
    call("madvise", at + 4096, 4096, 4)  # MADV_DONTNEED splits it
    with suppress(OSError):
        call("madvise", at + HUGE, HUGE, 20)  # MADV_COLD


def huge_file(_folder: Path) -> None:
    """Collapsing the pages of a file in a memory file system."""
    descriptor = os.memfd_create("tpkit-huge")
    os.write(descriptor, b"x" * 3 * HUGE)
    view = mmap.mmap(descriptor, 3 * HUGE)
    at = ctypes.addressof(ctypes.c_char.from_buffer(view))
    at = (at + HUGE - 1) // HUGE * HUGE
    ctypes.memset(at, 1, HUGE)
    call("madvise", at, HUGE, 25)


def huge_file_system(_folder: Path) -> None:
    Path("tpkit-hugetlb").mkdir()
    mount("tpkit", "tpkit-hugetlb", "hugetlbfs")
    try:
        descriptor = os.open("tpkit-hugetlb/tpkit-f", os.O_CREAT | os.O_RDWR, 0o600)
        os.ftruncate(descriptor, HUGE)
        with suppress(OSError):
            call("fallocate", descriptor, 0, 0, HUGE)
        with suppress(OSError):
            call("fallocate", descriptor, 3, 0, HUGE)
        os.close(descriptor)
        os.unlink("tpkit-hugetlb/tpkit-f")
    finally:
        umount("tpkit-hugetlb")


def moving(_folder: Path) -> None:
    view = mmap.mmap(-1, 64 << 10, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view[:] = b"m" * len(view)
    at = ctypes.addressof(ctypes.c_char.from_buffer(view))
    status = ctypes.create_string_buffer(8)
    with suppress(OSError):
        call("move_pages", 0, 1, struct.pack("Q", at), struct.pack("i", 0), status, 2)
    with suppress(OSError):
        call("mbind", at, 64 << 10, 2, struct.pack("Q", 1), 8, 3)


def userfaults(_folder: Path) -> None:
    descriptor = call("userfaultfd", os.O_CLOEXEC | os.O_NONBLOCK | 1)
    os.close(descriptor)


@contextmanager
def limited(size: int) -> Iterator[Path]:
    with control_group("memory") as group:
        (group / "memory.limit_in_bytes").write_text(str(size))
        with suppress(OSError):
            (group / "memory.swappiness").write_text("0")
        yield group


def end_of_memory(_folder: Path) -> None:
    with limited(8 << 20) as group:
        in_child(lambda: _eat(group))


def _eat(group: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    enter_group(group)
    Path("/proc/self/oom_score_adj").write_text("500")
    signal.alarm(10)
    held = []
    while True:
        held.append(bytearray(b"e" * (1 << 20)))


STEPS = (
    mappings, file_mappings, sharing, huge_pages, huge_file, huge_file_system, moving, userfaults, end_of_memory,
)  # fmt: skip
