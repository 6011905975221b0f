"""Another Debian's userspace on the running kernel: its Python, BCC and bpftrace.

The suite's minimal root is made once and kept as it is. Each run works on a copy, as a machine that was set
up a moment ago: there is a checkout and ``make``, and what README.md says is typed. The copy is the root of a
mount namespace of its own, so that nothing is left mounted, whatever ends it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests.matrix.commands import Argument, MatrixError, run_within, tail
from tests.matrix.images import mirror
from tests.matrix.machine import SHARED
from tests.matrix.packages import PATH, say

TREE = "/usr/src/tpkit"  # the checkout, in the root
PACKAGES = ("git", "make", "ca-certificates")  # what it takes to get a checkout and to type make
FRESH = (("make", "demo"), ("tools/setup", "test"))
PYTHON = f"{TREE}/.venv/bin/python"
CERTIFICATES = Path("usr/local/share/ca-certificates")
OWN_MOUNTS: tuple[Argument, ...] = ("unshare", "--mount", "--propagation", "private")
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

# pivot_root, as in a chroot some things differ from a machine: no user namespaces, and / is no mount.
ENTER = """\
set -eu
root=$1 folder=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
mkdir -p .{shared} run/tpkit-old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount --bind "$folder" .{shared}
pivot_root . run/tpkit-old
umount -l /run/tpkit-old
cd {tree}
exec env -i "$@"
"""

# A suite's release file expires, and a clock may be wrong; signatures still count.
APT = """\
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
"""


@dataclass(frozen=True, slots=True)
class Userspace:
    """A suite's userspace. copy: the checkout's files, as all rows see them; stop: set when the matrix is to end."""

    suite: str
    cache: Path
    copy: Path
    stop: Event | None = None

    def run(self, folder: Path, guest: Sequence[str], seconds: float) -> None:
        """Set a machine up, then run the guest's command in its checkout. Raises MatrixError when either fails.

        What the steps print is in ``folder``, a file each; the guest's in ``console``.
        """
        end = time.monotonic() + seconds
        root = self.cache / "roots" / f"{self.suite}.run"
        try:
            self.make(root, folder, end)
            shutil.copytree(self.copy, root / TREE[1:], symlinks=True)
            variables = environment(os.environ, root)
            for command in FRESH:
                self.step(enter(root, folder, command, variables), folder / "-".join(command).replace("/", "-"), end)
            self.step(enter(root, folder, guest, variables), folder / "console", end)
        finally:
            if self.stop is None or not self.stop.is_set():  # it takes half a minute, and the next run does it
                shutil.rmtree(root, ignore_errors=True)

    def make(self, root: Path, folder: Path, end: float) -> None:
        """A machine without a checkout, in the place of what ``root`` was. Raises MatrixError.

        folder: for the steps' words; end: on the monotonic clock, in seconds.
        """
        _remove(root)  # of a run that was ended
        self._copy_pristine(root, folder, end)
        prepare(root)
        self.step(["chroot", root, "update-ca-certificates"], folder / "certificates", end)

    def _copy_pristine(self, root: Path, folder: Path, end: float) -> None:
        pristine = self.cache / "roots" / self.suite
        if not pristine.exists():
            say(f"making a root of Debian {self.suite}")
            part = pristine.with_suffix(".part")
            _remove(part)
            part.parent.mkdir(exist_ok=True)
            packages = f"--include={','.join(PACKAGES)}"
            command: list[Argument] = ["debootstrap", "--variant=minbase", packages, self.suite, part, mirror()]
            self.step([*OWN_MOUNTS, *command], folder / "debootstrap", end)  # it mounts /proc, and may be ended
            part.rename(pristine)
        self.step(["cp", "-a", pristine, root], folder / "cp", end)

    def step(self, command: Sequence[Argument], log: Path, end: float) -> None:
        """Run a command to its end. Raises MatrixError with its last words."""
        status = run_within(command, log, max(0, end - time.monotonic()), _ENVIRONMENT, self.stop)
        if status != 0:
            how = "reached the time limit" if status is None else f"failed ({status})"
            words = "".join(f"\n    {line}" for line in tail(log))
            raise MatrixError(f"{log.name} {how}; its last words:{words}")


def _remove(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root)


def prepare(root: Path, host: Path = Path("/")) -> None:
    """Give a root what the network takes here: name servers, and certificates that were added to this machine."""
    (root / "etc/apt/apt.conf.d/99tpkit-matrix").write_text(APT)
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)  # it may be a link
    shutil.copyfile(host / "etc/resolv.conf", resolver)
    for certificate in sorted((host / CERTIFICATES).rglob("*.crt")):
        shutil.copyfile(certificate, root / CERTIFICATES / certificate.name)


def environment(own: Mapping[str, str], root: Path) -> dict[str, str]:
    """The variables in there: a new login's, and our own for proxies and pip unless they name files of our own."""
    carried = {
        name: value
        for name, value in own.items()
        if (name.startswith("PIP_") or name.lower() in _PROXIES)
        and (not value.startswith("/") or (root / value[1:]).exists())
    }
    return {**carried, "PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}


def enter(root: Path, folder: Path, command: Sequence[str], variables: Mapping[str, str]) -> list[Argument]:
    """The command line that runs a command in the root's checkout; ``folder`` is there under ``machine``'s name."""
    script = ENTER.format(shared=SHARED, tree=TREE)
    settings = [f"{name}={value}" for name, value in sorted(variables.items())]
    return [*OWN_MOUNTS, "/bin/sh", "-c", script, "sh", root, folder, *settings, *command]
