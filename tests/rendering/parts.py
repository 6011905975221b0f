"""What the workload is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# One thing to do, in a child process of its own; given the workload's folder, its own folder is current.
# A step that this kernel or machine can't do raises OSError or SubprocessError.
Step = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Part:
    """Steps that are recorded together. floods: categories or events to leave out meanwhile."""

    name: str
    steps: tuple[Step, ...]
    floods: tuple[str, ...] = ()
