"""A trace as the command line wants it: the session, where its events go, signals, and what is said of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tpkit.cli.options import OutputFormat
from tpkit.cli.progress import Progress, Rate
from tpkit.cli.show import say
from tpkit.cli.start import end_interrupted

if TYPE_CHECKING:
    from tpkit.cache_folder import CacheFolder
    from tpkit.ledger import Ledger
    from tpkit.program import Program
    from tpkit.runtime.bcc_runtime import BccRuntime
    from tpkit.runtime.command import Command
    from tpkit.runtime.compiler import CachingCompiler
    from tpkit.runtime.session import Session
    from tpkit.sinks.base import Sink
    from tpkit.sinks.output import Output

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Ways:
    """How events get from the kernel to the user, as far as options say.

    program: what is run; ring_size in bytes; on_loss: whether a loss ends it.
    """

    program: Program
    pids: tuple[int, ...]
    duration: float | None
    max_events: int | None
    output_format: OutputFormat
    output: Path | None
    cgroup: Path | None
    ring_size: int
    raw: bool
    quiet: bool
    on_loss: bool
    compiler: CachingCompiler


def begun_compiler(program: Program, folder: CacheFolder | None) -> CachingCompiler:
    """At work on the program already."""
    from tpkit.runtime.compiler import CachingCompiler
    from tpkit.runtime.diagnose import check_privileges

    check_privileges()
    bar = Progress(len(program.sources), "parts compiled")

    def step(done: int, all_parts: int) -> None:
        bar.step(len(program.sources) - all_parts + done)
        if done == all_parts:
            bar.clear()

    compiler = CachingCompiler(folder, progress=step)
    compiler.begin(program.sources)
    return compiler


def run_trace(ways: Ways, command: Command | None) -> bool:
    """The trace from begin to end; whether somebody misses something."""
    # numpy would start threads for sums that nobody wants of it: 40 ms. The command has its environment already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tpkit.tracing import run

    with _open_output(ways.output) as out, _opened_cgroup(ways.cgroup) as cgroup:
        session = _session(ways, out, _runtime(ways, cgroup), command)
        rate = Rate() if ways.output is not None and not ways.quiet else None
        try:
            with _ended_by_signals(session, command), session:
                if not ways.quiet:
                    say(f"tracing {_named(ways.program)}; {'it ends' if command else 'Ctrl-C ends it'}"
                        + (" with the command" if command else ""))
                    _warn_of_interruption(ways.program)
                if command is not None:
                    _let_go(session, command)
                observe = None if rate is None else rate.show
                run(session, _sink(out, ways), observe=observe, end_on_loss=ways.on_loss)
        finally:
            if rate is not None:
                rate.clear()
            if session.has_begun:
                _say_totals(session.ledger, quiet=ways.quiet)
    return session.ledger.is_lossy


def _warn_of_interruption(program: Program) -> None:
    from tpkit.runtime.alone import INTERRUPTED, may_be_interrupted

    if any(hook.tracepoint.category == "syscalls" for hook in program.hooks) and may_be_interrupted():
        say(f"warning: system calls: {INTERRUPTED}; tpkit doctor says what helps")


def _let_go(session: Session, command: Command) -> None:
    command.get_ready()
    session.follow(command.pid)
    command.go()


def _open_output(path: Path | None) -> Output:
    from tpkit.sinks.output import Output

    return Output.stdout() if path is None else Output.file(path)


@contextmanager
def _opened_cgroup(path: Path | None) -> Iterator[int | None]:
    """A descriptor of a cgroup's folder. Raises UsageError for what is none."""
    if path is None:
        yield None
        return
    from tpkit.host import open_cgroup

    descriptor = open_cgroup(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sink(output: Output, ways: Ways) -> Sink:
    from tpkit.decode.clock import Clock
    from tpkit.decode.words import Wording

    clock, wording, layouts = Clock.now(), Wording(raw=ways.raw), ways.program.layouts
    match ways.output_format:
        case OutputFormat.JSON:
            from tpkit.sinks.jsonlines import JsonLinesSink

            return JsonLinesSink(output, clock, wording=wording)
        case OutputFormat.CSV:
            from tpkit.sinks.csvlines import CsvSink

            return CsvSink(output, clock, layouts, wording=wording)
        case OutputFormat.RECORDS:
            from tpkit.sinks.records import RecordsSink

            return RecordsSink(output, clock, layouts)
    if output.is_terminal():
        from tpkit.sinks.terminal import TerminalSink

        return TerminalSink(output, clock, header=not ways.quiet, wording=wording)
    from tpkit.sinks.text import TextSink

    return TextSink(output, clock, header=not ways.quiet, wording=wording)


def _runtime(ways: Ways, cgroup: int | None) -> BccRuntime:
    from tpkit.runtime.bcc_runtime import BccRuntime

    hooks = len(ways.program.hooks)
    bar = Progress(hooks, "probes attached")

    def step(done: int, _all: int) -> None:
        bar.step(done)
        if done == hooks:
            bar.clear()

    return BccRuntime(ring_size=ways.ring_size, cgroup=cgroup, compiler=ways.compiler, progress=step)


def _session(ways: Ways, out: Output, runtime: BccRuntime, command: Command | None) -> Session:
    from tpkit.runtime.session import Session

    return Session(
        ways.program,
        runtime,
        duration=ways.duration,
        max_events=ways.max_events,
        pids=ways.pids if command is None else (command.pid,),
        hang_up=out.descriptor if out.is_pipe() else None,
    )


@contextmanager
def _ended_by_signals(session: Session, command: Command | None) -> Iterator[None]:
    """The first signal ends the session, a second one breaks off, as does one before the session has begun.

    A command gets those that only we got. What we were started to ignore (by nohup, say) stays ignored.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if session.is_stopping or not session.has_begun:  # to compile, and to attach, may take half a minute
            end_interrupted(number, frame)
        session.stop()
        if command is not None and number != signal.SIGINT:  # the terminal sends SIGINT to both
            command.send(number)

    meant = [number for number in ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in meant}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(program: Program) -> str:
    return str(program.events[0]) if len(program.events) == 1 else f"{len(program.events)} events"


def _say_totals(ledger: Ledger, *, quiet: bool) -> None:
    from tpkit.sinks.totals import account_lines

    first, *others = account_lines(ledger)
    if quiet and not others and not ledger.all_lost:
        return
    for line in (first, *others):
        say(line)
