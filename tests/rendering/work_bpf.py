"""BPF programs of a few instructions: test runs, XDP on a device of our own, a word for the trace."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from tests.rendering.kernel_calls import call, run

_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _TEST_RUN, _LINK_CREATE, _RAW_OPEN = 0, 2, 5, 10, 28, 17
_SOCKET_FILTER, _TRACEPOINT_RAW, _XDP = 1, 17, 6
_DEVMAP, _CPUMAP = 14, 16

ABORTED, PASS, TX = 0, 2, 3

_LICENSE = ctypes.create_string_buffer(b"GPL")


def _instruction(code: int, registers: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", code, registers, offset, value)


def _set(register: int, value: int) -> bytes:
    return _instruction(0xB7, register, value=value)


def _call_helper(number: int) -> bytes:
    return _instruction(0x85, value=number)


_EXIT = _instruction(0x95)


def _bpf(command: int, attribute: bytes) -> int:
    size = max(len(attribute), 120)
    return call("bpf", command, ctypes.create_string_buffer(attribute, size), size)


def load(kind: int, program: bytes, expected_attach: int = 0) -> int:
    """A program's descriptor. Raises OSError when the kernel refuses it."""
    code = ctypes.create_string_buffer(program, len(program))
    attribute = struct.pack(
        "=IIQQIIQII16sII", kind, len(program) // 8, ctypes.addressof(code), ctypes.addressof(_LICENSE),
        0, 0, 0, 0, 0, b"tpkit", 0, expected_attach,
    )  # fmt: skip
    return _bpf(_PROG_LOAD, attribute)


def returning(verdict: int) -> bytes:
    return _set(0, verdict) + _EXIT


def redirecting(device: int) -> bytes:
    """bpf_redirect(device, 0)"""
    return _set(1, device) + _set(2, 0) + _call_helper(23) + _EXIT


def redirecting_by_map(descriptor: int) -> bytes:
    """bpf_redirect_map(map, 0, 0)"""
    load_map = _instruction(0x18, 0x11, value=descriptor) + _instruction(0)
    return load_map + _set(2, 0) + _set(3, 0) + _call_helper(51) + _EXIT


def speaking() -> bytes:
    """bpf_trace_printk("tpkit\\n", 8) with the text on the stack."""
    (text,) = struct.unpack("q", b"tpkit\n\0\0")
    wide = _instruction(0x18, 1, value=text & 0x7FFFFFFF) + struct.pack("=BBhi", 0, 0, 0, text >> 32)
    return (
        wide
        + _instruction(0x7B, 0x1A, -8)  # *(u64 *)(r10 - 8) = r1
        + _instruction(0xBF, 0xA1)  # r1 = r10
        + _instruction(0x07, 1, value=-8)
        + _set(2, 8)
        + _call_helper(6)
        + returning(0)
    )


def run_once(program: int, *, repeat: int = 1, flags: int = 0, device: int = 0) -> None:
    frame = ctypes.create_string_buffer(bytes(12) + b"\x08\x00" + bytes(50), 64)
    out = ctypes.create_string_buffer(512)
    context = ctypes.create_string_buffer(struct.pack("=IIIIII", 0, 64, 0, device, 0, 0), 24)
    live = flags & 2
    attribute = struct.pack(
        "=IIIIQQIIIIQQIII", program, 0, 64, 0 if live else 512, ctypes.addressof(frame),
        0 if live else ctypes.addressof(out), repeat, 0,
        24 if live else 0, 0, ctypes.addressof(context) if live else 0, 0, flags, 0, 0,
    )  # fmt: skip
    _bpf(_TEST_RUN, attribute)


def bpf_runs(_folder: Path) -> None:
    for program in (load(_SOCKET_FILTER, returning(0)), load(_XDP, returning(PASS))):
        run_once(program, repeat=3)
    run_once(load(_SOCKET_FILTER, speaking()))


def bpf_triggers(_folder: Path) -> None:
    with suppress(OSError):
        _raw_test(load(_TRACEPOINT_RAW, returning(0)))


def _raw_test(program: int) -> None:
    arguments = ctypes.create_string_buffer(16)
    _bpf(_TEST_RUN, struct.pack("=IIIIQQIIIIQQII", program, 0, 0, 0, 0, 0, 0, 0, 16, 0,
                                ctypes.addressof(arguments), 0, 0, 0))  # fmt: skip


def live_frames(_folder: Path) -> None:
    """Frames that really leave the program: passed, sent back, redirected, refused."""
    _pair("tpkl")
    index = socket.if_nametoindex("tpkl0")
    for verdict in (returning(PASS), returning(TX), returning(ABORTED), redirecting(index), redirecting(9999)):
        with suppress(OSError):
            run_once(load(_XDP, verdict), repeat=20, flags=2, device=index)


def maps(_folder: Path) -> None:
    _pair("tpkm")
    index = socket.if_nametoindex("tpkm0")
    _bpf(_LINK_CREATE, struct.pack("=IIII", load(_XDP, returning(PASS)), socket.if_nametoindex("tpkm1"), 37, 0))
    for kind, value in ((_DEVMAP, struct.pack("=I", index)), (_CPUMAP, struct.pack("=I", 192))):
        with suppress(OSError):
            descriptor = _bpf(_MAP_CREATE, struct.pack("=IIIII", kind, 4, 4, 4, 0))
            key, entry = ctypes.create_string_buffer(4), ctypes.create_string_buffer(value, 4)
            update = struct.pack("=IIQQQ", descriptor, 0, ctypes.addressof(key), ctypes.addressof(entry), 0)
            _bpf(_MAP_UPDATE, update)
            run_once(load(_XDP, redirecting_by_map(descriptor)), repeat=20, flags=2, device=index)


def attached(_folder: Path) -> None:
    """XDP on a pair of devices, with frames sent through it."""
    _pair("tpkx")
    index = socket.if_nametoindex("tpkx1")
    for verdict in (PASS, TX, ABORTED, 77):
        program = load(_XDP, returning(verdict))
        link = _bpf(_LINK_CREATE, struct.pack("=IIII", program, index, 37, 0))  # BPF_XDP
        with suppress(OSError):
            _bpf(_LINK_CREATE, struct.pack("=IIII", program, index, 37, 8))  # twice fails
        _send_frames("tpkx0")
        os.close(link)
        time.sleep(0.01)


def _pair(name: str) -> None:
    with suppress(OSError):
        run("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1")
    run("ip", "link", "set", f"{name}0", "up")
    run("ip", "link", "set", f"{name}1", "up")


def _send_frames(device: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((device, 0))
        for _ in range(5):
            sender.send(b"\xff" * 6 + b"\x02" + bytes(5) + b"\x08\x00" + bytes(50))


STEPS = (bpf_runs, bpf_triggers, live_frames, maps, attached)
