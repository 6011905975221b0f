"""libbpf programs: what a hostile format file can't do, and what each kind of field becomes."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ReadFixture
from tpkit import GenerateError, ProbeSpec, parse_filter, parse_format
from tpkit.codegen.bpftrace import generate_bpftrace
from tpkit.codegen.generated import program_name
from tpkit.codegen.libbpf import LibbpfOptions, bpf_source, generate_libbpf
from tpkit.codegen.libbpf_printk import generate_printk
from tpkit.codegen.names import c_string
from tpkit.model import EventFormat


def event_of(*declarations: str, print_fmt: str = '""', name: str = "thing") -> EventFormat:
    lines = [
        f"\tfield:{text};\toffset:{8 + 8 * number};\tsize:8;\tsigned:0;\n" for number, text in enumerate(declarations)
    ]
    text = f"name: {name}\nID: 1\nformat:\n\n{''.join(lines)}\nprint fmt: {print_fmt}\n"
    return parse_format(text, "cat")


def text_of(event: EventFormat) -> str:
    """All that is generated for it, in both forms."""
    spec = ProbeSpec((event,))
    return "".join(file.text for file in (*generate_libbpf(spec, None), *generate_printk(spec, None)))


@pytest.mark.parametrize(("name", "wanted"), [("int", "int_"), ("current", "current_"), ("linux", "linux_")])
def test_names_that_c_claims(name: str, wanted: str) -> None:
    text = text_of(event_of(f"u64 {name}"))
    assert f"event->{wanted} = ctx->{wanted};" in text
    assert f"{name}=" in text  # people see the kernel's name
    assert not re.search(rf"\bu?int\d* {name};", text)


def test_names_that_the_templates_use() -> None:
    source = bpf_source(ProbeSpec((event_of("u64 event", "u64 ctx", "u64 id", "u64 lost", "u64 own_pid"),)), None)
    assert "event->event = ctx->event;" in source
    assert "event->ctx = ctx->ctx;" in source


def test_arguments_that_the_templates_use(read_fixture: ReadFixture) -> None:
    text = bpf_source(ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat"),)), None, LibbpfOptions(portable=True))
    assert "const char *pathname = (const char *)ctx->args[1];" in text


def test_texts_of_a_print_fmt_stay_in_their_string() -> None:
    hostile = '"%s", __print_flags(REC->flags, "|", { 1, "\\"); system(\\"x" }, { 2, "%n\\\\" })'
    text = text_of(event_of("u64 flags", print_fmt=hostile))
    assert r'{ 1, "\042); system(\042x" }' in text
    assert r'{ 2, "%n\134" }' in text


def test_c_strings() -> None:
    assert c_string('a"b\\c?\n\x1b') == r'"a\042b\134c\077\012\033"'
    assert c_string("é1") == r'"\303\2511"'


def test_comments_end_with_their_line() -> None:
    text = text_of(event_of('char __attribute__((btf_type_tag("*/ int evil(void) {} //\\"))) * p'))
    assert "int evil" in text
    assert "int evil" not in re.sub(r"//.*|/\*.*?\*/", "", text)
    assert not re.search(r"//.*\\$", text, re.MULTILINE)


def test_dynamic_arguments_are_left_out(read_fixture: ReadFixture) -> None:
    """Linux 6.19, commit a544d9a66bdf: filled in for ftrace and perf only."""
    for options in (LibbpfOptions(), LibbpfOptions(portable=True)):
        source = bpf_source(ProbeSpec((read_fixture("syscalls:sys_enter_unlinkat", "7.2"),)), None, options)
        assert "// Left out: __data_loc char[] __pathname_val" in source
        assert not re.search(r"^[^/]*__pathname_val", source, re.MULTILINE)


def test_program_names(read_fixture: ReadFixture) -> None:
    enter, leave = (read_fixture(f"syscalls:sys_{side}_unlinkat") for side in ("enter", "exit"))
    switch, exec_ = read_fixture("sched:sched_switch"), read_fixture("sched:sched_process_exec")
    names = [program_name(ProbeSpec(each)) for each in ((enter,), (enter, leave), (switch, exec_), (enter, switch))]
    assert names == ["unlinkat", "unlinkat", "sched", "events"]


def test_only_the_helpers_that_are_needed(read_fixture: ReadFixture) -> None:
    loader = generate_libbpf(ProbeSpec((read_fixture("sched:sched_process_exec"),)), None)[1].text
    assert "print_cut_string" in loader
    assert "inet" not in loader
    assert "inet_ntop" in generate_libbpf(ProbeSpec((read_fixture("tcp:tcp_probe", "7.2"),)), None)[1].text


def test_filters_are_not_left_out_in_silence(read_fixture: ReadFixture) -> None:
    spec = ProbeSpec((read_fixture("sched:sched_switch"),), filters=(parse_filter("prev_pid > 1"),))
    for make in (generate_libbpf, generate_printk):
        with pytest.raises(GenerateError, match="no filters yet"):
            make(spec, None)
    with pytest.raises(GenerateError, match="for bpftrace have no filters yet"):
        generate_bpftrace(spec)
