"""What this machine is: its distribution, our privileges, what the kernel forbids, where tools are.

Reads ``/etc/os-release``, ``/proc`` and securityfs. Each function takes the file it reads, so that a
test can hand it another machine's.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from tpkit.errors import UsageError

# capability(7); the numbers are in uapi/linux/capability.h.
CAPABILITIES: Mapping[str, int] = {"CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_PERFMON": 38, "CAP_BPF": 39}

STATUS = Path("/proc/self/status")
LOCKDOWN = Path("/sys/kernel/security/lockdown")
# Mainline's highest kernel.perf_event_paranoid; Debian's 3 and Ubuntu's 4 are patches that overrule CAP_PERFMON.
HIGHEST_PARANOID = 2
PARANOID_REMEDY = f"run as root; or as root: sysctl kernel.perf_event_paranoid={HIGHEST_PARANOID}"
# Once set it can't be lowered while the kernel runs: kernel_lockdown(7).
LOCKDOWN_REMEDY = "boot without lockdown=confidentiality; lockdown=integrity, as with Secure Boot, does no harm"

# Where a distribution's own programs are: the caller's PATH isn't asked, it may be hostile to root.
TRUSTED_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")

_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "bcc": {
        "debian": "python3-bpfcc",
        "ubuntu": "python3-bpfcc",
        "fedora": "python3-bcc",
        "rhel": "python3-bcc",
        "suse": "python3-bcc",
        "arch": "python-bcc",
        "alpine": "py3-bcc",
    },
    "bpftrace": {},  # the same name everywhere
    "clang": {},
    "bpftool": {"ubuntu": "linux-tools-common linux-tools-generic", "arch": "bpf"},
    "libbpf": {
        "debian": "libbpf-dev",
        "ubuntu": "libbpf-dev",
        "fedora": "libbpf-devel",
        "rhel": "libbpf-devel",
        "suse": "libbpf-devel",
        "alpine": "libbpf-dev",
    },
}
# Where the package's name isn't known: what to look for.
_PLAIN: Mapping[str, str] = {"bcc": "BCC for Python 3", "libbpf": "libbpf's headers"}
_INSTALL: Mapping[str, str] = {
    "debian": "apt-get install",
    "ubuntu": "apt-get install",
    "fedora": "dnf install",
    "rhel": "dnf install",
    "suse": "zypper install",
    "arch": "pacman -S",
    "alpine": "apk add",
}


def distribution(os_release: Path = Path("/etc/os-release")) -> tuple[str, ...]:
    """The distribution's ID and those it is like, nearest first; empty when unknown (os-release(5))."""
    values: dict[str, str] = {}
    try:
        lines = os_release.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    for line in lines:
        key, _, value = line.partition("=")
        values[key] = value.strip().strip("\"'")
    # openSUSE's IDs have a suffix (opensuse-leap); its ID_LIKE says "suse".
    return tuple(f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".split())


def install_command(tool: str, ids: tuple[str, ...] | None = None) -> str:
    """What to type to get ``tool`` (``bcc``, ``bpftrace``, ``clang``, ``bpftool``, ``libbpf``) on this distribution."""
    names = _PACKAGES[tool]
    for each in distribution() if ids is None else ids:
        if each in _INSTALL:
            return f"{_INSTALL[each]} {names.get(each, tool)}"
    return f"install your distribution's package of {_PLAIN.get(tool, tool)}"


def has_capability(name: str, status: Path = STATUS) -> bool:
    """Whether this process has one of CAPABILITIES; taken for granted where ``/proc`` doesn't say."""
    mask = _status(status).get("CapEff")
    return mask is None or bool(int(mask, 16) >> CAPABILITIES[name] & 1)


def missing_capabilities(status: Path = STATUS) -> tuple[str, ...]:
    """Which capabilities this process lacks to load and attach tracepoint programs.

    CAP_SYS_ADMIN alone suffices, otherwise both CAP_BPF and CAP_PERFMON are needed (Linux 5.8,
    commit a17b53c4a4b5); ``capabilities(7)``.
    """
    if has_capability("CAP_SYS_ADMIN", status):
        return ()
    return tuple(name for name in ("CAP_BPF", "CAP_PERFMON") if not has_capability(name, status))


def has_seccomp_filter(status: Path = STATUS) -> bool:
    """Whether system calls of this process are filtered, as container engines do (seccomp(2))."""
    return _status(status).get("Seccomp") == "2"


def _status(path: Path) -> dict[str, str]:
    """The lines of ``/proc/PID/status`` (proc(5)); none where it can't be read."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def in_initial_user_namespace(uid_map: Path = Path("/proc/self/uid_map")) -> bool:
    """Whether our capabilities count for the kernel itself (user_namespaces(7))."""
    try:
        return uid_map.read_text().split() == ["0", "0", "4294967295"]
    except OSError:
        return True


def pid_namespace(link: Path = Path("/proc/self/ns/pid")) -> tuple[int, int] | None:
    """Device and inode of our PID namespace, or None in the initial one.

    The initial one's inode is fixed: PROC_PID_INIT_INO of include/linux/proc_ns.h.
    """
    try:
        status = link.stat()
    except OSError:
        return None
    return None if status.st_ino == 0xEFFFFFFC else (status.st_dev, status.st_ino)


def lockdown(path: Path = LOCKDOWN) -> str | None:
    """``none``, ``integrity`` or ``confidentiality``; None where the kernel doesn't say."""
    try:
        words = path.read_text().split()
    except OSError:
        return None
    return next((word.strip("[]") for word in words if word.startswith("[")), None)


def sysctl(name: str, folder: Path = Path("/proc/sys")) -> int | None:
    """A number that is set under ``/proc/sys``, such as ``kernel.perf_event_paranoid``; None where there is none."""
    try:
        return int(folder.joinpath(*name.split(".")).read_text())
    except (OSError, ValueError):
        return None


def memlock(limits: Path = Path("/proc/self/limits")) -> int | None:
    """The soft RLIMIT_MEMLOCK in bytes, None for unlimited or unknown (getrlimit(2), proc(5))."""
    try:
        found = re.search(r"^Max locked memory +(\d+)", limits.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def memlock_remedy(uid: int | None = None) -> str:
    """How to raise RLIMIT_MEMLOCK for a process that may not do it by itself."""
    if (os.geteuid() if uid is None else uid) == 0:
        return "run with CAP_SYS_RESOURCE; a container: start it with --ulimit memlock=-1"
    return f"as root: prlimit --memlock=unlimited --pid {os.getppid()} (the process that started tpkit)"


def header_trees(
    modules: Path = Path("/lib/modules"), sources: Path = Path("/usr/src")
) -> tuple[tuple[str, Path], ...]:
    """The kernel headers lying about: the release that each is for, and its folder.

    The release is the one that the tree was configured for (``include/config/kernel.release``), else
    that of its name: Debian's and Ubuntu's ``linux-headers-*``, Fedora's ``kernels/*``, ``/lib/modules/*/build``.
    """
    named = {
        **{path.name.removeprefix("linux-headers-"): path for path in _listed(sources, "linux-headers-*")},
        **{path.name: path for path in _listed(sources / "kernels", "*")},
        **{path.parent.name: path for path in _listed(modules, "*/build")},
    }
    return tuple(sorted((_configured_release(path) or name, path) for name, path in named.items()))


def _listed(folder: Path, pattern: str) -> list[Path]:
    """Folders that are there: what was removed leaves dangling links behind."""
    try:
        return [path for path in folder.glob(pattern) if path.is_dir()]
    except OSError:
        return []


def _configured_release(tree: Path) -> str | None:
    try:
        return (tree / "include/config/kernel.release").read_text(errors="replace").strip() or None
    except OSError:
        return None


def find_tool(name: str) -> Path | None:
    """A program of the distribution: on a fixed path, not writable by others than root."""
    for folder in TRUSTED_PATH:
        path = Path(folder) / name
        if is_root_owned(path) and os.access(path, os.X_OK):
            return path
    return None


def is_root_owned(path: Path) -> bool:
    """Whether the path, links followed, exists, is root's, and nobody else may write it."""
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_uid == 0 and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def trusted_owners() -> set[int]:
    """Whose files we may write into: root's, our own, and under sudo those of whoever called it."""
    caller = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return {0, os.geteuid(), *([int(caller)] if caller.isdecimal() else [])}


def clean_environment() -> dict[str, str]:
    """An environment for programs that we start: nothing of the caller's reaches them."""
    return {"PATH": ":".join(TRUSTED_PATH), "LC_ALL": "C.UTF-8"}


CGROUPS = Path("/sys/fs/cgroup")


def open_cgroup(path: Path, root: Path = CGROUPS) -> int:
    """A descriptor of a cgroup's folder (cgroups(7), version 2); below ``root`` unless absolute. Raises UsageError."""
    whole = path if path.is_absolute() else root / path
    try:
        descriptor = os.open(whole, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        remedy = f"cgroups are the folders below {root}; see /proc/PID/cgroup"
        raise UsageError(f"no cgroup: {error.strerror}", where=str(whole), remedy=remedy) from None
    try:
        os.stat("cgroup.controllers", dir_fd=descriptor)  # in every cgroup of version 2, and in none of version 1
    except OSError:
        os.close(descriptor)
        raise UsageError("isn't a cgroup of version 2", where=str(whole), remedy="mount cgroup2, or give -p") from None
    return descriptor
