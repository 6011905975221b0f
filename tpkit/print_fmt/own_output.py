"""Events that the kernel doesn't print by their print fmt: system calls and ``ftrace/*``.

``print_syscall_enter`` and ``print_syscall_exit`` (``kernel/trace/trace_syscalls.c``) print the call as
C would write it, with no ``name:`` before it; ``ftrace/*`` events have printers of their own in
``kernel/trace/trace_output.c``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tpkit.model import EventFormat, Field, Location
from tpkit.print_fmt.evaluate import Evaluation
from tpkit.print_fmt.helpers import decode
from tpkit.print_fmt.tree import Decode, Number, PrintFmt, walk
from tpkit.print_fmt.values import IntType, Str

_DECIMAL_BELOW = 10
_MORE = "..."  # EXTRA: shown where user memory didn't fit

Output = Callable[[Evaluation], bytes]


def own_output(event: EventFormat, print_fmt: PrintFmt) -> Output | None:
    """The printer of an event that has one of its own, None for all others."""
    if event.id.is_syscall_enter:
        return _syscall_enter(event, print_fmt)
    if event.id.is_syscall_exit:
        return lambda evaluation: _syscall_exit(event, evaluation)
    if event.id.category == "ftrace":
        return _FTRACE.get(event.id.name)
    return None


# ------------------------------------------------------------------------------- system calls


def _syscall_exit(event: EventFormat, evaluation: Evaluation) -> bytes:
    value = _unsigned(evaluation, evaluation.field("ret"))
    return f"sys_{event.id.syscall} -> {value:#x}".encode()


def _unsigned(evaluation: Evaluation, field: Field) -> int:
    return evaluation.load(field.offset, IntType(field.size, False)).value


def _arguments(event: EventFormat) -> list[Field]:
    """The call's own arguments: all fields but the number and what was read from user memory."""
    plain = [field for field in event.fields if field.type.location is Location.IN_RECORD]
    return plain[1:] if plain and plain[0].name in ("__syscall_nr", "nr") else plain


def _syscall_enter(event: EventFormat, print_fmt: PrintFmt) -> Output:
    arguments = _arguments(event)
    user = {field.name: field for field in event.fields if field.type.location is not Location.IN_RECORD}
    arrays = "__print_dynamic_array" in event.print_fmt
    flags = _flags_of(print_fmt)

    def output(evaluation: Evaluation) -> bytes:
        if flags is not None and evaluation.machine.syscall_hex:
            texts = _opening(evaluation, arguments, user, flags)
        else:
            texts = _shown(evaluation, arguments, user, arrays)
        return f"sys_{event.id.syscall}(".encode() + b", ".join(texts) + b")"

    return output


def _shown(evaluation: Evaluation, arguments: Sequence[Field], user: dict[str, Field], arrays: bool) -> list[bytes]:
    """Each argument with its name, and user memory that was read for it."""
    texts = []
    for index, field in enumerate(arguments):
        value = _unsigned(evaluation, field)
        text = f"{field.name}: {_number(evaluation, value)}".encode()
        memory = user.get(f"__{field.name}_val")
        if memory is not None:
            data = _user_memory(evaluation, memory)
            wanted = _unsigned(evaluation, arguments[index + 1]) if index + 1 < len(arguments) else 0
            text += _array(data, wanted) if arrays else b' "' + data.partition(b"\0")[0] + b'"'
        texts.append(text)
    return texts


def _number(evaluation: Evaluation, value: int) -> str:
    if not evaluation.machine.syscall_hex:
        return f"{value:x}"
    return str(value) if value < _DECIMAL_BELOW else f"{value:#x}"


def _user_memory(evaluation: Evaluation, field: Field) -> bytes:
    word = _unsigned(evaluation, field)
    start = word & 0xFFFF
    return evaluation.record[start : start + (word >> 16)]


def _array(data: bytes, wanted: int) -> bytes:
    """Bytes in hexadecimal, and as text if one is printable; the size is the next argument."""
    # Only the kernel's metadata says which argument has the size; in all calls so far it is the next.
    more = len(data) < wanted
    text = f" ({data.hex(':')}{', ' + _MORE if more else ''})"
    readable = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in data)
    if any(0x20 <= each < 0x7F for each in data):
        text += f' "{readable}"{_MORE if more else ""}'
    return text.encode()


def _flags_of(print_fmt: PrintFmt) -> Decode | None:
    """The flag table of a call whose flags the kernel names: openat, since Linux 7.0."""
    nodes = (node for argument in print_fmt.arguments for node in walk(argument))
    return next((node for node in nodes if isinstance(node, Decode) and node.is_flags), None)


def _opening(evaluation: Evaluation, arguments: Sequence[Field], user: dict[str, Field], flags: Decode) -> list[bytes]:
    """``sys_enter_openat_print``: decimal numbers, named flags, and a mode only where it counts."""
    texts = []
    for field in arguments:
        value = _unsigned(evaluation, field)
        if field.name == "flags":
            texts.append(b"flags: " + _open_flags(evaluation, value, flags))
            if not value & _creating(flags):
                break
        elif field.name == "mode":
            texts.append(f"mode: 0{value & 0xFFFFFFFF:03o}".encode())
        else:
            memory = user.get(f"__{field.name}_val")
            text = f"{field.name}: {value}".encode()
            if memory is not None:
                text += b' "' + _user_memory(evaluation, memory).partition(b"\0")[0] + b'"'
            texts.append(text)
    return texts


_TEMPORARY = 1 << 22  # __O_TMPFILE, which the kernel's table has and the print fmt lacks


def _creating(flags: Decode) -> int:
    """The bits that make a mode count: O_CREAT, and O_TMPFILE with its O_DIRECTORY."""
    values = {entry.text: getattr(entry.value, "value", 0) for entry in flags.entries}
    return int(values.get("O_CREAT", 0)) | _TEMPORARY | int(values.get("O_DIRECTORY", 0))


def _open_flags(evaluation: Evaluation, value: int, flags: Decode) -> bytes:
    if not value:
        return b"O_RDONLY"
    head = b"" if value & 3 else b"O_RDONLY|"
    directory = next((getattr(e.value, "value", 0) for e in flags.entries if e.text == "O_DIRECTORY"), 0)
    temporary = _TEMPORARY | directory
    rest = value
    if directory and value & temporary == temporary:
        head += b"O_TMPFILE"
        rest &= ~temporary
        if not rest:
            return head
        head += b"|"
    decoded = decode(evaluation, _with_value(flags, rest))
    return head + (decoded.text if isinstance(decoded, Str) else b"")


def _with_value(flags: Decode, value: int) -> Decode:
    return replace(flags, value=Number(value))


# ------------------------------------------------------------------------------------- ftrace/*


def _symbol(evaluation: Evaluation, address: int) -> bytes:
    """``seq_print_ip_sym`` with the trace options as they are at first: the symbol's name alone."""
    if not address:
        return b"0"
    if evaluation.machine.symbols is None:
        evaluation.doubt("ip", "no kernel symbols at hand")
        return f"<{address:#x}>".encode()
    symbol = evaluation.machine.symbols.find(address)
    if symbol is None:
        return f"0x{address:08x}".encode()
    return symbol.name.encode() + (f" [{symbol.module}]".encode() if symbol.module else b"")


def _caller(evaluation: Evaluation, name: str = "ip") -> bytes:
    return _symbol(evaluation, _unsigned(evaluation, evaluation.field(name)))


def _text_at(evaluation: Evaluation, name: str) -> bytes:
    """The text in a field at the record's end, up to its NUL and without a last newline."""
    field = evaluation.field(name)
    return evaluation.record[field.offset :].partition(b"\0")[0].removesuffix(b"\n")


def _print(evaluation: Evaluation) -> bytes:
    """``trace_print_print``: trace_printk and trace_marker."""
    return _caller(evaluation) + b": " + _text_at(evaluation, "buf")


def _puts(evaluation: Evaluation) -> bytes:
    """``trace_bputs_print``: a text of the kernel's."""
    address = _unsigned(evaluation, evaluation.field("str"))
    known = evaluation.machine.strings(address)
    if known is None:
        evaluation.doubt("REC->str", "a text in the kernel's memory")
        known = f"<{address:#x}>"
    return _caller(evaluation) + b": " + known.encode().removesuffix(b"\n")


def _raw(evaluation: Evaluation) -> bytes:
    """``trace_raw_data``: the id, then the bytes that follow it."""
    identity = _unsigned(evaluation, evaluation.field("id"))
    field = evaluation.field("buf")
    data = evaluation.record[field.offset :]
    return f"# {identity:x} buf: {data.hex(' ')}".encode()


def _function(evaluation: Evaluation) -> bytes:
    """``trace_fn_trace``."""
    text = _caller(evaluation)
    parent = _unsigned(evaluation, evaluation.field("parent_ip"))
    return text + b" <-" + _symbol(evaluation, parent) if parent else text


def _stack(evaluation: Evaluation) -> bytes:
    """``trace_stack_print``: the frames, one a line, up to an end mark of all ones."""
    field = evaluation.field("caller")
    kind = evaluation.unsigned_long
    lines = [b"<stack trace>"]
    for at in range(field.offset, len(evaluation.record) - kind.size + 1, kind.size):
        address = evaluation.load(at, kind).value
        if address == (1 << 8 * kind.size) - 1:
            break
        lines.append(b" => " + _symbol(evaluation, address))
    return b"\n".join(lines)


def _bprint(evaluation: Evaluation) -> bytes:
    """``trace_bprint_print``: the format is in the kernel, the arguments are packed behind it."""
    address = _unsigned(evaluation, evaluation.field("fmt"))
    evaluation.doubt("REC->fmt", "the format string is in the kernel's memory")
    return _caller(evaluation) + f": <{address:#x}>".encode()


_FTRACE: dict[str, Output] = {
    "print": _print,
    "bputs": _puts,
    "bprint": _bprint,
    "raw_data": _raw,
    "function": _function,
    "kernel_stack": _stack,
}
