"""The C of scripts for BCC: one function for each event, records of one size in which each string has its room.

What the trace engine runs is ``codegen.bcc``'s: faster, and more to read.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.codegen.columns import Source
from tpkit.codegen.context_struct import ContextMember, ContextStruct, context_struct, left_out_members
from tpkit.codegen.filter_c import BUFFER, TEXTS, FilterFunction, Filters, plan_filters
from tpkit.codegen.names import c_characters, comment_text
from tpkit.codegen.probes import ProbePlan, plan_probes
from tpkit.codegen.reads import text_address, value_statement
from tpkit.codegen.templates import render_template
from tpkit.context import prototype
from tpkit.program import Hook, ProbeSpec, Program
from tpkit.record import COMM_SIZE, HEADER, Capture, Member

RING = "events"
LOST = "lost"
FILTERED = "filtered"
RING_PAGES = 2048  # 8 MiB of 4 KiB pages: 70,000 records with a path of 64 bytes


@dataclass(frozen=True, slots=True)
class _ProbeText:
    """What the template says of one probe."""

    number: int
    title: str
    prototype: str
    function: str
    context_name: str
    context: tuple[ContextMember, ...]
    record_name: str
    record: tuple[Member, ...]
    left_out: tuple[ContextMember, ...]
    filter: FilterFunction | None
    statements: tuple[str, ...]


def plain_source(spec: ProbeSpec, *, own_pid: str | None = None) -> str:
    """The C program for the events that are wanted.

    Raises GenerateError for an event whose record is too large, FilterError for a filter that doesn't fit.
    own_pid: a macro in the place of the spec's ``exclude_pid``, for a program that is compiled by a
    process that nobody knows yet.
    """
    plans = plan_probes(spec)
    filters = plan_filters(spec, plans)
    texts = [_probe_text(plan, filters.functions.get(plan.number)) for plan in plans]
    return _source(spec, texts, filters, own_pid)


def plain_program(spec: ProbeSpec) -> Program:
    """The same as a program that can be loaded, to see whether the kernel takes it. Raises as ``plain_source``."""
    hooks = tuple(Hook(plan.event.id, plan.event.number, plan.function) for plan in plan_probes(spec))
    return Program((plain_source(spec),), (), hooks)


def _probe_text(plan: ProbePlan, wanted: FilterFunction | None) -> _ProbeText:
    context = context_struct(plan.event)
    return _ProbeText(
        number=plan.number,
        title=str(plan.event.id),
        prototype=comment_text(prototype(plan.event)),
        function=plan.function,
        context_name=plan.context_name,
        context=context.members,
        record_name=plan.record_name,
        record=tuple(plan.layout.members()),
        left_out=left_out_members(plan.event),
        filter=wanted,
        statements=tuple(line for source in plan.sources for line in _statements(source, context)),
    )


def _source(spec: ProbeSpec, probes: list[_ProbeText], filters: Filters, own_pid: str | None) -> str:
    return render_template(
        "bcc/plain.c.j2",
        titles=[str(event.id) for event in spec.events],
        header=[ContextMember(member.declaration, comment) for member, comment in HEADER],
        ring=RING,
        ring_pages=RING_PAGES,
        lost=LOST,
        probes=probes,
        pids=spec.pids,
        exclude_pid=own_pid or spec.exclude_pid,
        excluded="tpkit" if own_pid is None else "the script",
        namespace=spec.pid_namespace,
        comm_size=COMM_SIZE,
        comm_bytes=c_characters(spec.comm),
        filters=filters,
        filter_texts=TEXTS,
        filter_buffer=BUFFER,
        filtered=FILTERED,
    )


# ------------------------------------------------------------------ the statements of one column


def _statements(source: Source, context: ContextStruct) -> tuple[str, ...]:
    """C that fills the record's members of one column."""
    value = value_statement(source, context, f"event->{source.column.value.name}")
    column, field = source.column, source.access.field
    if column.size is None or column.text is None:
        return (value,)
    size, text = f"event->{column.size.name}", f"event->{column.text.name}"
    address = text_address(source, f"event->{column.value.name}")
    if column.capture is Capture.USER_STRING:
        return value, f"{size} = bpf_probe_read_user_str({text},", f"\t\tsizeof({text}), {address});"
    if column.capture is Capture.KERNEL_STRING or field.type.is_text:
        return value, f"{size} = bpf_probe_read_kernel_str({text},", f"\t\tsizeof({text}), {address});"
    return (value, *_bytes_statements(f"event->{column.value.name}", size, text, address))


def _bytes_statements(value: str, size: str, text: str, address: str) -> tuple[str, ...]:
    """Bytes of a length that the location tells: as many as there is room for, and the whole length."""
    return (
        "{",
        f"\t__u32 length = {value} >> 16;",
        "",
        f"\t{size} = length;",
        f"\tif (length > sizeof({text}))",
        f"\t\tlength = sizeof({text});",
        f"\tif (bpf_probe_read_kernel({text}, length, {address}))",
        f"\t\t{size} = -14;",  # -EFAULT, as the string helpers say it
        "}",
    )
