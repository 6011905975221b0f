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
from tpkit.payload import MESSAGE, MOST_NAME, MOST_PIECES, PIECE

_COUNTS = ("vlen", "nr_segs", "liovcnt")  # how system calls call the number of pieces


def vector(given: Given) -> str:
    """``[{iov_base="hello", iov_len=5}]``, or the pieces' addresses where there was no more."""
    counts = [given.others[name] for name in _COUNTS if name in given.others]
    return _vector(given, counts[0] if counts else given.whole // PIECE)


def _vector(given: Given, count: int) -> str:
    end = min(count, MOST_PIECES) * PIECE
    pieces = given.data[end:]
    if not pieces:
        return shapes.structs(replace(given, data=given.data[:end], whole=count * PIECE), "iovec")
    words = []
    for at in range(0, end, PIECE):
        base, length = unsigned(given.data[at : at + PIECE // 2]), unsigned(given.data[at + PIECE // 2 : at + PIECE])
        piece, pieces = pieces[:length], pieces[length:]
        words.append(f"{{iov_base={_piece(base, length, piece, given.is_cut)}, iov_len={length}}}")
    return f"[{', '.join(words + (['...'] if count > MOST_PIECES else []))}]"


def _piece(base: int, length: int, piece: bytes, is_cut: bool) -> str:
    """is_cut: there was more in the pieces; otherwise the call read no more, however much room there was."""
    if not piece and length and is_cut:
        return pointer(base)
    return quote(piece) + ("..." if len(piece) < length and is_cut else "")


def message(given: Given) -> str:
    """``{msg_name=NULL, msg_iov=[{iov_base="hello", iov_len=5}], …}``."""
    if len(given.data) <= MESSAGE:
        return shapes.struct(given, "message")
    header = replace(given, data=given.data[:MESSAGE])
    rest = given.data[MESSAGE:]
    numbers = _numbers(header)
    named = min(numbers["msg_namelen"], MOST_NAME) if numbers["msg_name"] else 0
    name, rest = rest[:named], rest[named:]
    told = {}
    if rest:
        pieces = replace(given, data=rest, whole=given.whole - len(given.data) + len(rest))
        told["msg_iov"] = _vector(pieces, numbers["msg_iovlen"])
    if name:
        told["msg_name"] = sockets.address(replace(given, data=name, whole=numbers["msg_namelen"]))
    words = [(word, *word.split("=", 1)) for word in shapes.parts(header, "message")]
    return f"{{{', '.join(f'{label}={told[label]}' if label in told else word for word, label, _ in words)}}}"


def _numbers(header: Given) -> dict[str, int]:
    members = shapes.layout("message", header.machine)[2]
    return {label: unsigned(header.data[start : start + size]) for label, start, size, *_ in members}
