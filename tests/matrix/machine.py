"""Boots a kernel in a virtual machine on this machine's own root, and runs the checks in it.

virtme-ng gets the kernel as far as a shell, with our root read-only over 9p. There ``START`` makes a root
of its own: the same files, but cached, and writable in memory only. Without the cache an emulated machine
would translate every program anew each time it is started.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests.matrix.commands import Argument, MatrixError, run_within
from tests.matrix.images import Image
from tests.matrix.packages import PATH

SHARED = "/run/tpkit-matrix"  # the run's folder, in the machine
PROGRAMS = "/run/tpkit-programs"  # what this kernel's machines compiled
MEGABYTES = 3072
CPUS = 2
# One thread for both processors. With one each, QEMU before 8.1 reads code to translate it before it locks the
# page that the code is on: what another processor writes there meanwhile is never seen. When the kernel has just
# put an int3 there, to turn a tracepoint on or off, the translation keeps it, and the kernel panics at a place
# that holds a NOP again ("Oops: int3"; QEMU's commit deba78709ae8 mends it). Machines are run as many at a time as
# there are processors anyway.
#
# And without the instructions that are slower emulated than what programs do in their place: QEMU makes "rep movsb"
# one byte at a time.
_PROCESSOR = "max,la57=off,erms=off,fsrm=off,avx=off,avx2=off,smap=off"
EMULATED = ("-cpu", _PROCESSOR, "-accel", "tcg,thread=single,tb-size=512")
# What costs an emulated machine most, and isn't what the matrix asks about. The kernel takes an emulated processor's
# TSC for unsynchronized, and would ask a device for the time in its place, the HPET.
BOOT = ("mitigations=off", "tsc=reliable", "init_on_alloc=0", "transparent_hugepage=madvise", "nowatchdog")
_TAG = "tpkit-root"

START = """\
set -eu
export PATH={path}
kernel={kernel} release={release} tree={tree} copy={copy}
top=/run/tpkit-root
mkdir -p $top
mount -t tmpfs -o size=90%,mode=755 tmpfs $top
cd $top
mkdir files upper work root tree tree-upper tree-work
mount -t 9p -o ro,version=9p2000.L,trans=virtio,access=any,msize=524288,cache=loose {tag} files
modprobe -d files$kernel -S $release overlay
mount -t overlay -o lowerdir=files,upperdir=upper,workdir=work overlay root
mount -t overlay -o "lowerdir=files$copy,upperdir=tree-upper,workdir=tree-work" overlay tree
mkdir tree/.venv
mount --bind "root$tree/.venv" tree/.venv
for folder in proc sys dev run; do mount --rbind /$folder root/$folder; done
umount -l root/run/tpkit-root
for folder in tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs root/$folder; done
mkdir -p root/lib/modules
mount -t tmpfs -o mode=755 tmpfs root/lib/modules
mkdir root/lib/modules/$release
mount --bind files$kernel/lib/modules/$release root/lib/modules/$release
mkdir -p "root$tree"
mount --rbind tree "root$tree"
mkdir root/run/tpkit-old
cd root
pivot_root . run/tpkit-old
exec chroot . /bin/sh {shared}/inside <dev/null >run/tpkit-matrix/log 2>&1
"""

# What clang makes takes most of a trace's time there: what earlier machines of this kernel compiled is taken from a
# folder of its own, for sources that are the same still, and what this one compiles is put there.
INSIDE = """\
set -eu
keep() {{ cp -u /var/cache/tpkit/program-* {programs} 2>/dev/null || true; }}
umount -l /run/tpkit-old 2>/dev/null || true
is_mounted() {{ grep -q " $1 $2 " /proc/mounts; }}
is_mounted /sys/kernel/tracing tracefs || mount -t tracefs tracefs /sys/kernel/tracing
is_mounted /sys/kernel/debug debugfs || mount -t debugfs debugfs /sys/kernel/debug
is_mounted /sys/kernel/security securityfs || mount -t securityfs securityfs /sys/kernel/security
is_mounted /sys/fs/bpf bpf || mount -t bpf bpf /sys/fs/bpf
ip link set lo up
rm -rf /var/cache/tpkit
mkdir -m 700 /var/cache/tpkit
cp {programs}/program-* /var/cache/tpkit 2>/dev/null || true
while sleep 300; do keep; done &
cd {tree}
status=0
env -i PATH={path} HOME=/root LANG=C.UTF-8 TERM=dumb {command} || status=$?
keep
exit $status
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """How machines are started here.

    tree: the checkout; copy: what it held when the matrix began, so that all kernels see the same, whoever
    edits it meanwhile; options: for the kernel's command line; kvm: with the processor's help, where that can
    be relied on; qemu: the program, where it isn't to be the system's; stop: set when the matrix is told to end.
    """

    virtme: Path
    tree: Path
    copy: Path
    options: tuple[str, ...] = ()
    kvm: bool = False
    qemu: Path | None = None
    stop: Event | None = None

    def command(self, image: Image, folder: Path) -> list[Argument]:
        """The command line of a machine that runs ``folder/start``."""
        share = "local,id=tpkit,path=/,security_model=none,readonly=on,multidevs=remap"
        return [
            self.virtme,
            *(() if self.qemu is None else ("--qemu-bin", self.qemu)),
            *("--kimg", image.kernel, "--mods", "auto", "--root", "/", "--user", "root", "--force-9p"),
            *("--memory", f"{MEGABYTES}M", "--cpus", str(CPUS)),
            *("--show-boot-console", "--verbose"),
            *(word for option in (*BOOT, *self.options) for word in ("--kopt", option)),
            *("--rwdir", f"{SHARED}={folder}", "--rwdir", f"{PROGRAMS}={image.folder / 'programs'}"),
            *("--script-sh", f"sh {SHARED}/start"),
            *(() if self.kvm else ("--disable-kvm",)),
            "--qemu-opts",
            *("-fsdev", share, "-device", f"virtio-9p-pci,fsdev=tpkit,mount_tag={_TAG}"),
            *(() if self.kvm else EMULATED),
        ]

    def scripts(self, image: Image, guest: Sequence[str]) -> dict[str, str]:
        """What the machine runs, by the files' names."""
        names = {
            "path": PATH,
            "kernel": shlex.quote(str(image.folder)),
            "release": shlex.quote(image.release),
            "tree": shlex.quote(str(self.tree)),
            "copy": shlex.quote(str(self.copy)),
            "tag": _TAG,
            "shared": SHARED,
            "programs": PROGRAMS,
            "command": shlex.join(guest),
        }
        return {"start": START.format(**names), "inside": INSIDE.format(**names)}

    def run(self, image: Image, folder: Path, guest: Sequence[str], seconds: float) -> None:
        """Boot, run the guest's command in the checkout, wait for the end. Raises MatrixError at the time limit."""
        (image.folder / "programs").mkdir(mode=0o700, exist_ok=True)
        for name, text in self.scripts(image, guest).items():
            (folder / name).write_text(text)
        environment = {"PATH": PATH, "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
        status = run_within(self.command(image, folder), folder / "console", seconds, environment, self.stop)
        # Any other status says nothing of the guest: virtme-run ends with 255 when udev wasn't there to name
        # the port that it asks for one. The guest's report says whether all went well.
        if status is None:
            raise MatrixError(f"the time limit of {seconds:.0f} s was reached")


def copy_of(tree: Path, folder: Path) -> Path:
    """A checkout's files as they are now, without what tools keep beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    beside = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "build", "dist")
    shutil.copytree(tree, folder, symlinks=True, ignore=beside)
    return folder
