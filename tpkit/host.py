"""What this machine is: its distribution, our privileges, what the kernel forbids, where tools are.

Reads ``/etc/os-release``, ``/proc`` and securityfs. Each function takes the file it reads, so that a
test can hand it another machine's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

# capability(7); the numbers are in uapi/linux/capability.h.
CAPABILITIES: Mapping[str, int] = {"CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}

STATUS = Path("/proc/self/status")
LOCKDOWN = Path("/sys/kernel/security/lockdown")

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
}
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
    """What to type to get ``tool`` (``bcc`` or ``bpftrace``) on this distribution."""
    names = _PACKAGES[tool]
    for each in distribution() if ids is None else ids:
        if each in _INSTALL:
            return f"{_INSTALL[each]} {names.get(each, tool)}"
    return f"install your distribution's package of {'BCC for Python 3' if tool == 'bcc' else tool}"


def missing_capabilities(status: Path = STATUS) -> tuple[str, ...]:
    """Which capabilities this process lacks to load and attach tracepoint programs.

    CAP_SYS_ADMIN alone suffices, otherwise both CAP_BPF and CAP_PERFMON are needed (Linux 5.8,
    commit a17b53c4a4b5); ``capabilities(7)``.
    """
    effective = 0
    for line in status.read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
    if effective >> CAPABILITIES["CAP_SYS_ADMIN"] & 1:
        return ()
    return tuple(name for name in ("CAP_BPF", "CAP_PERFMON") if not effective >> CAPABILITIES[name] & 1)


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


def clean_environment() -> dict[str, str]:
    """An environment for programs that we start: nothing of the caller's reaches them."""
    return {"PATH": ":".join(TRUSTED_PATH), "LC_ALL": "C.UTF-8"}


