"""Groups of names: their numbers on each machine, and the module that holds them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from syscall_tables.compiler import Compiler
from syscall_tables.declaration import DeclarationError, Group

Names = frozenset[tuple[int, str]]
Masks = Mapping[str, int]


def names(group: Group, compiler: Compiler) -> Names:
    """A group's numbers and names on one machine."""
    if group.machines is not None and compiler.machine.name not in group.machines:
        return frozenset()
    found: defaultdict[int, set[str]] = defaultdict(set)
    for each in group.sources:
        wanted = each.wanted(compiler.defined(each.headers, each.libc))
        texts = {c.format(name): text.format(name) for name in wanted for text, c in each.forms}
        for expression, number in compiler.numbers(each.headers, each.libc, tuple(texts)).items():
            found[number].add(texts[expression])
    several = [" = ".join(sorted(texts)) for texts in found.values() if len(texts) > 1]
    if several and not group.aliases:
        raise DeclarationError(f"{group.name}: {'; '.join(several)}: leave names out, or say aliases = true")
    return frozenset((number, " or ".join(sorted(texts))) for number, texts in found.items())


def tables(declared: Sequence[Group], asked: Sequence[Compiler]) -> tuple[Mapping[str, Mapping[str, Names]], Masks]:
    """Names by machine and group, and the groups' masks. Raises DeclarationError."""
    told = {each.machine.name: {group.name: names(group, each) for group in declared} for each in asked}
    empty = [each.name for each in declared if not any(found[each.name] for found in told.values())]
    if empty:
        raise DeclarationError(f"no names in the headers for {', '.join(empty)}")
    bits = masks(declared, asked)
    outside = sorted(
        name
        for found in told.values()
        for group, mask in bits.items()
        for number, name in found[group]
        if number & ~mask
    )
    if outside:
        raise DeclarationError(f"not within their group's mask: {', '.join(dict.fromkeys(outside))}")
    return told, bits


def mask(group: Group, expression: str, compiler: Compiler) -> int:
    """The bits that a group is about on one machine."""
    return compiler.numbers(group.sources[0].headers, group.sources[0].libc, [expression])[expression]


def version(compiler: Compiler) -> str:
    """The kernel that the headers are of: ``7.2``."""
    parts = ("LINUX_VERSION_CODE >> 16", "LINUX_VERSION_CODE >> 8 & 255")
    found = compiler.numbers(("linux/version.h",), False, parts)
    return ".".join(str(found[part]) for part in parts)


def module(kernel: str, declared: Sequence[Group], told: Mapping[str, Mapping[str, Names]], masks: Masks) -> str:
    """The generated module's text; told: by machine and group."""
    shared = {each.name: frozenset.intersection(*(tables[each.name] for tables in told.values())) for each in declared}
    lines = [
        '"""Names for the numbers of system calls\' arguments.',
        "",
        f"Made by tools/syscall-tables from the uapi headers of Linux {kernel}; don't edit.",
        '"""',
        "",
        "# fmt: off",
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "",
        "Names = tuple[tuple[int, str], ...]",
        "",
        "# Groups whose names are for bits, not for whole numbers.",
        "FLAGS = frozenset(",
        "    {",
        *(f"        {quoted(each.name)}," for each in declared if each.flags),
        "    }",
        ")",
        "",
        "# The bits that a group is about, where that isn't the whole number.",
        "MASKS: Mapping[str, int] = {",
        *(f"    {quoted(name)}: {number(bits)}," for name, bits in masks.items()),
        "}",
        "",
        "# Flags whose number also has bits with a meaning as a whole, and the group that names it.",
        "BASES: Mapping[str, str] = {",
        *(f"    {quoted(each.name)}: {quoted(each.base)}," for each in declared if each.base),
        "}",
        "",
        "# What all machines share.",
        "NAMES: Mapping[str, Names] = {",
        *(line for name, pairs in shared.items() for line in entry(name, pairs, "    ")),
        "}",
        "",
        "# What only some machines have, named as uname -m does.",
        "OWN: Mapping[str, Mapping[str, Names]] = {",
    ]
    for machine, tables in told.items():
        own = {name: pairs - shared[name] for name, pairs in tables.items()}
        lines.append(f"    {quoted(machine)}: {{")
        lines += [line for name, pairs in own.items() if pairs for line in entry(name, pairs, "        ")]
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def entry(name: str, pairs: Names, indent: str) -> Iterator[str]:
    """One group's lines."""
    if not pairs:
        yield f"{indent}{quoted(name)}: (),"
        return
    yield f"{indent}{quoted(name)}: ("
    for value, text in sorted(pairs):
        yield from pair(f"{indent}    ", number(value), quoted(text))
    yield f"{indent}),"


def pair(indent: str, value: str, text: str) -> Iterator[str]:
    """One number and its name, on one line where that is long enough."""
    line = f"{indent}({value}, {text}),"
    if len(line) <= 120:
        yield line
        return
    alone = f"{indent}    {text},"
    yield from (f"{indent}(", f"{indent}    {value},", alone + ("  # noqa: E501" if len(alone) > 120 else ""))
    yield f"{indent}),"


def number(value: int) -> str:
    """Small numbers as people say them, the others as bits."""
    return str(value) if value < 256 else hex(value)


def quoted(text: str) -> str:
    """A Python string; names and forms of C need no escapes."""
    if not re.fullmatch(r"[\w ,()+|<-]+", text, re.ASCII):
        raise DeclarationError(f"{text!r} isn't a name, nor a form of one")
    return f'"{text}"'


def masks(declared: Sequence[Group], asked: Sequence[Compiler]) -> Masks:
    """The bits that groups are about: the same on all machines."""
    found: dict[str, int] = {}
    for each in declared:
        if each.mask is not None:
            bits = {mask(each, each.mask, compiler) for compiler in asked}
            if len(bits) > 1:
                raise DeclarationError(f"{each.name}: the machines have different masks: {bits}")
            found[each.name] = bits.pop()
    return found
