"""``tpkit trace -- COMMAND``: seen from its first instruction, with all that it starts, and its exit status is ours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.matrix.traced import Trace, trace

FOLDER = "/nonexistent-tpkit"
STATUS = 7

# A child, a grandchild, one that goes on in the background, a child of a child that has ended: each deletes a file.
_SCRIPT = f"""
rm -f {FOLDER}/child
sh -c 'rm -f {FOLDER}/grandchild; exit 0'
rm -f {FOLDER}/background &
sh -c '(sleep 0.2; rm -f {FOLDER}/orphan; echo) & exit 0' | read -r _
wait
exit {STATUS}
"""
DELETED = ("child", "grandchild", "background", "orphan")


def command(_: Context) -> Result:
    """A shell and what it starts; then one that a signal ends."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        with trace(folder, "unlinkat", "execve", "--", "/bin/sh", "-c", _SCRIPT) as tracing:
            tracing.wait()
        trouble = [*tracing.trouble(STATUS), *_seen(tracing)]
        with trace(folder, "unlinkat", "execve", "--", "/bin/sh", "-c", "kill -KILL $$") as killed:
            killed.wait()
        trouble += [f"killed: {word}" for word in killed.trouble(128 + 9)]
        return Result.of(not trouble, f"{len(tracing.events())} events, status {STATUS}", *trouble)


def _seen(tracing: Trace) -> list[str]:
    deleted = sorted(each["args"]["pathname"] for each in tracing.events("unlinkat"))
    expected = sorted(f"{FOLDER}/{name}" for name in DELETED)
    first = tracing.events()[:1]
    begins = [each["event"].endswith(":execve") and each["args"]["filename"] == "/bin/sh" for each in first]
    return [
        *([] if deleted == expected else [f"expected {expected}", f"got {deleted}"]),
        *([] if begins == [True] else [f"the first event isn't the command's own execve: {first}"]),
    ]
