"""An expression tree back to C text, for messages and for marks."""

from __future__ import annotations

from collections.abc import Callable

from tpkit.print_fmt.tree import (
    Binary,
    Call,
    Cast,
    Compound,
    Conditional,
    Decode,
    Expr,
    FieldRef,
    Index,
    Member,
    Name,
    Node,
    Number,
    Opaque,
    Record,
    SizeOf,
    Statements,
    Text,
    TypeArgument,
    TypeName,
    Unary,
)

MAX_SHOWN = 200  # characters of a source that are shown to a person


def _nothing(_node: Expr) -> str | None:
    return None


def to_c(node: Node, shown: Callable[[Expr], str | None] = _nothing) -> str:
    """The C text of a node. shown: another text for a node, None to write it as it is."""
    if not isinstance(node, TypeName) and (text := shown(node)) is not None:
        return text

    def write(below: Node) -> str:
        return to_c(below, shown)

    match node:
        case TypeName() | Cast() | SizeOf() | TypeArgument():
            return _type_to_c(node, write)
        case Call() | Decode() | Compound() | Statements():
            return _list_to_c(node, write)
        case Member() | Index() | Unary() | Binary() | Conditional():
            return _operator_to_c(node, write)
        case _:
            return _leaf_to_c(node)


def _leaf_to_c(node: Number | Text | Name | FieldRef | Record | Opaque) -> str:
    match node:
        case Number(value=value, suffix=suffix, based=based):
            return f"{value:#x}{suffix.upper()}" if based else f"{value}{suffix.upper()}"
        case Text(value=value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case Name(name=name):
            return name
        case FieldRef(name=name):
            return f"REC->{name}"
        case Record():
            return "REC"
        case Opaque(source=source):
            return source if len(source) <= MAX_SHOWN else source[:MAX_SHOWN] + "…"


def _type_to_c(node: TypeName | Cast | SizeOf | TypeArgument, write: Callable[[Node], str]) -> str:
    match node:
        case TypeName(of=of) if of is not None:
            return f"typeof({write(of)}){'*' * node.pointers}"
        case TypeName():
            body = " { … }" if node.body else ""
            return f"{node.base}{body}{' ' if node.pointers else ''}{'*' * node.pointers}"
        case Cast(type=kind, operand=operand):
            return f"({write(kind)}){write(operand)}"
        case SizeOf(of=of):
            return f"sizeof({write(of)})"
        case TypeArgument(type=kind):
            return write(kind)


def _list_to_c(node: Call | Decode | Compound | Statements, write: Callable[[Node], str]) -> str:
    match node:
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(write, arguments))})"
        case Decode():
            return f"{'__print_flags' if node.is_flags else '__print_symbolic'}({write(node.value)}, …)"
        case Compound(type=kind, members=members):
            inner = ", ".join(f".{name} = {write(value)}" if name else write(value) for name, value in members)
            return f"({write(kind)}) {{ {inner} }}"
        case Statements(locals=declared, result=result):
            inner = " ".join(f"{write(each.type)} {each.name} = {write(each.value)};" for each in declared)
            return f"({{ {inner} {write(result)}; }})"


def _operator_to_c(node: Member | Index | Unary | Binary | Conditional, write: Callable[[Node], str]) -> str:
    match node:
        case Member(of=of, name=name, arrow=arrow):
            return f"{_bracket(of, write)}{'->' if arrow else '.'}{name}"
        case Index(of=of, at=at):
            return f"{_bracket(of, write)}[{write(at)}]"
        case Unary(operator=operator, operand=operand):
            return f"{operator}{_bracket(operand, write)}"
        case Binary(operator=operator, left=left, right=right):
            return f"{_bracket(left, write)} {operator} {_bracket(right, write)}"
        case Conditional(test=test, then=then, other=other):
            middle = f" {write(then)} " if then is not None else ""
            return f"{_bracket(test, write)} ?{middle}: {write(other)}"


def _bracket(node: Expr, write: Callable[[Node], str]) -> str:
    """Brackets around what has operators of its own, so that no precedence must be known."""
    text = write(node)
    inner = isinstance(node, (Binary, Conditional, Cast, Unary)) and not text.isalnum()  # 12, 0xff: shown for it
    return f"({text})" if inner else text
