"""The expression tree of a print fmt, as frozen values.

A print fmt is a C call's argument list: a format string and the expressions behind it. The nodes say
what the C text says, no more: nothing here is evaluated, and what can't be evaluated from a record is
in the tree like everything else (``evaluate.py`` and ``tables.py`` know why it can't).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or character constant. suffix: of ``u``, ``l``, ``ll``, lower case, in that order.

    based: written in hexadecimal, octal or binary, which lets C choose an unsigned type.
    """

    value: int
    suffix: str = ""
    based: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal, adjacent ones joined, escapes resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier that is no field: an enum constant, a macro, a local or a kernel variable."""

    name: str


@dataclass(frozen=True, slots=True)
class FieldRef:
    """``REC->name``: a field of the record, whether the format has one of this name or not."""

    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """``REC`` itself, without a member."""


@dataclass(frozen=True, slots=True)
class Member:
    """``of.name`` or, with arrow, ``of->name``, where ``of`` isn't the record."""

    of: Expr
    name: str
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """``of[at]``."""

    of: Expr
    at: Expr


@dataclass(frozen=True, slots=True)
class Unary:
    """A prefix operator: one of ``+ - ! ~ * &``."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """An infix operator of C, the comma and the assignments included."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Conditional:
    """``test ? then : other``; then is None in GNU C's ``test ?: other``."""

    test: Expr
    then: Expr | None
    other: Expr


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as a cast or ``sizeof`` names it.

    base: without qualifiers and pointers (``unsigned long``, ``struct page``), empty with ``of``;
    pointers: depth of indirection, arrays and functions counted as one; of: the expression of a
    ``typeof``; body: the text between the braces of a struct that is defined in place.
    """

    base: str
    pointers: int = 0
    of: Expr | TypeName | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """``(type)operand``."""

    type: TypeName
    operand: Expr


@dataclass(frozen=True, slots=True)
class SizeOf:
    """``sizeof(type)`` or ``sizeof expression``."""

    of: TypeName | Expr


@dataclass(frozen=True, slots=True)
class TypeArgument:
    """A type where a call has an argument, as ``__builtin_types_compatible_p`` takes them."""

    type: TypeName


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the kernel, a builtin of the compiler or a helper of tracing without a table."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table: a value and the text that stands for it."""

    value: Expr
    text: str


@dataclass(frozen=True, slots=True)
class Decode:
    """``__print_flags`` (delimiter is a text) or ``__print_symbolic`` (delimiter is None).

    wide: one of the ``_u64`` forms, which differ on 32-bit kernels only.
    """

    value: Expr
    delimiter: str | None
    entries: tuple[Entry, ...]
    wide: bool = False

    @property
    def is_flags(self) -> bool:
        """Whether each entry is a bit or several, not one whole value."""
        return self.delimiter is not None


@dataclass(frozen=True, slots=True)
class Compound:
    """A compound literal: ``(type) { .member = value, … }``; a positional value has no member."""

    type: TypeName
    members: tuple[tuple[str | None, Expr], ...]


@dataclass(frozen=True, slots=True)
class Local:
    """A declaration with a value in a statement expression."""

    name: str
    type: TypeName
    value: Expr


@dataclass(frozen=True, slots=True)
class Statements:
    """A statement expression of plain declarations and a result: ``({ int x = …; x + 1; })``."""

    locals: tuple[Local, ...]
    result: Expr


@dataclass(frozen=True, slots=True)
class Opaque:
    """Balanced C text that is kept and not understood: switches, loops, static tables, unions."""

    source: str


Expr: TypeAlias = (
    Number
    | Text
    | Name
    | FieldRef
    | Record
    | Member
    | Index
    | Unary
    | Binary
    | Conditional
    | Cast
    | SizeOf
    | TypeArgument
    | Call
    | Decode
    | Compound
    | Statements
    | Opaque
)
Node: TypeAlias = Expr | TypeName


@dataclass(frozen=True, slots=True)
class PrintFmt:
    """A print fmt: the format string (escapes resolved) and its arguments, in order."""

    template: str
    arguments: tuple[Expr, ...] = ()


_BELOW: dict[type, Callable[[Any], tuple[Node | None, ...]]] = {
    Member: lambda node: (node.of,),
    Index: lambda node: (node.of, node.at),
    Unary: lambda node: (node.operand,),
    Binary: lambda node: (node.left, node.right),
    Conditional: lambda node: (node.test, node.then, node.other),
    TypeName: lambda node: (node.of,),
    Cast: lambda node: (node.type, node.operand),
    SizeOf: lambda node: (node.of,),
    TypeArgument: lambda node: (node.type,),
    Call: lambda node: node.arguments,
    Decode: lambda node: (node.value, *(entry.value for entry in node.entries)),
    Compound: lambda node: tuple(value for _, value in node.members),
    Statements: lambda node: (*(each.value for each in node.locals), node.result),
}


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node, in the order of the text."""
    below = _BELOW.get(type(node))
    return tuple(each for each in below(node) if each is not None) if below else ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first, in the order of the text."""
    waiting: list[Node] = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(children(each)))
