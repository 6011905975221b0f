"""The running kernel, as rendering needs to know it: symbols, texts at addresses, enum names, ticks.

All of it is optional, and comes from files that may be missing or closed to us: ``/proc/kallsyms``
(zeros without CAP_SYSLOG), ``printk_formats`` of tracefs, BTF, ``/proc/config.gz``. What can't be had
leaves marks in the text, never an error.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tpkit.btf import Btf, enum_values
from tpkit.errors import TpkitError
from tpkit.print_fmt import LOCAL, Machine, SortedSymbols
from tpkit.tracefs import Tracefs

Names = Callable[[str], int | None]


def running_machine(tree: Tracefs, btf: Btf | None) -> Machine:
    """What this kernel tells of itself. Takes 0.2 s, most of it for kallsyms."""
    machine = machine_of(
        kallsyms=_text_of(Path("/proc/kallsyms")),
        printk_formats=_printk_formats(tree),
        names=enum_values(btf),
        hz=ticks(Path("/proc/config.gz")),
    )
    return replace(machine, syscall_hex=shows_syscalls_in_hex(os.uname().release))


def machine_of(kallsyms: str, printk_formats: str, names: Names, hz: int | None) -> Machine:
    """A machine from the texts of its kernel's files (kallsyms: proc(5))."""
    triples = [
        (int(address, 16), name, module)
        for address, name, module in re.findall(r"^([0-9a-f]+) \S (\S+)(?:\t\[(\S+)\])?$", kallsyms, re.MULTILINE)
    ]
    strings = {int(a, 16): s for a, s in re.findall(r'^0x([0-9a-f]+) : "(.*)"$', printk_formats, re.MULTILINE)}
    return replace(LOCAL, symbols=SortedSymbols(triples), strings=strings.get, names=names, hz=hz)


def shows_syscalls_in_hex(release: str) -> bool:
    """Whether the kernel writes 0x before a system call's arguments ("tracing: Have syscall trace events
    show "0x" for values greater than 10", Linux 6.18). Nothing in tracefs says so, hence its version.
    """
    found = re.match(r"(\d+)\.(\d+)", release)
    return found is None or (int(found[1]), int(found[2])) >= (6, 18)


def ticks(configuration: Path) -> int | None:
    """CONFIG_HZ, where the kernel shows its configuration."""
    try:
        text = gzip.decompress(configuration.read_bytes()).decode(errors="replace")
    except (OSError, EOFError, ValueError):
        return None
    found = re.search(r"^CONFIG_HZ=(\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _printk_formats(tree: Tracefs) -> str:
    try:
        return tree.printk_formats()
    except (TpkitError, FileNotFoundError):
        return ""
