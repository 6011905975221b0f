"""``tpkit doctor``: what tpkit needs of this machine, what is missing, and what to do."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tpkit.cli.show import write

if TYPE_CHECKING:
    from tpkit.doctor import Check, Report

JsonObject = Annotated[bool, typer.Option("--json", help="The whole report as one JSON object.")]

_COLOURS = {"ok": "32", "limited": "33", "missing": "31"}
_STATUS_WIDTH = len("missing")


def doctor(json_object: JsonObject = False) -> None:
    """Look at this machine: what tpkit needs, whether it is there, and what to do if not.

    Needs no root: it shows what tpkit would have, run in the same way. Nothing is changed.

    Exit status: 0 trace can work, 1 something is in its way.
    """
    from tpkit.doctor import examine, gather  # help needn't wait for them

    report = examine(gather())
    write(json.dumps(report.to_dict()) + "\n" if json_object else report_text(report, colour=_in_colour()))
    if not report.ok:
        raise typer.Exit(1)


def _in_colour() -> bool:
    """For a person, who hasn't said otherwise (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def report_text(report: Report, *, colour: bool) -> str:
    """A line for each check, what to do below it, and what comes of it all for trace."""
    from tpkit.decode.text import safe

    width = max(len(check.name) for check in report.checks)
    lines = [
        f"kernel {safe(report.kernel)}",
        *(line for check in report.checks for line in _lines(check, width, colour)),
    ]
    return "".join(f"{line}\n" for line in [*lines, _verdict(report)])


def _lines(check: Check, width: int, colour: bool) -> list[str]:
    """Status, name and detail; the remedy below the detail."""
    from tpkit.decode.text import safe

    status = f"{check.status.value:{_STATUS_WIDTH}}"
    if colour:
        status = f"\033[{_COLOURS[check.status.value]}m{status}\033[0m"
    lines = [f"{status}  {check.name:{width}}  {safe(check.detail)}"]
    if check.remedy:
        lines.append(f"{'':{_STATUS_WIDTH}}  {'':{width}}    {safe(check.remedy)}")
    return lines


def _verdict(report: Report) -> str:
    if report.ok:
        return "trace: nothing that it needs is missing"
    return f"trace: can't work here, see {', '.join(check.name for check in report.in_the_way)}"
