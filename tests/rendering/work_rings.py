"""io_uring and the older asynchronous I/O, and a FUSE mount that answers itself."""

# Each line is here for the system call it makes, which pathlib would hide or change.
# ruff: noqa: PTH116

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.rendering.kernel_calls import call, mount, set_name, umount

_NOP, _READV, _FSYNC, _POLL_ADD, _TIMEOUT, _CANCEL, _READ, _WRITE = 0, 1, 3, 6, 11, 14, 22, 23
_DRAIN, _LINK, _ASYNC = 2, 4, 16


class Ring:
    """A small io_uring, by hand (``include/uapi/linux/io_uring.h``)."""

    def __init__(self, entries: int = 8, flags: int = 0) -> None:
        parameters = ctypes.create_string_buffer(struct.pack("II", 0, 0) + struct.pack("I", flags), 120)
        self.descriptor = call("io_uring_setup", entries, parameters)
        words = struct.unpack("30I", parameters.raw)
        self.entries = words[0]
        self._tail, self._array = words[11], words[16]
        size = self._array + self.entries * 4
        self._ring = mmap.mmap(self.descriptor, size, offset=0)
        self._queue = mmap.mmap(self.descriptor, self.entries * 64, offset=0x10000000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def add(self, operation: int, descriptor: int = -1, *, flags: int = 0, address: int = 0, length: int = 0,
            offset: int = 0, extra: int = 0, mark: int = 7) -> None:  # fmt: skip
        """Put an entry into the submission queue."""
        (tail,) = struct.unpack_from("I", self._ring, self._tail)
        slot = tail % self.entries
        entry = struct.pack("BBHiQQIIQ", operation, flags, 0, descriptor, offset, address, length, extra, mark)
        self._queue[slot * 64 : slot * 64 + 64] = entry.ljust(64, b"\0")
        struct.pack_into("I", self._ring, self._array + slot * 4, slot)
        struct.pack_into("I", self._ring, self._tail, tail + 1)

    def enter(self, submit: int, wait: int = 0) -> None:
        call("io_uring_enter", self.descriptor, submit, wait, 1 if wait else 0, None, 0)

    def register(self, operation: int, data: ctypes.Array[ctypes.c_char] | None, count: int) -> None:
        call("io_uring_register", self.descriptor, operation, data, count)


def ring_files(_folder: Path) -> None:
    Path("tpkit-r").write_bytes(b"ring" * 1000)
    descriptor = os.open("tpkit-r", os.O_RDWR)
    buffer = ctypes.create_string_buffer(64)
    at = ctypes.addressof(buffer)
    with Ring() as ring:
        ring.add(_NOP)
        ring.enter(1, 1)
        ring.add(_READ, descriptor, address=at, length=64, mark=1)
        ring.add(_WRITE, descriptor, address=at, length=64, offset=100, mark=2)
        ring.add(_READ, descriptor, flags=_ASYNC, address=at, length=64, mark=3)
        ring.enter(3, 3)
        ring.add(_FSYNC, descriptor, flags=_DRAIN, mark=4)
        ring.enter(1, 1)
        ring.add(_READ, 99, flags=_LINK, address=at, length=64, mark=5)  # fails, and takes the next along
        ring.add(_NOP, mark=6)
        ring.enter(2, 2)
        ring.add(200, mark=7)  # no such operation
        ring.enter(1)


def ring_waits(_folder: Path) -> None:
    one, other = socket.socketpair()
    moment = ctypes.create_string_buffer(struct.pack("qq", 0, 3_000_000), 16)
    with Ring(flags=1 << 12 | 1 << 13) as ring:  # one issuer, deferred task work
        ring.add(_POLL_ADD, one.fileno(), extra=1, mark=11)
        ring.enter(1)
        other.send(b"x")
        ring.enter(0, 1)
        ring.add(_TIMEOUT, address=ctypes.addressof(moment), length=1, mark=12)
        ring.enter(1, 1)
        ring.add(_POLL_ADD, one.fileno(), extra=4, mark=13)
        ring.add(_CANCEL, address=13, mark=14)
        ring.enter(2)
    buffer = ctypes.create_string_buffer(64)
    with Ring() as ring:
        ring.add(_POLL_ADD, other.fileno(), extra=1, mark=15)
        ring.enter(1)
        one.send(b"x")
        ring.enter(0, 1)
        other.recv(10)
        ring.add(_READ, other.fileno(), address=ctypes.addressof(buffer), length=64, mark=16)
        ring.enter(1)
        one.send(b"x")
        ring.enter(0, 1)


def ring_overflow(_folder: Path) -> None:
    with Ring(1) as ring:  # three completions into room for two
        for mark in range(4):
            ring.add(_NOP, mark=mark)
            ring.enter(1)


def ring_registers(_folder: Path) -> None:
    with Ring() as ring:
        memory = ctypes.create_string_buffer(4096)
        vector = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(memory), 4096), 16)
        ring.register(0, vector, 1)
        ring.register(1, None, 0)
        ring.register(2, ctypes.create_string_buffer(struct.pack("i", 2), 4), 1)
        with suppress(OSError):
            ring.register(99, None, 0)


def short_writes(folder: Path) -> None:
    """A write that a full file system cuts short."""
    Path("tpkit-small").mkdir()
    mount("tpkit", "tpkit-small", "tmpfs", 0, "size=64k")
    try:
        descriptor = os.open("tpkit-small/tpkit-full", os.O_CREAT | os.O_RDWR, 0o600)
        memory = ctypes.create_string_buffer(256 << 10)
        with Ring() as ring:
            ring.add(_WRITE, descriptor, flags=_ASYNC, address=ctypes.addressof(memory), length=256 << 10)
            ring.enter(1, 1)
        os.close(descriptor)
    finally:
        umount("tpkit-small")


def old_asynchronous(_folder: Path) -> None:
    context = ctypes.create_string_buffer(8)
    call("io_setup", 8, context)
    call("io_destroy", struct.unpack("Q", context.raw)[0])


_INIT, _GETATTR, _STATFS = 26, 3, 17


def user_file_system(_folder: Path) -> None:
    """A FUSE file system with nothing in it, served by a thread of this process."""
    Path("tpkit-fuse").mkdir()
    device = os.open("/dev/fuse", os.O_RDWR)
    server = threading.Thread(target=_serve, args=(device,), daemon=True)
    mount("tpkit", "tpkit-fuse", "fuse", 0, f"fd={device},rootmode=40000,user_id=0,group_id=0")
    server.start()
    try:
        with suppress(OSError):
            os.stat("tpkit-fuse")
        with suppress(OSError):
            os.stat("tpkit-fuse/tpkit-none")
        with suppress(OSError):
            os.statvfs("tpkit-fuse")
    finally:
        umount("tpkit-fuse")
        os.close(device)


def _serve(device: int) -> None:
    """Answer each request: INIT and GETATTR with the least that the kernel accepts, the rest with ENOSYS."""
    set_name("tpkit-fuse")
    attributes = struct.pack("QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
    answers = {
        _INIT: struct.pack("IIIIHHIIHHI", 7, 31, 65536, 0, 12, 9, 65536, 1, 256, 0, 0) + bytes(24),
        _GETATTR: struct.pack("QII", 1, 0, 0) + attributes,
        _STATFS: bytes(80),
    }
    with suppress(OSError):
        while True:
            request = os.read(device, 1 << 17)
            _length, operation, unique = struct.unpack_from("IIQ", request)
            if operation in (2, 36, 42):  # forget and interrupt want no answer
                continue
            body = answers.get(operation, b"")
            error = 0 if operation in answers else -38
            os.write(device, struct.pack("IiQ", 16 + len(body), error, unique) + body)


STEPS = (
    ring_files, ring_waits, ring_overflow, ring_registers, short_writes, old_asynchronous, user_file_system,
)  # fmt: skip
