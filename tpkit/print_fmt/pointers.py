"""``%p`` and its extensions, as ``pointer()`` in the kernel's ``lib/vsprintf.c`` has them.

Most extensions format memory that the pointer points to: they work where that is the record. Symbols
need the kernel's table of them. A plain ``%p`` is hashed with a key that the kernel keeps to itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tpkit.error_names import ERROR_NAMES
from tpkit.print_fmt.addresses import hardware_address, ip_address, uuid
from tpkit.print_fmt.conversions import (
    ERROR_POINTERS,
    Spec,
    error_text,
    number,
    pointer_error,
    special_hex,
    text,
)
from tpkit.print_fmt.evaluate import Evaluation
from tpkit.print_fmt.helpers import bitmap, bitmap_number
from tpkit.print_fmt.values import Int, Place, UnevaluableError, Value

_MAX_HEX = 64  # bytes that %*ph shows at most
_SYMBOLS = frozenset("SsFfB")


def pointer(evaluation: Evaluation, extension: str, value: Value, spec: Spec) -> bytes:
    """The text of ``%p`` with an extension (all letters and digits behind it) for a value.

    Raises UnevaluableError for memory of the kernel, and for what only the kernel can answer.
    """
    kind = extension[:1]
    if kind in _SYMBOLS and kind:
        return _symbol(evaluation, extension, _address(value), spec)
    rule = _MEMORY.get(kind)
    if rule is not None:
        return _from_memory(evaluation, rule, extension, value, spec)
    if kind == "e":
        return _error_name(evaluation, _address(value), spec)
    if kind == "x":
        return _plain(_address(value), spec, evaluation.machine.long_size)
    if kind in _KERNEL_ONLY:
        return _kernel_only(evaluation, kind, value, spec)
    return _hashed(evaluation, _address(value), spec)


def _address(value: Value) -> int:
    if isinstance(value, Int):
        return value.value
    raise UnevaluableError("the address of the record isn't known")


# ------------------------------------------------------------------------------ addresses as such


def _plain(address: int, spec: Spec, long_size: int) -> bytes:
    """``pointer_string``: hexadecimal, all digits unless a width is given."""
    address &= (1 << 8 * long_size) - 1
    if spec.width == -1:
        spec = replace(spec, flags=spec.flags + "0", width=2 * long_size)
    return number(address, replace(spec, base=16, signed=False))


def _hashed(evaluation: Evaluation, address: int, spec: Spec) -> bytes:
    """``ptr_to_id``: NULL and error codes are no addresses and stay plain (since Linux 5.8)."""
    machine = evaluation.machine
    address &= (1 << 8 * machine.long_size) - 1
    if address == 0 or address >= (1 << 8 * machine.long_size) - ERROR_POINTERS:
        return _plain(address, spec, machine.long_size)
    answer = machine.pointers(address)
    if answer is None:
        raise UnevaluableError("the kernel shows a hash of this pointer")
    return text(answer.encode(), spec)


def _error_name(evaluation: Evaluation, address: int, spec: Spec) -> bytes:
    """``%pe``: the name of an error code, or the hashed pointer."""
    top = 1 << 8 * evaluation.machine.long_size
    code = top - (address & (top - 1))
    if not 0 < code <= ERROR_POINTERS:
        return _hashed(evaluation, address, spec)
    name = ERROR_NAMES.get(code)
    return text(f"-{name}".encode(), spec) if name else number(-code, replace(spec, base=10, signed=True))


def _symbol(evaluation: Evaluation, extension: str, address: int, spec: Spec) -> bytes:
    """``%pS`` symbol+offset/size [module], ``%ps`` without offset, ``%pB`` for return addresses."""
    machine = evaluation.machine
    address &= (1 << 8 * machine.long_size) - 1
    if machine.symbols is None:
        raise UnevaluableError("no kernel symbols at hand")
    back = 1 if extension[0] == "B" else 0
    symbol = machine.symbols.find(address - back)
    if symbol is None:
        return text(f"{address:#x}".encode(), spec)
    name = symbol.name
    if extension[0] not in "sf":
        name += f"+{address - symbol.address:#x}/{symbol.size:#x}"
    if symbol.module:
        name += f" [{symbol.module}]"
    return text(name.encode(), spec)


_KERNEL_ONLY = {
    "d": "the name is in the kernel's dentries",
    "D": "the name is in the kernel's dentries",
    "g": "the name is in the kernel's block devices",
    "V": "the text is in the kernel's memory",
    "G": "the names of these flags are the kernel's",
    "C": "the name is in the kernel's clocks",
    "O": "the name is in the kernel's device tree",
    "R": "a struct resource of the kernel",
    "r": "a struct resource of the kernel",
}


def _kernel_only(evaluation: Evaluation, kind: str, value: Value, spec: Spec) -> bytes:
    if isinstance(value, Int):
        message = pointer_error(value.value, spec, evaluation.machine.long_size)
        if message is not None:
            return message
    raise UnevaluableError(_KERNEL_ONLY[kind])


# ------------------------------------------------------------------------ memory behind the pointer

Memory = Callable[[int], bytes]
MemoryRule = Callable[[Evaluation, str, Memory, Spec], bytes]


def _from_memory(evaluation: Evaluation, rule: MemoryRule, extension: str, value: Value, spec: Spec) -> bytes:
    """Apply a rule to the bytes that a value points to."""
    if extension[0] in "hE" and spec.width == 0:
        return b""
    if isinstance(value, Int):
        message = pointer_error(value.value, spec, evaluation.machine.long_size)
        if message is not None:
            return message
        raise UnevaluableError(f"%p{extension} of the kernel's memory")

    def memory(size: int) -> bytes:
        start = value.offset if isinstance(value, Place) else 0
        data = evaluation.record if isinstance(value, Place) else value.text + b"\0"
        if len(data) - start < size or start < 0:
            raise UnevaluableError("beyond the end of the record")
        return data[start : start + size]

    return rule(evaluation, extension, memory, spec)


def _hex(_evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%*ph``: width counts bytes; C, D and N choose the separator."""
    size = min(spec.width, _MAX_HEX) if spec.width > 0 else 1
    separator = {"C": ":", "D": "-", "N": ""}.get(extension[1:2], " ")
    data = memory(size)
    return (data.hex(separator) if separator else data.hex()).encode()


def _bitmap(evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%*pb`` and ``%*pbl``: width counts bits."""
    bits = max(spec.width, 0)
    long_size = evaluation.machine.long_size
    data = memory(-(-bits // (8 * long_size)) * long_size)
    order = evaluation.machine.byte_order
    if extension[1:2] != "l":
        return bitmap(data, bits, order, long_size)
    return _ranges(bitmap_number(data, order, long_size) & ((1 << bits) - 1)).encode()


def _ranges(bits: int) -> str:
    """``bitmap_list_string``: 0-3,5."""
    texts: list[str] = []
    at = 0
    while bits >> at:
        at += ((bits >> at) & -(bits >> at)).bit_length() - 1
        run = bits >> at
        length = (~run & (run + 1)).bit_length() - 1
        texts.append(f"{at}-{at + length - 1}" if length > 1 else f"{at}")
        at += length
    return ",".join(texts)


def _hardware(_evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    return text(hardware_address(memory(6), extension).encode(), spec)


def _ip(evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%pI4 %pI6c %pISpc`` and their kin."""
    answer = ip_address(memory, extension, evaluation.machine.byte_order)
    if answer.startswith("("):
        return error_text(answer.encode(), spec, evaluation.machine.long_size)
    return text(answer.encode(), spec)


def _uuid(_evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    return text(uuid(memory(16), extension).encode(), spec)


def _by_reference(evaluation: Evaluation, _extension: str, memory: Memory, _spec: Spec) -> bytes:
    """``%pa`` and ``%pad``: physical and DMA addresses, of 64 bits on all but few 32-bit kernels."""
    size = 8 if evaluation.machine.long_size == 8 else 4
    return special_hex(int.from_bytes(memory(size), evaluation.machine.byte_order), size)


def _features(evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%pNF``: the feature bits of a network device."""
    if extension[1:2] != "F":
        return error_text(b"(%pN?)", spec, evaluation.machine.long_size)
    return special_hex(int.from_bytes(memory(8), evaluation.machine.byte_order), 8)


def _four_characters(evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%p4cc``: a pixel format's code (``fourcc_string``)."""
    if extension[1:3] != "cc":
        return error_text(b"(%p4?)", spec, evaluation.machine.long_size)
    code = int.from_bytes(memory(4), evaluation.machine.byte_order)
    characters = (code & 0x7FFFFFFF).to_bytes(4, "little")
    shown = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in characters)
    order = "big-endian" if code >> 31 else "little-endian"
    return text(f"{shown} {order} ({code:#010x})".encode(), spec)


_ESCAPES = {0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x0B: b"\\v", 0x0C: b"\\f", 0x07: b"\\a", 0x1B: b"\\e"}


def _escaped(_evaluation: Evaluation, _extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%*pE``: width counts bytes; the default flags of ``string_escape_mem`` only."""
    return b"".join(map(_escape, memory(spec.width if spec.width > 0 else 1)))


def _escape(byte: int) -> bytes:
    if 0x20 <= byte < 0x7F:
        return bytes((byte,))
    return _ESCAPES.get(byte) or (b"\\0" if byte == 0 else f"\\{byte:03o}".encode())


def _time(evaluation: Evaluation, extension: str, memory: Memory, spec: Spec) -> bytes:
    """``%ptR``: a struct rtc_time, eight ints of which six are shown."""
    if extension[1:2] != "R":
        raise UnevaluableError(f"%p{extension} isn't known")
    order = evaluation.machine.byte_order
    data = memory(24)
    second, minute, hour, day, month, year = (
        int.from_bytes(data[at : at + 4], order, signed=True) for at in range(0, 24, 4)
    )
    raw = extension.endswith("r")
    date = f"{year + (0 if raw else 1900):04d}-{month + (0 if raw else 1):02d}-{day:02d}"
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    part = extension[2:3]
    separator = " " if extension.endswith("s") else "T"
    return text((date if part == "d" else clock if part == "t" else date + separator + clock).encode(), spec)


_MEMORY: dict[str, MemoryRule] = {
    "h": _hex,
    "b": _bitmap,
    "M": _hardware,
    "m": _hardware,
    "I": _ip,
    "i": _ip,
    "U": _uuid,
    "a": _by_reference,
    "N": _features,
    "4": _four_characters,
    "E": _escaped,
    "t": _time,
}


def needs_kernel(extension: str) -> str | None:
    """Why an extension of ``%p`` can never be told from a record, None where it can be."""
    kind = extension[:1]
    if kind in _KERNEL_ONLY:
        return _KERNEL_ONLY[kind]
    if kind and (kind in _SYMBOLS or kind in _MEMORY or kind in "ex"):
        return None
    return "the kernel shows a hash of this pointer"
