"""How long look-ups take as whole processes, beside bpftrace and BCC's tplist, in one run.

``python -m bench.startup [--runs N]``. The programs take turns, so that a noisy moment hits all of them;
medians are what counts. tpkit is the one beside this Python; tplist is skipped where it isn't installed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

EVENT = "syscalls:sys_enter_unlinkat"


def commands() -> dict[str, list[str]]:
    tpkit = str(Path(sys.executable).parent / "tpkit")
    tplist = shutil.which("tplist-bpfcc") or shutil.which("tplist")
    found = {
        "tpkit list unlinkat": [tpkit, "list", "unlinkat"],
        "bpftrace -l": ["bpftrace", "-l", "tracepoint:*unlinkat*"],
        "tpkit describe": [tpkit, "describe", EVENT],
        "bpftrace -lv": ["bpftrace", "-lv", f"tracepoint:{EVENT}"],
        "python3 -c pass": [sys.executable, "-c", "pass"],
    }
    return {**found, "tplist -v": [tplist, "-v", EVENT]} if tplist else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in commands()}
    for _ in range(runs):
        for name, command in commands().items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            times[name].append((time.perf_counter() - started) * 1000)
    base = statistics.median(times["bpftrace -l"])
    for name, each in times.items():
        median = statistics.median(each)
        print(f"{name:<20} median {median:6.1f} ms  min {min(each):6.1f} ms  {median / base:4.2f} of bpftrace -l")


if __name__ == "__main__":
    main()
