"""Generated libbpf programs against the files that people have read and found good."""

from __future__ import annotations

import re

import pytest

from tests.golden.libbpf_programs import FOLDER, programs, rendered
from tpkit.sinks.folder import MARK


@pytest.mark.parametrize("name", sorted(rendered()))
def test_program(name: str) -> None:
    assert without_version(rendered()[name]) == without_version((FOLDER / name).read_text())


def without_version(program: str) -> str:
    """A new version of tpkit is no new program."""
    return re.sub(r"Made by tpkit \S+ ", "Made by tpkit ", program)


def test_no_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(rendered())


def test_every_file_says_who_made_it() -> None:
    for files in programs().values():
        assert all(MARK in file.text.encode()[:1024] for file in files)
