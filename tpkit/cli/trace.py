"""``tpkit trace``: events as they happen."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tpkit.cli import options
from tpkit.cli.options import OnLoss, OutputFormat
from tpkit.cli.show import say, write, write_words
from tpkit.cli.trace_arguments import TraceCommand, command_of
from tpkit.errors import UsageError

if TYPE_CHECKING:
    from tpkit.catalog import Catalog
    from tpkit.discover import Chosen
    from tpkit.runtime.command import Command

COMMAND_CLASS = TraceCommand

LOSSY = 3  # exit status, with --on-loss=exit


def trace(
    context: typer.Context,
    events: options.TracedEvents = None,
    more_events: options.MoreEvents = None,
    pid: options.Pids = None,
    tid: options.Threads = None,
    user: options.User = None,
    comm: options.Comm = None,
    cgroup: options.Cgroup = None,
    filters: options.Filters = None,
    pair: options.PairOrNot = None,
    failed: options.Failed = False,
    min_latency: options.MinLatency = None,
    duration: options.Duration = None,
    max_events: options.MaxEvents = None,
    output_format: options.Format = OutputFormat.TEXT,
    output: options.OutputFile = None,
    string_size: options.StringSize = None,
    buffer_size: options.BufferSize = "16M",
    raw: options.Raw = False,
    on_loss: options.LossPolicy = OnLoss.GO_ON,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    show_program: options.ShowProgram = False,
) -> None:
    """Show events as they happen, with their arguments by name. Ctrl-C ends it.

    \b
    tpkit trace syscalls:sys_enter_unlinkat
    tpkit trace unlinkat --failed                      # entry and return as one event
    tpkit trace 'syscalls:*' -o log -- make            # a command, and all that it starts
    tpkit trace openat read --min-latency 1ms -p 1234
    tpkit trace sys_enter_openat -p 1234 -d 10 -f json -o opens.jsonl
    tpkit trace -e openat --filter 'flags & O_CREAT' -e unlinkat --filter 'ret < 0'
    tpkit trace 'sched:*' --cgroup system.slice/cron.service -M 100
    tpkit trace sys_enter_openat --show-program

    A system call's own name (unlinkat), or a pattern that means both of its events (syscalls:*at), gives one event for
    each call, with its result and how long it took. Totals, with what was lost and why, go to stderr at the end. With
    -- COMMAND the exit status is the command's. What a program passes to a system call can be changed by it before the
    kernel reads it: an observation, not evidence.
    """
    from tpkit.cache_folder import CacheFolder  # heavy imports, which help needn't wait for
    from tpkit.cli.list import open_catalog
    from tpkit.cli.request import nanoseconds_of, numbers_of, size_of, user_of
    from tpkit.cli.trace_run import Ways, begun_compiler, run_trace
    from tpkit.host import pid_namespace
    from tpkit.program import DEFAULT_BUFFER_SIZE, DEFAULT_STRING_SIZE
    from tpkit.program_store import ProgramStore, Wanted

    catalog = open_catalog(None)

    command = command_of(context)
    if command and (pid or tid):
        raise UsageError(
            "which processes are traced is said twice: the command, and all that it starts, is",
            where="-p" if pid else "-t",
            remedy="leave it out, or trace them in another trace",
        )
    names = [*(events or ()), *(more_events or ())]
    with ExitStack() as stack:
        started = _start_command(command, stack) if command and not show_program else None
        wanted = Wanted(
            chosen=_chosen(catalog, names, pair),
            follow=bool(command),
            pids=numbers_of(pid, "-p"),
            tids=_threads(tid),
            exclude_pid=os.getpid(),
            uid=user_of(user),
            comm=None if comm is None else os.fsencode(comm),
            cgroup=cgroup is not None,
            pid_namespace=pid_namespace(),
            string_size=string_size or DEFAULT_STRING_SIZE,
            buffer_size=string_size or DEFAULT_BUFFER_SIZE,
            filters=tuple(filters or ()),
            failed=failed,
            min_latency=nanoseconds_of(min_latency),
            machine=os.uname().machine,
        )
        folder = None if no_cache else CacheFolder.of_user()
        program = ProgramStore(catalog, folder).program(wanted)
        if show_program:
            write(program.source)
            return
        if verbose:
            write_words(program.source)
        ways = Ways(
            program,
            wanted.pids,
            duration,
            max_events,
            output_format,
            output,
            cgroup,
            size_of(buffer_size),
            raw,
            quiet,
            on_loss is OnLoss.EXIT,
            begun_compiler(program, folder),
        )
        lossy = run_trace(ways, started)
        status = 0 if started is None else _status_of(started, quiet=quiet)
    raise typer.Exit(LOSSY if lossy and on_loss is OnLoss.EXIT else status)


def _threads(text: str | None) -> tuple[int, ...]:
    from tpkit.cli.request import numbers_of

    numbers = numbers_of(text, "-t")
    for number in numbers:
        if not Path("/proc", str(number)).exists():  # of threads too, though it doesn't list them: proc(5)
            raise UsageError(f"there is no thread {number}", where="-t", remedy="see ps -eL")
    return numbers


def _start_command(arguments: list[str], stack: ExitStack) -> Command:
    """The command, waiting; it is there before anything heavy is imported, and so has none of it."""
    from tpkit.host import pid_namespace
    from tpkit.runtime.command import Command

    if pid_namespace() is not None:
        raise UsageError(
            "a command can't be followed from within a PID namespace: the kernel's numbers for it aren't known there",
            where="--",
            remedy="run tpkit on the host, or start the command yourself and give -p",
        )
    return stack.enter_context(Command(arguments))


def _chosen(catalog: Catalog, names: list[str], pair: bool | None) -> Chosen:
    from tpkit.discover import resolve_calls

    if not names:
        raise UsageError("no event to trace", remedy="name one: tpkit trace unlinkat; see 'tpkit list'")
    return resolve_calls(catalog.ids(), names, pair=pair)


def _status_of(command: Command, *, quiet: bool) -> int:
    """The command's exit status, which may take longer than its trace did."""
    if not quiet and command.is_running():
        say("the trace is over, the command isn't; waiting for it")
    return command.wait()
