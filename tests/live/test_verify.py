"""Programs that the running kernel takes, and some that it doesn't. Nothing is attached, nothing stays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Run, command
from tests.live.conftest import bpftool, held_by
from tpkit import EventFormat, KernelUnsupported, ProbeSpec, Program, ToolError, Tracefs, generate_bcc
from tpkit.catalog import Catalog
from tpkit.runtime.clang import Clang, kernel_clang
from tpkit.runtime.libbpf_object import Libbpf
from tpkit.verify import BccLoader, LibbpfLoader, Selection, Stage, select_events, verify

HEADER_REFUSED = "invalid bpf_context access off=0 size=8"  # the common header is not for BPF
GUILTY = "sched_process_exec"


@pytest.fixture(autouse=True)
def _nothing_stays(bpf: Tracefs) -> Iterator[None]:
    before = programs_of_nobody()  # a large trace of a test before may still be let go (loader.close_apart)
    yield
    assert held_by(os.getpid()) == set()
    end = time.monotonic() + PATIENCE
    while left := programs_of_nobody() - before:
        assert time.monotonic() < end, left
        time.sleep(0.02)


def programs_of_nobody() -> set[tuple[str, int]]:
    """Programs with names that tpkit gives, whichever the event, that no process holds."""
    loaded = bpftool("prog", "show")
    ours = {("prog", int(str(p["id"]))) for p in loaded if str(p.get("name")).startswith("on_")}
    return ours - set().union(*(held_by(path.name) for path in Path("/proc").glob("[0-9]*")))


@pytest.fixture
def sched(bpf: Tracefs) -> tuple[EventFormat, ...]:
    """The scheduler's events, with their formats."""
    return select_events(Catalog(bpf), ["sched"]).events


@pytest.fixture
def clang() -> Iterator[Clang]:
    try:
        with kernel_clang() as found:
            yield found
    except KernelUnsupported as error:
        pytest.skip(str(error))
    except ToolError as error:
        pytest.fail(f"tools/setup test installs it: {error}")


# ----------------------------------------------------------------------------- accepted


@pytest.mark.parametrize("target", ["bcc", "libbpf"])
def test_a_category_is_accepted(tpkit: Run, request: pytest.FixtureRequest, bpf: Tracefs, target: str) -> None:
    if target == "libbpf":
        request.getfixturevalue("clang")
    done = tpkit("verify", "sched:*", "ftrace:print", "--target", target, "--json")
    report = json.loads(done.stdout)
    events = [event for event in bpf.event_ids() if event.category == "sched"]
    assert (done.returncode, report["failures"], done.stderr) == (0, [], b"")
    assert report["generated"] == report["compiled"] == report["accepted"] == len(events)
    assert (report["matched"], report["not_for_bpf"]) == (len(events) + 1, 1)


@pytest.mark.every_event
def test_every_event_of_this_kernel_is_accepted(bpf: Tracefs) -> None:
    done = subprocess.run(command("verify", "*", "--json"), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    report = json.loads(done.stdout)
    assert (done.returncode, report["failures"]) == (0, [])
    assert report["accepted"] == report["matched"] - report["not_for_bpf"]
    assert {each["event"].partition(":")[0] for each in report["skipped"]} <= {"ftrace"}
    assert report["matched"] >= len(bpf.event_ids())


def test_what_isnt_for_bpf_is_said(tpkit: Run) -> None:
    done = tpkit("verify", "ftrace:print")
    assert done.returncode == 1
    assert b"not for BPF       1  records of ftrace's own tracers" in done.stdout


# ------------------------------------------------------------------------------ refused


def spoiled(statement: str) -> Callable[[ProbeSpec], Program]:
    """Good programs, but for the guilty event: there the function begins with this."""

    def generate(spec: ProbeSpec) -> Program:
        program = generate_bcc(spec)
        head = rf"(int on_{GUILTY}\(.* \*ctx\)\n{{\n)"
        spoiled = [re.subn(head, rf"\1{statement}\n", source) for source in program.sources]
        assert sum(count for _, count in spoiled) == any(event.id.name == GUILTY for event in spec.events)
        return replace(program, sources=tuple(source for source, _ in spoiled))

    return generate


@pytest.mark.parametrize(
    ("statement", "stage", "words"),
    [
        ("if (*(volatile __u64 *)ctx) return 0;", Stage.LOAD, HEADER_REFUSED),
        ("this is not C", Stage.COMPILE, "error: "),
    ],
)
def test_the_guilty_is_named_with_the_words_of_bcc(
    sched: tuple[EventFormat, ...], capfd: pytest.CaptureFixture[str], statement: str, stage: Stage, words: str
) -> None:
    report = verify(Selection(sched), BccLoader(spoiled(statement)))
    (failure,) = report.failures
    assert (failure.event.name, failure.stage) == (GUILTY, stage)
    assert words in (failure.telling_words or "")
    assert capfd.readouterr().err == ""


SAMPLE = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";
"""
FUNCTION = """
SEC("tracepoint/sched/{name}")
int on_{name}(__u64 *ctx)
{{
	return {value};
}}
"""


def sample(value: str) -> Callable[[ProbeSpec], str]:
    """A function for each event, of which the guilty one's returns this."""

    def generate(spec: ProbeSpec) -> str:
        names = [event.id.name for event in spec.events]
        return SAMPLE + "".join(FUNCTION.format(name=n, value=value if n == GUILTY else "0") for n in names)

    return generate


@pytest.mark.parametrize(
    ("value", "stage", "words"),
    [("ctx[0]", Stage.LOAD, HEADER_REFUSED), ("missing", Stage.COMPILE, "use of undeclared identifier 'missing'")],
)
def test_the_guilty_is_named_with_the_words_of_libbpf(
    clang: Clang, sched: tuple[EventFormat, ...], value: str, stage: Stage, words: str
) -> None:
    report = verify(Selection(sched), LibbpfLoader(clang, Libbpf(), sample(value)))
    (failure,) = report.failures
    assert (failure.event.name, failure.stage) == (GUILTY, stage)
    assert words in (failure.telling_words or "")


# -------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("target", ["bcc", "libbpf"])
def test_ctrl_c(request: pytest.FixtureRequest, target: str, number: signal.Signals) -> None:
    if target == "libbpf":
        request.getfixturevalue("clang")
    with subprocess.Popen(
        command("verify", "*", "--target", target), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            while process.poll() is None and not held_by(process.pid):
                time.sleep(0.01)
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (128 + number, b"", b"tpkit: interrupted\n")
