"""How an event's print fmt shows its fields: which are addresses of hosts, which hexadecimal numbers.

Only what the format string says of a field itself counts, through casts and the helpers that name a
field: an expression over it (a shift, a sum) shows something else than the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tpkit.model import EventFormat
from tpkit.print_fmt.grammar import parse_print_fmt
from tpkit.print_fmt.helpers import named_field
from tpkit.print_fmt.template import Conversion, parse_template
from tpkit.print_fmt.tree import Call, Cast, Expr, FieldRef
from tpkit.record import Display

# %p's extensions by their beginnings, longer ones first: Documentation/core-api/printk-formats.rst.
_EXTENSIONS: Mapping[str, Display] = {
    "IS": Display.SOCKET_ADDRESS,
    "iS": Display.SOCKET_ADDRESS,
    "I4": Display.IPV4,
    "i4": Display.IPV4,
    "I6": Display.IPV6,
    "i6": Display.IPV6,
}
_LETTERS: Mapping[str, Display] = {"x": Display.HEX, "X": Display.HEX, "o": Display.OCTAL}


def displays(event: EventFormat) -> dict[str, Display]:
    """The fields that the print fmt shows otherwise than as plain numbers and strings, and how.

    A field that is shown in two ways is as its first one. Raises FormatError for a print fmt that can't
    be read.
    """
    found: dict[str, Display] = {}
    for conversion, argument in _shown(event):
        field, display = _field(argument), _display(conversion)
        if field is not None and display is not None:
            found.setdefault(field, display)
    return found


def _shown(event: EventFormat) -> Iterator[tuple[Conversion, Expr]]:
    """Each conversion with the argument that it shows."""
    print_fmt = parse_print_fmt(event.print_fmt)
    arguments = iter(print_fmt.arguments)
    for part in parse_template(print_fmt.template):
        if isinstance(part, Conversion) and part.arguments:
            taken = [next(arguments, None) for _ in range(part.arguments)]
            if taken[-1] is not None:
                yield part, taken[-1]


def _field(argument: Expr) -> str | None:
    while isinstance(argument, Cast):
        argument = argument.operand
    if isinstance(argument, Call):
        return named_field(argument)
    return argument.name if isinstance(argument, FieldRef) else None


def _display(conversion: Conversion) -> Display | None:
    if conversion.letter == "p":
        return _EXTENSIONS.get(conversion.extension[:2])
    return _LETTERS.get(conversion.letter)
