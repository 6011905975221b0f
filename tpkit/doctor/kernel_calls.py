"""Asks the kernel whether it would: tiny maps and programs that are closed again at once.

Features are asked for, never inferred from a version: distributions take features into older kernels,
and leave out or forbid some in newer ones. Nothing that is made here outlives its call, and nothing is
attached to anything.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Callable
from dataclasses import dataclass

# The numbers of bpf(2) and perf_event_open(2): arch/*/entry/syscalls/*.tbl, and uapi/asm-generic/unistd.h.
_NUMBERS = {
    "x86_64": (321, 298),
    "aarch64": (280, 241),
    "riscv64": (280, 241),
    "loongarch64": (280, 241),
    "s390x": (351, 331),
    "ppc64le": (361, 319),
}

# uapi/linux/bpf.h
_MAP_CREATE = 0
_PROG_LOAD = 5
_MAP_TYPE_RINGBUF = 27
_PROG_TYPE_SOCKET_FILTER = 1
_PROG_TYPE_TRACEPOINT = 5
_FUNC_KTIME_GET_COARSE_NS = 160

# Instructions: struct bpf_insn of uapi/linux/bpf.h, opcode, registers, offset, immediate.
_RETURN_0 = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)
_COARSE_TIME = struct.pack("=BBhi", 0x85, 0, 0, _FUNC_KTIME_GET_COARSE_NS) + struct.pack("=BBhi", 0x95, 0, 0, 0)

# uapi/linux/perf_event.h
_PERF_TYPE_SOFTWARE = 1
_PERF_COUNT_SW_DUMMY = 9
_PERF_ATTR_SIZE_VER0 = 64
_PERF_DISABLED = 1
_PERF_FLAG_FD_CLOEXEC = 8

YES = 0  # no errno

_System = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the kernel said: 0 for yes, an errno for no (errno(3)), None where it could not be asked.

    ring_buffer: a BPF ring buffer, the first thing that needs Linux 5.8 (commit 457f44363a88); program: a
    program for tracepoints; perf_event: an event of all processes on CPU 0, which is how BCC attaches;
    coarse_time: a helper that came with the release that stopped counting BPF memory against
    RLIMIT_MEMLOCK (5.11, commits d05512618056 and d0b2818efbe2). libbpf takes the one for the other too
    (``probe_memcg_account`` in ``tools/lib/bpf``): the counting itself can't be asked for harmlessly.
    """

    ring_buffer: int | None
    program: int | None
    perf_event: int | None
    coarse_time: int | None


def ask_kernel(machine: str | None = None) -> Answers:
    """What the running kernel says to this process. Needs no privileges: a refusal is an answer."""
    numbers = _NUMBERS.get(platform.machine() if machine is None else machine)
    # A 32-bit Python has other numbers, and other pointers.
    if numbers is None or struct.calcsize("P") != 8:
        return Answers(None, None, None, None)
    bpf, perf = numbers
    return Answers(
        ring_buffer=_bpf(bpf, _MAP_CREATE, struct.pack("=IIII", _MAP_TYPE_RINGBUF, 0, 0, mmap.PAGESIZE)),
        program=_load(bpf, _PROG_TYPE_TRACEPOINT, _RETURN_0),
        perf_event=_open_event(perf),
        coarse_time=_load(bpf, _PROG_TYPE_SOCKET_FILTER, _COARSE_TIME),
    )


def _load(number: int, kind: int, instructions: bytes) -> int:
    code, license_ = ctypes.create_string_buffer(instructions), ctypes.create_string_buffer(b"GPL")
    # prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags
    pointers = (ctypes.addressof(code), ctypes.addressof(license_))
    return _bpf(number, _PROG_LOAD, struct.pack("=IIQQIIQII", kind, len(instructions) // 8, *pointers, 0, 0, 0, 0, 0))


def _bpf(number: int, command: int, attributes: bytes) -> int:
    """bpf(2); the kernel closes its descriptors on exec by itself."""
    union = ctypes.create_string_buffer(attributes)
    return _errno_of(number, ctypes.c_long(command), ctypes.byref(union), ctypes.c_long(len(attributes)))


def _open_event(number: int) -> int:
    """perf_event_open(2) as BCC calls it, for an event that counts nothing and isn't enabled."""
    # type, size, config, sample_period, sample_type, read_format, flags
    head = struct.pack(
        "=IIQQQQQ", _PERF_TYPE_SOFTWARE, _PERF_ATTR_SIZE_VER0, _PERF_COUNT_SW_DUMMY, 0, 0, 0, _PERF_DISABLED
    )
    attributes = ctypes.create_string_buffer(head, _PERF_ATTR_SIZE_VER0)
    every_process, cpu, no_group = (ctypes.c_long(value) for value in (-1, 0, -1))
    flags = ctypes.c_long(_PERF_FLAG_FD_CLOEXEC)
    return _errno_of(number, ctypes.byref(attributes), every_process, cpu, no_group, flags)


def _errno_of(number: int, *arguments: object) -> int:
    """Makes the call, closes the descriptor that comes of it; 0 or the errno."""
    system: _System = ctypes.CDLL(None, use_errno=True).syscall
    descriptor = system(ctypes.c_long(number), *arguments)
    if descriptor < 0:
        return ctypes.get_errno() or errno.EINVAL
    os.close(descriptor)
    return YES
