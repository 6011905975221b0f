"""``tpkit generate`` as its users have it, for all targets; and what hostile format files come to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ReadFixture, Run
from tpkit import FormatError, ProbeSpec, parse_format
from tpkit.codegen.bcc_script import generate_bcc_script
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.codegen.generated import GeneratedFile
from tpkit.codegen.libbpf import generate_libbpf
from tpkit.codegen.libbpf_printk import generate_printk
from tpkit.model import EventFormat
from tpkit.program import SCRIPT_STRING_SIZE

Make = Callable[[ProbeSpec], tuple[GeneratedFile, ...]]
TARGETS: dict[str, Make] = {
    "bcc": generate_bcc_script,
    "libbpf": lambda spec: generate_libbpf(spec, None),
    "printk": lambda spec: generate_printk(spec, None),
    "bpftrace": generate_bpftrace,
}
UNLINKAT = "syscalls:sys_enter_unlinkat"
TREE = FIXTURES / "6.18-x86_64"


def event_with(name: str) -> EventFormat:
    field = f"\tfield:u32 {name};\toffset:8;\tsize:4;\tsigned:0;\n"
    return parse_format(f'name: thing\nID: 1\nformat:\n\n{field}\nprint fmt: ""\n', "cat")


NO_NAMES = ["x; int evil(void)", "__attribute__((evil))", "x" * 300, "x\\", 'x"', "x*/", ""]
CLAIMED = ["system", "__attribute__", "int", "while", "class", "lambda", "BEGIN", "pid", "kstack", "evil system"]


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("name", NO_NAMES)
def test_names_that_are_none_are_refused(target: str, name: str) -> None:
    """No target is even reached: the grammar lets identifiers through, and nothing else."""
    with pytest.raises(FormatError):
        TARGETS[target](ProbeSpec((event_with(name),)))


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("name", CLAIMED)
def test_names_that_a_language_claims_are_safe(target: str, name: str) -> None:
    """A program comes out, in which they are members and nothing else: no statement, no call, no type."""
    for file in TARGETS[target](ProbeSpec((event_with(name),))):
        code = re.sub(r'//.*|/\*.*?\*/|"(?:[^"\\]|\\.)*"', "", file.text)
        assert "evil" not in code
        assert not re.search(r"\bsystem\s*\(|\b__attribute__\s*;", code)
        assert not re.search(r"\b__u32 (?:int|while);", code)


def generate(tpkit: Run, *arguments: str | bytes) -> tuple[int, str, str]:
    done = tpkit("generate", *arguments, "--tracefs", str(TREE))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(("target", "beginning"), [("bcc", "#!/usr/bin/python3"), ("bpftrace", "#!/usr/bin/env ")])
def test_one_file_goes_to_stdout(tpkit: Run, target: str, beginning: str) -> None:
    status, out, err = generate(tpkit, UNLINKAT, "--target", target)
    assert (status, err) == (0, "")
    assert out.startswith(beginning)


def test_files_go_to_a_folder(tpkit: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    status, out, err = generate(tpkit, UNLINKAT, "-o", str(folder))
    assert (status, out) == (0, f"{folder}/trace_unlinkat.py\n")
    assert f"sudo {folder}/trace_unlinkat.py" in err
    assert os.access(folder / "trace_unlinkat.py", os.X_OK)
    (folder / "trace_unlinkat.py").write_text("mine")
    status, _, err = generate(tpkit, UNLINKAT, "-o", str(folder))
    assert status == 1
    assert "tpkit didn't write it" in err
    assert generate(tpkit, UNLINKAT, "-o", str(folder), "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "libbpf"), "give a folder: -o DIR"),
        (("--printk",), "--printk is for --target libbpf only"),
        (("--portable", "--target", "bpftrace"), "--portable is for --target libbpf only"),
        (("--pair",), "--pair is for --target bpftrace only"),
        (("-p", "x"), "no list of process ids"),
        (("--target", "perl"), "perl"),
    ],
)
def test_wrong_usage(tpkit: Run, arguments: tuple[str, ...], words: str) -> None:
    status, out, err = generate(tpkit, UNLINKAT, *arguments)
    assert (status, out) == (2, "")
    assert words in err


def test_a_pair_needs_one_name_only(tpkit: Run) -> None:
    status, out, _ = generate(tpkit, "unlinkat", "--target", "bpftrace", "--pair")
    assert status == 0
    assert "sys_enter_unlinkat" in out
    assert "sys_exit_unlinkat" in out


@pytest.mark.parametrize("target", TARGETS)
def test_strings_are_short_unless_asked_for(read_fixture: ReadFixture, target: str) -> None:
    """As ``generate`` has them: each record has room for the longest."""
    made = [
        TARGETS[target](ProbeSpec((read_fixture(UNLINKAT),), string_size=size))
        for size in (None, SCRIPT_STRING_SIZE, SCRIPT_STRING_SIZE // 4)
    ]
    assert made[0] == made[1] != made[2]
