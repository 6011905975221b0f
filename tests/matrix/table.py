"""The table of all results, and the story behind what is red."""

from __future__ import annotations

from tests.matrix.results import Report, Result, Status

_MARKS = {Status.OK: "", Status.FAILED: "RED ", Status.SKIPPED: ""}


def render(reports: list[Report], titles: tuple[str, ...]) -> str:
    """Kernels down, columns across."""
    rows = [("kernel", "boot", *titles, "seconds")]
    rows += [
        (report.kernel, _cell(report.boot), *map(_cell, report.cells(titles)), f"{report.seconds:.0f}")
        for report in reports
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def explain(reports: list[Report], titles: tuple[str, ...]) -> str:
    """What is red and why, and what was skipped and why; the console's end where a machine died."""
    lines: list[str] = []
    for report in reports:
        for title, result in zip(("boot", *titles), (report.boot, *report.cells(titles)), strict=True):
            if result.status is not Status.OK:
                lines.append(f"{report.kernel}, {title}: {_cell(result)}")
                lines += [f"    {line}" for line in result.details]
        if report.boot.is_red and report.console:
            lines.append(f"{report.kernel}: the end of the console:")
            lines += [f"    {line}" for line in report.console]
    return "".join(f"{line}\n" for line in lines)


def _cell(result: Result) -> str:
    return f"{_MARKS[result.status]}{result.cell}"
