"""System calls as one event each, paired in the kernel: with result, error and latency, by thread."""

from __future__ import annotations

import errno
import signal
import tempfile
from pathlib import Path
from typing import Any

from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.matrix.traced import Trace, trace, worker

LONG = "x" * 300  # more than a name may have, and more than is kept of a string when a call is entered
PAUSE = 0.2  # seconds
UNPAIRED = "entered before the trace, or refused by seccomp"

# Signals let it go, so that it is in a call when the trace begins; a second thread is in the same call, traced from
# its begin, while the first one makes others.
_WORKER = """
import ctypes, os, signal, sys, threading, time
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
other = threading.Thread(target=signal.sigwait, args=([signal.SIGUSR2],))
other.start()
time.sleep(float(sys.argv[1]))
for name in sys.argv[2:]:
    libc.unlinkat(-100, os.fsencode(name), 0)
libc.execve(b"/nonexistent/program", (ctypes.c_char_p * 4)(b"a", b"", b"b c", None), None)
signal.pthread_kill(other.ident, signal.SIGUSR2)
other.join()
"""


def calls(_: Context) -> Result:
    """Files that are there, that aren't, and one with too long a name; strings; a call that had begun before."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        known = _prepare(folder)
        with (
            worker(_WORKER, str(PAUSE), *known) as child,
            trace(folder, "unlinkat", "execve", "rt_sigtimedwait", "-p", str(child.process.pid)) as tracing,
        ):
            child.go(signal.SIGUSR1)
            child.wait()
            tracing.wait()
        trouble = [*tracing.trouble(), *_unlinked(tracing, known), *_executed(tracing), *_waited(tracing)]
        made = len(known) + 3
        return Result.of(not trouble, f"{len(tracing.events())}+1/{made}", *trouble)


def _prepare(folder: Path) -> dict[str, int]:
    """What unlinkat(2) is to be asked for, and what it will answer."""
    there = [folder / f"there-{number}" for number in range(5)]
    for each in there:
        each.touch()
    missing = [folder / f"missing-{number}" for number in range(5)]
    return {
        **{str(each): 0 for each in there},
        **{str(each): -errno.ENOENT for each in missing},
        f"{folder}/{LONG}": -errno.ENAMETOOLONG,
        str(folder): -errno.EISDIR,
    }


def _unlinked(tracing: Trace, known: dict[str, int]) -> list[str]:
    events = tracing.events("unlinkat")
    expected = [
        {"pathname": name, "ret": result, "ret_text": f"-{errno.errorcode[-result]}" if result else None}
        for name, result in known.items()
    ]
    found = [
        {"pathname": each["args"]["pathname"], "ret": each["ret"], "ret_text": each.get("ret_text")} for each in events
    ]
    account = {"matched": len(known), "delivered": len(known), "lost": {}, "truncated": 0, "unfinished": 0}
    return [
        *([] if found == expected else [f"unlinkat: expected {expected}", f"got {found}"]),
        *_durations(events),
        *_differences(tracing, "unlinkat", account),
    ]


def _executed(tracing: Trace) -> list[str]:
    """An array of strings, of which one is empty: older kernels say that nothing was read."""
    argv = [each["args_text"]["argv"] for each in tracing.events("execve")]
    return [] if argv == ['["a", "", "b c"]'] else [f"execve: {argv}"]


def _waited(tracing: Trace) -> list[str]:
    """Of two calls the one that was seen from its begin."""
    events = tracing.events("rt_sigtimedwait")
    found = [each["ret"] for each in events if each["tid"] != each["pid"]]
    account = {"matched": 2, "delivered": 1, "lost": {UNPAIRED: 1}, "unfinished": 0}
    return [
        *([] if found == [signal.SIGUSR2] and len(events) == 1 else [f"rt_sigtimedwait: {events}"]),
        *([] if events and events[0]["duration_ns"] >= PAUSE * 1e9 else [f"it took {PAUSE} s: {events}"]),
        *_differences(tracing, "rt_sigtimedwait", account),
    ]


def _durations(events: list[dict[str, Any]]) -> list[str]:
    return [f"latency: {each}" for each in events if not 0 < each["duration_ns"] < 60e9]


def _differences(tracing: Trace, name: str, expected: dict[str, Any]) -> list[str]:
    account = tracing.account(name)
    return [] if expected.items() <= account.items() else [f"{name}'s account: expected {expected}, got {account}"]
