"""Every option, defined once and shared by the commands that take it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tpkit.cli.completion import complete_event
from tpkit.program import DEFAULT_STRING_SIZE, MAX_STRING_SIZE


class NameSource(StrEnum):
    """Where ``list`` takes names from."""

    TRACEFS = "tracefs"
    BPFTRACE = "bpftrace"


class OutputFormat(StrEnum):
    """How ``trace`` writes events."""

    TEXT = "text"
    JSON = "json"


class Section(StrEnum):
    """How libbpf's programs name their tracepoint."""

    TRACEPOINT = "tracepoint"
    TP = "tp"


class Target(StrEnum):
    """What programs are generated for."""

    BCC = "bcc"
    LIBBPF = "libbpf"
    BPFTRACE = "bpftrace"


Patterns = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATTERN]...",
        help="Words, globs ('sched:*'), names (c:n, c/n, t:c:n); commas separate, ! excludes.",
        autocompletion=complete_event,
    ),
]
Events = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENT...",
        help="Names (syscalls:sys_enter_unlinkat, or sys_enter_unlinkat), categories, globs.",
        autocompletion=complete_event,
    ),
]
TracefsFolder = Annotated[
    Path | None,
    typer.Option(
        "--tracefs", metavar="DIR", envvar="TPKIT_TRACEFS", help="Read this copy of a tracefs, not the kernel's."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Regex = Annotated[bool, typer.Option("-r", "--regex", help="Patterns are regular expressions on category:name.")]
FieldWord = Annotated[
    str | None, typer.Option("-F", "--field", metavar="WORD", help="Only events with a field whose name has WORD.")
]
Arguments = Annotated[bool, typer.Option("-v", "--verbose", help="Show each event's arguments.")]
Source = Annotated[
    NameSource | None, typer.Option("--from", help="Where names come from; tracefs, and bpftrace where that fails.")
]
Pids = Annotated[
    str | None,
    typer.Option("-p", "--pid", metavar="PID[,PID]", help="Only these processes; ends when they have ended."),
]
Comm = Annotated[str | None, typer.Option("--comm", metavar="NAME", help="Only threads of this name.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="[EVENT:]EXPR",
        help="Only events of which this is so: 'ret < 0', 'pathname ~ \"/tmp/*\"'. May be given again; all must be so.",
    ),
]
Duration = Annotated[
    float | None, typer.Option("-d", "--duration", metavar="SECONDS", min=0.001, help="End after this time.")
]
MaxEvents = Annotated[
    int | None, typer.Option("-M", "--max-events", metavar="EVENTS", min=1, help="End after so many events.")
]
Format = Annotated[OutputFormat, typer.Option("-f", "--format", help="Lines for people, or JSON, an object a line.")]
OutputFile = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write events to FILE.")]
StringSize = Annotated[
    int,
    typer.Option(
        "--string-size",
        metavar="BYTES",
        min=1,
        max=MAX_STRING_SIZE,
        help="Keep so many bytes of a string; a longer one is marked.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No header, and totals only when something was lost.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the generated program on stderr, then trace.")]
ShowProgram = Annotated[
    bool, typer.Option("--show-program", help="Print the generated program and end, without loading it.")
]
FormatPaths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Folders that hold files named 'format', at any depth, or such files."),
]
JsonReport = Annotated[bool, typer.Option("--json", help="The whole report as one JSON object.")]
Unevaluable = Annotated[
    bool, typer.Option("-v", "--verbose", help="Also list what in a print fmt no record can answer, and why.")
]
OutputFolder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write the files to DIR, which is made if needed.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace files of the same names that tpkit didn't write.")]
Portable = Annotated[
    bool,
    typer.Option("--portable", help="libbpf: find system calls' arguments on the kernel that it is loaded on (CO-RE)."),
]
SectionForm = Annotated[
    Section, typer.Option("--sec", help='libbpf: SEC("tracepoint/category/name"), or short: SEC("tp/category/name").')
]
Printk = Annotated[bool, typer.Option("--printk", help="libbpf: the shortest form, bpf_printk and a bare loader.")]
Pair = Annotated[
    bool, typer.Option("--pair", help="bpftrace: system calls as one line, with result and time, from both events.")
]
TargetOption = Annotated[Target, typer.Option("--target", help="What to generate programs for.")]
Words = Annotated[bool, typer.Option("-v", "--verbose", help="Show all that the compiler and the verifier said.")]

STRING_SIZE = DEFAULT_STRING_SIZE
