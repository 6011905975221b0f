"""C's spelling of a field's type in programs that have vmlinux.h, and no other header of the kernel's."""

from __future__ import annotations

import re

from tpkit.model import Field
from tpkit.record import Member, Scalar

# Typedefs that every kernel's BTF has; others may be missing from vmlinux.h.
_EVERYWHERE = frozenset(
    "bool size_t ssize_t loff_t umode_t pid_t uid_t gid_t u8 u16 u32 u64 s8 s16 s32 s64".split()
    + "__u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64".split()
)
_BASIC_WORDS = frozenset("char short int long unsigned signed void".split())
_TAGGED = re.compile(r"(?:struct|union) [A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def spelled_type(field: Field, value: Member) -> str:
    """The field's declared type where vmlinux.h has it for sure, else the fixed-width one of its value.

    Ends with an asterisk for pointers: ``const char *``, ``int``.
    """
    ctype = field.type
    if ctype.dimensions or ctype.function or ctype.is_dynamic or not _is_known(ctype.base, ctype.pointers):
        return value.scalar.c_name
    const = "const " if "const" in ctype.qualifiers else ""
    if ctype.pointers:
        return f"{const}{ctype.base} {'*' * ctype.pointers}"
    return ctype.base


def declared(ctype: str, name: str) -> str:
    """A declaration: ``const char *pathname``, ``int dfd``."""
    return f"{ctype}{name}" if ctype.endswith("*") else f"{ctype} {name}"


def _is_known(base: str, pointers: int) -> bool:
    words = base.split()
    if words and _BASIC_WORDS.issuperset(words):
        return bool(pointers) or "void" not in words
    return base in _EVERYWHERE or (pointers > 0 and _TAGGED.fullmatch(base) is not None)


def print_format(scalar: Scalar) -> tuple[str, str]:
    """printf's conversion for a value, and the cast that makes it right everywhere (may be empty)."""
    if scalar.size < 8:
        return ("%d" if scalar.is_signed else "%u"), ""
    return ("%lld", "(long long)") if scalar.is_signed else ("%llu", "(unsigned long long)")
