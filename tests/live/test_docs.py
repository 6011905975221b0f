"""What the documentation shows is what tpkit writes today."""

from __future__ import annotations

import re

import pytest

from tests.golden.docs import DOCUMENT, programs, shown
from tpkit.btf import load_kernel_btf


def test_the_programs_in_the_documentation() -> None:
    if load_kernel_btf() is None:
        pytest.skip("this kernel has no BTF, which the libbpf program is about")
    texts = programs()
    blocks = shown(DOCUMENT.read_text())
    assert blocks.keys() == texts.keys() - {"README.md", "printk/Makefile", "printk/README.md"}
    for name, block in blocks.items():
        assert without_version(block) == without_version(texts[name].rstrip()), f"{name}: python -m tests.golden.docs"


def without_version(text: str) -> str:
    return re.sub(r"Made by tpkit \d+(\.\d+)*\w*", "Made by tpkit", text)
