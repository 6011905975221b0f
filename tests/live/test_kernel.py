"""What the running kernel has: every name, every format, every layout, checked against others' words."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, KERNELS, Run
from tpkit import EventFormat, ProbeSpec, Tracefs, accesses, generate_bcc, parse_event
from tpkit.codegen.columns import plan_columns
from tpkit.codegen.context_struct import context_struct
from tpkit.record import HEADER_SIZE
from tpkit.runtime.bcc_package import import_bcc
from tpkit.runtime.bcc_runtime import compile_program


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


def with_assertions(events: tuple[EventFormat, ...], string_size: int) -> str:
    """The generated program, and what clang must find true of its structs."""
    spec = ProbeSpec(events, string_size=string_size)
    program = generate_bcc(spec)
    lines = [program.source, f'_Static_assert(sizeof(struct record_header) == {HEADER_SIZE}, "header");']
    for probe, event in zip(program.probes, events, strict=True):
        base = probe.function.removeprefix("on_")
        lines.append(f'_Static_assert(sizeof(struct {base}_record) == {program.stride}, "{base}");')
        dtype = probe.layout.dtype()
        assert dtype.fields is not None
        for source in plan_columns(event, string_size):
            for member in source.column.members:
                lines.append(offset_is(f"{base}_record", member.name, dtype.fields[member.name][1]))
        names = context_struct(event).names
        lines += [offset_is(f"{base}_context", name, offset) for offset, name in names.items()]
        lines += [
            offset_is(f"{base}_context", f"args[{a.argument}]", a.field.offset)
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
    compile_program(import_bcc(), with_assertions(events, 30)).cleanup()
