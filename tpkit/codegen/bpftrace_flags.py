"""Names for the bits of a value, joined in one line: ``O_WRONLY|O_CREAT|O_TRUNC``.

A value loses its lowest bit again and again; the difference is looked up in a map. So a line needs as
many arguments as a value has bits set, not as many as there are names, and no ``if`` for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tpkit.codegen.bpftrace_shown import Choice, Names, Shown, literal, name_literal, name_room
from tpkit.model import SymbolTable

MAX_NAMES = 5  # flags of one value that are shown by name
MAX_BIT = 1 << 62  # bpftrace's own numbers are signed


@dataclass(frozen=True, slots=True)
class Flags:
    """The names of a value's bits.

    whole: names for some of the bits together (``mask``), which go first; names: for one bit or several,
    in the order that they are looked for; zero: what is shown where nothing is set, empty where another
    part of the value is then to be shown; possible: the bits that may be set.
    """

    delimiter: str
    mask: int
    whole: dict[int, str]
    names: dict[int, str]
    zero: str
    possible: int

    @classmethod
    def of(cls, table: SymbolTable, size: int, zero: str) -> Flags:
        """size: bytes of the value; zero: how the number 0 is written."""
        whole = table.base if table.base is not None and not table.base.shift else None
        base = dict(reversed(whole.symbols)) if whole is not None else {}  # of two names the first
        mask = (whole.mask or 0) if whole is not None else 0
        return cls(
            delimiter=table.delimiter or "",
            mask=mask,
            whole=dict(sorted(base.items())) if mask else {},
            names=_reachable(table, mask),
            zero=base[0] if not mask and 0 in base else "" if table.mask is not None else zero,
            possible=((1 << size * 8) - 1 if table.mask is None else table.mask) & ~mask,
        )

    @property
    def single(self) -> int:
        """All bits that have a name of their own."""
        return sum(bits for bits in self.names if bits.bit_count() == 1)

    @property
    def groups(self) -> tuple[int, ...]:
        """Several bits that have a name together; it goes before those of its bits."""
        return tuple(bits for bits in self.names if bits.bit_count() > 1)

    @property
    def most(self) -> int:
        """The largest number of names that a value can have behind ``whole``; groups count once."""
        return self.single.bit_count() + bool(self.groups)


def _reachable(table: SymbolTable, mask: int) -> dict[int, str]:
    """The flags without those that can't be: others have taken a bit of theirs before their turn."""
    names: dict[int, str] = {}
    for bits, name in table.symbols:
        if 0 < bits <= MAX_BIT and not bits & mask and not any(earlier & bits == earlier for earlier in names):
            names[bits] = name
    return names


@dataclass(frozen=True, slots=True)
class Steps:
    """A value's way to no bits at all: statements, and the choice to show all names that were met."""

    statements: tuple[str, ...]
    choice: Choice


def flag_steps(flags: Flags, label: str, bits: str, value: str, names: Names) -> Steps:
    """bits: the variable whose bits are taken; value: what it is given, itself where it has that already."""
    count = min(flags.most, MAX_NAMES)
    rest = [bits]
    rest += [names.variable(f"{label}_{n}") for n in range(1, count + 1 + bool(flags.whole))]
    looked_up = [f"{rest[0]} & {flags.mask:#x}"] if flags.whole else []
    looked_up += [f"{a} - {b}" for a, b in pairwise(rest[len(looked_up) :])]
    first = names.table(f"{label}_names", _first_names(flags))
    more = names.table(f"{label}_more", _more_names(flags)) if len(looked_up) > 1 else ""
    arguments = (f"{first}[{looked_up[0]}]", *(f"{more}[{key}]" for key in looked_up[1:]))
    room = name_room([*flags.names.values(), *flags.whole.values()], len(flags.delimiter)) * len(arguments)
    return Steps(
        statements=(*([f"{bits} = {value};"] if bits != value else []), *_statements(flags, rest)),
        choice=Choice(_all_named(flags, arguments[0], rest), Shown("%s" * len(arguments), arguments, room)),
    )


def _statements(flags: Flags, rest: Sequence[str]) -> Iterator[str]:
    """Each variable is the one before without the bits of one name."""
    steps = pairwise(rest)
    if flags.whole:
        before, after = next(steps)
        yield f"{after} = {before} & ~{flags.mask:#x};"
    for number, (before, after) in enumerate(steps):
        is_first = number == 0 and flags.groups
        # Only the first name may be that of a group or of a bit: "0" is there for neither.
        yield f"{after} = {before};" if is_first and flags.whole else f"{after} = {before} & ({before} - 1);"
        for other, bits in enumerate(flags.groups if is_first else ()):
            word = "else if" if other else "if"
            yield f"{word} (({before} & {bits:#x}) == {bits:#x}) {{ {after} = {before} - {_as_int64(bits)}; }}"


def _as_int64(bits: int) -> str:
    """A number whose type is that of small ones: bpftrace 0.23 has larger ones unsigned, and never mixes the two."""
    return f"(int64){bits:#x}" if bits >> 31 else f"{bits:#x}"


def _all_named(flags: Flags, first: str, rest: Sequence[str]) -> str:
    """The condition under which the names say all that there is."""
    single = rest[bool(flags.whole) + bool(flags.groups)]
    conditions = []
    if _may_lack_the_first(flags):
        conditions.append(f'{first} != ""')
    if flags.possible & ~flags.single:
        conditions.append(f"!({single} & ~{flags.single:#x})" if flags.single else f"!{single}")
    if flags.most > MAX_NAMES:
        conditions.append(f"!{rest[-1]}")
    return " && ".join(conditions)


def _may_lack_the_first(flags: Flags) -> bool:
    if not flags.whole:
        return bool(flags.groups) or not flags.zero
    named = sum(number & ~flags.mask == 0 for number in flags.whole)
    return named < 1 << flags.mask.bit_count()


def _first_names(flags: Flags) -> list[tuple[str, str]]:
    if flags.whole:
        return [(hex(number), name_literal(name)) for number, name in flags.whole.items()]
    zero = [("0x0", literal(flags.zero.encode()))] if flags.zero else []
    return zero + [(hex(bits), name_literal(name)) for bits, name in flags.names.items()]


def _more_names(flags: Flags) -> list[tuple[str, str]]:
    """Those that can stand behind another name."""
    return [
        (hex(bits), name_literal(flags.delimiter + name))
        for bits, name in flags.names.items()
        if flags.whole or bits.bit_count() == 1
    ]
