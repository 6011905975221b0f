"""The grammar of print fmts: text to tree, both encodings, errors, and limits."""

import inspect
import sys
import time
from pathlib import Path

import pytest

from tpkit.errors import FormatError
from tpkit.model import EventFormat, TracepointId
from tpkit.print_fmt import parse_print_fmt, render
from tpkit.print_fmt.source import to_c
from tpkit.print_fmt.tree import (
    Binary,
    Call,
    Cast,
    Compound,
    Conditional,
    Decode,
    Entry,
    Expr,
    FieldRef,
    Index,
    Member,
    Name,
    Number,
    Opaque,
    SizeOf,
    Statements,
    Text,
    TypeName,
    Unary,
)

SHAPES = Path(__file__).parents[1] / "fixtures" / "print_fmt" / "shapes.txt"
A, B, C = FieldRef("a"), FieldRef("b"), FieldRef("c")


def shapes() -> list[str]:
    return [each.strip("\n") for each in SHAPES.read_text().split("%%\n")[1:]]


def only(source: str) -> Expr:
    """The tree of one argument."""
    (argument,) = parse_print_fmt(f'"%d", {source}').arguments
    return argument


@pytest.mark.parametrize("shape", shapes())
def test_every_surveyed_shape_parses(shape: str) -> None:
    assert parse_print_fmt(shape).template


class TestTemplate:
    def test_empty_text_gives_an_empty_template(self) -> None:
        assert parse_print_fmt("").template == ""
        assert parse_print_fmt("(null)").template == ""

    def test_resolved_text_keeps_newlines_tabs_and_inner_quotes(self) -> None:
        found = parse_print_fmt('"a\tb\n%s, err="%s"", REC->a, REC->b')
        assert found.template == 'a\tb\n%s, err="%s"'
        assert found.arguments == (A, B)

    def test_an_inner_quote_before_a_comma_is_told_by_the_number_of_arguments(self) -> None:
        found = parse_print_fmt('"a="%s", b=%d", REC->a, REC->b')
        assert found.template == 'a="%s", b=%d'
        assert found.arguments == (A, B)

    def test_source_text_has_escapes_and_adjacent_literals(self) -> None:
        found = parse_print_fmt(r'"\t=> (" "%016lx" ")\n", REC->a')
        assert found.template == "\t=> (%016lx)\n"

    def test_escaped_quotes_of_system_calls(self) -> None:
        found = parse_print_fmt(r'"path: 0x%08lx \"%s\"", REC->a, __get_str(b)')
        assert found.template == 'path: 0x%08lx "%s"'

    def test_a_comma_without_arguments(self) -> None:
        assert parse_print_fmt('" ", ').arguments == ()

    def test_commas_and_quotes_in_arguments_stay_there(self) -> None:
        found = parse_print_fmt('"%s%s", REC->a ? "x\\",y" : "", "z"')
        assert found.arguments == (Conditional(A, Text('x",y'), Text("")), Text("z"))


class TestExpressions:
    @pytest.mark.parametrize(
        ("source", "tree"),
        [
            ("REC->a", A),
            ("(REC)->a", A),
            ("(( REC -> a ))", A),
            ("REC->a.b", Member(A, "b")),
            ("REC->a->b[1]", Index(Member(A, "b", arrow=True), Number(1))),
            ("&REC->a", Unary("&", A)),
            ("*REC->a", Unary("*", A)),
            ("&REC->a[0]", Unary("&", Index(A, Number(0)))),
            ("-1UL", Unary("-", Number(1, "ul"))),
            ("0x10ULL", Number(16, "ull", based=True)),
            ("010", Number(8, based=True)),
            ("0b11", Number(3, based=True)),
            ("'a'", Number(97)),
            (r"'\n'", Number(10)),
            (r"'\0'", Number(0)),
            ('"a" "b\\n"', Text("ab\n")),
            ("REC->a + REC->b * REC->c", Binary("+", A, Binary("*", B, C))),
            ("REC->a - REC->b - REC->c", Binary("-", Binary("-", A, B), C)),
            ("REC->a & 1 == 0", Binary("&", A, Binary("==", Number(1), Number(0)))),
            ("REC->a << 1 | REC->b", Binary("|", Binary("<<", A, Number(1)), B)),
            ("REC->a || REC->b && REC->c", Binary("||", A, Binary("&&", B, C))),
            ("REC->a ? 1 : REC->b ? 2 : 3", Conditional(A, Number(1), Conditional(B, Number(2), Number(3)))),
            ("REC->a ?: 1", Conditional(A, None, Number(1))),
            ("!REC->a", Unary("!", A)),
            ("(unsigned long)REC->a", Cast(TypeName("unsigned long"), A)),
            ("(struct page *)REC->a", Cast(TypeName("struct page", 1), A)),
            ("(const char *)REC->a", Cast(TypeName("char", 1), A)),
            ("(u32)-1", Cast(TypeName("u32"), Unary("-", Number(1)))),
            ("(loff_t)(REC->a)", Cast(TypeName("loff_t"), A)),
            ("(foo *)REC->a", Cast(TypeName("foo", 1), A)),
            ("(foo)REC->a", Cast(TypeName("foo"), A)),
            ("(foo_t) & REC->a", Cast(TypeName("foo_t"), Unary("&", A))),
            ("(foo_t) | REC->a", Binary("|", Name("foo_t"), A)),
            ("sizeof(foo_t)", SizeOf(TypeName("foo_t"))),
            ("(FOO) & REC->a", Binary("&", Name("FOO"), A)),
            ("(FOO) - 1", Binary("-", Name("FOO"), Number(1))),
            ("(typeof(REC->b))REC->a", Cast(TypeName("", of=B), A)),
            ("sizeof(u64)", SizeOf(TypeName("u64"))),
            ("sizeof(REC->a)", SizeOf(A)),
            ("sizeof REC->a", SizeOf(A)),
            ("foo(REC->a, 1)", Call("foo", (A, Number(1)))),
            ("foo()", Call("foo", ())),
            (
                "((ktime_t) { .tv64 = REC->a }).tv64",
                Member(Compound(TypeName("ktime_t"), (("tv64", A),)), "tv64"),
            ),
        ],
    )
    def test_tree(self, source: str, tree: Expr) -> None:
        assert only(source) == tree

    def test_a_statement_expression_of_declarations_is_followed(self) -> None:
        node = only("({ int x = REC->a, y = 2; x < y ? x : y; })")
        assert isinstance(node, Statements)
        assert [each.name for each in node.locals] == ["x", "y"]

    def test_other_statement_expressions_are_kept_as_they_stand(self) -> None:
        source = '({ char *s; switch (REC->a) { default: s = ""; } s; })'
        assert only(source) == Opaque(source)


class TestTables:
    def test_flags(self) -> None:
        node = only('__print_flags(REC->a, "|", { 0x1, "X" }, { (1UL << 3), "Y" "Z" })')
        assert node == Decode(
            A,
            "|",
            (
                Entry(Number(1, based=True), "X"),
                Entry(Binary("<<", Number(1, "ul"), Number(3)), "YZ"),
            ),
        )

    def test_symbols_with_names_and_trailing_commas(self) -> None:
        assert only('__print_symbolic(REC->a, { (foo_t), "x" })') == Decode(A, None, (Entry(Name("foo_t"), "x"),))
        node = only('__print_symbolic(REC->a, { nvme_cmd_flush, "flush", }, { -1, "none" }, )')
        entries = (Entry(Name("nvme_cmd_flush"), "flush"), Entry(Unary("-", Number(1)), "none"))
        assert node == Decode(A, None, entries)

    def test_members_named_in_an_entry(self) -> None:
        node = only('__print_symbolic(REC->a, { .mask = 1, .name = "one" })')
        assert node == Decode(A, None, (Entry(Number(1), "one"),))

    def test_an_empty_entry_and_an_end_mark_add_nothing(self) -> None:
        assert only("__print_symbolic(REC->a, { }, { -1, NULL })") == Decode(A, None, ())

    def test_the_forms_of_64_bits(self) -> None:
        node = only('__print_flags_u64(REC->a, "", { 1, "X" })')
        assert isinstance(node, Decode)
        assert node.wide

    def test_a_table_elsewhere_leaves_a_call(self) -> None:
        assert only("__print_symbolic(REC->a, names)") == Call("__print_symbolic", (A, Name("names")))


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "line", "column", "expected"),
        [
            ("%d, REC->a", 1, 1, "a format string in double quotes, then ',' or the end"),
            ('"%d', 1, 1, "a format string in double quotes, then ',' or the end"),
            ('"%d", REC->a +', 1, 15, "an expression"),
            ('"%d", REC->a REC->b', 1, 14, "an operator, ',' or the end"),
            ('"%d", (REC->a', 1, 14, "')'"),
            ('"%d", REC->a)', 1, 13, "no ')'"),
            ('"%d", foo(REC->a]', 1, 17, "')'"),
            ('"%d", REC->a ? 1', 1, 17, "':'"),
            ('"%d", REC->', 1, 12, "a name"),
            ('"%d", REC->a @ 2', 1, 14, "a name, number, string or sign of C"),
            ('"%d\n%d", REC->a,\n  ]', 3, 3, "no ']'"),
            ('"%d", 12ab', 1, 7, "a name, number, string or sign of C"),
        ],
    )
    def test_place_and_expectation(self, text: str, line: int, column: int, expected: str) -> None:
        with pytest.raises(FormatError) as caught:
            parse_print_fmt(text)
        assert (caught.value.line, caught.value.column, caught.value.expected) == (line, column, expected)
        assert caught.value.text == text.split("\n")[line - 1]


class TestLimits:
    @pytest.mark.parametrize(
        "argument",
        [
            "(" * 5000 + "REC->a" + ")" * 5000,
            "!" * 5000 + "REC->a",
            "REC->a ? 1 : " * 5000 + "0",
            "REC->a + " * 5000 + "1",
            "REC->a" + "[0]" * 5000,
            "REC->a" + ".b" * 5000,
            "f(" * 5000 + ")" * 5000,
            "({ " * 5000 + "1; })" * 5000,
            "(int)" * 5000 + "1",
            "sizeof " * 5000 + "1",
            "__print_symbolic(" * 5000 + "1" + ", x)" * 5000,
            "__print_symbolic(1, " + "{" * 5000 + "}" * 5000 + ")",
        ],
    )
    def test_endless_nesting_is_refused(self, argument: str) -> None:
        before = time.process_time()
        try:
            parse_print_fmt(f'"%d", {argument}')
        except FormatError as error:
            assert "most" in error.expected  # noqa: PT017 - some are kept as text instead
        assert time.process_time() - before < 5

    def test_what_is_just_within_the_limits_needs_little_of_python_s_stack(self) -> None:
        nested = "1||1&&1|1^1&1==1<1<<1+1*(" * 60 + "REC->a" + ")" * 60
        chained = "REC->a + " * 100 + "unknown"
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack(0)) + 600)
        try:
            with pytest.raises(FormatError, match="in a row"):
                parse_print_fmt(f'"%d", {nested}')
            made = EventFormat(TracepointId("test", "test"), print_fmt=f'"%d", {chained}')
            assert render(made, b"").startswith("<")
        finally:
            sys.setrecursionlimit(limit)

    @pytest.mark.parametrize(
        "unit",
        [
            '__print_symbolic(REC->a, { 1, "x" }, { X, "y" }), ',
            "((unsigned int)(REC->a & 0xff)) >> 3, ",
            '"x" "y", ',
            '({ switch (REC->a) { default: ; } "x"; }), ',
        ],
    )
    def test_work_is_linear(self, unit: str) -> None:
        """Ten times the text takes ten times the calls: counted, for clocks depend on what else is running."""
        calls(f'"%d", {unit * 10}')  # what is made once
        assert calls(f'"%d", {unit * 2000}') < 12 * calls(f'"%d", {unit * 200}')

    def test_a_text_beyond_the_limit_is_refused(self) -> None:
        with pytest.raises(FormatError, match="at most"):
            parse_print_fmt('"' + "x" * (1 << 20) + '"')


def calls(text: str) -> int:
    """How many functions, C's included, a parse calls."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        parse_print_fmt(text)
    finally:
        sys.setprofile(None)
    return count


def test_numbers_that_no_compiler_takes() -> None:
    with pytest.raises(FormatError):
        parse_print_fmt('"%d", ' + "1" * 5000)


@pytest.mark.parametrize("argument", ["REC->x", "(unsigned long)REC->x"])
def test_chains_of_ternaries_as_ilog2_makes_them(argument: str) -> None:
    """include/linux/log2.h of older kernels: one link for each bit."""
    links = " ".join(f"({argument}) & (1ULL << {bit}) ? {bit} :" for bit in range(63, 1, -1))
    text = f"( __builtin_constant_p({argument}) ? ( ({argument}) < 2 ? 0 : {links} 1 ) : __ilog2_u64({argument}) )"
    (tree,) = parse_print_fmt(f'"%d", {text}').arguments
    assert to_c(tree).count("?") == 64
