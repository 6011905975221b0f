"""Filters: their grammar, what they mean, what is wrong with them, and what becomes of them in C.

The programs run natively (``native.py``): each filter is asked about events that these tests make up, and
Python, which has no types to get wrong, says what the answer has to be.
"""

from __future__ import annotations

import ctypes
import operator
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES, ReadFixture, Run
from tests.unit.native import NativeProgram, compile_native
from tpkit import EventFormat, FilterError, ProbeSpec, UsageError, generate_bcc, parse_filter, parse_format

UNLINKAT = "syscalls:sys_enter_unlinkat"
UNLINKAT_EXIT = "syscalls:sys_exit_unlinkat"

# Without shrinking, which would compile hundreds of programs.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

NUMBERS = {"a": "b", "A": "B", "c": "h", "C": "H", "d": "i", "D": "I", "e": "q", "E": "Q"}  # as struct has them
WIDTHS = {"b": 8, "h": 16, "i": 32, "q": 64}
OPEN_FLAGS = '{ 0x40, "O_CREAT" }, { 0x80, "O_EXCL" }, { 0x200, "O_TRUNC" }, { 1 << 31, "O_LAST" }'
KINDS = '{ 0, "NONE" }, { 1, "FILE" }, { 2, "FOLDER" }'


def made_up(name: str = "thing", print_fmt: str = '""') -> EventFormat:
    """An event with a number of every size and sign, and a string of up to 600 bytes."""
    lines, offset = [], 8
    for label, code in sorted(NUMBERS.items(), key=lambda item: -WIDTHS[item[1].lower()]):
        size = WIDTHS[code.lower()] // 8
        ctype = f"{'u' if code.isupper() else 's'}{size * 8}"
        lines.append(f"\tfield:{ctype} {label};\toffset:{offset};\tsize:{size};\tsigned:{int(code.islower())};")
        offset += size
    lines.append(f"\tfield:char text[600];\toffset:{offset};\tsize:600;\tsigned:0;")
    text = f"name: {name}\nID: 1\nformat:\n\n" + "\n".join(lines) + f"\n\nprint fmt: {print_fmt}\n"
    return parse_format(text, "made")


def context(values: Mapping[str, int], text: bytes = b"") -> bytes:
    """An event of ``made_up``."""
    numbers = sorted(NUMBERS.items(), key=lambda item: -WIDTHS[item[1].lower()])
    packed = b"".join(struct.pack(f"={code}", values.get(label, 0)) for label, code in numbers)
    return bytes(8) + packed + text.ljust(600, b"\0")


def compiled(folder: Path, filters: Sequence[str], print_fmt: str = '""', *, strict: bool = True) -> NativeProgram:
    """A program of made-up events ``e0``, ``e1``, …, one for each filter."""
    events = tuple(made_up(f"e{number}", print_fmt) for number in range(len(filters)))
    wanted = tuple(parse_filter(f"e{number}: {text}") for number, text in enumerate(filters))
    return compile_native(generate_bcc(ProbeSpec(events, filters=wanted)), folder, strict=strict)


# --------------------------------------------------------------------------------- precedence


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("d & 1 == 1", "(d & 1) == 1"),
        ("1 == d & 1", "d & 1 == 1"),
        ("d == 1 | 2", "d == 3"),
        ("d == 4 | 2 & 3", "d == 6"),
        ("d & 0x10 & 0x30", "d & 0x10"),
        ("0x10 & d", "(d & 16) != 0"),
        ("d", "d != 0"),
        ("!d & 4", "!(d & 4)"),
        ("!d == 1", "!(d == 1)"),
        ("!!d == 1", "d == 1"),
        ("a == 1 || d == 2 && e == 3", "a == 1 || (d == 2 && e == 3)"),
        ("a == 1 && (d == 2 && e == 3)", "a == 1 && d == 2 && e == 3"),
        ("!a == 1 && d == 2", "(!(a == 1)) && d == 2"),
        ("5 > d", "d < 5"),
        ("--5 == d", "d == 5"),
        ("d == 0644", "d == 420"),
        ("d == 0x1aF", "d == 431"),
        ("d\t==\n1", "d==1"),
        ('"x" == text', 'text == "x"'),
        ('text != "x"', '!text == "x"'),
        ('text !~ "x*"', '!(text ~ "x*")'),
        ('text ~ "x***"', 'text ~ "x*"'),
        (r'text ~ "\*\?\["', r'text == "*?["'),
        (r'text == "\x41\101\t\"\\"', 'text == "AA\t\\"\\\\"'),
        ('pid == 1 && comm == "x"', '(pid == 1) && (comm == "x")'),
    ],
)
def test_what_binds_tighter(text: str, same: str) -> None:
    sources = [generate_bcc(ProbeSpec((made_up(),), filters=(parse_filter(each),))).source for each in (text, same)]
    assert sources[0] == sources[1]


# ------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("text", "marked", "what", "remedy"),
    [
        ("", "", "expected a field", None),
        ("   ", " ", "expected a field", None),
        ("ret = 0", "=", "expected an operator", "write == to compare"),
        ("dfd == 1 and flag", "and", "expected an operator", "write && for 'and'"),
        ("1 < dfd < 5", "<", "expected an operator", "joined by &&"),
        ("flag & && dfd", "&&", "expected a field", None),
        ("(flag", "", "expected ')'", None),
        ("flag)", ")", "expected an operator", None),
        ("dfd == 08", "08", "whole number", None),
        ("dfd == 10UL", "10UL", "whole number", None),
        ("dfd == 1.5", "1.5", "whole number", None),
        ("dfd == 0x1ffffffffffffffff", "0x1ffffffffffffffff", "64 bits", None),
        ("dfd == " + "9" * 5000, None, "at most 4096 characters", None),
        ("pathname == 'x'", "'", "expected a field", "double quotes"),
        ('pathname == "x', '"', "expected a field", "ends with a double quote"),
        ("(" * 25 + "dfd" + ")" * 25, "(", "more than 24 deep", None),
        ("flags & 1", "flags", "sys_enter_unlinkat has no field 'flags'", "did you mean flag"),
        ("flag & O_CREAT", "O_CREAT", "no number of flag has that name", "flag has AT_REMOVEDIR"),
        ("flag & AT_REMOVDIR", "AT_REMOVDIR", "no number of flag has that name", "did you mean AT_REMOVEDIR"),
        ("dfd == AT_REMOVEDIR", "AT_REMOVEDIR", "no number of dfd has that name", None),
        ("dfd == -ENOENT", "ENOENT", "has no field 'ENOENT'", None),
        ("flag & 8 && zzz", "zzz", "has no field 'zzz'", "it has dfd, pathname, flag, pid, tid, comm, uid, cpu"),
        ("common_pid == 1", "common_pid", "common header", None),
        ("__syscall_nr == 1", "__syscall_nr", "event's name says it", None),
        ("AT_FDCWD", "AT_FDCWD", "has no field", None),
        ("5", "5", "a constant by itself", None),
        ("1 == 1", "1 == 1", "two constants", None),
        ("pathname", "pathname", "a string by itself", "compare it"),
        ("pathname == 5", "5", "compare it with one in double quotes", None),
        ("pathname == dfd", "dfd", "compare it with one in double quotes", None),
        ("pathname < NULL", "pathname < NULL", "NULL is compared with", None),
        ('pathname < "x"', 'pathname < "x"', "can't be compared with <", "use == != ~ or !~"),
        ("comm == NULL", "comm == NULL", "no pointer", None),
        ('dfd == "x"', "dfd", "a signed number of 32 bits", None),
        ('dfd ~ "x"', "dfd", "no string", None),
        ("pathname ~ dfd", "dfd", "double quotes", None),
        ('"x" == "y"', '"x" == "y"', "two strings", None),
        ('flag & "x"', '"x"', "no number", None),
        ("pathname & 1", "pathname", "no number", None),
        ("dfd & (flag == 1)", "flag == 1", "a condition, and no number", None),
        ("(dfd == 1) == 1", "dfd == 1", "a condition, and no number", None),
        ("dfd & flag", "dfd & flag", "one field", None),
        ("-dfd == 1", "-dfd", "only constants", None),
        ("flag & 1 | 2", "flag & 1", "'|' joins constants only", "write flags & (A | B)"),
        ("flag & 0", "flag & 0", "a mask of 0", None),
        ("flag & -1", "flag & -1", "is no mask for flag", None),
        ("flag & 0x100000000", "flag & 0x100000000", "is no mask for flag", None),
        ("flag & 3 == 4", "4", "flag & 0x3 can't be 4", None),
        ("flag & 5 == 2", "flag & 5 == 2", "which has other bits", None),
        ("dfd == 0x80000000", "0x80000000", "from -2147483648 to 2147483647", None),
        ("-2147483649 != dfd", "-2147483649", "dfd can't be -2147483649", None),
        ("uid < 0", "uid < 0", "uid is never < 0", None),
        ("0 <= uid", "0 <= uid", "uid is always >= 0", None),
        ("dfd > 2147483647", "dfd > 2147483647", "never", None),
        ('comm == "a long thread name"', '"a long thread name"', "at most 15 bytes", None),
        (r'pathname == "a\0b"', r'"a\0b"', "first zero byte", None),
        (r'pathname == "\q"', r'"\q"', "unknown escape", None),
        (r'pathname == "\777"', r'"\777"', "more than a byte", None),
        ('pathname ~ "[ab]"', '"[ab]"', "no sets of characters", r"write \["),
        (f'pathname == "{"x" * 256}"', None, "255 are the most", None),
        (f'pathname ~ "*{"x" * 33}*"', None, "32 are the most", "may have 255"),
        (" && ".join(f'pathname ~ "*{each}*"' for each in "abcde"), None, "4 are the most", None),
        ("sys_exit_unlinkat: ret < 0", "sys_exit_unlinkat", "no event that is traced", None),
        ("syscalls:sys_enter_*:zzz", "zzz", "has no field 'zzz'", None),
        ("日 == 1", "日", "expected a field", None),
    ],
)
def test_errors_point_at_their_place(
    read_fixture: ReadFixture, text: str, marked: str | None, what: str, remedy: str | None
) -> None:
    with pytest.raises(FilterError) as caught:
        generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(parse_filter(text),)))
    error = caught.value
    assert what in error.what
    assert remedy is None or remedy in (error.remedy or "")
    assert marked is None or text[error.at : error.end] == marked
    assert isinstance(error, UsageError)
    assert error.exit_status == 2


@pytest.mark.parametrize(
    ("text", "marked", "what", "remedy"),
    [
        ("dev == 4096:0", "4096", "4095:1048575 is the last one", None),
        ("dev == 0:1048576", "0", "4095:1048575 is the last one", None),
        (f"dev == {'1' * 4000}:0", "1" * 4000, "4095:1048575 is the last one", None),
        ("sector == 8:0", "8:0", "a device is compared with what is none", "dev is one"),
        ("dev == 8:", None, "expected an operator", None),
        ("dev == 8:0x1", None, "expected an operator", None),
        ("8:0", "8:0", "a device is compared with what is none", "dev is one"),
        ("dev == -8:0", "-8:0", "from 0 to 4294967295", None),
    ],
)
def test_errors_of_devices(
    read_fixture: ReadFixture, text: str, marked: str | None, what: str, remedy: str | None
) -> None:
    with pytest.raises(FilterError) as caught:
        generate_bcc(ProbeSpec((read_fixture("block:block_rq_issue"),), filters=(parse_filter(text),)))
    assert what in f"{caught.value.what} {caught.value.remedy}"
    assert remedy is None or remedy in (caught.value.remedy or "")
    assert marked is None or text[caught.value.at : caught.value.end] == marked


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("dev == 8:1", "dev == 0x800001"),
        ("8:1 == dev", "dev == 8:1"),
        ("!(dev != 259:0)", "!(dev != 271581184)"),
        ("dev & 4095:0 == 8:0", "dev & 0xfff00000 == 0x800000"),
    ],
)
def test_devices(read_fixture: ReadFixture, text: str, same: str) -> None:
    events = (read_fixture("block:block_rq_issue"),)
    sources = [generate_bcc(ProbeSpec(events, filters=(parse_filter(each),))).source for each in (text, same)]
    assert sources[0] == sources[1]


def test_the_caret_stands_under_the_place(read_fixture: ReadFixture) -> None:
    def excerpt(text: str) -> list[str]:
        with pytest.raises(FilterError) as caught:
            generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(parse_filter(text),)))
        return (caught.value.details or "").split("\n")

    assert excerpt("flag & AT_REMOVDIR") == ["flag & AT_REMOVDIR", "       ^^^^^^^^^^^"]
    assert excerpt("dfd ==") == ["dfd ==", "      ^"]
    # Signs of double width, and what must not reach a terminal.
    assert excerpt('pathname == "日本" && x') == ['pathname == "日本" && x', "                      ^"]
    assert excerpt('pathname == "\x1b\u202e" && x') == ['pathname == "??" && x', "                    ^"]
    shown, carets = excerpt(" || ".join(["dfd == 1"] * 30) + " || x")
    assert len(shown) <= 100
    assert shown[carets.index("^")] == "x"


def test_errors_of_return_values(read_fixture: ReadFixture) -> None:
    event = read_fixture(UNLINKAT_EXIT)
    source = generate_bcc(ProbeSpec((event,), filters=(parse_filter("ret == -ENOENT || ret == -EWOULDBLOCK"),))).source
    assert "return ret == -2 || ret == -11;" in source
    with pytest.raises(FilterError, match=r"returned as a negative number.*write -ENOENT"):
        generate_bcc(ProbeSpec((event,), filters=(parse_filter("ret == ENOENT"),)))
    with pytest.raises(FilterError, match="did you mean -ENOENT"):
        generate_bcc(ProbeSpec((event,), filters=(parse_filter("ret == -ENOEN"),)))


# ------------------------------------------------------------------------- events and filters


def test_filters_for_some_of_the_events(read_fixture: ReadFixture) -> None:
    events = (read_fixture(UNLINKAT), read_fixture(UNLINKAT_EXIT))

    def functions(*filters: str) -> dict[str, str]:
        source = generate_bcc(ProbeSpec(events, filters=tuple(map(parse_filter, filters)))).source
        return dict(re.findall(r"^static inline int (\w+)_is_wanted\([^}]*return ([^;]*);\n}", source, re.M))

    assert functions() == {}
    assert functions("pid == 5") == {"sys_enter_unlinkat": "pid == 5", "sys_exit_unlinkat": "pid == 5"}
    for event in ("sys_exit_unlinkat", "syscalls:sys_exit_unlinkat", "*exit*", "sys*:*exit_unlinkat"):
        assert functions(f"{event}: ret<0") == functions(f" {event} :ret < 0") == {"sys_exit_unlinkat": "ret < 0"}
    assert functions("*: tid == 1", "sys_enter_*: dfd == 3") == {
        "sys_enter_unlinkat": "tid == 1 && dfd == 3",
        "sys_exit_unlinkat": "tid == 1",
    }
    with pytest.raises(FilterError, match=r"sys_enter_unlinkat has no field 'ret'.*begin the filter with 'sys_exit"):
        functions("ret < 0")


def test_a_field_goes_before_the_task() -> None:
    line = "\tfield:s64 pid;\toffset:8;\tsize:8;\tsigned:1;\n"
    event = parse_format(f'name: thing\nID: 1\nformat:\n\n{line}\nprint fmt: ""\n', "made")
    source = generate_bcc(ProbeSpec((event,), filters=(parse_filter("pid == -5 && tid != 1"),))).source
    assert "__s64 pid = ctx->pid;" in source
    assert "thing_is_wanted(ctx, task.tid)" in source


def test_without_filters_nothing_is_added(read_fixture: ReadFixture) -> None:
    program = generate_bcc(ProbeSpec((read_fixture(UNLINKAT),)))
    assert re.findall(r".*filter.*", program.source) == ["\t__u64 filtered;"]  # what is counted, whatever is wanted


def test_the_c_reads_well(read_fixture: ReadFixture) -> None:
    wanted = parse_filter('flag & AT_REMOVEDIR && dfd != AT_FDCWD && pathname ~ "/tmp/*.d"')
    program = generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(wanted,)))
    assert FUNCTIONS in program.source
    assert CALL in program.source


FUNCTIONS = """
static inline int sys_enter_unlinkat_is_wanted(struct sys_enter_unlinkat_context *ctx)
{
	__s32 flag = ctx->args[2];
	__s32 dfd = ctx->args[0];
	__u64 pathname = ctx->args[1];
	struct filter_text *pathname_text;
	__u32 slot;

	if (!((flag & 0x200) != 0 && dfd != -100))
		return 0;

	slot = 0;
	pathname_text = filter_texts.lookup(&slot);
	if (!pathname_text)
		return 0;
	pathname_text->length = bpf_probe_read_user_str(pathname_text->bytes,
			sizeof(pathname_text->bytes), (const char *)pathname);
	pathname_text->length += !pathname_text->length;
	return pathname_is_like(pathname_text);
}
"""
CALL = """
	if (!sys_enter_unlinkat_is_wanted(ctx)) {
		counts->filtered++;
		goto end;
	}
	counts->matched++;
"""


def test_nothing_of_the_text_reaches_c(read_fixture: ReadFixture) -> None:
    hostile = r'*/ int evil(void) {} /* "; \n %s {{ 7 * 7 }} #define x \\'
    wanted = parse_filter('pathname == "' + hostile.replace("\\", "\\\\").replace('"', '\\"') + '"')
    source = generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(wanted,))).source
    plain = generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(parse_filter('pathname == "x"'),))).source
    new = set(source.splitlines()) - set(plain.splitlines())
    byte = r"text->bytes\[\d+\] == ('[A-Za-z0-9_.:/ -]'|\d+)"
    assert all(re.fullmatch(rf"\s+(return text->length == \d+|{byte}( && {byte})*)( &&|;)", line) for line in new), new


def test_on_the_command_line(tpkit: Run) -> None:
    tree = ("--tracefs", str(FIXTURES / "6.18-x86_64"))
    done = tpkit("generate", "sys_enter_unlinkat", *tree, "--filter", "dfd == 5", "--filter", "flag & 0x200")
    assert done.returncode == 0, done.stderr
    assert b"return dfd == 5 && (flag & 0x200) != 0;" in done.stdout
    done = tpkit("generate", "sys_enter_unlinkat", *tree, "--filter", "flags & 1")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[1:] == ["       did you mean flag?", "  | flags & 1", "  | ^^^^^"]
    done = tpkit("generate", "sys_enter_unlinkat", *tree, "--target", "bpftrace", "--filter", "flag")
    assert done.returncode == 2


# ------------------------------------------------------------------ what they answer: numbers

Values = Mapping[str, int]


@dataclass(frozen=True)
class Asked:
    """A filter's text, and the same question to Python; binds: how tightly, the loosest is 0."""

    text: str
    answer: Callable[[Values], bool]
    binds: int = 2


OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def limits(label: str) -> tuple[int, int]:
    code = NUMBERS[label]
    bits = WIDTHS[code.lower()]
    return (0, (1 << bits) - 1) if code.isupper() else (-(1 << bits - 1), (1 << bits - 1) - 1)


def near(lowest: int, highest: int) -> st.SearchStrategy[int]:
    """Numbers between the limits, the ends and the neighbours of 0 often."""
    edges = [n for n in (lowest, lowest + 1, -1, 0, 1, highest - 1, highest) if lowest <= n <= highest]
    return st.one_of(st.sampled_from(edges), st.integers(lowest, highest))


def written(draw: st.DrawFn, number: int) -> str:
    form = draw(st.sampled_from(("{:d}", "0x{:x}", "0{:o}")))
    return ("-" if number < 0 else "") + form.format(abs(number))


@st.composite
def comparisons(draw: st.DrawFn) -> Asked:
    """A field, or bits of it, beside a constant or another field."""
    left, left_value, lowest, highest = draw(sides())
    sign = draw(st.sampled_from(sorted(OPERATORS)))
    compare = OPERATORS[sign]
    if draw(st.booleans()):
        right, right_value, _, _ = draw(sides())
        return Asked(f"{left} {sign} {right}", lambda values: compare(left_value(values), right_value(values)))
    never_or_always = {"<": lowest, ">=": lowest, ">": highest, "<=": highest}
    number = draw(near(lowest, highest).filter(lambda n: n != never_or_always.get(sign)))
    if "&" in left and sign in ("==", "!="):
        number &= int(left.split("&")[1], 0)
    return Asked(f"{left} {sign} {written(draw, number)}", lambda values: compare(left_value(values), number))


@st.composite
def sides(draw: st.DrawFn) -> tuple[str, Callable[[Values], int], int, int]:
    """Text, value, lowest and highest of a field, or of some of its bits."""
    label = draw(st.sampled_from(sorted(NUMBERS)))
    lowest, highest = limits(label)
    if draw(st.booleans()):
        return label, lambda values: values[label], lowest, highest
    mask = draw(near(1, highest - lowest))
    return f"{label} & {mask:#x}", lambda values: values[label] & mask, 0, mask


def conditions() -> st.SearchStrategy[Asked]:
    bare = sides().map(lambda side: Asked(side[0], lambda values: side[1](values) != 0))
    return st.recursive(comparisons() | bare, joined, max_leaves=6)


def joined(parts: st.SearchStrategy[Asked]) -> st.SearchStrategy[Asked]:
    return st.one_of(
        parts.map(lambda part: Asked(f"!{enclosed(part, 2)}", lambda values: not part.answer(values))),
        st.lists(parts, min_size=2, max_size=3).map(
            lambda some: Asked(
                " && ".join(enclosed(each, 1) for each in some), lambda values: all(p.answer(values) for p in some), 1
            )
        ),
        st.lists(parts, min_size=2, max_size=3).map(
            lambda some: Asked(
                " || ".join(enclosed(each, 0) for each in some), lambda values: any(p.answer(values) for p in some), 0
            )
        ),
    )


def enclosed(part: Asked, binds: int) -> str:
    """With parentheses only where they are needed: what binds tighter is tested, too."""
    return part.text if part.binds >= binds else f"({part.text})"


def events() -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({label: near(*limits(label)) for label in NUMBERS})


@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(conditions(), min_size=20, max_size=40), st.lists(events(), min_size=20, max_size=20))
def test_numbers_compare_as_numbers_do(
    tmp_path_factory: pytest.TempPathFactory, filters: list[Asked], happened: list[dict[str, int]]
) -> None:
    program = compiled(tmp_path_factory.mktemp("native"), [each.text for each in filters], strict=False)
    for number, each in enumerate(filters):
        for values in happened:
            assert program.sends(number, context(values)) == each.answer(values), (each.text, values)
        assert program.filtered(number) == sum(not each.answer(values) for values in happened)


def test_names_for_numbers(tmp_path: Path) -> None:
    print_fmt = (
        f'"%s %s %s", __print_flags(REC->d, "|", {OPEN_FLAGS}), __print_symbolic(REC->a, {KINDS}),'
        f' __print_flags(REC->E & 0xff, "|", {OPEN_FLAGS})'
    )
    filters = ["d & O_CREAT", "d == O_CREAT|O_EXCL", "d & (O_CREAT|O_TRUNC) == O_TRUNC", "a == FOLDER", "E == O_EXCL"]
    filters.append("d == O_LAST")  # bit 31 of a signed number
    program = compiled(tmp_path, filters, print_fmt)
    for d, a, e in product((0, 0x40, 0xC0, 0x200, 0x240, -(1 << 31)), (1, 2), (0x80, 0x580, 0x81)):
        # The table of E is about its lowest byte, and so are the table's names.
        wanted = [d & 0x40 != 0, d == 0xC0, d & 0x240 == 0x200, a == 2, e & 0xFF == 0x80, d == -(1 << 31)]
        event = context({"d": d, "a": a, "E": e})
        assert [program.sends(n, event) for n in range(len(filters))] == wanted


def test_of_the_task(tmp_path: Path) -> None:
    program = compiled(tmp_path, ["pid == 7", "uid != 0", 'comm ~ "rm*"', "cpu == 3", "tid > 7 || uid == 5"])

    def sent(comm: bytes, pid: int, uid: int) -> list[bool]:
        return [program.sends(n, context({}), comm=comm, pid=pid, uid=uid) for n in range(5)]

    assert sent(b"rm", 7, 0) == [True, False, True, True, False]
    assert sent(b"rmdir", 8, 5) == [False, True, True, True, True]
    assert sent(b"r", 7, 5) == [True, True, False, True, True]


# ------------------------------------------------------------------ what they answer: strings


def is_like(pattern: str, text: bytes) -> bool:
    """What a pattern means, said by Python's regular expressions."""
    parts = {"*": b".*", "?": b"."}
    regex = b"".join(parts.get(each, re.escape(each.encode())) for each in pattern)
    return re.fullmatch(regex, text, re.DOTALL) is not None


PATTERNS = st.text(st.sampled_from("ab**?é"), max_size=7)
STRINGS = st.text(st.sampled_from("abé"), max_size=10).map(str.encode)


@settings(max_examples=10, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATTERNS, min_size=30, max_size=60), st.lists(STRINGS, min_size=60, max_size=60))
def test_strings_are_like_patterns(
    tmp_path_factory: pytest.TempPathFactory, patterns: list[str], texts: list[bytes]
) -> None:
    program = compiled(tmp_path_factory.mktemp("native"), [f'text ~ "{each}"' for each in patterns])
    for number, pattern in enumerate(patterns):
        for text in (*texts, pattern.replace("*", "ab").replace("?", "b").encode()):
            assert program.sends(number, context({}, text)) == is_like(pattern, text), (pattern, text)


def test_exact_strings(tmp_path: Path) -> None:
    program = compiled(tmp_path, ['text == "*?"', 'text != "*?"', 'text == ""', f'text == "{"x" * 255}"', 'text ~ "*"'])

    def sent(text: bytes) -> list[bool]:
        return [program.sends(n, context({}, text)) for n in range(5)]

    assert sent(b"*?") == [True, False, False, False, True]
    assert sent(b"ab") == [False, True, False, False, True]
    assert sent(b"") == [False, True, True, False, True]
    assert sent(b"x" * 255) == [False, True, False, True, True]
    assert sent(b"x" * 256) == sent(b"x" * 254) == sent(b"ab")


def test_long_strings(tmp_path: Path) -> None:
    """Ends are looked at wherever they are; a search goes as far as its limit says."""
    program = compiled(tmp_path, ['text ~ "*.c"', 'text ~ "*x*"', 'text ~ "*x*.c"', 'text ~ "a*x*"'])

    def sent(text: bytes) -> list[bool]:
        return [program.sends(n, context({}, text)) for n in range(4)]

    assert sent(b"a" * 509 + b"x.c") == [True, True, True, True]
    assert sent(b"a" * 510 + b"x.c") == [True, True, False, True]
    assert sent(b"a" * 512 + b"x.c") == [True, False, False, False]
    assert sent(b"a" * 598 + b".c") == [True, False, False, False]  # all of the field, with no zero behind it


def test_strings_of_user_memory(tmp_path: Path, read_fixture: ReadFixture) -> None:
    filters = ('pathname == "/etc/passwd"', 'pathname ~ "*"', 'pathname !~ "*.c"', "pathname == NULL")
    event = read_fixture(UNLINKAT)

    def sent(text: str, pathname: int) -> bool:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        program = compile_native(generate_bcc(ProbeSpec((event,), filters=(parse_filter(text),))), folder)
        return program.sends(0, struct.pack("=8xi4xQQQ", 0, 0, pathname, 0))

    path = ctypes.create_string_buffer(b"/etc/passwd")
    assert [sent(each, ctypes.addressof(path)) for each in filters] == [True, True, True, False]
    # A string that can't be read is like no pattern.
    assert [sent(each, 0) for each in filters] == [False, False, True, True]


def test_every_length_of_a_path(tmp_path: Path, read_fixture: ReadFixture) -> None:
    wanted = parse_filter('pathname ~ "/*.c"')
    program = compile_native(generate_bcc(ProbeSpec((read_fixture(UNLINKAT),), filters=(wanted,))), tmp_path)

    def sent(text: bytes) -> bool:
        path = ctypes.create_string_buffer(text)
        return program.sends(0, struct.pack("=8xi4xQQQ", 0, 0, ctypes.addressof(path), 0))

    lengths: Iterable[int] = (0, 1, 2, 255, 256, 4091, 4092)
    assert all(sent(b"/" + b"x" * length + b".c") for length in lengths)
    assert not sent(b"/" + b"x" * 4093 + b".c")  # longer than a path can be
    assert not any(sent(b"/" + b"x" * length + b".h") for length in lengths)
