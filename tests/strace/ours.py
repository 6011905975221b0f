"""Our words for calls that ``caller`` made: from its numbers and its memory, by tpkit's own tables.

It is what ``tpkit trace`` shows of a pair of events, made without a kernel program.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.strace.compare import OurCall, Ours, event_name
from tests.strace.given import Wanted, described
from tpkit.codegen.columns import plan_columns
from tpkit.decode.naming import number_shower
from tpkit.decode.structs import payload_text
from tpkit.decode.tables import error_name, name_of
from tpkit.decode.text import quote
from tpkit.errors import TpkitError
from tpkit.format_parser import parse_event
from tpkit.model import TracepointId
from tpkit.payload import Payload, PayloadKind
from tpkit.record import Column, Display
from tpkit.syscall_words.dependent import dependent_table
from tpkit.syscall_words.payloads import payload_of
from tpkit.syscall_words.results import result_display, result_table
from tpkit.tracefs import Tracefs

CALLER = Path(__file__).with_name("caller.py")
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
MACHINE = "x86_64"
Seen = Mapping[str, Any]


def call_numbers() -> Mapping[str, int]:
    """The numbers of x86-64's system calls."""
    found = re.findall(r"^#define __NR_(\w+) (\d+)", NUMBERS.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


class Formats:
    """The columns of system calls' arguments in this kernel."""

    def __init__(self, tracefs: Tracefs) -> None:
        self._tracefs = tracefs
        self._columns: dict[str, tuple[Column, ...] | None] = {}

    def columns(self, call: str) -> tuple[Column, ...] | None:
        """None where the kernel has no such event."""
        if call not in self._columns:
            self._columns[call] = self._read(call)
        return self._columns[call]

    def _read(self, call: str) -> tuple[Column, ...] | None:
        event = event_of(call)
        try:
            format = parse_event(self._tracefs.format_text(event), event)  # noqa: A001
        except TpkitError:
            return None
        return tuple(source.column for source in plan_columns(format, 64, MACHINE))


def event_of(call: str) -> TracepointId:
    """The event of a call that strace names."""
    return TracepointId("syscalls", f"sys_enter_{event_name(call)}")


def command(folder: Path) -> list[str]:
    """What makes the calls, in a folder."""
    return [sys.executable, "-I", "-S", str(CALLER), str(folder)]


def orders(formats: Formats, wanted: Sequence[Wanted]) -> str:
    """The calls as ``caller`` wants them, with the memory that we would look at."""
    numbers = call_numbers()
    return json.dumps(
        [
            {
                "name": each.name,
                "number": numbers[each.name],
                "label": each.label,
                "arguments": [described(argument) for argument in each.arguments],
                "payloads": [_told(at, payload) for at, payload in payloads(formats, each.name)],
            }
            for each in wanted
        ]
    )


def payloads(formats: Formats, call: str) -> list[tuple[int, Payload]]:
    """Positions of arguments and what they lead to; also of strings that the kernel reads."""
    found = []
    for at, column in enumerate(formats.columns(call) or ()):
        payload = payload_of(event_of(call), column.field, MACHINE)
        if payload is None and column.display is Display.TEXT:
            payload = Payload(PayloadKind.STRING, 0)
        if payload is not None:
            found.append((at, payload))
    return found


def _told(at: int, payload: Payload) -> dict[str, Any]:
    return {
        "argument": at,
        "kind": payload.kind.name,
        "size": payload.size,
        "size_argument": payload.size_argument,
        "unit": payload.unit,
        "size_is_pointer": payload.size_is_pointer,
        "sized_by_result": payload.sized_by_result,
        "extra": payload.extra,
        "at_exit": payload.at_exit,
        "in_out": payload.in_out,
    }


def run(arguments: Sequence[str | Path], orders: str) -> list[Seen]:
    """What the caller saw; arguments: its command, perhaps under a tracer."""
    done = subprocess.run(arguments, input=orders, capture_output=True, text=True, timeout=300, check=True)
    seen = json.loads(done.stdout)
    assert isinstance(seen, list)
    return seen


def our_call(formats: Formats, seen: Seen) -> OurCall:
    """One call in our words."""
    call = str(seen["name"])
    columns = formats.columns(call) or ()
    numbers = {c.label: _number(c, given) for c, given in zip(columns, seen["arguments"], strict=False)}
    others = {**numbers, "ret": int(seen["result"])}
    arguments = tuple(
        Ours(column.label, _words(call, column, at, seen, others), others[column.label])
        for at, column in enumerate(columns)
        if column.label in numbers
    )
    return OurCall(call, arguments, _result(call, others))


def _number(column: Column, given: int) -> int:
    """An argument as its register has it, cut to its type."""
    bits = column.value.size * 8
    number = given & ((1 << bits) - 1)
    return number - (1 << bits) if column.value.scalar.is_signed and number >> bits - 1 else number


def _words(call: str, column: Column, at: int, seen: Seen, others: Mapping[str, int]) -> str:
    number = others[column.label]
    read = seen["seen"].get(str(at))
    if read is not None:
        text = _payload_words(call, column, bytes.fromhex(read[0]), int(read[1]), others)
        if text:
            return text
    table = dependent_table(event_of(call), column.field, others, MACHINE)
    name = None if table is None else name_of(table, number)
    if name is None and column.display is Display.TEXT:
        return hex(number) if number else "NULL"
    return name or number_shower(column)(number)


def _payload_words(call: str, column: Column, data: bytes, whole: int, others: Mapping[str, int]) -> str:
    payload = payload_of(event_of(call), column.field, MACHINE)
    if payload is None:
        return quote(data.split(b"\0")[0])
    return payload_text(payload.kind, data, whole=whole, machine=MACHINE, others=others)


def _result(call: str, others: Mapping[str, int]) -> str:
    number = others["ret"]
    error = error_name(number)
    if error is not None:
        return f"-1 {error[1:]}"
    if result_display(call) is Display.POINTER:
        return hex(number)
    table = result_table(call, others, MACHINE)
    name = None if table is None else name_of(table, number)
    return f"{hex(number)} ({name})" if name else str(number)
