"""The columns of a CSV file: their names, and where each event's arguments go; see ``csvlines``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tpkit.model import TracepointId
from tpkit.record import Capture, Column, Display, RecordLayout

_HEAD = ("time", "ktime_ns", "event", "pid", "tid", "comm")
_CALL = ("ret", "ret_text", "duration_ns")
_TAIL = ("truncated", "unreadable")

_WITH_TEXT = (Display.ERROR, Display.DEVICE, Display.IPV4, Display.IPV6, Display.SOCKET_ADDRESS)

Place = tuple[int, int | None]


class Headings:
    """names: of all columns, in order; own: where those behind the arguments are; FIXED: how many come before."""

    FIXED: ClassVar[int] = len(_HEAD)

    def __init__(self, layouts: Sequence[RecordLayout], *, texts: bool) -> None:
        """texts: whether there are columns for names."""
        self._meanings: dict[str, str] = dict.fromkeys(_HEAD, "")
        self._texts = texts
        calls = [name for name in _CALL if texts or name != "ret_text"]
        own = (*(calls if any(layout.is_call for layout in layouts) else ()), *_TAIL)
        self._reserved = frozenset(own)
        self._places: dict[TracepointId, tuple[Place, ...]] = {}
        for layout in layouts:
            self._places[layout.event] = tuple(self._place(layout.event, column) for column in layout.columns)
        self.names = (*self._meanings, *own)
        self.own = {name: self.names.index(name) for name in own}

    def places(self, layout: RecordLayout) -> tuple[Place, ...]:
        """For each of the layout's columns where its values go, and where their texts do."""
        return self._places[layout.event]

    def _place(self, event: TracepointId, column: Column) -> Place:
        kind = column.field.type.text
        at = self._claim(event, column.label, kind)
        text = f"{column.label}_text"
        return at, self._claim(event, text, f"{kind}, text") if self._texts and _has_texts(column) else None

    def _claim(self, event: TracepointId, name: str, meaning: str) -> int:
        if name in self._reserved or self._meanings.setdefault(name, meaning) != meaning:
            name = f"{event}.{name}"
            while self._meanings.setdefault(name, meaning) != meaning:
                name += "_"  # an event has to be called so on purpose
        return list(self._meanings).index(name)


def _has_texts(column: Column) -> bool:
    if column.table is not None or column.dependent is not None or column.display in _WITH_TEXT:
        return True
    return column.capture is Capture.USER_MEMORY and column.display is not Display.TEXT
