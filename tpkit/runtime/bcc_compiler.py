"""BCC as a compiler: C in, bytecode out. The one border where BCC's ways become ours.

BCC makes the maps of what it compiles, which nobody needs: they are given back at once, and the loader makes
its own.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
from collections.abc import Iterator
from typing import Any

from tpkit.errors import CompileError
from tpkit.kernel_tree import FOLDER as KERNEL_TREE
from tpkit.runtime.bcc_flags import FLAGS
from tpkit.runtime.bcc_package import import_bcc
from tpkit.runtime.bytecode import Bytecode, Function, MapDefinition, with_maps
from tpkit.runtime.diagnose import compile_failure
from tpkit.runtime.stderr import captured_stderr
from tpkit.runtime.system_calls import MapKind

# A folder in which nobody, and not root either, can make a file: what is compiled is compiled in memory.
NOWHERE = "/proc/self/fdinfo"


def compile_with_bcc(source: str) -> Bytecode:
    """What BCC's compiler makes of a program. Raises ProbeError."""
    bcc = import_bcc()
    module = compile_module(bcc, source)
    try:
        return _extracted(module)
    finally:
        release(module)


def compile_module(bcc: Any, source: str) -> Any:
    """BCC's module object for a program; nothing is loaded yet, but its maps are there. Raises ProbeError."""
    with _private_build(), captured_stderr() as words:
        try:
            return bcc.BPF(text=source.encode(), cflags=list(FLAGS))
        except Exception as error:  # BCC raises nothing more exact
            raise compile_failure(words() or str(error)) from None


def release(module: Any) -> None:
    """All that BCC holds; its own clean-up at exit would find nothing left, and only keep it in memory.

    First of all nothing is left to that: were a signal's handler to end us from within ``bpf_module_destroy()``,
    it would free what is freed already.
    """
    atexit.unregister(module.cleanup)
    atexit.unregister(module.donothing)  # registered for each function that the kernel refused
    module.cleanup()


def _extracted(module: Any) -> Bytecode:
    library = _Library(module.module)
    tables = range(library.size("bpf_num_tables"))
    numbers = {library.number("bpf_table_fd_id", n): n for n in tables}
    functions = []
    for each in range(library.size("bpf_num_functions")):
        name = library.text("bpf_function_name", each)
        try:
            functions.append(Function(name, with_maps(library.code(name), numbers)))
        except KeyError as error:
            raise CompileError(f"a function names a map that isn't BCC's ({error})", where=name) from None
    return Bytecode(tuple(_definition(library, n) for n in tables), tuple(functions))


def _definition(library: _Library, number: int) -> MapDefinition:
    return MapDefinition(
        name=library.text("bpf_table_name", number),
        kind=MapKind(library.number("bpf_table_type_id", number)),
        key_size=library.size("bpf_table_key_size_id", number),
        value_size=library.size("bpf_table_leaf_size_id", number),
        entries=library.size("bpf_table_max_entries_id", number),
        flags=library.number("bpf_table_flags_id", number),
    )


class _Library:
    """libbcc's questions about one module, with their types: BCC hasn't declared all, and a pointer is no int.

    The prototypes are those of ``bcc_common.h``.
    """

    def __init__(self, module: int) -> None:
        from bcc.libbcc import lib  # of the package that import_bcc has checked

        self._lib = lib
        self._module = ctypes.c_void_p(module)

    def text(self, function: str, place: int) -> str:
        """What is told of the table or function at a place."""
        return str(self._asked(function, ctypes.c_char_p, ctypes.c_size_t(place)).decode())

    def number(self, function: str, place: int) -> int:
        """An int."""
        return int(self._asked(function, ctypes.c_int, ctypes.c_size_t(place)))

    def size(self, function: str, *place: int) -> int:
        """A size_t, of the module or of what is at a place."""
        return int(self._asked(function, ctypes.c_size_t, *map(ctypes.c_size_t, place)))

    def code(self, name: str) -> bytes:
        """A function's instructions."""
        wanted = ctypes.c_char_p(name.encode())
        start = self._asked("bpf_function_start", ctypes.c_void_p, wanted)
        return ctypes.string_at(start, self._asked("bpf_function_size", ctypes.c_size_t, wanted))

    def _asked(self, function: str, result: Any, *arguments: Any) -> Any:
        found = self._lib[function]  # an object of our own, whose types are nobody else's
        found.restype = result
        return found(self._module, *arguments)


@contextlib.contextmanager
def _private_build() -> Iterator[None]:
    """BCC's environment while it compiles: our kernel tree, no place for files, none of the caller's BCC_*.

    Without this BCC looks for headers of the running kernel, and unpacks those of the kheaders module
    under a name that anybody can guess (CVE-2024-2314). With it there is nothing to unpack.
    """
    saved = {name: value for name, value in os.environ.items() if name.startswith("BCC_") or name == "TMPDIR"}
    for name in saved:
        del os.environ[name]
    os.environ.update(BCC_KERNEL_SOURCE=str(KERNEL_TREE), TMPDIR=NOWHERE)
    try:
        yield
    finally:
        del os.environ["BCC_KERNEL_SOURCE"], os.environ["TMPDIR"]
        os.environ.update(saved)
