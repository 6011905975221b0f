"""How wide the C types are that format files name, on 64-bit Linux (LP64).

A field's slot may be wider than its type: system call arguments and synthetic events give every
scalar a whole word, and the upper half of an ``int`` is whatever was in the register. Sources: the
kernel's ``include/linux/types.h``, ``include/uapi/asm-generic/posix_types.h``, ``uapi/linux/*.h``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tpkit.model import CType, Field


@dataclass(frozen=True, slots=True)
class Width:
    """Size in bytes, and whether the type is signed."""

    size: int
    signed: bool


_S8, _U8 = Width(1, True), Width(1, False)
_S16, _U16 = Width(2, True), Width(2, False)
_S32, _U32 = Width(4, True), Width(4, False)
_S64, _U64 = Width(8, True), Width(8, False)

POINTER = _U64

_NAMES: Mapping[Width, str] = {
    _S8: "s8 __s8 int8_t",
    _U8: "u8 __u8 uint8_t u_char",
    _S16: "s16 __s16 int16_t",
    _U16: "u16 __u16 uint16_t umode_t __be16 __le16 old_uid_t old_gid_t u_short",
    _S32: "s32 __s32 int32_t pid_t clockid_t timer_t mqd_t key_t key_serial_t rwf_t",
    _U32: "u32 __u32 uint32_t uint uid_t gid_t qid_t dev_t gfp_t __be32 __le32 u_int __poll_t vm_fault_t",
    _S64: "s64 __s64 int64_t loff_t off_t ssize_t time_t time64_t ktime_t suseconds_t clock_t __kernel_old_time_t",
    _U64: (
        "u64 __u64 uint64_t size_t aio_context_t ino_t sector_t __be64 __le64 u_long uintptr_t "
        "phys_addr_t dma_addr_t resource_size_t cap_user_header_t cap_user_data_t"
    ),
}
_TYPEDEFS: Mapping[str, Width] = {name: width for width, names in _NAMES.items() for name in names.split()}
_SIZE_WORDS: Mapping[tuple[str, ...], int] = {
    ("char",): 1,
    ("short",): 2,
    (): 4,
    ("long",): 8,
    ("long", "long"): 8,
}


def width_of(ctype: CType) -> Width | None:
    """The width of a scalar type, None for one that isn't known here or isn't a scalar.

    ``char`` alone is signed, as on x86-64 (the kernel compiles with -funsigned-char since 6.2, so
    what a format file says of the sign goes first).
    """
    if ctype.is_dynamic or ctype.dimensions:
        return None
    if ctype.pointers:
        return POINTER
    if ctype.base.startswith("enum "):
        return _U32
    if ctype.base in ("bool", "_Bool"):
        return _U8
    return _TYPEDEFS.get(ctype.base) or _basic(ctype.base)


def element_width(ctype: CType) -> Width | None:
    """The width of an array's element, in the record or elsewhere; None for structs and unknown types."""
    return width_of(CType(ctype.base, ctype.base, ctype.pointers)) if ctype.base else None


def value_width(field: Field) -> Width | None:
    """The width of the field's value: its type's where that is narrower than the slot, else the slot's.

    None where the field isn't a scalar of 1, 2, 4 or 8 bytes.
    """
    if field.size not in (1, 2, 4, 8) or field.type.is_array or field.type.is_dynamic or field.type.is_aggregate:
        return None
    declared = width_of(field.type)
    if declared is not None and declared.size < field.size:
        return declared
    if field.signed is not None and (declared is None or declared.size != field.size):
        return Width(field.size, field.signed)
    if declared is not None and field.signed is None:
        return Width(field.size, declared.signed)
    return Width(field.size, bool(field.signed))


# System calls' arguments that are descriptors or processes, which the kernel takes for an int whatever type it gives
# them: SYSCALL_DEFINE1(close, unsigned int, fd), readv's unsigned long fd, ptrace's long pid. -1 is none of them.
_INTEGERS = {
    **dict.fromkeys(("fd", "fildes", "oldfd", "newfd"), ("unsigned int", "unsigned long")),
    "pid": ("long",),
}


def argument_width(field: Field) -> Width | None:
    """The width of a system call's argument: the declared type's; its slot's ``signed`` means nothing."""
    if field.type.text in _INTEGERS.get(field.name, ()):
        return _S32
    return width_of(field.type) or value_width(field)


def _basic(base: str) -> Width | None:
    words = base.split()
    signed = "unsigned" not in words
    kept = tuple(word for word in words if word not in ("unsigned", "signed", "int"))
    size = _SIZE_WORDS.get(kept) if words else None
    return None if size is None else Width(size, signed)
