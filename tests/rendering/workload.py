"""A program that fires as many different trace events as it can, for the recorder to look at.

It lives in namespaces of its own (mounts, network, processes, IPC, host name), keeps its files in a
memory file system mounted there, and so leaves nothing behind when it ends. The recorder talks to it
over its standard input, a line a request: ``prepare``, then names of parts; each is answered by ``done``
and the names of the steps that this kernel or machine didn't let through.

    python -m tests.rendering.workload FOLDER
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.rendering import (
    work_bpf,
    work_files,
    work_filesystems,
    work_memory,
    work_network,
    work_processes,
    work_rings,
    work_syscalls,
)
from tests.rendering.kernel_calls import call, die_with_parent, mount, run, set_name
from tests.rendering.parts import Part, Step

_PAGE_FLOODS = ("kmem", "filemap", "percpu", "lock", "maple_tree", "irq_vectors", "memcg", "tlb")

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("everything", work_files.SHORT + work_processes.SHORT),
        Part("files", work_files.STEPS, _PAGE_FLOODS),
        Part("processes", work_processes.STEPS, _PAGE_FLOODS),
        Part("memory", work_memory.STEPS, ("lock", "maple_tree", "irq_vectors")),
        Part("rings", work_rings.STEPS, _PAGE_FLOODS),
        Part("network", work_network.STEPS, _PAGE_FLOODS),
        Part("bpf", work_bpf.STEPS, _PAGE_FLOODS),
        Part("ext4", work_filesystems.EXT4, _PAGE_FLOODS),
        Part("xfs", work_filesystems.XFS, _PAGE_FLOODS),
        Part("xfs-large", work_filesystems.XFS_LARGE, _PAGE_FLOODS),
        Part("xfs-space", work_filesystems.XFS_SPACE, _PAGE_FLOODS),
        Part("btrfs", work_filesystems.BTRFS, _PAGE_FLOODS),
        Part("others", work_filesystems.OTHERS, _PAGE_FLOODS),
        Part("syscalls", work_syscalls.STEPS, (*_PAGE_FLOODS, "raw_syscalls")),
    )
}

_NEWNS, _NEWUTS, _NEWIPC, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
_REC_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE


def separate(folder: Path) -> None:
    """Namespaces of our own; children will see themselves as the only processes."""
    call("unshare", _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET)
    for place in ("/", "/proc", "/sys"):
        with suppress(OSError):  # in a chroot "/" is no mount; what matters is that ours stay here
            mount("none", place, "none", _REC_PRIVATE)
    mount("tpkit", folder, "tmpfs", 0, "size=3g,mode=711")
    socket.sethostname("tpkit")


def prepare(folder: Path) -> None:
    """What is needed before recording: a loopback device, disk images, a program to run."""
    mount("proc", "/proc", "proc")
    run("ip", "link", "set", "lo", "up")
    (folder / "tpkit-true").write_bytes(Path("/bin/true").read_bytes())
    (folder / "tpkit-true").chmod(0o755)
    work_filesystems.prepare(folder)


def work(part: Part, folder: Path) -> list[str]:
    """Each step in a child of its own, so that what it does to itself ends with it."""
    return [step.__name__ for step in part.steps if not _succeeds(step, part, folder)]


def _succeeds(step: Step, part: Part, folder: Path) -> bool:
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        die_with_parent()
        set_name(f"tpkit-{part.name}")
        home = folder / step.__name__
        home.mkdir(exist_ok=True)
        os.chdir(home)
        step(folder)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(f"{part.name}.{step.__name__}: {error}\n")
        if isinstance(error, subprocess.CalledProcessError):
            sys.stderr.write(f"{error.stderr!r}\n")
        sys.stderr.flush()
        os._exit(1)
    except BaseException as error:  # a child must not go on in the parent's loop
        sys.stderr.write(f"{part.name}.{step.__name__}: {error!r}\n")
        sys.stderr.flush()
        os._exit(2)
    os._exit(0)


def serve(folder: Path) -> None:
    """Answer requests until the recorder closes the pipe. Runs as the first of its process namespace."""
    for line in sys.stdin:
        request = line.strip()
        failed = work(PARTS[request], folder) if request in PARTS else [f"unknown-{request}"]
        sys.stdout.write(f"done {' '.join(failed)}\n")
        sys.stdout.flush()


def main() -> int:
    folder = Path(sys.argv[1])
    os.environ["TPKIT_WORKLOAD"] = folder.name  # what our control groups are called after
    die_with_parent()
    set_name("tpkit-workload")
    if sys.stdin.readline().strip() != "prepare":
        return 2
    separate(folder)
    pid = os.fork()
    if pid:
        for end in (0, 1):  # the pipes are the child's alone now
            os.close(end)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    die_with_parent()
    prepare(folder)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        serve(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
