"""System calls as one event: what is kept at the entry, and emitted when the call returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tpkit.codegen.context_struct import context_struct
from tpkit.codegen.filter_c import FilterFunction
from tpkit.codegen.filter_reads import KEPT, USER
from tpkit.codegen.packed import CallPlan, slot_of, tail_room
from tpkit.codegen.payloads import Numbers, entry_statements, exit_statements
from tpkit.codegen.reads import value_statement
from tpkit.program import ProbeSpec
from tpkit.record import align

# Their return is seen in the new task too, which never entered them: ret_from_fork() of kernel/fork.c.
STARTING_TASKS = frozenset({"clone", "clone3", "fork", "vfork"})


@dataclass(frozen=True, slots=True)
class CallText:
    """What the template says of one call.

    number: of its records, or a macro; name, record: the structs that are kept and emitted; result: the record's
    member for it, result_member: the context's; conditions: what a call must fulfil, may be none; payloads: how many
    bytes there may be of them behind the record.
    """

    number: str
    name: str
    record: str
    enter: str
    enter_context: str
    enter_statements: tuple[str, ...]
    exit: str
    exit_context: str
    exit_statements: tuple[str, ...]
    result: str
    result_member: str
    duration: str
    filter: FilterFunction | None
    conditions: tuple[str, ...]
    slots: bool
    payloads: int
    starts_tasks: bool

    @property
    def shape(self) -> CallText:
        """The same without names of its own."""
        return replace(self, name="", record="", enter="", exit="", enter_context="", exit_context="")


def call_text(plan: CallPlan, number: str, spec: ProbeSpec, wanted: FilterFunction | None) -> CallText:
    """One call; the names of its contexts are still to be given."""
    assert plan.call.exit is not None  # these return
    assert plan.layout.duration is not None
    column = plan.result.column
    return CallText(
        number=number,
        name=plan.call_name,
        record=plan.record_name,
        enter=f"on_enter_{plan.name}",
        enter_context="",
        enter_statements=tuple(_enter_statements(plan, wanted)),
        exit=f"on_exit_{plan.name}",
        exit_context="",
        exit_statements=tuple(_exit_statements(plan)),
        result=column.value.name,
        result_member=context_struct(plan.call.exit).names[column.field.offset],
        duration=plan.layout.duration.name,
        filter=wanted,
        conditions=tuple(_conditions(plan, spec, wanted)),
        slots=bool(plan.slots),
        payloads=tail_room(plan.layout.payloads),
        starts_tasks=plan.call.id.name in STARTING_TASKS,
    )


def _enter_statements(plan: CallPlan, wanted: FilterFunction | None) -> Iterator[str]:
    if wanted is not None and wanted.asks_user:
        yield f"call->record.header.{KEPT['uid']} = {USER};"
    context = context_struct(plan.call.enter)
    numbers = Numbers(plan.sources)
    for source in plan.sources:
        column = source.column
        yield value_statement(source, context, f"call->record.{column.value.name}")
        if column.size is not None:
            slot = slot_of(column)
            if slot is not None:
                yield from entry_statements(column, slot, numbers)
            else:
                yield f"call->record.{column.size.name} = 0;"


def _exit_statements(plan: CallPlan) -> Iterator[str]:
    used = 0
    numbers = Numbers(plan.sources, "event", f"event->{plan.result.column.value.name}")
    for column in plan.layout.payloads:
        yield from exit_statements(column, slot_of(column), numbers, used)
        used += align(column.room, 8)


def _conditions(plan: CallPlan, spec: ProbeSpec, wanted: FilterFunction | None) -> Iterator[str]:
    """Cheap ones first."""
    result = f"event->{plan.result.column.value.name}"
    if spec.failed:
        yield f"(__s64){result} < 0 && (__s64){result} >= -4095"  # MAX_ERRNO of include/linux/err.h
    if spec.min_latency:
        assert plan.layout.duration is not None
        yield f"event->{plan.layout.duration.name} >= {spec.min_latency}"
    if wanted is not None:
        yield f"{wanted.name}({', '.join(wanted.arguments)})"
