"""The helpers of tracing that a print fmt calls: flags, symbols, hex, arrays, bit masks, dumps.

Each does what its namesake in the kernel's ``trace_output.c`` and ``trace_events.h``' stage 3 does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tpkit.print_fmt.facts import DUMP_PREFIXES, Table
from tpkit.print_fmt.source import to_c
from tpkit.print_fmt.tree import Call, Decode, Entry, Expr, FieldRef, walk
from tpkit.print_fmt.values import (
    INT,
    LONG_LONG,
    Int,
    IntType,
    Str,
    UnevaluableError,
    Value,
    wrap,
)

if TYPE_CHECKING:
    from tpkit.print_fmt.evaluate import Evaluation

_LINE_SIZES = (16, 32)
_GROUP_SIZES = (1, 2, 4, 8)


def _argument(arguments: Sequence[Expr], index: int, helper: str) -> Expr:
    if index >= len(arguments):
        raise UnevaluableError(f"{helper}() has too few arguments")
    return arguments[index]


# ------------------------------------------------------------------------------ flags and symbols


def decode(evaluation: Evaluation, node: Decode) -> Value:
    """``__print_flags`` and ``__print_symbolic``."""
    kind = LONG_LONG if node.wide else evaluation.long
    unsigned = IntType(kind.size, False)
    value = wrap(evaluation.integer(node.value).value, unsigned).value
    entries, unknown = _table(evaluation, node, unsigned)
    text = _flags(value, entries, node.delimiter or "") if node.is_flags else _symbol(value, entries)
    if text is not None:
        return Str(text.encode("utf-8", "surrogateescape"))
    return Str(_undecoded(evaluation, node, value, entries, unknown))


def _table(evaluation: Evaluation, node: Decode, kind: IntType) -> Table:
    """The table as numbers and texts, and the names in it that have no number; remembered."""
    known = evaluation.facts.tables.get(id(node))
    if known is None:
        known = _numbers(evaluation, node.entries, kind)
        if not any(isinstance(below, FieldRef) for entry in node.entries for below in walk(entry.value)):
            evaluation.facts.tables[id(node)] = known
    return known


def _numbers(evaluation: Evaluation, entries: Sequence[Entry], kind: IntType) -> Table:
    known: list[tuple[int, str]] = []
    unknown: list[str] = []
    for entry in entries:
        try:
            known.append((wrap(evaluation.integer(entry.value).value, kind).value, entry.text))
        except UnevaluableError:
            unknown.append(to_c(entry.value))
    return known, unknown


def _flags(value: int, entries: Sequence[tuple[int, str]], delimiter: str) -> str | None:
    """``trace_print_flags_seq`` when bits remain: None."""
    texts, rest = _matching(value, entries)
    return None if rest else delimiter.join(texts)


def _matching(value: int, entries: Sequence[tuple[int, str]]) -> tuple[list[str], int]:
    """The texts of the flags that are set, in the table's order, and the bits that remain."""
    texts: list[str] = []
    for mask, text in entries:
        if not value:
            break
        if value & mask == mask:
            texts.append(text)
            value &= ~mask
    return texts, value


def _symbol(value: int, entries: Sequence[tuple[int, str]]) -> str | None:
    """``trace_print_symbols_seq``, which takes an empty text for none: None."""
    return next((text for number, text in entries if number == value), "") or None


def _undecoded(
    evaluation: Evaluation, node: Decode, value: int, entries: Sequence[tuple[int, str]], unknown: list[str]
) -> bytes:
    """Bits or a value that the table lacks: the kernel's hexadecimal, marked if a name may mean it."""
    texts, rest = _matching(value, entries) if node.is_flags else ([], value)
    shown = f"<{rest:#x}>" if unknown else f"{rest:#x}"
    if unknown:
        evaluation.doubt(to_c(node.value), f"{', '.join(unknown[:3])} in its table have no number here")
    return (node.delimiter or "").join((*texts, shown)).encode("utf-8", "surrogateescape")


# ------------------------------------------------------------------------------- data of a field


def _text_of(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__get_str`` and ``__get_dynamic_array``: the address of the data."""
    return evaluation.dynamic(_argument(arguments, 0, "__get_str"))


def _length_of(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__get_dynamic_array_len``: bytes."""
    return Int(evaluation.dynamic(_argument(arguments, 0, "__get_dynamic_array_len")).size, INT)


def _sockaddr(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__get_sockaddr``: the address of a struct sockaddr."""
    return evaluation.dynamic(_argument(arguments, 0, "__get_sockaddr"))


def _bitmask(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__get_bitmask`` and ``__get_cpumask``: ``%*pb`` of all the field's longs."""
    place = evaluation.dynamic(_argument(arguments, 0, "__get_bitmask"))
    data = evaluation.bytes_at(place, place.size, arguments[0])
    return Str(bitmap(data, place.size * 8, evaluation.machine.byte_order, evaluation.machine.long_size))


def bitmap(data: bytes, bits: int, byte_order: str, long_size: int) -> bytes:
    """A bitmap as ``%*pb`` shows it: hexadecimal words of 32 bits, the highest first."""
    number = bitmap_number(data, byte_order, long_size) & ((1 << bits) - 1)
    first = bits % 32 or 32
    words = [f"{(number >> (bits - first)) & 0xFFFFFFFF:0{(first + 3) // 4}x}"] if bits else []
    words += [f"{(number >> at) & 0xFFFFFFFF:08x}" for at in range(bits - first - 32, -1, -32)]
    return ",".join(words).encode()


def bitmap_number(data: bytes, byte_order: str, long_size: int) -> int:
    """A bitmap as one number: its longs come lowest first whatever the order of bytes within."""
    order: str = "big" if byte_order == "big" else "little"
    longs = [data[at : at + long_size] for at in range(0, len(data), long_size)]
    return sum(
        int.from_bytes(each, "big" if order == "big" else "little") << (index * long_size * 8)
        for index, each in enumerate(longs)
    )


# ----------------------------------------------------------------------------- hex and arrays


def _hex(evaluation: Evaluation, arguments: Sequence[Expr], separator: str) -> Value:
    """``__print_hex`` and ``__print_hex_str``: bytes, two digits each."""
    node = _argument(arguments, 0, "__print_hex")
    count = evaluation.integer(_argument(arguments, 1, "__print_hex")).value
    if count <= 0:
        return Str(b"")
    data = evaluation.bytes_at(evaluation.value(node), count, node)
    return Str((data.hex(separator) if separator else data.hex()).encode())


def _array(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__print_array(address, count, size of an element)``."""
    node = _argument(arguments, 0, "__print_array")
    count = evaluation.integer(_argument(arguments, 1, "__print_array")).value
    size = evaluation.integer(_argument(arguments, 2, "__print_array")).value
    data = b""
    if count > 0 and size > 0:
        data = evaluation.bytes_at(evaluation.value(node), count * size, node)
    return Str(_elements(data, size, evaluation.machine.byte_order))


def _dynamic_array(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__print_dynamic_array(field, size of an element)``."""
    node = _argument(arguments, 0, "__print_dynamic_array")
    size = evaluation.integer(_argument(arguments, 1, "__print_dynamic_array")).value
    place = evaluation.dynamic(node)
    if size <= 0:
        raise UnevaluableError("an array's elements have no size")
    data = evaluation.bytes_at(place, place.size // size * size, node)
    return Str(_elements(data, size, evaluation.machine.byte_order))


def _elements(data: bytes, size: int, byte_order: str) -> bytes:
    """``trace_print_array_seq``; it shows elements of odd sizes byte by byte, and says so once."""
    order = "big" if byte_order == "big" else "little"
    if data and size not in _GROUP_SIZES:
        texts = [f"BAD SIZE:{size} {data[0]:#x}", *(f"{each:#x}" for each in data[1:])]
    else:
        step = size or 1
        texts = [
            f"{int.from_bytes(data[at : at + step], 'big' if order == 'big' else 'little'):#x}"
            for at in range(0, len(data), step)
        ]
    return f"{{{','.join(texts)}}}".encode()


def _hex_dump(evaluation: Evaluation, arguments: Sequence[Expr]) -> Value:
    """``__print_hex_dump(prefix, prefix type, row, group, address, length, ascii)``."""
    _argument(arguments, 6, "__print_hex_dump")
    prefix = evaluation.value(arguments[0])
    kind, row, group = (evaluation.integer(each).value for each in arguments[1:4])
    size = evaluation.integer(arguments[5]).value
    data = evaluation.bytes_at(evaluation.value(arguments[4]), max(size, 0), arguments[4])
    text = prefix.text.decode("utf-8", "surrogateescape") if isinstance(prefix, Str) else ""
    if kind == DUMP_PREFIXES["DUMP_PREFIX_ADDRESS"]:
        evaluation.doubt("__print_hex_dump()", "the address of the record isn't known")
    shown = bool(evaluation.integer(arguments[6]).value)
    row = row if row in _LINE_SIZES else 16
    order = evaluation.machine.byte_order
    lines = [
        f"{text}{_line_prefix(kind, at)}{_dump_line(data[at : at + row], row, group, order, shown)}\n"
        for at in range(0, len(data), row)
    ]
    return Str(("\n" + "".join(lines)).encode("utf-8", "surrogateescape"))


def _line_prefix(kind: int, at: int) -> str:
    """``seq_buf_hex_dump``'s prefix; the address is marked."""
    if kind == DUMP_PREFIXES["DUMP_PREFIX_OFFSET"]:
        return f"{at:08x}: "
    return f"<+{at:#x}>: " if kind == DUMP_PREFIXES["DUMP_PREFIX_ADDRESS"] else ""


def _dump_line(data: bytes, row: int, group: int, byte_order: str, shown: bool) -> str:
    """``hex_dump_to_buffer`` (``lib/hexdump.c``)."""
    group = group if group in _GROUP_SIZES else 1
    group = group if len(data) % group == 0 else 1
    order = "big" if byte_order == "big" or group == 1 else "little"
    texts = [
        f"{int.from_bytes(data[at : at + group], 'big' if order == 'big' else 'little'):0{2 * group}x}"
        for at in range(0, len(data), group)
    ]
    line = " ".join(texts)
    if not shown:
        return line
    column = row * 2 + row // group + 1
    readable = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in data)
    return f"{line:<{column}}{readable}"


Rule = Callable[["Evaluation", Sequence[Expr]], Value]
HELPERS: dict[str, Rule] = {
    "__get_str": _text_of,
    "__get_rel_str": _text_of,
    "__get_dynamic_array": _text_of,
    "__get_rel_dynamic_array": _text_of,
    "__get_dynamic_array_len": _length_of,
    "__get_rel_dynamic_array_len": _length_of,
    "__get_sockaddr": _sockaddr,
    "__get_rel_sockaddr": _sockaddr,
    "__get_sockaddr_rel": _sockaddr,
    "__get_bitmask": _bitmask,
    "__get_rel_bitmask": _bitmask,
    "__get_cpumask": _bitmask,
    "__get_rel_cpumask": _bitmask,
    "__print_hex": lambda evaluation, arguments: _hex(evaluation, arguments, " "),
    "__print_hex_str": lambda evaluation, arguments: _hex(evaluation, arguments, ""),
    "__print_array": _array,
    "__print_dynamic_array": _dynamic_array,
    "__print_hex_dump": _hex_dump,
}
FIELD_HELPERS = frozenset(name for name in HELPERS if "_get_" in name) | {"__print_dynamic_array"}


def named_field(node: Call) -> str | None:
    """The field that a helper such as ``__get_str(name)`` takes by its bare name."""
    first = node.arguments[0] if node.arguments else None
    return getattr(first, "name", None) if node.function in FIELD_HELPERS else None
