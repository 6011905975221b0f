"""Generated programs: what a hostile format file can't do, and what a name becomes."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ReadFixture
from tpkit import FormatError, ProbeSpec, Tracefs, generate_bcc, parse_event, parse_format
from tpkit.codegen.names import comment_text, safe_identifier


def program_of(declaration: str, size: int = 4) -> str:
    line = f"\tfield:{declaration};\toffset:8;\tsize:{size};\tsigned:0;\n"
    text = f'name: thing\nID: 1\nformat:\n\n{line}\nprint fmt: ""\n'
    return generate_bcc(ProbeSpec((parse_format(text, "cat"),))).source


@pytest.mark.parametrize(
    "declaration",
    ["int x; }; int evil(void) {", "int x, y", "int a b;", "int x\n", "int x/**/", "int __attribute__((x))"],
)
def test_hostile_declarations_never_reach_a_template(declaration: str) -> None:
    with pytest.raises(FormatError):
        program_of(declaration)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("int", "int_"),
        ("current", "current_"),
        ("linux", "linux_"),
        ("from", "from_"),
        ("bpf_x", "bpf_x_"),
        ("__LINE__", "__LINE___"),
        ("header", "header_"),
        ("system", "system"),
        ("_pad9", "_pad9_"),
    ],
)
def test_names_that_c_claims(name: str, wanted: str) -> None:
    source = program_of(f"u32 {name}")
    assert f"event->{wanted} = ctx->{wanted};" in source
    assert wanted == name or not re.search(rf"->{name} =", source)


def test_comments_cant_be_ended_from_within() -> None:
    source = program_of('char __attribute__((btf_type_tag("*/ int evil(void) {} /*"))) * p', size=8)
    assert "int evil" in source
    assert source.count("/*") == source.count("*/")
    assert comment_text("*/\n\\") == "*???"


def test_identifiers_are_stable_and_unique() -> None:
    taken: set[str] = set()
    assert [safe_identifier("x", taken) for _ in range(3)] == ["x", "x_2", "x_3"]
    assert safe_identifier("9-p.q", set()) == "_9_p_q"


@pytest.mark.parametrize("kernel", ["6.18", "7.2"])
def test_unlinkat_reads_three_arguments_and_no_more(read_fixture: ReadFixture, kernel: str) -> None:
    source = generate_bcc(ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat", kernel),))).source
    assert "__u64 args[3];" in source
    assert re.findall(r"ctx->args\[(\d)\]", source) == ["0", "1", "2"]
    assert "bpf_probe_read_user_str(to, 4098, (const char *)event->pathname)" in source
    assert "ctx->__pathname_val" not in source


def test_the_same_text_gives_the_same_program(tree: Tracefs) -> None:
    for name in tree.event_ids():
        if name.category != "ftrace":
            spec = ProbeSpec((parse_event(tree.format_text(name), name),), pids=(1, 2), comm=b"rm")
            assert generate_bcc(spec) == generate_bcc(spec)


def test_filters(read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat")
    program = generate_bcc(ProbeSpec((event,), pids=(12, 34), tids=(56,), uid=78, comm=b'a"\\', exclude_pid=99))
    assert "if (task->pid != PID_0 && task->pid != PID_1)" in program.source
    assert "if (task->tid != TID_0)" in program.source
    assert "if ((__u32)bpf_get_current_uid_gid() != 78)" in program.source
    assert "comm[0] != 'a' || comm[1] != 34 || comm[2] != 92 || comm[3] != 0" in program.source
    assert [value for _, value in program.constants] == [12, 34, 56]  # our own pid isn't among those asked for
    assert "OWN_PID" not in program.source
    others = generate_bcc(ProbeSpec((event,), exclude_pid=99))
    assert "if (task->pid == OWN_PID)" in others.source
    assert [value for _, value in others.constants] == [99]


def test_the_same_program_for_any_process(read_fixture: ReadFixture) -> None:
    """Numbers that differ from run to run are none of the source's, which is compiled once for all."""
    event = read_fixture("syscalls:sys_enter_unlinkat")
    one, other = (generate_bcc(ProbeSpec((event,), pids=(pid,))) for pid in (1234, 5678))
    assert one.source == other.source
    assert [place for place, _ in one.constants] == [place for place, _ in other.constants]
    assert [value for _, value in other.constants] == [5678]
    assert not re.search("1234|5678", one.source)
    one, other = (generate_bcc(ProbeSpec((event,), exclude_pid=pid)) for pid in (1, 2))
    assert one.source == other.source


def test_pid_namespaces(read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat")
    source = generate_bcc(ProbeSpec((event,), pid_namespace=(4, 4026532177))).source
    assert "bpf_get_ns_current_pid_tgid(4, 4026532177, &ns, sizeof(ns))" in source


def test_two_events_of_one_name(read_fixture: ReadFixture) -> None:
    from tpkit import EventFormat, TracepointId

    one = read_fixture("raw_syscalls:sys_enter")
    other = EventFormat(TracepointId("other", "sys_enter"), 1, one.common_fields, one.fields)
    functions = [hook.function for hook in generate_bcc(ProbeSpec((one, other))).hooks]
    assert functions == ["on_raw_syscalls_sys_enter", "on_other_sys_enter"]
