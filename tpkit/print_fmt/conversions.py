"""The conversions of the kernel's ``vsnprintf`` (``lib/vsprintf.c``), except those of ``%p``.

They differ from C's: a sign or a prefix makes room in the width, ``0`` works beside a precision, a
lone ``.`` is no precision for strings, and ``(null)`` and ``(efault)`` stand for bad pointers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpkit.print_fmt.template import Conversion
from tpkit.print_fmt.values import Int, IntType, wrap

ERROR_POINTERS = 4095  # MAX_ERRNO: addresses this near to the end are error codes
PAGE_SIZE = 4096
MAX_WIDTH = 1 << 13  # vsnprintf allows more, but trace_seq, where the text goes, holds 8 KiB
MAX_PRECISION = (1 << 15) - 1  # PRECISION_MAX


@dataclass(frozen=True, slots=True)
class Spec:
    """A conversion with its stars filled in. width and precision: -1 for none."""

    flags: str = ""
    width: int = -1
    precision: int = -1
    base: int = 10
    upper: bool = False
    signed: bool = False

    @property
    def left(self) -> bool:
        """Whether padding goes behind the text."""
        return "-" in self.flags

    def with_width(self, width: int) -> Spec:
        """The width as ``set_field_width`` takes it from an argument: negative means left."""
        if width < 0:
            return replace(self, flags=self.flags + "-", width=min(-width, MAX_WIDTH))
        return replace(self, width=min(width, MAX_WIDTH))


_BASES = {"o": 8, "x": 16, "X": 16}
_SIZES = {"hh": 1, "h": 2, "": 4, "ll": 8}


def spec_of(conversion: Conversion, width: int | None, precision: int | None) -> Spec:
    """A conversion and the arguments for its stars, in the kernel's terms."""
    spec = Spec(
        flags=conversion.flags,
        base=_BASES.get(conversion.letter, 10),
        upper=conversion.letter == "X",
        signed=conversion.letter in ("d", "i"),
    )
    if width is not None:
        starred = conversion.width == "*"
        spec = spec.with_width(width) if starred else replace(spec, width=min(width, MAX_WIDTH))
    if precision is not None:
        spec = replace(spec, precision=min(max(precision, 0), MAX_PRECISION))
    return spec


def argument_type(conversion: Conversion, long_size: int) -> IntType:
    """The type in which an integer conversion takes its argument."""
    size = _SIZES.get(conversion.qualifier, long_size)
    return IntType(size, conversion.letter in ("d", "i"))


def integer(value: Int, conversion: Conversion, spec: Spec, long_size: int) -> bytes:
    """``%d %i %u %x %X %o`` with all qualifiers."""
    return number(wrap(value.value, argument_type(conversion, long_size)).value, spec)


def number(value: int, spec: Spec) -> bytes:
    """``number()``: a value that fits its type already."""
    sign = _sign(value, spec)
    digits = _digits(abs(value), spec)
    prefix = _prefix(value, spec)
    room = spec.width - len(sign) - len(prefix) - max(len(digits), spec.precision)
    digits = digits.rjust(spec.precision, "0")
    if spec.left:
        return (sign + prefix + digits + " " * room).encode()
    if "0" in spec.flags:
        return (sign + prefix + "0" * room + digits).encode()
    return (" " * room + sign + prefix + digits).encode()


def _sign(value: int, spec: Spec) -> str:
    if not spec.signed:
        return ""
    if value < 0:
        return "-"
    return "+" if "+" in spec.flags else " " if " " in spec.flags else ""


def _digits(value: int, spec: Spec) -> str:
    digits = f"{value:{ {8: 'o', 10: 'd', 16: 'x'}[spec.base] }}"
    return digits.upper() if spec.upper else digits


def _prefix(value: int, spec: Spec) -> str:
    if "#" not in spec.flags or spec.base == 10:
        return ""
    if spec.base == 16:
        return "0X" if spec.upper else "0x"
    return "0" if value else ""


def special_hex(value: int, size: int) -> bytes:
    """``special_hex_number``: 0x and all digits of a value of ``size`` bytes."""
    return f"{value:#0{2 + 2 * size}x}".encode()


def character(value: Int, spec: Spec) -> bytes:
    """``%c``: one byte, NUL included, in its width."""
    byte = bytes((value.value & 0xFF,))
    return byte.ljust(spec.width) if spec.left else byte.rjust(spec.width)


def text(data: bytes, spec: Spec) -> bytes:
    """``string_nocheck``: a text up to its NUL, cut to the precision, padded to the width in bytes."""
    if spec.precision >= 0:
        data = data[: spec.precision]
    data = data.partition(b"\0")[0]
    return data.ljust(spec.width) if spec.left else data.rjust(spec.width)


def pointer_error(address: int, spec: Spec, long_size: int) -> bytes | None:
    """``check_pointer``: what stands for an address that can't be read, None for one that may."""
    top = 1 << (8 * long_size)
    if address == 0:
        return error_text(b"(null)", spec, long_size)
    if address < PAGE_SIZE or address >= top - ERROR_POINTERS:
        return error_text(b"(efault)", spec, long_size)
    return None


def error_text(message: bytes, spec: Spec, long_size: int) -> bytes:
    """``error_string``: a message is cut to the size of a pointer unless a precision says otherwise."""
    return text(message, spec if spec.precision >= 0 else replace(spec, precision=2 * long_size))
