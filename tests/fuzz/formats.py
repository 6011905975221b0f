"""Coverage-guided fuzzing of both grammars with atheris: ``make fuzz``, or

    python -m tests.fuzz.formats {file,print_fmt} WORK_FOLDER [libFuzzer's options …]

WORK_FOLDER gets ``corpus/``, seeded with the fixtures, and ``findings/``: inputs that anything but
FormatError or InvalidName came out of, that took too long, or too much memory.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tpkit"], enable_loader_override=False):
    from tpkit.errors import FormatError, InvalidName
    from tpkit.format_parser import locate_print_fmt, parse_format
    from tpkit.lint import lint_text
    from tpkit.model import TracepointId
    from tpkit.print_fmt import decodings, parse_print_fmt, shown_fields, unevaluable

FIXTURES = Path(__file__).parent.parent / "fixtures"
DICTIONARY = Path(__file__).with_name("words.dict")
EVENT = TracepointId("cat", "thing")
FIELDS = (
    "name: thing\nID: 7\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:int a;\toffset:8;\tsize:4;\tsigned:1;\n\tfield:char b[8];\toffset:12;\tsize:8;\tsigned:0;\n"
    "\tfield:__data_loc char[] c;\toffset:20;\tsize:4;\tsigned:0;\n\nprint fmt: "
)
SECONDS_AN_INPUT = 10  # more of them is a hang


def print_fmt_failure(text: str) -> FormatError | None:
    """What parse_print_fmt() says against a text."""
    try:
        parse_print_fmt(text)
    except FormatError as error:
        return error
    return None


def file_target(data: bytes) -> None:
    """A whole format file."""
    text = data.decode("utf-8", "surrogateescape")
    verdict = lint_text(text, EVENT, "format")
    try:
        event = parse_format(text, EVENT.category, EVENT.name)
    except (FormatError, InvalidName):
        assert verdict.failures
        return
    place = locate_print_fmt(text)
    assert event.print_fmt == (place.text if place else "")


def print_fmt_target(data: bytes) -> None:
    """A print fmt alone, below fields that it may name."""
    text = data.decode("utf-8", "surrogateescape")
    error = print_fmt_failure(text)
    if error:
        assert (error.line >= 1, error.column >= 1, "\n" in error.text) == (True, True, False)
    try:
        event = parse_format(FIELDS + text, EVENT.category)
        parse_print_fmt(event.print_fmt)
    except FormatError:
        return
    decodings(event)
    shown_fields(event)
    unevaluable(event)


def file_seeds() -> Iterator[bytes]:
    """Every fixture."""
    yield from (path.read_bytes() for path in FIXTURES.glob("*/events/*/*/format"))


def print_fmt_seeds() -> Iterator[bytes]:
    """The print fmt of every fixture."""
    for data in file_seeds():
        place = locate_print_fmt(data.decode("utf-8", "surrogateescape"))
        if place:
            yield place.text.encode("utf-8", "surrogateescape")


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[bytes]]]] = {
    "file": (file_target, file_seeds),
    "print_fmt": (print_fmt_target, print_fmt_seeds),
}


def main() -> None:
    """Seed the corpus, and hand over to libFuzzer, which ends the process."""
    target, seeds = TARGETS[sys.argv[1]]
    folder = Path(sys.argv[2]) / sys.argv[1]
    corpus, findings = folder / "corpus", folder / "findings"
    for each in (corpus, findings):
        each.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        name = hashlib.sha256(seed).hexdigest()[:16]
        (corpus / name).write_bytes(seed)
    settings = [f"-dict={DICTIONARY}", f"-artifact_prefix={findings}/", f"-timeout={SECONDS_AN_INPUT}", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *settings, *sys.argv[3:], str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
