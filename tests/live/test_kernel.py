"""What the running kernel has: every name, every format, every layout, checked against others' words."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, KERNELS, Run
from tpkit import EventFormat, ProbeSpec, RecordLayout, Tracefs, accesses, generate_bcc, parse_event
from tpkit.codegen.bcc_plain import plain_source
from tpkit.codegen.context_struct import context_struct
from tpkit.codegen.probes import plan_probes
from tpkit.record import HEADER_SIZE
from tpkit.runtime.bcc_compiler import compile_module, release
from tpkit.runtime.bcc_package import import_bcc


def test_every_format_parses(tracefs: Tracefs) -> None:
    events = tracefs.event_ids()
    assert len(events) > 100
    for event in events:
        parsed = parse_event(tracefs.format_text(event), event)
        assert parsed.id == event
        assert parsed.number == tracefs.event_number(event)


def test_names_are_bpftraces(tracefs: Tracefs, tpkit: Run) -> None:
    ours = tpkit("list").stdout
    assert ours
    assert tpkit("list", "--from", "bpftrace").stdout == ours


def test_arguments_are_bpftraces(tracefs: Tracefs, tpkit: Run) -> None:
    """``list -v`` prints what ``bpftrace -lv`` prints, event by event."""
    bpftrace = subprocess.run(
        ["/usr/bin/bpftrace", "-lv", "tracepoint:*"], capture_output=True, text=True, check=True
    ).stdout
    ours = tpkit("list", "-v").stdout.decode()
    assert split(ours) == split(bpftrace.replace("tracepoint:", ""))


def split(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("    "):
            found[list(found)[-1]].append(" ".join(line.split()))
        elif re.fullmatch(r"[\w-]+:[\w-]+", line):
            found[line] = []
    return found


def test_describe_agrees_with_btf(tracefs: Tracefs, tpkit: Run) -> None:
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("this kernel has no BTF")
    if not (tracefs.root / "events" / "syscalls").is_dir():
        pytest.skip("this kernel has no events for system calls (CONFIG_FTRACE_SYSCALLS)")
    text = tpkit("describe", "syscalls:sys_enter_unlinkat", "sched:sched_switch").stdout.decode()
    assert "struct trace_event_raw_sys_enter  (as in the kernel's BTF)" in text
    assert "struct trace_event_raw_sched_switch  (as in the kernel's BTF)" in text


def of_the_engine(events: tuple[EventFormat, ...]) -> Iterator[str]:
    """The parts of the program that trace runs, and what clang must find true of their structs.

    Events of one shape share theirs.
    """
    program = generate_bcc(ProbeSpec(events, string_size=30))
    assert [hook.tracepoint for hook in program.hooks] == [event.id for event in events]
    probes = list(zip((hook.function for hook in program.hooks), events, program.layouts, strict=True))
    for source in program.sources:
        here = [each for each in probes if f"int {each[0]}(" in source]
        assert here
        yield with_assertions(source, here)
        probes = [each for each in probes if each not in here]
    assert not probes


def of_a_script(events: tuple[EventFormat, ...]) -> str:
    """A generated script's program, and the same of it."""
    spec = ProbeSpec(events, string_size=30)
    return with_assertions(plain_source(spec), ((each.function, each.event, each.layout) for each in plan_probes(spec)))


def with_assertions(source: str, probes: Iterable[tuple[str, EventFormat, RecordLayout]]) -> str:
    lines = [source, f'_Static_assert(sizeof(struct record_header) == {HEADER_SIZE}, "header");']
    for function, event, layout in probes:
        named = re.search(rf"^int {function}\(struct (\w+) \*ctx\)\n{{\n\tstruct (\w+) \*event;", source, re.MULTILINE)
        assert named is not None
        context, record = named.groups()
        lines.append(f'_Static_assert(sizeof(struct {record}) == {layout.stride}, "{event.id}");')
        fields = layout.dtype().fields
        assert fields is not None
        members = [member for column in layout.columns for member in column.members]
        fixed = [member for member in members if member.name in fields]
        assert len(members) - len(fixed) == (len(layout.payloads) if layout.packed else 0)
        lines += [offset_is(record, member.name, fields[member.name][1]) for member in fixed]
        names = context_struct(event).names
        lines += [offset_is(context, name, offset) for offset, name in names.items()]
        lines += [
            offset_is(context, f"args[{a.argument}]", a.field.offset)
            for a in accesses(event)
            if a.argument is not None
        ]
    return "\n".join(lines)


def offset_is(struct: str, member: str, offset: int) -> str:
    return f'_Static_assert(__builtin_offsetof(struct {struct}, {member}) == {offset}, "{struct}.{member}");'


@pytest.mark.parametrize("kernel", KERNELS)
def test_clang_lays_structs_out_as_we_do(bpf: Tracefs, kernel: str) -> None:
    """Context and record of every captured event: clang's offsets are the format file's and numpy's."""
    tree = Tracefs.captured_tree(FIXTURES / kernel)
    ids = [event for event in tree.event_ids() if event.category != "ftrace"]
    events = tuple(parse_event(tree.format_text(event), event) for event in ids)
    for source in (*of_the_engine(events), of_a_script(events)):
        release(compile_module(import_bcc(), source))
