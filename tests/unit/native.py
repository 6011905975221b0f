"""The engine's C as a program of this machine: what a probe does with an event, without a kernel.

``native.h`` stands in for BCC and the kernel. An event's context is bytes, as its format file has them;
strings are read from our own memory.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tpkit import Program
from tpkit.program import COUNTERS
from tpkit.runtime.base import Counts

STAND_IN = Path(__file__).with_name("native.h")


class NativeProgram:
    """A compiled program, switched on. parts: each with maps of its own."""

    def __init__(self, parts: Sequence[ctypes.CDLL], program: Program) -> None:
        self._parts = parts
        self._part_of = [next(each for each in parts if hasattr(each, hook.function)) for hook in program.hooks]
        self._functions = [hook.function for hook in program.hooks]
        self._layouts = len(program.layouts)
        self._counters = f"{program.maps.counts}_data"
        for each in parts:
            (ctypes.c_uint64 * 2).in_dll(each, f"{program.maps.session}_data")[0] = 1

    def sends(self, hook: int, context: bytes, *, comm: bytes = b"native", pid: int = 1, uid: int = 0) -> bool:
        """Whether the hook's function sends a record of an event with this context, of this task."""
        return self.record(hook, context, comm=comm, pid=pid, uid=uid) is not None

    def record(
        self, hook: int, context: bytes, *, comm: bytes = b"native", pid: int = 1, uid: int = 0
    ) -> bytes | None:
        """The record that it sends, None where it sends none."""
        part = self._part_of[hook]
        part.set_task(comm, pid, uid)
        records = ctypes.c_int.in_dll(part, "records")
        before = records.value
        part[self._functions[hook]](ctypes.create_string_buffer(context, len(context)))
        if records.value == before:
            return None
        size = ctypes.c_uint64.in_dll(part, "record_size").value
        return bytes((ctypes.c_uint8 * size).in_dll(part, "record_bytes"))

    def hide(self, address: int, size: int) -> None:
        """From now on these bytes can't be read; none of them can't for a size of 0."""
        for each in self._parts:
            ctypes.c_uint64.in_dll(each, "absent").value = address
            ctypes.c_uint64.in_dll(each, "absent_size").value = size

    def set_time(self, now: int) -> None:
        """What the clock says, in ns."""
        for each in self._parts:
            ctypes.c_uint64.in_dll(each, "now").value = now

    def counts(self, layout: int = 0) -> Counts:
        """What the programs have counted of this layout's events."""
        words = len(COUNTERS)
        several = [(ctypes.c_uint64 * (words * self._layouts)).in_dll(part, self._counters) for part in self._parts]
        return Counts(*(sum(values[layout * words + at] for values in several) for at in range(words)))

    def filtered(self, layout: int) -> int:
        """How many events of this layout its filters kept back."""
        return self.counts(layout).filtered


def compile_native(program: Program, folder: Path, *, strict: bool = True) -> NativeProgram:
    """The program as shared libraries, in a folder that nothing else is in. Skips where there is no C compiler.

    strict: a warning is an error, as for programs that were made up by chance it can't be.
    """
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    options = ["-O1", "-shared", "-fPIC"]
    options += ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function"] if strict else ["-w"]
    parts = []
    for number, text in enumerate(program.sources):
        source, library = folder / f"part{number}.c", folder / f"part{number}.so"
        source.write_text(f'#include "{STAND_IN}"\n{_for_this_machine(_with_constants(text, dict(program.constants)))}')
        subprocess.run([compiler, *options, "-o", library, source], check=True, timeout=300)
        parts.append(ctypes.CDLL(str(library)))
    return NativeProgram(parts, program)


def _with_constants(source: str, constants: Mapping[int, int]) -> str:
    """The source with what the loader would put in the place of placeholders; not for functions that are shared."""
    source = re.sub(r"^#define LOADED.*\n", "", source, flags=re.MULTILINE)
    return re.sub(r"LOADED\((\w+)\)", lambda match: f"{constants[int(match[1], 0)]}U", source)


# What is BPF's own assembly in a program, in C.
_ASSEMBLY = {
    "AT_MOST": "if ((__u64)(number) > (most)) (number) = (most)",
    "FORTH": "if ((__u64)(number) > (most)) (number) = (most); (pointer) += (number)",
}


def _for_this_machine(source: str) -> str:
    source = re.sub(r"\(\*(\w+_alone)\)\((__u64 \*interrupts)\) = .*;", r"\1(\2) { *interrupts = 0; }", source)
    for name, meaning in _ASSEMBLY.items():
        definition = rf"^(#define {name}\([^)]*\)).*?[^\\]$"
        source = re.sub(definition, rf"\1 do {{ {meaning}; }} while (0)", source, flags=re.MULTILINE | re.DOTALL)
    return source
