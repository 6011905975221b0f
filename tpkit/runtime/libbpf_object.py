"""Loads what clang compiled, by way of the distribution's libbpf, without attaching it."""

from __future__ import annotations

import ctypes
import os
import signal
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tpkit.errors import ToolError
from tpkit.host import install_command, is_root_owned
from tpkit.runtime.diagnose import check_privileges, load_failure

# Version 1 and later return errors by errno, and raise RLIMIT_MEMLOCK by themselves where the kernel
# still counts BPF against it (before Linux 5.11): bump_rlimit_memlock() in libbpf's bpf.c.
LIBRARY = "libbpf.so.1"

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEBUG = 2  # LIBBPF_DEBUG of bpf/libbpf.h: a line for every step

# libbpf_print_fn_t of bpf/libbpf.h: level, format and va_list, which 64-bit machines hand over as a pointer.
_Printer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


def library_folders() -> tuple[Path, ...]:
    """Where distributions put libraries of this machine's kind: Debian's multiarch folder, others' lib64."""
    triple = sysconfig.get_config_var("MULTIARCH") or f"{os.uname().machine}-linux-gnu"
    return (Path("/usr/lib") / triple, Path("/usr/lib64"), Path("/usr/lib"))


class Libbpf:
    """The distribution's libbpf. Raises ToolError where there is none, or one that others may change."""

    def __init__(self, folders: Iterable[Path] | None = None) -> None:
        path = _find(library_folders() if folders is None else folders)
        try:
            self._library = ctypes.CDLL(str(path), use_errno=True)
        except OSError as error:
            raise ToolError(f"can't be loaded: {error}", where=str(path), remedy=install_command("libbpf")) from None
        _declare(self._library)

    def load(self, binary: bytes, title: str) -> None:
        """Loads all programs and maps of an object file, and gives them back: would the kernel take them?

        title: what errors call it. Raises LoadError, PrivilegeError, KernelUnsupported.
        """
        check_privileges()
        with self._collected() as words:
            failure = self._refusal(binary)
        if failure:
            raise load_failure(title, f"{os.strerror(failure)}\n{''.join(words)}".strip())

    def _refusal(self, binary: bytes) -> int:
        """The error's number, 0 where there is none."""
        opened = self._library.bpf_object__open_mem(binary, len(binary), None)
        if not opened:
            return ctypes.get_errno()
        try:
            return -int(self._library.bpf_object__load(opened))
        finally:
            self._library.bpf_object__close(opened)

    @contextmanager
    def _collected(self) -> Iterator[list[str]]:
        """What libbpf says meanwhile, of itself and of the verifier."""
        words: list[str] = []

        def collect(level: int, text: bytes, arguments: int) -> int:
            if level != _DEBUG:
                words.append(_printed(text, arguments))
            return 0

        printer = _Printer(collect)
        with _signals_waiting():
            # Whoever printed before does so again: libbcc uses the same libbpf, with a printer of its own.
            before = self._library.libbpf_set_print(ctypes.cast(printer, ctypes.c_void_p))
            try:
                yield words
            finally:
                self._library.libbpf_set_print(before)


def _declare(library: ctypes.CDLL) -> None:
    """The functions' types, as bpf/libbpf.h has them."""
    library.bpf_object__open_mem.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p)
    library.bpf_object__open_mem.restype = ctypes.c_void_p
    library.bpf_object__load.argtypes = (ctypes.c_void_p,)
    library.bpf_object__close.argtypes = (ctypes.c_void_p,)
    library.bpf_object__close.restype = None
    library.libbpf_set_print.argtypes = (ctypes.c_void_p,)
    library.libbpf_set_print.restype = ctypes.c_void_p


@contextmanager
def _signals_waiting() -> Iterator[None]:
    """A Ctrl-C comes when this is over: what a handler raises in a function that C calls would be lost.

    To block them would not do: another thread may take a signal, and Python runs its handler here all the same.
    """
    if threading.current_thread() is not threading.main_thread():  # there no handler ever runs
        yield
        return
    came: list[int] = []
    ours = [number for number in _ENDING if signal.getsignal(number) is not None]  # None: C code has its own
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)


def _printed(text: bytes, arguments: int) -> str:
    """What printf(3) makes of a format and its va_list."""
    libc = ctypes.CDLL(None)
    libc.vasprintf.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    libc.free.argtypes = (ctypes.c_void_p,)
    made = ctypes.c_void_p()
    if libc.vasprintf(ctypes.byref(made), text, arguments) < 0:
        return ""
    try:
        return ctypes.string_at(made.value or 0).decode(errors="replace")
    finally:
        libc.free(made)


def _find(folders: Iterable[Path]) -> Path:
    for folder in folders:
        path = folder / LIBRARY
        if not path.exists():
            continue
        if is_root_owned(folder) and is_root_owned(path):
            return path
        raise ToolError(
            "libbpf can be changed by others than root, so it isn't loaded",
            where=str(path),
            remedy=f"check its owner and permissions, or reinstall it: {install_command('libbpf')}",
        )
    raise ToolError(f"{LIBRARY} isn't installed", remedy=install_command("libbpf"))
