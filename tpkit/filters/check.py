"""A filter held against one event: every name is looked up, every type has to fit.

What could never be so, or always is, is an error too: whoever writes it means something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tpkit.filters import names, pattern
from tpkit.filters.conditions import (
    Bits,
    Compare,
    Condition,
    Constant,
    Joined,
    Matches,
    Not,
    Quantity,
    Subject,
    Value,
    searches,
)
from tpkit.filters.names import Names
from tpkit.filters.pattern import Pattern, PatternError
from tpkit.filters.quantities import Quantities, described, range_of, unsigned
from tpkit.filters.tree import Comparison, Filter, Logic, Name, Negation, Node, Place, Text
from tpkit.record import Scalar

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TEXT_OPERATORS = ("==", "!=", "~", "!~")


def check_filters(filters: Iterable[Filter], known: Names) -> Condition | None:
    """What the filters that are for this event ask of it together, None where none is.

    Raises FilterError, which names the event and points at the place.
    """
    wanted = [each for each in filters if each.is_for(known.event)]
    if not wanted:
        return None
    whole = _joined("&&", [check_filter(each, known) for each in wanted])
    count = len(searches(whole))
    if count > pattern.MAX_SEARCHES:
        last = wanted[-1]
        raise last.error(
            f"{count} patterns for {known.event} have a part between two stars, {pattern.MAX_SEARCHES} are the most",
            Place(0, len(last.text)),
        )
    return whole


def check_filter(wanted: Filter, known: Names) -> Condition:
    """What one filter asks of an event. Raises FilterError."""
    return _Check(wanted, Quantities(wanted, known)).condition(wanted.condition)


def _joined(operator: str, parts: Iterable[Condition]) -> Condition:
    """The parts as one, with those that are joined alike already drawn in."""
    flat: list[Condition] = []
    for part in parts:
        flat += part.parts if isinstance(part, Joined) and part.operator == operator else (part,)
    return flat[0] if len(flat) == 1 else Joined(operator, tuple(flat))


def _as_bits(number: int, scalar: Scalar) -> int:
    """A number of flags as a signed field has it: 1 << 31 is negative in 32 bits."""
    every_bit = 1 << scalar.size * 8
    return number - every_bit if scalar.is_signed and every_bit >> 1 <= number < every_bit else number


@dataclass(frozen=True, slots=True)
class _Check:
    """The conditions of one filter."""

    filter: Filter
    quantities: Quantities

    def condition(self, node: Node) -> Condition:
        """What is so or isn't. Raises FilterError."""
        match node:
            case Logic(operator, operands):
                return _joined(operator, map(self.condition, operands))
            case Negation(operand):
                inner = self.condition(operand)
                return inner.part if isinstance(inner, Not) else Not(inner)
            case Comparison():
                return self._comparison(node)
        return self._not_zero(node)

    def _not_zero(self, node: Node) -> Condition:
        """A number by itself asks whether it is other than 0, as in C."""
        if isinstance(node, Text) or self._is_text(node):
            raise self.filter.error(
                "a string by itself is no condition", node.place, 'compare it, as in pathname == "/etc/passwd"'
            )
        number = self.quantities.read(node, self.quantities.subjects(node))
        if isinstance(number, Constant):
            raise self.filter.error("a constant by itself is no condition: name a field", node.place)
        return Compare("!=", number, Constant(0))

    def _comparison(self, node: Comparison) -> Condition:
        for text, other in ((node.left, node.right), (node.right, node.left)):
            if self._is_text(text) and isinstance(other, Name) and other.text == names.NULL:
                return self._null_comparison(node, self.quantities.subjects(text)[0])
        sides = (node.left, node.right)
        if "~" in node.operator or any(isinstance(each, Text) or self._is_text(each) for each in sides):
            return self._text_comparison(node)
        return self._number_comparison(node)

    # ---------------------------------------------------------------------------------- numbers

    def _number_comparison(self, node: Comparison) -> Condition:
        beside = self.quantities.subjects(node)
        left, right = self.quantities.read(node.left, beside), self.quantities.read(node.right, beside)
        if not isinstance(left, Constant):
            if not isinstance(right, Constant):
                return Compare(node.operator, left, right)
            return self._against_constant(node, node.operator, left, right)
        if isinstance(right, Constant):
            raise self.filter.error("two constants are compared: name a field", node.place)
        return self._against_constant(node, _MIRRORED.get(node.operator, node.operator), right, left)

    def _against_constant(self, node: Comparison, operator: str, left: Quantity, right: Constant) -> Condition:
        if isinstance(left, Value) and names.has_flags(left.subject):
            right = replace(right, number=_as_bits(right.number, left.scalar))
        if right.mask is not None and isinstance(left, Value) and operator in ("==", "!="):
            left = Bits(left.subject, right.mask, unsigned(left.scalar))
        self._check_answers(node, operator, left, right.number)
        return Compare(operator, left, right)

    def _check_answers(self, node: Comparison, operator: str, left: Quantity, number: int) -> None:
        """Both answers have to be possible."""
        lowest, highest = range_of(left)
        what = f"{left.subject.name} & {left.mask:#x}" if isinstance(left, Bits) else left.subject.name
        why = f"it is {described(left.scalar)}, from {lowest} to {highest}"
        if not lowest <= number <= highest:
            constant = node.left if self.quantities.subjects(node.right) else node.right
            raise self.filter.error(f"{what} can't be {number}: {why}", constant.place)
        if isinstance(left, Bits) and operator in ("==", "!=") and number & ~left.mask:
            raise self.filter.error(f"{what} can't be {number:#x}, which has other bits", node.place)
        if (number, operator) in ((lowest, "<"), (highest, ">")):
            raise self.filter.error(f"{what} is never {operator} {number}: {why}", node.place)
        if (number, operator) in ((lowest, ">="), (highest, "<=")):
            raise self.filter.error(f"{what} is always {operator} {number}: {why}", node.place)

    # ---------------------------------------------------------------------------------- strings

    def _is_text(self, node: Node) -> bool:
        return isinstance(node, Name) and any(each.is_text for each in self.quantities.subjects(node))

    def _null_comparison(self, node: Comparison, subject: Subject) -> Condition:
        if subject.scalar is None:
            raise self.filter.error(f"{subject.name} is no pointer, and never NULL", node.place)
        if node.operator not in ("==", "!="):
            raise self.filter.error("NULL is compared with == or !=", node.place)
        return Compare(node.operator, Value(subject, subject.scalar), Constant(0))

    def _text_comparison(self, node: Comparison) -> Condition:
        field, text = (node.right, node.left) if isinstance(node.left, Text) else (node.left, node.right)
        if isinstance(field, Text):
            raise self.filter.error("two strings are compared: name a field", node.place)
        subject = self._text_subject(field)
        if node.operator not in _TEXT_OPERATORS:
            raise self.filter.error(f"strings can't be compared with {node.operator}", node.place, "use == != ~ or !~")
        if not isinstance(text, Text):
            raise self.filter.error(
                f"{subject.name} is a string: compare it with one in double quotes", text.place
            )
        found = Matches(subject, self._pattern(subject, text, is_glob="~" in node.operator))
        return Not(found) if node.operator.startswith("!") else found

    def _text_subject(self, node: Node) -> Subject:
        if not isinstance(node, Name):
            raise self.filter.error("only a field can be compared with a string", node.place)
        subjects = self.quantities.subjects(node)
        if not subjects:
            raise self.quantities.unknown(node, ())
        if not subjects[0].is_text:
            raise self.filter.error(f"{node.text} is no string: it is {described(subjects[0].scalar)}", node.place)
        return subjects[0]

    def _pattern(self, subject: Subject, text: Text, *, is_glob: bool) -> Pattern:
        try:
            found = pattern.glob(text.raw) if is_glob else pattern.literal(text.raw)
        except PatternError as error:
            raise self.filter.error(str(error), text.place, error.remedy) from None
        assert subject.text_size is not None  # it is a string
        if found.size > subject.text_size:
            raise self.filter.error(
                f"{subject.name} has at most {subject.text_size} bytes, and this {found.size}", text.place
            )
        return found
