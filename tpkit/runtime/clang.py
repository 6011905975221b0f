"""Compiles C for libbpf: the distribution's clang, and a ``vmlinux.h`` of the running kernel.

Nothing of the caller's has a say: programs come from trusted folders, their environment is ours, and
what is written lies in a private folder that goes away.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tpkit import host
from tpkit.errors import CompileError, KernelUnsupported, ToolError

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
HELPERS = Path("/usr/include/bpf/bpf_helpers.h")  # stands for all headers of libbpf
_SECONDS = 600  # an emulated machine takes its time

# What bpf_tracing.h knows a machine as; other machines have the same name here and there.
_MACHINES = {"x86_64": "x86", "aarch64": "arm64", "s390x": "s390", "ppc64le": "powerpc", "riscv64": "riscv"}


@dataclass(frozen=True, slots=True)
class Clang:
    """program: the compiler; folder: holds ``vmlinux.h``."""

    program: Path
    folder: Path

    def compile(self, source: str) -> bytes:
        """The object file, with BTF, of a program in C. Raises CompileError, ToolError."""
        done = _run([self.program, *compiler_flags(), "-x", "c", "-", "-o", "-"], self.folder, source.encode())
        if done.returncode:
            raise CompileError(
                "clang could not compile the generated program",
                remedy="please report this with clang's and your kernel's version",
                details=done.stderr.decode(errors="replace").strip(),
            )
        return done.stdout


def compiler_flags(machine: str | None = None) -> tuple[str, ...]:
    """For a kernel of this kind of machine, as uname(2) has it; this one's where none is given.

    -fms-extensions: structs of Linux 7.2 have anonymous members with a tag (struct pidfs_attr). -g: libbpf
    needs BTF. No -mcpu: clang's choice, v1 and from clang 20 on v3, is known since Linux 5.1.
    """
    name = machine or os.uname().machine
    target = f"-D__TARGET_ARCH_{_MACHINES.get(name, name)}"
    return "-target", "bpf", "-g", "-O2", "-fms-extensions", target, "-fno-color-diagnostics", "-c"


@contextmanager
def kernel_clang(btf: Path = KERNEL_BTF) -> Iterator[Clang]:
    """clang beside a ``vmlinux.h`` made from this BTF, for as long as the context lasts.

    Raises ToolError for what isn't installed, KernelUnsupported for a kernel without BTF.
    """
    clang, bpftool = _tool("clang"), _tool("bpftool")
    if not HELPERS.exists():
        raise ToolError("libbpf's headers aren't installed", where=str(HELPERS), remedy=host.install_command("libbpf"))
    if not btf.exists():
        raise KernelUnsupported(
            "this kernel doesn't describe its own types, which vmlinux.h is made of",
            where=str(btf),
            remedy="boot a kernel with CONFIG_DEBUG_INFO_BTF; the target bcc needs none",
        )
    with tempfile.TemporaryDirectory(prefix="tpkit-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "vmlinux.h").write_bytes(_vmlinux_header(bpftool, btf, folder))
        yield Clang(clang, folder)


def _vmlinux_header(bpftool: Path, btf: Path, folder: Path) -> bytes:
    done = _run([bpftool, "btf", "dump", "file", btf, "format", "c"], folder)
    if done.returncode or not done.stdout:
        raise ToolError(
            "bpftool makes no vmlinux.h of the kernel's BTF",
            where=str(bpftool),
            remedy=f"a newer one may: {host.install_command('bpftool')}",
            details=done.stderr.decode(errors="replace").strip() or None,
        )
    return done.stdout


def _tool(name: str) -> Path:
    program = host.find_tool(name)
    if program is None:
        raise ToolError(f"{name} isn't installed", remedy=host.install_command(name))
    return program


def _run(command: Sequence[str | Path], folder: Path, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            env=host.clean_environment() | {"TMPDIR": str(folder)},
            cwd=folder,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"can't be run: {error}", where=str(command[0])) from None
