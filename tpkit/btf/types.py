"""What BTF's records mean in C: structs with their members, enums, sizes, signs and spellings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from mmap import mmap
from typing import NamedTuple

from tpkit.btf.blob import RECORD_WORDS, Blob, BtfError, Kind, Record
from tpkit.btf.index import TypeIndex
from tpkit.btf.spelling import integer_spellings, spell

RAW_EVENT_PREFIX = "trace_event_raw_"  # include/trace/stages/stage1_struct_define.h

_MODIFIERS = frozenset(
    {Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG, Kind.VAR, Kind.DECL_TAG}
)
_TAGS: Mapping[str, tuple[Kind, ...]] = {
    "struct": (Kind.STRUCT,),
    "union": (Kind.UNION,),
    "enum": (Kind.ENUM, Kind.ENUM64),
}
_ENUMS: Mapping[int, int] = {Kind.ENUM: 2, Kind.ENUM64: 3}  # with the words of an enumerator
_PLAIN = (Kind.TYPEDEF, Kind.INT, Kind.FLOAT)
_LONGS = ("long unsigned int", "unsigned long")  # GCC's spelling and clang's
_SIZED = frozenset({Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT})
_INT_SIGNED = 1 << 24  # BTF_INT_SIGNED in the word after an INT
_MAX_DEPTH = 32  # the kernel follows types as deep (MAX_RESOLVE_DEPTH in kernel/bpf/btf.c)


class BtfMember(NamedTuple):  # not a dataclass: a kernel's context structs have 6,000, made at start-up
    """A member of a struct or union.

    name: empty for an anonymous struct or union; bit_offset: from the struct's start; bit_size: of a
    bit field, 0 for other members (and for bit fields of BTF before kind_flag, Linux 5.0).
    """

    name: str
    type_id: int
    bit_offset: int
    bit_size: int = 0

    @property
    def offset(self) -> int:
        """The offset in bytes of the (first) byte that holds the member."""
        return self.bit_offset // 8


@dataclass(frozen=True, slots=True)
class BtfStruct:
    """A struct or union; size in bytes, members in the order of declaration."""

    name: str
    size: int
    members: tuple[BtfMember, ...]

    def member(self, name: str) -> BtfMember | None:
        """The member of this name, None where there is none at the top level."""
        return next((each for each in self.members if each.name == name), None)


@dataclass(frozen=True, slots=True)
class BtfType:
    """What a type is once its typedefs and qualifiers are looked through.

    kind: of the type at the end of the chain; size: bytes, None for what has none (void, a function, a
    struct that is only declared); signed: of integers and enums, None for all others.
    """

    kind: Kind
    size: int | None
    signed: bool | None = None

    @property
    def is_pointer(self) -> bool:
        """Whether it is a pointer, after all typedefs."""
        return self.kind is Kind.PTR


class Btf:
    """The types of a kernel, or of a module on top of its kernel's.

    Look-ups of a name search the module's types first. The methods raise BtfError where they meet
    malformed BTF; they return None where BTF is well-formed and doesn't know the name.
    """

    def __init__(self, blob: Blob, base: Btf | None = None) -> None:
        self.base = base
        self._blob = blob
        self._index = TypeIndex(blob)
        self._raw_event_records: tuple[Record, ...] | None = None
        self._pointer_size: int | None = None

    @classmethod
    def from_bytes(cls, data: bytes | mmap, base: Btf | None = None, where: str | None = None) -> Btf:
        """BTF of either byte order. where: the file's path, for messages. Raises BtfError."""
        return cls(Blob(data, base._blob if base else None, where), base)

    # ------------------------------------------------------------------------- structs and enums

    def struct(self, name: str) -> BtfStruct | None:
        """The first struct of this name. Raises BtfError."""
        return next(self.structs(name), None)

    def structs(self, name: str) -> Iterator[BtfStruct]:
        """All structs of this name: the kernel's files may each have their own. Raises BtfError."""
        for record in self._blob.records_named(name, _TAGS["struct"]):
            yield self._struct(record)
        if self.base:
            yield from self.base.structs(name)

    def raw_event_structs(self, member_count: int | None = None) -> tuple[BtfStruct, ...]:
        """All ``struct trace_event_raw_*``, the contexts of tracepoint programs, in BTF's order.

        member_count: only those that have so many members. Raises BtfError.
        """
        if self._raw_event_records is None:
            self._raw_event_records = tuple(self._find_raw_event_records())
        own = (r for r in self._raw_event_records if member_count in (None, r.vlen))
        inherited = self.base.raw_event_structs(member_count) if self.base else ()
        return (*map(self._struct, own), *inherited)

    def enum(self, name: str) -> Mapping[str, int] | None:
        """The enumerators of ``enum <name>`` with their values. Raises BtfError.

        Values count as signed where BTF says that the enum is; BTF before Linux 6.1 never says so, and
        has 4294967295 where C has -1.
        """
        for record in self._blob.records_named(name, tuple(map(Kind, _ENUMS))):
            if record.vlen:  # one without is a forward declaration
                return {
                    self._blob.name(each[0]): _value(record, each) for each in self._blob.elements(record)
                }
        return self.base.enum(name) if self.base else None

    def enum_value(self, name: str) -> int | None:
        """The value of the first enumerator of this name in any enum. Raises BtfError."""
        words, start_around = self._blob.words, self._index.start_around
        for offset in self._blob.name_offsets(name):
            for at in self._blob.positions(offset):
                start = start_around(at)
                width = _ENUMS.get(words[start + 1] >> 24 & 0x7F)
                if width and at >= (body := self._blob.record(start).body) and (at - body) % width == 0:
                    return _value(self._blob.record(start), tuple(words[at : at + width]))
        return self.base.enum_value(name) if self.base else None

    def function_id(self, name: str) -> int | None:
        """The type id of a kernel function, by which programs call it; None where there is none. Raises BtfError."""
        for record in self._blob.records_named(name, (Kind.FUNC,)):
            number = self._index.number(record.at)
            if number is not None:
                return number + 1  # 0 is void
        return None

    # ------------------------------------------------------------------------------------- types

    @property
    def type_count(self) -> int:
        """The highest type id. Raises BtfError."""
        return self._index.count() + (self.base.type_count if self.base else 0)

    def named_type(self, name: str) -> BtfType | None:
        """What a type is that C names so: ``pid_t``, ``unsigned long``, ``struct page``, ``char *``.

        None for a name that BTF doesn't know. Raises BtfError.
        """
        words = name.split()
        if name.rstrip().endswith("*"):
            return BtfType(Kind.PTR, self.pointer_size)
        if len(words) == 2 and words[0] in _TAGS:
            return self._first_type(words[1], _TAGS[words[0]])
        spellings = integer_spellings(words)
        return next(filter(None, (self._first_type(each, _PLAIN) for each in spellings)), None)

    def type_of(self, type_id: int) -> BtfType:
        """What the type of this id is. Raises BtfError, also for an id that doesn't exist."""
        owner, record = self._resolve(type_id)
        if record is None:
            return BtfType(Kind.VOID, None)
        return owner._type(record)

    def size_of(self, type_id: int) -> int | None:
        """The size in bytes, None for what has none. Raises BtfError."""
        return self.type_of(type_id).size

    def type_name(self, type_id: int) -> str:
        """The type as C writes it: ``const char *``, ``char[16]``, ``int (*)(struct page *)``.

        Raises BtfError, also where a type's spelling has no end.
        """
        return spell(self, type_id)

    @property
    def pointer_size(self) -> int:
        """4 or 8 bytes. BTF doesn't say it; it is the size of ``unsigned long``, as libbpf has it, too."""
        if self.base:
            return self.base.pointer_size
        if self._pointer_size is None:
            sizes = (r.value for each in _LONGS for r in self._blob.records_named(each, (Kind.INT,)))
            self._pointer_size = next((size for size in sizes if size in (4, 8)), 8)
        return self._pointer_size

    # ---------------------------------------------------------------------------------- records

    def record(self, type_id: int) -> tuple[Btf, Record | None]:
        """The record of a type, None for void, and the BTF that it is part of. Raises BtfError."""
        if type_id == 0:
            return self, None
        first = 1
        if self.base:
            first = self.base.type_count + 1
            if type_id < first:
                return self.base.record(type_id)
        start = self._index.start(type_id - first)
        if start is None:
            raise self.error(f"there is no type {type_id}")
        return self, self._blob.record(start)

    def name(self, record: Record) -> str:
        """The name of a record of ours, empty for an anonymous type. Raises BtfError."""
        return self._blob.name(record.name_offset)

    def elements(self, record: Record) -> list[tuple[int, ...]]:
        """The elements of a record of ours, as words."""
        return self._blob.elements(record)

    def array(self, record: Record) -> tuple[int, int]:
        """The type id and the number of an array's elements (struct btf_array)."""
        element, _, length = self._blob.words[record.body : record.body + 3]
        return element, length

    def error(self, what: str) -> BtfError:
        """A BtfError about this BTF, to be raised by the caller."""
        return self._blob.error(what)

    def _resolve(self, type_id: int) -> tuple[Btf, Record | None]:
        """The record behind all typedefs and qualifiers, and the BTF that it is part of."""
        owner = self
        following = type_id
        for _ in range(_MAX_DEPTH):
            owner, record = owner.record(following)
            if record is None or record.kind not in _MODIFIERS:
                return owner, record
            following = record.value
        raise self.error(f"the types behind type {type_id} have no end")

    def _type(self, record: Record) -> BtfType:
        """What a record of ours is that isn't a typedef or a qualifier."""
        try:
            kind = Kind(record.kind)
        except ValueError:
            raise self.error(f"types of kind {record.kind} are unknown") from None
        if kind is Kind.PTR:
            return BtfType(kind, self.pointer_size)
        if kind is Kind.ARRAY:
            return BtfType(kind, self._array_size(record))
        if kind is Kind.INT:
            return BtfType(kind, record.value, signed=bool(self._blob.words[record.body] & _INT_SIGNED))
        return BtfType(
            kind, record.value if kind in _SIZED else None, record.flag if kind in _ENUMS else None
        )

    def _array_size(self, record: Record) -> int | None:
        """The size of an array of ours: all its dimensions times the innermost element's size."""
        owner, inner, elements = self, record, 1
        for _ in range(_MAX_DEPTH):
            element, length = owner.array(inner)
            elements *= length
            owner, found = owner._resolve(element)
            if found is None:
                return None
            if found.kind != Kind.ARRAY:
                size = owner._type(found).size
                return None if size is None else size * elements
            inner = found
        raise self.error("the dimensions of an array have no end")

    def _first_type(self, name: str, kinds: Collection[Kind]) -> BtfType | None:
        """The first type of this name and one of the kinds that isn't just a declaration."""
        for record in self._blob.records_named(name, kinds):
            if record.kind == Kind.TYPEDEF:
                return self.type_of(record.value)
            if record.vlen or record.kind not in _ENUMS:
                return self._type(record)
        return self.base._first_type(name, kinds) if self.base else None

    def _struct(self, record: Record) -> BtfStruct:
        name = self._blob.name
        elements = self._blob.elements(record)
        if record.flag:  # the upper byte of the third word is the size of a bit field
            members = tuple(
                BtfMember(name(at), type_id, bits & 0xFFFFFF, bits >> 24) for at, type_id, bits in elements
            )
        else:
            members = tuple(BtfMember(name(at), type_id, bits) for at, type_id, bits in elements)
        return BtfStruct(name(record.name_offset), record.value, members)

    def _find_raw_event_records(self) -> Iterator[Record]:
        """The heads of all context structs: each begins with ``struct trace_entry ent``.

        So each place of the name "ent" (a thousand) tells one, where the walk would be 100 times longer.
        """
        behind = 0
        for offset in self._blob.name_offsets("ent"):
            for at in self._blob.positions(offset):
                record = self._raw_event_record(at - RECORD_WORDS)
                if record is None:
                    continue
                if record.at < behind:
                    raise self.error("two types overlap")
                behind = record.body + record.vlen * 3
                yield record

    def _raw_event_record(self, at: int) -> Record | None:
        words = self._blob.words
        if at < 0 or words[at + 1] >> 24 & 0x7F != Kind.STRUCT:
            return None
        if not self._blob.has_prefix(words[at], RAW_EVENT_PREFIX.encode()):
            return None
        return self._blob.record(at)


def _value(record: Record, words: tuple[int, ...]) -> int:
    """An enumerator's value: a word, or two for an enum of 64 bits, lower one first."""
    bits = 32 * (len(words) - 1)
    value = sum(word << 32 * i for i, word in enumerate(words[1:]))
    return value - (1 << bits) if record.flag and value >> (bits - 1) else value
