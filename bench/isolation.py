"""Mounts of our own: the measured tpkit's caches are neither what others have left, nor removed under their feet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from bench.errors import BenchError
from tpkit.format_cache import FormatCache

_VARIABLE = "TPKIT_BENCH_OWN_MOUNTS"


def enter_own_mounts(arguments: Sequence[str]) -> None:
    """Start ourselves anew in a mount namespace where tpkit's cache is an empty file system. Raises BenchError.

    The second time it returns. The process id stays, by which the second time is known.
    """
    own = str(os.getpid())
    if os.environ.get(_VARIABLE) != own:
        os.environ[_VARIABLE] = own
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "bench", *arguments]
        os.execvp(words[0], words)  # noqa: S606
    cache = FormatCache.of_user()
    if cache is None:
        return
    cache.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "mode=0700", "tpkit-bench", str(cache.folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"can't mount: {done.stderr.strip()}")
