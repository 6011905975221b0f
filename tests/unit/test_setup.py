"""The set-up, the demo and the Makefile: what they say and do, without installing or tracing anything."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
FILE_SYSTEMS = "e2fsprogs xfsprogs btrfs-progs"
BUILD = "clang gcc libbpf-dev"
BUILD_RPM = "clang gcc libbpf-devel"
DEBIAN = f"python3-venv python3-bpfcc bpftrace bpftool strace {BUILD} iproute2 {FILE_SYSTEMS} shellcheck"
UBUNTU = f"python3-venv python3-bpfcc bpftrace linux-tools-common strace {BUILD} iproute2 {FILE_SYSTEMS} shellcheck"
SUSE = f"python3 python3-bcc bpftrace bpftool strace {BUILD_RPM} iproute2 e2fsprogs xfsprogs btrfsprogs ShellCheck"
FEDORA = f"python3 python3-bcc bpftrace bpftool strace {BUILD_RPM} iproute {FILE_SYSTEMS} ShellCheck"

FAKE_PYTHON = """#!/bin/sh
# Says it is Python {version}, "creates" a venv that holds a copy of itself, and notes each command.
echo "$*" >>"{log}"
[ ! -e "{log}.fail" ] || case $* in *'pip install'*) echo 'no route to the index'; exit 1 ;; esac
case $* in
-V) echo 'Python {version}' ;;
'-m venv '*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && : >.venv/pyvenv.cfg ;;
esac
"""


Completed = subprocess.CompletedProcess[str]


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> Completed:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a blank and a quote in its name, holding only what the scripts read."""
    home = tmp_path / "a user's checkout"
    (home / "tpkit").mkdir(parents=True)
    (home / "tools").mkdir()
    for name in ("tools/setup", "tools/demo", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, home / name)
    return home


class TestScripts:
    @pytest.mark.parametrize("name", ["tools/setup", "tools/demo", ".ci/run"])
    def test_is_executable(self, name: str) -> None:
        assert (ROOT / name).stat().st_mode & stat.S_IXOTH

    @pytest.mark.parametrize("name", ["tools/setup", "tools/demo", ".ci/run"])
    def test_shellcheck_finds_nothing(self, name: str) -> None:
        shellcheck = shutil.which("shellcheck")
        if not shellcheck:
            pytest.skip("shellcheck is not installed")
        found = run(shellcheck, name)
        assert found.returncode == 0, found.stdout


class TestMakefile:
    def test_plain_make_lists_every_target(self) -> None:
        text = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE)
        shown = run("make", "--no-print-directory").stdout
        listed = re.findall(r"^make (\S+) +\S", shown, flags=re.MULTILINE)
        assert listed == targets
        assert {"demo", "test", "lint", "unit", "live", "clean"} <= set(targets)

    @pytest.mark.parametrize("target", ["demo", "test", "live", "setup"])
    def test_names_sudo_to_a_plain_user(self, target: str) -> None:
        make = ["make", "-f", str(ROOT / "Makefile"), target]
        if os.geteuid() == 0:
            make = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *make]
        refused = run(*make, cwd=Path("/"))
        if "Permission denied" in refused.stderr:
            pytest.skip("another user can't read this checkout")
        assert refused.returncode != 0
        assert f"run: sudo make {target}" in refused.stderr


class TestPackageNames:
    """os-release files as the distributions ship them, cut to the two lines that matter."""

    @pytest.mark.parametrize(
        ("os_release", "names"),
        [
            ("ID=debian", DEBIAN),
            ("ID=raspbian\nID_LIKE=debian", DEBIAN),
            ("ID=ubuntu\nID_LIKE=debian", UBUNTU),
            ('ID=linuxmint\nID_LIKE="ubuntu debian"', UBUNTU),
            ("ID=fedora", FEDORA),
            ('ID="rocky"\nID_LIKE="rhel centos fedora"', FEDORA),
            ("ID=arch", f"python python-bcc bpftrace bpf strace clang gcc libbpf iproute2 {FILE_SYSTEMS} shellcheck"),
            ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', SUSE),
        ],
    )
    def test_are_those_of_the_distribution(self, tmp_path: Path, os_release: str, names: str) -> None:
        file = tmp_path / "os-release"
        file.write_text(f"NAME=x\n{os_release}\n")
        assert run("tools/setup", "packages", "test", file).stdout.strip() == names

    def test_are_not_guessed(self, tmp_path: Path) -> None:
        file = tmp_path / "os-release"
        file.write_text("ID=plan9\n")
        refused = run("tools/setup", "packages", "run", file)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == "setup: no package names known for this distribution\n"

    def test_come_from_data_that_is_never_run(self, tmp_path: Path) -> None:
        file = tmp_path / "os-release"
        file.write_text("ID=$(touch owned)`touch owned`;touch owned\nID_LIKE='* debian'\ntouch owned\n")
        assert run(ROOT / "tools/setup", "packages", "dev", file, cwd=tmp_path).stdout == "python3-venv\n"
        assert [entry.name for entry in tmp_path.iterdir()] == ["os-release"]


class TestVenv:
    """`tools/setup dev` with an interpreter that only notes what it was asked."""

    @pytest.fixture(autouse=True)
    def _venv_is_here(self) -> None:
        here = run("/usr/bin/python3", "-Ic", "import ensurepip, venv")
        if here.returncode != 0:
            pytest.skip("the system's Python has no venv; tools/setup would install python3-venv")

    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        return tmp_path / "log"

    @pytest.fixture
    def python(self, tmp_path: Path, log: Path) -> Path:
        return write_script(tmp_path / "python", FAKE_PYTHON.format(version="3.12.1", log=log))

    def installs(self, log: Path) -> list[str]:
        return [line for line in log.read_text().splitlines() if "pip install" in line]

    def test_is_installed_once_with_the_pins(self, checkout: Path, python: Path, log: Path) -> None:
        for _ in range(2):
            done = run(checkout / "tools/setup", "dev", PYTHON=str(python))
            assert done.returncode == 0, done.stderr
        assert self.installs(log) == ["-m pip install --no-input -c constraints.txt -e .[dev]"]
        assert done.stdout == ""
        assert log.read_text().count("-m compileall -q tpkit") == 2

    def test_is_brought_up_to_date_when_a_pin_changes(self, checkout: Path, python: Path, log: Path) -> None:
        run(checkout / "tools/setup", "dev", PYTHON=str(python))
        (checkout / "constraints.txt").write_text("jinja2==3.1.7\n")
        run(checkout / "tools/setup", "dev", PYTHON=str(python))
        assert len(self.installs(log)) == 2
        assert log.read_text().count("-m venv") == 1

    def test_is_made_anew_for_another_interpreter(self, checkout: Path, python: Path, log: Path) -> None:
        run(checkout / "tools/setup", "dev", PYTHON=str(python))
        (checkout / ".venv/leftover").touch()
        newer = write_script(python.with_name("newer"), FAKE_PYTHON.format(version="3.13.0", log=log))
        run(checkout / "tools/setup", "dev", PYTHON=str(newer))
        assert log.read_text().count("-m venv") == 2
        assert not (checkout / ".venv/leftover").exists()

    def test_is_tried_again_after_a_failure(self, checkout: Path, python: Path, log: Path) -> None:
        failure = log.with_name("log.fail")
        failure.touch()
        failed = run(checkout / "tools/setup", "dev", PYTHON=str(python))
        assert failed.returncode == 1
        *words, last = failed.stderr.splitlines()
        assert words == ["    no route to the index"]
        assert last.startswith("setup: pip could not install the Python packages")
        failure.unlink()
        assert run(checkout / "tools/setup", "dev", PYTHON=str(python)).returncode == 0
        assert len(self.installs(log)) == 2

    def test_of_somebody_else_is_left_alone(self, checkout: Path, python: Path) -> None:
        (checkout / ".venv").mkdir()
        (checkout / ".venv/pyvenv.cfg").touch()
        refused = run(checkout / "tools/setup", "dev", PYTHON=str(python))
        assert refused.returncode == 1
        assert "was not made by tools/setup: move it away" in refused.stderr
        assert [entry.name for entry in (checkout / ".venv").iterdir()] == ["pyvenv.cfg"]

    @pytest.mark.parametrize("version", ["2.7.18", "3.9.2", "3.10.12"])
    def test_needs_python_3_11(self, checkout: Path, python: Path, log: Path, version: str) -> None:
        write_script(python, FAKE_PYTHON.format(version=version, log=log))
        refused = run(checkout / "tools/setup", "dev", PYTHON=str(python))
        assert refused.returncode == 1
        assert f"is Python {version}: set PYTHON=" in refused.stderr

    def test_names_an_interpreter_that_is_not_there(self, checkout: Path) -> None:
        refused = run(checkout / "tools/setup", "dev", PYTHON="/nowhere/python3")
        assert refused.returncode == 1
        assert refused.stderr.startswith("setup: no interpreter /nowhere/python3")

    @pytest.mark.parametrize("arguments", [(), ("everything",), ("--help",)])
    def test_wrong_arguments_show_the_usage(self, checkout: Path, arguments: tuple[str, ...]) -> None:
        refused = run(checkout / "tools/setup", *arguments)
        assert refused.returncode == 1
        assert refused.stderr.startswith("setup: usage: ")


# In the place of tpkit: waits until the demo's process is rm, or gone, and then says what it is told to.
STUB_TPKIT = """#!/bin/sh
while [ "$1" != -p ]; do shift; done
until file=$(ls "/proc/$2/cwd" | grep tpkit-demo-); do sleep 0.01; done
{before}
echo 'TIME PID COMM EVENT'
while [ -e "/proc/$2/cwd/$file" ]; do sleep 0.01; done
{after}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="tools/demo runs as root only")
class TestDemo:
    def demo(self, checkout: Path, before: str = ":", after: str = ":") -> Completed:
        write_script(checkout / ".venv/bin/tpkit", STUB_TPKIT.format(before=before, after=after))
        folders = set(Path("/tmp").glob("tpkit-demo.*"))  # noqa: S108
        done = run(checkout / "tools/demo")
        assert set(Path("/tmp").glob("tpkit-demo.*")) == folders  # noqa: S108
        return done

    def test_shows_the_event(self, checkout: Path) -> None:
        event = 'echo "dfd=AT_FDCWD pathname=$file flag=0"'
        done = self.demo(checkout, after=event)
        assert done.returncode == 0, done.stderr
        waits, command, header, shown, verdict = done.stdout.splitlines()
        assert waits.startswith("demo: process ")
        assert re.fullmatch(
            r"demo: \$ tpkit trace syscalls:sys_enter_unlinkat --comm rm -p \d+ -M 1 -d 20", command
        )
        assert header.startswith("TIME")
        assert re.fullmatch(r"dfd=AT_FDCWD pathname=tpkit-demo-\w+ flag=0", shown)
        assert verdict.startswith("demo: ok: tpkit saw the deletion of tpkit-demo-")

    def test_fails_when_its_file_is_not_in_the_output(self, checkout: Path) -> None:
        done = self.demo(checkout, after="echo 'dfd=AT_FDCWD pathname=other flag=0'")
        assert done.returncode == 1
        assert done.stderr.startswith("demo: FAILED: the output does not show tpkit-demo-")

    def test_fails_with_the_words_of_a_tracer_that_cannot_attach(self, checkout: Path) -> None:
        done = self.demo(checkout, before="echo 'error: lockdown' >&2; exit 1")
        assert done.returncode == 1
        words, verdict = done.stderr.splitlines()
        assert words == "    error: lockdown"
        assert verdict.startswith("demo: FAILED: tpkit trace did not attach")

    def test_fails_when_the_tracer_does(self, checkout: Path) -> None:
        done = self.demo(checkout, after='echo "dfd= pathname=$file flag="; exit 3')
        assert done.returncode == 1
        assert done.stderr == "demo: FAILED: tpkit trace ended with exit status 3\n"
