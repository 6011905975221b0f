"""Generated bpftrace programs: what is shown and how, and what hostile names can't do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.conftest import ReadFixture
from tpkit import EventFormat, ProbeSpec, Tracefs, TracepointId, UsageError, parse_event, parse_format
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.codegen.bpftrace_flags import Flags, flag_steps
from tpkit.codegen.bpftrace_shown import Names, literal, name_literal
from tpkit.decode.tables import name_of
from tpkit.model import SymbolTable
from tpkit.program import SCRIPT_STRING_SIZE


def program(*events: EventFormat, pair: bool = False, **wanted: object) -> str:
    spec = ProbeSpec(events, **{"string_size": SCRIPT_STRING_SIZE, **wanted})  # type: ignore[arg-type]
    (file,) = generate_bpftrace(spec, pair=pair)
    assert file.executable
    assert file.name.endswith(".bt")
    return file.text


def event_of(*declarations: str, print_fmt: str = '""', size: int = 4) -> EventFormat:
    lines = "".join(
        f"\tfield:{each};\toffset:{8 + size * number};\tsize:{size};\tsigned:{int(each[0] in 'is')};\n"
        for number, each in enumerate(declarations)
    )
    return parse_format(f"name: thing\nID: 1\nformat:\n\n{lines}\nprint fmt: {print_fmt}\n", "cat")


def code_of(text: str) -> str:
    """The program without its comments."""
    return re.sub(r"(?m)^(#!.*|\s*//.*)$|(?s:/\*.*?\*/)", "", text)


# ------------------------------------------------------------------------------ foreign text


@pytest.mark.parametrize("name", ["if", "unroll", "return", "int", "buffer", "uint64", "x" * 128])
def test_names_that_the_language_claims(name: str) -> None:
    text = program(event_of(f"u32 {name}", "u32 other"))
    assert "other=%u" in text
    if len(name) == 128:
        assert f"args->{name}" in text
    else:
        assert f"args->{name}" not in text
        assert f"/* Left out: u32 {name}: not every bpftrace has a way to spell its name */" in text


@pytest.mark.parametrize("name", ["errno", "current", "class", "from", "nsecs", "pid", "printf", "config", "let"])
def test_names_that_bpftrace_takes(name: str) -> None:
    assert f"args->{name}" in program(event_of(f"u32 {name}"))


def test_two_fields_of_one_name() -> None:
    text = program(event_of("u32 x", "u32 x"))
    assert text.count("args->x") == 1
    assert "/* Left out: u32 x: another field has the same name */" in text


def test_names_of_numbers_are_only_ever_text() -> None:
    hostile = r'__print_symbolic(REC->x, { 1, "a\"); system(\"id" }, { 2, "%s\\" }, { 3, "*/ BEGIN" })'
    text = program(event_of("u32 x", print_fmt=f'"%s", {hostile}'))
    assert r'@x_names[1] = "a\x22); system(\x22id";' in text
    assert r'@x_names[2] = "%s\x5c";' in text
    assert '@x_names[3] = "*/ BEGIN";' in text


def test_literals_stand_for_exact_bytes() -> None:
    assert literal(b'a"\\\n\xff b') == r'"a\x22\x5c\x0a\xff b"'
    assert name_literal("x" * 63) == f'"{"x" * 63}"'
    assert name_literal("x" * 64) == f'"{"x" * 60}..."'


def test_every_fixture_is_plain_text_and_stable(tree: Tracefs) -> None:
    for name in tree.event_ids():
        if name.category == "ftrace":
            continue
        event = parse_event(tree.format_text(name), name)
        text = program(event, pids=(1, 2), comm=b'"/\xff')
        assert text == program(event, pids=(1, 2), comm=b'"/\xff')
        assert re.fullmatch(r"[\t\n -~]*", text)
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code_of(text))
        assert re.search(r"(?<!-)>?\bargs->", code) or "()" in text
        assert code.count("{") == code.count("}")
        assert code.count("(") == code.count(")")
        assert '"' not in code.replace('""', "")


# ------------------------------------------------------------------------------ filters


def test_filters(read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat")
    assert "\n/pid == 12/\n{" in program(event, pids=(12,))
    assert "\n/(pid == 12 || pid == 34) && comm == \"rm\"/\n" in program(event, pids=(12, 34), comm=b"rm")
    assert '\n/comm == "\\x22/\\x5c"/\n' in program(event, comm=b'"/\\')
    assert "unlinkat\n{" in program(event, exclude_pid=99)


# ------------------------------------------------------------------------------ how fields are shown


def test_unlinkat_on_7_2_reads_three_arguments_and_no_more(read_fixture: ReadFixture) -> None:
    text = program(read_fixture("syscalls:sys_enter_unlinkat", "7.2"))
    assert set(re.findall(r"args->(\w+)", text)) == {"dfd", "pathname", "flag"}
    assert "Left out: __data_loc char[] __pathname_val: filled in for ftrace and perf only" in text
    assert "(int32)args->dfd" in text
    assert "str(args->pathname, 257)" in text


def test_a_line_is_one_printf_whatever_has_a_name(read_fixture: ReadFixture) -> None:
    text = program(read_fixture("sock:inet_sock_set_state"))
    assert text.count("printf(") == 3  # the header, with names, without
    assert "saddr_v6=%s" in text
    assert "ntop(args->saddr_v6)" in text
    assert "$newstate_name = @oldstate_names[args->newstate];" in text  # the same table, once
    assert text.count('"TCP_ESTABLISHED"') == 1


def test_numbers() -> None:
    event = event_of("u64 big", "s64 small", "void *p", "unsigned int n", size=8)
    text = program(event)
    assert "thing(big=%lu, small=%ld, p=0x%lx, n=%u)" in text
    assert "args->big, args->small, args->p, (uint32)args->n" in " ".join(text.split())


def test_display_by_print_fmt() -> None:
    event = event_of("u32 a", "int b", "u16 mode", print_fmt='"%x %#x %o", REC->a, REC->b, REC->mode')
    text = program(event)
    assert "a=0x%x, b=0x%x, mode=0%o" in text
    assert "(uint32)args->b" in text


def test_devices(read_fixture: ReadFixture) -> None:
    text = " ".join(program(read_fixture("block:block_rq_issue")).split())
    assert "block_rq_issue(dev=%u:%u, sector=%lu," in text
    assert "args->dev >> 20, args->dev & 0xfffff, args->sector," in text


def array(declaration: str, size: int, print_fmt: str = '""') -> str:
    line = f"\tfield:{declaration};\toffset:8;\tsize:{size};\tsigned:0;\n"
    text = f"name: thing\nID: 1\nformat:\n\n{line}\nprint fmt: {print_fmt}\n"
    return program(parse_format(text, "cat"))


def test_arrays() -> None:
    assert "mac=%02x%02x%02x%02x%02x%02x)" in array("u8 mac[6]", 6)
    assert 'words=[%u, %u])\\n",\n\t\tstrftime("%H:%M:%S.%f", nsecs), pid, comm, args->words[0], args->words[1]);' in (
        array("u32 words[2]", 8)
    )
    assert "[%u, %u, %u, %u, %u, %u, %u, %u, ...]" in array("u32 words[9]", 36)
    assert "key=%rx..." in array("u8 key[64]", 64)
    assert "buf(args->key, 32)" in array("u8 key[64]", 64)
    assert 'comm=\\"%s\\"' in array("char comm[16]", 16)


def test_addresses() -> None:
    text = array("__u8 saddr[28]", 28, '"%pISpc", REC->saddr')
    assert "$saddr_family = args->saddr[0] | args->saddr[1];" in text
    assert "if ($saddr_family == 2) {" in text
    assert "saddr=%d.%d.%d.%d:%d)" in text
    assert "saddr=[%x:%x:%x:%x:%x:%x:%x:%x]:%d)" in text


@pytest.mark.parametrize(
    ("declaration", "size", "reason"),
    [
        ("__rel_loc char[] name", 4, "bpftrace doesn't know __rel_loc"),
        ("__data_loc u64[] list", 4, "bpftrace can't tell how long it is"),
        ("struct thing_t value", 24, "bpftrace can't show a struct or a union by value"),
        ("struct thing_t values[2]", 48, "bpftrace can't show a struct or a union by value"),
        ("char text[400]", 400, "the stack of bpftrace 0.17 has no room for more"),
    ],
)
def test_what_bpftrace_cant_show(declaration: str, size: int, reason: str) -> None:
    text = array(declaration, size)
    assert f": {reason} */" in text
    assert "args->" not in text


def test_names_go_before_fields_when_there_is_no_room(read_fixture: ReadFixture) -> None:
    symbols = ", ".join(f'{{ {1 << n}, "{"X" * 50}{n}" }}' for n in range(8))
    flags = [f'__print_flags(REC->{name}, "|", {symbols})' for name in "ab"]
    text = program(event_of("u32 a", "u32 b", print_fmt=f'"%s %s", {", ".join(flags)}'))
    assert "a=%s%s%s%s%s, b=0x%x" in text
    assert "/* Without names: u32 b: the stack of bpftrace 0.17 has no room for more */" in text


def test_a_const_enum_is_declared() -> None:
    assert "\nenum kind { kind_0 };\n" in program(event_of("const enum kind k"))
    assert "enum kind {" not in program(event_of("enum kind k"))


def test_an_event_without_fields(read_fixture: ReadFixture) -> None:
    assert "getpid()\\n" in program(read_fixture("syscalls:sys_enter_getpid"))


# ------------------------------------------------------------------------------ flags


class Interpreter:
    """Executes what is generated for flags: bpftrace's statements are almost Python's."""

    def __init__(self, table: SymbolTable, size: int = 4) -> None:
        self.names = Names()
        self.steps = flag_steps(Flags.of(table, size, "0"), "f", "$f", "VALUE", self.names)
        self.maps = {
            name[1:]: {int(key, 0): text[1:-1] for key, text in entries} for entries, name in self.names.tables.items()
        }

    def words(self, value: int) -> str | None:
        """The names, None where the condition sends the value to the line with numbers."""
        variables: dict[str, object] = {"VALUE": value, "maps": self.maps}
        taken = False
        for statement in self.steps.statements:
            condition, _, assignment = statement.rpartition("{ ")
            word = condition.split("(")[0].strip()
            if word and ((word == "else if" and taken) or not self._value(condition.removeprefix(word), variables)):
                continue
            taken = bool(word)
            name, _, expression = assignment.removesuffix(" }").removesuffix(";").partition(" = ")
            variables[name[1:]] = self._value(expression, variables)
        condition = self.steps.choice.condition.replace("!(", " not (").replace("!$", " not $").replace("&&", "and")
        if condition and not self._value(condition, variables):
            return None
        return "".join(str(self._value(argument, variables)) for argument in self.steps.choice.shown.arguments)

    def _value(self, expression: str, variables: dict[str, object]) -> object:
        number = expression.replace("$", "").replace("(int64)", "")  # of Python's numbers there is one kind
        asked = re.sub(r"@(\w+)\[([^]]+)\]", r"maps['\1'].get(\2, '')", number)
        return eval(asked.strip().removesuffix("{"), {}, variables)  # noqa: S307


SINGLE = SymbolTable("|", ((1, "A"), (2, "B"), (4, "C"), (0x80, "D"), (0x100, "E"), (0x200, "F")))
GROUPED = SymbolTable("|", ((0xCC0, "KERNEL"), (0xC00, "NOIO"), (0x40, "IO"), (0x80, "FS"), (0x400, "R"), (0x800, "K")))
OPEN = SymbolTable(
    "|",
    ((0x101000, "SYNC"), (0x40, "CREAT"), (0x200, "TRUNC"), (0x1000, "DSYNC")),
    base=SymbolTable(None, ((0, "RDONLY"), (1, "WRONLY"), (2, "RDWR")), mask=3),
)
HIGH = SymbolTable("|", ((0x88000000, "BOTH"), (0x80000000, "TOP"), (0x40, "IO")))
PART = SymbolTable("|", ((1, "S"), (2, "D")), mask=0xFF)


@pytest.mark.parametrize(
    ("table", "value", "words"),
    [
        (SINGLE, 0, "0"),
        (SINGLE, 1, "A"),
        (SINGLE, 0x206, "B|C|F"),
        (SINGLE, 0x187, "A|B|C|D|E"),
        (SINGLE, 0x387, None),  # more than are shown by name
        (SINGLE, 0x8, None),
        (SINGLE, 0x9, None),
        (GROUPED, 0xCC0, "KERNEL"),
        (GROUPED, 0xC40, "NOIO|IO"),
        (GROUPED, 0x440, "IO|R"),
        (GROUPED, 0, "0"),
        (GROUPED, 0xCC1, None),
        (GROUPED, 0x1, None),
        (OPEN, 0, "RDONLY"),
        (OPEN, 0x241, "WRONLY|CREAT|TRUNC"),
        (OPEN, 0x101002, "RDWR|SYNC"),
        (OPEN, 0x1040, "RDONLY|CREAT|DSYNC"),
        (OPEN, 0x3, None),
        (OPEN, 0x100000, None),
        (HIGH, 0x88000040, "BOTH|IO"),
        (HIGH, 0x80000040, "IO|TOP"),
        (HIGH, 0x08000000, None),
        (PART, 0x101, "S"),
        (PART, 0x100, None),
        (PART, 0, None),
        (PART, 0x5, None),
    ],
)
def test_flags(table: SymbolTable, value: int, words: str | None) -> None:
    masked = value & 0xFF if table.mask else value
    assert Interpreter(table).words(masked) == words


def test_numbers_from_bit_31_on_are_signed_where_they_meet_signed_ones() -> None:
    """bpftrace 0.23 subtracts no unsigned number from a signed one."""
    statements = Interpreter(HIGH).steps.statements
    assert "if (($f & 0x88000000) == 0x88000000) { $f_1 = $f - (int64)0x88000000; }" in statements
    lower = Interpreter(GROUPED).steps.statements
    assert "if (($f & 0xcc0) == 0xcc0) { $f_1 = $f - 0xcc0; }" in lower


def test_flags_say_what_trace_says() -> None:
    for table in (SINGLE, GROUPED, OPEN):
        shown = Interpreter(table)
        for value in range(0x1000):
            words = shown.words(value)
            assert words is None or sorted(words.split("|")) == sorted((name_of(table, value) or "0").split("|"))


# ------------------------------------------------------------------------------ whole system calls


def test_pairs_keep_arguments_by_thread(read_fixture: ReadFixture) -> None:
    enter, leave = read_fixture("syscalls:sys_enter_unlinkat"), read_fixture("syscalls:sys_exit_unlinkat")
    text = program(leave, enter, pair=True, pids=(12,))
    assert text.index("sys_enter_unlinkat\n/pid == 12/") < text.index("sys_exit_unlinkat\n/@started[tid]/")
    kept = re.findall(r"\t(@\w+)\[tid\] =", text)
    assert kept == ["@started", "@dfd", "@pathname", "@flag"]
    for name in kept:
        assert f"\tdelete({name}[tid]);" in text
        assert f"\tclear({name});" in text
    assert ') = %ld <%lu us>\\n"' in text


def test_pairs_of_several_calls_have_maps_of_their_own(read_fixture: ReadFixture) -> None:
    names = [f"syscalls:sys_{end}_{call}" for call in ("unlinkat", "openat") for end in ("enter", "exit")]
    text = program(*map(read_fixture, names), pair=True)
    assert "@unlinkat_started[tid]" in text
    assert "@openat_filename[tid] = args->filename;" in text
    assert "$filename = @openat_filename[tid];" in text


def test_strings_are_read_when_the_call_returns(read_fixture: ReadFixture) -> None:
    ends = [read_fixture(f"syscalls:sys_{end}_unlinkat") for end in ("enter", "exit")]
    text = program(*ends, pair=True)
    assert "str(uptr($pathname), 257)" in text
    assert "// Strings are read only now" in text


def test_but_not_after_execve_whose_caller_is_gone_by_then(read_fixture: ReadFixture) -> None:
    enter, leave = read_fixture("syscalls:sys_enter_execve"), read_fixture("syscalls:sys_exit_openat")
    leave = replace(leave, id=TracepointId("syscalls", "sys_exit_execve"))
    text = program(enter, leave, pair=True)
    assert "@filename[tid] = str(args->filename, 257);" in text
    assert "only now" not in text


@pytest.mark.parametrize(
    ("names", "remedy"),
    [
        (["syscalls:sys_enter_unlinkat"], "add syscalls:sys_exit_unlinkat"),
        (["syscalls:sys_exit_unlinkat"], "add syscalls:sys_enter_unlinkat"),
        (["sched:sched_switch"], "leave --pair out"),
    ],
)
def test_pairs_need_both_ends(read_fixture: ReadFixture, names: list[str], remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        generate_bpftrace(ProbeSpec(tuple(map(read_fixture, names))), pair=True)
    assert remedy in str(caught.value.remedy)


