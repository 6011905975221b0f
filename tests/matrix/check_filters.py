"""Filters in the kernel: what is let through is what Python would let through, and the rest is counted."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.matrix.traced import Trace, trace, worker

AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW = -100, 0x200, 0x400
NOWHERE = "/nonexistent-tpkit"

_WORKER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
print("ready", flush=True)
sys.stdin.readline()
for line in sys.argv[1:]:
    name, dfd, path, flag = line.split(" ")
    path = os.fsencode(path)
    if name == "unlinkat":
        libc.unlinkat(int(dfd), path, int(flag))
    elif name == "mkdirat":
        libc.mkdirat(int(dfd), path, 0o700)
    else:
        libc.linkat(int(dfd), path, -100, b"/nonexistent-tpkit/new", int(flag))
"""


@dataclass(frozen=True)
class Call:
    """A call that the worker makes."""

    name: str
    dfd: int
    path: str
    flag: int = 0
    result: int = -errno.ENOENT

    @property
    def line(self) -> str:
        """As the worker reads it."""
        return f"{self.name} {self.dfd} {self.path} {self.flag}"


@dataclass(frozen=True)
class Filter:
    """A filter, the event that it is for, and the same in Python. path: the argument that tells calls apart."""

    event: str
    path: str
    text: str
    wants: Callable[[Call], bool]

    def is_for(self, call: Call) -> bool:
        """Whether the event is of this call."""
        return self.event.removeprefix("sys_enter_") == call.name


FILTERS = (
    Filter(
        "sys_enter_linkat",
        "oldname",
        "olddfd == AT_FDCWD && flags & AT_SYMLINK_FOLLOW",
        lambda call: call.dfd == AT_FDCWD and bool(call.flag & AT_SYMLINK_FOLLOW),
    ),
    Filter(
        "sys_enter_mkdirat",
        "pathname",
        f'pathname ~ "{NOWHERE}/*/f?o*.c" || pathname == ""',
        lambda call: not call.path or re.fullmatch(f"{NOWHERE}/.*/f.o.*[.]c", call.path) is not None,
    ),
    Filter("unlinkat", "pathname", "ret < 0 && ret != -ENOENT", lambda call: call.result not in (0, -errno.ENOENT)),
)


def filters(_: Context) -> Result:
    """Three kinds of filters at once, each on an event of its own."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        known = _prepare(folder)
        arguments = [word for each in FILTERS for word in ("-e", each.event, "--filter", each.text)]
        with (
            worker(_WORKER, *(call.line for call in known)) as child,
            trace(folder, *arguments, "-p", str(child.process.pid)) as tracing,
        ):
            child.go()
            child.wait()
            tracing.wait()
        trouble = [*tracing.trouble(), *(word for each in FILTERS for word in _judged(tracing, each, known))]
        return Result.of(not trouble, f"{len(tracing.events())}/{len(known)}", *trouble)


def _prepare(folder: Path) -> list[Call]:
    """The workload, some of which each filter lets through."""
    (folder / "there").touch()
    names = ("d/foo.c", "d/fooooo-bar.c", "d/fo.c", "d/foo.cc", "foo.c", "d/fxo.h", "d/fxo.c")
    flags = (0, AT_SYMLINK_FOLLOW, 0x1000, AT_SYMLINK_FOLLOW | 0x1000)
    return [
        *(Call("linkat", dfd, f"{NOWHERE}/{dfd}/{flag}", flag) for flag in flags for dfd in (AT_FDCWD, -1)),
        *(Call("mkdirat", AT_FDCWD, f"{NOWHERE}/{name}") for name in names),
        Call("mkdirat", AT_FDCWD, ""),
        Call("unlinkat", AT_FDCWD, f"{folder}/there", 0, 0),
        Call("unlinkat", AT_FDCWD, f"{folder}/missing"),
        Call("unlinkat", AT_FDCWD, str(folder), 0, -errno.EISDIR),
        Call("unlinkat", AT_FDCWD, f"{folder}/err", AT_REMOVEDIR, -errno.ENOTDIR),
        Call("unlinkat", -1, os.fspath(folder / "odd"), 1, -errno.EINVAL),
    ]


def _judged(tracing: Trace, each: Filter, known: list[Call]) -> list[str]:
    """What it let through, and what it kept back."""
    made = [call for call in known if each.is_for(call)]
    wanted = [call.path for call in made if each.wants(call)]
    found = [event["args"][each.path] for event in tracing.events(each.event)]
    account = tracing.account(each.event)
    numbers = tuple(account.get(name) for name in ("matched", "filtered", "delivered"))
    expected = (len(wanted), len(made) - len(wanted), len(wanted))
    return [
        *([] if found == wanted else [f"{each.text}: expected {wanted}, got {found}"]),
        *([] if numbers == expected else [f"{each.text}: matched, filtered, delivered {numbers}, not {expected}"]),
    ]
