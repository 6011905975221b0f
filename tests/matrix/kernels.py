"""Which kernels there are: ``kernels.toml``, a line each."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

LIVE = "live"
FILE = Path(__file__).with_name("kernels.toml")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A version (``6.1``) and the Debian suite whose kernel it is; no suite: the running kernel."""

    name: str
    suite: str | None

    @property
    def is_live(self) -> bool:
        """Whether it runs already."""
        return self.suite is None

    def is_release(self, release: str) -> bool:
        """Whether ``uname -r`` of this kernel could be that."""
        return self.is_live or release.startswith((f"{self.name}.", f"{self.name}-", f"{self.name}+"))


def read_kernels(text: str) -> tuple[Kernel, ...]:
    """The kernels of the file, in its order, then the running one. Raises ValueError."""
    kernels = []
    for name, suite in tomllib.loads(text).items():
        if not re.fullmatch(r"\d+\.\d+", name) or not isinstance(suite, str) or not re.fullmatch(r"[a-z]+", suite):
            raise ValueError(f'{FILE.name}: a line is "VERSION" = "suite", not {name!r} = {suite!r}')
        kernels.append(Kernel(name, suite))
    return (*kernels, Kernel(LIVE, None))


def choose(kernels: tuple[Kernel, ...], names: list[str]) -> tuple[Kernel, ...]:
    """The named ones, in the file's order; all when none is named. Raises ValueError for unknown names."""
    unknown = sorted(set(names) - {each.name for each in kernels})
    if unknown:
        raise ValueError(f"no kernel {', '.join(unknown)}; there are {', '.join(each.name for each in kernels)}")
    return tuple(each for each in kernels if not names or each.name in names)
