"""Which rows there are: ``kernels.toml``, a line each."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

LIVE = "live"
FILE = Path(__file__).with_name("kernels.toml")


class Place(Enum):
    """Where a row's checks run."""

    MACHINE = auto()  # a virtual machine with this machine's userspace
    ROOT = auto()  # the running kernel, another userspace
    HERE = auto()  # the running kernel, this machine's userspace


@dataclass(frozen=True, slots=True)
class Kernel:
    """A row: a version (``6.1``), ``live+SUITE`` or ``live``, and the Debian suite that it takes; none for ``live``."""

    name: str
    suite: str | None

    @property
    def place(self) -> Place:
        """Where its checks run."""
        if self.suite is None:
            return Place.HERE
        return Place.ROOT if self.name.startswith(f"{LIVE}+") else Place.MACHINE

    def is_release(self, release: str) -> bool:
        """Whether ``uname -r`` of this kernel could be that."""
        versions = (f"{self.name}.", f"{self.name}-", f"{self.name}+")
        return self.place is not Place.MACHINE or release.startswith(versions)


def read_kernels(text: str) -> tuple[Kernel, ...]:
    """The rows of the file, in its order, then the running kernel's. Raises ValueError."""
    kernels = []
    for name, suite in tomllib.loads(text).items():
        is_suite = isinstance(suite, str) and re.fullmatch(r"[a-z]+", suite)
        if not is_suite or not (re.fullmatch(r"\d+\.\d+", name) or name == f"{LIVE}+{suite}"):
            raise ValueError(f'{FILE.name}: a line is "VERSION" or "live+SUITE" = "suite", not {name!r} = {suite!r}')
        kernels.append(Kernel(name, suite))
    return (*kernels, Kernel(LIVE, None))


def choose(kernels: tuple[Kernel, ...], names: list[str]) -> tuple[Kernel, ...]:
    """The named ones, in the file's order; all when none is named. Raises ValueError for unknown names."""
    unknown = sorted(set(names) - {each.name for each in kernels})
    if unknown:
        raise ValueError(f"no kernel {', '.join(unknown)}; there are {', '.join(each.name for each in kernels)}")
    return tuple(each for each in kernels if not names or each.name in names)
