"""Arrays of pieces of memory, and messages made of them, with what is in the pieces where that was read as well.

What a vector's payload holds is told at ``PayloadKind.IOVEC`` and ``MSGHDR``.
"""

from __future__ import annotations

from dataclasses import replace

from tpkit.decode.naming import pointer
from tpkit.decode.structs import shapes, sockets
from tpkit.decode.structs.given import Given
from tpkit.decode.structs.members import unsigned
from tpkit.decode.text import quote
from tpkit.payload import MOST_NAME, MOST_PIECES


def vector(given: Given) -> str:
    """``[{iov_base="hello", iov_len=5}]``, or the pieces' addresses where there was no more."""
    size = shapes.layout("iovec", given.machine)[0]
    end = min(given.whole, MOST_PIECES * size)
    pieces = given.data[end:]
    if not pieces:
        return shapes.structs(given.first(given.whole), "iovec")
    words = []
    is_all = len(pieces) == given.others.get("ret")
    for at in range(0, end, size):
        base, length = unsigned(given.data[at : at + size // 2]), unsigned(given.data[at + size // 2 : at + size])
        piece, pieces = pieces[:length], pieces[length:]
        words.append(f"{{iov_base={_piece(base, length, piece, is_all)}, iov_len={length}}}")
    return f"[{', '.join(words + (['...'] if given.whole > end else []))}]"


def _piece(base: int, length: int, piece: bytes, is_all: bool) -> str:
    """is_all: the call read no more than that, however much room there was."""
    if not piece and length and not is_all:
        return pointer(base)
    return quote(piece) + ("..." if len(piece) < length and not is_all else "")


def message(given: Given) -> str:
    """``{msg_name=NULL, msg_iov=[{iov_base="hello", iov_len=5}], …}``."""
    size = shapes.layout("message", given.machine)[0]
    if len(given.data) <= size:
        return shapes.struct(given, "message")
    header = replace(given, data=given.data[:size])
    rest = given.data[size:]
    numbers = _numbers(header)
    named = min(numbers["msg_namelen"], MOST_NAME) if numbers["msg_name"] else 0
    name, rest = rest[:named], rest[named:]
    whole = numbers["msg_iovlen"] * shapes.layout("iovec", given.machine)[0]
    told = {"msg_iov": vector(replace(given, data=rest, whole=whole))}
    if name:
        told["msg_name"] = sockets.address(replace(given, data=name, whole=numbers["msg_namelen"]))
    words = [(word, *word.split("=", 1)) for word in shapes.parts(header, "message")]
    return f"{{{', '.join(f'{label}={told[label]}' if label in told else word for word, label, _ in words)}}}"


def _numbers(header: Given) -> dict[str, int]:
    members = shapes.layout("message", header.machine)[2]
    return {label: unsigned(header.data[start : start + size]) for label, start, size, *_ in members}
