"""The trace engine's records, planned: events, and whole system calls, with what their pointers lead to behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpkit.codegen.columns import MAX_STRINGS, Memory, Sizes, Source, plan_columns
from tpkit.codegen.names import safe_identifier, unique
from tpkit.codegen.probes import ProbePlan, event_name
from tpkit.errors import GenerateError
from tpkit.model import EventFormat, TracepointId
from tpkit.payload import PIECES, Payload, PayloadKind
from tpkit.program import Call, ProbeSpec
from tpkit.record import Column, Member, RecordLayout, Scalar, align

# What a program builds a record in is an element of a per-CPU array: PCPU_MIN_UNIT_SIZE of include/linux/percpu.h.
MAX_RECORD = 32 << 10
SPARE = MAX_STRINGS + 64  # for what a result takes, and what programs need besides
LEAST_ROOM = 64  # bytes of a string that are kept, however many there are

# Of more events than that, system calls' arguments are known by their numbers: calls of the same shape, of which there
# are many, then have the same code, which is compiled once.
FEW = 8

# While a call lasts, so much of each string is kept; a longer one is read again when the call returns.
CALL_STRING = 256


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A system call that returns. sources: its arguments, from the entry's context; result: from the exit's."""

    number: int
    call: Call
    name: str
    sources: tuple[Source, ...]
    result: Source
    layout: RecordLayout

    @property
    def record_name(self) -> str:
        """The struct that it emits."""
        return f"{self.name}_record"

    @property
    def call_name(self) -> str:
        """The struct that is kept while the call lasts."""
        return f"{self.name}_call"

    @property
    def slots(self) -> tuple[Member, ...]:
        """Where that struct keeps payloads: those that are there at the entry."""
        return tuple(slot for slot in map(slot_of, self.layout.payloads) if slot is not None)


def slot_of(column: Column) -> Member | None:
    """Where a payload is kept while its call lasts; None for one that isn't there before the call returns."""
    assert column.text is not None  # it is a payload
    if column.payload is not None and column.payload.at_exit:
        return None
    # Of execve's arguments nothing is left when it returns.
    return replace(column.text, length=min(column.room, _slot_most(column.payload) + 2))


def _slot_most(payload: Payload | None) -> int:
    """How many bytes of a payload are kept at most while its call lasts."""
    if payload is None:
        return CALL_STRING
    if payload.kind in PIECES:
        return payload.size + CALL_STRING
    return MAX_STRINGS if payload.kind is PayloadKind.STRINGS else CALL_STRING


@dataclass(frozen=True, slots=True)
class Plans:
    """All records: of events and calls that don't return, then of calls; numbered in this order."""

    events: tuple[ProbePlan, ...]
    calls: tuple[CallPlan, ...]

    @property
    def layouts(self) -> tuple[RecordLayout, ...]:
        """By the record's number."""
        return (*(plan.layout for plan in self.events), *(plan.layout for plan in self.calls))


def plan_packed(spec: ProbeSpec) -> Plans:
    """What the program's records hold. Raises GenerateError for an event that has too much."""
    taken: set[str] = set()
    events = [_plan_event(event, number, spec, taken) for number, event in enumerate(spec.events)]
    for call in spec.calls:
        if call.exit is None:
            events.append(_plan_endless(call, len(events), spec, taken))
    returning = [call for call in spec.calls if call.exit is not None]
    calls = [_plan_call(call, number, spec, taken) for number, call in enumerate(returning, len(events))]
    return Plans(tuple(events), tuple(calls))


def _plan_event(event: EventFormat, number: int, spec: ProbeSpec, taken: set[str]) -> ProbePlan:
    sources = _sources(event, event.id, spec)
    layout = RecordLayout.fitting(event.id, _columns(sources), packed=True)
    return ProbePlan(number, event, event_name(event, spec.events, taken), sources, layout)


def _plan_endless(call: Call, number: int, spec: ProbeSpec, taken: set[str]) -> ProbePlan:
    """A call that doesn't return: its entry is all there is."""
    sources = _sources(call.enter, call.id, spec)
    layout = RecordLayout.fitting(call.id, _columns(sources), packed=True, duration=_duration(sources))
    return ProbePlan(number, call.enter, safe_identifier(call.id.name, taken), sources, layout)


def _duration(sources: tuple[Source, ...]) -> Member:
    members = {member.name for source in sources for member in source.column.members}
    return Member(safe_identifier("duration", members), Scalar.U64)


def _plan_call(call: Call, number: int, spec: ProbeSpec, taken: set[str]) -> CallPlan:
    sources = _sources(call.enter, call.id, spec, Memory.CALL)
    members = {member.name for source in sources for member in source.column.members}
    labels = {source.column.label for source in sources}
    assert call.exit is not None
    result = _result(call, spec, members, labels)
    duration = Member(safe_identifier("duration", members), Scalar.U64)
    layout = RecordLayout.fitting(call.id, _columns(sources), packed=True, result=result.column, duration=duration)
    return CallPlan(number, call, safe_identifier(call.id.name, taken), sources, result, layout)


def _result(call: Call, spec: ProbeSpec, members: set[str], labels: set[str]) -> Source:
    """The exit event's one field; its name may be an argument's too. Raises GenerateError where there is none."""
    assert call.exit is not None  # others have no result
    from tpkit.syscall_words.dependent import result_key  # their tables are needed for calls only
    from tpkit.syscall_words.results import result_display, result_table

    for source in plan_columns(call.exit, spec.packed_string_size, spec.machine, spec.enum_value):
        column = replace(
            source.column,
            value=replace(source.column.value, name=safe_identifier(source.column.value.name, members)),
            label=unique(source.column.label, labels),
            display=result_display(call.id.name),
            table=result_table(call.id.name, {}, spec.machine),
            dependent=result_key(call.id.name),
        )
        return replace(source, column=column)
    raise GenerateError("has no result", where=str(call.exit.id), remedy="trace its entry alone")


def _columns(sources: tuple[Source, ...]) -> tuple[Column, ...]:
    return tuple(source.column for source in sources)


def _sources(
    event: EventFormat, name: TracepointId, spec: ProbeSpec, memory: Memory = Memory.ENTRY
) -> tuple[Source, ...]:
    """The event's columns, with as much room for their payloads as there is. Raises GenerateError."""
    sizes = Sizes(spec.packed_string_size, spec.buffer_size, memory)
    sources = plan_columns(event, sizes, spec.machine, spec.enum_value)
    fixed = RecordLayout.fitting(event.id, _columns(sources), packed=True).stride + SPARE
    payloads = [source.column for source in sources if source.column.text is not None]
    most = (MAX_RECORD - fixed) // len(payloads) // 8 * 8 if payloads else 0
    if fixed > MAX_RECORD or (payloads and most < LEAST_ROOM):
        raise GenerateError(
            f"a record would have more than {MAX_RECORD} bytes",
            where=str(name),
            remedy="trace other events; list -v shows what this one has",
        )
    fitting = (_within(source, most) for source in sources)
    return tuple(map(_numbered, fitting)) if len(spec.events) + len(spec.calls) > FEW else tuple(fitting)


def _within(source: Source, most: int) -> Source:
    """The source with a payload of so many bytes at most."""
    text = source.column.text
    if text is None or source.column.room <= most:
        return source
    return replace(source, column=replace(source.column, text=replace(text, length=most)))


def _numbered(source: Source) -> Source:
    """The source with members that are called by the argument's number."""
    number, column = source.access.argument, source.column
    if number is None:
        return source
    value = replace(column.value, name=f"arg{number}")
    size = column.size and replace(column.size, name=f"arg{number}_size")
    text = column.text and replace(column.text, name=f"arg{number}_text")
    return replace(source, column=replace(column, value=value, size=size, text=text))


def tail_room(columns: tuple[Column, ...]) -> int:
    """How long the tail of a record with these payloads can be, in bytes."""
    return sum(align(column.room, 8) for column in columns)
