"""Every format file of a kernel: harvested there, parsed here."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import Tracefs
from tpkit.lint import Failure, Summary, find, lint_all

HARVEST = "harvest.tar"
_FILES = ("available_events", "printk_formats", "events/header_page", "events/header_event")


def harvest(context: Context) -> Result:
    """Load the modules that have tracepoints, then pack what tracefs says of all events."""
    failed = [name for name in context.modules if not _load(name)]
    tree = Tracefs.find()
    formats = sorted(path.relative_to(tree.root) for path in tree.root.glob("events/*/*/format"))
    with tarfile.open(context.folder / HARVEST, "w") as archive:
        for path in (*map(Path, _FILES), *formats):
            _add(archive, tree.root, path)
    details = [f"modules that found nothing to do here: {' '.join(failed)}"] if failed else []
    return Result.of(len(formats) > 100, f"{len(formats)}", *details)


def _load(module: str) -> bool:
    command = ["modprobe", "--quiet", module]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _add(archive: tarfile.TarFile, root: Path, path: Path) -> None:
    """A file of tracefs: they all say that they are empty."""
    data = (root / path).read_bytes()
    entry = tarfile.TarInfo(str(path))
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def formats(context: Context) -> Result:
    """Whose fields tpkit can read: all, or it is red."""
    summary = _linted(context.folder / HARVEST)
    bad = summary.field_errors + summary.unreadable
    cell = f"{summary.files - bad}/{summary.files}"
    return Result.of(not bad and summary.files > 100, cell, *_words(summary, "fields"), *_words(summary, "file"))


def print_fmts(context: Context) -> Result:
    """Whose print fmt it can read. What can be read but not evaluated is named in the details."""
    summary = _linted(context.folder / HARVEST)
    good = summary.files - summary.print_fmt_errors
    details = [*_words(summary, "print fmt"), f"{summary.unevaluable} with parts that no record can answer"]
    return Result.of(good == summary.files > 100, f"{good}/{summary.files}", *details)


def _words(summary: Summary, part: str) -> list[str]:
    return [_word(failure) for failure in summary.failures if failure.part.value == part]


def _word(failure: Failure) -> str:
    event = "/".join(Path(failure.path).parts[-3:-1])
    return f"{event}:{failure.line}:{failure.column}: {failure.message}"


def _unpack(archive: Path, folder: Path) -> None:
    """The format files; TarFile's own filters came with Python 3.11.4."""
    with tarfile.open(archive) as packed:
        for entry in packed:
            data = packed.extractfile(entry)
            parts = Path(entry.name).parts
            if data is None or parts[-1] != "format" or len(parts) != 4 or ".." in parts or parts[0] != "events":
                continue
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.read())


@cache
def _linted(archive: Path) -> Summary:
    """What ``tpkit lint`` says of a harvest."""
    with tempfile.TemporaryDirectory(prefix="tpkit-harvest-") as folder:
        _unpack(archive, Path(folder))
        return lint_all(find([Path(folder)]), lambda _: None)
