"""The scripts that are kept as golden files, and how to write them anew.

``python -m tests.golden.bcc_scripts`` writes ``tests/golden/scripts/*.py``; read the difference before you
commit it.
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.bcc_programs import event
from tpkit import ProbeSpec
from tpkit.codegen.bcc_script import generate_bcc_script
from tpkit.program import SCRIPT_STRING_SIZE

FOLDER = Path(__file__).parent / "scripts"

SCRIPTS = (
    ProbeSpec((event("syscalls:sys_enter_unlinkat"),), string_size=SCRIPT_STRING_SIZE),
    ProbeSpec((event("sched:sched_switch"),), pids=(1234,), comm=b"make", pid_namespace=(4, 4026532177)),
)


def rendered() -> dict[str, str]:
    """Each file's name and text."""
    return {file.name: file.text for spec in SCRIPTS for file in generate_bcc_script(spec)}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)
