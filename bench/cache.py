"""What the cache of formats is worth: whole processes that list all arguments of all events, beside bpftrace.

``python -m bench.cache [--runs N]``. The programs take turns, so that a noisy moment hits all of them;
medians are what counts. A cold run parses everything: this user's cache is removed before each.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tpkit import Tracefs
from tpkit.catalog import Catalog
from tpkit.format_cache import FILE, FormatCache

TPKIT = [sys.executable, "-m", "tpkit"]
BPFTRACE = "bpftrace -lv"
COLD = "tpkit list -v, cold"
LOAD = "load, in one process"
COMMANDS = {
    BPFTRACE: ["bpftrace", "-lv", "tracepoint:*"],
    COLD: [*TPKIT, "list", "-v", "*"],
    "tpkit list -v": [*TPKIT, "list", "-v", "*"],
    "tpkit list -v unlinkat": [*TPKIT, "list", "-v", "unlinkat"],
    "tpkit list": [*TPKIT, "list"],
    "python3 -c pass": [sys.executable, "-c", "pass"],
}


def seconds_of(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def seconds_of_load(cache: FormatCache) -> float:
    catalog = Catalog(Tracefs.find(), cache)
    events = catalog.ids()
    started = time.perf_counter()
    catalog.events(events)
    if cache.why_not:
        sys.exit(f"not loaded: {cache.why_not}")
    return time.perf_counter() - started


def row(name: str, times: list[float], base: float) -> str:
    median = statistics.median(times)
    return f"{name:<24} median {median * 1e3:6.1f} ms  min {min(times) * 1e3:6.1f} ms  {median / base:5.2f} of bpftrace"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    cache = FormatCache.of_user()
    if cache is None:
        sys.exit("no place for a cache: this user has no home")
    times: dict[str, list[float]] = {name: [] for name in (*COMMANDS, LOAD)}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            if name == COLD:
                Path(cache.folder, FILE).unlink(missing_ok=True)
            times[name].append(seconds_of(command))
        times[LOAD].append(seconds_of_load(cache))
    base = statistics.median(times[BPFTRACE])
    print("\n".join(row(name, each, base) for name, each in times.items()))


if __name__ == "__main__":
    main()
