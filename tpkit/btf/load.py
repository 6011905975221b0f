"""Reads BTF from the kernel, or from a file that was copied from one."""

from __future__ import annotations

import os
import re
import stat
from mmap import MAP_PRIVATE, PROT_READ, mmap
from pathlib import Path

from tpkit.btf.blob import BtfError
from tpkit.btf.types import Btf

KERNEL_BTF = Path("/sys/kernel/btf")
MAX_FILE = 32 << 20  # bytes; Linux 6.18 has 5.5 MB, and names start within 16 MB (BTF_MAX_NAME_OFFSET)

_MODULE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def load_kernel_btf(module: str | None = None, folder: Path = KERNEL_BTF) -> Btf | None:
    """The running kernel's BTF, or a module's on top of it; None where there is none. Raises BtfError."""
    kernel = _load(folder / "vmlinux", trusted=True)
    if kernel is None or module is None:
        return kernel
    if not _MODULE.fullmatch(module):
        raise BtfError(f"{module[:80]!r} can't be a module's name")
    return _load(folder / module.replace("-", "_"), kernel, trusted=True)


def load_btf(path: Path, base: Btf | None = None) -> Btf | None:
    """The BTF in a file, such as a copy of ``/sys/kernel/btf/vmlinux``; None if it isn't there.

    base: the kernel's, for the file of a module. Raises BtfError.
    """
    return _load(path, base)


def _load(path: Path, base: Btf | None = None, *, trusted: bool = False) -> Btf | None:
    try:
        data = _read(path, trusted=trusted)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BtfError(f"BTF can't be read: {error.strerror}", where=str(path)) from error
    return Btf.from_bytes(data, base, str(path))


def _read(path: Path, *, trusted: bool) -> bytes | mmap:
    """A regular file's bytes. Those of sysfs come in pages of 4 KiB, 7 ms for a kernel's: so map them.

    Only sysfs is mapped: another file may shrink while we read, and the mapping's end would kill us.
    """
    # A captured tree may hold a FIFO under this name; opened so, it doesn't wait for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
            raise BtfError("this isn't BTF: no regular file, or far too large", where=str(path))
        if trusted:
            try:
                return mmap(fd, status.st_size, flags=MAP_PRIVATE, prot=PROT_READ)
            except (OSError, ValueError):
                pass  # the vmlinux of kernels before 6.16 can't be mapped, nor can modules' BTF
        return file.read(status.st_size)
