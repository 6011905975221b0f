"""The numbers of a filter: fields, some bits of them, constants.

Constants take their meaning from what they are compared with: ``AT_FDCWD`` is a number beside a field
whose table has that name, ``-ENOENT`` beside a return value.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.errors import FilterError
from tpkit.filters import names
from tpkit.filters.conditions import Bits, Constant, Quantity, Subject, Value
from tpkit.filters.names import Names
from tpkit.filters.tree import Bitwise, Comparison, Device, Filter, Logic, Name, Negation, Negative, Node, Number, Text
from tpkit.record import MINOR_BITS, Scalar

_SHOWN_NAMES = 20  # of an event's, where none is near


@dataclass(frozen=True, slots=True)
class Quantities:
    """The numbers of one filter on one event."""

    filter: Filter
    known: Names

    def subjects(self, node: Node) -> tuple[Subject, ...]:
        """The subjects that are named below a node. Raises FilterError for a field that can't be read."""
        match node:
            case Name(text):
                subject = self.known.subjects.get(text)
                if subject is None and text in self.known.unreadable:
                    raise self._error(f"{text} can't be read: {self.known.unreadable[text]}", node)
                return () if subject is None else (subject,)
            case Negative(operand) | Negation(operand):
                return self.subjects(operand)
            case Bitwise(_, operands) | Logic(_, operands):
                return tuple(each for operand in operands for each in self.subjects(operand))
            case Comparison(_, left, right):
                return self.subjects(left) + self.subjects(right)
        return ()

    def read(self, node: Node, beside: tuple[Subject, ...]) -> Quantity | Constant:
        """A number; beside: the subjects of the same comparison. Raises FilterError."""
        match node:
            case Number(value):
                return Constant(value)
            case Device():
                return self._device(node, beside)
            case Name():
                return self._named(node, beside)
            case Negative():
                return self._negative(node, beside)
            case Bitwise("&"):
                return self._bits(node, beside)
            case Bitwise():
                return self._union(node, beside)
            case Text():
                raise self._error("a string is no number", node)
        raise self._error("this is a condition, and no number", node)

    def unknown(self, node: Name, beside: tuple[Subject, ...]) -> FilterError:
        """The error about a name that nothing has, with the nearest names."""
        fields = list(self.known.subjects)
        symbols = [name for subject in beside for name in names.symbol_names(subject)]
        errors = names.error_names() if any(each.may_fail for each in beside) else []
        what = f"{self.known.event} has no field {node.text!r}"
        if symbols or errors:
            what += f", and no number of {beside[0].name} has that name"
        other = self.known.elsewhere.get(node.text)
        if other is not None and self.filter.event is None:
            return self._error(what, node, f"{other} has it: begin the filter with '{other.name}:' to ask only that")
        near = names.nearest(node.text, [*fields, *symbols, *errors])
        if near:
            return self._error(what, node, f"did you mean {', '.join(near)}?")
        remedy = f"it has {', '.join(fields[:_SHOWN_NAMES])}"
        if symbols:
            remedy += f"; {beside[0].name} has {', '.join(symbols[:_SHOWN_NAMES])}"
        return self._error(what, node, remedy)

    def _error(self, what: str, node: Node, remedy: str | None = None) -> FilterError:
        return self.filter.error(what, node.place, remedy)

    # ------------------------------------------------------------------------- fields, constants

    def _named(self, node: Name, beside: tuple[Subject, ...]) -> Quantity | Constant:
        subject = self.known.subjects.get(node.text)
        if subject is None:
            return self._constant(node, beside)
        if subject.is_text:
            raise self._error(f"{node.text} is a string, and no number", node)
        if subject.scalar is None:
            raise self._error(f"{node.text} is {described(None)}: no filter can ask about it", node)
        return Value(subject, subject.scalar)

    def _constant(self, node: Name, beside: tuple[Subject, ...]) -> Constant:
        found = next(filter(None, (names.symbol(node.text, subject) for subject in beside)), None)
        if found is not None:
            return Constant(found.number, found.mask)
        if any(each.may_fail for each in beside) and names.error_number(node.text) is not None:
            raise self._error("an error is returned as a negative number", node, f"write -{node.text}")
        raise self.unknown(node, beside)

    def _device(self, node: Device, beside: tuple[Subject, ...]) -> Constant:
        if not any(names.is_device(each) for each in beside):
            fields = [name for name, each in self.known.subjects.items() if names.is_device(each)]
            remedy = f"{', '.join(fields)} {'are' if len(fields) > 1 else 'is one'}" if fields else None
            raise self._error("a device is compared with what is none", node, remedy)
        return Constant(node.major << MINOR_BITS | node.minor)

    def _negative(self, node: Negative, beside: tuple[Subject, ...]) -> Constant:
        name = node.operand.text if isinstance(node.operand, Name) else ""
        if name not in self.known.subjects and any(each.may_fail for each in beside):
            number = names.error_number(name)
            if number is not None:
                return Constant(-number)
        operand = self.read(node.operand, beside)
        if not isinstance(operand, Constant):
            raise self._error("only constants may have a minus sign", node)
        return Constant(-operand.number)

    # ------------------------------------------------------------------------------------- bits

    def _bits(self, node: Bitwise, beside: tuple[Subject, ...]) -> Quantity | Constant:
        """Constants by themselves, or the bits that they leave of one field."""
        operands = [self.read(each, beside) for each in node.operands]
        fields = [each for each in operands if not isinstance(each, Constant)]
        if len(fields) > 1:
            raise self._error("'&' takes one field, and constants", node)
        mask = -1
        for each in operands:
            if isinstance(each, Constant):
                mask &= each.number
        return self._masked(node, fields[0], mask) if fields else Constant(mask)

    def _masked(self, node: Bitwise, field: Quantity, mask: int) -> Bits:
        scalar = unsigned(field.scalar)
        if not 0 <= mask < 1 << scalar.size * 8:
            raise self._error(f"{mask} is no mask for {field.subject.name}, which has {scalar.size * 8} bits", node)
        if isinstance(field, Bits):
            mask &= field.mask
        if mask == 0:
            raise self._error("a mask of 0 has no bits to look at", node, "compare with ==, under a mask that has some")
        return Bits(field.subject, mask, scalar)

    def _union(self, node: Bitwise, beside: tuple[Subject, ...]) -> Constant:
        """Constants with ``|`` between them."""
        number, masks = 0, set[int | None]()
        for each in node.operands:
            operand = self.read(each, beside)
            if not isinstance(operand, Constant):
                raise self._error("'|' joins constants only", each, "'&' goes first: write flags & (A | B)")
            number |= operand.number
            masks.add(operand.mask)
        return Constant(number, masks.pop() if len(masks) == 1 else None)


def range_of(quantity: Quantity) -> tuple[int, int]:
    """The lowest and the highest number that it can be."""
    if isinstance(quantity, Bits):
        return 0, quantity.mask
    bits = quantity.scalar.size * 8
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if quantity.scalar.is_signed else (0, (1 << bits) - 1)


def unsigned(scalar: Scalar) -> Scalar:
    """The type of the same size that has no negative numbers."""
    return Scalar.of(scalar.size, signed=False)


def described(scalar: Scalar | None) -> str:
    """A type in words; None: of a field that is neither number nor string."""
    if scalar is None:
        return "neither a number nor a string"
    return f"{'a signed' if scalar.is_signed else 'an unsigned'} number of {scalar.size * 8} bits"
