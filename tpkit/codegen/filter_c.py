"""Filters as C: a function for each event that tells whether it is wanted, one for each pattern of a string.

Numbers are read from the context and asked about first. Strings are read into a per-CPU map (the stack has
512 bytes), and only of events whose numbers fit. Of a filter's text nothing reaches C but numbers and
bytes: names are those of the event's fields, made safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tpkit.codegen.filter_expressions import expression, lines
from tpkit.codegen.filter_reads import CallReads, ContextReads, Reads
from tpkit.codegen.names import c_character, safe_identifier
from tpkit.codegen.packed import CallPlan
from tpkit.codegen.probes import ProbePlan
from tpkit.filters.check import check_filters
from tpkit.filters.conditions import MAX_TEXT_SIZE, Condition, Joined, Matches, Subject, matches, subjects
from tpkit.filters.names import event_names
from tpkit.filters.pattern import MAX_SEARCHED, Pattern
from tpkit.program import ProbeSpec
from tpkit.record import Capture

TEXTS = "filter_texts"
BUFFER = MAX_TEXT_SIZE + 2  # a full one means a longer string

# What the function may get.
_PARAMETERS = ("pid", "tid")


@dataclass(frozen=True, slots=True)
class TextRead:
    """A string that is read: the variable that points to it, its place in the map, and how it gets there."""

    variable: str
    slot: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterFunction:
    """The function that tells whether an event is wanted.

    parameters: declared; arguments: as they are given for them; first: the lines of what numbers have to fulfil before
    strings are read, may be none; last: the lines of the rest; asks_user: whether a call has to keep whose it was.
    """

    name: str
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]
    declarations: tuple[str, ...]
    statements: tuple[str, ...]
    first: tuple[str, ...]
    texts: tuple[TextRead, ...]
    last: tuple[str, ...]
    asks_user: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A pattern as states: bit n says that its first n bytes are found. C numbers in hexadecimal.

    steps: bytes, and the states from which they lead on; any: the states from which every byte does; stay:
    those that every byte leaves as they are; found: the last state's number; limit: bytes that are looked
    at; is_open: whether what comes behind them doesn't matter.
    """

    steps: tuple[tuple[str, str], ...]
    any: str
    stay: str
    found: int
    limit: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class PatternFunction:
    """The function that tells whether a string is like a pattern.

    head, tail: the lines that compare the bytes of both ends, may be none; head_size, tail_size: their
    bytes; is_exact: nothing else may be there.
    """

    name: str
    head: tuple[str, ...]
    head_size: int
    tail: tuple[str, ...]
    tail_size: int
    is_exact: bool
    search: Search | None


@dataclass(slots=True)
class Filters:
    """All that a program says for its filters: functions by the probe's number, patterns, strings at a time."""

    functions: dict[int, FilterFunction] = field(default_factory=dict)
    patterns: dict[Matches, PatternFunction] = field(default_factory=dict)
    slots: int = 0

    @property
    def searches(self) -> bool:
        """Whether a pattern has to be searched for."""
        return any(each.search for each in self.patterns.values())


def plan_filters(spec: ProbeSpec, events: Sequence[ProbePlan], calls: Sequence[CallPlan] = ()) -> Filters:
    """The filters of all events and calls. Raises FilterError for one that doesn't fit its event."""
    planned = Filters()
    taken: set[str] = set()
    reads: list[Reads] = [*map(ContextReads, events), *map(CallReads, calls)]
    elsewhere = {column.label: each.plan.layout.event for each in reads for column in each.plan.layout.shown}
    for each in reads:
        layout = each.plan.layout
        names = event_names(each.event, layout.columns, elsewhere, name=layout.event, result=layout.result)
        condition = check_filters(spec.filters, names)
        if condition is None:
            continue
        for pattern in matches(condition):
            if pattern not in planned.patterns:
                planned.patterns[pattern] = _pattern_function(pattern, taken)
        function = _function(each, condition, planned.patterns)
        planned.functions[each.plan.number] = function
        planned.slots = max(planned.slots, len(function.texts))
    return planned


# -------------------------------------------------------------------------------- events


def _function(reads: Reads, condition: Condition, patterns: Mapping[Matches, PatternFunction]) -> FilterFunction:
    asked = subjects(condition)
    task = tuple(each.name for each in asked if each.column is None)
    variables = _Variables(reads, {"ctx", "call", "slot", TEXTS, *task, *(each.name for each in patterns.values())})
    values = [value for subject in asked for value in variables.value(subject)]
    strings = dict.fromkeys(each.subject for each in matches(condition))
    texts = [variables.text(subject, slot) for slot, subject in enumerate(strings)]
    calls = {each: f"{patterns[each].name}({variables.texts[each.subject]})" for each in matches(condition)}
    first, last = _in_turn(condition)
    parameters = {name: f"__u32 {name}" for name in task if name in _PARAMETERS and reads.task(name) is None}
    if len(task) < len(asked) or (reads.keeps_task and set(task) != {"cpu"}):
        parameters = {reads.parameter: reads.declaration} | parameters
    return FilterFunction(
        name=f"{reads.plan.name}_is_wanted",
        parameters=tuple(parameters.values()),
        arguments=tuple(parameters),
        declarations=tuple(declaration for declaration, _ in values),
        statements=tuple(statement for _, statement in values if statement),
        first=lines(expression(first, variables.values, calls)) if first else (),
        texts=tuple(texts),
        last=lines(expression(last, variables.values, calls)),
        asks_user="uid" in task,
    )


def _in_turn(condition: Condition) -> tuple[Condition | None, Condition]:
    """What needs no string, and the rest; both have to be so."""
    parts = condition.parts if isinstance(condition, Joined) and condition.operator == "&&" else (condition,)
    numbers = tuple(part for part in parts if not matches(part))
    texts = tuple(part for part in parts if matches(part))
    if not numbers or not texts:
        return None, condition
    return _all(numbers), _all(texts)


def _all(parts: tuple[Condition, ...]) -> Condition:
    return parts[0] if len(parts) == 1 else Joined("&&", parts)


class _Variables:
    """The variables of one function: numbers by subject, and strings."""

    def __init__(self, reads: Reads, taken: set[str]) -> None:
        self._reads = reads
        self._taken = taken
        self.values: dict[Subject, str] = {}
        self.texts: dict[Subject, str] = {}

    def value(self, subject: Subject) -> Iterator[tuple[str, str]]:
        """The declaration of the variable for a subject's number, and the statement that it may need besides."""
        if subject.column is None:
            self.values[subject] = subject.name
            found = None if subject.is_text else self._reads.task(subject.name)
            if found is not None:
                yield f"__u32 {subject.name} = {found};", ""
        elif subject.column.capture is not Capture.BYTES:
            self.values[subject] = name = safe_identifier(subject.name, self._taken)
            ctype = subject.column.value.scalar.c_name
            statement = self._reads.value(subject.column, name)
            if statement.startswith(f"{name} = "):
                yield f"{ctype} {statement}", ""
            else:
                yield f"{ctype} {name} = 0;", statement

    def text(self, subject: Subject, slot: int) -> TextRead:
        """How a string gets into the map."""
        self.texts[subject] = name = safe_identifier(f"{subject.name}_text", self._taken)
        return TextRead(name, slot, self._reads.text(subject.column, name, self.values.get(subject, "")))


# ------------------------------------------------------------------------------ patterns


def _pattern_function(wanted: Matches, taken: set[str]) -> PatternFunction:
    found = wanted.pattern
    assert wanted.subject.text_size is not None  # it is a string
    return PatternFunction(
        name=safe_identifier(f"{wanted.subject.name}_is_like", taken),
        head=_compared("text->bytes", found.head),
        head_size=len(found.head),
        tail=_compared("tail", found.tail),
        tail_size=len(found.tail),
        is_exact=found.is_exact,
        search=_search(found, wanted.subject.text_size) if found.is_search else None,
    )


def _compared(array: str, part: tuple[int | None, ...]) -> tuple[str, ...]:
    terms = [f"{array}[{index}] == {c_character(byte)}" for index, byte in enumerate(part) if byte is not None]
    return lines(" && ".join(terms))


def _search(found: Pattern, text_size: int) -> Search:
    elements = [byte for part in found.parts for byte in part]
    masks: dict[int | None, int] = {None: 0}
    for state, byte in enumerate(elements):
        masks[byte] = masks.get(byte, 0) | 1 << state
    stars, stay = 0, 0
    for part in found.parts[:-1]:
        stars += len(part)
        stay |= 1 << stars
    limit = min(text_size, MAX_SEARCHED)
    return Search(
        steps=tuple((c_character(byte), f"{mask:#x}") for byte, mask in masks.items() if byte is not None),
        any=f"{masks[None]:#x}" if masks[None] else "0",
        stay=f"{stay:#x}",
        found=len(elements),
        limit=limit,
        is_open=not found.tail or text_size <= limit,
    )
