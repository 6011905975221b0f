"""The reference case: unlinkat, listed, described and traced."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from tests.matrix import traced
from tests.matrix.context import TREE, Context, tpkit, words_of
from tests.matrix.results import Result
from tpkit import Tracefs

ENTER, EXIT = "syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat"
ARGUMENTS = {"dfd": 0, "pathname": 1, "flag": 2}

_DELETE = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
os.execv("/bin/rm", ["rm", "--", sys.argv[1]])
"""


def list_events(_: Context) -> Result:
    """Every name, each once, and the two of the reference case when asked for them."""
    done = tpkit("list")
    found = done.stdout.splitlines()
    expected = set((Tracefs.find().root / "available_events").read_text().split())
    few = tpkit("list", "unlinkat")
    if few.stdout.split() != [ENTER, EXIT]:
        return Result.failed("unlinkat", *words_of(few))
    details = sorted(set(found) ^ expected)[:20]
    return Result.of(set(found) == expected and len(found) == len(expected), f"{len(found)}", *details)


def describe(_: Context) -> Result:
    """The arguments that a BPF program has, and no other; a struct that the kernel's BTF confirms."""
    done = tpkit("describe", ENTER, "--json")
    try:
        event = json.loads(done.stdout)
    except ValueError:
        return Result.failed("no JSON", *words_of(done))
    fields = [each for each in event["fields"] if each["bpf_readable"] and not each["name"].endswith("nr")]
    found = {each["name"]: each["argument"] for each in fields}
    if found != ARGUMENTS:
        return Result.failed("arguments", f"expected {ARGUMENTS}, got {found}")
    if Path("/sys/kernel/btf/vmlinux").exists() and not event["context"]["verified_by_btf"]:
        return Result.failed("not in BTF", str(event["context"]))
    return Result.of(True, "ok")


def trace(_: Context) -> Result:
    """A deletion of our own: exactly its arguments come back, under their names and no other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'tpkit matrix\n"\u00e9')
        path.touch()
        with (
            traced.worker(_DELETE, str(path)) as child,
            traced.trace(Path(folder), ENTER, "-p", str(child.process.pid)) as tracing,
        ):
            child.go()
            child.wait()
            tracing.wait()
        trouble = tracing.trouble()
        events = tracing.events()
    if trouble or len(events) != 1:
        return Result.failed(f"{len(events)} events", *trouble, *map(str, events[:5]))
    (event,) = events
    expected = {"dfd": -100, "pathname": str(path), "flag": 0}
    if event["args"] != expected:
        return Result.failed("arguments", f"expected {expected}", f"got {event['args']}")
    return Result.of(event["comm"] == "rm" and event["event"] == ENTER, "ok", str(event))


def demo(_: Context) -> Result:
    """``make demo``, as a user sees it."""
    command = [TREE / "tools" / "demo"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return Result.of(done.returncode == 0, "ok" if done.returncode == 0 else "failed", *words_of(done))
