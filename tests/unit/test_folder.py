"""Generated files into a folder: what is replaced, what is refused, and that nothing is written by halves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tpkit import SinkError
from tpkit.codegen.generated import GeneratedFile
from tpkit.sinks.folder import write_files

OURS = GeneratedFile("a.c", "// Made by tpkit 0.1.0\nint a;\n")
SCRIPT = GeneratedFile("run.py", "#!/usr/bin/env python3\n# Made by tpkit 0.1.0\n", executable=True)


def test_the_folder_is_made_and_files_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert write_files(folder, [OURS, SCRIPT]) == (folder / "a.c", folder / "run.py")
    changed = GeneratedFile("a.c", "// Made by tpkit 0.2.0\n")
    write_files(folder, [changed])
    assert (folder / "a.c").read_text() == changed.text
    assert os.access(folder / "run.py", os.X_OK)
    assert not os.access(folder / "a.c", os.X_OK)
    assert sorted(path.name for path in folder.iterdir()) == ["a.c", "run.py"]


def test_what_tpkit_did_not_write_stays(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("mine\n")
    with pytest.raises(SinkError, match=r"tpkit didn.t write it.*--force"):
        write_files(tmp_path, [OURS, SCRIPT])
    assert not (tmp_path / "a.c").exists()
    assert (tmp_path / "run.py").read_text() == "mine\n"
    write_files(tmp_path, [OURS, SCRIPT], force=True)
    assert (tmp_path / "run.py").read_text() == SCRIPT.text


@pytest.mark.parametrize("force", [False, True])
def test_no_link_is_followed(tmp_path: Path, force: bool) -> None:
    target = tmp_path / "target"
    target.write_text("// Made by tpkit 0.1.0, and precious\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.c").symlink_to(target)
    with pytest.raises(SinkError, match="symbolic link"):
        write_files(folder, [OURS], force=force)
    assert "precious" in target.read_text()
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    with pytest.raises(SinkError, match="is a symbolic link"):
        write_files(linked, [SCRIPT], force=force)
    assert not (folder / "run.py").exists()


def test_a_pipe_in_the_way(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.c")
    with pytest.raises(SinkError, match="isn't a regular file"):
        write_files(tmp_path, [OURS], force=True)


def test_a_folder_that_anybody_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(SinkError, match="anybody may write"):
        write_files(tmp_path, [OURS])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(SinkError, match="belongs to somebody else"):
        write_files(folder, [OURS])


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="can't be used: Not a directory"):
        write_files(tmp_path / "file", [OURS])
    with pytest.raises(SinkError, match="can't be used: No such file"):
        write_files(tmp_path / "no" / "such", [OURS])
