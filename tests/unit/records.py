"""Records for tests without a kernel: bytes as a probe would have written them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tpkit import Program


def record(program: Program, probe: int = 0, header: Mapping[str, Any] | None = None, **members: Any) -> bytes:
    """One record; ``members`` by their name in the C struct, ``header`` by theirs in its header."""
    row = np.zeros(1, dtype=program.layouts[probe].dtype())
    values = {"time": 1_000_000_000, "pid": 42, "tid": 43, "probe": probe, "comm": b"rm", **(header or {})}
    for name, value in {**{f"header.{key}": value for key, value in values.items()}, **members}.items():
        if isinstance(value, bytes):
            row[name][0, : len(value)] = np.frombuffer(value, dtype=np.uint8)
        else:
            row[name] = value
    return row.tobytes()


def unlinkat(program: Program, path: bytes | None, size: int | None = None, **members: Any) -> bytes:
    """A record of sys_enter_unlinkat; path None: a fault."""
    text = path or b""
    values: dict[str, Any] = {"dfd": -100, "pathname": 0x7FFE0000, "flag": 0, "pathname_text": text, **members}
    values["pathname_size"] = size if size is not None else (-14 if path is None else len(text) + 1)
    return record(program, **values)
