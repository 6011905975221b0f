"""Sockets: addresses, options."""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.decode.structs import plain, shapes
from tpkit.decode.structs.given import Given
from tpkit.decode.structs.members import name, text, unsigned
from tpkit.decode.text import quote
from tpkit.error_names import ERROR_NAMES
from tpkit.syscall_words.dependent import option_name

_FAMILIES: Mapping[str, str] = {
    "AF_INET": "address_inet",
    "AF_INET6": "address_inet6",
    "AF_NETLINK": "address_netlink",
    "AF_PACKET": "address_packet",
    "AF_VSOCK": "address_vsock",
    "AF_ALG": "address_crypto",
}

# Options that are more than a number: socket(7), tcp(7).
_STRUCTS: Mapping[str, str] = {
    "SO_LINGER": "linger",
    "SO_RCVTIMEO_OLD": "timeval",
    "SO_SNDTIMEO_OLD": "timeval",
    "SO_RCVTIMEO_NEW": "timeval",
    "SO_SNDTIMEO_NEW": "timeval",
    "SO_PEERCRED": "credentials",
    "SO_ATTACH_FILTER": "filter_program",
}
_TEXTS = frozenset({"SO_BINDTODEVICE", "SO_PEERSEC", "TCP_CONGESTION", "TCP_ULP"})
_NAMED: Mapping[str, str] = {"SO_TYPE": "socket_type", "SO_DOMAIN": "family", "SO_PROTOCOL": "protocol"}


def address(given: Given) -> str:
    """``{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}``."""
    if len(given.data) < 2:
        return quote(given.data)
    number = unsigned(given.data[:2])
    family = name("family", number, given.machine) or str(number)
    words = [f"sa_family={family}", *_address(given, family)]
    return f"{{{', '.join(words)}}}"


def _address(given: Given, family: str) -> list[str]:
    rest = given.data[2:]
    if family == "AF_UNIX":
        return [f"sun_path={_path(rest)}"] if rest else []
    struct = _FAMILIES.get(family)
    if struct is not None:
        words = shapes.parts(given, struct)
        if len(words) == len(shapes.layout(struct, given.machine)[2]):
            return [_inet6(word) for word in words]
    return [f"sa_data={quote(rest)}{'...' if given.is_cut else ''}"] if rest else []


def _path(data: bytes) -> str:
    """A file's path, or an abstract name, which begins with a zero: unix(7)."""
    return f"@{quote(data[1:])}" if data[:1] == b"\0" else text(data)


def _inet6(word: str) -> str:
    """strace writes that member as the call that would fill it."""
    label, _, call = word.partition("=")
    return f"{call[:-1]}, &{label})" if label == "sin6_addr" else word


def option(given: Given) -> str:
    """``[1]`` for most, the struct or string for the others."""
    if not given.data:
        return ""
    level, number = given.others.get("level"), given.others.get("optname")
    wanted = None if level is None or number is None else option_name(level, number, given.machine)
    struct = _STRUCTS.get(wanted or "")
    if struct is not None and len(given.data) >= shapes.layout(struct, given.machine)[0]:
        return shapes.struct(given, struct)
    if wanted in _TEXTS:
        return text(given.data)
    if len(given.data) == 4:
        return f"[{_number(wanted or '', int.from_bytes(given.data, 'little', signed=True), given.machine)}]"
    return plain.buffer(given)


def _number(wanted: str, number: int, machine: str) -> str:
    if wanted == "SO_ERROR" and number in ERROR_NAMES:
        return ERROR_NAMES[number]
    group = _NAMED.get(wanted)
    return (name(group, number, machine) if group else None) or str(number)
