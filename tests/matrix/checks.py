"""What the matrix looks at: a column each. To add one, write its function and add a line to ``CHECKS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.matrix import (
    check_all_calls,
    check_calls,
    check_clean_up,
    check_command,
    check_drain,
    check_engine,
    check_filters,
    check_formats,
    check_ledger,
    check_left_over,
    check_live_suite,
    check_programs,
    check_reference,
    check_rendering,
    check_targets,
    check_userspace,
)
from tests.matrix.context import Context
from tests.matrix.results import Result

__all__ = ["CHECKS", "HARVEST", "Check", "Context", "titles"]


@dataclass(frozen=True, slots=True)
class Check:
    """A column. run: gives the cell; seconds: its time limit in an emulated machine.

    on_host: made outside, on what the run left in its folder: pure code says the same everywhere, and
    faster there. of_kernel: it looks at the kernel alone, so another userspace on the same kernel has
    nothing to add.
    """

    title: str
    run: Callable[[Context], Result]
    seconds: float = 300
    on_host: bool = False
    of_kernel: bool = False

    @property
    def file_name(self) -> str:
        """What its files are called."""
        return self.title.replace(" ", "-")


HARVEST = "events"

CHECKS = (
    Check("userspace", check_userspace.userspace),
    Check("list", check_reference.list_events),
    Check("describe", check_reference.describe),
    Check("trace", check_reference.trace),
    Check("demo", check_reference.demo),
    Check("drain", check_drain.drain),
    Check("verifier", check_programs.cross_section),
    Check("engine", check_engine.engine),
    Check("all calls", check_all_calls.all_calls, seconds=900),
    Check("calls", check_calls.calls),
    Check("filters", check_filters.filters),
    Check("ledger", check_ledger.ledger),
    Check("command", check_command.command),
    Check("clean-up", check_clean_up.clean_up),
    Check("bcc script", check_targets.bcc_script, seconds=600),
    Check("libbpf", check_targets.libbpf, seconds=600),
    Check("bpftrace", check_targets.bpftrace, seconds=600),
    Check("rendered", check_rendering.rendered),
    Check("live suite", check_live_suite.live, seconds=3600),
    Check("every event", check_live_suite.every_event, seconds=1800),
    Check("left over", check_left_over.left_over),
    # Last, as it loads modules: their tracepoints come and go with them, and not all of them are tame.
    Check(HARVEST, check_formats.harvest, of_kernel=True),
    Check("formats", check_formats.formats, on_host=True, of_kernel=True),
    Check("print fmts", check_formats.print_fmts, on_host=True, of_kernel=True),
)


def titles() -> tuple[str, ...]:
    """All columns."""
    return tuple(check.title for check in CHECKS)
