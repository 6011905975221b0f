"""The shortest program for libbpf: ``bpf_printk`` and a loader that only waits.

What it prints goes to the trace pipe, for all to read, and is neither counted nor decoded: good for
learning and for a quick look.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.btf import Btf
from tpkit.codegen.c_types import print_format, spelled_type
from tpkit.codegen.columns import Source
from tpkit.codegen.context_struct import ContextMember, left_out_members
from tpkit.codegen.generated import GeneratedFile, program_name, refuse_filters
from tpkit.codegen.libbpf import LibbpfOptions
from tpkit.codegen.libbpf_context import LibbpfContext, describe_context, libbpf_context
from tpkit.codegen.names import c_characters, c_string, comment_text, unique
from tpkit.codegen.probes import ProbePlan, plan_probes
from tpkit.codegen.templates import render_template
from tpkit.context import prototype
from tpkit.program import ProbeSpec
from tpkit.record import COMM_SIZE, Capture, Display

STACK = 384  # bytes for strings, of the 512 that a BPF program has
MOST_VALUES = 3  # of bpf_trace_printk(); one string among them in Linux 5.10 (bpf_trace.c)

_LOCALS = frozenset({"ctx", "id", "comm"})


@dataclass(frozen=True, slots=True)
class PrintkProbe:
    """What the template says of one probe."""

    title: str
    section: str
    prototype: str
    function: str
    context: LibbpfContext
    context_words: str
    left_out: tuple[ContextMember, ...]
    buffers: tuple[str, ...]
    statements: tuple[str, ...]

    @property
    def reads_context(self) -> bool:
        """Whether there is anything in the context that it uses."""
        return any("ctx" in statement for statement in self.statements)


def generate_printk(
    spec: ProbeSpec, btf: Btf | None, options: LibbpfOptions | None = None
) -> tuple[GeneratedFile, ...]:
    """The files of the short form; parameters as for ``generate_libbpf``."""
    refuse_filters(spec, "libbpf")
    name = program_name(spec)
    probes = [_probe(plan, spec.script_string_size, btf, options or LibbpfOptions()) for plan in plan_probes(spec)]
    values = {
        "program": name,
        "titles": [probe.title for probe in probes],
        "probes": probes,
        "pids": spec.pids,
        "comm_size": COMM_SIZE,
        "comm_bytes": c_characters(spec.comm),
        "printk": True,
    }
    files = {
        f"{name}.bpf.c": "libbpf/printk.bpf.c.j2",
        f"{name}.c": "libbpf/printk.c.j2",
        "Makefile": "libbpf/Makefile.j2",
        "README.md": "libbpf/README.md.j2",
    }
    return tuple(GeneratedFile(file, render_template(template, **values)) for file, template in files.items())


def _probe(plan: ProbePlan, string_size: int, btf: Btf | None, options: LibbpfOptions) -> PrintkProbe:
    event = plan.event
    context = libbpf_context(event, btf, own_name=plan.context_name, portable=options.portable)
    strings = sum(_is_string(source) and source.column.capture is not Capture.BYTES for source in plan.sources)
    body = _Body(context, min(string_size + 1, STACK // max(strings, 1)))
    for source in plan.sources:
        body.add(source)
    section = "tp" if options.short_section else "tracepoint"
    return PrintkProbe(
        title=str(event.id),
        section=c_string(f"{section}/{event.id.category}/{event.id.name}"),
        prototype=comment_text(prototype(event)),
        function=plan.function,
        context=context,
        context_words=describe_context(context),
        left_out=(*left_out_members(event), *body.left_out),
        buffers=tuple(body.buffers),
        statements=(*body.reads, *body.prints(event.id.syscall or event.id.name)),
    )


def _is_string(source: Source) -> bool:
    return source.column.display is Display.TEXT


class _Body:
    """The inside of a probe's function: strings into buffers, then everything to the trace pipe."""

    def __init__(self, context: LibbpfContext, string_size: int) -> None:
        self.buffers: list[str] = []
        self.reads: list[str] = []
        self.left_out: list[ContextMember] = []
        self._values: list[tuple[str, str]] = []
        self._context = context
        self._string_size = string_size
        self._taken = set(_LOCALS)

    def add(self, source: Source) -> None:
        """One more field."""
        column, path = source.column, self._context.path(source.access.field)
        if path is None:
            self._leave_out(source, "not aligned to its size")
        elif column.display is Display.TEXT:
            self._add_string(source, f"ctx->{path}")
        elif column.capture is Capture.VALUE:
            self._add_number(source, f"ctx->{path}")
        else:
            self._leave_out(source, "bytes, which bpf_printk can't show")

    def _leave_out(self, source: Source, why: str) -> None:
        self.left_out.append(ContextMember(comment_text(source.access.field.declaration), why))

    def _add_number(self, source: Source, value: str) -> None:
        column, field = source.column, source.access.field
        if column.display is Display.POINTER:
            self._values.append((f"{column.label}=0x%llx", f"(unsigned long long){value}"))
            return
        conversion, cast = print_format(column.value.scalar)
        if source.access.argument is not None:
            cast = f"({spelled_type(field, column.value)})" if column.value.scalar.size < 8 else cast
        self._values.append((f"{column.label}={conversion}", f"{cast}{value}"))

    def _add_string(self, source: Source, value: str) -> None:
        column = source.column
        name = unique(column.value.name, self._taken)
        size = column.field.size if column.capture is Capture.BYTES else self._string_size
        self.buffers.append(f"char {name}[{min(size, self._string_size)}] = {{}};")
        memory = "user" if column.capture is Capture.USER_STRING else "kernel"
        self.reads.append(f"bpf_probe_read_{memory}_str({name}, sizeof({name}), {_address(source, value)});")
        self._values.append((f"{column.label}=%s", name))

    def prints(self, title: str) -> list[str]:
        """Calls of bpf_printk, each with no more values than the helper takes, one string among them."""
        lines: list[list[tuple[str, str]]] = [[]]
        for value in self._values:
            strings = sum(text.endswith("%s") for text, _ in (*lines[-1], value))
            if len(lines[-1]) == MOST_VALUES or strings > 1:
                lines.append([])
            lines[-1].append(value)
        return [_print(title, line) for line in lines]


def _address(source: Source, value: str) -> str:
    """Where a string is: behind a pointer, at a location, or in the context itself."""
    match source.column.capture:
        case Capture.USER_STRING:
            return f"(const char *){value}"
        case Capture.KERNEL_STRING:
            return f"(void *){value}"
        case Capture.DATA_LOC:
            return f"(char *)ctx + ({value} & 0xffff)"
        case Capture.REL_LOC:
            return f"(char *)ctx + {source.access.field.end} + ({value} & 0xffff)"
        case _:
            return value


def _print(title: str, values: list[tuple[str, str]]) -> str:
    text = c_string(" ".join([f"{title}:", *(text for text, _ in values)]))
    return f"bpf_printk({', '.join([text, *(expression for _, expression in values)])});"
