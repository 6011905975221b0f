"""The record: the bytes that a probe emits. One layout writes its C struct and reads its bytes back.

Every gap is spelled out as a member, so that neither C's layout rules nor a compiler's whim have a say.
Records of the trace engine are *packed*: behind a fixed part, of a multiple of 8 bytes, come the strings and
other memory that the event's pointers lead to, each as long as it is (up to the next multiple of 8). Records
of generated scripts aren't: there each string has its room, and all records one size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from tpkit.model import Field, SymbolTable, TracepointId
from tpkit.payload import Payload

if TYPE_CHECKING:
    import numpy as np

# Added to the size of a payload in a packed record that was longer than what is there, where the size doesn't tell.
CUT = 0x4000_0000

MINOR_BITS, MAJOR_BITS = 20, 12  # of a dev_t: MINORBITS of include/linux/kdev_t.h
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
    USER_MEMORY = "the bytes that a pointer into user memory leads to, as many as a Payload says"
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
    DEVICE = "a device, as the kernel numbers them within: major and minor (include/linux/kdev_t.h)"
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
    label: the field's name, made unique within the event; display: how it is shown, of USER_MEMORY that is no text how
    its number is where its bytes have no words; element: of NUMBERS, one of them; table: names for its numbers, if
    there are any; dependent: by which ``syscall_words.dependent`` knows it, where other arguments say what its numbers
    are; payload: of USER_MEMORY, what it is.
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
    payload: Payload | None = None
    dependent: str | None = None

    @property
    def room(self) -> int:
        """How many bytes come along at most; a string's final zero, and the byte that tells it is longer, count."""
        return 0 if self.text is None else self.text.size

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

    columns: in the order of the event's fields; stride: bytes of a record, or of its fixed part where it is
    packed, a multiple of 8; result: of a call, what it returned (behind the columns; None where it doesn't
    return); duration: of a call, the member that holds how long it took, in ns.
    """

    event: TracepointId
    columns: tuple[Column, ...]
    stride: int
    packed: bool = False
    result: Column | None = None
    duration: Member | None = None

    @classmethod
    def fitting(
        cls,
        event: TracepointId,
        columns: Iterable[Column],
        *,
        packed: bool = False,
        result: Column | None = None,
        duration: Member | None = None,
    ) -> RecordLayout:
        """The layout that is just large enough."""
        layout = cls(event, tuple(columns), 0, packed, result, duration)
        end = HEADER_SIZE
        for member, offset in layout._placed():
            end = max(end, offset + member.size)
        return layout.with_stride(align(end, 8))

    def with_stride(self, stride: int) -> RecordLayout:
        """The same members, with records ``stride`` bytes apart."""
        return replace(self, stride=stride)

    @property
    def is_call(self) -> bool:
        """Whether it is of a whole system call, and not of its entry or its return alone."""
        return self.duration is not None

    @property
    def shown(self) -> tuple[Column, ...]:
        """All columns, the result's among them."""
        return self.columns if self.result is None else (*self.columns, self.result)

    @property
    def payloads(self) -> tuple[Column, ...]:
        """The columns with bytes in the record's tail, in the order in which they lie there."""
        return tuple(column for column in self.columns if column.text is not None)

    def members(self) -> Iterator[Member]:
        """The struct's members behind the header, gaps included, up to the stride."""
        end = HEADER_SIZE
        for member, offset in self._placed():
            yield from _gap(end, offset)
            yield member
            end = offset + member.size
        yield from _gap(end, self.stride)

    def dtype(self) -> np.dtype[np.void]:
        """The record (the fixed part) as numpy reads it, in the byte order of the machine that wrote it."""
        import numpy as np  # 150 ms that list and describe needn't pay

        names, formats, offsets = [], [], []
        for member, offset in (*_header_members(), *self._placed()):
            names.append(member.name)
            formats.append(member.scalar.code if member.length is None else (member.scalar.code, (member.length,)))
            offsets.append(offset)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.stride})

    def _placed(self) -> Iterator[tuple[Member, int]]:
        """The fixed members with their offsets, each aligned to its own size."""
        offset = HEADER_SIZE
        for member in self._fixed():
            offset = align(offset, member.scalar.size)
            yield member, offset
            offset += member.size

    def _fixed(self) -> Iterator[Member]:
        for column in self.shown:
            yield from (m for m in column.members if not (self.packed and m is column.text))
        if self.duration is not None:
            yield self.duration


def _header_members() -> Iterator[tuple[Member, int]]:
    offset = 0
    for member, _ in HEADER:
        # A field may have any name; the header's members are told apart by the struct they are in.
        yield Member(f"header.{member.name}", member.scalar, member.length), offset
        offset += member.size


def _gap(start: int, end: int) -> Iterator[Member]:
    if end > start:
        yield Member(f"_pad{start}", Scalar.U8, end - start)


def align(offset: int, size: int) -> int:
    """The next multiple of ``size``."""
    return -(-offset // size) * size
