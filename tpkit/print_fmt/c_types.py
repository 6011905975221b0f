"""C types by name → sizes and signs, for a machine; and what a field of a record is worth."""

from __future__ import annotations

from functools import lru_cache

from tpkit.model import Field
from tpkit.print_fmt.type_words import LONG, TYPEDEFS
from tpkit.print_fmt.values import IntType, Place

_SIZES = (1, 2, 4, 8)


@lru_cache(maxsize=1 << 10)
def integer_type(base: str, long_size: int, char_signed: bool) -> IntType | None:
    """The integer type that a name stands for; None for structs and names that aren't known."""
    if base in TYPEDEFS:
        size, signed = TYPEDEFS[base]
        return IntType(long_size if size == LONG else size, signed)
    words = base.split()
    if not words:
        return None
    if words[0] == "enum":
        return IntType(4, False)
    return _arithmetic_type(words, long_size, char_signed)


def _arithmetic_type(words: list[str], long_size: int, char_signed: bool) -> IntType | None:
    """``unsigned long int`` and its kin."""
    if not set(words) <= {"char", "short", "int", "long", "signed", "unsigned", "__signed__"}:
        return None
    signed = "unsigned" not in words
    if "char" in words:
        explicit = "signed" in words or "__signed__" in words or not signed
        return IntType(1, signed if explicit else char_signed)
    if "short" in words:
        return IntType(2, signed)
    longs = words.count("long")
    return IntType(8 if longs > 1 else long_size if longs else 4, signed)


@lru_cache(maxsize=1 << 14)
def field_kind(field: Field, long_size: int, char_signed: bool) -> IntType | Place:
    """How a field is read: an integer of this type, or an address within the record.

    Of ``__data_loc`` and ``__rel_loc`` it is the word that says where the data is.
    """
    if field.type.is_dynamic:
        return IntType(min(field.size, 4) or 4, False)
    base = integer_type(field.type.base, long_size, char_signed)
    if field.type.is_array or field.size not in _SIZES or field.type.is_aggregate:
        return _array(field, base, long_size)
    if field.type.pointers or field.signed is None:
        signed = bool(base and base.signed and not field.type.pointers)
    else:
        signed = field.signed
    return IntType(field.size, signed)


def _array(field: Field, base: IntType | None, long_size: int) -> Place:
    struct = "" if base or field.type.pointers else field.type.base
    if field.type.pointers:
        base = IntType(long_size, False)
    step = base.size if base else _step(field)
    return Place(field.offset, base, step, field.size, struct)


def _step(field: Field) -> int:
    """The size of one element of an array whose type isn't known by name."""
    counts = [dimension.value for dimension in field.type.dimensions]
    return field.size // counts[0] if counts and counts[0] else field.size
