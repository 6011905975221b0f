"""The kernel's sides of libbpf programs that are kept as golden files, and how to write them anew.

``python -m tests.golden.libbpf_programs`` writes ``tests/golden/libbpf/*.bpf.c``; read the difference
before you commit it. Without BTF the programs declare their own context; the live tests have the kernel's.
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.bcc_programs import event
from tpkit import ProbeSpec
from tpkit.codegen.generated import GeneratedFile
from tpkit.codegen.libbpf import LibbpfOptions, generate_libbpf
from tpkit.codegen.libbpf_printk import generate_printk
from tpkit.program import SCRIPT_STRING_SIZE

FOLDER = Path(__file__).parent / "libbpf"

UNLINKAT = (event("syscalls:sys_enter_unlinkat"),)


def programs() -> dict[str, tuple[GeneratedFile, ...]]:
    """All files of each program."""
    unlinkat = ProbeSpec(UNLINKAT, string_size=SCRIPT_STRING_SIZE)
    exec_by_rm = ProbeSpec((event("sched:sched_process_exec"),), pids=(1234,), comm=b"rm", string_size=64)
    portable = LibbpfOptions(portable=True, short_section=True)
    return {
        "sched_process_exec": generate_libbpf(exec_by_rm, None),
        "unlinkat_portable": generate_libbpf(unlinkat, None, portable),
        "unlinkat_printk": generate_printk(unlinkat, None, portable),
    }


def rendered() -> dict[str, str]:
    """Each file's name and text."""
    return {f"{name}.bpf.c": files[0].text for name, files in programs().items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)
