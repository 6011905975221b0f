"""``tpkit trace``: events as they happen."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tpkit.cli import options
from tpkit.cli.options import STRING_SIZE, OutputFormat
from tpkit.cli.show import say, write
from tpkit.cli.start import end_interrupted

if TYPE_CHECKING:
    from tpkit.program import Program
    from tpkit.runtime.session import Session, Totals
    from tpkit.sinks.base import Sink
    from tpkit.sinks.output import Output

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def trace(
    events: options.Events,
    pid: options.Pids = None,
    comm: options.Comm = None,
    filters: options.Filters = None,
    duration: options.Duration = None,
    max_events: options.MaxEvents = None,
    output_format: options.Format = OutputFormat.TEXT,
    output: options.OutputFile = None,
    string_size: options.StringSize = STRING_SIZE,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    show_program: options.ShowProgram = False,
) -> None:
    """Show events as they happen, with their arguments by name. Ctrl-C ends it.

    \b
    tpkit trace syscalls:sys_enter_unlinkat
    tpkit trace sys_enter_unlinkat sys_exit_unlinkat --comm rm
    tpkit trace sys_enter_openat -p 1234 -d 10 -f json -o opens.jsonl
    tpkit trace sched:sched_process_exec -M 5
    tpkit trace sys_enter_openat sys_exit_openat --filter 'sys_exit_openat: ret < 0'
    tpkit trace sys_enter_openat --show-program

    Totals, with what was lost, go to stderr at the end. What a program passes to a system call can be
    changed by it before the kernel reads it: an observation, not evidence.
    """
    from tpkit.cli.request import chosen_events, probe_spec  # heavy imports, which help needn't wait for
    from tpkit.codegen.bcc import generate_bcc

    spec = probe_spec(chosen_events(events), pid, comm, string_size, filters=filters, exclude_pid=os.getpid())
    program = generate_bcc(spec)
    if show_program:
        write(program.source)
        return
    if verbose:
        sys.stderr.write(program.source)
    with _open_output(output) as out:
        session = _session(program, out, duration, max_events, spec.pids)
        try:
            _run(session, program, _sink(out, output_format, header=not quiet), quiet=quiet)
        finally:
            if session.has_begun:
                _say_totals(session.totals, quiet=quiet)


def _open_output(path: Path | None) -> Output:
    from tpkit.sinks.output import Output

    return Output.stdout() if path is None else Output.file(path)


def _sink(output: Output, form: OutputFormat, *, header: bool) -> Sink:
    from tpkit.decode.clock import Clock
    from tpkit.sinks.jsonlines import JsonLinesSink
    from tpkit.sinks.text import TextSink

    if form is OutputFormat.JSON:
        return JsonLinesSink(output, Clock.now())
    return TextSink(output, Clock.now(), header=header)


def _session(
    program: Program, out: Output, duration: float | None, max_events: int | None, pids: tuple[int, ...]
) -> Session:
    from tpkit.runtime.bcc_runtime import BccRuntime
    from tpkit.runtime.session import Session

    hang_up = out.descriptor if out.is_pipe() else None
    return Session(
        program, BccRuntime(), duration=duration, max_events=max_events, pids=pids, hang_up=hang_up
    )


def _run(session: Session, program: Program, sink: Sink, *, quiet: bool) -> None:
    """A session from begin to end, whatever ends it."""
    from tpkit.sinks.output import ReaderGone

    with _ended_by_signals(session), suppress(ReaderGone), session:
        if not quiet:
            say(f"tracing {_named(program)}; Ctrl-C ends it")
        sink.begin()
        for delivery in session:
            sink.lost([(p.tracepoint, n) for p, n in zip(program.probes, delivery.lost, strict=True) if n])
            if len(delivery.batch):
                sink.write(delivery.batch)


@contextmanager
def _ended_by_signals(session: Session) -> Iterator[None]:
    """The first signal ends the session, a second one breaks off."""

    def end(number: int, frame: FrameType | None) -> None:
        if session.is_stopping:
            end_interrupted(number, frame)
        session.stop()

    before = {number: signal.signal(number, end) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(program: Program) -> str:
    names = [str(probe.tracepoint) for probe in program.probes]
    return names[0] if len(names) == 1 else f"{len(names)} events"


def _say_totals(totals: Totals, *, quiet: bool) -> None:
    lost = sum(totals.lost)
    if quiet and not lost:
        return
    delivered = sum(totals.delivered)
    account = f"{lost} lost (ring buffer full)" if lost else "none lost"
    say(f"{delivered} event{'' if delivered == 1 else 's'} in {totals.seconds:.1f} s, {account}")
