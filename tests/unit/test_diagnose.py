"""What the kernel, BCC and libbpf say, and what becomes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tpkit import AttachError, CompileError, KernelUnsupported, LoadError, PrivilegeError, TpkitError
from tpkit.host import LOCKDOWN_REMEDY, PARANOID_REMEDY
from tpkit.runtime.diagnose import attach_failure, check_privileges, compile_failure, load_failure

ROOT = Path(__file__).parents[2]
ALL = "CapEff:\t000001ffffffffff\n"


def check(tmp_path: Path, status: str, lockdown: str) -> None:
    (tmp_path / "status").write_text(status)
    (tmp_path / "lockdown").write_text(lockdown)
    check_privileges(tmp_path / "status", tmp_path / "lockdown")


def test_the_missing_capability_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrivilegeError, match="CAP_PERFMON missing"):
        check(tmp_path, "CapEff:\t0000008000000000\n", "[none]\n")
    with pytest.raises(PrivilegeError, match="CAP_BPF and CAP_PERFMON missing"):
        check(tmp_path, "CapEff:\t0000000000000000\n", "[none]\n")


def test_lockdown_is_named(tmp_path: Path) -> None:
    with pytest.raises(KernelUnsupported, match="lockdown in confidentiality mode") as caught:
        check(tmp_path, ALL, "none integrity [confidentiality]\n")
    assert caught.value.where == str(tmp_path / "lockdown")
    assert caught.value.remedy == LOCKDOWN_REMEDY
    check(tmp_path, ALL, "none [integrity] confidentiality\n")


def test_a_kernel_without_lockdown(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(ALL)
    check_privileges(tmp_path / "status", tmp_path / "missing")


# A process of another machine: files of ours are mounted over those of /proc, for it alone.
MOUNT = """
while [ "$1" != -- ]; do
    case $1 in self/*) place=$$/${1#self/} ;; *) place=$1 ;; esac
    mount --bind "$2" "/proc/$place" || exit 99
    shift 2
done
shift
exec "$@"
"""
PROGRAM = """
import sys
from tpkit.runtime import diagnose
print(getattr(diagnose, sys.argv[1])(*sys.argv[2:]))
"""
NOT_PERMITTED = "bpf: Operation not permitted"
DENIED = "perf_event_open(type=2): Permission denied"
LIMITS = "Limit                     Soft Limit           Hard Limit           Units\n"


class Elsewhere:
    """What becomes of the kernel's words on another machine, whose /proc is partly made of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounts: list[str] = []
        self._unshare = ["/usr/bin/unshare", "--mount"]
        if os.geteuid() != 0:
            self._unshare += ["--user", "--map-root-user"]
        if subprocess.run([*self._unshare, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no mount namespace can be made here")
        self.has("self/uid_map", "         0          0 4294967295\n")

    def has(self, name: str, text: str) -> None:
        """A file of /proc."""
        file = self._folder / name.replace("/", "-")
        file.write_text(text)
        self._mounts += [name, str(file)]

    def says(self, function: str, *words: str) -> str:
        command = [sys.executable, "-c", PROGRAM, function, *words]
        shell = ["/bin/sh", "-c", MOUNT, "sh", *self._mounts, "--", *command]
        done = subprocess.run([*self._unshare, *shell], capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode == 99:
            pytest.skip(f"nothing can be mounted over /proc here: {done.stderr}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


@pytest.mark.parametrize("level", [3, 4])
def test_a_paranoid_kernel_is_named(elsewhere: Elsewhere, level: int) -> None:
    """Debian's and Ubuntu's own levels, which CAP_PERFMON doesn't help against."""
    elsewhere.has("sys/kernel/perf_event_paranoid", f"{level}\n")
    said = elsewhere.says("attach_failure", "a:b", DENIED)
    assert said.startswith(f"a:b: kernel.perf_event_paranoid is {level}: ")
    assert PARANOID_REMEDY in said


@pytest.mark.parametrize(("level", "words"), [(2, DENIED), (3, "ioctl(PERF_EVENT_IOC_SET_BPF): Permission denied")])
def test_what_it_is_not_to_blame_for(elsewhere: Elsewhere, level: int, words: str) -> None:
    elsewhere.has("sys/kernel/perf_event_paranoid", f"{level}\n")
    assert "the program can't be attached" in elsewhere.says("attach_failure", "a:b", words)


LOADER = "CapEff:\t000000c000000000\n"  # CAP_BPF and CAP_PERFMON, no CAP_SYS_RESOURCE


@pytest.mark.parametrize("function", [["compile_failure"], ["load_failure", "a:b"], ["attach_failure", "a:b"]])
def test_a_small_limit_on_locked_memory_is_named(elsewhere: Elsewhere, function: list[str]) -> None:
    elsewhere.has("self/status", LOADER)
    elsewhere.has("self/limits", f"{LIMITS}Max locked memory         65536                65536                bytes\n")
    said = elsewhere.says(*function, NOT_PERMITTED)
    assert "maybe for the limit on locked memory (64 KiB; before Linux 5.11 it holds for BPF)" in said
    assert "--ulimit memlock=-1" in said


@pytest.mark.parametrize(
    ("status", "soft", "words"),
    [
        (LOADER, "unlimited", "the kernel refused BPF to this process (run as root"),
        (ALL, "65536    ", "the kernel refused BPF to this process (run as root"),
        ("CapEff:\t0000004000000000\n", "65536    ", "the kernel refused BPF to this process: CAP_BPF missing"),
    ],
)
def test_when_the_limit_is_not_to_blame(elsewhere: Elsewhere, status: str, soft: str, words: str) -> None:
    elsewhere.has("self/status", status)
    elsewhere.has("self/limits", f"{LIMITS}Max locked memory         {soft}            unlimited            bytes\n")
    said = elsewhere.says("load_failure", "a:b", NOT_PERMITTED)
    assert said.startswith(words)
    assert "locked memory" not in said


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (compile_failure("could not open bpf map: events, error: Invalid argument"), KernelUnsupported, "ring buffer"),
        (compile_failure("/virtual/main.c:1: error: no"), CompileError, "could not compile"),
        (compile_failure("bpf: Operation not permitted"), PrivilegeError, "refused BPF"),
        (load_failure("a:b", "R1 invalid mem access"), LoadError, "verifier refused"),
        (load_failure("a:b", "Need super-user privileges to run"), PrivilegeError, "refused BPF"),
        (attach_failure("a:b", "ioctl: Permission denied"), AttachError, "can't be attached"),
        (attach_failure("a:b", "open(/sys/kernel/x): No such file or directory"), AttachError, "can't be attached"),
        (attach_failure("a:b", "perf_event_open: Operation not permitted"), PrivilegeError, "refused BPF"),
    ],
)
def test_foreign_words_come_behind_ours(error: TpkitError, kind: type[TpkitError], words: str) -> None:
    assert type(error) is kind
    assert words in error.what
    assert error.remedy
    assert error.details
