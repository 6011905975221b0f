"""What the kernel counts of programs, read where it is."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from tests.live.conftest import Objects, bpftool, held_by
from tpkit import BccRuntime, Call, ProbeSpec, Session, Tracefs, TracepointId, generate_bcc, parse_event
from tpkit.runtime.system_calls import NUMBERS

ENABLE_STATS = 32  # BPF_ENABLE_STATS of uapi/linux/bpf.h: as long as its descriptor is open


@pytest.fixture
def counted(bpf: Tracefs) -> Iterator[None]:
    """The kernel counts how often programs run."""
    run_time = ctypes.create_string_buffer(4)  # BPF_STATS_RUN_TIME
    number = NUMBERS[os.uname().machine].bpf
    descriptor = ctypes.CDLL(None).syscall(ctypes.c_long(number), ENABLE_STATS, run_time, 4)
    if descriptor < 0:
        pytest.skip("this kernel can't count runs of programs (BPF_ENABLE_STATS, Linux 5.8)")
    yield
    os.close(descriptor)


def test_runs_are_no_misses(syscalls: Tracefs, counted: None) -> None:
    """The two numbers stand side by side in struct bpf_prog_info."""
    ids = [TracepointId("syscalls", f"sys_{half}_getppid") for half in ("enter", "exit")]
    enter, exit_event = (parse_event(syscalls.format_text(each), each) for each in ids)
    program = generate_bcc(ProbeSpec((), calls=(Call(enter, exit_event),), pids=(os.getpid(),)))
    with Session(program, BccRuntime(), max_events=1000) as session:
        for _ in range(1000):
            os.getppid()
        ours: Objects = {each for each in held_by(os.getpid()) if each[0] == "prog"}
        shown = {int(str(each["id"])): each for each in bpftool("prog", "show")}
        assert all(int(str(shown[number]["run_cnt"])) >= 1000 for _, number in ours)
        missed = sum(int(str(shown[number].get("recursion_misses", 0))) for _, number in ours)
        for _ in session:
            pass
    assert session.ledger.delivered == 1000
    assert session.ledger.missed == missed
