"""The programs that docs/README.md shows, and how to put the present ones there.

``python -m tests.golden.docs`` replaces the blocks behind each marker; it takes a kernel with BTF, of which
the libbpf program says what context it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.golden.libbpf_programs import UNLINKAT
from tpkit import ProbeSpec
from tpkit.btf import load_kernel_btf
from tpkit.codegen.bcc_script import generate_bcc_script
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.codegen.libbpf import generate_libbpf
from tpkit.codegen.libbpf_printk import generate_printk
from tpkit.program import SCRIPT_STRING_SIZE

DOCUMENT = Path(__file__).parents[2] / "docs" / "README.md"

# <!-- NAME --> and the fenced block that follows it.
_BLOCK = re.compile(r"<!-- (?P<name>\S+) -->\n```(?P<language>\w*)\n(?P<text>.*?)\n```\n", re.DOTALL)


def programs() -> dict[str, str]:
    """The texts by the names of their markers."""
    spec, btf = ProbeSpec(UNLINKAT, string_size=SCRIPT_STRING_SIZE), load_kernel_btf()
    files = (*generate_bpftrace(spec), *generate_bcc_script(spec), *generate_libbpf(spec, btf))
    printk = {f"printk/{file.name}": file.text for file in generate_printk(spec, btf)}
    return {**{file.name: file.text for file in files}, **printk}


def shown(document: str) -> dict[str, str]:
    """The blocks of a document by their names."""
    return {match["name"]: match["text"] for match in _BLOCK.finditer(document)}


def replaced(document: str, texts: Mapping[str, str]) -> str:
    """The document with these texts in its blocks."""

    def block(match: re.Match[str]) -> str:
        name, language = match["name"], match["language"]
        return f"<!-- {name} -->\n```{language}\n{texts[name].rstrip()}\n```\n"

    return _BLOCK.sub(block, document)


if __name__ == "__main__":
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(), programs()))
