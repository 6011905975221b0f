"""Verification: which events are tried, how the guilty are found, what the report says. No kernel, no root."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Run
from tpkit import (
    CompileError,
    EventFormat,
    EventNotFound,
    GenerateError,
    KernelUnsupported,
    LoadError,
    PrivilegeError,
    ToolError,
    TpkitError,
    Tracefs,
    TracepointId,
)
from tpkit.catalog import Catalog
from tpkit.cli.progress import Progress
from tpkit.cli.verify import report_text
from tpkit.runtime.clang import compiler_flags, kernel_clang
from tpkit.runtime.libbpf_object import LIBRARY, Libbpf
from tpkit.runtime.stderr import captured_stderr
from tpkit.verify import Failure, Report, Selection, Skipped, Stage, select_events, verify

VERIFIER = """Failed to load BPF program b'on_e1': Permission denied
bpf: Failed to load program: Permission denied
0: R1=ctx(off=0,imm=0) R10=fp0
; int on_e1(struct e1_context *ctx)
0: (79) r1 = *(u64 *)(r1 +0)
invalid bpf_context access off=0 size=8
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
CLANG = """In file included from <stdin>:1:
<stdin>:7:1: warning: x
<stdin>:9:6: error: unknown type name 'this'
<stdin>:9:11: error: expected ';'
"""


def events(count: int) -> tuple[EventFormat, ...]:
    return tuple(EventFormat(TracepointId("cat", f"e{number}")) for number in range(count))


class FakeLoader:
    """Refuses every program that has one of the guilty events in it, with an error of the given kind."""

    def __init__(self, guilty: dict[str, type[TpkitError]] | None = None) -> None:
        self.guilty = guilty or {}
        self.batches: list[int] = []

    def check(self, events: Sequence[EventFormat]) -> None:
        self.batches.append(len(events))
        for event in events:
            if event.id.name in self.guilty:
                raise self.guilty[event.id.name](f"{event.id.name} is refused", details=f"among {len(events)}")


# ------------------------------------------------------------------------------- verify


@given(st.integers(0, 40), st.sets(st.integers(0, 39)), st.integers(1, 50))
def test_exactly_the_guilty_are_named(count: int, guilty: set[int], batch_size: int) -> None:
    loader = FakeLoader({f"e{number}": LoadError for number in guilty})
    report = verify(Selection(events(count)), loader, batch_size)
    assert [failure.event.name for failure in report.failures] == [f"e{n}" for n in range(count) if n in guilty]
    assert report.passed(Stage.LOAD) + len(report.failures) == count == report.matched


def test_the_words_are_those_of_a_program_of_its_own() -> None:
    report = verify(Selection(events(100)), FakeLoader({"e33": LoadError}))
    assert report.failures == (Failure(TracepointId("cat", "e33"), Stage.LOAD, "e33 is refused", "among 1"),)


def test_a_good_batch_is_tried_once() -> None:
    loader = FakeLoader()
    assert verify(Selection(events(130)), loader, 60).ok
    assert loader.batches == [60, 60, 10]


def test_the_guilty_cost_little() -> None:
    loader = FakeLoader({"e33": LoadError})
    verify(Selection(events(64)), loader, 64)
    assert loader.batches == [64, 32, 32, 16, 8, 4, 2, 1, 1, 2, 4, 8, 16]


def test_what_only_fails_together_is_no_failure() -> None:
    class TooMany(FakeLoader):
        def check(self, events: Sequence[EventFormat]) -> None:
            super().check(events)
            if len(events) > 2:
                raise LoadError("too many")

    assert verify(Selection(events(20)), TooMany(), 20).ok


def test_the_counts_add_up() -> None:
    unreadable = Failure(TracepointId("cat", "odd"), Stage.GENERATE, "line 5, column 13: expected a name")
    skipped = Skipped(TracepointId("ftrace", "print"), "not for BPF")
    loader = FakeLoader({"e1": GenerateError, "e2": CompileError, "e3": CompileError, "e4": LoadError})
    report = verify(Selection(events(10), (skipped,), (unreadable,)), loader)
    assert report.matched == 12
    assert [report.passed(stage) for stage in Stage] == [9, 7, 6]
    assert [len(report.failed(stage)) for stage in Stage] == [2, 2, 1]
    assert not report.ok


@pytest.mark.parametrize("selection", [Selection(()), Selection((), (Skipped(TracepointId("ftrace", "print"), "x"),))])
def test_nothing_to_try_is_no_success(selection: Selection) -> None:
    assert not verify(selection, FakeLoader()).ok


@pytest.mark.parametrize("error", [PrivilegeError("no"), KernelUnsupported("no"), ToolError("no"), SystemExit(130)])
def test_what_concerns_all_programs_ends_it(error: BaseException) -> None:
    """A missing capability, say, or a Ctrl-C: nothing more is tried."""

    class Broken(FakeLoader):
        def check(self, events: Sequence[EventFormat]) -> None:
            super().check(events)
            if len(self.batches) == 2:
                raise error

    loader = Broken()
    with pytest.raises(type(error)):
        verify(Selection(events(100)), loader, 10)
    assert loader.batches == [10, 10]


def test_progress_is_told_as_events_are_decided() -> None:
    told: list[tuple[int, int]] = []
    verify(Selection(events(12)), FakeLoader({"e5": LoadError}), 4, lambda *numbers: told.append(numbers))
    assert told == [(4, 0), (5, 0), (6, 1), (8, 1), (12, 1)]


# ---------------------------------------------------------------------------- selection


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Three events, one of them with a broken format; and two that available_events doesn't name."""
    field = "\tfield:{};\toffset:8;\tsize:4;\tsigned:1;\n"
    for name in ("cat/one", "cat/two", "cat/broken", "cat/hidden", "ftrace/print"):
        folder = tmp_path / "events" / name
        folder.mkdir(parents=True)
        text = field.format("int x; }; int evil(void) {" if name == "cat/broken" else "int x")
        event = name.split("/")[1]
        (folder / "format").write_text(f'name: {event}\nID: 1\nformat:\n\n{text}\nprint fmt: "%d", REC->x\n')
    (tmp_path / "available_events").write_text("cat:one\ncat:two\ncat:broken\n")
    return Catalog(Tracefs.captured_tree(tmp_path))


def test_all_events_are_accounted_for(catalog: Catalog) -> None:
    selection = select_events(catalog, ["*"])
    assert [str(event.id) for event in selection.events] == ["cat:one", "cat:two"]
    assert [(str(each.event), each.reason.split(",")[0]) for each in selection.skipped] == [
        ("cat:hidden", "not in available_events: nobody can enable it"),
        ("ftrace:print", "records of ftrace's own tracers"),
    ]
    (failure,) = selection.failures
    assert (str(failure.event), failure.stage) == ("cat:broken", Stage.GENERATE)
    assert "int evil(void)" in (failure.telling_words or "")
    assert selection.matched == 5


def test_patterns_are_those_of_trace(catalog: Catalog) -> None:
    assert [str(event.id) for event in select_events(catalog, ["one", "cat:tw*"]).events] == ["cat:one", "cat:two"]
    assert select_events(catalog, ["ftrace"]).events == ()
    with pytest.raises(EventNotFound):
        select_events(catalog, ["nothing"])


# ------------------------------------------------------------------------------- report


def failure(stage: Stage, words: str | None) -> Failure:
    return Failure(TracepointId("cat", "e1"), stage, "refused", words)


@pytest.mark.parametrize(
    ("stage", "words", "telling"),
    [
        (Stage.LOAD, VERIFIER, "invalid bpf_context access off=0 size=8"),
        (Stage.LOAD, "Cannot allocate memory", "Cannot allocate memory"),
        (Stage.LOAD, "processed 0 insns", None),
        (Stage.COMPILE, CLANG, "<stdin>:9:6: error: unknown type name 'this'"),
        (Stage.COMPILE, "\n", None),
        (Stage.GENERATE, None, None),
    ],
)
def test_the_line_that_tells_most(stage: Stage, words: str | None, telling: str | None) -> None:
    assert failure(stage, words).telling_words == telling


def test_the_report_as_text() -> None:
    skipped = Skipped(TracepointId("ftrace", "print"), "no tracepoint")
    report = Report(12, (skipped,), (failure(Stage.LOAD, VERIFIER),), 1.25)
    assert report_text(report, verbose=False).splitlines()[:-1] == [
        "EVENT   STAGE     WHY",
        "cat:e1  load      refused",
        "  | invalid bpf_context access off=0 size=8",
        "",
        "matched          12",
        "not for BPF       1  no tracepoint",
        "generated        11",
        "compiled         11",
        "accepted         10  1 failed",
    ]
    assert "  | bpf: Failed to load program: Permission denied\n" in report_text(report, verbose=True)


def test_foreign_words_are_safe_for_a_terminal() -> None:
    report = Report(1, (), (failure(Stage.COMPILE, "error: \x1b[31m"),), 1)
    assert "\x1b" not in report_text(report, verbose=True) + report_text(report, verbose=False)


def test_the_report_as_json() -> None:
    report = Report(3, (Skipped(TracepointId("ftrace", "print"), "no"),), (failure(Stage.COMPILE, CLANG),), 1.25)
    told = json.loads(json.dumps(report.to_dict()))
    counts = {"matched": 3, "not_for_bpf": 1, "generated": 2, "compiled": 1, "accepted": 1}
    assert {name: told[name] for name in counts} == counts
    assert told["failed"] == {"generate": 0, "compile": 1, "load": 0}
    assert told["failures"] == [{"event": "cat:e1", "stage": "compile", "reason": "refused", "words": CLANG}]
    assert told["skipped"] == [{"event": "ftrace:print", "reason": "no"}]


# ------------------------------------------------------------------------- command line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_that_goes_away() -> None:
    with redirect_stderr(Terminal()) as terminal:
        progress = Progress(100, "events", after=0)
        progress.step(50, 2)
        progress.step(51, 2)  # too soon to be worth showing
        progress.clear()
    bar, blanks, rest = terminal.getvalue().split("\r")[1:]
    assert bar == f"tpkit: [{'#' * 15}{'.' * 15}] 50 of 100 events, 2 failed"
    assert (blanks, rest) == (" " * len(bar), "")


def test_no_bar_elsewhere() -> None:
    with redirect_stderr(io.StringIO()) as file:
        progress = Progress(100, "events", after=0)
        progress.step(50, 2)
        progress.clear()
    assert file.getvalue() == ""


def test_usage(tpkit: Run) -> None:
    done = tpkit("verify")
    assert b"tpkit verify '*'" in done.stdout + done.stderr
    done = tpkit("verify", "*", "--target", "bpftrace")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"give bcc or libbpf" in done.stderr


# ------------------------------------------------------------------------------ runtime


def test_only_c_code_loses_its_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as words:
        os.write(2, b"from C\n")
        sys.stderr.write("from Python\n")
        assert words() == "from C"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "from Python\nafter\n"


def test_a_machine_by_the_name_that_libbpf_has_for_it() -> None:
    names = {"x86_64": "x86", "aarch64": "arm64", "s390x": "s390", "ppc64le": "powerpc", "mips": "mips"}
    for machine, name in names.items():
        assert f"-D__TARGET_ARCH_{name}" in compiler_flags(machine)


def test_a_kernel_without_btf(tmp_path: Path) -> None:
    with pytest.raises((KernelUnsupported, ToolError)) as caught, kernel_clang(tmp_path / "vmlinux"):
        pass
    assert caught.value.remedy


def test_libbpf_is_the_distributions_or_nobodys(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="isn't installed"):
        Libbpf([tmp_path])
    (tmp_path / LIBRARY).write_bytes(b"not a library")
    (tmp_path / LIBRARY).chmod(0o666)
    with pytest.raises(ToolError, match="others than root"):
        Libbpf([tmp_path])
