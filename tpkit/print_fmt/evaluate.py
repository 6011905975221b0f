"""Expression tree + record → value.

Evaluation follows C where a record is all there is: integers, addresses within the record, texts. What
leads out of it (kernel memory, kernel functions, names without a number) raises UnevaluableError with
the reason; helpers that can show a part all the same add a Doubt instead.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from tpkit.model import Field, Location
from tpkit.print_fmt import functions, helpers
from tpkit.print_fmt.c_types import field_kind, integer_type
from tpkit.print_fmt.facts import Facts
from tpkit.print_fmt.source import to_c
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
from tpkit.print_fmt.values import (
    BOOL,
    INT,
    LONG_LONG,
    U8,
    UNSIGNED,
    Doubt,
    Int,
    IntType,
    Place,
    Str,
    UnevaluableError,
    Value,
    binary,
    boolean,
    common_type,
    promote,
    truth,
    unary,
    wrap,
)

_LOCATIONS = ("__data_loc_", "__rel_loc_")  # how the kernel's structs call the words of dynamic fields
_POINTER_BYTES = IntType(1, False)


class Evaluation:
    """One record of an event, and the doubts so far."""

    def __init__(self, facts: Facts, record: bytes) -> None:
        self.facts = facts
        self.fields = facts.fields
        self.record = record
        self.machine = facts.machine
        self.doubts: list[Doubt] = []
        self.long = IntType(self.machine.long_size, True)
        self.unsigned_long = IntType(self.machine.long_size, False)
        self._locals: dict[str, Value] = {}

    def value(self, node: Expr) -> Value:
        """What an expression is worth. Raises UnevaluableError."""
        return _RULES[type(node)](self, node)

    def attempt(self, node: Expr) -> Value | None:
        """What an expression is worth, None if that can't be told; leaves no doubts."""
        count = len(self.doubts)
        try:
            return self.value(node)
        except UnevaluableError:
            return None
        finally:
            del self.doubts[count:]

    def integer(self, node: Expr) -> Int:
        """An expression that must be an integer. Raises UnevaluableError."""
        value = self.value(node)
        if isinstance(value, Int):
            return value
        raise UnevaluableError(f"the address of {to_c(node)[:80]} isn't in the record")

    def doubt(self, source: str, reason: str) -> None:
        """Note that a part of the text is a guess or a raw value."""
        self.doubts.append(Doubt(source, reason))

    # ------------------------------------------------------------------------------ the record

    def load(self, at: int, kind: IntType) -> Int:
        """An integer of the record. Raises UnevaluableError beyond its end."""
        data = self.record[at : at + kind.size]
        if at < 0 or len(data) < kind.size:
            raise UnevaluableError("beyond the end of the record")
        return Int(int.from_bytes(data, self.machine.byte_order, signed=kind.signed), kind)

    def bytes_at(self, value: Value, size: int, node: Expr) -> bytes:
        """Memory of the record, or of a text, at least ``size`` bytes. Raises UnevaluableError."""
        if isinstance(value, Place):
            data = self.record[value.offset : value.offset + size]
        elif isinstance(value, Str):
            data = (value.text + b"\0")[:size]
        else:
            raise UnevaluableError(f"{to_c(node)[:80]} points into the kernel's memory")
        if len(data) < size:
            raise UnevaluableError("beyond the end of the record")
        return data

    def field(self, name: str) -> Field:
        """The field that a name in a print fmt means. Raises UnevaluableError."""
        field = self.fields.get(name)
        if field is None:
            for prefix in _LOCATIONS:
                field = field or self.fields.get(name.removeprefix(prefix))
        if field is None:
            raise UnevaluableError(f"the event has no field {name}")
        return field

    def dynamic(self, node: Expr) -> Place:
        """Where the data of a ``__data_loc`` or ``__rel_loc`` field is. Raises UnevaluableError.

        The word's low half is the offset, its high half the size in bytes; a relative offset counts
        from the end of the field (``__get_rel_dynamic_array`` in ``trace_events.h``' stage 3).
        """
        name = node.name if isinstance(node, (Name, FieldRef)) else to_c(node)
        field = self.field(name)
        word = self.load(field.offset, IntType(min(field.size, 4) or 4, False)).value
        base = field.end if field.type.location is Location.REL_LOC else 0
        offset = base + (word & 0xFFFF)
        size = word >> 16 if field.size >= UNSIGNED.size else len(self.record) - offset
        element = integer_type(field.type.base, self.machine.long_size, self.machine.char_signed)
        if field.type.pointers:
            element = self.unsigned_long
        return Place(offset, element, element.size if element else 1, size)

    # ------------------------------------------------------------------------------- the rules

    def _number(self, node: Number) -> Value:
        return Int(node.value, self._constant_type(node))

    def _constant_type(self, node: Number) -> IntType:
        """The first type that holds the value (ISO C 6.4.4.1)."""
        sizes = (8,) if node.suffix.count("l") > 1 else (self.long.size, 8) if "l" in node.suffix else (4, 8)
        for size in sizes:
            bits = size * 8
            if "u" not in node.suffix and node.value < 1 << (bits - 1):
                return IntType(size, True)
            if ("u" in node.suffix or node.based) and node.value < 1 << bits:
                return IntType(size, False)
        return IntType(8, False)

    def _text(self, node: Text) -> Value:
        return Str(encode(node.value))

    def _named(self, node: Name) -> Value:
        if node.name in self._locals:
            return self._locals[node.name]
        number = self.facts.number(node.name)
        if number is None:
            raise UnevaluableError(f"{node.name} has no number here: a name of the kernel's source")
        return Int(number, INT if -(1 << 31) <= number < 1 << 31 else LONG_LONG)

    def _field(self, node: FieldRef) -> Value:
        field = self.field(node.name)
        kind = self.facts.kind(field)
        return kind if isinstance(kind, Place) else self.load(field.offset, kind)

    def _record(self, _node: Record) -> Value:
        return Place(0, _POINTER_BYTES, 1, len(self.record))

    def _member(self, node: Member) -> Value:
        if isinstance(node.of, Compound):
            return self._compound_member(node.of, node.name)
        common = common_field(node, self.fields)
        if common is not None:
            return self._field(FieldRef(common))
        of = self.value(node.of)
        if not isinstance(of, Place):
            raise UnevaluableError(f"{to_c(node)[:80]} is in the kernel's memory")
        member = self.machine.members(of.struct, node.name) if of.struct else None
        if member is None:
            raise UnevaluableError(f"the layout of {of.struct or to_c(node.of)[:80]} isn't known")
        kind = field_kind(member, self.machine.long_size, self.machine.char_signed)
        return self._read(of.offset + member.offset, kind)

    def _read(self, at: int, kind: IntType | Place) -> Value:
        """What lies at an offset of the record: an integer, or the place itself."""
        return kind._replace(offset=at) if isinstance(kind, Place) else self.load(at, kind)

    def _compound_member(self, node: Compound, name: str) -> Value:
        for member, value in node.members:
            if member == name:
                return self.value(value)
        return Int(0, INT)

    def _index(self, node: Index) -> Value:
        of, at = self.value(node.of), self.integer(node.at).value
        if isinstance(of, Str):
            return wrap((of.text + b"\0")[at] if 0 <= at <= len(of.text) else 0, U8)
        return self._at(of, at, node)

    def _at(self, of: Value, index: int, node: Expr) -> Value:
        """The element of an array in the record."""
        if not isinstance(of, Place):
            raise UnevaluableError(f"{to_c(node)[:80]} is in the kernel's memory")
        offset = of.offset + index * of.step
        return self.load(offset, of.element) if of.element else of._replace(offset=offset, size=of.step)

    def _unary(self, node: Unary) -> Value:
        if node.operator == "!":
            return boolean(not truth(self.value(node.operand)))
        if node.operator == "&":
            return self._address(node.operand)
        if node.operator == "*":
            return self._at(self.value(node.operand), 0, node)
        return unary(node.operator, self.integer(node.operand))

    def _address(self, node: Expr) -> Value:
        if isinstance(node, FieldRef):
            field = self.field(node.name)
            kind = self.facts.kind(field)
            return Place(field.offset, kind, kind.size, field.size) if isinstance(kind, IntType) else kind
        if isinstance(node, Index) and isinstance(of := self.value(node.of), Place):
            at = of.offset + self.integer(node.at).value * of.step
            return of._replace(offset=at, size=max(of.offset + of.size - at, 0))
        if isinstance(node, Unary) and node.operator == "*":
            return self.value(node.operand)
        value = self.value(node)
        if isinstance(value, Place):
            return value
        raise UnevaluableError(f"the address of {to_c(node)[:80]} isn't in the record")

    def _binary(self, node: Binary) -> Value:
        if node.operator == "&&":
            return boolean(truth(self.value(node.left)) and truth(self.value(node.right)))
        if node.operator == "||":
            return boolean(truth(self.value(node.left)) or truth(self.value(node.right)))
        if node.operator == ",":
            return self.value(node.right)
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Int) and isinstance(right, Int):
            if isinstance(node.left, Cast) and node.left.type.pointers and node.operator in ("+", "-"):
                right = Int(right.value * self._size_of_pointee(node.left.type), self.unsigned_long)
            return binary(node.operator, left, right)
        return _with_address(node, left, right)

    def _conditional(self, node: Conditional) -> Value:
        test = self.value(node.test)
        if node.then is None:
            return test if truth(test) else self.value(node.other)
        chosen, other = (node.then, node.other) if truth(test) else (node.other, node.then)
        value = self.value(chosen)
        return self._converted(value, other) if isinstance(value, Int) else value

    def _converted(self, value: Int, other: Expr) -> Value:
        """The branch taken, in the type that both branches together give it."""
        if isinstance(other, Number) and other.value == 0 and value.type.size >= INT.size:
            return value
        type_giver = self.attempt(other)
        if not isinstance(type_giver, Int):
            return value
        return wrap(value.value, common_type(promote(value).type, promote(type_giver).type))

    def _cast(self, node: Cast) -> Value:
        value = self.value(node.operand)
        if node.type.pointers:
            return self._cast_pointer(value, node.type)
        if node.type.base == "void":
            return value
        kind = self._type(node.type)
        if isinstance(value, Int):
            if kind == BOOL and node.type.base in ("bool", "_Bool"):
                return Int(int(value.value != 0), BOOL)
            return wrap(value.value, kind) if kind else value
        if isinstance(value, Place) and kind and kind.size == self.long.size:
            return value._replace(element=_POINTER_BYTES, step=1)  # still an address, now counted in bytes
        return value

    def _cast_pointer(self, value: Value, kind: TypeName) -> Value:
        if isinstance(value, Int):
            return wrap(value.value, self.unsigned_long)
        if not isinstance(value, Place):
            return value
        pointee = self.unsigned_long if kind.pointers > 1 else self._integer_type(kind.base)
        if kind.base == "void" and kind.pointers == 1:
            return value._replace(element=_POINTER_BYTES, step=1)
        struct = "" if pointee else kind.base
        return value._replace(element=pointee, step=pointee.size if pointee else 1, struct=struct)

    def _integer_type(self, base: str) -> IntType | None:
        return integer_type(base, self.machine.long_size, self.machine.char_signed)

    def _type(self, kind: TypeName) -> IntType | None:
        """The integer type that a type name means, None for one that isn't known."""
        if kind.pointers:
            return self.unsigned_long
        if isinstance(kind.of, TypeName):
            return self._type(kind.of)
        if kind.of is not None:
            value = self.value(kind.of)
            return value.type if isinstance(value, Int) else None
        return self._integer_type(kind.base)

    def _sizeof(self, node: SizeOf) -> Value:
        return Int(self._size(node.of), self.unsigned_long)

    def _size(self, of: TypeName | Expr) -> int:
        if isinstance(of, TypeName):
            return self._size_of_type(of)
        if isinstance(of, FieldRef):
            return self.field(of.name).size
        value = self.value(of)
        if isinstance(value, Str):
            return len(value.text) + 1 if isinstance(of, Text) else self.long.size
        return value.size if isinstance(value, Place) else value.type.size

    def _size_of_type(self, kind: TypeName) -> int:
        if kind.body is not None and _is_empty_struct(kind.body):
            return 0
        known = self._type(kind)
        size = known.size if known else self.machine.sizes(kind.base)
        if size is None:
            raise UnevaluableError(f"the size of {to_c(kind)[:80]} isn't known")
        return size

    def _size_of_pointee(self, kind: TypeName) -> int:
        """The size that pointer arithmetic counts in; ``void`` has one byte, as GNU C has it."""
        if kind.base == "void" and kind.pointers == 1:
            return 1
        return self._size_of_type(TypeName(kind.base, kind.pointers - 1, kind.of))

    def _type_argument(self, node: TypeArgument) -> Value:
        raise UnevaluableError(f"{to_c(node)[:80]} is a type")

    def _call(self, node: Call) -> Value:
        rule = helpers.HELPERS.get(node.function) or functions.FUNCTIONS.get(node.function)
        if rule is None:
            raise UnevaluableError(f"{node.function}() is a function of the kernel")
        return rule(self, node.arguments)

    def _decode(self, node: Decode) -> Value:
        return helpers.decode(self, node)

    def _compound(self, node: Compound) -> Value:
        if len(node.members) == 1:
            return self.value(node.members[0][1])
        raise UnevaluableError(f"the layout of {to_c(node.type)[:80]} isn't known")

    def _statements(self, node: Statements) -> Value:
        before = dict(self._locals)
        try:
            for each in node.locals:
                self._locals[each.name] = self._declared(each.type, self.value(each.value))
            return self.value(node.result)
        finally:
            self._locals = before

    def _declared(self, kind: TypeName, value: Value) -> Value:
        known = self._type(kind)
        return wrap(value.value, known) if known and isinstance(value, Int) else value

    def _opaque(self, _node: Opaque) -> Value:
        raise UnevaluableError("C statements that only the kernel can run")


def _is_empty_struct(body: str) -> bool:
    """The body of a struct that only asserts something while compiling, as BUILD_BUG_ON_ZERO does."""
    inner = body.strip("{} \t\n")
    return not inner or inner.startswith(("int:", "int :", "_Static_assert"))


def _with_address(node: Binary, left: Value, right: Value) -> Value:
    """An operator on an address: an offset added or taken away, or a comparison with NULL."""
    if isinstance(left, Int) and isinstance(right, Place) and node.operator == "+":
        left, right = right, left
    if isinstance(left, Place) and isinstance(right, Int) and node.operator in ("+", "-"):
        distance = right.value * left.step * (1 if node.operator == "+" else -1)
        return left._replace(offset=left.offset + distance, size=max(left.size - distance, 0))
    if node.operator in ("==", "!="):
        return boolean((left == right) == (node.operator == "=="))
    raise UnevaluableError(f"{to_c(node)[:80]} depends on where the record lies in memory")


def common_field(node: Node, fields: Container[str]) -> str | None:
    """The common field that ``REC->ent.pid`` means: every record begins with a struct trace_entry ent."""
    if isinstance(node, Member) and node.of == FieldRef("ent") and "ent" not in fields:
        return f"common_{node.name}"
    return None


def encode(text: str) -> bytes:
    """Text of a format file as the kernel has it."""
    return text.encode("utf-8", "surrogateescape")


_RULES: Mapping[type, Callable[[Evaluation, Any], Value]] = {
    Number: Evaluation._number,
    Text: Evaluation._text,
    Name: Evaluation._named,
    FieldRef: Evaluation._field,
    Record: Evaluation._record,
    Member: Evaluation._member,
    Index: Evaluation._index,
    Unary: Evaluation._unary,
    Binary: Evaluation._binary,
    Conditional: Evaluation._conditional,
    Cast: Evaluation._cast,
    SizeOf: Evaluation._sizeof,
    TypeArgument: Evaluation._type_argument,
    Call: Evaluation._call,
    Decode: Evaluation._decode,
    Compound: Evaluation._compound,
    Statements: Evaluation._statements,
    Opaque: Evaluation._opaque,
}
