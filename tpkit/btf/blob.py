"""The bytes of BTF: its sections, its strings, and the records that bear a name.

Source of the format: the kernel's ``include/uapi/linux/btf.h`` and ``Documentation/bpf/btf.rst``. BTF
may come from a captured tree, so every number in it is checked before use; whatever is wrong with it
ends in BtfError.

A kernel's BTF holds some 130,000 types in 3 MB, too many to walk through for one look-up. A record is
found through its name instead: the string section is searched for the name, then the type section for
the name's offset, both at C speed. Positions in the type section are counted in words of 4 bytes.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Collection, Iterator, Mapping
from enum import IntEnum
from mmap import mmap
from typing import NamedTuple

from tpkit.errors import TpkitError

RECORD_WORDS = 3  # struct btf_type: name_off, info, size or type
_MAGIC = 0xEB9F
_VERSION = 1
_HEADER = "HBBIIIII"  # magic, version, flags, hdr_len, type_off, type_len, str_off, str_len
_LAYOUT_HEADER_LENGTH = 32  # with layout_off and layout_len, since Linux 7.1
# The kernel wants names to be printable (btf_name_valid_section) and shorter than KSYM_NAME_LEN, 512.
_NAME = re.compile(rb"([\x20-\x7e]{0,511})\0")


class BtfError(TpkitError):
    """Bytes that can't be read as BTF, or a file of them that can't be read."""


class Kind(IntEnum):
    """BTF_KIND_* of ``btf.h``; VOID is the type with id 0."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Layout(NamedTuple):
    """What follows the three words of a record: words once, and words for each of its elements."""

    once: int = 0
    each: int = 0


_LAYOUTS: Mapping[int, Layout] = {
    **{kind: Layout() for kind in Kind if kind is not Kind.VOID},
    Kind.INT: Layout(once=1),
    Kind.ARRAY: Layout(once=3),
    Kind.STRUCT: Layout(each=3),
    Kind.UNION: Layout(each=3),
    Kind.ENUM: Layout(each=2),
    Kind.FUNC_PROTO: Layout(each=2),
    Kind.VAR: Layout(once=1),
    Kind.DATASEC: Layout(each=3),
    Kind.DECL_TAG: Layout(once=1),
    Kind.ENUM64: Layout(each=3),
}


class Record(NamedTuple):
    """The head of one type's record.

    at: its position in words; vlen: the number of its elements; flag: kind_flag; value: size in bytes or
    the id of the type that it refers to, by kind.
    """

    at: int
    name_offset: int
    kind: int
    vlen: int
    flag: bool
    value: int

    @property
    def body(self) -> int:
        """The position of what follows the head, in words."""
        return self.at + RECORD_WORDS


class Blob:
    """One BTF blob, its sections checked against its size. Split BTF has the blob that it builds on.

    words: the type section in the machine's byte order; string_end: the end of the offsets of strings,
    which count through the base's strings first; where: the file, for messages.
    """

    def __init__(self, data: bytes | mmap, base: Blob | None = None, where: str | None = None) -> None:
        self.base = base
        self.where = where
        view = memoryview(data)
        order = _byte_order(view, where)
        types, self._strings, layouts = _sections(view, order, where)
        self._types = types if order == sys.byteorder else _swapped(types)
        self.words = self._types.cast("I")
        self._layouts = {**_declared_layouts(layouts), **_LAYOUTS}
        self._string_start = base.string_end if base else 0
        self.string_end: int = self._string_start + len(self._strings)
        self._names: dict[int, str] = {}

    def error(self, what: str) -> BtfError:
        """A BtfError about this blob, to be raised by the caller."""
        return BtfError(what, where=self.where)

    def name(self, offset: int) -> str:
        """The string at an offset. Raises BtfError for an offset or a string that can't be a name."""
        known = self._names.get(offset)
        if known is not None:
            return known
        if offset < self._string_start and self.base:
            return self.base.name(offset)
        if not self._string_start <= offset < self.string_end:
            raise self.error(f"a name's offset is {offset}, the strings end at {self.string_end}")
        found = _NAME.match(self._strings, offset - self._string_start)
        if not found:
            raise self.error(f"the string at offset {offset} can't be a name")
        return self._names.setdefault(offset, found[1].decode("ascii"))

    def has_prefix(self, offset: int, prefix: bytes) -> bool:
        """Whether the string at an offset, valid or not, begins with this one."""
        if offset < self._string_start and self.base:
            return self.base.has_prefix(offset, prefix)
        start = offset - self._string_start
        return self._strings[start : start + len(prefix)] == prefix

    def name_offsets(self, name: str) -> Iterator[int]:
        """The offset of a name in the base's strings and in ours. BTF is deduplicated: one each."""
        if self.base:
            yield from self.base.name_offsets(name)
        if not (name and name.isascii() and name.isprintable()):
            return
        text = name.encode() + b"\0"
        if self._strings[: len(text)] == text:  # a module's strings don't begin with the empty one
            yield self._string_start
        elif found := re.compile(rb"\0" + re.escape(text)).search(self._strings):
            yield self._string_start + found.start() + 1

    def positions(self, word: int, behind: bytes = b"") -> Iterator[int]:
        """Where a word stands in the type section, as whatever it may be there: ascending positions.

        behind: a pattern of what has to follow it.
        """
        search = re.compile(re.escape(struct.pack("=I", word)) + behind, re.DOTALL).search
        types = self._types
        at = 0
        while found := search(types, at):
            start = found.start()
            if start % 4 == 0:
                yield start // 4
            at = start + 1  # what was found across two words may hide a word that we want

    def record(self, at: int) -> Record:
        """The record at a position. Raises BtfError where it goes beyond the section or has no known kind."""
        if not 0 <= at <= len(self.words) - RECORD_WORDS or at + self.length(self.words[at + 1]) > len(
            self.words
        ):
            raise self.error("a type's record goes beyond the type section")
        return self._head(at)

    def _head(self, at: int) -> Record:
        name_offset, info, value = self.words[at : at + RECORD_WORDS]
        # Linux 7.2 took the free bits for vlen (24 bits) and the kind (7); they were 0 before.
        return Record(at, name_offset, info >> 24 & 0x7F, info & 0xFFFFFF, bool(info >> 31), value)

    def length(self, info: int) -> int:
        """The length of a whole record in words, by its info word. Raises BtfError for unknown kinds."""
        layout = self._layouts.get(info >> 24 & 0x7F)
        if layout is None:
            raise self.error(f"types of kind {info >> 24 & 0x7F} are unknown")
        return RECORD_WORDS + layout.once + layout.each * (info & 0xFFFFFF)

    def elements(self, record: Record) -> list[tuple[int, ...]]:
        """The words of each element of a record: members, enumerators or parameters."""
        width = self._layouts[record.kind].each
        flat = self.words[record.body : record.body + record.vlen * width].tolist()
        return list(zip(*(flat[i::width] for i in range(width)), strict=True))

    def records_named(self, name: str, kinds: Collection[Kind]) -> Iterator[Record]:
        """The records of these kinds that bear a name, in the section's order; the base isn't searched.

        The offset of a name also stands beside members, and by chance elsewhere: a place counts only
        where an info word of a right kind follows, and after it what such a record may begin with.
        """
        for offset in self.name_offsets(name):
            behind = 0
            for at in self.positions(offset, _info_pattern(kinds)):
                record = self._head(at)
                # Records don't overlap; in hostile BTF they might, and take for ever to read.
                if at >= behind and self._is_plausible(record):
                    behind = at + self.length(self.words[at + 1])
                    yield record

    def _is_plausible(self, record: Record) -> bool:
        """Whether a record fits the section, and its first member's name (or its size) the strings."""
        layout = self._layouts[record.kind]
        if record.body + layout.once + layout.each * record.vlen > len(self.words):
            return False
        if not layout.each:
            return record.vlen == 0 or record.kind == Kind.FUNC  # which has its linkage there
        if not record.vlen:
            return record.value == 0 or record.kind in (Kind.ENUM, Kind.ENUM64)
        return self.words[record.body] < self.string_end


def _info_pattern(kinds: Collection[Kind]) -> bytes:
    """What the info and the size word of these kinds look like: the kind is in the upper byte."""
    upper = b"[" + b"".join(re.escape(bytes((kind, kind | 0x80))) for kind in kinds) + b"]"
    return (b"..." + upper if sys.byteorder == "little" else upper + b"...") + b"...."


def _byte_order(view: memoryview, where: str | None) -> str:
    """The byte order that makes the magic number right."""
    magic = bytes(view[:2])
    if magic == _MAGIC.to_bytes(2, "little"):
        return "little"
    if magic == _MAGIC.to_bytes(2, "big"):
        return "big"
    raise BtfError("this isn't BTF: the magic number is missing", where=where)


def _sections(view: memoryview, order: str, where: str | None) -> tuple[memoryview, memoryview, memoryview]:
    """The type, string and layout sections (the last may be empty). Raises BtfError.

    The kernel's own checks: btf_parse_hdr() and btf_parse_str_sec() in kernel/bpf/btf.c.
    """
    sign = "<" if order == "little" else ">"
    try:
        _, version, _, length, *spans = struct.unpack_from(sign + _HEADER, view)
        if length >= _LAYOUT_HEADER_LENGTH:
            spans += struct.unpack_from(sign + "II", view, _LAYOUT_HEADER_LENGTH - 8)
    except struct.error:
        raise BtfError("the BTF header is cut short", where=where) from None
    if version != _VERSION:
        raise BtfError(f"BTF version {version} is unknown", where=where)
    sections = []
    for offset, size in zip(spans[::2], spans[1::2], strict=True):
        if length + offset + size > len(view):
            raise BtfError("a section of the BTF goes beyond its end", where=where)
        sections.append(view[length + offset : length + offset + size])
    types, strings, layouts = (*sections, view[:0])[:3]
    if len(types) % 4:
        raise BtfError("the type section of the BTF isn't made of words", where=where)
    if strings and strings[-1]:
        raise BtfError("the string section of the BTF has no end", where=where)
    return types, strings, layouts


def _swapped(types: memoryview) -> memoryview:
    """The type section in the other byte order: it is made of 32-bit words only."""
    words = array("I", types.tobytes())
    words.byteswap()
    return memoryview(words.tobytes())


def _declared_layouts(section: memoryview) -> dict[int, Layout]:
    """The layouts that BTF itself declares: struct btf_layout, {u8 info_sz, elem_sz; u16 flags} a kind."""
    layouts = {}
    for kind, (once, each, _) in enumerate(struct.iter_unpack("BBH", section[: len(section) // 4 * 4])):
        if kind and once % 4 == 0 and each % 4 == 0:
            layouts[kind] = Layout(once // 4, each // 4)
    return layouts
