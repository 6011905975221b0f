"""Every option, defined once and shared by the commands that take it."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tpkit.cli.completion import complete_event
from tpkit.program import DEFAULT_BUFFER_SIZE, MAX_STRING_SIZE, SCRIPT_STRING_SIZE


class NameSource(StrEnum):
    """Where ``list`` takes names from."""

    TRACEFS = "tracefs"
    BPFTRACE = "bpftrace"


class OutputFormat(StrEnum):
    """How ``trace`` writes events."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    RECORDS = "records"


class OnLoss(StrEnum):
    """What ``trace`` does when events were lost."""

    GO_ON = "go-on"
    EXIT = "exit"


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
TracedEvents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="EVENT... [-- COMMAND...]",
        help="Names (syscalls:sys_enter_unlinkat, sys_enter_unlinkat), system calls (unlinkat), categories, globs. "
        "A command is started, and traced with all that it starts.",
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


def _no_nan(value: float | None) -> float | None:
    """Which is neither below a range nor above it."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is no number.")
    return value


MAX_DURATION = 1e9  # seconds: 31 years
Duration = Annotated[
    float | None,
    typer.Option(
        "-d",
        "--duration",
        metavar="SECONDS",
        min=0.001,
        max=MAX_DURATION,
        callback=_no_nan,
        help="End after this time.",
    ),
]
MaxEvents = Annotated[
    int | None, typer.Option("-M", "--max-events", metavar="EVENTS", min=1, help="End after so many events.")
]
Format = Annotated[OutputFormat, typer.Option("-f", "--format", help="Lines for people, or JSON, an object a line.")]
OutputFile = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write events to FILE.")]
StringSize = Annotated[
    int | None,
    typer.Option(
        "--string-size",
        metavar="BYTES",
        min=1,
        max=MAX_STRING_SIZE,
        help="Keep so many bytes of a string; a longer one is marked. "
        f"[default: {MAX_STRING_SIZE}, {DEFAULT_BUFFER_SIZE} of buffers; {SCRIPT_STRING_SIZE} in generated programs]",
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
PairOrNot = Annotated[
    bool | None,
    typer.Option(
        "--pair/--no-pair",
        help="Entry and return of a system call as one event, or as two. [default: one where a pattern means both]",
        show_default=False,
    ),
]
Failed = Annotated[bool, typer.Option("--failed", help="Only system calls that failed.")]
MinLatency = Annotated[
    str | None,
    typer.Option("--min-latency", metavar="TIME", help="Only system calls that took so long: 500us, 1ms, 2s."),
]
MoreEvents = Annotated[
    list[str] | None,
    typer.Option(
        "-e", "--event", metavar="EVENT", help="One more event; a --filter behind it is for this event.",
        autocompletion=complete_event,
    ),
]
Threads = Annotated[str | None, typer.Option("-t", "--tid", metavar="TID[,TID]", help="Only these threads.")]
User = Annotated[str | None, typer.Option("-u", "--user", metavar="USER", help="Only tasks of this user.")]
Cgroup = Annotated[
    Path | None,
    typer.Option("--cgroup", metavar="PATH", help="Only tasks in this cgroup or below it; below /sys/fs/cgroup."),
]
BufferSize = Annotated[
    str, typer.Option("--buffer-size", metavar="SIZE", help="Room for events that wait to be read: 64K to 1024M.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Numbers as numbers, without names for them.")]
LossPolicy = Annotated[
    OnLoss, typer.Option("--on-loss", help="exit: end when events were lost, with status 3.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Compile anew, and keep nothing for the next time.")]
TargetOption = Annotated[Target, typer.Option("--target", help="What to generate programs for.")]
Words = Annotated[bool, typer.Option("-v", "--verbose", help="Show all that the compiler and the verifier said.")]
