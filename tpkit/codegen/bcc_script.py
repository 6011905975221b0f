"""Scripts for BCC: one Python file that holds the C program, loads it, and prints what it sends.

A script prints what ``tpkit trace`` prints (``decode`` and ``sinks.text`` are the reference), and holds no
more code than its events need: ``_Wording`` notes which helpers and tables their arguments are shown with.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tpkit.codegen.bcc_plain import LOST, RING, plain_source
from tpkit.codegen.generated import GeneratedFile, program_name
from tpkit.codegen.names import comment_text, safe_identifier, unique
from tpkit.codegen.probes import ProbePlan, plan_probes
from tpkit.codegen.templates import render_template
from tpkit.context import prototype
from tpkit.kernel_tree import headers
from tpkit.model import SymbolTable
from tpkit.program import ProbeSpec
from tpkit.record import HEADER, Capture, Column, Display, Member, Scalar

OWN_PID = "OWN_PID"  # the macro by which the C program knows its script
WIDTH = 100  # of lines that are filled; a line of one long name may be longer

_CTYPES: Mapping[Scalar, str] = {
    Scalar.U8: "c_uint8",
    Scalar.S8: "c_int8",
    Scalar.U16: "c_uint16",
    Scalar.S16: "c_int16",
    Scalar.U32: "c_uint32",
    Scalar.S32: "c_int32",
    Scalar.U64: "c_uint64",
    Scalar.S64: "c_int64",
    Scalar.CHAR: "c_char",
}
# As the struct module calls an array's elements.
_CODES: Mapping[Scalar, str] = {
    Scalar.U16: "H",
    Scalar.S16: "h",
    Scalar.U32: "I",
    Scalar.S32: "i",
    Scalar.U64: "Q",
    Scalar.S64: "q",
}
# The script's helper for a display; a display that isn't here needs none.
_NUMBER_HELPERS: Mapping[Display, str] = {
    Display.POINTER: "pointer",
    Display.OCTAL: "octal",
    Display.ERROR: "error",
    Display.DEVICE: "device",
}
_ADDRESS_HELPERS: Mapping[Display, str] = {
    Display.IPV4: "ipv4",
    Display.IPV6: "ipv6",
    Display.SOCKET_ADDRESS: "socket_address",
}
# What helpers need besides: other helpers, modules.
_CALLS: Mapping[str, tuple[str, ...]] = {"string": ("quote",),
    "based_flags": ("flags",),
}
_MODULES: Mapping[str, str] = {
    "error": "errno",
    "ipv4": "socket",
    "ipv6": "socket",
    "numbers": "struct",
    "socket_address": "socket",
}
_PLAIN_MODULES = frozenset({"contextlib", "ctypes", "mmap", "os", "select", "signal", "sys", "tempfile", "time"})


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a ctypes structure; comment may be empty."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class _EventText:
    """What the template says of one event.

    prototype: lines; function: the C program's; record, members: the ctypes class; shower: the function
    that shows the arguments, each a label as a literal and an expression on ``event``.
    """

    tracepoint: str
    prototype: tuple[str, ...]
    function: str
    record: str
    members: tuple[_Member, ...]
    shower: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of names: the constant that holds it, and its definition's lines."""

    name: str
    lines: tuple[str, ...]


def generate_bcc_script(spec: ProbeSpec) -> tuple[GeneratedFile, ...]:
    """The script for what is wanted: one executable file.

    ``exclude_pid`` has no meaning here: without ``pids`` the script excludes itself. Raises GenerateError
    for an event whose record is too large.
    """
    wording = _Wording()
    taken: set[str] = set()
    events = [_event_text(plan, wording, taken) for plan in plan_probes(spec)]
    script = f"trace_{program_name(spec)}"
    text = render_template(
        "bcc/script.py.j2",
        script=script,
        spec=spec,
        events=events,
        modules=sorted(_PLAIN_MODULES | {_MODULES[each] for each in wording.helpers if each in _MODULES}),
        helpers=wording.helpers,
        tables=wording.tables,
        source=plain_source(spec, own_pid=None if spec.pids else OWN_PID),
        own_pid=None if spec.pids else OWN_PID,
        headers=headers(),
        record_header=[_Member(m.name, _ctype(m), comment) for m, comment in HEADER],
        ring=RING,
        lost=LOST,
        width=WIDTH,
    )
    return (GeneratedFile(f"{script}.py", text, executable=True),)


def _event_text(plan: ProbePlan, wording: _Wording, taken: set[str]) -> _EventText:
    columns = plan.layout.columns
    names = _member_names(columns)
    record = _class_name(plan.name, taken)
    return _EventText(
        tracepoint=str(plan.event.id),
        prototype=tuple(_wrapped(comment_text(prototype(plan.event)))),
        function=plan.function,
        record=record,
        members=tuple(_members(plan, names)),
        shower=unique(f"show_{plan.name.strip('_').lower()}", taken),
        arguments=tuple(_argument(literal(column.label), wording.argument(column, names)) for column in columns),
    )


def _argument(label: str, expression: str) -> tuple[str, str]:
    """As it stands in a dict of the function; what has two parts is broken between them where it is too long."""
    if len(f"        {label}: {expression},") > WIDTH and " or " in expression:
        first, _, last = expression.rpartition(" or ")
        expression = f"(\n            {first}\n            or {last}\n        )"
    return label, expression


def _wrapped(text: str) -> list[str]:
    """A prototype's lines; they end behind a comma."""
    glued = re.sub("(?<!,) ", "\0", text)
    lines = textwrap.wrap(glued, WIDTH - 8, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def _class_name(name: str, taken: set[str]) -> str:
    """``sys_enter_unlinkat`` → ``SysEnterUnlinkatRecord``."""
    words = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return unique(f"{words}Record" if words[:1].isalpha() else f"Event{words}Record", taken)


# ------------------------------------------------------------------------- ctypes structures


def _member_names(columns: Iterable[Column]) -> dict[str, str]:
    """The names of the C struct's members in Python.

    Names with an underscore in front are spelled without it: ctypes and Python look for some of them
    (``_pack_``). ``from_buffer_copy`` is a method that the script calls.
    """
    taken = {"from_buffer_copy"}
    members = [member.name for column in columns for member in column.members]
    return {name: safe_identifier(name.lstrip("_") or "field", taken) for name in members}


def _members(plan: ProbePlan, names: Mapping[str, str]) -> Iterator[_Member]:
    """The record's members behind its header, the gaps among them."""
    raw = {column.text for column in plan.layout.columns if not _is_string(column)}
    for member in plan.layout.members():
        # Bytes that aren't a string are read as numbers: ctypes ends a c_char array at its first zero.
        yield _Member(names.get(member.name, member.name), _ctype(member, raw=member in raw))


def _ctype(member: Member, *, raw: bool = False) -> str:
    name = f"ctypes.{_CTYPES[Scalar.U8 if raw else member.scalar]}"
    return name if member.length is None else f"{name} * {member.length}"


def _is_string(column: Column) -> bool:
    return column.field.type.is_text or not column.field.type.is_dynamic


# --------------------------------------------------------------------- how arguments are shown


@dataclass(slots=True)
class _Wording:
    """The expressions that show arguments, and what they need: helpers by their names, and tables."""

    helpers: set[str] = field(default_factory=set)
    tables: list[_Table] = field(default_factory=list)
    _names: dict[SymbolTable, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def argument(self, column: Column, names: Mapping[str, str]) -> str:
        """An expression on ``event`` that is what a reader sees of this column."""
        value = f"event.{names[column.value.name]}"
        if column.capture is Capture.VALUE:
            return self._number(column, value)
        if column.capture is Capture.BYTES:
            cut = ' + "..."' if column.value.size < column.field.size else ""
            return self._bytes(column, value) + cut
        assert column.text is not None
        assert column.size is not None
        return self._varying(column, value, f"event.{names[column.text.name]}", f"event.{names[column.size.name]}")

    def _call(self, helper: str, *arguments: str) -> str:
        self.helpers.update((helper, *_CALLS.get(helper, ())))
        return f"{helper}({', '.join(arguments)})"

    # A number, by name or as it is.

    def _number(self, column: Column, value: str) -> str:
        plain = self._plain(column, value)
        table = column.table
        if table is None:
            return plain
        if table.delimiter is None:
            return f"{self._table(table, column.label)}.get({_looked_up(table, value)}, {plain})"
        bits = f"{value} & {_mask(column):#x}" if column.value.scalar.is_signed and table.mask is None else value
        number = _looked_up(table, bits)
        arguments = (self._table(table, column.label), literal(table.delimiter), number)
        if table.base is None:
            return f"{self._call('flags', *arguments)} or {plain}"
        mask = _mask(column) if table.base.mask is None else table.base.mask
        base = self._table(table.base, f"{column.label}_base")
        return f"{self._call('based_flags', base, f'{mask:#x}', *arguments)} or {plain}"

    def _plain(self, column: Column, value: str) -> str:
        if column.display in _NUMBER_HELPERS:
            return self._call(_NUMBER_HELPERS[column.display], value)
        if column.display is Display.HEX:
            return f"hex({value} & {_mask(column):#x})" if column.value.scalar.is_signed else f"hex({value})"
        return value

    def _table(self, table: SymbolTable, label: str) -> str:
        """The constant that holds this table's names, defined once for all that share it."""
        if table not in self._names:
            name = unique(f"{safe_identifier(label, set()).strip('_').upper()}_NAMES", self._taken)
            self._names[table] = name
            self.tables.append(_Table(name, tuple(_table_lines(name, table))))
        return self._names[table]

    # Bytes: a fixed number of them, or as many as the record says.

    def _bytes(self, column: Column, data: str) -> str:
        if column.display is Display.TEXT:
            return self._call("quote", data if column.field.type.is_text else f"bytes({data})")
        if column.display is Display.NUMBERS:
            return self._call("numbers", f"bytes({data})", literal(_code(column)))
        if column.display in _ADDRESS_HELPERS:
            return self._call(_ADDRESS_HELPERS[column.display], f"bytes({data})")
        return f"bytes({data}).hex()"

    def _varying(self, column: Column, value: str, text: str, size: str) -> str:
        if column.display is Display.TEXT:
            unread = '"?"' if column.field.type.is_dynamic else self._call("pointer", value)
            return self._call("string", text, size, unread)
        return self._call("varying", f"bytes({text})", size, self._shower(column))

    def _shower(self, column: Column) -> str:
        """A function that shows bytes."""
        if column.display is Display.NUMBERS:
            return f"lambda data: {self._call('numbers', 'data', literal(_code(column)))}"
        if column.display in _ADDRESS_HELPERS:
            self.helpers.add(_ADDRESS_HELPERS[column.display])
            return _ADDRESS_HELPERS[column.display]
        return "bytes.hex"


def _mask(column: Column) -> int:
    """All bits of the column's numbers."""
    return (1 << column.value.size * 8) - 1


def _looked_up(table: SymbolTable, value: str) -> str:
    number = f"{value} >> {table.shift}" if table.shift else value
    if table.mask is None:
        return number
    return f"({number}) & {table.mask:#x}" if table.shift else f"{number} & {table.mask:#x}"


def _code(column: Column) -> str:
    assert column.element is not None  # NUMBERS have one
    return _CODES[column.element]


def _table_lines(name: str, table: SymbolTable) -> Iterator[str]:
    """A dict's definition. Of flags the first name of a number counts, of whole values the last one."""
    flags = table.delimiter is not None
    symbols = dict(reversed(table.symbols)) if flags else dict(table.symbols)
    order = [number for number in dict.fromkeys(number for number, _ in table.symbols) if number or not flags]
    entries = [f"{_number(number, flags)}: {literal(symbols[number])}" for number in order if symbols[number] or flags]
    line = f"{name} = {{{', '.join(entries)}}}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{name} = {{"
    yield from _filled([f"{entry}," for entry in entries])
    yield "}"


def _filled(words: Iterable[str]) -> Iterator[str]:
    """Indented lines of as many words as there is room for; a word may have spaces in it."""
    line = "   "
    for word in words:
        if line.strip() and len(line) + 1 + len(word) > WIDTH:
            yield line
            line = "   "
        line += f" {word}"
    yield line


def _number(number: int, in_hex: bool) -> str:
    return hex(number) if in_hex and number > 9 else str(number)


def literal(text: str) -> str:
    """Text as Python writes it: ASCII, in double quotes where that takes no escapes."""
    shown = ascii(text)
    return f'"{shown[1:-1]}"' if shown.startswith("'") and '"' not in shown else shown
