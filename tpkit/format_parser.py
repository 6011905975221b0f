"""The grammar of a format file: text → ``EventFormat``.

A format file (the kernel's ``f_show`` in ``trace_events.c``) is a few header lines, one line for each
field, and ``print fmt:``, which stays text here (``print_fmt.py`` reads it). The grammar works in
layers, each a pyparsing grammar of its own and each remembering what it has seen, because the 2,300
files of a kernel say the same things over and over: a file falls into blocks, a block into lines, a
line into a declaration and numbers, a declaration into a type and a name.

Nothing outside the grammar comes through: a name is an identifier of C, a number has few digits. That
is what lets generated code trust the model.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from functools import lru_cache

import pyparsing as pp

from tpkit.errors import FormatError
from tpkit.model import (
    MAX_FILE,
    MAX_LINE,
    MAX_NAME,
    MAX_OFFSET,
    CType,
    Dimension,
    EventFormat,
    Field,
    Location,
    TracepointId,
)
from tpkit.widths import width_of


def _element(pattern: str, name: str) -> pp.ParserElement:
    """A regular expression as a grammar element that skips no white space and names what it expects."""
    return pp.Regex(pattern).leave_whitespace().set_name(name)


# ------------------------------------------------------------------------------------- the file


def _located(pattern: str, name: str) -> pp.ParserElement:
    """An element whose token is its (position, text)."""
    return _element(pattern, name).set_parse_action(lambda _text, at, tokens: [(at, tokens[0])])


_EMPTY_LINE = r"[ \t]*\n"
_ANY_FIELD_LINE = r"[ \t]*field(?: special)?:[^\n]*(?:\n|;\Z)"

_FILE = (
    _element(r"\s*name:", "'name:'")
    + _element(r"[ \t]*[A-Za-z0-9_.-]+[ \t]*\n", "the event's name")("name")
    + _element(r"ID:", "'ID:'")
    + _element(r"[ \t]*[0-9]{1,9}[ \t]*\n", "the event's number")("number")
    + _element(r"format:[ \t]*\n", "'format:'")
    + _located(rf"(?:{_ANY_FIELD_LINE})*", "field lines")("common")
    + _element(rf"{_EMPTY_LINE}|(?=[ \t]*print fmt:)|\Z", "'field:' or an empty line")
    + _located(rf"(?:{_ANY_FIELD_LINE}|{_EMPTY_LINE})*", "field lines")("fields")
    + pp.Opt(_element(r"[ \t]*print fmt:", "'print fmt:'") + _element(r"[\s\S]*", "a print fmt")("print_fmt"))
    + _element(r"\Z", "'field:', an empty line or 'print fmt:'")
).parse_with_tabs()  # pyparsing would turn tabs into spaces, and every position would be off


def _as_written(text: str) -> str:
    """The text that the kernel wrote, without what a copy through other systems adds.

    That is a byte order mark, NULs behind the end, and carriage returns, which old adb versions add and
    which are taken off only if the first line has one: a format string may hold others.
    """
    text = text.removeprefix("\ufeff").rstrip("\0")
    if "\r" in text and text.partition("\n")[0].endswith("\r"):
        text = _LINE_END.sub("\n", text).rstrip("\r")
    return text


_LINE_END = re.compile(r"(?<!\r)\r+\n")


def _parse_file(text: str) -> pp.ParseResults:
    try:
        return _FILE.parse_string(text)
    except pp.ParseBaseException as error:
        raise _format_error(text, error.loc, error.parser_element) from None


def _format_error(text: str, at: int, expected: object) -> FormatError:
    """A FormatError for position ``at`` of ``text``."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    return FormatError(str(expected), line=text.count("\n", 0, at) + 1, column=at - start + 1, text=line)


# --------------------------------------------------------------------------------- a field line

# The body of a struct, union or enum in place, with one more within it: the only place for a ';'.
_MEMBERS = r"[A-Za-z0-9_ \t*\[\](),;:=]"
_BODY = rf"\{{(?:{_MEMBERS}|\{{{_MEMBERS}*\}})*\}}"

# Synthetic events of Linux 5.10 and before may keep a ';' of their definition: "__data_loc char[]; str".
_STRAY = r"(?<=\]);(?=[ \t]*(?:[A-Za-z_][A-Za-z0-9_]*[ \t]*)?;[ \t]*offset:)"

_FIELD_LINE = (
    _element(r"[ \t]*field(?: special)?:[ \t]*", "'field:'")
    + _located(rf"(?=[^;\s])[^;{{}}\n]*(?:(?:{_BODY}|{_STRAY})[^;{{}}\n]*)*(?<![ \t])", "a declaration")("declaration")
    + _element(r"[ \t]*;[ \t]*offset:[ \t]*", "'; offset:'")
    + _located(r"[0-9]+", "an offset in bytes")("offset")
    + _element(r";[ \t]*size:[ \t]*", "'; size:'")
    + _located(r"[0-9]+", "a size in bytes")("size")
    + pp.Opt(_element(r";[ \t]*signed:[ \t]*", "'; signed:'") + _element(r"[01]", "0 or 1")("signed"))
    + _element(r";[ \t]*\Z", "';' and the end of the line")
).parse_with_tabs()


@lru_cache(maxsize=1 << 16)
def _parse_line(line: str) -> Field:
    """A field from its line. Raises FormatError with line 1."""
    if len(line) > MAX_LINE:
        raise _format_error(line, MAX_LINE, f"a field line of at most {MAX_LINE} characters")
    try:
        parts = _FIELD_LINE.parse_string(line)
    except pp.ParseBaseException as error:
        raise _format_error(line, error.loc, error.parser_element) from None
    at, declaration = parts["declaration"]
    if ";" in declaration and "{" not in declaration:
        declaration = declaration.replace(";", "")
    name, type_text = _split_declaration(declaration, line, at)
    size = _number(parts["size"], line)
    return Field(
        name=name,
        type=_sized(_parse_type(type_text, line, at), size),
        offset=_number(parts["offset"], line),
        size=size,
        signed=None if "signed" not in parts else parts["signed"] == "1",
    )


def _sized(ctype: CType, size: int) -> CType:
    """The type with the one dimension that isn't a number counted, where the field's size tells it."""
    unknown = [each for each in ctype.dimensions if each.value is None]
    element = width_of(dataclasses.replace(ctype, dimensions=()))
    if ctype.is_dynamic or len(unknown) != 1 or not unknown[0].text or element is None:
        return ctype
    count, rest = divmod(size, element.size * math.prod(each.value or 1 for each in ctype.dimensions))
    if rest or not count:
        return ctype
    counted = tuple(each if each.value is not None else Dimension(each.text, count) for each in ctype.dimensions)
    return dataclasses.replace(ctype, dimensions=counted)


def _number(token: tuple[int, str], line: str) -> int:
    at, digits = token
    if len(digits) > 7 or int(digits) > MAX_OFFSET:
        raise _format_error(line, at, f"a number of bytes up to {MAX_OFFSET}")
    return int(digits)


# ------------------------------------------------------------------------------- a declaration

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
# Kernels before 2.6.33 show members of members as such: ``unsigned long graph_ent.func``, ``phys_addr_t rw.phys``.
_CONTAINER = re.compile(r"(?<![A-Za-z0-9_.])(?:[A-Za-z_][A-Za-z0-9_]{0,127}\.){1,8}\Z", re.ASCII)
_FUNCTION_POINTER = re.compile(r"\(\s*\*\s*([A-Za-z_][A-Za-z0-9_]*)\s*\)", re.ASCII)


def _split_declaration(declaration: str, line: str, at: int) -> tuple[str, str]:
    """The declared name, and the type around it: ``char comm[16]`` → ``comm``, ``char[16]``.

    The name is the last word that no bracket holds, ``__data_loc char[] name`` included; of a pointer
    to a function it is the word behind the star.
    """
    pointer = _FUNCTION_POINTER.search(declaration)
    if pointer:
        return pointer[1], f"{declaration[: pointer.start()]}(*){declaration[pointer.end() :]}"
    end = _before_dimensions(declaration)
    head = declaration[:end].rstrip()
    start = len(head.rstrip(_NAME_CHARACTERS))
    name = head[start:]
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise _format_error(line, at + start, f"a field's name: an identifier of at most {MAX_NAME} characters")
    container = _CONTAINER.search(head, 0, start) if head[:start].endswith(".") else None
    return name, head[: container.start() if container else start].rstrip() + declaration[end:]


def _before_dimensions(declaration: str) -> int:
    """Where the array brackets begin that end the declaration, or its length without any."""
    end = len(declaration)
    depth = 0
    for position in range(len(declaration) - 1, -1, -1):
        character = declaration[position]
        if character == "]":
            depth += 1
        elif character == "[":
            depth -= 1
            end = position if depth == 0 else end
        elif depth == 0 and not character.isspace():
            break
    return end


# ---------------------------------------------------------------------------------------- a type

_QUALIFIERS = frozenset(
    "const volatile restrict __restrict _Atomic __user __kernel __iomem __percpu __rcu __force "
    "__seg_gs __seg_fs".split()
)
_ATTRIBUTES = ("__attribute__", "__aligned", "__packed")
_NESTING = 24  # of brackets within brackets; array sizes of real kernels reach 6


def _balanced(opener: str, closer: str) -> str:
    """A pattern for bracketed text with whole brackets inside; atomic, so its cost is linear."""
    inner = r"[^()\[\]]++"
    for _ in range(_NESTING):
        inner = rf"(?>[^()\[\]]++|[(\[](?:{inner})*+[)\]])"
    return rf"{opener}(?:{inner})*+{closer}"


_ATTRIBUTE = pp.Regex(r"__attribute__\s*" + _balanced(r"\(", r"\)"))
# typeof(…), _Atomic(…), and macros: the kernel's __array() writes its type down before the preprocessor.
_CALL = pp.Regex(r"[A-Za-z_][A-Za-z0-9_]*\s*" + _balanced(r"\((?!\s*\*\s*\))", r"\)"))
_TAGGED = pp.Regex(r"(?:struct|union|enum)\b[ ]*(?:[A-Za-z_][A-Za-z0-9_]*)?[ ]*" + _BODY)
_WORD = pp.Regex(r"[A-Za-z_][A-Za-z0-9_]*")
_STAR = pp.Literal("*")
_QUALIFIER = pp.one_of(sorted(_QUALIFIERS), as_keyword=True)
_DIMENSION = pp.Regex(_balanced(r"\[", r"\]"))
_PARAMETERS = pp.Regex(r"\(\s*\*\s*\)\s*" + _balanced(r"\(", r"\)"))

_TYPE = (
    pp.Opt(pp.Regex(r"__(?:data|rel)_loc\b"))("location")
    + pp.Group(pp.ZeroOrMore(_ATTRIBUTE | _CALL | _TAGGED | _WORD))("words")
    + pp.Group(pp.ZeroOrMore(_STAR | _ATTRIBUTE | _QUALIFIER))("stars")
    + pp.Opt(_PARAMETERS)("function")
    + pp.Group(pp.ZeroOrMore(_DIMENSION))("dimensions")
    + pp.StringEnd().set_name("a type of C")
)


def _parse_type(text: str, line: str, at: int) -> CType:
    """A type from its text. Raises FormatError at its place in ``line``, as near as can be told."""
    try:
        ctype = _read_type(" ".join(text.split()))
    except pp.ParseBaseException as error:
        raise _format_error(line, min(at + error.loc, len(line)), "a type of C") from None
    if not ctype.base and not ctype.is_dynamic:
        raise _format_error(line, at, "a type before the field's name")
    return ctype


@lru_cache(maxsize=1 << 14)
def _read_type(text: str) -> CType:
    parts = _TYPE.parse_string(text)
    words, stars = list(parts["words"]), list(parts["stars"])
    function = "function" in parts
    return CType(
        text=text,
        base=" ".join(w for w in words if w not in _QUALIFIERS and not w.startswith(_ATTRIBUTES)),
        pointers=stars.count("*") + function,
        qualifiers=tuple(w for w in words + stars if w in _QUALIFIERS),
        attributes=tuple(w for w in words + stars if w.startswith(_ATTRIBUTES)),
        dimensions=tuple(_dimension(d[1:-1].strip()) for d in parts["dimensions"]),
        location=Location(parts["location"]) if "location" in parts else Location.IN_RECORD,
        function=function,
    )


def _dimension(text: str) -> Dimension:
    """Decimal and hexadecimal numbers become numbers; symbols and expressions stay as written."""
    if re.fullmatch(r"[0-9]{1,9}|0[xX][0-9a-fA-F]{1,8}", text):
        return Dimension(text, int(text, 16) if text[:2] in ("0x", "0X") else int(text))
    return Dimension(text)


# -------------------------------------------------------------------------------- the public verb


def parse_format(text: str, category: str, name: str | None = None) -> EventFormat:
    """Read a format file.

    category: the folder it came from, for the file doesn't say; name: the event's own folder, needed
    only for an empty file, which some kernels have.

    Raises FormatError with line, column and the line for anything that isn't a format file, and
    InvalidName for a category or a name that no tracepoint can have. Takes time linear in the text.
    """
    if len(text) > MAX_FILE:
        raise _format_error(text[:MAX_LINE], 0, f"a file of at most {MAX_FILE} characters")
    text = _as_written(text)
    if name is not None and not text.strip():
        return EventFormat(TracepointId(category, name))
    parts = _parse_file(text)
    common = _parse_block(text, *parts["common"], common=True)
    fields = _parse_block(text, *parts["fields"], common=False)
    if not fields:
        common, fields = _split_by_name(common)
    return EventFormat(
        id=TracepointId(category, parts["name"].strip()),
        number=int(parts["number"]),
        common_fields=common,
        fields=fields,
        print_fmt=str(parts["print_fmt"]).strip(_BLANKS) if "print_fmt" in parts else "",
    )


def parse_event(text: str, event: TracepointId) -> EventFormat:
    """Read the format file of a known event. Raises FormatError, which then tells the event too."""
    try:
        return parse_format(text, event.category, event.name)
    except FormatError as error:
        raise error.located(str(event)) from None


@dataclasses.dataclass(frozen=True, slots=True)
class PrintFmtPlace:
    """A print fmt within its file: ``text`` as ``EventFormat.print_fmt`` has it, ``start`` its offset in ``file``."""

    file: str
    start: int
    text: str

    def in_file(self, error: FormatError) -> FormatError:
        """An error with line and column in the print fmt → the same error, placed in the file."""
        start = self.start
        for _ in range(error.line - 1):
            start = self.file.index("\n", start) + 1
        return _format_error(self.file, start + error.column - 1, error.expected)


_BLANKS = " \t\n"
_PRINT_FMT = re.compile(rf"^[ \t]*print fmt:[{_BLANKS}]*", re.MULTILINE)


def locate_print_fmt(text: str) -> PrintFmtPlace | None:
    """Where a format file has its print fmt, even if its fields are broken; None if it has none."""
    text = _as_written(text)
    found = _PRINT_FMT.search(text)
    return PrintFmtPlace(text, found.end(), text[found.end() :].rstrip(_BLANKS)) if found else None


def _parse_block(text: str, start: int, block: str, *, common: bool) -> tuple[Field, ...]:
    """The fields of a block of lines that begins at ``start`` of the whole text."""
    try:
        return _read_block(block, common)
    except FormatError as error:
        above = text.count("\n", 0, start)
        raise FormatError(error.expected, line=above + error.line, column=error.column, text=error.text) from None


@lru_cache(maxsize=1 << 10)
def _read_block(block: str, common: bool) -> tuple[Field, ...]:
    fields = []
    for number, line in enumerate(block.split("\n"), start=1):  # str.splitlines() knows more line ends
        if not line.strip(" \t"):
            continue
        try:
            fields.append(_parse_line(line))
        except FormatError as error:
            raise FormatError(error.expected, line=number, column=error.column, text=error.text) from None
    return tuple(_mark(fields, common))


def _split_by_name(common: tuple[Field, ...]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Common fields and others, for a copy that lost the empty line between them."""
    others = tuple(dataclasses.replace(each, common=False) for each in common if not each.name.startswith("common_"))
    return tuple(each for each in common if each.name.startswith("common_")), others


def _mark(fields: Iterable[Field], common: bool) -> Iterable[Field]:
    """The same fields, told apart: common or not, a name seen before, bytes shared with an earlier one."""
    names: set[str] = set()
    reach = 0
    for each in fields:
        overlaps = each.size > 0 and each.offset < reach
        if common or overlaps or each.name in names:
            yield dataclasses.replace(each, common=common, overlaps=overlaps, duplicate=each.name in names)
        else:
            yield each
        names.add(each.name)
        reach = max(reach, each.end)
