"""A record's bytes → the text that the kernel's ``trace`` file shows for it, behind ``name: ``.

A conversion whose argument can't be evaluated shows, between ``<`` and ``>``, what is known of it: a
pointer's value, a kernel function's name with its arguments, or the C text with the numbers filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpkit.model import EventFormat
from tpkit.print_fmt.conversions import (
    Spec,
    character,
    integer,
    pointer_error,
    spec_of,
    text,
)
from tpkit.print_fmt.evaluate import Evaluation, encode
from tpkit.print_fmt.facts import Facts
from tpkit.print_fmt.grammar import parse_print_fmt
from tpkit.print_fmt.machine import LOCAL, Machine
from tpkit.print_fmt.own_output import Output, own_output
from tpkit.print_fmt.pointers import pointer
from tpkit.print_fmt.source import to_c
from tpkit.print_fmt.template import STAR, Conversion, parse_template
from tpkit.print_fmt.tree import Expr
from tpkit.print_fmt.values import Doubt, Int, Place, Str, UnevaluableError, Value

_SMALL = 4096  # numbers up to here are shown in decimal within a mark


@dataclass(frozen=True, slots=True)
class Rendering:
    """The text of a record, as bytes, and what in it is a mark instead of the kernel's own text."""

    data: bytes
    doubts: tuple[Doubt, ...] = ()

    @property
    def text(self) -> str:
        """The text; bytes that are no UTF-8 become lone surrogates (``surrogateescape``)."""
        return self.data.decode("utf-8", "surrogateescape")


class Renderer:
    """Renders the records of one event.

    Raises FormatError when the event's print fmt can't be read; records never raise: one that is too
    short leaves marks.
    """

    def __init__(self, event: EventFormat, machine: Machine = LOCAL) -> None:
        self.event = event
        self.machine = machine
        self.print_fmt = parse_print_fmt(event.print_fmt)
        self._parts = parse_template(self.print_fmt.template)
        self._facts = Facts((*event.fields, *event.common_fields), machine)
        self._own = own_output(event, self.print_fmt)

    def render(self, record: bytes) -> Rendering:
        """The text of one record: its bytes from ``common_type`` on."""
        evaluation = Evaluation(self._facts, record)
        data = self._by_own(evaluation, self._own) if self._own else self._by_print_fmt(evaluation)
        return Rendering(data, tuple(evaluation.doubts))

    def _by_own(self, evaluation: Evaluation, output: Output) -> bytes:
        try:
            return output(evaluation)
        except UnevaluableError as error:
            evaluation.doubt(str(self.event.id), error.reason)
            return f"<{error.reason}>".encode()

    def _by_print_fmt(self, evaluation: Evaluation) -> bytes:
        arguments = iter(self.print_fmt.arguments)
        pieces: list[bytes] = []
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(encode(part))
            elif part.letter == "%":
                pieces.append(b"%")
            elif not part.letter:
                break  # the kernel gives up at a conversion that it doesn't know
            else:
                pieces.append(_convert(evaluation, part, arguments))
        return b"".join(pieces)


def render(event: EventFormat, record: bytes, machine: Machine = LOCAL) -> str:
    """The text that the kernel's trace file shows for a record, behind ``name: ``.

    record: its bytes from ``common_type`` on, so that the format's offsets count from its start. For
    system calls, which the kernel prints without ``name: ``, it is the whole text. Raises FormatError.
    """
    return Renderer(event, machine).render(record).text


# ------------------------------------------------------------------------------- one conversion


def _convert(evaluation: Evaluation, conversion: Conversion, arguments: Iterator[Expr]) -> bytes:
    """The text of one conversion, or a mark; takes its arguments."""
    taken = [next(arguments, None) for _ in range(conversion.arguments)]
    node = taken[-1]
    if node is None or None in taken:
        evaluation.doubt(conversion.source, "no argument for this conversion")
        return f"<{conversion.source}>".encode()
    try:
        spec = _spec(evaluation, conversion, [each for each in taken[:-1] if each is not None])
        value = evaluation.value(node)
    except UnevaluableError as error:
        return _mark(evaluation, node, error.reason)
    try:
        return _formatted(evaluation, conversion, value, spec)
    except UnevaluableError as error:
        evaluation.doubt(to_c(node), error.reason)
        return b"<" + _raw(value) + b">"


def _spec(evaluation: Evaluation, conversion: Conversion, stars: list[Expr]) -> Spec:
    """The conversion with its stars' values. Raises UnevaluableError."""
    waiting = [evaluation.integer(star).value for star in stars]
    width = waiting.pop(0) if conversion.width == STAR else conversion.width
    precision = waiting.pop(0) if conversion.precision == STAR else conversion.precision
    return spec_of(conversion, _number(width), _number(precision))


def _number(size: int | str | None) -> int | None:
    return size if isinstance(size, int) else None


def _formatted(evaluation: Evaluation, conversion: Conversion, value: Value, spec: Spec) -> bytes:
    if conversion.letter == "p":
        return pointer(evaluation, conversion.extension, value, spec)
    if conversion.letter == "s":
        return _string(evaluation, value, spec)
    if not isinstance(value, Int):
        raise UnevaluableError("the address of the record isn't known")
    if conversion.letter == "c":
        return character(value, spec)
    return integer(value, conversion, spec, evaluation.machine.long_size)


def _string(evaluation: Evaluation, value: Value, spec: Spec) -> bytes:
    """``%s`` of a text in the record, of a known text, or of a kernel address that someone knows."""
    if isinstance(value, Str):
        return text(value.text, spec)
    if isinstance(value, Place):
        return text(evaluation.record[value.offset :], spec)
    message = pointer_error(value.value, spec, evaluation.machine.long_size)
    if message is not None:
        return message
    known = evaluation.machine.strings(value.value)
    if known is None:
        raise UnevaluableError("a text in the kernel's memory")
    return text(encode(known), spec)


# -------------------------------------------------------------------------------------- marks


def _mark(evaluation: Evaluation, node: Expr, reason: str) -> bytes:
    """What is known of an expression without a value."""
    evaluation.doubt(to_c(node), reason)

    def shown(each: Expr) -> str | None:
        value = evaluation.attempt(each)
        return None if value is None or isinstance(value, Place) else _raw(value).decode("utf-8", "replace")

    return f"<{to_c(node, shown)}>".encode("utf-8", "surrogateescape")


def _raw(value: Value) -> bytes:
    """A value as a mark shows it: small numbers in decimal, others in hexadecimal, texts quoted."""
    match value:
        case Int(value=number):
            return str(number).encode() if abs(number) < _SMALL else f"{number:#x}".encode()
        case Str(text=data):
            return b'"' + data + b'"'
        case Place(offset=offset):
            return f"record+{offset}".encode()
