"""The trace engine's programs: C for BCC, a function for each event, two for each system call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace

from tpkit.codegen.calls import CallText, call_text
from tpkit.codegen.context_struct import ContextMember, ContextStruct, context_struct, left_out_members
from tpkit.codegen.filter_c import BUFFER, TEXTS, FilterFunction, Filters, plan_filters
from tpkit.codegen.names import comment_text, safe_identifier
from tpkit.codegen.packed import FEW, CallPlan, Plans, plan_packed, tail_room
from tpkit.codegen.payloads import FAULT, MOST, Numbers, payload_statements
from tpkit.codegen.probes import ProbePlan
from tpkit.codegen.reads import value_statement
from tpkit.codegen.tasks import NUMBER_PLACEHOLDER, Macro, Tasks, plan_tasks
from tpkit.codegen.templates import render_template
from tpkit.context import prototype
from tpkit.model import EventFormat
from tpkit.payload import MESSAGE, MOST_NAME, MOST_PIECES, PIECE, PIECES, PayloadKind
from tpkit.program import BEGIN_ALONE, COUNTERS, END_ALONE, Following, Hook, Maps, ProbeSpec, Program, task_numbers
from tpkit.record import COMM_SIZE, CUT, HEADER, Member, RecordLayout, align

CALLS_SIZE = 16384  # calls that haven't returned: as many as there are threads
FOLLOWED_SIZE = 65536  # threads
PART = 40  # functions that are compiled at a time
STRINGS = 64  # of execve's arguments, at most
_STRINGS = frozenset({PayloadKind.STRINGS})
_MESSAGES = frozenset({PayloadKind.MSGHDR})
_SIGNAL_SETS = frozenset({PayloadKind.SIGSET_ARGUMENT})
NUMBER = "NUMBER"  # the macro for a record's number, in functions that several events share


@dataclass(frozen=True, slots=True)
class _ContextText:
    """What a program on one tracepoint gets."""

    title: str
    prototype: str
    name: str
    members: tuple[ContextMember, ...]
    left_out: tuple[ContextMember, ...]


@dataclass(frozen=True, slots=True)
class _RecordText:
    """A struct of what is emitted, and of what is kept of a call (its name, None for events)."""

    name: str
    members: tuple[Member, ...]
    call: str | None = None
    slots: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class _EventText:
    """What the template says of one event's function.

    number: of its records, or a macro; payloads: how many bytes there may be of them behind the record.
    """

    number: str
    function: str
    context: str
    record: str
    filter: FilterFunction | None
    arguments: tuple[str, ...]
    statements: tuple[str, ...]
    payloads: int


@dataclass(frozen=True, slots=True)
class _ThreadText:
    """A function that hears of threads' numbers. other: the context's member with the other thread's, if any."""

    function: str
    context: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class _FollowText:
    """The two functions that keep the list of followed threads."""

    fork: _ThreadText
    exit: _ThreadText


def generate_bcc(spec: ProbeSpec) -> Program:
    """The program for what is wanted.

    Raises GenerateError for an event whose record is too large, FilterError for a filter that doesn't fit.
    """
    plans = plan_packed(spec)
    texts = _Texts(spec, plans, plan_filters(spec, plans.events, plans.calls))
    maps = Maps(
        calls="calls" if plans.calls else None,
        followed="followed" if spec.follow else None,
        cgroup="cgroup" if spec.cgroup else None,
    )
    whole = _Whole(spec, plans, texts, maps, plan_tasks(spec))
    sources = tuple(_source(whole, part) for part in _parts(texts))
    constants = tuple(pair for _, pair in task_numbers(spec.pids, spec.tids, spec.own_pid))
    return Program(sources, plans.layouts, tuple(texts.hooks()), maps, constants)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What all parts of a program have in common."""

    spec: ProbeSpec
    plans: Plans
    texts: _Texts
    maps: Maps
    tasks: Tasks


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of a program's functions; the first part also has those that hear of threads' numbers."""

    events: list[_EventText]
    calls: list[CallText]
    follow: _FollowText | None
    executed: _ThreadText | None

    @property
    def contexts(self) -> set[str]:
        """The names of the contexts that they get."""
        names = {each.context for each in self.events}
        names |= {name for each in self.calls for name in (each.enter_context, each.exit_context)}
        names |= {self.follow.fork.context, self.follow.exit.context} if self.follow else set()
        return names | ({self.executed.context} if self.executed else set())

    @property
    def records(self) -> set[str]:
        """The names of the structs that they emit."""
        return {each.record for each in self.events} | {each.record for each in self.calls}


def _parts(texts: _Texts) -> list[_Part]:
    """So few functions at a time that clang works on several parts at once, and says how far it is."""
    events, calls = texts.events, texts.calls
    if len(events) + 2 * len(calls) <= PART:
        return [_Part(events, calls, texts.follow, texts.executed)]
    parts = [_Part(events[start : start + PART], [], None, None) for start in range(0, len(events), PART)]
    step = PART // 2  # two functions each
    parts += [_Part([], calls[start : start + step], None, None) for start in range(0, len(calls), step)]
    return [replace(parts[0], follow=texts.follow, executed=texts.executed), *parts[1:]]


class _Texts:
    """What the template says of all functions; those of the same shape once."""

    def __init__(self, spec: ProbeSpec, plans: Plans, filters: Filters) -> None:
        self._spec = spec
        self._plans = plans
        self.filters = filters
        self.contexts = _Contexts()
        self.shared = len(plans.layouts) > FEW and not filters.functions
        self._shapes: dict[object, _EventText | CallText] = {}
        self.records: list[_RecordText] = []
        self._events = [self._event(plan) for plan in plans.events]
        self._calls = [self._call(plan) for plan in plans.calls]
        self.follow = None if spec.follow is None else _follow_text(spec.follow, self.contexts)
        self.executed = None if spec.executed is None else _executed_text(spec.executed, self.contexts)

    @property
    def events(self) -> list[_EventText]:
        """Functions of events."""
        return list(dict.fromkeys(self._events))

    @property
    def calls(self) -> list[CallText]:
        """Functions of system calls."""
        return list(dict.fromkeys(self._calls))

    def _event(self, plan: ProbePlan) -> _EventText:
        number = NUMBER if self.shared else str(plan.number)
        context = context_struct(plan.event)
        shape = (tuple(_statements(plan, context)), _declared(context), _members(plan.layout))
        known = self._shapes.get(shape) if self.shared else None
        if isinstance(known, _EventText):
            return known
        text = _event_text(plan, number, self.filters.functions.get(plan.number), self.contexts)
        self.records.append(_RecordText(plan.record_name, _members(plan.layout)))
        self._shapes[shape] = text
        return text

    def _call(self, plan: CallPlan) -> CallText:
        number = NUMBER if self.shared else str(plan.number)
        enter, exit_event = plan.call.enter, plan.call.exit
        assert exit_event is not None  # others are events
        wanted = self.filters.functions.get(plan.number)
        text = call_text(plan, number, self._spec, wanted)
        contexts = (_declared(context_struct(enter)), _declared(context_struct(exit_event)))
        shape = (text.shape, contexts, _members(plan.layout))
        known = self._shapes.get(shape) if self.shared else None
        if isinstance(known, CallText):
            return known
        text = replace(text, enter_context=self.contexts.name(enter), exit_context=self.contexts.name(exit_event))
        self.records.append(_RecordText(plan.record_name, _members(plan.layout), plan.call_name, plan.slots))
        self._shapes[shape] = text
        return text

    def hooks(self) -> Iterator[Hook]:
        """Returns of calls come behind all entries: what is entered before that is unpaired, not half known.

        Of programs on one tracepoint the kernel runs the one first that came first: a thread is known by its new
        number in the event of that, and one that ends is forgotten behind the event of its end.
        """
        follow, executed = self._spec.follow, self._spec.executed
        if follow is not None and self.follow is not None:
            yield Hook(follow.fork.id, follow.fork.number, self.follow.fork.function)
        if executed is not None and self.executed is not None:
            yield Hook(executed.id, executed.number, self.executed.function)
        for plan, event in zip(self._plans.events, self._events, strict=True):
            yield self._hook(plan.event, event.function, plan.number)
        pairs = list(zip(self._plans.calls, self._calls, strict=True))
        for call, text in pairs:
            yield self._hook(call.call.enter, text.enter, call.number)
        for call, text in pairs:
            assert call.call.exit is not None
            yield self._hook(call.call.exit, text.exit, call.number)
        if follow is not None and self.follow is not None:
            yield Hook(follow.exit.id, follow.exit.number, self.follow.exit.function)

    def _hook(self, event: EventFormat, function: str, number: int) -> Hook:
        return Hook(event.id, event.number, function, ((NUMBER_PLACEHOLDER, number),) if self.shared else ())


def _room(layouts: Iterable[RecordLayout], kinds: Set[PayloadKind]) -> int:
    """How much room the largest payload of some kinds has; 0 where there is none."""
    columns = (column for layout in layouts for column in layout.payloads)
    rooms = (column.room for column in columns if column.payload is not None and column.payload.kind in kinds)
    return max(rooms, default=0)


def _declared(context: ContextStruct) -> tuple[str, ...]:
    return tuple(member.declaration for member in context.members)


def _source(whole: _Whole, part: _Part) -> str:
    plans, texts = whole.plans, whole.texts
    strings_room = _room(plans.layouts, _STRINGS)
    shared = [Macro(NUMBER, f"{NUMBER_PLACEHOLDER:#x}")] if texts.shared else []
    return render_template(
        "bcc/engine.c.j2",
        titles=[str(event) for event in whole.spec.ids],
        tasks=whole.tasks,
        constants=[*whole.tasks.macros, *shared],
        begin_alone=BEGIN_ALONE,
        end_alone=END_ALONE,
        header=[ContextMember(member.declaration, comment) for member, comment in HEADER],
        counters=COUNTERS,
        layouts=len(plans.layouts),
        scratch_size=_scratch_size(plans),
        call_size=max((_call_size(plan) for plan in plans.calls), default=0),
        calls_size=CALLS_SIZE,
        followed_size=FOLLOWED_SIZE,
        comm_size=COMM_SIZE,
        maps=whole.maps,
        filters=texts.filters,
        filter_texts=TEXTS,
        filter_buffer=BUFFER,
        contexts=[each for each in texts.contexts.texts if each.name in part.contexts],
        records=[each for each in texts.records if each.name in part.records],
        has_payloads=any(layout.payloads for layout in plans.layouts),
        strings_room=strings_room,
        pieces_room=_room(plans.layouts, PIECES),
        has_messages=bool(_room(plans.layouts, _MESSAGES)),
        most_pieces=MOST_PIECES,
        piece=PIECE,
        message=MESSAGE,
        most_name=MOST_NAME,
        has_signal_sets=bool(_room(plans.layouts, _SIGNAL_SETS)),
        strings=STRINGS,
        fault=FAULT,
        cut=f"{CUT:#x}",
        most=f"{MOST:#x}",
        events=part.events,
        calls=part.calls,
        follow=part.follow,
        executed=part.executed,
    )


def _scratch_size(plans: Plans) -> int:
    """What a record needs while it is made, and as much more as the verifier believes that it may need.

    It doesn't know that the room behind what was read so far, and what is left for others, add up.
    """
    each: tuple[ProbePlan | CallPlan, ...] = (*plans.events, *plans.calls)
    in_pieces = [_size(plan) for plan in each if _room([plan.layout], PIECES)]
    return max(
        max(map(_size, each)) + _room(plans.layouts, _STRINGS),
        max(in_pieces, default=0) + 2 * _room(plans.layouts, PIECES),
    )


def _size(plan: ProbePlan | CallPlan) -> int:
    record = plan.layout.stride + tail_room(plan.layout.columns)
    return max(record, _call_size(plan)) if isinstance(plan, CallPlan) else record


def _call_size(plan: CallPlan) -> int:
    return align(plan.layout.stride + sum(slot.size for slot in plan.slots), 8)


class _Contexts:
    """The contexts of all functions, each once."""

    def __init__(self) -> None:
        self.texts: list[_ContextText] = []
        self._names: dict[EventFormat, str] = {}
        self._taken: set[str] = set()

    def name(self, event: EventFormat) -> str:
        """The struct for this event's context, which the program then declares."""
        if event not in self._names:
            name = safe_identifier(f"{event.id.name}_context", self._taken)
            self._names[event] = name
            self.texts.append(
                _ContextText(
                    title=str(event.id),
                    prototype=comment_text(prototype(event)),
                    name=name,
                    members=context_struct(event).members,
                    left_out=left_out_members(event),
                )
            )
        return self._names[event]


def _members(layout: RecordLayout) -> tuple[Member, ...]:
    return tuple(layout.members())


def _event_text(plan: ProbePlan, number: str, wanted: FilterFunction | None, contexts: _Contexts) -> _EventText:
    context = context_struct(plan.event)
    return _EventText(
        number=number,
        function=plan.function,
        context=contexts.name(plan.event),
        record=plan.record_name,
        filter=wanted,
        arguments=() if wanted is None else tuple(filter_arguments(wanted)),
        statements=tuple(_statements(plan, context)),
        payloads=tail_room(plan.layout.columns),
    )


def _statements(plan: ProbePlan, context: ContextStruct) -> Iterator[str]:
    used, numbers = 0, Numbers(plan.sources)
    for source in plan.sources:
        column = source.column
        value = f"event->{column.value.name}"
        yield value_statement(source, context, value)
        if column.size is not None:
            yield from payload_statements(source, numbers, value, f"event->{column.size.name}", used)
            used += align(column.room, 8)
    if plan.layout.duration is not None:
        yield f"event->{plan.layout.duration.name} = 0;"


def filter_arguments(wanted: FilterFunction) -> Iterator[str]:
    """What the filter's function is given for its parameters, where the task is known as ``task``."""
    for name in wanted.arguments:
        yield f"task.{name}" if name in ("pid", "tid") else name


def _follow_text(follow: Following, contexts: _Contexts) -> _FollowText:
    fork = _ThreadText("on_thread_begin", contexts.name(follow.fork), _member(follow.fork, "child_pid"))
    return _FollowText(fork, exit=_ThreadText("on_thread_end", contexts.name(follow.exit)))


def _executed_text(executed: EventFormat, contexts: _Contexts) -> _ThreadText:
    return _ThreadText("on_thread_renumbered", contexts.name(executed), _member(executed, "old_pid"))


def _member(event: EventFormat, name: str) -> str:
    """What the context calls a field."""
    field = next(field for field in event.fields if field.name == name)
    return context_struct(event).names[field.offset]
