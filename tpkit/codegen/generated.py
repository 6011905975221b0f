"""What ``tpkit generate`` makes: files as data, and the names that they go by."""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.codegen.names import safe_identifier
from tpkit.errors import GenerateError
from tpkit.program import ProbeSpec


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """name: of the file, without a folder; executable: whether it is a program to be started."""

    name: str
    text: str
    executable: bool = False


def refuse_filters(spec: ProbeSpec, target: str) -> None:
    """A filter that a target can't have isn't left out in silence. Raises GenerateError."""
    if spec.filters:
        raise GenerateError(f"programs for {target} have no filters yet", remedy="BCC's have: --target bcc")


def program_name(spec: ProbeSpec) -> str:
    """An identifier for the whole: the system call or event that it is about, else what its events share."""
    ids = [event.id for event in spec.events]
    for names in ({each.syscall or each.name for each in ids}, {each.category for each in ids}):
        if len(names) == 1:
            return safe_identifier(names.pop(), set())
    return "events"
