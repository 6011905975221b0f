"""Generated programs against the files that people have read and found good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.golden import bcc_programs, bcc_scripts

RENDERED = {
    folder / name: text
    for folder, texts in (
        (bcc_programs.FOLDER, bcc_programs.rendered()),
        (bcc_scripts.FOLDER, bcc_scripts.rendered()),
    )
    for name, text in texts.items()
}


@pytest.mark.parametrize("path", sorted(RENDERED), ids=lambda path: path.name)
def test_program(path: Path) -> None:
    assert without_version(RENDERED[path]) == without_version(path.read_text())


def without_version(program: str) -> str:
    """A new version of tpkit is no new program."""
    return re.sub(r"Made by tpkit [0-9][0-9a-z.+]*[0-9a-z]", "Made by tpkit", program)


def test_no_file_is_left_over() -> None:
    kept = {path for folder in (bcc_programs.FOLDER, bcc_scripts.FOLDER) for path in folder.glob("*.*")}
    assert kept == set(RENDERED)
