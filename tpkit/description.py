"""Everything that a person looks up before using a tracepoint, as one value.

The section names for libbpf, the context struct and what BTF says of it, each field with its
``args[n]`` and whether a BPF program may read it, when to use the event, its print fmt. Pure: the
format and the BTF are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tpkit.btf import Btf, BtfError, context_struct, enum_values
from tpkit.context import Access, accesses, prototype
from tpkit.errors import FormatError
from tpkit.model import EventFormat
from tpkit.print_fmt import LOCAL, Decoding, decodings, unevaluable


@dataclass(frozen=True, slots=True)
class Context:
    """The struct that a program takes for its context.

    structs: without ``struct``; several where BTF has some with the very same members; verified: None
    without BTF, else whether BTF has them and agrees with the format file; notes: what to know.
    """

    structs: tuple[str, ...]
    verified: bool | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """One tracepoint, explained.

    sections: for ``SEC("…")``, the long name first; tables: names for numbers, from the print fmt;
    unevaluable: what in the print fmt no record can answer, and why.
    """

    event: EventFormat
    prototype: str
    sections: tuple[str, ...]
    context: Context
    accesses: tuple[Access, ...]
    usage: str
    tables: tuple[Decoding, ...] = ()
    unevaluable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "event": str(self.event.id),
            "category": self.event.id.category,
            "name": self.event.id.name,
            "id": self.event.number,
            "prototype": self.prototype,
            "sections": list(self.sections),
            "context": {
                "structs": [f"struct {name}" for name in self.context.structs],
                "verified_by_btf": self.context.verified,
                "notes": list(self.context.notes),
            },
            "fields": [_field_dict(access) for access in self.accesses],
            "tables": [_table_dict(table) for table in self.tables],
            "unevaluable": list(self.unevaluable),
            "usage": self.usage,
            "print_fmt": self.event.print_fmt,
        }


def describe_event(event: EventFormat, btf: Btf | None) -> Description:
    """The description of an event. btf: the kernel's that the format came from, None without one."""
    tables, unknown = _print_fmt_facts(event, btf)
    return Description(
        event=event,
        prototype=prototype(event),
        sections=(f"tracepoint/{event.id.category}/{event.id.name}", f"tp/{event.id.category}/{event.id.name}"),
        context=_context(event, btf),
        accesses=accesses(event),
        usage=_usage(event),
        tables=tables,
        unevaluable=unknown,
    )


def _print_fmt_facts(event: EventFormat, btf: Btf | None) -> tuple[tuple[Decoding, ...], tuple[str, ...]]:
    """The tables of the print fmt, and what in it no record can answer."""
    machine = replace(LOCAL, names=enum_values(btf))
    try:
        return decodings(event, machine), tuple(f"{d.source}: {d.reason}" for d in unevaluable(event, machine))
    except FormatError as error:
        return (), (f"print fmt: {error.what}",)


def _context(event: EventFormat, btf: Btf | None) -> Context:
    if btf is None:
        return Context((_rule(event),), None, ("by the naming rule; no BTF to check it against",))
    try:
        found = context_struct(btf, event)
    except BtfError as error:
        return Context((_rule(event),), None, (f"by the naming rule; the kernel's BTF can't be read: {error}",))
    if not found.structs:
        return Context((), False, ("this kernel's BTF has no struct for it",))
    if found.disagreements:
        return Context(found.names, False, found.disagreements)
    if len(found.structs) > 1:
        return Context(found.names, True, ("these structs have the very same members",))
    return Context(found.names, True)


def _rule(event: EventFormat) -> str:
    if event.id.is_syscall_enter:
        return "trace_event_raw_sys_enter"
    if event.id.is_syscall_exit:
        return "trace_event_raw_sys_exit"
    return f"trace_event_raw_{event.id.name}"


def _usage(event: EventFormat) -> str:
    call = event.id.syscall
    if event.id.is_syscall_enter:
        return (
            f"Fires when {call}() is entered: use it for what the caller asks for. The result is in "
            f"sys_exit_{call}. Memory that an argument points to may not be resident yet, and may change "
            "before the kernel reads it."
        )
    if event.id.is_syscall_exit:
        return (
            f"Fires when {call}() returns: use it for the result; a negative ret is -errno. The arguments are "
            f"in sys_enter_{call}: keep them in a map by thread to have both. Calls that never return have no exit."
        )
    return "Fires where the kernel's code reaches it."


def _table_dict(table: Decoding) -> dict[str, Any]:
    return {
        "field": table.field,
        "expression": table.source,
        "flags": table.is_flags,
        "delimiter": table.delimiter,
        "entries": [{"value": number, "source": source, "text": text} for number, source, text in table.shown],
    }


def _field_dict(access: Access) -> dict[str, Any]:
    field = access.field
    return {
        "name": field.name,
        "type": field.type.text,
        "declaration": field.declaration,
        "offset": field.offset,
        "size": field.size,
        "signed": field.signed,
        "common": field.common,
        "argument": access.argument,
        "bpf_readable": access.readable,
        "reason": access.refusal,
    }
