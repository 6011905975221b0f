"""Members of structs: numbers, names for them, addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from functools import lru_cache

from tpkit.decode.naming import pointer
from tpkit.decode.tables import Namer, namer
from tpkit.decode.text import quote
from tpkit.syscall_words.tables import group_table
from tpkit.widths import Width

INFINITY = 2**64 - 1  # RLIM64_INFINITY of linux/resource.h


def value(data: bytes, signed: bool, shown: str, machine: str) -> str:
    """One member; shown: as layouts has it: nothing for a number, a word of ours, or a group of names."""
    special = _SHOWN.get(shown)
    if special is not None:
        return special(data, machine)
    number = int.from_bytes(data, "little", signed=signed)
    return named(shown, number, len(data), signed, machine) if shown else str(number)


def named(group: str, number: int, size: int, signed: bool, machine: str) -> str:
    """A number by its name, or its bits by theirs; size: in bytes."""
    names, are_flags = _namer(group, size, signed, machine)
    if not are_flags:
        return names(number) or str(number)
    number &= (1 << size * 8) - 1
    return names(number) or hexadecimal(number)


def name(group: str, number: int, machine: str) -> str | None:
    """A number's name in a group of values, None where it has none."""
    return _namer(group, 8, True, machine)[0](number)


@lru_cache(maxsize=512)
def _namer(group: str, size: int, signed: bool, machine: str) -> tuple[Namer, bool]:
    """What names a group's numbers, and whether they are flags."""
    table = group_table(group, Width(size, signed), machine)
    return (lambda _: None, False) if table is None else (namer(table), table.delimiter is not None)


def unsigned(data: bytes) -> int:
    """The bytes as a number: all machines that we know structs of are little-endian."""
    return int.from_bytes(data, "little")


def hexadecimal(number: int) -> str:
    """As printf's ``%#x``."""
    return hex(number) if number else "0"


def octal(number: int) -> str:
    """As printf's ``%#o``, three digits at least."""
    return f"0{number:03o}" if number else "000"


def mode(number: int, machine: str) -> str:
    """``S_IFREG|0644``."""
    return named("file_mode", number, 4, False, machine) if number > 0o7777 else octal(number)


def device(number: int) -> str:
    """``makedev(0x8, 0x1)``: makedev(3)."""
    return f"makedev({hex(os.major(number))}, {hex(os.minor(number))})"


def text(data: bytes) -> str:
    """A string within a struct, up to its zero."""
    return quote(data.split(b"\0", 1)[0])


def _limit(data: bytes, _: str) -> str:
    number = unsigned(data)
    if number == INFINITY:
        return "RLIM64_INFINITY"
    return f"{number // 1024}*1024" if number > 1024 and number % 1024 == 0 else str(number)


def _halves(data: bytes, _: str) -> str:
    middle = len(data) // 2
    return f"{{val=[{hexadecimal(unsigned(data[:middle]))}, {hexadecimal(unsigned(data[middle:]))}]}}"


def _three(data: bytes, _: str) -> str:
    size = len(data) // 3
    return f"[{', '.join(str(unsigned(data[at * size :][:size])) for at in range(3))}]"


def _handler(data: bytes, machine: str) -> str:
    number = int.from_bytes(data, "little", signed=True)
    return name("handler", number, machine) or pointer(unsigned(data))


_SHOWN: Mapping[str, Callable[[bytes, str], str]] = {
    "hex": lambda data, _: hexadecimal(unsigned(data)),
    "octal": lambda data, _: octal(unsigned(data)),
    "address": lambda data, _: pointer(unsigned(data)),
    "text": lambda data, _: text(data),
    "mode": lambda data, machine: mode(unsigned(data), machine),
    "device": lambda data, _: device(unsigned(data)),
    "signals": lambda data, machine: signals(unsigned(data), machine),
    "limit_size": _limit,
    "pair": _halves,
    "three": _three,
    "handler": _handler,
    "port": lambda data, _: f"htons({int.from_bytes(data, 'big')})",
    "network_long": lambda data, _: f"htonl({int.from_bytes(data, 'big')})",
    "group_bits": lambda data, _: f"{unsigned(data):08x}",
    "ipv4": lambda data, _: f'inet_addr("{socket.inet_ntop(socket.AF_INET, data)}")',
    "ipv6": lambda data, _: f'inet_pton(AF_INET6, "{socket.inet_ntop(socket.AF_INET6, data)}")',
}


def signals(bits: int, machine: str, size: int = 64) -> str:
    """``[INT TERM]``, or ``~[KILL]`` where two thirds of all are in the set (sprintsigmask_n of strace's signal.c)."""
    inverted = bits.bit_count() >= size * 2 // 3
    if inverted:
        bits ^= (1 << size) - 1
    numbers = [number for number in range(1, size + 1) if bits >> number - 1 & 1]
    words = " ".join((name("signal", each, machine) or str(each)).removeprefix("SIG") for each in numbers)
    return f"{'~' if inverted else ''}[{words}]"
