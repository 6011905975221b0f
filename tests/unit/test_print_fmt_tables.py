"""Tables, fields shown and what can't be evaluated, from the print fmt alone."""

import pytest

from tests.conftest import ReadFixture
from tests.unit.test_print_fmt_render import event
from tpkit.print_fmt import Machine, decodings, parse_print_fmt, shown_fields, symbol_tables, unevaluable
from tpkit.print_fmt.source import to_c

FIELDS = "int a:8:4:1,int b:12:4:1,char * p:16:8:0,__data_loc char[] d:24:4:1"


def test_a_table_of_flags() -> None:
    (found,) = decodings(event('"%s", __print_flags(REC->a, "|", { 1, "A" }, { B, "B" }, { 4, "C" })', FIELDS))
    assert (found.field, found.delimiter, found.is_flags, found.exact) == ("a", "|", True, True)
    assert found.entries == ((1, "1", "A"), (None, "B", "B"), (4, "4", "C"))
    assert found.symbols == {1: "A", 4: "C"}


def test_names_become_numbers_where_someone_knows_them() -> None:
    made = event('"%s", __print_symbolic(REC->a, { 1 << B, "b" })', FIELDS)
    assert decodings(made, Machine(names={"B": 4}.get))[0].symbols == {16: "b"}


@pytest.mark.parametrize(
    ("source", "shift", "mask", "exact"),
    [
        ("REC->a", 0, None, True),
        ("(unsigned long)(REC->a)", 0, None, True),
        ("REC->a & 0xff", 0, 0xFF, True),
        ("0xff & REC->a", 0, 0xFF, True),
        ("(REC->a >> 8) & 0xf", 8, 0xF, True),
        ("(REC->a & 0xf0) >> 4", 4, 0xF, True),
        ("REC->a & ~(1 | 2)", 0, ~3, True),
        ("REC->a & UNKNOWN", 0, None, False),
        ("REC->a - 1", 0, None, False),
    ],
)
def test_the_way_from_the_field_to_the_number(source: str, shift: int, mask: int | None, exact: bool) -> None:
    (found,) = decodings(event(f'"%s", __print_symbolic({source}, {{ 1, "x" }})', FIELDS))
    assert (found.field, found.shift, found.mask, found.exact) == ("a", shift, mask, exact)


def test_a_table_over_two_fields_or_none_belongs_to_no_field() -> None:
    fmt = '"%s%s", __print_symbolic(REC->a + REC->b, { 1, "x" }), __print_symbolic(0, { 0, "y" })'
    assert decodings(event(fmt, FIELDS)) == ()


def test_tables_within_other_expressions_are_found_once() -> None:
    table = '__print_flags(REC->a, "|", { 1, "A" })'
    fmt = f'"%s%s", REC->b ? {table} : "none", {table}'
    assert [each.field for each in decodings(event(fmt, FIELDS))] == ["a"]


def test_the_letters_of_sched_switch() -> None:
    fmt = (
        '"%s%s", (REC->a & ((((0x00 | 0x01 | 0x02) + 1) << 1) - 1)) ? __print_flags(REC->a & '
        '((((0x00 | 0x01 | 0x02) + 1) << 1) - 1), "|", { 0x01, "S" }, { 0x02, "D" }) : "R", ""'
    )
    (found,) = decodings(event(fmt, FIELDS))
    assert (found.symbols, found.mask) == ({1: "S", 2: "D"}, 7)


def test_fields_in_the_order_of_their_use() -> None:
    fmt = '"%s %d %d %s", __get_str(d), REC->b, REC->b + REC->a, __print_hex(REC->p, 2)'
    assert shown_fields(event(fmt, FIELDS)) == ("d", "b", "a", "p")


@pytest.mark.parametrize(
    ("fmt", "expected"),
    [
        ('"%d", REC->a', []),
        ('"%s", __get_str(d)', []),
        ('"%pS", (void *)REC->p', []),
        ('"%d", REC->ent.pid', []),
        ('"%d", ({ int x = REC->a; x; })', []),
        ('"%d", decode(REC->a)', [("decode(REC->a)", "a function of the kernel")]),
        ('"%d", REC->x', [("REC->x", "no such field")]),
        ('"%s", __get_str(x)', [("__get_str(x)", "no such field")]),
        ('"%d", UNKNOWN + 1', [("UNKNOWN", "a name without a number")]),
        ('"%s", REC->p', [("REC->p", "memory of the kernel")]),
        ('"%pM", REC->p', [("REC->p", "memory of the kernel")]),
        ('"%p", REC->p', [("REC->p", "the kernel shows a hash of this pointer")]),
        ('"%pd", REC->p', [("REC->p", "the name is in the kernel's dentries")]),
        ('"%d", ({ for (;;) ; 1; })', [("({ for (;;) ; 1; })", "C statements")]),
    ],
)
def test_what_can_t_be_evaluated_and_why(fmt: str, expected: list[tuple[str, str]]) -> None:
    assert [(each.source, each.reason) for each in unevaluable(event(fmt, FIELDS))] == expected


def test_c_text_keeps_the_brackets_that_matter() -> None:
    (argument,) = parse_print_fmt('"%d", REC->a & ((((0 | 1) + 1) << 1) - 1)').arguments
    assert to_c(argument) == "REC->a & ((((0 | 1) + 1) << 1) - 1)"


def test_symbols_and_render_on_the_event(read_fixture: ReadFixture) -> None:
    event = read_fixture("sched:sched_switch")
    table = event.symbols("prev_state")
    assert table is not None
    assert (table.delimiter, table.symbols[:2]) == ("|", ((1, "S"), (2, "D")))
    assert event.symbols("prev_pid") is None
    assert event.render(bytes(64)).startswith("prev_comm= prev_pid=0 prev_prio=0 prev_state=R ==> ")


def test_a_field_with_two_tables_has_none(read_fixture: ReadFixture) -> None:
    assert "exit_reason" not in symbol_tables(read_fixture("kvm:kvm_exit"))
