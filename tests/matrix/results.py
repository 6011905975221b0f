"""What a check found out, and how it gets from the machine to us: as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any


class Status(StrEnum):
    """How a check went. Skipped: it can't be made on this kernel or machine, and its cell says why."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One cell of the table: cell: a few words or numbers; details: lines, what failed and how."""

    status: Status
    cell: str
    details: tuple[str, ...] = ()
    seconds: float = 0.0

    @classmethod
    def of(cls, good: bool, cell: str, *details: str) -> Result:
        """OK or failed."""
        return cls(Status.OK if good else Status.FAILED, cell, details)

    @classmethod
    def failed(cls, cell: str, *details: str) -> Result:
        """Failed."""
        return cls(Status.FAILED, cell, details)

    @classmethod
    def skipped(cls, why: str) -> Result:
        """Not possible here."""
        return cls(Status.SKIPPED, "n/a", (why,))

    @property
    def is_red(self) -> bool:
        """Whether the matrix fails with it."""
        return self.status is Status.FAILED

    def lasting(self, seconds: float) -> Result:
        """The same with its time."""
        return replace(self, seconds=round(seconds, 1))

    def as_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            "status": self.status.value,
            "cell": self.cell,
            "details": list(self.details),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Result:
        """Raises KeyError, TypeError and ValueError for what isn't one."""
        details = tuple(str(line) for line in found["details"])
        return cls(Status(found["status"]), str(found["cell"]), details, float(found["seconds"]))


@dataclass(frozen=True, slots=True)
class GuestReport:
    """What one run of ``guest`` has to say so far. uptime: the kernel's age in seconds when it began."""

    release: str
    uptime: float
    results: Mapping[str, Result] = field(default_factory=dict)
    finished: bool = False

    def write(self, path: Path) -> None:
        """Replaces the file in one step: who reads it never sees a half of it."""
        document = {
            "release": self.release,
            "uptime": self.uptime,
            "finished": self.finished,
            "results": {name: result.as_json() for name, result in self.results.items()},
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(document, indent=1) + "\n")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> GuestReport:
        """Raises OSError when there is none, ValueError when it isn't one."""
        try:
            found = json.loads(path.read_text())
            results = {name: Result.from_json(each) for name, each in found["results"].items()}
            return cls(str(found["release"]), float(found["uptime"]), results, found["finished"] is True)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no report: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Report:
    """A row of the table. boot: whether the machine came up and went its whole way; console: its last words."""

    kernel: str
    release: str
    boot: Result
    results: Mapping[str, Result]
    seconds: float
    console: tuple[str, ...] = ()

    def cells(self, titles: tuple[str, ...]) -> tuple[Result, ...]:
        """The results in the columns' order; one that is missing is a failure, whatever the reason."""
        return tuple(self.results.get(title, Result.failed("missing")) for title in titles)

    @property
    def was_run(self) -> bool:
        """Whether there was a kernel to run."""
        return self.boot.status is not Status.SKIPPED

    def is_red(self, titles: tuple[str, ...]) -> bool:
        """Whether anything failed."""
        return self.boot.is_red or any(cell.is_red for cell in self.cells(titles))

    def as_json(self, titles: tuple[str, ...]) -> dict[str, Any]:
        """As an object; what is missing is in it as a failure."""
        return {
            "release": self.release,
            "ok": self.was_run and not self.is_red(titles),
            "seconds": round(self.seconds, 1),
            "boot": self.boot.as_json(),
            "checks": {title: cell.as_json() for title, cell in zip(titles, self.cells(titles), strict=True)},
            "console": list(self.console),
        }


def merged(reports: list[Report], titles: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """All rows as one document."""
    return {
        "ok": bool(reports) and not any(report.is_red(titles) or not report.was_run for report in reports),
        "seconds": round(seconds, 1),
        "kernels": {report.kernel: report.as_json(titles) for report in reports},
    }
