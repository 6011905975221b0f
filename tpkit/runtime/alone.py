"""How a program gets its CPU for itself, where it hasn't anyway.

Programs put records together, and count, in maps of which each CPU has its own part. That is safe as long as no other
program interrupts them there. trace_call_bpf() of kernel/trace/bpf_trace.c sees to that: it runs none while its CPU is
in one, which is what ``misses`` counts. Newer kernels (7.2, not yet 6.18) run those on system calls in their function
trace_call_bpf_faultable(): it may be preempted, and then refuses to run the same program on that CPU, but no other one.
There our programs switch interrupts off for the time, with kernel functions that are found by way of BTF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tpkit.btf import BtfError, load_kernel_btf
from tpkit.btf.load import KERNEL_BTF
from tpkit.program import BEGIN_ALONE, END_ALONE

PREEMPTIBLE = "trace_call_bpf_faultable"
OFF, ON = "bpf_local_irq_save", "bpf_local_irq_restore"  # since Linux 6.14
INTERRUPTED = "without BTF, programs on them may be interrupted here, and mix calls up"
SYMBOLS = Path("/proc/kallsyms")  # names for everybody, addresses for few: proc(5)


@dataclass(frozen=True, slots=True)
class _Found:
    """What BTF says: whether programs on system calls may be interrupted, and if so the ids of what prevents that."""

    preemptible: bool
    off: int | None
    on: int | None


def alone_functions(folder: Path = KERNEL_BTF) -> Mapping[int, int | None]:
    """The BTF ids of what the two placeholders stand for; None where they aren't needed, or there are none."""
    found = _found(folder)
    if found is None or not (found.off and found.on):
        return {BEGIN_ALONE: None, END_ALONE: None}
    return {BEGIN_ALONE: found.off, END_ALONE: found.on}


def may_be_interrupted(folder: Path = KERNEL_BTF, symbols: Path = SYMBOLS) -> bool:
    """Whether programs on system calls can't have their CPU for themselves: it may be taken away, and BTF is no help.

    Only without BTF are the kernel's names looked at, which takes some 50 ms. Where nothing says so, the answer is no.
    """
    found = _found(folder)
    if found is not None:
        return found.preemptible and not (found.off and found.on)
    try:
        with symbols.open("rb") as lines:
            return any(line.endswith(f" {PREEMPTIBLE}\n".encode()) for line in lines)
    except OSError:
        return False


@cache
def _found(folder: Path) -> _Found | None:
    """Read once; None without BTF, and for one that can't be read: tracing doesn't depend on it."""
    try:
        btf = load_kernel_btf(folder=folder)
        if btf is None:
            return None
        preemptible = btf.function_id(PREEMPTIBLE) is not None
        return _Found(preemptible, *((btf.function_id(OFF), btf.function_id(ON)) if preemptible else (None, None)))
    except BtfError:
        return None
