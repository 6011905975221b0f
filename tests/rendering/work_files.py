"""Files, descriptors, locks, notifications and pipes."""

# Each line is here for the system call it makes, which pathlib would hide or change.
# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH109, PTH115, PTH116, PTH208, PTH211

from __future__ import annotations

import array
import ctypes
import fcntl
import mmap
import os
import select
import signal
import struct
import termios
import time
from contextlib import suppress
from pathlib import Path

from tests.rendering.kernel_calls import address_of, call, in_child


def descriptors(_folder: Path) -> None:
    Path("tpkit-a").write_bytes(b"tpkit" * 1000)
    descriptor = os.open("tpkit-a", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    os.pread(descriptor, 100, 10)
    os.pwrite(descriptor, b"abc", 4096)
    os.preadv(descriptor, [bytearray(10), bytearray(20)], 5)
    os.pwritev(descriptor, [b"one", b"two"], 7)
    os.readv(descriptor, [bytearray(10)])
    os.writev(descriptor, [b"one", b"two"])
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.read(descriptor, 10)
    os.ftruncate(descriptor, 100)
    os.truncate("tpkit-a", 200)
    os.fsync(descriptor)
    os.fdatasync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    os.close(os.dup(descriptor))
    os.close(os.dup2(descriptor, 100))
    call("readahead", descriptor, 0, 4096)
    call("sync_file_range", descriptor, 0, 4096, 2)
    call("cachestat", descriptor, bytes(16), bytearray_of(64), 0)
    os.copy_file_range(descriptor, os.open("tpkit-b", os.O_CREAT | os.O_WRONLY, 0o600), 50)
    os.close(descriptor)
    call("close_range", 90, 99, 0)


def bytearray_of(size: int) -> ctypes.Array[ctypes.c_char]:
    """A buffer that a system call may write to."""
    return ctypes.create_string_buffer(size)


def names(_folder: Path) -> None:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    Path("tpkit-dir").mkdir(mode=0o750)
    Path("tpkit-file").touch()
    os.symlink("tpkit-file", "tpkit-symlink")
    os.readlink("tpkit-symlink")
    os.link("tpkit-file", "tpkit-link")
    os.rename("tpkit-link", "tpkit-renamed")
    os.rename("tpkit-renamed", "tpkit-again", src_dir_fd=here, dst_dir_fd=here)
    call("renameat2", here, b"tpkit-again", here, b"tpkit-file", 2)
    call("statx", here, b"tpkit-file", 0, 0xFFF, bytearray_of(256))
    call("openat2", here, b"tpkit-file", struct.pack("=QQQ", 0, 0, 0), 24)
    call("fchmodat2", here, b"tpkit-file", 0o644, 0)
    os.chmod("tpkit-file", 0o600)
    os.chown("tpkit-file", 1000, 1000)
    os.lchown("tpkit-symlink", 1000, 1000)
    os.utime("tpkit-file", (1, 2))
    os.access("tpkit-file", os.R_OK)
    os.mkfifo("tpkit-fifo")
    os.mknod("tpkit-node", 0o600)
    os.stat("tpkit-file")
    os.lstat("tpkit-symlink")
    os.statvfs(".")
    os.listdir(here)
    os.scandir(".").close()
    os.getcwd()
    os.fchdir(here)
    for name in os.listdir("."):
        with suppress(IsADirectoryError):
            os.unlink(name)
    os.rmdir("tpkit-dir")
    with suppress(FileNotFoundError):
        os.unlink("tpkit-missing")


def attributes(_folder: Path) -> None:
    Path("tpkit-x").touch()
    os.setxattr("tpkit-x", "trusted.tpkit", b"value")
    os.getxattr("tpkit-x", "trusted.tpkit")
    os.listxattr("tpkit-x")
    os.removexattr("tpkit-x", "trusted.tpkit")
    with suppress(OSError):
        os.getxattr("tpkit-x", "trusted.none")


def locks(_folder: Path) -> None:
    with Path("tpkit-lock").open("w+b") as file, Path("tpkit-lock").open("r+b") as other:
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
        fcntl.lockf(file, fcntl.LOCK_EX, 10, 5)
        in_child(lambda: fcntl.lockf(other, fcntl.LOCK_SH | fcntl.LOCK_NB, 10, 5))
        fcntl.lockf(file, fcntl.LOCK_UN)
        fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK


def leases(_folder: Path) -> None:
    """A lease, broken by a child that opens the file; and one broken without waiting."""
    signal.signal(signal.SIGIO, lambda *_: None)
    Path("tpkit-lease").write_bytes(b"x")
    descriptor = os.open("tpkit-lease", os.O_RDONLY)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    in_child(lambda: os.open("tpkit-lease", os.O_WRONLY | os.O_NONBLOCK))
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    breaker = os.fork()
    if breaker == 0:
        os.open("tpkit-lease", os.O_WRONLY)
        os._exit(0)
    time.sleep(0.1)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.waitpid(breaker, 0)


def notifications(_folder: Path) -> None:
    watcher = call("inotify_init1", os.O_NONBLOCK)
    call("inotify_add_watch", watcher, b".", 0xFFF)
    Path("tpkit-seen").write_bytes(b"x")
    os.read(watcher, 4096)
    group = call("fanotify_init", 0x00000002, os.O_RDONLY)
    call("fanotify_mark", group, 1, 0x20, -100, b".")
    os.close(group)


def pipes(_folder: Path) -> None:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    other_reader, other_writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 65536)
    os.write(writer, b"x" * 100)
    call("tee", reader, other_writer, 50, 0)
    os.splice(reader, other_writer, 50)
    text = ctypes.create_string_buffer(b"tpkit")
    call("vmsplice", writer, struct.pack("QQ", address_of(text), 5), 1, 0)
    fcntl.ioctl(other_reader, termios.FIONREAD, array.array("i", [0]), True)
    Path("tpkit-sent").write_bytes(b"x" * 5000)
    with Path("tpkit-sent").open("rb") as file:
        os.sendfile(other_writer, file.fileno(), 0, 5000)


def polling(_folder: Path) -> None:
    reader, writer = os.pipe()
    epoll = select.epoll()
    epoll.register(reader, select.EPOLLIN | select.EPOLLET)
    epoll.poll(0.01)
    os.write(writer, b"x")
    epoll.poll(0.01)
    epoll.modify(reader, select.EPOLLIN)
    epoll.unregister(reader)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.poll(10)
    select.select([reader], [], [], 0.01)
    counter = os.eventfd(3, os.EFD_SEMAPHORE)
    os.eventfd_read(counter)
    os.eventfd_write(counter, 5)


def memory_files(_folder: Path) -> None:
    descriptor = os.memfd_create("tpkit-memory", os.MFD_ALLOW_SEALING)
    os.posix_fallocate(descriptor, 0, 65536)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    with mmap.mmap(descriptor, 65536) as view:
        view[:] = b"x" * 65536
        view.flush()
    call("fallocate", descriptor, 3, 4096, 8192)  # punch a hole
    with suppress(OSError):
        call("memfd_secret", 0)


def handles(_folder: Path) -> None:
    Path("tpkit-handle").touch()
    call("name_to_handle_at", -100, b"tpkit-handle", struct.pack("Ii", 128, 0) + bytes(128), bytearray_of(8), 0)


def message(_folder: Path) -> None:
    """One harmless line in the kernel's log."""
    descriptor = os.open("/dev/kmsg", os.O_WRONLY)
    os.write(descriptor, b"<7>tpkit: a line of the rendering test's workload\n")
    os.close(descriptor)


STEPS = (
    descriptors, names, attributes, locks, leases, notifications, pipes, polling, memory_files, handles, message,
)  # fmt: skip
SHORT = (descriptors, names)
