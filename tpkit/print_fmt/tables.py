"""What a print fmt tells of an event without any record: tables, fields shown, and what can't be.

A table is found where ``__print_flags`` or ``__print_symbolic`` decodes an expression over one field,
with the shifts and masks that lead from the field to the number that the table is about.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tpkit.model import EventFormat, SymbolTable
from tpkit.print_fmt.evaluate import Evaluation, common_field
from tpkit.print_fmt.facts import Facts
from tpkit.print_fmt.functions import FUNCTIONS
from tpkit.print_fmt.grammar import parse_print_fmt
from tpkit.print_fmt.helpers import HELPERS, named_field
from tpkit.print_fmt.machine import LOCAL, Machine
from tpkit.print_fmt.pointers import needs_kernel
from tpkit.print_fmt.source import to_c
from tpkit.print_fmt.template import Conversion, parse_template
from tpkit.print_fmt.tree import (
    Binary,
    Call,
    Cast,
    Conditional,
    Decode,
    Entry,
    Expr,
    FieldRef,
    Member,
    Name,
    Node,
    Opaque,
    PrintFmt,
    Statements,
    Text,
    children,
    walk,
)
from tpkit.print_fmt.values import Doubt, Int, UnevaluableError


@dataclass(frozen=True, slots=True)
class Decoding:
    """A table that decodes a field.

    field: its name; delimiter: between flags, None for symbols; entries: number (None for a name
    that has none here), C text of the value, and the text shown; shift and mask: the number looked up
    is ``(field >> shift) & mask``, or ``field >> shift`` without a mask; exact: the expression is no
    more than that; source: the expression's C text; zero: of flags, what is shown where none is set (sched_switch's R).
    """

    field: str
    delimiter: str | None
    entries: tuple[tuple[int | None, str, str], ...]
    shift: int = 0
    mask: int | None = None
    exact: bool = True
    source: str = ""
    zero: str | None = None

    @property
    def is_flags(self) -> bool:
        """Whether each entry is a bit or several, not one whole value."""
        return self.delimiter is not None

    @property
    def shown(self) -> tuple[tuple[int | None, str, str], ...]:
        """The entries, with what is shown where none applies."""
        return self.entries if self.zero is None else ((0, "0", self.zero), *self.entries)

    @property
    def symbols(self) -> dict[int, str]:
        """The texts by number, the first of each number, without what has no number."""
        found: dict[int, str] = {}
        for number, _, text in self.entries:
            if number is not None:
                found.setdefault(number, text)
        return found


def decodings(event: EventFormat, machine: Machine = LOCAL) -> tuple[Decoding, ...]:
    """All tables of an event's print fmt that are about one field, in its order, each once."""
    evaluation = Evaluation(Facts((), machine), b"")
    print_fmt = parse_print_fmt(event.print_fmt)
    alternatives = dict(_alternatives(print_fmt, evaluation))
    found = (_decoding(node, evaluation, alternatives.get(id(node))) for node in _nodes(print_fmt))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def symbol_tables(event: EventFormat, machine: Machine = LOCAL) -> dict[str, SymbolTable]:
    """The fields whose numbers have names, each with its table.

    A field that different tables may decode, depending on another field (``kvm_exit``), has none.
    """
    found: dict[str, SymbolTable | None] = {}
    for each in decodings(event, machine):
        if each.exact and each.symbols:
            zero = None if each.zero is None else SymbolTable(None, ((0, each.zero),))
            table = SymbolTable(each.delimiter, tuple(each.symbols.items()), each.shift, each.mask, zero)
            found[each.field] = table if found.get(each.field, table) == table else None
    return {field: table for field, table in found.items() if table is not None}


def _nodes(print_fmt: PrintFmt) -> Iterator[Node]:
    for argument in print_fmt.arguments:
        yield from walk(argument)


@dataclass(frozen=True, slots=True)
class _Alternative:
    """What is shown where no flag is set, and behind it where some other bits are, as the + of sched_switch's R+."""

    zero: str
    bits: int = 0
    suffix: str = ""


def _alternatives(print_fmt: PrintFmt, evaluation: Evaluation) -> Iterator[tuple[int, _Alternative]]:
    """For the tables of ``flags ? __print_flags(flags, …) : "R", field & more ? "+" : ""``, by the nodes' ids."""
    for argument, behind in pairwise((*print_fmt.arguments, None)):
        match argument:
            case Conditional(test, Decode() as table, Text(zero)) if table.is_flags and table.value == test:
                yield id(table), _with_suffix(zero, table, behind, evaluation)


def _with_suffix(zero: str, table: Decode, behind: Expr | None, evaluation: Evaluation) -> _Alternative:
    match behind:
        case Conditional(Binary(operator="&") as test, Text(suffix), Text("")) if _fields(test) == _fields(table.value):
            shift, bits, exact = _path(test, evaluation)
            if exact and not shift and bits:
                return _Alternative(zero, bits, suffix)
    return _Alternative(zero)


def _fields(node: Expr) -> set[str]:
    return {below.name for below in walk(node) if isinstance(below, FieldRef)}


def _decoding(node: Node, evaluation: Evaluation, alternative: _Alternative | None) -> Decoding | None:
    if not isinstance(node, Decode):
        return None
    fields = _fields(node.value)
    if len(fields) != 1:
        return None
    shift, mask, exact = _path(node.value, evaluation)
    entries = tuple(_entry(entry, evaluation) for entry in node.entries)
    found = Decoding(fields.pop(), node.delimiter, entries, shift, mask, exact, to_c(node.value))
    if alternative is None:
        return found
    found = replace(found, zero=alternative.zero)
    if not alternative.bits or shift or mask is None or mask & alternative.bits:
        return found
    # The kernel sets these bits alone (TASK_REPORT_MAX of include/linux/sched.h, of a task that was preempted).
    more = (alternative.bits, hex(alternative.bits), alternative.zero + alternative.suffix)
    return replace(found, entries=(*entries, more), mask=mask | alternative.bits)


def _entry(entry: Entry, evaluation: Evaluation) -> tuple[int | None, str, str]:
    return (_constant(entry.value, evaluation), to_c(entry.value), entry.text)


def _constant(node: Expr, evaluation: Evaluation) -> int | None:
    try:
        value = evaluation.value(node)
    except UnevaluableError:
        return None
    return value.value if isinstance(value, Int) else None


def _path(node: Expr, evaluation: Evaluation) -> tuple[int, int | None, bool]:
    """Shift and mask from the field to the number; the last says whether that is all of it."""
    match node:
        case FieldRef():
            return 0, None, True
        case Cast(operand=operand):
            return _path(operand, evaluation)
        case Binary(operator="&", left=left, right=right):
            return _masked(left, right, evaluation)
        case Binary(operator=">>", left=left, right=right):
            shift, mask, exact = _path(left, evaluation)
            by = _constant(right, evaluation)
            if by is None:
                return shift, mask, False
            return shift + by, None if mask is None else mask >> by, exact
        case _:
            return 0, None, False


def _masked(left: Expr, right: Expr, evaluation: Evaluation) -> tuple[int, int | None, bool]:
    if any(isinstance(below, FieldRef) for below in walk(right)):
        left, right = right, left
    shift, mask, exact = _path(left, evaluation)
    bits = _constant(right, evaluation)
    if bits is None:
        return shift, mask, False
    return shift, bits if mask is None else mask & bits, exact


# ------------------------------------------------------------------------------------ fields shown


def shown_fields(event: EventFormat) -> tuple[str, ...]:
    """The names of the fields that the event's text depends on, in the order of their first use."""
    names: dict[str, None] = {}
    for node in _nodes(parse_print_fmt(event.print_fmt)):
        if isinstance(node, FieldRef):
            names.setdefault(node.name)
        elif isinstance(node, Call) and (name := named_field(node)):
            names.setdefault(name)
    return tuple(names)


# ----------------------------------------------------------------------------- what can't be told


def unevaluable(event: EventFormat, machine: Machine = LOCAL) -> tuple[Doubt, ...]:
    """What in an event's print fmt no record of it can answer, with the reasons.

    It looks at the text alone: kernel functions, names without a number, fields that don't exist, and
    conversions that read the kernel's memory.
    """
    print_fmt = parse_print_fmt(event.print_fmt)
    facts = Facts((*event.fields, *event.common_fields), machine)
    found: list[Doubt] = []
    for argument in print_fmt.arguments:
        found.extend(_doubts(argument, facts))
    found.extend(_conversion_doubts(event, print_fmt))
    return tuple(dict.fromkeys(found))


def _doubts(argument: Expr, facts: Facts) -> Iterator[Doubt]:
    local = {each.name for node in walk(argument) if isinstance(node, Statements) for each in node.locals}
    waiting: list[Node] = [argument]
    while waiting:
        node = waiting.pop()
        reason = _reason(node, facts, local)
        if reason:
            yield Doubt(to_c(node), reason)
        elif not _is_followed(node, facts.fields):
            waiting.extend(reversed(children(node)))


def _is_followed(node: Node, fields: Container[str]) -> bool:
    """Whether what is below a node is no expression of its own."""
    common = common_field(node, fields)
    return (isinstance(node, Call) and named_field(node) is not None) or (common is not None and common in fields)


def _reason(node: Node, facts: Facts, local: set[str]) -> str | None:
    match node:
        case Call(function=function) if function not in HELPERS and function not in FUNCTIONS:
            return "a function of the kernel"
        case Call() if (name := named_field(node)) and not _exists(name, facts.fields):
            return "no such field"
        case FieldRef(name=name) if not _exists(name, facts.fields):
            return "no such field"
        case Name(name=name) if name not in local and facts.number(name) is None:
            return "a name without a number"
        case Opaque():
            return "C statements"
        case _:
            return None


def _exists(name: str, fields: Container[str]) -> bool:
    return name in fields or name.removeprefix("__data_loc_").removeprefix("__rel_loc_") in fields


def _conversion_doubts(event: EventFormat, print_fmt: PrintFmt) -> Iterator[Doubt]:
    """Conversions of pointers that lead out of the record."""
    arguments = iter(print_fmt.arguments)
    for part in parse_template(print_fmt.template):
        if not isinstance(part, Conversion) or not part.arguments:
            continue
        taken = [next(arguments, None) for _ in range(part.arguments)]
        node = taken[-1]
        if node is not None and (reason := _pointer_reason(event, part, node)):
            yield Doubt(to_c(node), reason)


def _pointer_reason(event: EventFormat, part: Conversion, node: Expr) -> str | None:
    if part.letter == "p":
        reason = needs_kernel(part.extension)
        if reason:
            return reason
    if part.letter == "s" or (part.letter == "p" and part.extension[:1] not in ("", "x", "K", "e", *"SsFfB")):
        return "memory of the kernel" if _is_kernel_pointer(event, node) else None
    return None


def _is_kernel_pointer(event: EventFormat, node: Expr) -> bool:
    """A field that is a pointer by its type, or a member behind one."""
    while isinstance(node, Cast):
        node = node.operand
    if not isinstance(node, FieldRef):
        return isinstance(node, Member) and node.arrow
    try:
        return event.field(node.name).type.is_pointer
    except KeyError:
        return False
