"""The newest bpftrace, in a root of its own: Debian sid's, made once with what the matrix makes roots with.

Its mounts are made once, in a namespace that a sleeping process holds; whatever is started in there is then
entered by nsenter, in a millisecond, so that no measurement has the mounting in it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.progress import say
from tests.matrix import roots
from tests.matrix.packages import ROOT_PROGRAMS, install_programs

CACHE_VARIABLE = "TPKIT_BENCH_CACHE"
SUITE = "sid"
PACKAGES = ("bpftrace",)
_MAKING_SECONDS = 1800


def cache_folder() -> Path:
    """Where the root is kept: outside of the checkout."""
    return Path(os.environ.get(CACHE_VARIABLE) or "/var/cache/tpkit-bench").absolute()


def made_root(cache: Path) -> Path:
    """The root with the newest bpftrace, made if it isn't there. Raises MatrixError, OSError."""
    root = cache / "roots" / f"{SUITE}.bench"
    if root.exists():
        return root
    say(f"making a root of Debian {SUITE} in {cache}: some minutes, once")
    words = cache / "words"
    words.mkdir(mode=0o755, parents=True, exist_ok=True)
    install_programs(ROOT_PROGRAMS)
    end = time.monotonic() + _MAKING_SECONDS
    part = root.with_suffix(".part")
    userspace = roots.Userspace(SUITE, cache, copy=cache)
    userspace.make(part, words, end)
    (part / roots.TREE[1:]).mkdir(parents=True)  # where one is when one has entered
    variables = roots.environment(os.environ, part) | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update"), ("apt-get", "-qy", "--no-install-recommends", "install", *PACKAGES)):
        userspace.step(roots.enter(part, words, command, variables), words / command[-1], end)
    part.rename(root)
    return root


@contextmanager
def entered(root: Path, folder: Path) -> Iterator[list[str]]:
    """Hold the root's namespace; gives the words to put before a command to run it in there.

    folder: any, it is mounted in there too. Raises OSError when the root can't be entered.
    """
    if not (root / "bin/sh").exists():
        raise OSError(f"{root} is no root of a system: it has no /bin/sh")
    (root / roots.TREE[1:]).mkdir(parents=True, exist_ok=True)
    hold = ("/bin/sh", "-c", "echo entered; exec sleep infinity")
    command = [str(word) for word in roots.enter(root, folder, hold, roots.environment({}, root))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"entered\n":
                raise OSError(f"{root} can't be entered: see mount's words above")
            yield ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--"]
        finally:
            holder.kill()
