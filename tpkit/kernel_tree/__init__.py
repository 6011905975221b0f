"""A stand-in for a kernel's source tree: what BCC includes for itself, and no more.

It lies apart because two rooms that don't know each other need it: ``runtime`` points BCC's compiler at
``FOLDER``, and ``codegen`` puts the headers into the scripts that it writes.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_INCLUDE = FOLDER / "include"


def headers() -> dict[str, str]:
    """The headers' texts by their names (``linux/types.h``), sorted."""
    paths = sorted(path for path in _INCLUDE.rglob("*.h"))
    return {str(path.relative_to(_INCLUDE)): path.read_text(encoding="ascii") for path in paths}
