"""Nothing of ours is left in the kernel, nor on its disks."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import Tracefs
from tpkit.host import find_tool

MAPS = r"events|counters|session|scratch|calls|followed|cgroup|filter_texts|lost|filtered"
OURS = {"prog": re.compile(r"on_\w+"), "map": re.compile(MAPS)}
PATIENCE = 20  # seconds: the kernel frees objects a moment after their last descriptor is closed


def left_over(_: Context) -> Result:
    """Programs and maps with our names that no process holds, and tracefs instances whose process is gone."""
    end = time.monotonic() + PATIENCE
    while left := [*_objects(), *_instances()]:
        if time.monotonic() > end:
            return Result.failed(f"{len(left)} left", *left)
        time.sleep(0.5)
    return Result.of(True, "none")


def _objects() -> list[str]:
    found = {(kind, number) for kind in OURS for number in loaded(kind)} - held()
    return [f"{kind} {number}" for kind, number in sorted(found - _attached() if found else found)]


def loaded(kind: str) -> list[int]:
    """Ids of what has a name that tpkit gives."""
    return [each["id"] for each in _shown(kind) if OURS[kind].fullmatch(each.get("name", ""))]


def _attached() -> set[tuple[str, int]]:
    """Programs on perf events that a process has open, and their maps: no descriptor of its says so."""
    numbers = {each["prog_id"] for each in _shown("perf")}
    maps = {("map", number) for each in _shown("prog") if each["id"] in numbers for number in each.get("map_ids", ())}
    return {("prog", number) for number in numbers} | maps


def _shown(kind: str) -> list[dict[str, Any]]:
    bpftool = find_tool("bpftool")
    if bpftool is None:
        raise RuntimeError("bpftool is not installed: tools/setup test installs it")
    done = subprocess.run([bpftool, "-j", kind, "show"], capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def held(pid: str = "[0-9]*") -> set[tuple[str, int]]:
    """What a process has open, or any (fdinfo of proc(5))."""
    found: set[tuple[str, int]] = set()
    for info in Path("/proc").glob(f"{pid}/fdinfo/*"):
        try:
            text = info.read_text()
        except OSError:  # closed, or ended, meanwhile
            continue
        found |= {(kind, int(n)) for kind, n in re.findall(r"^(prog|map)_id:\s*(\d+)$", text, re.MULTILINE)}
    return found


def _instances() -> list[str]:
    folder = Tracefs.find().root / "instances"
    names = [path.name for path in folder.glob("tpkit-*")]
    return [f"instance {name}" for name in names if not Path("/proc", name.rpartition("-")[2]).exists()]
