"""Network and hardware addresses and UUIDs as ``%pI``, ``%pM`` and ``%pU`` show them.

After ``ip_addr_string``, ``mac_address_string`` and ``uuid_string`` of the kernel's ``lib/vsprintf.c``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

_AF_INET = 2
_AF_INET6 = 10
_FLOW_MASK = 0x0FFFFFFF
_GUID_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)
_UUID_GROUPS = (4, 6, 8, 10)
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
_ZEROS_TO_FOLD = 2  # a single group of zeros stays


def hardware_address(data: bytes, extension: str) -> str:
    """``%pM`` with colons, ``%pMF`` with dashes, ``%pm`` without; R reverses."""
    if extension[1:2] == "R":
        data = data[::-1]
    if extension[0] == "m":
        return data.hex()
    return data.hex("-" if extension[1:2] == "F" else ":")


def uuid(data: bytes, extension: str) -> str:
    """``%pU`` and ``%pUb`` in the order of the bytes, ``%pUl`` as a GUID; B and L in upper case."""
    letter = extension[1:2]
    if letter in ("l", "L") and letter:
        data = bytes(data[index] for index in _GUID_ORDER)
    shown = data.hex()
    joined = "-".join(
        shown[2 * start : 2 * end] for start, end in zip((0, *_UUID_GROUPS), (*_UUID_GROUPS, 16), strict=True)
    )
    return joined.upper() if letter in ("B", "L") and letter else joined


def ip_address(memory: Callable[[int], bytes], extension: str, byte_order: Literal["little", "big"]) -> str:
    """``%pI…`` and ``%pi…``; memory gives so many bytes at the address."""
    family = extension[1:2]
    if family == "4":
        return _ip4(memory(4), extension[0], extension[2:3], byte_order)
    if family == "6":
        return _ip6(memory(16), extension[0], compressed=extension[2:3] == "c")
    if family == "S":
        return _socket_address(memory, extension, byte_order)
    return f"(%p{extension[0]}?)"


def _ip4(data: bytes, letter: str, order: str, byte_order: str) -> str:
    """Four numbers; ``%pi4`` has leading zeros; h and l say that the bytes are turned round."""
    if order == "l" or (order == "h" and byte_order == "little"):
        data = data[::-1]
    return ".".join(f"{each:03d}" if letter == "i" else str(each) for each in data)


def _ip6(data: bytes, letter: str, *, compressed: bool) -> str:
    if letter == "i":
        return data.hex()
    if compressed:
        return _ip6_compressed(data)
    shown = data.hex()
    return ":".join(shown[at : at + 4] for at in range(0, 32, 4))


def _ip6_compressed(data: bytes) -> str:
    """``ip6_compressed_string``: RFC 5952, with the last half as IPv4 where the address holds one."""
    holds_ip4 = data[:12] == bytes(10) + b"\xff\xff" or data[8:12] in _ISATAP
    groups = [int.from_bytes(data[at : at + 2], "big") for at in range(0, 12 if holds_ip4 else 16, 2)]
    tail = [_ip4(data[12:], "I", "", "big")] if holds_ip4 else []
    start, length = _longest_zeros(groups)
    if length < _ZEROS_TO_FOLD:
        return ":".join([f"{group:x}" for group in groups] + tail)
    head = ":".join(f"{group:x}" for group in groups[:start])
    return f"{head}::{':'.join([f'{group:x}' for group in groups[start + length :]] + tail)}"


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    """Where the first of the longest runs of zeros begins, and how long it is."""
    best = (0, 0)
    start = 0
    for index, group in enumerate([*groups, 1]):
        if group:
            if index - start > best[1]:
                best = (start, index - start)
            start = index + 1
    return best


def _socket_address(memory: Callable[[int], bytes], extension: str, byte_order: Literal["little", "big"]) -> str:
    """``%pIS`` of a struct sockaddr; p adds the port, f the flow label, s the scope, c compresses."""
    family = int.from_bytes(memory(2), byte_order)
    options = extension[2:]
    if family == _AF_INET:
        return _socket_ip4(memory(8), extension[0], options, byte_order)
    if family == _AF_INET6:
        return _socket_ip6(memory(28), extension[0], options, byte_order)
    return "(einval)"


def _socket_ip4(data: bytes, letter: str, options: str, byte_order: str) -> str:
    order = next((each for each in reversed(options) if each in "hlnb"), "")
    port = f":{int.from_bytes(data[2:4], 'big')}" if "p" in options else ""
    return _ip4(data[4:8], letter, order, byte_order) + port


def _socket_ip6(data: bytes, letter: str, options: str, byte_order: Literal["little", "big"]) -> str:
    address = _ip6(data[8:24], letter, compressed="c" in options)
    if set("psf") & set(options):
        address = f"[{address}]"
    if "p" in options:
        address += f":{int.from_bytes(data[2:4], 'big')}"
    if "f" in options:
        address += f"/{int.from_bytes(data[4:8], 'big') & _FLOW_MASK}"
    if "s" in options:
        address += f"%{int.from_bytes(data[24:28], byte_order)}"
    return address
