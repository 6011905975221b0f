"""What a machine says of itself, and BCC's package on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tpkit import BccNotFound
from tpkit.host import (
    distribution,
    find_tool,
    in_initial_user_namespace,
    install_command,
    is_root_owned,
    lockdown,
    missing_capabilities,
    pid_namespace,
)
from tpkit.runtime.bcc_package import import_bcc


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install python3-bpfcc"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get install python3-bpfcc"),
        ("ID=fedora\n", "dnf install python3-bcc"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install python3-bcc"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install python3-bcc"),
        ("ID=arch\n", "pacman -S python-bcc"),
        ("ID=$(reboot)\n", "install your distribution's package of BCC for Python 3"),
    ],
)
def test_packages_by_distribution(tmp_path: Path, release: str, command: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(release)
    assert install_command("bcc", distribution(path)) == command


def test_an_unknown_distribution(tmp_path: Path) -> None:
    assert distribution(tmp_path / "missing") == ()
    assert install_command("bpftrace", ()) == "install your distribution's package of bpftrace"


@pytest.mark.parametrize(
    ("mask", "missing"),
    [
        ("000001ffffffffff", ()),
        ("0000000000200000", ()),  # CAP_SYS_ADMIN alone
        ("000000c000000000", ()),  # CAP_BPF and CAP_PERFMON
        ("0000008000000000", ("CAP_PERFMON",)),
        ("0000000000000000", ("CAP_BPF", "CAP_PERFMON")),
    ],
)
def test_missing_capabilities(tmp_path: Path, mask: str, missing: tuple[str, ...]) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapEff:\t{mask}\n")
    assert missing_capabilities(status) == missing


def test_lockdown(tmp_path: Path) -> None:
    path = tmp_path / "lockdown"
    assert lockdown(path) is None
    path.write_text("none integrity [confidentiality]\n")
    assert lockdown(path) == "confidentiality"


def test_user_namespaces(tmp_path: Path) -> None:
    path = tmp_path / "uid_map"
    path.write_text("         0          0 4294967295\n")
    assert in_initial_user_namespace(path)
    path.write_text("         0       1000          1\n")
    assert not in_initial_user_namespace(path)


def test_pid_namespaces(tmp_path: Path) -> None:
    assert pid_namespace(tmp_path / "missing") is None
    path = tmp_path / "ns"
    path.write_text("")
    assert pid_namespace(path) == (path.stat().st_dev, path.stat().st_ino)


def test_tools_come_from_the_distribution() -> None:
    assert find_tool("sh") is not None
    assert find_tool("no-such-tool") is None


def test_what_others_may_write_is_not_roots(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o666)
    assert not is_root_owned(path)


def test_no_bcc(tmp_path: Path) -> None:
    with pytest.raises(BccNotFound, match="isn't installed"):
        import_bcc([tmp_path / "bcc"])


def test_a_bcc_that_anybody_may_change_is_not_loaded(tmp_path: Path) -> None:
    package = tmp_path / "bcc"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('loaded')\n")
    package.chmod(0o777)
    with pytest.raises(BccNotFound, match="changed by others"):
        import_bcc([package])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a package that root owns")
def test_a_bcc_that_doesnt_fit() -> None:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="tpkit-test-", dir="/var/lib"))  # root's all the way, unlike /tmp
    try:
        (folder / "bcc").mkdir(mode=0o755)
        (folder / "bcc" / "__init__.py").write_text("import ctypes\nctypes.CDLL('libbcc-that-is-not.so')\n")
        with pytest.raises(BccNotFound, match="don't fit") as caught:
            import_bcc([folder / "bcc"])
        assert "libbcc-that-is-not" in (caught.value.details or "")
    finally:
        shutil.rmtree(folder)
