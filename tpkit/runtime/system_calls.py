"""bpf(2), perf_event_open(2) and membarrier(2), as far as a runtime needs them.

Python has none of them. Their numbers are those of ``arch/*/entry/syscalls/*.tbl`` and
``uapi/asm-generic/unistd.h``; the layouts of what they are given are ``uapi/linux/bpf.h``'s and
``uapi/linux/perf_event.h``'s, and what a kernel doesn't know of them is zero.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from tpkit.errors import KernelUnsupported


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of the three system calls on one kind of machine; set_bpf: of the request that gives a perf event a program."""

    bpf: int
    perf_event_open: int
    membarrier: int
    set_bpf: int = 0x4004_2408  # _IOW('$', 8, __u32)


_GENERIC = Numbers(280, 241, 283)
NUMBERS = {
    "x86_64": Numbers(321, 298, 324),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
    "s390x": Numbers(351, 331, 356),
    "ppc64le": Numbers(361, 319, 365, set_bpf=0x8004_2408),  # its _IOC_WRITE is another bit
}


class Command(IntEnum):
    """enum bpf_cmd."""

    MAP_CREATE = 0
    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_NEXT_KEY = 4
    PROG_LOAD = 5
    INFO = 15


class MapKind(IntEnum):
    """enum bpf_map_type: those that our programs have."""

    HASH = 1
    ARRAY = 2
    PERCPU_ARRAY = 6
    CGROUP_ARRAY = 8
    RINGBUF = 27


_PROG_TYPE_TRACEPOINT = 5
_PERF_TYPE_TRACEPOINT = 2
_PERF_SAMPLE_RAW = 1 << 10
_PERF_ATTR_SIZE = 64  # PERF_ATTR_SIZE_VER0
_PERF_FLAG_FD_CLOEXEC = 8
_PR_SET_PDEATHSIG = 1  # uapi/linux/prctl.h
_NAME_SIZE = 16  # BPF_OBJ_NAME_LEN
_MISSES = 208  # struct bpf_prog_info: where recursion_misses is, behind run_cnt (Linux 5.12, commit 9ed9e9ba2337)


def create_map(name: str, kind: MapKind, key_size: int, value_size: int, entries: int, flags: int) -> int:
    """A new map's descriptor. Raises OSError."""
    head = struct.pack("=IIIIIII", kind, key_size, value_size, entries, flags, 0, 0)
    return _bpf(Command.MAP_CREATE, head + _named(name))


def load_program(name: str, code: bytes, log: int = 0) -> tuple[int, str]:
    """A tracepoint program's descriptor, and what the verifier said, if it was given ``log`` bytes for that.

    The descriptor is negative, an errno's, where it was refused.
    """
    instructions, words = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(max(log, 1))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQIIQII",
        _PROG_TYPE_TRACEPOINT,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        1 if log else 0,
        log,
        ctypes.addressof(words) if log else 0,
        0,
        0,
    )
    try:
        return _bpf(Command.PROG_LOAD, attributes + _named(name)), ""
    except OSError as error:
        return -(error.errno or 1), words.value.decode(errors="replace")


def lookup(descriptor: int, key: bytes, size: int) -> bytes:
    """A map's value, of ``size`` bytes. Raises OSError: ENOENT for a key that isn't there."""
    wanted, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    _bpf(Command.MAP_LOOKUP, _element(descriptor, wanted, value))
    return value.raw


def update(descriptor: int, key: bytes, value: bytes) -> None:
    """Puts a value into a map. Raises OSError."""
    place, content = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    _bpf(Command.MAP_UPDATE, _element(descriptor, place, content))


def next_key(descriptor: int, key: bytes | None, size: int) -> bytes | None:
    """The key behind this one in a hash, the first for None; None behind the last. Raises OSError."""
    found = ctypes.create_string_buffer(size)
    before = None if key is None else ctypes.create_string_buffer(key, len(key))
    try:
        _bpf(Command.MAP_NEXT_KEY, _element(descriptor, before, found))
    except FileNotFoundError:
        return None
    return found.raw


def misses(descriptor: int) -> int:
    """How often the kernel didn't run a program because it was in another one on that CPU. Raises OSError."""
    info = ctypes.create_string_buffer(_MISSES + 8)
    _bpf(Command.INFO, struct.pack("=IIQ", descriptor, len(info), ctypes.addressof(info)))
    return int.from_bytes(info.raw[_MISSES:], "little" if struct.pack("=H", 1)[0] else "big")


def open_tracepoint(number: int) -> int:
    """A perf event of a tracepoint, in all processes on all CPUs, for a program to be attached to; it is enabled.

    Raises OSError.
    """
    # type, size, config, sample_period, sample_type, read_format, flags, wakeup_events
    head = struct.pack("=IIQQQQQI", _PERF_TYPE_TRACEPOINT, _PERF_ATTR_SIZE, number, 1, _PERF_SAMPLE_RAW, 0, 0, 1)
    attributes = ctypes.create_string_buffer(head, _PERF_ATTR_SIZE)
    everybody, cpu, no_group = -1, 0, -1  # its program runs on all CPUs: it belongs to the tracepoint
    return _call(
        _numbers().perf_event_open, ctypes.addressof(attributes), everybody, cpu, no_group, _PERF_FLAG_FD_CLOEXEC
    )


def attach(event: int, program: int) -> None:
    """Puts a program on a perf event's tracepoint, where it runs from now on. Raises OSError."""
    fcntl.ioctl(event, _numbers().set_bpf, program)


def barrier_command(command: int) -> Callable[[], object]:
    """membarrier(2) with this command, as a function. Raises OSError where the kernel has no such command."""
    numbers = _numbers()
    _call(numbers.membarrier, command, 0, 0)
    return lambda: _call(numbers.membarrier, command, 0, 0)


def _named(name: str) -> bytes:
    return name.encode()[: _NAME_SIZE - 1].ljust(_NAME_SIZE, b"\0")


def _element(descriptor: int, key: ctypes.Array[ctypes.c_char] | None, value: ctypes.Array[ctypes.c_char]) -> bytes:
    return struct.pack("=IIQQQ", descriptor, 0, 0 if key is None else ctypes.addressof(key), ctypes.addressof(value), 0)


def die_with(parent: int) -> None:
    """This process is killed when its parent, the process of this number, ends, or is killed itself."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), signal.SIGKILL)


def _bpf(command: Command, attributes: bytes) -> int:
    union = ctypes.create_string_buffer(attributes, len(attributes))
    return _call(_numbers().bpf, command, ctypes.addressof(union), len(attributes))


def _call(number: int, *arguments: int) -> int:
    result = _system()(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


@cache
def _system() -> Callable[..., int]:
    system = ctypes.CDLL(None, use_errno=True).syscall
    system.restype = ctypes.c_long
    function: Callable[..., int] = system
    return function


@cache
def _numbers() -> Numbers:
    machine = os.uname().machine
    # A 32-bit Python has other numbers, and other pointers.
    if machine not in NUMBERS or struct.calcsize("P") != 8:
        raise KernelUnsupported(
            f"tpkit can't load programs on this kind of machine ({machine})",
            remedy=f"it can on {', '.join(sorted(NUMBERS))}, with a 64-bit Python",
        )
    return NUMBERS[machine]
