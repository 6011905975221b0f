"""libbpf programs as their users have them: generated, built with make, and run."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Run
from tests.live.conftest import Waiting, nothing_is_left
from tests.matrix.check_programs import FILE, read_cross_section
from tpkit import Tracefs
from tpkit.host import find_tool

MakeWaiting = Callable[..., Waiting]
STRICT = "WARNINGS=-Wall -Wextra -Werror"
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


@pytest.fixture(autouse=True)
def _compilers(syscalls: Tracefs) -> None:
    if not KERNEL_BTF.exists():
        pytest.skip("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): vmlinux.h can't be made")
    missing = [name for name in ("clang", "bpftool", "make", "cc") if find_tool(name) is None]
    assert not missing, f"tools/setup test installs {' '.join(missing)}"


def build(folder: Path) -> Path:
    """Makes the program, with every warning an error; its path."""
    command = [find_tool("make") or "make", "-C", folder, STRICT]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / next(folder.glob("*.bpf.c")).name.removesuffix(".bpf.c")


class Loader:
    """A built program that runs, and what it says."""

    def __init__(self, program: Path) -> None:
        self._err = program.with_suffix(".err")
        with program.with_suffix(".out").open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self._out = program.with_suffix(".out")
        self._wait_for(self._err, "tracing")

    def _wait_for(self, path: Path, text: str) -> None:
        for _ in range(600):
            if text in path.read_text(errors="replace") or self.process.poll() is not None:
                return
            time.sleep(0.1)

    def end(self, after: str = "") -> tuple[int, str, str]:
        """Interrupts it once its output has the text; status, stdout and stderr."""
        self._wait_for(self._out, after)
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE), self._out.read_text(errors="replace"), self._err.read_text()


@pytest.mark.parametrize("options", [(), ("--portable", "--sec", "tp")])
def test_unlinkat(tmp_path: Path, tpkit: Run, waiting: MakeWaiting, options: tuple[str, ...]) -> None:
    target = tmp_path / "a\nb"
    target.touch()
    shell = waiting('exec rm -- "$1" /nonexistent 2>&-', str(target))
    events = ("syscalls:sys_enter_unlinkat", "syscalls:sys_exit_unlinkat")
    folder = tmp_path / "unlinkat"
    done = tpkit("generate", *events, "--target", "libbpf", "-o", str(folder), "-p", str(shell.pid), *options)
    assert done.returncode == 0, done.stderr
    loader = Loader(build(folder))
    shell.go()
    status, out, err = loader.end(after="ENOENT")
    assert status == 0
    lines = [line.split(maxsplit=3) for line in out.splitlines()[1:]]
    assert [line[1:3] for line in lines] == [[str(shell.pid), "rm"]] * 4
    assert [line[3] for line in lines] == [
        f'sys_enter_unlinkat(dfd=AT_FDCWD, pathname="{tmp_path}/a\\nb", flag=0)',
        "sys_exit_unlinkat(ret=0)",
        'sys_enter_unlinkat(dfd=AT_FDCWD, pathname="/nonexistent", flag=0)',
        "sys_exit_unlinkat(ret=-ENOENT)",
    ]
    assert "4 events, 0 lost" in err
    nothing_is_left()


def test_an_empty_string(tmp_path: Path, tpkit: Run, waiting: MakeWaiting) -> None:
    call = 'import ctypes; ctypes.CDLL(None).unlinkat(-100, b"", 0)'
    shell = waiting('exec /usr/bin/python3 -S -c "$1"', call)
    folder = tmp_path / "unlinkat"
    arguments = ("--target", "libbpf", "-o", str(folder), "-p", str(shell.pid))
    done = tpkit("generate", "syscalls:sys_enter_unlinkat", *arguments)
    assert done.returncode == 0, done.stderr
    loader = Loader(build(folder))
    assert shell.go() == 0
    status, out, _ = loader.end(after="unlinkat(")
    assert status == 0
    assert [line.split(maxsplit=3)[3] for line in out.splitlines()[1:]] == [
        'sys_enter_unlinkat(dfd=AT_FDCWD, pathname="", flag=0)'
    ]


def test_printk(tmp_path: Path, tpkit: Run, waiting: MakeWaiting) -> None:
    """Attached, and taken off again; the trace pipe is the whole machine's, so we don't read it."""
    shell = waiting("exit 0")
    folder = tmp_path / "minimal"
    arguments = ("--target", "libbpf", "--printk", "-o", str(folder), "-p", str(shell.pid))
    assert tpkit("generate", "syscalls:sys_enter_unlinkat", *arguments).returncode == 0
    loader = Loader(build(folder))
    status, _, err = loader.end()
    assert (status, "trace_pipe" in err) == (0, True)
    nothing_is_left()


def test_every_shape_compiles_without_a_warning(tmp_path: Path, tpkit: Run, tracefs: Tracefs) -> None:
    there = [str(each) for each in read_cross_section(FILE.read_text()) if each in set(tracefs.event_ids())]
    for form in ((), ("--printk",)):
        folder = tmp_path / f"shapes{len(form)}"
        arguments = ("--target", "libbpf", "-o", str(folder), "--string-size", "64", *form)
        done = tpkit("generate", *there, *arguments)
        assert done.returncode == 0, done.stderr
        build(folder)
        shutil.rmtree(folder)


def test_without_btf_the_program_has_its_own_context(tmp_path: Path, tpkit: Run, waiting: MakeWaiting) -> None:
    """As for another machine's kernel: only its format files are at hand."""
    copy = tmp_path / "tracefs"
    format_file = Tracefs.find().root / "events/syscalls/sys_enter_unlinkat/format"
    folder = copy / "events/syscalls/sys_enter_unlinkat"
    folder.mkdir(parents=True)
    (folder / "format").write_bytes(format_file.read_bytes())
    (copy / "available_events").write_text("syscalls:sys_enter_unlinkat\n")
    shell = waiting("exec rm /nonexistent 2>&-")
    out = tmp_path / "out"
    arguments = ("--target", "libbpf", "-o", str(out), "-p", str(shell.pid), "--tracefs", str(copy))
    assert tpkit("generate", "sys_enter_unlinkat", *arguments).returncode == 0
    assert "struct sys_enter_unlinkat_context *ctx" in (out / "unlinkat.bpf.c").read_text()
    loader = Loader(build(out))
    shell.go()
    _, text, _ = loader.end(after="flag=")
    assert re.search(r'rm +sys_enter_unlinkat\(dfd=AT_FDCWD, pathname="/nonexistent", flag=0\)', text)


def test_the_commands_that_are_named(tmp_path: Path, tpkit: Run) -> None:
    """What generate prints: the files on stdout, what to do with them on stderr."""
    done = tpkit("generate", "sys_enter_unlinkat", "--target", "libbpf", "-o", str(tmp_path / "x"))
    assert [Path(line).name for line in done.stdout.decode().splitlines()] == [
        "unlinkat.bpf.c",
        "unlinkat.c",
        "unlinkat.h",
        "Makefile",
        "README.md",
    ]
    assert b"make -C" in done.stderr
    again = tpkit("generate", "sys_enter_unlinkat", "--target", "libbpf")
    assert (again.returncode, b"-o DIR" in again.stderr) == (2, True)
    assert again.stdout == b""
