"""How C spells the types of BTF, and how BTF spells the integers of C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tpkit.btf.blob import Kind, Record

if TYPE_CHECKING:  # types.py asks us for spellings; we only need its name
    from tpkit.btf.types import Btf

_TAGS: Mapping[int, str] = {
    Kind.STRUCT: "struct",
    Kind.UNION: "union",
    Kind.ENUM: "enum",
    Kind.ENUM64: "enum",
}
_QUALIFIERS: Mapping[int, str] = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
_UNSPOKEN = frozenset({Kind.TYPE_TAG, Kind.VAR, Kind.DECL_TAG, Kind.FUNC})  # names or attributes of a type

# A spelling branches at every parameter of a function, so a bound of the depth isn't enough. The longest
# of Linux 6.18 takes 68 steps.
_MAX_STEPS = 1000
_MAX_DEPTH = 32

# The integers by their words in C, in alphabetical order and without "int" and "signed": the names that
# GCC and clang put into debug information (DW_AT_name), and pahole from there into BTF.
_INTEGERS: Mapping[str, tuple[str, ...]] = {
    "": ("int",),
    "bool": ("_Bool",),
    "long": ("long int", "long"),
    "long long": ("long long int", "long long"),
    "long long unsigned": ("long long unsigned int", "unsigned long long"),
    "long unsigned": ("long unsigned int", "unsigned long"),
    "short": ("short int", "short"),
    "short unsigned": ("short unsigned int", "unsigned short"),
    "unsigned": ("unsigned int",),
}
_INTEGER_WORDS = frozenset({"bool", "int", "long", "short", "signed", "unsigned"})


def integer_spellings(words: Sequence[str]) -> tuple[str, ...]:
    """The names that BTF may have for a type that C names with these words, the given one first."""
    given = " ".join(words)
    if not words or not _INTEGER_WORDS.issuperset(words):
        return (given,)
    key = " ".join(sorted(word for word in words if word not in {"int", "signed"}))
    return (given, *(each for each in _INTEGERS.get(key, ()) if each != given))


def spell(btf: Btf, type_id: int) -> str:
    """A type as C writes it, without a name in it. Raises BtfError."""
    return _Speller(btf).spell(btf, type_id, _MAX_DEPTH)


class _Speller:
    """Spells one type from the inside out, as C declares: what is outermost in the type comes first.

    ``declarator`` is what stands around the place of the name so far; ``qualifiers`` belong to the next
    thing that isn't a qualifier, left of a base type and right of a pointer's asterisk.
    """

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._steps = _MAX_STEPS

    def spell(self, owner: Btf, type_id: int, depth: int) -> str:
        declarator = ""
        qualifiers: list[str] = []
        while True:
            self._step()
            owner, record = owner.record(type_id)
            if record is None:
                return _joined([*qualifiers, "void"], declarator)
            if record.kind in _QUALIFIERS:
                qualifiers.append(_QUALIFIERS[record.kind])
                type_id = record.value
            elif record.kind == Kind.PTR:
                declarator = _joined(["*" + " ".join(qualifiers)], declarator, tight=not qualifiers)
                qualifiers = []
                type_id = record.value
            elif record.kind == Kind.ARRAY:
                type_id, length = owner.array(record)
                declarator = f"{_bracketed(declarator)}[{length}]"
            elif record.kind == Kind.FUNC_PROTO:
                declarator = f"{_bracketed(declarator)}({', '.join(self._parameters(owner, record, depth))})"
                type_id = record.value
            elif record.kind in _UNSPOKEN:
                type_id = record.value
            else:
                return _joined([*qualifiers, _base(owner, record)], declarator)

    def _parameters(self, owner: Btf, record: Record, depth: int) -> Iterator[str]:
        if depth == 0 or record.vlen > self._steps:
            raise self._btf.error("a type's spelling has no end")
        if not record.vlen:
            yield "void"
        for name, type_id in owner.elements(record):
            yield "..." if not name and not type_id else self.spell(owner, type_id, depth - 1)

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise self._btf.error("a type's spelling has no end")


def _base(owner: Btf, record: Record) -> str:
    """The type that a declaration begins with: a name, or a tag and a name."""
    name = owner.name(record)
    if record.kind == Kind.FWD:
        return f"{'union' if record.flag else 'struct'} {name}"
    if record.kind in _TAGS:
        return f"{_TAGS[record.kind]} {name or '{...}'}"
    return name


def _bracketed(declarator: str) -> str:
    """An array of, or a function returning, what a pointer points to needs brackets around the pointer."""
    return f"({declarator})" if declarator.startswith("*") else declarator


def _joined(words: list[str], declarator: str, *, tight: bool = False) -> str:
    """A base type or pointer before what is declared of it; arrays stand close to it: ``char[16]``."""
    space = "" if tight or not declarator or declarator.startswith("[") else " "
    return f"{' '.join(words)}{space}{declarator}"
