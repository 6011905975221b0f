"""What this machine needs to run others: programs from its package manager, virtme-ng in a venv of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.commands import MatrixError, output

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
VARIABLE = "TPKIT_MATRIX_CACHE"

# Programs, and Debian's packages that have them.
MACHINE_PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "modprobe": "kmod",  # finds what a kernel needs before it has a root
    "busybox": "busybox-static",  # all there is before that
    "file": "file",  # tells a kernel's version
    "ip": "iproute2",  # the loopback device, there and in the tests
}
ROOT_PROGRAMS = {"debootstrap": "debootstrap"}
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def cache_folder() -> Path:
    """Where kernels and results are kept: outside of the checkout, and only root's to write."""
    folder = Path(os.environ.get(VARIABLE) or "/var/cache/tpkit-matrix").absolute()
    if not set(str(folder)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"):
        raise MatrixError(f"{VARIABLE}={folder}: the path is handed to a kernel's command line; use plain characters")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def missing_packages(programs: Mapping[str, str]) -> list[str]:
    """Which of Debian's packages would bring the programs that aren't here."""
    return [package for program, package in programs.items() if not shutil.which(program, path=PATH)]


def install_programs(programs: Mapping[str, str]) -> None:
    """Install those that are missing. Raises MatrixError."""
    missing = missing_packages(programs)
    if not missing:
        return
    if not shutil.which("apt-get", path=PATH):
        raise MatrixError(f"missing here, and there is no apt-get: {' '.join(missing)} (Debian's names)")
    say(f"installing {' '.join(missing)}")
    noninteractive = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ("-qy", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120")
    output("apt-get", "-q", "update", env=noninteractive)
    output("apt-get", *options, "install", *missing, env=noninteractive)


def virtme(cache: Path) -> Path:
    """The program that starts machines, in a venv of its own. Raises MatrixError."""
    venv = cache / "virtme"
    program = venv / "bin" / "virtme-run"
    stamp = venv / "tpkit-stamp"
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()}\n"
    if stamp.exists() and stamp.read_text() == wanted and program.exists():
        return program
    say("installing virtme-ng")
    shutil.rmtree(venv, ignore_errors=True)
    output(sys.executable, "-m", "venv", venv)
    pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--no-input")
    output(*pip, "-r", CONSTRAINTS)
    stamp.write_text(wanted)
    return program


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"matrix: {text}\n")
    sys.stderr.flush()
