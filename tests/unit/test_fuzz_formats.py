"""Format files built from the survey's shapes come back as they went in; broken ones give a FormatError."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tpkit import EventFormat, FormatError, InvalidName, TracepointId, parse_format
from tpkit.format_parser import locate_print_fmt
from tpkit.lint import lint_text
from tpkit.model import Location
from tpkit.print_fmt import parse_print_fmt

EVENT = TracepointId("cat", "thing")
LIGHT = settings(deadline=None, max_examples=100)


# ------------------------------------------------------------------------- declarations as they are

IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True) | st.sampled_from(keyword.kwlist)
TAGGED = st.tuples(st.sampled_from(["struct", "union", "enum"]), IDENTIFIERS).map(" ".join)
PLAIN = st.sampled_from("int char bool u8 s64 __be32 size_t pid_t cpumask_t uuid_le unsigned".split())
LONG = st.sampled_from(
    ["unsigned long", "long long int", "struct { u32 a; u8 b[2]; }", "typeof(((struct a *)0)->b[0])"]
)
BASES = PLAIN | LONG | TAGGED
STARS = st.sampled_from(["", " *", " **", " * *", "*", " *const *", " __user *", " * const"])
ATTRIBUTES = st.sampled_from(["", " __attribute__((aligned(8)))", ' __attribute__((btf_type_tag("user")))'])
SIZES = st.sampled_from(
    [
        "16",
        "0x10",
        "TASK_COMM_LEN",
        "32 + 2",
        "sizeof(struct sockaddr_in6)",
        "(int)sizeof(struct ieee80211_ht_cap)",
        "((((32)-1) | ((__typeof__(32))((4)-1)))+1)/4 > 128 ? 128 : 4",
        "",
    ]
)
NUMBERS = st.integers(0, 1 << 20)


@dataclass(frozen=True)
class Shape:
    """A field as a file writes it, and what must be understood of it."""

    declaration: str
    name: str
    pointers: int
    sizes: tuple[str, ...]
    location: Location
    offset: int
    size: int
    signed: bool | None
    special: bool

    @property
    def line(self) -> str:
        head = "field special" if self.special else "field"
        tail = "" if self.signed is None else f"\tsigned:{self.signed:d};"
        return f"\t{head}:{self.declaration};\toffset:{self.offset};\tsize:{self.size};{tail}\n"


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    name = draw(IDENTIFIERS)
    base = draw(st.sampled_from(["", "const ", "volatile "])) + draw(BASES) + draw(ATTRIBUTES)
    stars = draw(STARS)
    location = draw(st.sampled_from(Location))
    sizes: tuple[str, ...] = tuple(draw(st.lists(SIZES, max_size=2)))
    if location is Location.IN_RECORD:
        declaration = f"{base}{stars} {name}" + "".join(f"[{size}]" for size in sizes)
    else:
        sizes = ("", *sizes[1:])
        brackets = "".join(f"[{size}]" for size in sizes)
        declaration = f"{location.value} {base}{stars}{brackets} {name}"
    pointers = stars.count("*")
    numbers = draw(NUMBERS), draw(NUMBERS)
    signed = draw(st.sampled_from([None, False, True]))
    return Shape(declaration, name, pointers, sizes, location, *numbers, signed, draw(st.booleans()))


@dataclass(frozen=True)
class File:
    """A format file, and what went into it."""

    name: str
    number: int
    common: tuple[Shape, ...]
    fields: tuple[Shape, ...]
    print_fmt: str

    @property
    def text(self) -> str:
        head = f"name: {self.name}\nID: {self.number}\nformat:\n"
        common, fields = ("".join(each.line for each in block) for block in (self.common, self.fields))
        return f"{head}{common}\n{fields}\nprint fmt: {self.print_fmt}\n"


def common_named(shape: Shape) -> Shape:
    name = f"common_{shape.name}"
    return replace(shape, name=name, declaration=f"int {name}", pointers=0, sizes=(), location=Location.IN_RECORD)


EVENT_NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
TEMPLATES = st.text(st.characters(exclude_characters='"\\\r', exclude_categories=["Cs"]), max_size=20)
ARGUMENTS = st.lists(IDENTIFIERS.map(lambda name: f"REC->{name}") | st.just("__get_str(x)"), max_size=4)
PRINT_FMTS = st.builds(lambda text, arguments: ", ".join([f'"{text}"', *arguments]), TEMPLATES, ARGUMENTS)
FILES = st.builds(
    File,
    name=EVENT_NAMES,
    number=st.integers(0, 65535),
    common=st.lists(shapes().map(common_named), max_size=5).map(tuple),
    fields=st.lists(shapes(), max_size=6).map(tuple),
    print_fmt=PRINT_FMTS,
)


def check(parsed: EventFormat, file: File) -> None:
    assert (parsed.id.name, parsed.number) == (file.name, file.number)
    assert [field.name for field in parsed.common_fields] == [shape.name for shape in file.common]
    assert len(parsed.fields) == len(file.fields)
    for field, shape in zip(parsed.fields, file.fields, strict=True):
        assert (field.name, field.offset, field.size, field.signed) == (
            shape.name,
            shape.offset,
            shape.size,
            shape.signed,
        )
        assert (field.type.pointers, field.type.location) == (shape.pointers, shape.location)
        assert tuple(dimension.text for dimension in field.type.dimensions) == shape.sizes


@given(FILES)
@LIGHT
def test_what_goes_in_comes_out(file: File) -> None:
    parsed = parse_format(file.text, "cat")
    check(parsed, file)
    assert parsed.print_fmt == file.print_fmt
    understood = parse_print_fmt(parsed.print_fmt)
    assert len(understood.arguments) == file.print_fmt.count("REC->") + file.print_fmt.count("__get_str(x)")


CHANGES: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text + "\0\0",
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: text.replace("\t", "        "),
        lambda text: text.replace(";\t", ";"),
    ]
)


@given(FILES.map(lambda file: replace(file, print_fmt='"%d", REC->x')), CHANGES)
@LIGHT
def test_copies_come_out_the_same(file: File, change: Callable[[str], str]) -> None:
    check(parse_format(change(file.text), "cat"), file)


# --------------------------------------------------------------------------------------- broken ones


@lru_cache(maxsize=1)
def real_files() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted(FIXTURES.glob("*-x86_64/events/*/*/format")))


WORDS = (
    'name: ID: format: field: offset: size: signed: ; { } [ ] ( ) * , . -1 99999999 " " \\ \' REC-> REC'
    ' __data_loc __rel_loc struct typeof( __attribute__(( (*f)( ({ }) ? : "," %*.*s'
).split()
PIECES = st.sampled_from([*WORDS, *" \t\n\r\0\ufeff\udcff", "\nprint fmt: ", "\tfield:int x;\toffset:0;\tsize:4;\n"])
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES | st.text(max_size=4)), min_size=1, max_size=8
)  # place, characters that go, what comes instead
Edits = list[tuple[float, int, str]]


def edited(text: str, edits: Edits) -> str:
    for place, length, piece in edits:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + length :]
    return text


def failure_of(read: Callable[[str], object], text: str) -> FormatError | None:
    try:
        read(text)
    except FormatError as error:
        return error
    except InvalidName:
        pass
    return None


def is_placed(error: FormatError | None, text: str) -> None:
    """An error has a place within the text."""
    if error:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert "^" in error.excerpt()


def fails_well(text: str) -> None:
    """Nothing but our own errors."""
    is_placed(failure_of(lambda text: parse_format(text, "cat", "thing"), text), text)
    for failure in lint_text(text, EVENT, "format").failures:
        assert (failure.line >= 1, failure.column >= 1, "\n" in failure.message) == (True, True, False)


@given(st.data(), EDITS)
@settings(deadline=None, max_examples=150)
def test_edited_real_files(data: st.DataObject, edits: Edits) -> None:
    fails_well(edited(data.draw(st.sampled_from(real_files())), edits))


@given(st.data(), st.floats(0, 1), st.floats(0, 1))
@LIGHT
def test_halves_of_two_real_files(data: st.DataObject, first: float, second: float) -> None:
    one, other = (data.draw(st.sampled_from(real_files())) for _ in range(2))
    fails_well(one[: int(first * len(one))] + other[int(second * len(other)) :])


@given(FILES, EDITS)
@LIGHT
def test_edited_made_files(file: File, edits: Edits) -> None:
    fails_well(edited(file.text, edits))


@given(st.data(), EDITS)
@LIGHT
def test_edited_real_print_fmts(data: st.DataObject, edits: Edits) -> None:
    place = locate_print_fmt(data.draw(st.sampled_from(real_files())))
    assert place
    text = edited(place.text, edits)
    is_placed(failure_of(parse_print_fmt, text), text)


@given(st.text())
@LIGHT
def test_any_text(text: str) -> None:
    fails_well(text)
    fails_well(f"name: a\nID: 1\nformat:\n\tfield:{text};\toffset:0;\tsize:4;\n\nprint fmt: {text}\n")


@given(st.sampled_from(["(", "[", "{", "struct {", "a(", "a[", "({", "(*", "typeof(", "*", "a."]), st.integers(1, 1300))
@LIGHT
def test_nesting_costs_no_stack(piece: str, times: int) -> None:
    fails_well(f"name: a\nID: 1\nformat:\n\tfield:int {piece * times} x;\toffset:0;\tsize:4;\n\n")
    fails_well(f'name: a\nID: 1\nformat:\n\nprint fmt: "%d", {piece * times}\n')
