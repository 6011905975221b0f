"""What there is to go by when bytes are put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Given:
    """data: the bytes that were read; whole: how many there are; others: the call's numbers by their names."""

    data: bytes
    whole: int
    machine: str
    others: Mapping[str, int]

    @property
    def is_cut(self) -> bool:
        """Whether there are more bytes than were read."""
        return self.whole > len(self.data)

    @property
    def succeeded(self) -> bool:
        """Whether the call did, as far as is known: the kernel fills what it fills only then."""
        return self.others.get("ret", 0) >= 0

    def first(self, size: int) -> Given:
        """The same with no more than ``size`` bytes."""
        return replace(self, data=self.data[:size], whole=min(self.whole, size))


Shower = Callable[[Given], str]
