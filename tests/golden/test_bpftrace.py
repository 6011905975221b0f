"""Generated bpftrace programs against the files that people have read and found good."""

from __future__ import annotations

import re

import pytest

from tests.golden.bpftrace_programs import FOLDER, programs


@pytest.mark.parametrize("name", sorted(programs()))
def test_program(name: str) -> None:
    assert without_version(programs()[name]) == without_version((FOLDER / name).read_text())


def without_version(program: str) -> str:
    """A new version of tpkit is no new program."""
    return re.sub(r"Made by tpkit \S+ ", "Made by tpkit ", program)


def test_no_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(programs())
