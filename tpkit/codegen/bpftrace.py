"""Programs for bpftrace: text that versions from 0.17 on take, an action block for each event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tpkit.codegen.bpftrace_columns import captured, is_identifier, refusal, shown_column, without_names
from tpkit.codegen.bpftrace_shown import STRING_ROOM, Names, Shown, ShownColumn, literal
from tpkit.codegen.columns import Source, left_out, plan_columns
from tpkit.codegen.generated import GeneratedFile, program_name, refuse_filters
from tpkit.codegen.names import comment_text, safe_identifier, unique
from tpkit.codegen.templates import render_template
from tpkit.context import Access, prototype
from tpkit.errors import UsageError
from tpkit.model import EventFormat
from tpkit.program import ProbeSpec
from tpkit.record import Capture, Display

MAX_ROOM = 472  # of the 512 bytes of stack that a BPF program has: the rest is for the compiler
HEAD_ROOM = 48  # what every line has: the time, the pid, the thread's name, and printf's own number

MAX_TABLE = 256  # names for one column's numbers, each a line of the program

KEPT_ROOM = 8  # the key of a map that is asked and emptied

NO_ROOM = "the stack of bpftrace 0.17 has no room for more"
TOO_MANY = "there are too many for a program that is to be read"

LATE = "// Strings are read only now: the kernel has read them, so they are in memory."
NEW_MEMORY = frozenset({"execve", "execveat"})  # calls that take the strings' memory away

LINE = 96  # columns of printf's arguments


@dataclass(frozen=True, slots=True)
class Print:
    """A printf, and the condition for it: None for all that is left."""

    condition: str | None
    words: str
    argument_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """What the template says of one probe."""

    event: EventFormat
    predicate: str
    notes: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    prints: tuple[Print, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def probe(self) -> str:
        """As bpftrace names it."""
        return f"tracepoint:{self.event.id}"

    @property
    def prototype(self) -> str:
        """The event as C would declare it."""
        return comment_text(prototype(self.event))


@dataclass(frozen=True, slots=True)
class _Line:
    """What an event's line consists of: its time, what comes before and behind the columns."""

    time: str
    name: str
    columns: tuple[ShownColumn, ...]
    result: Shown


def generate_bpftrace(spec: ProbeSpec, *, pair: bool = False) -> tuple[GeneratedFile, ...]:
    """One file for bpftrace that shows the events of ``spec`` as ``tpkit trace`` does.

    pair: for system calls: a line for each call when it has returned, with its result and its latency
    in microseconds. Raises UsageError for events that aren't both ends of system calls, GenerateError
    for filters.
    """
    refuse_filters(spec, "bpftrace")
    names = Names()
    blocks = list(_call_blocks(spec, names) if pair else (_block(event, spec, names) for event in spec.events))
    text = render_template(
        "bpftrace/program.bt.j2",
        titles=[str(event.id) for event in spec.events],
        string_size=spec.script_string_size if any(map(_has_strings, spec.events)) else None,
        enums=sorted(set(chain.from_iterable(map(_undeclared_enums, spec.events)))),
        tables=[(name, entries) for entries, name in names.tables.items()],
        maps=sorted(f"@{name}" for name in names.maps),
        blocks=blocks,
    )
    return (GeneratedFile(f"{program_name(spec)}.bt", text, executable=True),)


def _has_strings(event: EventFormat) -> bool:
    return any(source.column.capture.has_text for source in plan_columns(event, 1))


def _undeclared_enums(event: EventFormat) -> Iterator[str]:
    """Types that bpftrace 0.17 misses: it looks for ``const enum x`` under just that name."""
    for field in event.fields:
        kind, _, name = field.type.base.partition(" ")
        if kind == "enum" and field.type.qualifiers and not field.type.pointers and is_identifier(name):
            yield name


def _block(event: EventFormat, spec: ProbeSpec, names: Names) -> Block:
    """The block that prints each event."""
    plan = _plan(event, spec)
    probe_names = names.for_probe(source.column.label for source in plan.shown)
    columns = tuple(shown_column(s, captured(s, spec.script_string_size), probe_names) for s in plan.shown)
    return Block(
        event=event,
        predicate=_predicate(spec),
        notes=plan.notes,
        statements=tuple(line for column in columns for line in column.statements),
        prints=_prints(_Line("nsecs", event.id.name, columns, Shown(""))),
    )


def _predicate(spec: ProbeSpec) -> str:
    """Which tasks are looked at; empty for all."""
    pids = " || ".join(f"pid == {pid}" for pid in spec.pids)
    comm = "" if spec.comm is None else f"comm == {literal(spec.comm)}"
    if pids and comm and len(spec.pids) > 1:
        pids = f"({pids})"
    return " && ".join(part for part in (pids, comm) if part)


# ------------------------------------------------------------------------------ what is shown


@dataclass(frozen=True, slots=True)
class _Plan:
    """The columns that bpftrace shows; notes: what of the event is missing, and why."""

    shown: tuple[Source, ...]
    notes: tuple[str, ...]


def _plan(event: EventFormat, spec: ProbeSpec, *, kept: bool = False) -> _Plan:
    """All columns that there is room for, and then names for their numbers as far as there is room."""
    notes = [_left_out(access, access.refusal or "") for access in left_out(event)]
    room = MAX_ROOM - HEAD_ROOM - (STRING_ROOM if _has_strings(event) else 0)  # a string is read before it is copied
    fitting: list[Source] = []
    for source in plan_columns(event, spec.script_string_size, spec.machine, spec.enum_value):
        needed = _room(without_names(source)) + (KEPT_ROOM if kept else 0)
        reason = refusal(source) or (NO_ROOM if needed > room else None)
        if reason is None:
            fitting.append(source)
            room -= needed
        else:
            notes.append(_left_out(source.access, reason))
    shown: list[Source] = []
    for source in fitting:
        needed = _room(source) - _room(without_names(source))
        reason = NO_ROOM if needed > room else TOO_MANY if _names(source) > MAX_TABLE else None
        if reason is None:
            shown.append(source)
            room -= needed
        else:
            shown.append(without_names(source))
            notes.append(f"Without names: {comment_text(source.access.field.declaration)}: {reason}")
    return _Plan(tuple(shown), tuple(notes))


def _names(source: Source) -> int:
    return len(source.column.table.symbols) if source.column.table is not None else 0


def _left_out(access: Access, reason: str) -> str:
    return f"Left out: {comment_text(access.field.declaration)}: {reason}"


def _room(source: Source) -> int:
    """Bytes of stack that a column needs, however it is shown."""
    column = shown_column(source, captured(source, 0), Names())
    return max([column.plain.room, *(choice.shown.room for choice in column.choices)])


# ------------------------------------------------------------------------------ how it is printed


def _prints(line: _Line) -> tuple[Print, ...]:
    """A printf for each way to write the line, best first."""
    return tuple(_print(condition, line, shown) for condition, shown in _forms(line.columns))


def _forms(columns: tuple[ShownColumn, ...]) -> Iterator[tuple[str | None, list[Shown]]]:
    """All columns at their best where that is right; else numbers for those that usually are; else for all."""
    levels = [
        {c.label: c.choices[min(level, len(c.choices) - 1)] for c in columns if c.choices}
        for level in range(max((len(c.choices) for c in columns), default=0))
    ]
    if any(c.usual for c in columns):
        levels.append({c.label: c.choices[0] for c in columns if c.choices and not c.usual})
    for chosen in (*levels, {}):
        condition = " && ".join(choice.condition for choice in chosen.values() if choice.condition)
        yield condition or None, [chosen[c.label].shown if c.label in chosen else c.plain for c in columns]
        if not condition:
            return


def _print(condition: str | None, line: _Line, shown: list[Shown]) -> Print:
    columns = ", ".join(f"{c.label}={s.words}" for c, s in zip(line.columns, shown, strict=True))
    arguments = [f'strftime("%H:%M:%S.%f", {line.time})', "pid", "comm"]
    for each in (*shown, line.result):
        arguments += each.arguments
    words = f"%s %7d %-15s {line.name}({columns}){line.result.words}"
    return Print(condition, words, tuple(_filled(arguments)))


def _filled(arguments: list[str]) -> Iterator[str]:
    """The arguments in lines, with commas."""
    line = ""
    for number, argument in enumerate(arguments):
        part = argument if number == len(arguments) - 1 else f"{argument},"
        if line and len(line) + 1 + len(part) > LINE:
            yield line
            line = part
        else:
            line = f"{line} {part}" if line else part
    yield line


# ------------------------------------------------------------------------------ whole system calls


def _call_blocks(spec: ProbeSpec, names: Names) -> Iterator[Block]:
    calls = _calls(spec)
    for enter, leave in calls:
        prefix = "" if len(calls) == 1 else safe_identifier(f"{enter.id.syscall}_", set())
        yield from _call(enter, leave, spec, _Kept(prefix, names))


def _calls(spec: ProbeSpec) -> list[tuple[EventFormat, EventFormat]]:
    """Both ends of each system call. Raises UsageError."""
    enters = {event.id.syscall: event for event in spec.events if event.id.is_syscall_enter}
    leaves = {event.id.syscall: event for event in spec.events if event.id.is_syscall_exit}
    for event in spec.events:
        call = event.id.syscall
        if call is None:
            raise UsageError(
                "it isn't a system call, so it has no other end",
                where=str(event.id),
                remedy="leave --pair out, or name events such as syscalls:sys_enter_unlinkat",
            )
        if call not in enters or call not in leaves:
            missing = f"syscalls:sys_{'exit' if call in enters else 'enter'}_{call}"
            raise UsageError("the other end of the call is missing", where=str(event.id), remedy=f"add {missing}")
    return [(enters[call], leaves[call]) for call in enters]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The maps that keep what a call was entered with, by thread, until it returns."""

    prefix: str
    names: Names

    def map_of(self, label: str) -> str:
        """A map's value for the running thread: ``@pathname[tid]``."""
        return f"@{unique(self.prefix + label, self.names.maps)}[tid]"


def _call(enter: EventFormat, leave: EventFormat, spec: ProbeSpec, kept: _Kept) -> Iterator[Block]:
    """The block that keeps what a call is entered with, and the one that prints it all."""
    plan = _plan(enter, spec, kept=True)
    started = kept.map_of("started")
    maps = {source.column.label: kept.map_of(source.column.label) for source in plan.shown}
    arguments = [_Argument(source, spec.script_string_size, enter.id.syscall in NEW_MEMORY) for source in plan.shown]
    assignments = (f"{name} = {each.entered};" for name, each in zip(maps.values(), arguments, strict=True))
    yield Block(enter, _predicate(spec), plan.notes, statements=(f"{started} = (int64)nsecs;", *assignments))
    names = kept.names.for_probe(maps)
    columns = tuple(shown_column(each.source, each.returned, names) for each in arguments)
    latency = names.variable("latency")
    yield Block(
        event=leave,
        predicate=started,
        statements=(
            *([LATE] if any(each.is_late for each in arguments) else []),
            *(f"${label} = {name};" for label, name in maps.items()),
            *(line for column in columns for line in column.statements),
            f"{latency} = (uint64)((int64)nsecs - {started}) / 1000;",
        ),
        prints=_prints(_Line(started, str(enter.id.syscall), columns, _result(leave, latency))),
        deleted=(started, *maps.values()),
    )


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument of a call. at_once: whether strings can't be read later on any more."""

    source: Source
    string_size: int
    at_once: bool

    @property
    def is_late(self) -> bool:
        """Whether it is a string that is read when the call returns, by when it is in memory for sure."""
        return self.source.column.capture is Capture.USER_STRING and not self.at_once

    @property
    def entered(self) -> str:
        """What is kept when the call is entered."""
        return f"args->{self.source.access.field.name}" if self.is_late else captured(self.source, self.string_size)

    @property
    def returned(self) -> str:
        """What is shown when it returns."""
        variable = f"${self.source.column.label}"
        return f"str(uptr({variable}), {self.string_size + 1})" if self.is_late else variable


def _result(leave: EventFormat, latency: str) -> Shown:
    """What stands behind the call: what it returned, and how long it took."""
    returned = [captured(source, 0) for source in plan_columns(leave, 1) if source.column.display is Display.ERROR]
    return Shown(" = %ld" * len(returned) + " <%lu us>", (*returned, latency))
