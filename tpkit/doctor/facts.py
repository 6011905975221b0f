"""Looks at this machine. Every function takes the files that it reads, so that a test can hand it others.

Nothing here raises: what may not be looked at is a fact as well.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tpkit import host
from tpkit.doctor.kernel_calls import Answers, ask_kernel
from tpkit.errors import BccNotFound, TpkitError
from tpkit.runtime.alone import may_be_interrupted
from tpkit.tracefs import MOUNT_POINTS, Tracefs

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
LIBBPF_HEADERS = (Path("/usr/include/bpf"), Path("/usr/local/include/bpf"))
BTF_MAGIC = (b"\x9f\xeb", b"\xeb\x9f")  # include/uapi/linux/btf.h, in either byte order
_TOOL_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something can't be had, and what to do, in the words of the error that a command would end with."""

    what: str
    remedy: str | None

    @classmethod
    def of(cls, error: TpkitError) -> Problem:
        """Without an external program's own words: they have many lines."""
        return cls(f"{error.where}: {error.what}" if error.where else error.what, error.remedy)


@dataclass(frozen=True, slots=True)
class TracefsFacts:
    """tracefs. known: the kernel has it; root: where it is; events, syscalls: how many events, and of system calls."""

    known: bool
    root: Path | None = None
    events: int = 0
    syscalls: int = 0
    problem: Problem | None = None

    @property
    def bcc_finds_it(self) -> bool:
        """libbcc looks in two places (``get_tracefs_path`` in its ``libbpf.c``), whatever the mount table says."""
        return self.root in MOUNT_POINTS


class Btf(Enum):
    """The kernel's BTF as a file."""

    READABLE = "readable"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class BccFacts:
    """BCC's package: its version and folder, whether it knows ring buffers; or why it can't be had."""

    version: str = ""
    folder: Path | None = None
    has_ring_buffer: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of the distribution. version: None where it can't say, as Ubuntu's bpftool of another kernel."""

    path: Path
    version: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a machine.

    uid: the effective user; interrupted: whether programs on system calls may be interrupted by others of them;
    missing: capabilities that tracing lacks; can_raise_limits: CAP_SYS_RESOURCE;
    headers: release and folder of each tree; memlock: bytes, None for no limit; ring_bytes: what a
    session's ring buffer takes; lockdown: None where the kernel doesn't say; libbpf: version of its headers.
    """

    release: str
    machine: str
    distribution: tuple[str, ...]
    uid: int
    tracefs: TracefsFacts
    btf: Btf
    interrupted: bool
    answers: Answers
    bcc: BccFacts
    missing: tuple[str, ...]
    can_raise_limits: bool
    initial_user_namespace: bool
    initial_pid_namespace: bool
    seccomp: bool
    lockdown: str | None
    unprivileged_bpf: int | None
    perf_paranoid: int | None
    memlock: int | None
    ring_bytes: int
    headers: tuple[tuple[str, Path], ...]
    tools: Mapping[str, Tool | None]
    libbpf: str | None


def gather() -> Facts:
    """The facts of the running machine, as this process sees them. Takes some tenths of a second."""
    return Facts(
        release=platform.release(),
        machine=platform.machine(),
        distribution=host.distribution(),
        uid=os.geteuid(),
        tracefs=look_at_tracefs(),
        btf=look_at_btf(),
        interrupted=may_be_interrupted(),
        answers=ask_kernel(),
        bcc=look_at_bcc(),
        missing=host.missing_capabilities(),
        can_raise_limits=host.has_capability("CAP_SYS_RESOURCE"),
        initial_user_namespace=host.in_initial_user_namespace(),
        initial_pid_namespace=host.pid_namespace() is None,
        seccomp=host.has_seccomp_filter(),
        lockdown=host.lockdown(),
        unprivileged_bpf=host.sysctl("kernel.unprivileged_bpf_disabled"),
        perf_paranoid=host.sysctl("kernel.perf_event_paranoid"),
        memlock=host.memlock(),
        ring_bytes=ring_bytes(),
        headers=host.header_trees(),
        tools={name: look_at_tool(name) for name in ("bpftrace", "clang", "bpftool")},
        libbpf=libbpf_version(),
    )


def look_at_tracefs(
    mounts: Path = Path("/proc/self/mounts"), filesystems: Path = Path("/proc/filesystems")
) -> TracefsFacts:
    """Whether tracefs can be read as list, describe and BCC do: the names, a format, an event's number."""
    known = _has_filesystem("tracefs", filesystems)
    root = None
    try:
        tree = Tracefs.find(mounts)
        root = tree.root
        events = tree.event_ids()
        tree.format_text(events[0])
        tree.event_number(events[0])
    except TpkitError as error:
        return TracefsFacts(known, root, problem=Problem.of(error))
    return TracefsFacts(known, root, len(events), sum(event.category == "syscalls" for event in events))


def _has_filesystem(name: str, filesystems: Path) -> bool:
    try:
        return name in filesystems.read_text().split()
    except OSError:  # no /proc: nothing speaks against it
        return True


def look_at_btf(path: Path = KERNEL_BTF) -> Btf:
    """Whether the kernel shows its BTF; its beginning only, the rest is read when it is used."""
    try:
        with path.open("rb") as file:
            return Btf.READABLE if file.read(2) in BTF_MAGIC else Btf.FOREIGN
    except (FileNotFoundError, NotADirectoryError):
        return Btf.ABSENT
    except OSError:
        return Btf.UNREADABLE


def look_at_bcc(folders: Iterable[Path] | None = None) -> BccFacts:
    """BCC as trace would load it: the distribution's, and only where nobody but root may change it."""
    from tpkit.runtime.bcc_package import import_bcc

    try:
        module = import_bcc(folders)
    except BccNotFound as error:
        return BccFacts(problem=Problem.of(error))
    return BccFacts(
        version=str(getattr(module, "__version__", "of unknown version")),
        folder=Path(str(module.__file__)).parent,
        has_ring_buffer=hasattr(getattr(module, "table", None), "RingBuf"),
    )


def ring_bytes() -> int:
    """How much memory a session's ring buffer takes."""
    from tpkit.program import DEFAULT_RING_SIZE

    return DEFAULT_RING_SIZE


def look_at_tool(name: str) -> Tool | None:
    """A program on the distribution's paths, and the version that it gives."""
    path = host.find_tool(name)
    return None if path is None else Tool(path, _version_of(path))


def _version_of(path: Path) -> str | None:
    try:
        done = subprocess.run(
            [str(path), "version" if path.name == "bpftool" else "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=host.clean_environment(),
            cwd="/",
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"\bv?(\d+(?:\.\d+)+)", done.stdout)
    return found[1].decode() if found and not done.returncode else None


def libbpf_version(folders: Iterable[Path] = LIBBPF_HEADERS) -> str | None:
    """The version of libbpf's headers (``libbpf_version.h``; empty before 0.6, which had none), None without them."""
    for folder in folders:
        try:
            (folder / "libbpf.h").stat()
            text = (folder / "libbpf_version.h").read_text(errors="replace")
        except FileNotFoundError:
            if (folder / "bpf_helpers.h").exists():
                return ""
            continue
        except OSError:
            continue
        return ".".join(re.findall(r"^#define LIBBPF_M(?:AJOR|INOR)_VERSION (\d+)", text, re.MULTILINE))
    return None
