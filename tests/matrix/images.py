"""Debian's kernels, fetched with apt's own tools under a state of their own and unpacked into the cache.

The host's package state isn't touched: nothing is installed, and its lists aren't updated. The mirror is
the one of the machine's own apt sources.
"""

from __future__ import annotations

import json
import lzma
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.commands import MatrixError, output
from tests.matrix.kernels import Kernel
from tests.matrix.packages import PATH, say

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PARTS = re.compile(r"linux-(?:image|binary|modules)-\d\S*")
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Image:
    """An unpacked kernel. modules: those with tracepoints of their own, by their names."""

    folder: Path
    release: str
    modules: tuple[str, ...]

    @property
    def kernel(self) -> Path:
        """What a machine boots."""
        return self.folder / "vmlinuz"

    def write(self) -> None:
        """Marks the folder as complete."""
        text = json.dumps({"release": self.release, "modules": self.modules}, indent=1)
        (self.folder / "image.json").write_text(text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Image:
        """Raises OSError when the folder isn't complete."""
        found = json.loads((folder / "image.json").read_text())
        return cls(folder, found["release"], tuple(found["modules"]))


class NotFetched(MatrixError):
    """A kernel that can't be had: no network, or its suite has another one by now."""


def fetch(kernel: Kernel, cache: Path) -> Image:
    """The kernel's image, from the cache if it is there. Raises NotFetched."""
    try:
        return _fetch(kernel, cache)
    except MatrixError as error:
        raise NotFetched(str(error)) from None


def _fetch(kernel: Kernel, cache: Path) -> Image:
    folder = cache / "kernels" / kernel.name
    try:
        return Image.read(folder)
    except OSError:
        pass
    say(f"fetching Linux {kernel.name} of Debian {kernel.suite}")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    (part / "debs").mkdir(parents=True)
    apt = Apt(part / "apt", str(kernel.suite))
    apt.update()
    for package in apt.kernel_packages():
        apt.download(package, part / "debs")
    image = unpack(part, kernel)
    shutil.rmtree(part / "debs")
    shutil.rmtree(part / "apt")
    image.write()
    part.rename(folder)
    return Image.read(folder)


class Apt:
    """apt on another suite, with all its state in a folder."""

    def __init__(self, folder: Path, suite: str) -> None:
        self._options = [
            *_option("Dir::State", folder / "state"),
            *_option("Dir::State::status", folder / "status"),
            *_option("Dir::Cache", folder / "cache"),
            *_option("Dir::Etc::sourcelist", folder / "sources.list"),
            *_option("Dir::Etc::sourceparts", "-"),
            *_option("Dir::Etc::preferences", "-"),
            *_option("Dir::Etc::preferencesparts", "-"),
            *_option("Acquire::Languages", "none"),
            # An old suite's release file has expired, and a clock may be wrong; signatures still count.
            *_option("Acquire::Check-Valid-Until", "false"),
            *_option("Acquire::Check-Date", "false"),
            *_option("APT::Sandbox::User", "root"),
        ]
        (folder / "state" / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        (folder / "status").touch()
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        (folder / "sources.list").write_text(f"deb{signed} {mirror()} {suite} main\n")

    def update(self) -> None:
        """Fetch the suite's lists."""
        self._run("apt-get", "-q", "update")

    def kernel_packages(self) -> list[str]:
        """The packages that hold the suite's kernel: what its metapackage depends on, and what that does."""
        architecture = output("dpkg", "--print-architecture", env=_ENVIRONMENT).strip()
        found: list[str] = []
        waiting = [f"linux-image-{architecture}"]
        while waiting:
            depends = self._run("apt-cache", "depends", "--important", waiting.pop())
            new = [name for name in kernel_parts(depends) if name not in found]
            found += new
            waiting += new
        if not found:
            raise MatrixError("the suite's linux-image metapackage names no kernel")
        return found

    def download(self, package: str, folder: Path) -> None:
        """The package's file, unread."""
        self._run("apt-get", "-q", "download", package, cwd=folder)

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        return output(program, *self._options, *arguments, env=_ENVIRONMENT, cwd=cwd)


def _option(name: str, value: Path | str) -> tuple[str, str]:
    return "-o", f"{name}={value}"


def kernel_parts(depends: str) -> list[str]:
    """The kernel's own packages among those that ``apt-cache depends`` lists."""
    names = re.findall(r"^ [ |](?:Pre)?Depends: (\S+)$", depends, re.MULTILINE)
    return [name for name in dict.fromkeys(names) if _PARTS.fullmatch(name)]


def mirror() -> str:
    """Where this machine gets Debian from. Raises MatrixError."""
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    targets = output("apt-get", "indextargets", "--no-release-info", "--format", form, "Created-By: Packages")
    return choose_mirror(targets)


def choose_mirror(targets: str) -> str:
    """The archive that has a whole suite's main component, by apt's own list of what it would fetch."""
    for line in targets.splitlines():
        address, suite, component = line.split("|")
        if component == "main" and re.fullmatch(r"[a-z]+", suite) and address.rstrip("/").endswith("/debian"):
            return address
    raise MatrixError("no Debian archive among this machine's apt sources: the kernels can't be fetched")


# ------------------------------------------------------------------------------------- unpacking


def unpack(folder: Path, kernel: Kernel) -> Image:
    """Make a bootable folder of the packages in ``folder/debs``. Raises MatrixError."""
    root = folder / "root"
    for package in sorted((folder / "debs").iterdir()):
        output("dpkg", "-x", package, root, env=_ENVIRONMENT)
    modules = _only(root, "lib/modules/*", "usr/lib/modules/*")
    release = modules.name
    if not kernel.is_release(release):
        raise MatrixError(f"Debian {kernel.suite} has Linux {release} now, not {kernel.name}: change kernels.toml")
    (folder / "lib" / "modules").mkdir(parents=True)
    _only(root, f"boot/vmlinuz-{release}", f"*/lib/modules/{release}/vmlinuz").rename(folder / "vmlinuz")
    modules.rename(folder / "lib" / "modules" / release)
    shutil.rmtree(root)
    files = list(plain_modules(folder / "lib" / "modules" / release))
    output("depmod", "-b", folder, release, env=_ENVIRONMENT)
    with_events = sorted(file.stem for file in files if b"_ftrace_events\0" in file.read_bytes())
    return Image(folder, release, tuple(with_events))


def _only(root: Path, *patterns: str) -> Path:
    found = [path for pattern in patterns for path in root.glob(pattern)]
    if len(found) != 1:
        raise MatrixError(f"expected one {' or '.join(patterns)} in the kernel's packages, found {len(found)}")
    return found[0]


def plain_modules(folder: Path) -> Iterator[Path]:
    """Every module below, unpacked in place: the emulated machine would do it again at each load."""
    for path in sorted(folder.rglob("*.ko*")):
        if path.suffix == ".xz":
            plain = path.with_suffix("")
            plain.write_bytes(lzma.decompress(path.read_bytes()))
            path.unlink()
            yield plain
        elif path.suffix == ".ko":
            yield path
