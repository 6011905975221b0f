"""Structs of system calls' arguments: where their members are on each machine, and the module that tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syscall_tables.compiler import Compiler
from syscall_tables.declaration import DeclarationError
from syscall_tables.names import quoted


@dataclass(frozen=True)
class Declared:
    """A struct's member as it is declared: its name for people, what C calls it, how it is shown."""

    label: str
    designator: str
    shown: str


@dataclass(frozen=True)
class Struct:
    """A struct's C type, and the members that are wanted; rest: there are more; strace says so; libc: as in Source."""

    name: str
    type: str
    headers: tuple[str, ...]
    members: tuple[Declared, ...]
    rest: bool
    libc: bool


# Label, offset, bytes, whether it has negative values, how it is shown.
Member = tuple[str, int, int, bool, str]


@dataclass(frozen=True)
class Layout:
    """A struct on one machine; size: bytes."""

    size: int
    rest: bool
    members: tuple[Member, ...]


Layouts = Mapping[str, Layout]


def structs(declared: Mapping[str, Any]) -> list[Struct]:
    """The declaration's structs, sorted by their names."""
    return [_struct(name, declared[name]) for name in sorted(declared)]


def _struct(name: str, told: Mapping[str, Any]) -> Struct:
    return Struct(
        name,
        told["type"],
        tuple(told["headers"]),
        tuple(_declared(each) for each in told["members"]),
        told.get("rest", False),
        told.get("libc", False),
    )


def _declared(text: str) -> Declared:
    """``label``, ``label=designator``, each with how it is shown behind a space."""
    names, _, shown = text.partition(" ")
    label, _, designator = names.partition("=")
    return Declared(label, designator or label, shown)


def layouts(declared: Sequence[Struct], compiler: Compiler) -> Layouts:
    """The structs on one machine; a struct that isn't there is left out, and so is a member."""
    found = {each.name: _layout(each, compiler) for each in declared}
    return {name: layout for name, layout in found.items() if layout.members}


def _layout(struct: Struct, compiler: Compiler) -> Layout:
    whole = f"sizeof({struct.type})"
    asked = {each.designator: _questions(struct.type, each.designator) for each in struct.members}
    questions = [question for three in asked.values() for question in three]
    told = compiler.numbers(struct.headers, struct.libc, [whole, *dict.fromkeys(questions)], quiet=True)
    members = []
    for each in struct.members:
        offset, size, signed = asked[each.designator]
        if offset in told:
            members.append((each.label, told[offset], told[size], bool(told.get(signed)), each.shown))
    return Layout(told.get(whole, 0), struct.rest, tuple(members))


def _questions(ctype: str, designator: str) -> tuple[str, str, str]:
    """C for a member's offset, its size, and whether it is signed: no number if it isn't an integer."""
    member = f"(({ctype} *)0)->{designator}"
    return (
        f"__builtin_offsetof({ctype}, {designator})",
        f"sizeof({member})",
        f"(__typeof__({member}))-1 < (__typeof__({member}))0",
    )


def check(declared: Sequence[Struct], told: Mapping[str, Layouts]) -> None:
    """Each struct and each member is there on some machine. Raises DeclarationError."""
    for struct in declared:
        labels = {label for each in told.values() if struct.name in each for label, *_ in each[struct.name].members}
        missing = [member.label for member in struct.members if member.label not in labels]
        if missing:
            raise DeclarationError(f"{struct.name}: {struct.type} has no {', '.join(missing)}")


def module(kernel: str, told: Mapping[str, Layouts]) -> str:
    """The generated module's text; told: by machine."""
    first = next(iter(told.values()))
    shared = {name: each for name, each in first.items() if all(other.get(name) == each for other in told.values())}
    lines = [
        '"""Structs of system calls\' arguments: where their members are.',
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
        "# Name, offset in bytes, size in bytes, whether it has negative values, how it is shown.",
        "Member = tuple[str, int, int, bool, str]",
        "# Size in bytes, whether there are members that strace doesn't show, those that it shows.",
        "Struct = tuple[int, bool, tuple[Member, ...]]",
        "",
        "# What all machines share.",
        "STRUCTS: Mapping[str, Struct] = {",
        *(line for name, each in shared.items() for line in _entry(name, each, "    ")),
        "}",
        "",
        "# What differs, by the machine's name as uname -m has it.",
        "OWN: Mapping[str, Mapping[str, Struct]] = {",
    ]
    for machine, found in told.items():
        lines.append(f"    {quoted(machine)}: {{")
        own = {name: each for name, each in found.items() if name not in shared}
        lines += [line for name, each in own.items() for line in _entry(name, each, "        ")]
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def _entry(name: str, layout: Layout, indent: str) -> Iterator[str]:
    yield f"{indent}{quoted(name)}: ({layout.size}, {layout.rest}, ("
    for label, offset, size, signed, shown in layout.members:
        yield f"{indent}    ({quoted(label)}, {offset}, {size}, {signed}, {quoted(shown) if shown else chr(34) * 2}),"
    yield f"{indent})),"
