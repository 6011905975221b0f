"""Programs for libbpf: a folder that ``make`` builds, with a loader of its own.

``NAME.bpf.c`` runs in the kernel, ``NAME.c`` loads it and prints, ``NAME.h`` is the records that both
know. ``bpf_source`` alone is what ``tpkit verify`` compiles.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.btf import Btf
from tpkit.codegen.c_types import declared, spelled_type
from tpkit.codegen.columns import Source
from tpkit.codegen.context_struct import ContextMember, left_out_members
from tpkit.codegen.generated import GeneratedFile, program_name, refuse_filters
from tpkit.codegen.libbpf_context import LibbpfContext, describe_context, libbpf_context
from tpkit.codegen.names import c_characters, c_string, comment_text, unique
from tpkit.codegen.printing import Printing, printing
from tpkit.codegen.probes import ProbePlan, plan_probes
from tpkit.codegen.templates import render_template
from tpkit.context import prototype
from tpkit.program import ProbeSpec
from tpkit.record import COMM_SIZE, HEADER, Capture, Member
from tpkit.widths import width_of

RING_BYTES = 8 << 20  # as trace has it: a power of two, and a multiple of any page size

# Names that the template uses in each function.
_LOCALS = frozenset({"ctx", "id", "event", "comm", "events", "lost", "own_pid", "length"})


@dataclass(frozen=True, slots=True)
class LibbpfOptions:
    """portable: system calls' arguments by CO-RE from what the kernel really hands over; short_section:
    ``SEC("tp/…")``.
    """

    portable: bool = False
    short_section: bool = False


@dataclass(frozen=True, slots=True)
class LibbpfProbe:
    """What the templates say of one probe."""

    number: int
    title: str
    display_name: str
    section: str
    prototype: str
    function: str
    context: LibbpfContext
    context_words: str
    record_name: str
    record: tuple[Member, ...]
    left_out: tuple[ContextMember, ...]
    locals: tuple[str, ...]
    statements: tuple[str, ...]
    printing: Printing

    @property
    def constant(self) -> str:
        """The enumerator that is its number."""
        return f"PROBE_{self.record_name.removesuffix('_record').upper()}"

    @property
    def has_lengths(self) -> bool:
        """Whether a record has bytes of a length that the kernel tells."""
        return any("at_most(" in statement for statement in self.statements)


def generate_libbpf(
    spec: ProbeSpec, btf: Btf | None, options: LibbpfOptions | None = None
) -> tuple[GeneratedFile, ...]:
    """The files of a program for libbpf; btf: the target kernel's, None where nothing is known of it.

    Raises GenerateError for an event whose record is too large.
    """
    name = program_name(spec)
    values = _values(spec, btf, options or LibbpfOptions())
    files = {
        f"{name}.bpf.c": "libbpf/program.bpf.c.j2",
        f"{name}.c": "libbpf/program.c.j2",
        f"{name}.h": "libbpf/records.h.j2",
        "Makefile": "libbpf/Makefile.j2",
        "README.md": "libbpf/README.md.j2",
    }
    return tuple(GeneratedFile(file, render_template(template, **values)) for file, template in files.items())


def bpf_source(spec: ProbeSpec, btf: Btf | None, options: LibbpfOptions | None = None) -> str:
    """The kernel's side alone, with its records in it: one file that clang compiles beside vmlinux.h."""
    values = _values(spec, btf, options or LibbpfOptions())
    return render_template("libbpf/program.bpf.c.j2", **{**values, "one_file": True})


def _values(spec: ProbeSpec, btf: Btf | None, options: LibbpfOptions) -> dict[str, object]:
    refuse_filters(spec, "libbpf")
    probes = [_probe(plan, btf, options) for plan in plan_probes(spec)]
    return {
        "program": program_name(spec),
        "titles": [probe.title for probe in probes],
        "one_file": False,
        "printk": False,
        "header": [ContextMember(member.declaration, comment) for member, comment in HEADER],
        "ring_bytes": RING_BYTES,
        "string_size": spec.script_string_size,
        "probes": probes,
        "needs": frozenset(need for probe in probes for need in probe.printing.needs),
        "pids": spec.pids,
        "namespace": spec.pid_namespace,
        "comm_size": COMM_SIZE,
        "comm_bytes": c_characters(spec.comm),
    }


def _probe(plan: ProbePlan, btf: Btf | None, options: LibbpfOptions) -> LibbpfProbe:
    event = plan.event
    context = libbpf_context(event, btf, own_name=plan.context_name, portable=options.portable)
    body = _Body(context)
    for source in plan.sources:
        body.add(source)
    section = "tp" if options.short_section else "tracepoint"
    return LibbpfProbe(
        number=plan.number,
        title=str(event.id),
        display_name=c_string(event.id.name),
        section=c_string(f"{section}/{event.id.category}/{event.id.name}"),
        prototype=comment_text(prototype(event)),
        function=plan.function,
        context=context,
        context_words=describe_context(context),
        record_name=plan.record_name,
        record=tuple(plan.layout.members()),
        left_out=left_out_members(event),
        locals=tuple(body.locals),
        statements=tuple(body.statements),
        printing=printing(plan),
    )


class _Body:
    """The inside of a probe's function: a system call's arguments by name, then the record's members."""

    def __init__(self, context: LibbpfContext) -> None:
        self.locals: list[str] = []
        self.statements: list[str] = []
        self._context = context
        self._taken = set(_LOCALS)

    def add(self, source: Source) -> None:
        """One more column."""
        column = source.column
        value = self._read(source)
        if column.size is None or column.text is None:
            return
        size, text = f"event->{column.size.name}", f"event->{column.text.name}"
        if column.capture is Capture.USER_STRING:
            self._add_string("user", size, text, value)
        elif column.capture is Capture.KERNEL_STRING:
            self._add_string("kernel", size, text, f"(void *){value}")
        elif column.field.type.is_text:
            self._add_string("kernel", size, text, self._address(source))
        else:
            self.statements += _bytes_statements(f"event->{column.value.name}", size, text, self._address(source))

    def _read(self, source: Source) -> str:
        """Statements for the value itself; the expression that it has afterwards."""
        column, field = source.column, source.access.field
        target = f"event->{column.value.name}"
        path = self._context.path(field)
        if source.access.argument is not None and path is not None:
            return self._argument(source, path)
        if column.capture is Capture.BYTES:
            place = self._place(source)
            self.statements.append(f"bpf_probe_read_kernel({target}, sizeof({target}), {place});")
        elif path is None:
            self.statements.append(f"bpf_probe_read_kernel(&{target}, sizeof({target}), {self._place(source)});")
        else:
            # What isn't known to be a number may be a typedef of a pointer (fl_owner_t).
            is_number = width_of(field.type) is not None and not field.type.is_pointer
            cast = "" if is_number or field.type.is_dynamic else f"({column.value.scalar.c_name})"
            self.statements.append(f"{target} = {cast}ctx->{path};")
        return target

    def _argument(self, source: Source, path: str) -> str:
        """A local variable of the argument's own name and type."""
        column, field = source.column, source.access.field
        ctype = spelled_type(field, column.value)
        name = unique(column.value.name, self._taken)
        self.locals.append(f"{declared(ctype, name)} = ({ctype})ctx->{path};")
        cast = "(__u64)" if ctype.endswith("*") else ""
        self.statements.append(f"event->{column.value.name} = {cast}{name};")
        return name if ctype.endswith("*") else f"(void *){name}"

    def _place(self, source: Source) -> str:
        """Where the field's own bytes are."""
        field = source.access.field
        path = self._context.path(field)
        if path is None:
            return f"(char *)ctx + {field.offset}"
        return f"ctx->{path}" if field.type.is_array else f"&ctx->{path}"

    def _address(self, source: Source) -> str:
        """Where the bytes are that a location leads to."""
        value = f"event->{source.column.value.name}"
        if source.column.capture is Capture.REL_LOC:
            return f"(char *)ctx + {source.access.field.end} + ({value} & 0xffff)"
        return f"(char *)ctx + ({value} & 0xffff)"

    def _add_string(self, memory: str, size: str, text: str, address: str) -> None:
        helper = f"bpf_probe_read_{memory}_str"
        self.statements += [f"{size} = {helper}({text},", f"\tsizeof({text}), {address});"]


def _bytes_statements(value: str, size: str, text: str, address: str) -> list[str]:
    """Bytes of a length that the location tells: as many as there is room for, and the whole length."""
    return [
        f"{size} = {value} >> 16;",
        f"if (bpf_probe_read_kernel({text}, at_most({size}, sizeof({text})), {address}))",
        f"\t{size} = -14;",  # -EFAULT, as the string helpers say it
    ]
