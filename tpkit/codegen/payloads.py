"""C that puts a payload behind a record: a string or other memory that a pointer or a location leads to.

The record is ``event``; ``used`` bytes of its tail are taken, ``to`` is where the next payload goes, ``size`` is what a
helper told, or the length of what there is; ``counts`` are the event's counters. A helper's size of a string counts
its final zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tpkit.codegen.columns import Source
from tpkit.codegen.reads import text_address
from tpkit.payload import PIECES, Payload, PayloadKind
from tpkit.record import CUT, Capture, Column, Member

FAULT = -14  # -EFAULT, as the string helpers say it
MOST = CUT - 1  # and so no size is larger
TARGET = "to"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where a call's numbers are found: in the context, or in the record that is kept of it.

    result: what it returned, None while it hasn't.
    """

    sources: Sequence[Source]
    record: str | None = None
    result: str | None = None

    def argument(self, number: int) -> str:
        """An argument, with the type that it is declared with; 0 where the call has none."""
        for source in self.sources:
            if source.access.argument == number:
                member = source.column.value
                if self.record is not None:
                    return f"{self.record}->{member.name}"
                return f"({member.scalar.c_name})ctx->args[{number}]"
        return "0"


def is_string(column: Column) -> bool:
    """Whether the payload is one string, whose size counts its zero."""
    if column.capture in (Capture.USER_STRING, Capture.KERNEL_STRING):
        return True
    return column.capture in (Capture.DATA_LOC, Capture.REL_LOC) and column.field.type.is_text


def shown_room(column: Column) -> int:
    """How large a size may be of a payload that isn't cut."""
    return column.room - (1 if is_string(column) else 2)


def payload_statements(source: Source, numbers: Numbers, value: str, size: str, used: int) -> Iterator[str]:
    """Reads the payload whose pointer or location is in ``value``; used: how much may be taken at most before it."""
    column = source.column
    yield from _target(used)
    if column.payload is not None:
        yield from memory_read(column, column.payload, numbers, value, TARGET)
    elif is_string(column):
        yield f"size = {string_read(column, TARGET, column.room, text_address(source, value))};"
    else:
        yield from _bytes_read(column, f"{value} >> 16", text_address(source, value))
    yield f"{size} = size;"
    yield _behind(column, value)


def _target(used: int) -> Iterator[str]:
    """Where the payload goes; used: how much of the tail may be taken at most."""
    yield f"{TARGET} = (char *)(event + 1);"
    if used:
        yield f"FORTH({TARGET}, used, {used});"


def _behind(column: Column, value: str) -> str:
    """Counts what has been read, and goes on behind it."""
    pointer = "1"
    if column.capture in (Capture.USER_STRING, Capture.USER_MEMORY):
        # A number that may be a pointer, as fcntl's arg, isn't missed when it is none.
        pointer = value if column.field.type.is_pointer else "0"
    return f"used = behind(counts, used, size, {shown_room(column)}, {column.room}, {pointer});"


def string_read(column: Column, target: str, room: int, address: str) -> str:
    """The call that reads a string."""
    helper = "user" if column.capture is Capture.USER_STRING else "kernel"
    return f"bpf_probe_read_{helper}_str({target}, {room}, {address})"


def _read(space: str, target: str, most: int, address: str) -> str:
    """The call that reads ``length`` bytes, of which it makes so many at most; it gives 0 when it could."""
    return f"READ(bpf_probe_read_{space}, {target}, length, {most}, {address})"


def _bytes_read(column: Column, length: str, address: str) -> Iterator[str]:
    """As many bytes as there is room for; the size is all that there were."""
    yield from (
        "{",
        f"\t__u64 length = {length};",
        "",
        "\tsize = length;",
        f"\tif ({_read('kernel', TARGET, column.room, address)})",
        f"\t\tsize = {FAULT};",
        "}",
    )


# --------------------------------------------------------------------------------- user memory


def memory_read(
    column: Column, payload: Payload, numbers: Numbers, value: str, target: str, *, room: int = 0
) -> Iterator[str]:
    """Reads user memory as its payload says, ``room`` bytes at most (the column's, if 0); its length is ``size``."""
    room = (room or column.room) - 2
    if payload.kind is PayloadKind.STRINGS:
        yield f"size = read_strings({target}, {room}, {value});"
        return
    if payload.kind in PIECES:
        yield f"size = {_pieces_read(payload, numbers, value, target, room - payload.size)};"
        return
    if payload.kind is PayloadKind.SIGSET_ARGUMENT:
        yield f"size = read_signal_set({target}, {value});"
        return
    yield from (
        "{",
        f"\t__u64 length = {_length(payload, numbers, room)};",
        *(f"\t{line}" for line in _told_length(payload, numbers)),
        *(f"\t{line}" for line in _result_length(payload, numbers)),
        *([f"\tlength += {payload.extra};"] if payload.extra else []),
        f"\tif (length > {MOST})",
        f"\t\tlength = {MOST};",
        "\tsize = length;",
        f"\tif (!{value} || {_read('user', target, room, value)})",
        f"\t\tsize = {FAULT};",
        "}",
    )


def _pieces_read(payload: Payload, numbers: Numbers, value: str, target: str, most: int) -> str:
    """most: bytes of all pieces together."""
    # What a call has filled is as much as it says.
    whole = f"(__u64){numbers.result}" if payload.at_exit and numbers.result is not None else "~0ULL"
    if payload.kind is PayloadKind.MSGHDR:
        return f"read_message({target}, {value}, {whole}, {most})"
    assert payload.size_argument is not None  # an array's
    return f"read_pieces({target}, 0, {value}, (__u64){numbers.argument(payload.size_argument)}, {whole}, {most})"


def _length(payload: Payload, numbers: Numbers, room: int) -> str:
    """The payload's length in bytes, as far as arguments tell it."""
    if payload.size_argument is not None and not payload.size_is_pointer:
        return _times(f"(__u64){numbers.argument(payload.size_argument)}", payload.unit)
    return str(payload.size or room)


def _told_length(payload: Payload, numbers: Numbers) -> Iterator[str]:
    """A length that stands in memory, as accept's does."""
    if payload.size_argument is None or not payload.size_is_pointer:
        return
    yield "__u32 told = 0;"
    yield ""
    yield f"bpf_probe_read_user(&told, sizeof(told), (const void *){numbers.argument(payload.size_argument)});"
    yield f"length = {_times('(__u64)told', payload.unit)};"


def _result_length(payload: Payload, numbers: Numbers) -> Iterator[str]:
    """A length that the call has returned."""
    if payload.sized_by_result and numbers.result is not None:
        result = _times(f"(__u64){numbers.result}", payload.unit)
        if payload.size_argument is None:
            yield f"length = {result};"
        else:
            yield f"if ({result} < length)"
            yield f"\tlength = {result};"


def _times(number: str, unit: int) -> str:
    return number if unit == 1 else f"{number} * {unit}"


# --------------------------------------------------------------------------------- whole calls


def entry_statements(column: Column, slot: Member, numbers: Numbers) -> Iterator[str]:
    """Keeps a payload in its slot, when the call is entered."""
    assert column.size is not None
    pointer, target = f"call->record.{column.value.name}", f"call->{slot.name}"
    if column.payload is None:
        yield f"size = {string_read(column, target, slot.size, f'(const char *){pointer}')};"
    else:
        yield from memory_read(column, column.payload, numbers, pointer, target, room=slot.size)
    yield f"call->record.{column.size.name} = size;"


def exit_statements(column: Column, slot: Member | None, numbers: Numbers, used: int) -> Iterator[str]:
    """Puts a call's payload behind its record when it returns: what was kept at its entry, or what is there now."""
    assert column.size is not None
    yield from _target(used)
    value = f"event->{column.value.name}"
    if slot is None:
        yield from _filled_by_kernel(column, numbers, value)
    else:
        yield from _kept(column, slot, numbers, value)
    yield _behind(column, value if slot is not None else "known")


def _filled_by_kernel(column: Column, numbers: Numbers, value: str) -> Iterator[str]:
    assert column.payload is not None  # nothing else is filled
    assert column.size is not None
    yield "known = 0;"
    yield f"size = {FAULT};"
    if column.payload.in_out:
        yield from memory_read(column, column.payload, numbers, value, TARGET)
    else:
        yield f"if ((__s64){numbers.result} >= 0) {{"
        yield f"\tknown = {value};"
        for line in memory_read(column, column.payload, numbers, value, TARGET):
            yield f"\t{line}"
        yield "}"
    yield f"event->{column.size.name} = size;"


def _kept(column: Column, slot: Member, numbers: Numbers, value: str) -> Iterator[str]:
    """What doesn't fit into a slot that has less room than the record, or couldn't be read, is read again.

    Where it can't be read any more, what the slot has of it is better than nothing.
    """
    assert column.size is not None
    size, fits = f"event->{column.size.name}", slot.size - (1 if is_string(column) else 2)
    holds_all = slot.size >= column.room
    yield f"size = {size};"
    yield "known = size;"
    yield f"if ({value} && {'size < 0' if holds_all else f'(size < 0 || size > {fits})'}) {{"
    if column.payload is None:
        yield f"\tsize = {string_read(column, TARGET, column.room, f'(const char *){value}')};"
    else:
        for line in memory_read(column, column.payload, numbers, value, TARGET):
            yield f"\t{line}"
    yield from (
        "\tif (size >= 0)",
        "\t\tknown = -1;",
        "}",
        "if (known > 0) {",
        f"\tlength = known & {MOST:#x};",
        f"\t{_read('kernel', TARGET, fits, f'call->{slot.name}')};",
        *([] if holds_all else [f"\tsize = known > {fits} ? length | {CUT:#x} : length;"]),
        "}",
        f"{size} = size;",
    )
