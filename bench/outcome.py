"""What a measurement gives: tables for people, and everything it saw for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import LoadResult
from bench.tables import Table
from bench.trial import Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """records: JSON objects, one for each trial."""

    name: str
    tables: tuple[Table, ...]
    records: Sequence[dict[str, Any]]


def record(value: Trial | LoadResult) -> dict[str, Any]:
    """All of its fields; units as its class says."""
    return asdict(value)
