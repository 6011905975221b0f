"""What ``tpkit generate`` writes, built and run here: each target traces a deletion of our own."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.matrix.check_reference import ENTER
from tests.matrix.context import Context, tpkit, words_of
from tests.matrix.results import Result
from tpkit.host import find_tool

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
PATIENCE = 150  # seconds until a program is attached, in an emulated machine

# The three arguments, and no fourth: Linux 6.19 added fields that BPF doesn't have.
_LINE = re.compile(r'\brm\b.*unlinkat\(dfd=AT_FDCWD, pathname="(?P<path>[^"]+)", flag=0\)')


def bcc_script(_: Context) -> Result:
    """The script, as it is."""
    return _run_target("bcc", lambda folder: [folder / "trace_unlinkat.py"], ready="TIME", ends_itself=True)


def libbpf(_: Context) -> Result:
    """Built with make: clang, bpftool and the C compiler."""
    if not KERNEL_BTF.exists():
        return Result.skipped("this kernel has no BTF, so vmlinux.h can't be made")
    return _run_target("libbpf", _built, ready="tracing")


def bpftrace(_: Context) -> Result:
    """The file, by the bpftrace that is installed."""
    program = find_tool("bpftrace")
    if program is None:
        return Result.failed("no bpftrace", "tools/setup test installs it")
    result = _run_target("bpftrace", lambda folder: [program, folder / "unlinkat.bt"], ready="TIME")
    trouble = own_trouble(program) if result.is_red else None
    return result if trouble is None else Result.skipped(trouble)


# It looks at no process (0 deletes nothing), and ends at once.
_SMALLEST = f'BEGIN {{ exit(); }} tracepoint:{ENTER} /pid == 0/ {{ printf("%d", args->dfd); }}'


def own_trouble(bpftrace: Path) -> str | None:
    """Why bpftrace itself can't read an argument here, whoever wrote the program; None if it can.

    0.17 can't on Linux 5.10: it calls a slot of eight bytes s64, and doesn't find that type in its BTF.
    """
    command: list[str | Path] = [bpftrace, "-e", _SMALLEST]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    words = [line for line in done.stderr.splitlines() if "RLIMIT_MEMLOCK" not in line]
    return f"bpftrace itself can't read an argument on this kernel: {words[0] if words else done.returncode}"


class _CannotBuild(Exception):
    """make failed; its words."""


def _built(folder: Path) -> list[Path]:
    make = find_tool("make")
    if make is None:
        raise _CannotBuild("make is not installed: tools/setup test installs it")
    command: list[str | Path] = [make, "-C", folder, "WARNINGS=-Wall -Wextra -Werror"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _CannotBuild("\n".join(words_of(done)))
    return [folder / "unlinkat"]


def _run_target(
    target: str, command: Callable[[Path], Sequence[Path]], ready: str, *, ends_itself: bool = False
) -> Result:
    """Generate, build, run; then a file is deleted, and its deletion must be told exactly."""
    with tempfile.TemporaryDirectory(prefix="tpkit-target-") as name:
        folder = Path(name)
        path = folder / "a file"
        path.touch()
        shell: list[str | Path] = ["/bin/sh", "-c", 'read -r _; exec rm -- "$1"', "sh", path]
        with subprocess.Popen(shell, stdin=subprocess.PIPE) as child:
            try:
                done = tpkit("generate", ENTER, "--target", target, "-o", str(folder / "out"), "-p", str(child.pid))
                if done.returncode:
                    return Result.failed("not generated", *words_of(done))
                return _trace(command(folder / "out"), ready, child, path, ends_itself=ends_itself)
            except _CannotBuild as error:
                return Result.failed("not built", *str(error).splitlines())
            finally:
                child.kill()


def _trace(
    command: Sequence[Path], ready: str, child: subprocess.Popen[bytes], path: Path, *, ends_itself: bool
) -> Result:
    """Run the program while the child deletes the file. ends_itself: when the child has ended, without a signal."""
    log = path.with_name("log")
    with log.open("wb") as words:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT)
    try:
        _wait_for(ready, log, program)
        time.sleep(1)  # bpftrace says so before it has attached the last probe
        child.communicate(b"\n", timeout=PATIENCE)
        _wait_for(path.name, log, program)
    finally:
        if not ends_itself or child.poll() is None:
            program.send_signal(signal.SIGINT)
        status = program.wait(PATIENCE)
    found = [match["path"] for match in map(_LINE.search, log.read_text(errors="replace").splitlines()) if match]
    good = status == 0 and found == [str(path)]
    return Result.of(good, "ok" if good else "wrong", *_tail(log), f"status {status}")


def _wait_for(text: str, log: Path, program: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while text not in log.read_text(errors="replace") and program.poll() is None and time.monotonic() < end:
        time.sleep(0.1)


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-10:]
