"""BCC's C as a program of this machine: what a probe does with an event, without a kernel.

``native.h`` stands in for BCC and the kernel. An event's context is bytes, as its format file has them;
strings are read from our own memory.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from tpkit import Program

STAND_IN = Path(__file__).with_name("native.h")


class NativeProgram:
    """A compiled program."""

    def __init__(self, library: ctypes.CDLL, program: Program) -> None:
        self._library = library
        self._functions = [library[probe.function] for probe in program.probes]

    def sends(self, probe: int, context: bytes, *, comm: bytes = b"native", pid: int = 1, uid: int = 0) -> bool:
        """Whether the probe sends a record of an event with this context, of this task."""
        self._library.set_task(comm, pid, uid)
        before = self._records()
        self._functions[probe](ctypes.create_string_buffer(context, len(context)))
        return self._records() > before

    def filtered(self, probe: int) -> int:
        """How many events of this probe its filters kept back."""
        return int((ctypes.c_uint64 * len(self._functions)).in_dll(self._library, "filtered_data")[probe])

    def _records(self) -> int:
        return ctypes.c_int.in_dll(self._library, "records").value


def compile_native(program: Program, folder: Path, *, strict: bool = True) -> NativeProgram:
    """The program as a shared library, in a folder that nothing else is in. Skips where there is no C compiler.

    strict: a warning is an error, as for programs that were made up by chance it can't be.
    """
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = folder / "program.c", folder / "program.so"
    source.write_text(f'#include "{STAND_IN}"\n{program.source}')
    options = ["-O1", "-shared", "-fPIC"]
    options += ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function"] if strict else ["-w"]
    subprocess.run([compiler, *options, "-o", library, source], check=True, timeout=300)
    return NativeProgram(ctypes.CDLL(str(library)), program)
