"""A C compiler, asked about headers."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from syscall_tables.declaration import DeclarationError, Machine

# What a compiler for the machine we are on says of it; the other machines' headers must not see that.
_OWN_MACROS = ("__x86_64__", "__x86_64", "__amd64__", "__amd64", "__aarch64__", "__riscv", "__loongarch__")

_SIZE = "typedef __SIZE_TYPE__ size_t;\n"  # the numbers of some ioctls have its size in them


class Compiler:
    """What a C compiler tells of headers: the names that they define, and numbers."""

    def __init__(self, program: str, headers: Path, machine: Machine, here: Machine) -> None:
        self._program = program
        self.machine = machine
        self._uapi = ["-nostdinc", *(f"-isystem{headers / part}" for part in (machine.folder, ""))]
        self._uapi += [f"-U{macro}" for macro in _OWN_MACROS] + [f"-D{macro}" for macro in machine.macros]
        self._libc = ["-D_GNU_SOURCE", *(f"-isystem{headers / part}" for part in (here.folder, ""))]
        self.left_out: set[str] = set()

    @functools.cache  # noqa: B019
    def defined(self, headers: tuple[str, ...], libc: bool) -> Mapping[str, str]:
        """All macros without parameters with their texts, and all enumerators with ``enum`` and its name."""
        text = self._run(["-E", "-dD"], include(headers), libc)
        found: dict[str, str] = {}
        for word, name, body in re.findall(r"^#(define|undef) (\w+)(?![\w(])(.*)", text, re.MULTILINE):
            if word == "define":
                found[name] = body.strip()
            else:
                found.pop(name, None)
        code = re.sub(r"^#.*", "", text, flags=re.MULTILINE)
        for enum, body in re.findall(r"\benum\b\s*(\w*)\s*\{([^}]*)\}", code):
            found |= dict.fromkeys(re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", body), f"enum {enum}".strip())
        return found

    def numbers(
        self, headers: tuple[str, ...], libc: bool, expressions: Sequence[str], quiet: bool = False
    ) -> dict[str, int]:
        """What C expressions are worth; those that are no constant numbers are left out, and noted unless quiet."""
        if not expressions:
            return {}
        wrong = self._errors(headers, libc, expressions)
        if not quiet:
            self.left_out.update(expressions[index] for index in wrong)
        right = [each for index, each in enumerate(expressions) if index not in wrong]
        assembly = self._run(["-S", "-o", "-"], asking(headers, right), libc)
        found = {int(index): int(value) for index, value in re.findall(r"#> (\d+) is \$?(-?\d+)", assembly)}
        if len(found) != len(right):
            raise DeclarationError(f"the compiler gave {len(found)} numbers for {len(right)} names")
        return {each: found[index] for index, each in enumerate(right)}

    def _errors(self, headers: tuple[str, ...], libc: bool, expressions: Sequence[str]) -> set[int]:
        """Which of the expressions don't compile."""
        done = self._call(["-fsyntax-only"], asking(headers, expressions), libc)
        first = len(headers) + 2
        lines = [int(line) for line in re.findall(r"^<stdin>:(\d+):\d+: error:", done.stderr, re.MULTILINE)]
        if done.returncode and (not lines or min(lines) < first):
            raise DeclarationError(f"{' '.join(headers)} don't compile for {self.machine.name}:\n{done.stderr}")
        return {line - first for line in lines}

    def _run(self, options: Sequence[str], text: str, libc: bool) -> str:
        done = self._call(options, text, libc)
        if done.returncode:
            raise DeclarationError(f"{self._program} for {self.machine.name}:\n{done.stderr}")
        return done.stdout

    def _call(self, options: Sequence[str], text: str, libc: bool) -> subprocess.CompletedProcess[str]:
        where = self._libc if libc else self._uapi
        words = [self._program, "-xc", "-std=gnu11", "-w", "-fno-asynchronous-unwind-tables", *where, *options, "-"]
        return subprocess.run(words, input=text, capture_output=True, text=True, check=False)


def include(headers: Iterable[str]) -> str:
    """The lines that include the headers."""
    return "".join(f"#include <{header}>\n" for header in headers)


def asking(headers: Iterable[str], expressions: Iterable[str]) -> str:
    """C whose assembly holds the numbers, one line each, as the kernel's own asm-offsets are made.

    The enum is there because an asm statement takes what is no constant number without a word; each has a
    function of its own because compilers complain of an unknown name once a function.
    """
    lines = (
        f"void ask_{index}(void) {{ enum {{ is = (long long)({each}) }}; "
        f'asm volatile("#> {index} is %0" : : "i"((long long)({each}))); }}\n'
        for index, each in enumerate(expressions)
    )
    return f"{include(headers)}{_SIZE}{''.join(lines)}"
