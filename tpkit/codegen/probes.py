"""The probes of a program, planned for every target alike: names, columns, records."""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.codegen.columns import Source, plan_columns
from tpkit.codegen.names import safe_identifier
from tpkit.errors import GenerateError
from tpkit.model import EventFormat
from tpkit.program import ProbeSpec
from tpkit.record import RecordLayout

# The ring buffer's own limit is far higher; a record of this size would hold 240 strings of 256 bytes.
MAX_RECORD = 1 << 16


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """One probe. number: its place in the program; name: an identifier, the event's where it can be."""

    number: int
    event: EventFormat
    name: str
    sources: tuple[Source, ...]
    layout: RecordLayout

    @property
    def function(self) -> str:
        """The function that the kernel runs."""
        return f"on_{self.name}"

    @property
    def context_name(self) -> str:
        """The struct that it gets, where the program declares its own."""
        return f"{self.name}_context"

    @property
    def record_name(self) -> str:
        """The struct that it emits."""
        return f"{self.name}_record"


def plan_probes(spec: ProbeSpec) -> tuple[ProbePlan, ...]:
    """A probe for each event; all records have the same stride. Raises GenerateError for too large records."""
    sources = [plan_columns(event, spec.script_string_size, spec.machine, spec.enum_value) for event in spec.events]
    layouts = [_layout(event, each) for event, each in zip(spec.events, sources, strict=True)]
    stride = max(layout.stride for layout in layouts)
    taken: set[str] = set()
    return tuple(
        ProbePlan(number, event, event_name(event, spec.events, taken), each, layouts[number].with_stride(stride))
        for number, (event, each) in enumerate(zip(spec.events, sources, strict=True))
    )


def _layout(event: EventFormat, sources: tuple[Source, ...]) -> RecordLayout:
    layout = RecordLayout.fitting(event.id, (source.column for source in sources))
    if layout.stride > MAX_RECORD:
        raise GenerateError(
            f"a record would have {layout.stride} bytes, of {MAX_RECORD} at most",
            where=str(event.id),
            remedy="give a smaller --string-size",
        )
    return layout


def event_name(event: EventFormat, events: tuple[EventFormat, ...], taken: set[str]) -> str:
    """The event's name, with its category in front where two events of the program share a name."""
    same = sum(other.id.name == event.id.name for other in events)
    return safe_identifier(event.id.name if same == 1 else f"{event.id.category}_{event.id.name}", taken)
