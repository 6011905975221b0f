"""How an event's print fmt shows its fields: which are addresses of hosts, hexadecimal numbers, devices.

Only what the format string says of a field itself counts, through casts and the helpers that name a
field: an expression over it (a shift, a sum) shows something else than the field. Devices are the exception:
MAJOR() and MINOR() of them are shown, one beside the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tpkit.model import EventFormat
from tpkit.print_fmt.grammar import parse_print_fmt
from tpkit.print_fmt.helpers import named_field
from tpkit.print_fmt.template import Conversion, parse_template
from tpkit.print_fmt.tree import Binary, Call, Cast, Expr, FieldRef, Number
from tpkit.record import MINOR_BITS, Display

# %p's extensions by their beginnings, longer ones first: Documentation/core-api/printk-formats.rst.
_EXTENSIONS: Mapping[str, Display] = {
    "IS": Display.SOCKET_ADDRESS,
    "iS": Display.SOCKET_ADDRESS,
    "I4": Display.IPV4,
    "i4": Display.IPV4,
    "I6": Display.IPV6,
    "i6": Display.IPV6,
}
# Those that show an address, or what is known of it by its number alone; others look at what is there.
_OF_ADDRESSES = ("", "x", "K", "S", "s", "B", "F", "f")
# MINORBITS and MINORMASK of include/linux/kdev_t.h, as the preprocessor leaves them in a format.
_MINOR_BITS = Number(MINOR_BITS)
_MINOR_MASK = Binary("-", Binary("<<", Number(1, "u"), _MINOR_BITS), Number(1))
_LETTERS: Mapping[str, Display] = {"x": Display.HEX, "X": Display.HEX, "o": Display.OCTAL}


def displays(event: EventFormat) -> dict[str, Display]:
    """The fields that the print fmt shows otherwise than as plain numbers and strings, and how.

    A field that is shown in two ways is as its first one. Raises FormatError for a print fmt that can't
    be read.
    """
    shown = list(_shown(event))
    found = dict.fromkeys(_devices([argument for _, argument in shown]), Display.DEVICE)
    for conversion, argument in shown:
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


def _devices(arguments: Sequence[Expr]) -> Iterator[str]:
    """The fields of which both numbers are shown."""
    minors = {_part(each, "&", _MINOR_MASK) for each in arguments}
    majors = (_part(each, ">>", _MINOR_BITS) for each in arguments)
    return (field for field in majors if field is not None and field in minors)


def _part(argument: Expr, operator: str, by: Expr) -> str | None:
    """The field of which an argument is a part."""
    while isinstance(argument, Cast):
        argument = argument.operand
    if isinstance(argument, Binary) and (argument.operator, argument.right) == (operator, by):
        return _field(argument.left)
    return None


def _field(argument: Expr) -> str | None:
    while isinstance(argument, Cast):
        argument = argument.operand
    if isinstance(argument, Call):
        return named_field(argument)
    return argument.name if isinstance(argument, FieldRef) else None


def _display(conversion: Conversion) -> Display | None:
    if conversion.letter == "p":
        if conversion.extension[:1] in _OF_ADDRESSES:
            return Display.POINTER
        return _EXTENSIONS.get(conversion.extension[:2])
    return _LETTERS.get(conversion.letter)
