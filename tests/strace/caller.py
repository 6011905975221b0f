"""The program that makes the workload's calls, and tells what it gave and got: arguments, results, memory.

    caller.py FOLDER < calls    calls: JSON, each with its number, its arguments, and the memory that is of interest
                                on stdout: JSON, what each call was given, what it returned, and that memory

It knows nothing of tpkit, and its memory is its own: nothing is read that it hasn't made.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from typing import Any

MARK = "/tpkit/begins"
FORKS = {"clone", "clone3", "fork"}

libc = ctypes.CDLL(None, use_errno=True)
made: dict[int, ctypes.Array[ctypes.c_char]] = {}
labels: dict[str, int] = {}


def memory(data: bytes) -> int:
    """The address of a copy that lives as long as this process."""
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    address = ctypes.addressof(buffer)
    made[address] = buffer
    return address


def known(address: int) -> bytes | None:
    """What is at an address, up to the end of what was made there."""
    for start, buffer in made.items():
        if start <= address < start + len(buffer):
            return buffer.raw[address - start :]
    return None


def value(told: Any) -> int:
    """An argument as a number, with its memory made."""
    if isinstance(told, int):
        return told
    if "of" in told:
        found = labels[told["of"]]
        return found if told["offset"] is None else integer(found + told["offset"])
    if "parts" in told:
        parts = [(value(each) & (1 << size * 8) - 1).to_bytes(size, "little") for size, each in told["parts"]]
        return memory(b"".join(parts))
    address = memory(bytes.fromhex(told["data"]))
    if told.get("label"):
        labels[told["label"]] = address
    return address


def integer(address: int) -> int:
    """The int at an address."""
    return int.from_bytes((known(address) or bytes(4))[:4], "little", signed=True)


def length(payload: dict[str, Any], arguments: list[int], result: int) -> int:
    """How many bytes a payload has in all."""
    at = payload["size_argument"]
    size = int(payload["size"] or 4096)
    if payload["sized_by_result"]:
        counted = result if at is None else min(result, arguments[at])
    elif at is None:
        return size
    else:
        counted = integer(arguments[at]) if payload["size_is_pointer"] else arguments[at]
    return int(max(counted, 0) * payload["unit"] + payload["extra"])


def strings(address: int) -> list[Any] | None:
    """An array of addresses of strings: all of them, each with its zero."""
    found = known(address)
    if found is None:
        return None
    data = b""
    for at in range(0, len(found) - 7, 8):
        pointer = int.from_bytes(found[at : at + 8], "little")
        if not pointer:
            break
        data += (known(pointer) or b"").split(b"\0")[0] + b"\0"
    return [data.hex(), len(data)]


def word(data: bytes, at: int) -> int:
    """A 64-bit number."""
    return int.from_bytes(data[at : at + 8], "little")


def vector(data: bytes, count: int, most: int) -> bytes:
    """An array of pieces of memory, and behind it what they hold."""
    data = data[: 16 * count]
    pieces = b"".join((known(word(data, at)) or b"")[: word(data, at + 8)] for at in range(0, len(data), 16))
    return data + pieces[:most]


def message(data: bytes, most: int) -> bytes:
    """A struct msghdr, the address in it, and its pieces of memory."""
    name = known(word(data, 0))
    pieces = vector(known(word(data, 16)) or b"", word(data, 24), most)
    return data[:56] + (b"" if name is None else name[: word(data, 8) & 0xFFFF_FFFF]) + pieces


def signal_set(data: bytes) -> bytes:
    """pselect6's last argument: an address and a size, and behind it the set."""
    return data[:16] + (known(word(data, 0)) or b"")[:8]


def read(payload: dict[str, Any], arguments: list[int], result: int) -> list[Any] | None:
    """A payload's bytes and their number in all, None where there is nothing of ours."""
    address = arguments[payload["argument"]]
    if payload["kind"] == "STRINGS":
        return strings(address)
    found = known(address)
    if found is None:
        return None
    whole = length(payload, arguments, result)
    if payload["kind"] == "SIGSET_ARGUMENT":
        return [signal_set(found).hex(), whole]
    if payload["kind"] in ("IOVEC", "MSGHDR"):
        most = result if payload["at_exit"] else 4096
        at = payload["size_argument"]
        data = message(found, most) if at is None else vector(found, arguments[at], most)
        return [data.hex(), len(data)]
    return [found[: min(whole, payload["size"] or 4096)].hex(), whole]


def call(wanted: dict[str, Any]) -> dict[str, Any]:
    """One call, and what there was to see."""
    arguments = [value(each) for each in wanted["arguments"]]
    seen = {each["argument"]: read(each, arguments, 0) for each in wanted["payloads"] if not each["at_exit"]}
    ctypes.set_errno(0)
    result = int(libc.syscall(ctypes.c_long(wanted["number"]), *map(ctypes.c_long, arguments)))
    if result == 0 and wanted["name"] in FORKS:
        os._exit(3)
    if result == -1 and ctypes.get_errno():
        result = -ctypes.get_errno()
    if wanted["label"]:
        labels[wanted["label"]] = result
    for each in wanted["payloads"]:
        if each["at_exit"] and (result >= 0 or each["in_out"]):
            seen[each["argument"]] = read(each, arguments, result)
    return {"name": wanted["name"], "arguments": arguments, "result": result, "seen": seen}


def main() -> None:
    """All calls, with nothing else between them that can be avoided."""
    wanted = json.load(sys.stdin)
    os.chdir(sys.argv[1])
    libc.syscall.restype = ctypes.c_long
    gc.disable()
    libc.access(MARK.encode(), 0)
    told = [call(each) for each in wanted]
    libc.access(MARK.encode(), 0)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
