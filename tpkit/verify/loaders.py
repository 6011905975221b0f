"""Ways to try a program: generate, compile, load, let go. One for each target that can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from tpkit.btf import load_kernel_btf
from tpkit.codegen.bcc import generate_bcc
from tpkit.codegen.bcc_plain import plain_program
from tpkit.model import EventFormat
from tpkit.program import ProbeSpec, Program
from tpkit.runtime.bcc_runtime import BccRuntime
from tpkit.runtime.clang import Clang, kernel_clang
from tpkit.runtime.libbpf_object import Libbpf


class Loader(Protocol):
    """Tries programs."""

    def check(self, events: Sequence[EventFormat]) -> None:
        """One program for all of these events, loaded and given back; nothing is attached.

        Raises GenerateError, CompileError, LoadError where it doesn't come so far, and other errors where
        no program would.
        """


class BccLoader:
    """BCC compiles, we load. generators: make the programs: what ``trace`` runs, and what scripts have."""

    def __init__(self, *generators: Callable[[ProbeSpec], Program]) -> None:
        self._generators = generators or (generate_bcc, plain_program)
        self._runtime = BccRuntime()

    def check(self, events: Sequence[EventFormat]) -> None:
        """See Loader."""
        for generate in self._generators:
            self._runtime.load(generate(ProbeSpec(tuple(events))))


class LibbpfLoader:
    """clang compiles, libbpf loads. generate: makes the programs, in C that includes ``vmlinux.h``."""

    def __init__(self, clang: Clang, libbpf: Libbpf, generate: Callable[[ProbeSpec], str]) -> None:
        self._clang = clang
        self._libbpf = libbpf
        self._generate = generate

    def check(self, events: Sequence[EventFormat]) -> None:
        """See Loader."""
        binary = self._clang.compile(self._generate(ProbeSpec(tuple(events))))
        self._libbpf.load(binary, ", ".join(str(event.id) for event in events))


@contextmanager
def libbpf_loader() -> Iterator[LibbpfLoader]:
    """A loader for the running kernel, with its ``vmlinux.h`` for as long as the context lasts.

    Raises ToolError, KernelUnsupported.
    """
    from tpkit.codegen.libbpf import bpf_source

    libbpf = Libbpf()
    with kernel_clang() as clang:
        btf = load_kernel_btf()
        yield LibbpfLoader(clang, libbpf, lambda spec: bpf_source(spec, btf))
