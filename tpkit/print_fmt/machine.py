"""What rendering must know of the machine that wrote a record, and of its kernel.

Everything but byte order and the size of a long is optional: a question that nobody answers leaves a
mark in the text instead. Nothing here reads a file; ``SortedSymbols`` takes what ``/proc/kallsyms``
said from whoever read it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from tpkit.model import EnumValue, Field, no_value


class Symbol(NamedTuple):
    """A kernel function or variable. size: to the next symbol; module: empty for the kernel proper."""

    address: int
    name: str
    size: int
    module: str = ""


class Symbols(Protocol):
    """Answers which symbol holds an address."""

    def find(self, address: int) -> Symbol | None:
        """The symbol that an address lies in, None outside of all."""
        ...


class SortedSymbols:
    """Symbols from (address, name, module) triples in the order of kallsyms.

    As in the kernel's ``kallsyms_lookup``: of several names for one address the first wins, a symbol
    reaches to the next one, and the kernel proper has symbols between ``_stext`` and ``_end`` if it
    lists its data (CONFIG_KALLSYMS_ALL), else between ``_stext`` and ``_etext`` and in the code for
    booting. Zero addresses, which kallsyms shows without privilege, are left out.
    """

    def __init__(self, triples: Iterable[tuple[int, str, str]]) -> None:
        first: dict[int, tuple[str, str]] = {}
        marks: dict[str, int] = {}
        for address, name, module in triples:
            if address:
                first.setdefault(address, (name, module))
            if name in _MARKS and not module:
                marks[name] = address
        self._addresses = sorted(first)
        self._names = first
        self._ranges = _kernel_ranges(marks)

    def __len__(self) -> int:
        return len(self._addresses)

    def find(self, address: int) -> Symbol | None:
        """The symbol that an address lies in; None below the first and above the last."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or index + 1 >= len(self._addresses):
            return None
        start = self._addresses[index]
        name, module = self._names[start]
        if not module and self._ranges and not any(low <= address < high for low, high in self._ranges):
            return None
        return Symbol(start, name, self._addresses[index + 1] - start, module)


_MARKS = frozenset(("_stext", "_etext", "_sinittext", "_einittext", "_end"))


def _kernel_ranges(marks: dict[str, int]) -> tuple[tuple[int, int], ...]:
    """Where ``is_ksym_addr`` expects symbols of the kernel proper; empty if the marks don't tell."""
    pairs = (("_stext", "_end"),) if "_end" in marks else (("_stext", "_etext"), ("_sinittext", "_einittext"))
    return tuple((marks[low], marks[high]) for low, high in pairs if low in marks and high in marks)


def _no_text(_address: int) -> str | None:
    return None


def _no_size(_type: str) -> int | None:
    return None


def _no_member(_type: str, _member: str) -> Field | None:
    return None


@dataclass(frozen=True, slots=True)
class Machine:
    """The recorded machine. Every function answers None for what it doesn't know.

    long_size: bytes of a C ``long`` and of a pointer; char_signed: of plain ``char`` (no on arm);
    names: value of an enum constant or macro that the print fmt still names; symbols: for ``%pS``;
    strings: text at a kernel address, as ``printk_formats`` in tracefs lists it; pointers: the text of
    a plain ``%p``, which the kernel hashes with a key that it tells nobody (``plain_pointer`` is what
    it prints when the trace option ``hash-ptr`` is off); members: offset (from the struct's start),
    size and type of a struct's member, and sizes: of a struct or typedef in bytes, both from BTF; hz:
    the kernel's ticks a second; syscall_hex: system calls' arguments from 10 on are shown as 0x…
    (since Linux 6.18) instead of plain hexadecimal.
    """

    byte_order: Literal["little", "big"] = "little"
    long_size: int = 8
    char_signed: bool = True
    names: EnumValue = no_value
    symbols: Symbols | None = None
    strings: Callable[[int], str | None] = _no_text
    pointers: Callable[[int], str | None] = _no_text
    members: Callable[[str, str], Field | None] = _no_member
    sizes: Callable[[str], int | None] = _no_size
    hz: int | None = None
    syscall_hex: bool = True

    def plain_pointer(self, address: int) -> str:
        """An address as the kernel prints an unhashed pointer."""
        return f"{address:0{2 * self.long_size}x}"


LOCAL = Machine()
