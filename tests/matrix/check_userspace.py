"""What a userspace brings of its own: the versions that the other checks ran with."""

from __future__ import annotations

import sys

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit.doctor.facts import look_at_bcc, look_at_tool


def userspace(_: Context) -> Result:
    """Python, BCC and bpftrace; without one of them it is red."""
    bcc, bpftrace = look_at_bcc(), look_at_tool("bpftrace")
    versions = {
        "Py": ".".join(map(str, sys.version_info[:2])),
        "BCC": minor(bcc.version),
        "bpftrace": minor(bpftrace.version if bpftrace else None),
    }
    details = [bcc.problem.what] if bcc.problem else []
    return Result.of(all(versions.values()), ", ".join(f"{name} {v or '-'}" for name, v in versions.items()), *details)


def minor(version: str | None) -> str:
    """``0.31`` of ``0.31.0+ds``; nothing of nothing."""
    return ".".join((version or "").split(".")[:2])
