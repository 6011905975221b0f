"""The kernel as a runtime, by way of BCC: the one border where BCC's ways become ours."""

from __future__ import annotations

import atexit
import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from tpkit.kernel_tree import FOLDER as KERNEL_TREE
from tpkit.program import Program
from tpkit.record import Batch
from tpkit.runtime.bcc_package import import_bcc
from tpkit.runtime.diagnose import attach_failure, check_privileges, compile_failure, load_failure
from tpkit.runtime.ring import CallbackRing, MappedRing, Ring, can_map
from tpkit.runtime.stderr import captured_stderr


class BccRuntime:
    """The running kernel. mapped: read the ring buffer by mapping it, None for what suits the machine."""

    def __init__(self, *, mapped: bool | None = None) -> None:
        self._mapped = can_map() if mapped is None else mapped

    def start(self, program: Program) -> Attached:
        """Compiles, loads and attaches. Raises ProbeError, and then leaves nothing behind."""
        bpf = _loaded(program)
        try:
            _attach(bpf, program)
            return Attached(bpf, program, mapped=self._mapped)
        except BaseException:
            _release(bpf)
            raise

    def load(self, program: Program) -> None:
        """Compiles and loads, attaches nothing, and gives all of it back: would the kernel take it?

        Raises ProbeError: CompileError, LoadError and what ``start`` raises besides them.
        """
        _release(_loaded(program))


def _loaded(program: Program) -> Any:
    """BCC's module object, with its functions in the kernel. Raises ProbeError."""
    check_privileges()
    bcc = import_bcc()
    bpf = compile_program(bcc, program.source)
    try:
        for probe in program.probes:
            with captured_stderr() as words:
                try:
                    bpf.load_func(probe.function.encode(), bcc.BPF.TRACEPOINT)
                except Exception as error:
                    raise load_failure(str(probe.tracepoint), f"{error}\n{words()}") from None
    except BaseException:
        _release(bpf)
        raise
    return bpf


def _attach(bpf: Any, program: Program) -> None:
    for probe in program.probes:
        event = str(probe.tracepoint)
        with captured_stderr() as words:
            try:
                bpf.attach_tracepoint(tp=event.encode(), fn_name=probe.function.encode())
            except Exception as error:
                raise attach_failure(event, f"{error}\n{words()}") from None


def compile_program(bcc: Any, source: str) -> Any:
    """BCC's module object for a program; nothing is loaded yet, but its maps are there. Raises ProbeError."""
    with _private_build(), captured_stderr() as words:
        try:
            return bcc.BPF(text=source.encode(), cflags=_compiler_flags())
        except Exception as error:  # BCC raises nothing more exact
            raise compile_failure(words() or str(error)) from None


class Attached:
    """A program in the kernel, and its ring buffer."""

    def __init__(self, bpf: Any, program: Program, *, mapped: bool) -> None:
        self._bpf = bpf
        self._program = program
        self._table = bpf[program.ring.encode()]
        self._attached = True
        self._ring: Ring | None = self._open_ring(mapped)

    def _open_ring(self, mapped: bool) -> Ring:
        if mapped:
            return MappedRing(self._table.map_fd, self._table.max_entries, self._program.stride)
        return CallbackRing(self._table.open_ring_buffer, self._bpf.ring_buffer_consume, self._program.stride)

    def ready_descriptor(self) -> int | None:
        """The ring buffer's map: it polls readable when its consumer has something to do."""
        return int(self._table.map_fd)

    def finished(self) -> bool:
        """Never: a kernel goes on."""
        return False

    def read(self) -> Batch:
        """The records that are complete, oldest first."""
        assert self._ring is not None  # closed sessions aren't read
        return Batch(self._program.layouts, self._ring.read())

    def lost(self) -> tuple[int, ...]:
        """For each probe, how many records found the ring buffer full."""
        counts = self._bpf[self._program.lost.encode()]
        return tuple(sum(counts[counts.Key(number)]) for number in range(len(self._program.probes)))

    def detach(self) -> None:
        """Takes the probes off their tracepoints."""
        if self._attached:
            self._attached = False
            for probe in self._program.probes:
                self._bpf.detach_tracepoint(tp=str(probe.tracepoint).encode())

    def close(self) -> None:
        """Detaches, unmaps, and lets the kernel free program and maps."""
        self.detach()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
            _release(self._bpf)


def _release(bpf: Any) -> None:
    """All that BCC holds; its own clean-up at exit would find nothing left, and only keep it in memory."""
    bpf.cleanup()
    atexit.unregister(bpf.cleanup)
    atexit.unregister(bpf.donothing)  # registered for each function that the kernel refused


def _compiler_flags() -> list[str]:
    # -nostdinc: never a header of this machine's, which may be another kernel's.
    return ["-nostdinc", f"-DTPKIT_PAGE_SIZE={mmap.PAGESIZE}"]


@contextlib.contextmanager
def _private_build() -> Iterator[None]:
    """BCC's environment while it compiles: our kernel tree, a private TMPDIR, none of the caller's BCC_*.

    Without this BCC looks for headers of the running kernel, and unpacks those of the kheaders module
    under a name that anybody can guess (CVE-2024-2314).
    """
    saved = {name: value for name, value in os.environ.items() if name.startswith("BCC_") or name == "TMPDIR"}
    # Not where the caller's TMPDIR says: that may be a folder of somebody else's.
    with tempfile.TemporaryDirectory(prefix="tpkit-", dir="/tmp") as private:
        for name in saved:
            del os.environ[name]
        os.environ.update(BCC_KERNEL_SOURCE=str(KERNEL_TREE), TMPDIR=private)
        try:
            yield
        finally:
            del os.environ["BCC_KERNEL_SOURCE"], os.environ["TMPDIR"]
            os.environ.update(saved)
