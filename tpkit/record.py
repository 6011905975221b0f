"""The record: the bytes that a probe emits. One layout writes its C struct and reads its bytes back.

Records have a fixed size, a multiple of 8, with every gap spelled out as a member, so that neither
C's layout rules nor a compiler's whim have a say, and the ring buffer is a plain array of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tpkit.model import Field, SymbolTable, TracepointId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COMM_SIZE = 16  # TASK_COMM_LEN of include/linux/sched.h


class Scalar(Enum):
    """A member's C type with its numpy code; both have the size that their names say, everywhere."""

    U8 = ("__u8", "u1")
    S8 = ("__s8", "i1")
    U16 = ("__u16", "u2")
    S16 = ("__s16", "i2")
    U32 = ("__u32", "u4")
    S32 = ("__s32", "i4")
    U64 = ("__u64", "u8")
    S64 = ("__s64", "i8")
    CHAR = ("char", "u1")  # numpy's own string type would drop trailing zeros

    @property
    def c_name(self) -> str:
        """As C calls it."""
        return self.value[0]

    @property
    def code(self) -> str:
        """As numpy calls it."""
        return self.value[1]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.value[1][1])

    @property
    def is_signed(self) -> bool:
        """Whether it has negative values."""
        return self.code.startswith("i")

    @classmethod
    def of(cls, size: int, signed: bool) -> Scalar:
        """The integer of 1, 2, 4 or 8 bytes. Raises ValueError for other sizes."""
        names = {1: "8", 2: "16", 4: "32", 8: "64"}
        if size not in names:
            raise ValueError(f"no integer has {size} bytes")
        return cls[("S" if signed else "U") + names[size]]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a record's struct; length: number of elements of an array, None for a scalar."""

    name: str
    scalar: Scalar
    length: int | None = None

    @property
    def size(self) -> int:
        """Bytes, of all elements."""
        return self.scalar.size * (1 if self.length is None else self.length)

    @property
    def declaration(self) -> str:
        """As C declares it."""
        return f"{self.scalar.c_name} {self.name}{'' if self.length is None else f'[{self.length}]'}"


class Capture(Enum):
    """How a field's value gets from the context into the record."""

    VALUE = "the value itself"
    BYTES = "the field's bytes, copied"
    USER_STRING = "the string that a pointer into user memory leads to"
    KERNEL_STRING = "the string that a pointer into kernel memory leads to"
    DATA_LOC = "bytes elsewhere in the record, at an offset from its start"
    REL_LOC = "bytes elsewhere in the record, at an offset from the field's end"

    @property
    def has_text(self) -> bool:
        """Whether bytes of varying length come along, with their number."""
        return self not in (Capture.VALUE, Capture.BYTES)


class Display(Enum):
    """How a field's value is shown to a person; names for its numbers (a table) go before that."""

    DECIMAL = "a number"
    HEX = "a number in hexadecimal"
    OCTAL = "a number in octal, as file modes are"
    POINTER = "an address, or NULL"
    ERROR = "a return value: a number from -4095 to -1 is an error's (include/linux/err.h)"
    NUMBERS = "an array of numbers"
    TEXT = "a string"
    BYTES = "bytes, in hexadecimal"
    IPV4 = "an IPv4 address"
    IPV6 = "an IPv6 address"
    SOCKET_ADDRESS = "a struct sockaddr: address and port"


@dataclass(frozen=True, slots=True)
class Column:
    """One field as a record carries it.

    value: the number, the pointer or the bytes; size and text (for captures that follow a pointer or a
    location): the number of bytes that a helper reported, negative after a fault, and the bytes.
    label: the field's name, made unique within the event; display: how it is shown; element: of
    NUMBERS, one of them; table: names for its numbers, if there are any.
    """

    field: Field
    label: str
    capture: Capture
    value: Member
    size: Member | None = None
    text: Member | None = None
    display: Display = Display.DECIMAL
    element: Scalar | None = None
    table: SymbolTable | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """One, or three where a string or bytes come along."""
        return tuple(m for m in (self.value, self.size, self.text) if m is not None)


# What every record begins with, whatever its event.
TIME = Member("time", Scalar.U64)
PID = Member("pid", Scalar.U32)
TID = Member("tid", Scalar.U32)
PROBE = Member("probe", Scalar.U32)
COMM = Member("comm", Scalar.CHAR, COMM_SIZE)
HEADER: tuple[tuple[Member, str], ...] = (
    (TIME, "ns since boot"),
    (PID, "process: the thread group"),
    (TID, "thread"),
    (PROBE, "which probe of the program"),
    (Member("_pad", Scalar.U32), ""),
    (COMM, "the thread's name"),
)
HEADER_SIZE = sum(member.size for member, _ in HEADER)
PROBE_OFFSET = TIME.size + PID.size + TID.size


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """The shape of one event's records.

    columns: in the order of the event's fields; stride: bytes from one record to the next, shared by
    all events of a program, so at least this event's own size and a multiple of 8.
    """

    event: TracepointId
    columns: tuple[Column, ...]
    stride: int

    @classmethod
    def fitting(cls, event: TracepointId, columns: Iterable[Column]) -> RecordLayout:
        """The layout that is just large enough."""
        layout = cls(event, tuple(columns), 0)
        end = HEADER_SIZE
        for member, offset in layout._placed():
            end = max(end, offset + member.size)
        return layout.with_stride(_align(end, 8))

    def with_stride(self, stride: int) -> RecordLayout:
        """The same members, with records ``stride`` bytes apart."""
        return RecordLayout(self.event, self.columns, stride)

    def members(self) -> Iterator[Member]:
        """The struct's members behind the header, gaps included, up to the stride."""
        end = HEADER_SIZE
        for member, offset in self._placed():
            yield from _gap(end, offset)
            yield member
            end = offset + member.size
        yield from _gap(end, self.stride)

    def dtype(self) -> np.dtype[np.void]:
        """The record as numpy reads it, in the byte order of the machine that wrote it."""
        import numpy as np  # 150 ms that list and describe needn't pay

        names, formats, offsets = [], [], []
        for member, offset in (*_header_members(), *self._placed()):
            names.append(member.name)
            formats.append(member.scalar.code if member.length is None else (member.scalar.code, (member.length,)))
            offsets.append(offset)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.stride})

    def _placed(self) -> Iterator[tuple[Member, int]]:
        """The columns' members with their offsets, each aligned to its own size."""
        offset = HEADER_SIZE
        for column in self.columns:
            for member in column.members:
                offset = _align(offset, member.scalar.size)
                yield member, offset
                offset += member.size


def _header_members() -> Iterator[tuple[Member, int]]:
    offset = 0
    for member, _ in HEADER:
        # A field may have any name; the header's members are told apart by the struct they are in.
        yield Member(f"header.{member.name}", member.scalar, member.length), offset
        offset += member.size


def _gap(start: int, end: int) -> Iterator[Member]:
    if end > start:
        yield Member(f"_pad{start}", Scalar.U8, end - start)


def _align(offset: int, size: int) -> int:
    return -(-offset // size) * size


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they came out of the ring buffer, oldest first.

    data: one-dimensional, unsigned bytes of (n, stride); layouts: by the probe's number.
    """

    layouts: tuple[RecordLayout, ...]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.data.shape[0])

    def probes(self) -> NDArray[np.uint32]:
        """The number of the probe that each record is of."""
        import numpy as np

        start = PROBE_OFFSET
        return np.ascontiguousarray(self.data[:, start : start + PROBE.size]).view(np.uint32)[:, 0]

    def count_by_probe(self) -> list[int]:
        """How many records there are of each probe."""
        import numpy as np

        return [int(n) for n in np.bincount(self.probes(), minlength=len(self.layouts))]
