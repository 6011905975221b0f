"""What tpkit knows of a tracepoint: its id, its fields and their C types, as frozen values.

Nothing here reads a file, parses text or renders a record. The facts come from a format file
(``events/<category>/<name>/format``, written by ``f_show`` in the kernel's ``trace_events.c``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tpkit.errors import InvalidName

if TYPE_CHECKING:
    from tpkit.print_fmt import Machine

# What a format file may hold; real ones stay far below.
MAX_FILE = 1 << 20  # characters; the largest format file of Linux 6.18 has 5,523
MAX_LINE = 4096  # characters of a field line; print fmt may be longer
MAX_OFFSET = 1 << 20  # bytes; a record fits a page of the ring buffer, 64 KiB at most today
MAX_NAME = 128  # characters of a field's name; C compilers needn't tell longer ones apart

# trace_probe.c's is_good_system_name() allows '-' in a category; synthetic and user events use '.'.
_TOKEN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TracepointId:
    """A tracepoint's category and name, both checked: safe as path components, never as C.

    Raises InvalidName for anything but letters, digits, ``_``, ``.`` and ``-``.
    """

    category: str
    name: str

    def __post_init__(self) -> None:
        for token in (self.category, self.name):
            if not _TOKEN.fullmatch(token):
                raise InvalidName(
                    f"{token[:80]!r} can't be part of a tracepoint's name",
                    remedy="names look like syscalls:sys_enter_unlinkat; see 'tpkit list'",
                )

    @classmethod
    def parse(cls, text: str) -> TracepointId:
        """``category:name`` as ``available_events`` has it. Raises InvalidName."""
        category, _, name = text.partition(":")
        return cls(category, name)

    def __str__(self) -> str:
        return f"{self.category}:{self.name}"

    @property
    def is_syscall_enter(self) -> bool:
        """Whether it fires when one system call is entered."""
        return self.category == "syscalls" and self.name.startswith("sys_enter_")

    @property
    def is_syscall_exit(self) -> bool:
        """Whether it fires when one system call returns."""
        return self.category == "syscalls" and self.name.startswith("sys_exit_")

    @property
    def syscall(self) -> str | None:
        """The system call's name, for ``sys_enter_*`` and ``sys_exit_*`` events."""
        if self.is_syscall_enter or self.is_syscall_exit:
            return self.name.split("_", 2)[2]
        return None


class Location(Enum):
    """Where a field's bytes are."""

    IN_RECORD = "in the record"
    DATA_LOC = "__data_loc"  # u32: low half offset from the record's start, high half length
    REL_LOC = "__rel_loc"  # u32: low half offset from the end of the field itself, high half length


@dataclass(frozen=True, slots=True)
class Dimension:
    """One array dimension: as written, and as a number where the text is one (or size tells it)."""

    text: str
    value: int | None = None


@dataclass(frozen=True, slots=True)
class CType:
    """A field's declared type.

    text: the declaration without the name (``const char *``, ``char[16]``, ``__data_loc char[]``);
    base: the type without qualifiers, pointers and dimensions (``char``, ``unsigned long``,
    ``struct page``); empty where the file names none (very old ``__data_loc name``);
    pointers: depth of indirection; function: a pointer to a function.
    """

    text: str
    base: str
    pointers: int = 0
    qualifiers: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    location: Location = Location.IN_RECORD
    function: bool = False

    @property
    def is_pointer(self) -> bool:
        """A pointer, not an array of them."""
        return self.pointers > 0 and not self.dimensions

    @property
    def is_array(self) -> bool:
        """An array within the record."""
        return bool(self.dimensions) and self.location is Location.IN_RECORD

    @property
    def is_dynamic(self) -> bool:
        """Bytes elsewhere in the record; the field itself tells where."""
        return self.location is not Location.IN_RECORD

    @property
    def is_text(self) -> bool:
        """An array (in the record or dynamic) of plain ``char``: a string by the kernel's habit."""
        return self.base == "char" and not self.pointers and (self.is_array or self.is_dynamic)

    @property
    def is_char_pointer(self) -> bool:
        """A pointer to ``char``."""
        return self.base == "char" and self.pointers == 1 and not self.dimensions

    @property
    def is_aggregate(self) -> bool:
        """A struct or union by value, as far as its spelling tells."""
        return self.base.startswith(("struct ", "union ")) and self.pointers == 0


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a record.

    offset and size: bytes, as the file gives them; size may be 0; signed: None where the file (of an
    old kernel) doesn't say; common: part of the header that every event has; overlaps: shares bytes
    with an earlier field; duplicate: an earlier field has the same name.
    """

    name: str
    type: CType
    offset: int
    size: int
    signed: bool | None
    common: bool = False
    overlaps: bool = False
    duplicate: bool = False

    @property
    def end(self) -> int:
        """The offset just behind the field."""
        return self.offset + self.size

    @property
    def declaration(self) -> str:
        """The field as C writes it: ``const char *pathname``, ``char comm[16]``."""
        return self.written.replace(f"* {self.name}", f"*{self.name}")

    @property
    def written(self) -> str:
        """The field as its format file writes it: ``const char * pathname``, ``char comm[16]``."""
        text = self.type.text
        if self.type.function:
            return text.replace("(*)", f"(*{self.name})", 1)
        if self.type.is_dynamic or not self.type.dimensions:
            return f"{text} {self.name}"
        start = text.index("[")
        return f"{text[:start].rstrip()} {self.name}{text[start:]}"


EnumValue = Callable[[str], int | None]
"""What a kernel's enums call by a name, which is all that its formats say of some numbers; None for other names."""


def no_value(_name: str) -> int | None:
    """Where nothing is known of a kernel's enums."""
    return None


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """Names for a field's numbers, as an event's print fmt has them.

    delimiter: between the names of flags, None where each name is for a whole value; symbols: number
    and name in the table's order; the number looked up is ``(value >> shift) & mask``, all of it where
    mask is None; base: of flags, the names for some of their bits as a whole (``base.mask``; O_RDONLY among
    the flags of open), or for the number as a whole (PROT_NONE, 0). It goes first, and if it has a name its
    bits are no flags any more. octal: bits without a name are permissions, and shown as such.
    """

    delimiter: str | None
    symbols: tuple[tuple[int, str], ...]
    shift: int = 0
    mask: int | None = None
    base: SymbolTable | None = None
    octal: bool = False


@dataclass(frozen=True, slots=True)
class EventFormat:
    """What a format file says of one tracepoint.

    number: the kernel's id of the event (changes from boot to boot), None in an empty file; fields: in
    the file's order, without the common ones; print_fmt: the text behind ``print fmt:``, as it stands.
    """

    id: TracepointId
    number: int | None = None
    common_fields: tuple[Field, ...] = ()
    fields: tuple[Field, ...] = ()
    print_fmt: str = dataclasses.field(default="", repr=False)

    def field(self, name: str) -> Field:
        """The first field of this name, common ones last. Raises KeyError."""
        for candidate in self.fields + self.common_fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def symbols(self, name: str) -> SymbolTable | None:
        """The names that the print fmt has for a field's numbers, None where it has none.

        Raises FormatError for a print fmt that can't be read.
        """
        from tpkit.print_fmt import symbol_tables  # the one look upwards: see ARCHITECTURE.md

        return symbol_tables(self).get(name)

    def render(self, record: bytes, machine: Machine | None = None) -> str:
        """The text that the kernel's trace file shows for a record, behind ``name: ``.

        record: its bytes from ``common_type`` on; machine: what is known of the kernel that wrote it.
        What needs knowledge that nobody has is marked with ``<…>``. Raises FormatError.
        """
        from tpkit.print_fmt import LOCAL, render

        return render(self, record, machine or LOCAL)
