"""Real format files parse, and real records render as the kernel that wrote them printed them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpkit.format_parser import parse_format
from tpkit.print_fmt import Machine, Renderer, SortedSymbols, decodings, parse_print_fmt, shown_fields, unevaluable

FIXTURES = Path(__file__).parents[1] / "fixtures"
LIVE = Path("/sys/kernel/tracing/events")
RENDERING = FIXTURES / "rendering"


def trees() -> list[Path]:
    return sorted(FIXTURES.glob("*/events"))


def read(path: Path) -> str:
    return path.read_text(errors="surrogateescape")


@pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.parent.name)
def test_every_captured_format_file(tree: Path) -> None:
    count = 0
    for path in sorted(tree.glob("*/*/format")):
        made = parse_format(read(path), path.parts[-3], path.parts[-2])
        parse_print_fmt(made.print_fmt)
        decodings(made)
        shown_fields(made)
        unevaluable(made)
        count += 1
    assert count


@pytest.mark.live
def test_every_format_file_of_this_kernel() -> None:
    paths = sorted(LIVE.glob("*/*/format"))
    if not paths:
        pytest.skip("no readable tracefs at /sys/kernel/tracing")
    for path in paths:
        parse_print_fmt(parse_format(read(path), path.parts[-3], path.parts[-2]).print_fmt)


def kernels() -> list[Path]:
    return sorted(path.parent for path in RENDERING.glob("*/records.jsonl"))


def machine_of(kernel: Path) -> Machine:
    """What was recorded of the kernel beside its records; pointers were recorded unhashed."""
    facts = json.loads(read(kernel / "machine.json"))
    return Machine(
        byte_order=facts["byte_order"],
        long_size=facts["long_size"],
        hz=facts["hz"],
        names=facts["names"].get,
        symbols=SortedSymbols(symbols_in(read(kernel / "kallsyms"))),
        strings=dict(texts_in(read(kernel / "printk_formats"))).get,
        pointers=Machine(long_size=facts["long_size"]).plain_pointer,
    )


def symbols_in(kallsyms: str) -> Iterator[tuple[int, str, str]]:
    for line in kallsyms.splitlines():
        address, _, name, *module = line.split()
        yield int(address, 16), name, module[0].strip("[]") if module else ""


def texts_in(printk_formats: str) -> Iterator[tuple[int, str]]:
    for line in printk_formats.splitlines():
        address, _, literal = line.partition(" : ")
        yield int(address, 16), literal.strip()[1:-1]


@pytest.mark.parametrize("kernel", kernels(), ids=lambda kernel: kernel.name)
def test_recorded_events_read_as_the_kernel_printed_them(kernel: Path) -> None:
    machine = machine_of(kernel)
    renderers: dict[str, Renderer] = {}
    exact = marked = 0
    wrong = []
    for line in read(kernel / "records.jsonl").splitlines():
        each = json.loads(line)
        made = renderers.setdefault(each["event"], renderer(kernel, each["event"], machine))
        rendering = made.render(bytes.fromhex(each["record"]))
        if rendering.text == each["text"]:
            exact += 1
        elif rendering.doubts and agrees_around_marks(rendering.text, each["text"]):
            marked += 1
        else:
            wrong.append((each["event"], each["text"], rendering.text))
    assert wrong == []
    assert marked <= exact // 100


def renderer(kernel: Path, event: str, machine: Machine) -> Renderer:
    category, name = event.split(":")
    return Renderer(parse_format(read(kernel / "events" / category / name / "format"), category, name), machine)


def agrees_around_marks(rendered: str, text: str) -> bool:
    """Whether a text is the kernel's but for what is marked with ``<…>``, brackets within included."""
    pieces, depth = [""], 0
    for character in rendered:
        depth += (character == "<") - (character == ">" and depth > 0)
        if character == "<" and depth == 1:
            pieces.append("")
        elif depth == 0 and character != ">":
            pieces[-1] += character
    return re.fullmatch(".*".join(map(re.escape, pieces)), text, re.DOTALL) is not None
