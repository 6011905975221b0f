"""The grammar of format files: every shape of the survey, and every way to be none."""

from __future__ import annotations

import pytest

from tests.conftest import ReadFixture
from tpkit import EventFormat, Field, FormatError, InvalidName, Tracefs, TracepointId, parse_event, parse_format
from tpkit.model import Location

HEAD = "name: thing\nID: 7\nformat:\n"
COMMON = "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"


def line(declaration: str, offset: int = 8, size: int = 4, signed: str = "\tsigned:0;") -> str:
    return f"\tfield:{declaration};\toffset:{offset};\tsize:{size};{signed}\n"


def parse(*lines: str, print_fmt: str = 'print fmt: "%d", REC->x\n') -> EventFormat:
    return parse_format(HEAD + COMMON + "\n" + "".join(lines) + "\n" + print_fmt, "cat")


def one(declaration: str, size: int = 4) -> Field:
    return parse(line(declaration, size=size)).fields[0]


def test_every_fixture_parses(tree: Tracefs) -> None:
    for event in tree.event_ids():
        parsed = parse_format(tree.format_text(event), event.category)
        assert parsed.id == event
        assert parsed.common_fields
        assert parsed.print_fmt.startswith('"')


def test_unlinkat(read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat")
    assert [f.name for f in event.fields] == ["__syscall_nr", "dfd", "pathname", "flag"]
    path = event.field("pathname")
    assert (path.type.base, path.type.pointers, path.type.qualifiers) == ("char", 1, ("const",))
    assert (path.offset, path.size, path.signed, path.common) == (24, 8, False, False)
    assert event.field("common_pid").common


@pytest.mark.parametrize(
    ("declaration", "name", "base", "pointers", "dimensions"),
    [
        ("int dfd", "dfd", "int", 0, []),
        ("const char *const * argv", "argv", "char", 2, []),
        ("struct iocb * * iocbpp", "iocbpp", "struct iocb", 2, []),
        ("struct page* page", "page", "struct page", 1, []),
        ("unsigned long long x", "x", "unsigned long long", 0, []),
        ("struct cper_mem_err_compact data", "data", "struct cper_mem_err_compact", 0, []),
        ("uuid_le fru_id", "fru_id", "uuid_le", 0, []),
        ("enum netfs_failure what", "what", "enum netfs_failure", 0, []),
        ("char comm[16]", "comm", "char", 0, [("16", 16)]),
        ("char prev_comm[TASK_COMM_LEN]", "prev_comm", "char", 0, [("TASK_COMM_LEN", None)]),
        ("__u8 buf[32 + 2]", "buf", "__u8", 0, [("32 + 2", None)]),
        ("__u8 saddr[sizeof(struct sockaddr_in6)]", "saddr", "__u8", 0, [("sizeof(struct sockaddr_in6)", None)]),
        (
            "u8 ht_capa[(int)sizeof(struct ieee80211_ht_cap)]",
            "ht_capa",
            "u8",
            0,
            [("(int)sizeof(struct ieee80211_ht_cap)", None)],
        ),
        (
            "char span[((((32)-1) | ((__typeof__(32))((4)-1)))+1)/4 > 128 ? 128 : 4]",
            "span",
            "char",
            0,
            [("((((32)-1) | ((__typeof__(32))((4)-1)))+1)/4 > 128 ? 128 : 4", None)],
        ),
        ("int m[2][0x10]", "m", "int", 0, [("2", 2), ("0x10", 16)]),
        ("u32 buf[]", "buf", "u32", 0, [("", None)]),
        ("void __seg_gs * base", "base", "void", 1, []),
        ("unsigned from", "from", "unsigned", 0, []),
    ],
)
def test_declarations(
    declaration: str, name: str, base: str, pointers: int, dimensions: list[tuple[str, int | None]]
) -> None:
    field = one(declaration)
    assert (field.name, field.type.base, field.type.pointers) == (name, base, pointers)
    assert [d.text for d in field.type.dimensions] == [text for text, _ in dimensions]
    assert all(d.value == value for d, (_, value) in zip(field.type.dimensions, dimensions, strict=True) if value)


@pytest.mark.parametrize(
    ("declaration", "location", "base"),
    [
        ("__data_loc char[] name", Location.DATA_LOC, "char"),
        ("__data_loc struct nvmap_handle *[] ids", Location.DATA_LOC, "struct nvmap_handle"),
        ("__data_loc cpumask_t cpumask", Location.DATA_LOC, "cpumask_t"),
        ("__data_loc unsigned long[] mask", Location.DATA_LOC, "unsigned long"),
        ("__rel_loc char foo[]", Location.REL_LOC, "char"),
        ("__data_loc name", Location.DATA_LOC, ""),
    ],
)
def test_dynamic_fields(declaration: str, location: Location, base: str) -> None:
    field = one(declaration)
    assert (field.type.location, field.type.base) == (location, base)


@pytest.mark.parametrize(
    ("declaration", "size", "count"),
    [
        ("char prev_comm[TASK_COMM_LEN]", 16, 16),
        ("__u8 buf[32 + 2]", 34, 34),
        ("unsigned long args[NR]", 48, 6),
        ("struct page * pages[N]", 32, 4),
        ("int m[2][N]", 24, 3),
        ("int odd[N]", 7, None),
        ("struct thing things[N]", 32, None),
        ("u32 buf[]", 0, None),
    ],
)
def test_array_sizes_that_follow_from_the_fields(declaration: str, size: int, count: int | None) -> None:
    assert one(declaration, size=size).type.dimensions[-1].value == count


def test_attributes_and_functions() -> None:
    tagged = one('const char __attribute__((btf_type_tag("user"))) * filename', size=8)
    assert (tagged.name, tagged.type.base, tagged.type.pointers) == ("filename", "char", 1)
    assert tagged.type.attributes == ('__attribute__((btf_type_tag("user")))',)
    function = one("void (*func)(struct work_struct *)", size=8)
    assert (function.name, function.type.base, function.type.function) == ("func", "void", True)
    assert function.written == "void (*func)(struct work_struct *)"


def test_old_kernels_omit_signed() -> None:
    assert parse(line("int x", signed="")).fields[0].signed is None


def test_overlaps_and_duplicates_are_kept_and_marked() -> None:
    event = parse(line("int a", offset=8), line("short b", offset=10, size=2), line("int a", offset=12))
    assert [(f.name, f.overlaps, f.duplicate) for f in event.fields] == [
        ("a", False, False),
        ("b", True, False),
        ("a", False, True),
    ]


def test_no_fields_and_empty_files() -> None:
    assert parse_format(HEAD + COMMON + '\nprint fmt: ""\n', "cat").fields == ()
    assert parse_format(HEAD + COMMON + "\n", "cat").print_fmt == ""
    assert parse_format("", "cat", "thing") == EventFormat(parse().id)


def test_print_fmt_stays_as_it_is() -> None:
    text = 'print fmt: "%s, err="%s"\n\t", REC->dw_name,\n __get_str(err)\n'
    assert parse(line("int x"), print_fmt=text).print_fmt == '"%s, err="%s"\n\t", REC->dw_name,\n __get_str(err)'


BROKEN = {
    "hostile declaration": (HEAD + COMMON + "\n" + line("int x; }; int evil(void) {"), 6, 13),
    "no declaration": (HEAD + COMMON + "\n\tfield:;\toffset:8;\tsize:4;\n", 6, 8),
    "two names": (HEAD + COMMON + "\n" + line("int x, y"), 6, 13),
    "no type": (HEAD + COMMON + "\n" + line("x"), 6, 8),
    "no name": (HEAD + COMMON + "\n" + line("char *"), 6, 14),
    "name from a digit": (HEAD + COMMON + "\n" + line("int 1x"), 6, 12),
    "bracket left open": (HEAD + COMMON + "\n" + line("int x[(2]"), 6, 11),
    "offset of 2^40": (HEAD + COMMON + "\n\tfield:int x;\toffset:1099511627776;\tsize:4;\n", 6, 22),
    "negative offset": (HEAD + COMMON + "\n\tfield:int x;\toffset:-8;\tsize:4;\n", 6, 22),
    "huge size": (HEAD + COMMON + "\n\tfield:int x;\toffset:8;\tsize:99999999;\n", 6, 30),
    "sign of 2": (HEAD + COMMON + "\n\tfield:int x;\toffset:8;\tsize:4;\tsigned:2;\n", 6, 31),
    "cut in a line": (HEAD + COMMON + "\n\tfield:int x;\toff", 6, 1),
    "cut in the header": ("name: thing\nID", 2, 1),
    "no number": ("name: thing\nID: x\nformat:\n", 2, 4),
    "bad name": ("name: a b\nID: 1\nformat:\n", 1, 6),
    "text behind the fields": (HEAD + COMMON + "\nhello\n", 6, 1),
    "empty without a name": ("", 1, 1),
    "another kind of file": ("#!/bin/sh\n", 1, 1),
    "line of a megabyte": (HEAD + "\tfield:int " + "x" * (1 << 20), 1, 1),
    "field line of 5000": (HEAD + COMMON + "\n" + line("int " + "x" * 5000), 6, 4097),
    "name of 300": (HEAD + COMMON + "\n" + line("int " + "x" * 300), 6, 12),
    "attribute as a name": (HEAD + COMMON + "\n" + line("__attribute__((packed))"), 6, 31),
}


@pytest.mark.parametrize(("text", "at_line", "column"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_say_where(text: str, at_line: int, column: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_format(text, "cat")
    error = caught.value
    assert (error.line, error.column) == (at_line, column)
    assert error.expected
    assert len(error.text) <= 4096 + 1024 or error.text == ""
    assert "^" in (error.details or "")


@pytest.mark.parametrize("category", ["", "../etc", "a/b", "a b", "a\0b", "-x", "a\n"])
def test_a_category_is_a_name(category: str) -> None:
    with pytest.raises(InvalidName):
        parse_format(HEAD + COMMON + "\n", category)


@pytest.mark.parametrize(
    "declaration",
    ["int " + "[" * 2000, "int x" + "[" * 1000 + "]" * 1000, "int " + "a[" * 1500, "(" * 3000 + "x", "*" * 4000 + "x"],
)
def test_nesting_is_no_way_to_hang(declaration: str) -> None:
    with pytest.raises(FormatError):
        parse(line(declaration))


def test_errors_tell_the_event() -> None:
    with pytest.raises(FormatError, match="cat:thing: line 1, column 1: expected 'name:'"):
        parse_event("nonsense", TracepointId("cat", "thing"))


@pytest.mark.parametrize(
    ("declaration", "name", "base", "text"),
    [
        # synthetic events, when they were defined with a ';' behind a name with brackets
        ("__data_loc char[]; str", "str", "char", "__data_loc char[]"),
        ("char comm[16];", "comm", "char", "char[16]"),
        # probes: an array of strings
        ("__data_loc char[][3] arg1", "arg1", "char", "__data_loc char[][3]"),
        # Linux 2.6.32
        ("unsigned long graph_ent.func", "func", "unsigned long", "unsigned long"),
        ("resource_size_t rw.a.phys", "phys", "resource_size_t", "resource_size_t"),
        # __field_struct() and __array() take any type
        ("struct { u32 a; u32 b[2]; } x", "x", "struct { u32 a; u32 b[2]; }", "struct { u32 a; u32 b[2]; }"),
        ("union { u32 a; struct { u16 b; } c; } x", "x", "union { u32 a; struct { u16 b; } c; }", ""),
        ("typeof(((struct a *)0)->b[0]) x", "x", "typeof(((struct a *)0)->b[0])", ""),
        ("__typeof_unqual__(int) x", "x", "__typeof_unqual__(int)", ""),
        ("u8 __aligned(4) x[6]", "x", "u8", "u8 __aligned(4)[6]"),
        ("_Atomic(int) x", "x", "_Atomic(int)", ""),
        ("const struct a __user *const x", "x", "struct a", ""),
        ("void (*)(void) x", "x", "void", "void (*)(void)"),
    ],
)
def test_declarations_of_other_kernels(declaration: str, name: str, base: str, text: str) -> None:
    field = one(declaration)
    assert (field.name, field.type.base) == (name, base)
    assert field.type.text == (text or field.type.text)


def test_a_copy_without_empty_lines_keeps_its_fields_apart() -> None:
    event = parse_format(HEAD + COMMON + line("int a") + 'print fmt: ""\n', "cat")
    assert [(f.name, f.common) for f in event.common_fields + event.fields] == [("common_type", True), ("a", False)]
    assert [
        f.name for f in parse_format(HEAD + COMMON + "\n\n" + line("int a") + "\n" + line("int b"), "cat").fields
    ] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    "declaration",
    [
        "int { x",
        "struct { int x",
        'struct { "; } x',
        "struct { { { int a; } } } x",
        "int a.1b",
        "int .x",
        "int a[1]; b; c",
    ],
)
def test_what_only_resembles_them(declaration: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(line(declaration))
    assert caught.value.line == 6
