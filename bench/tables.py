"""Tables for people: a tracer a row, each number with its ratio to one tracer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOTHING = "-"  # not measured


@dataclass(frozen=True, slots=True)
class Column:
    """title: with the unit; form: of a number; has_ratio: whether ratios are shown beside it."""

    title: str
    form: str = "{:,.0f}"
    has_ratio: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """rows: each tracer's numbers, one for each column, None where there is none; notes: a word on a row.

    base: the tracer that ratios are to.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Mapping[str, Sequence[float | None]]
    base: str
    notes: Mapping[str, str]

    def value(self, tracer: str, column: int) -> float | None:
        """None where there is none."""
        return self.rows[tracer][column] if tracer in self.rows else None


def ratio(value: float | None, base: float | None) -> float | None:
    """None where it can't be told."""
    return None if value is None or not base else value / base


def markdown(table: Table) -> str:
    """The table in Markdown, aligned so that it can be read as it is."""
    titles = ["tracer", *(column.title for column in table.columns), "note"]
    lines = [[name, *_cells(table, name), table.notes.get(name, "")] for name in table.rows]
    if not table.notes:
        titles, lines = titles[:-1], [line[:-1] for line in lines]
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    numeric = range(1, len(table.columns) + 1)
    rule = ["-" * (width - 1) + ":" if i in numeric else "-" * width for i, width in enumerate(widths)]
    body = [_line(line, widths, numeric) for line in (titles, rule, *lines)]
    return "\n".join([f"### {table.title}", "", *body, ""])


def _cells(table: Table, name: str) -> list[str]:
    return [_cell(table, name, number) for number in range(len(table.columns))]


def _cell(table: Table, name: str, number: int) -> str:
    column, value = table.columns[number], table.value(name, number)
    if value is None:
        return NOTHING
    shown = column.form.format(value)
    times = ratio(value, table.value(table.base, number)) if column.has_ratio else None
    return shown if times is None else f"{shown} ({times:.2f})"


def _line(cells: Sequence[str], widths: Sequence[int], right: range) -> str:
    padded = (
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |".rstrip()
