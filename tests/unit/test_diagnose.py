"""What the kernel, BCC and libbpf say, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpkit import AttachError, CompileError, KernelUnsupported, LoadError, PrivilegeError, TpkitError
from tpkit.runtime.diagnose import attach_failure, check_privileges, compile_failure, load_failure

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
    with pytest.raises(KernelUnsupported, match="lockdown in confidentiality mode"):
        check(tmp_path, ALL, "none integrity [confidentiality]\n")
    check(tmp_path, ALL, "none [integrity] confidentiality\n")


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
