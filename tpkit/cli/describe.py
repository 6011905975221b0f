"""``tpkit describe``: what there is to know of a tracepoint, in one view."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from tpkit.cli import options
from tpkit.cli.list import open_catalog
from tpkit.cli.show import write
from tpkit.discover import resolve

if TYPE_CHECKING:
    from tpkit.context import Access
    from tpkit.description import Context, Description
    from tpkit.print_fmt import Decoding

WIDTH = 100
LABEL = 10
INDENT = " " * (LABEL + 2)


def describe(
    events: options.Events, json_lines: options.Json = False, tracefs: options.TracefsFolder = None
) -> None:
    """Show all there is to know of events: sections, context struct, fields, args[n], print fmt.

    \b
    tpkit describe syscalls:sys_enter_unlinkat
    tpkit describe sys_enter_unlinkat sys_exit_unlinkat --json
    tpkit describe --tracefs copy-of-another-machines-tracefs sched:sched_switch
    """
    from tpkit.description import describe_event  # help needn't wait for it

    catalog = open_catalog(tracefs)
    btf = catalog.btf()
    texts = []
    for event in catalog.events(resolve(catalog.ids(), events)):
        description = describe_event(event, btf)
        texts.append(json.dumps(description.to_dict()) + "\n" if json_lines else _text(description))
    write("".join(texts) if json_lines else "\n".join(texts))


def _text(description: Description) -> str:
    event = description.event
    lines = [
        f"{event.id}" + (f"  (id {event.number})" if event.number is not None else ""),
        f"  {description.prototype}",
        "",
        *_labelled("Sections", [f'SEC("{section}")' for section in description.sections]),
        *_labelled("Context", _context_lines(description.context)),
        *_labelled("When", textwrap.wrap(description.usage, WIDTH - len(INDENT))),
        "",
        *_table(description.accesses),
        "",
        *[line for table in description.tables for line in _names(table)],
        f"  print fmt: {event.print_fmt}",
        *[f"    not in the record: {each}" for each in description.unevaluable],
    ]
    return "".join(f"{line}\n" for line in _safe(lines))


def _safe(lines: list[str]) -> list[str]:
    from tpkit.decode.text import safe

    return [safe(line) for line in lines]


def _labelled(label: str, lines: list[str]) -> list[str]:
    return [f"  {label:<{LABEL}}{line}" if number == 0 else f"{INDENT}{line}" for number, line in enumerate(lines)]


def _context_lines(context: Context) -> list[str]:
    verdict = {None: "", True: "  (as in the kernel's BTF)", False: "  (BTF differs)"}[context.verified]
    return [*(f"struct {name}{verdict}" for name in context.structs), *context.notes]


def _table(accesses: tuple[Access, ...]) -> list[str]:
    names = max([len(a.field.name) for a in accesses] + [4])
    types = max([len(a.field.type.text) for a in accesses] + [4])
    head = f"  {'OFFSET':>6} {'SIZE':>4} SIGN  {'TYPE':<{types}} {'NAME':<{names}} BPF"
    return [head, *(_row(access, types, names) for access in accesses)]


def _names(table: Decoding) -> list[str]:
    """A table of the print fmt: the expression that it decodes, and its names."""
    kind = f"flags, {table.delimiter!r} between them" if table.is_flags else "one of"
    entries = [f"{_number(number, source)} {text}" for number, source, text in table.shown]
    wrapped = textwrap.wrap(", ".join(entries), WIDTH - 6, break_on_hyphens=False)
    return [f"  {_looked_up(table)}: {kind}", *(f"      {line}" for line in wrapped), ""]


def _number(number: int | None, source: str) -> str:
    if number is None:
        return source
    return str(number) if abs(number) < 10 else hex(number)


def _looked_up(table: Decoding) -> str:
    """What the table is about: the field, shifted and masked, or the C expression where it is more."""
    if not table.exact:
        return table.source
    shifted = f"({table.field} >> {table.shift})" if table.shift else table.field
    return shifted if table.mask is None else f"{shifted} & {hex(table.mask)}"


def _row(access: Access, types: int, names: int) -> str:
    field = access.field
    sign = {None: "?", True: "s", False: "u"}[field.signed]
    if access.refusal is not None:
        reach = f"no: {access.refusal}"
    elif access.argument is not None:
        reach = f"args[{access.argument}]"
    else:
        reach = "yes"
    return f"  {field.offset:>6} {field.size:>4} {sign:<5} {field.type.text:<{types}} {field.name:<{names}} {reach}"
