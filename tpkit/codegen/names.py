"""Identifiers for generated code: safe in C and Python, unique, the same in every run.

A field keeps its name unless C, a macro or Python claims it: then an underscore follows (``from_``).
A second field of one name gets a number (``flags_2``). Documented in docs of ``tpkit generate``.
"""

from __future__ import annotations

import keyword
import re

_C_KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union unsigned
    void volatile while asm typeof bool true false NULL alignas alignof constexpr nullptr static_assert
    thread_local typeof_unqual""".split()
)
# Macros of compilers, of the kernel's and BCC's headers, and the member that every record begins with.
_CLAIMED = frozenset(
    """linux unix i386 arm mips current errno barrier offsetof container_of likely unlikely lock_xadd
    cursor_advance header""".split()
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def safe_identifier(name: str, taken: set[str]) -> str:
    """An identifier as near to ``name`` as can be, and not among ``taken``, to which it is added."""
    base = re.sub(r"[^A-Za-z0-9_]", "_", name, flags=re.ASCII)
    if not _IDENTIFIER.fullmatch(base):
        base = f"_{base}"
    if base in _C_KEYWORDS or base in _CLAIMED or keyword.iskeyword(base) or _is_reserved(base):
        base += "_"
    return unique(base, taken)


def unique(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it (``flags_2``) where it is taken; added to ``taken``."""
    chosen, count = name, 2
    while chosen in taken:
        chosen, count = f"{name}_{count}", count + 1
    taken.add(chosen)
    return chosen


def _is_reserved(name: str) -> bool:
    """Names that compilers and headers keep for themselves: ``__LINE__``, ``_Bool``, ``bpf_…``, ``BPF_…``."""
    if name == "__syscall_nr":  # a member of every syscall event, and nobody's macro
        return False
    return bool(re.match(r"__[a-z]*__$|__[A-Z]|_[A-Z]|__attribute|__builtin|__asm|__typeof|bpf_|BPF_|_pad\d", name))


def comment_text(text: str) -> str:
    """Text from a format file as it may stand in a comment: nothing in it can end the comment."""
    return re.sub(r"[^A-Za-z0-9_ '*,;=\[\]().:<>|&+-]", "?", text)


def c_string(text: str) -> str:
    """Text as a C string literal; only plain ASCII stands in it, all else is escaped byte by byte."""
    return '"' + "".join(map(_c_text_byte, text.encode("utf-8", "surrogateescape"))) + '"'


def _c_text_byte(byte: int) -> str:
    # Three octal digits end an escape whatever follows; '?' could begin a trigraph.
    character = chr(byte)
    return character if " " <= character <= "~" and character not in '"\\?' else f"\\{byte:03o}"


def c_characters(comm: bytes | None) -> list[str]:
    """A thread's name as C's characters, with the zero behind them; none without a name."""
    return [c_character(byte) for byte in (*comm, 0)] if comm else []


def c_character(byte: int) -> str:
    """A byte as C writes it: ``'r'`` for letters, digits and a few more, otherwise a number."""
    character = chr(byte)
    return f"'{character}'" if character.isascii() and (character.isalnum() or character in "-_.:/ ") else str(byte)
