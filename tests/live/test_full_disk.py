"""A disk that is really full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE

# In the namespace: writes batches until the disk is full, then tells what it was told and what is there.
WRITE = """
import sys
from pathlib import Path
from tests.unit.records import batch, fixture_layout, unlinkat
from tpkit import SinkError
from tpkit.decode.clock import Clock
from tpkit.sinks.output import Output
from tpkit.sinks.text import TextSink

layouts = (fixture_layout("syscalls:sys_enter_unlinkat"),)
events = batch(layouts, *(unlinkat(layouts, b"/%d" % number) for number in range(300)))
path, written = Path(sys.argv[1], "out"), 0
with Output.file(path) as output:
    sink = TextSink(output, Clock(0), header=False)
    try:
        while True:
            sink.write(events)
            written += len(events)
    except SinkError as error:
        assert "No space left" in error.what, error
        written += error.written
data = path.read_bytes()
assert data.endswith(b"\\n")
print(written, data.count(b"\\n"), len(data))
"""


def test_whole_lines_stay_and_are_counted(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: a mount namespace is root's")
    script = f'mount -t tmpfs -o size=128k full "{tmp_path}" && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    done = subprocess.run(
        ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, WRITE],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    written, lines, size = map(int, done.stdout.split())
    assert written == lines
    assert 128 * 1024 - 200 < size <= 128 * 1024
