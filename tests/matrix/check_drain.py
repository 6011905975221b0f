"""The way out of the ring buffer: nothing twice, nothing in the wrong order, nothing gone without a word."""

from __future__ import annotations

import subprocess
import sys

from tests.decoded import events_of
from tests.matrix.check_reference import ENTER
from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import BccRuntime, ProbeSpec, Session, Tracefs, TracepointId, generate_bcc, parse_event

BURSTS, BURST = 40, 150  # bursts with pauses: batches of many sizes, and an empty ring between them

_CHILD = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
sys.stdin.read(1)
for burst in range(int(sys.argv[1])):
    for number in range(int(sys.argv[2])):
        libc.unlinkat(-100, b"/nonexistent", burst * int(sys.argv[2]) + number)
    time.sleep(0.01)
"""


def drain(_: Context) -> Result:
    """Numbered calls of a child of ours: each comes out once, in its place, or is counted as lost."""
    event = TracepointId.parse(ENTER)
    command = [sys.executable, "-c", _CHILD, str(BURSTS), str(BURST)]
    numbers: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        program = generate_bcc(ProbeSpec((parse_event(Tracefs.find().format_text(event), event),), pids=(child.pid,)))
        with Session(program, BccRuntime(), pids=(child.pid,)) as session:
            assert child.stdin is not None
            child.stdin.write(b"x")
            child.stdin.close()
            for delivery in session:
                numbers += [each.number("flag") for each in events_of(delivery.batch)]
            ledger = session.ledger
    result = judge(numbers, ledger.all_lost, BURSTS * BURST)
    return result if ledger.is_balanced else Result.failed("unbalanced", *result.details, str(ledger))


def judge(numbers: list[int], lost: int, total: int) -> Result:
    """numbers: those that came out; lost: how many are said to be lost."""
    details = []
    if len(numbers) + lost != total:
        details.append(f"{total - len(numbers) - lost} events gone without a word")
    if numbers != sorted(set(numbers)):
        details.append("events out of order, or twice")
    return Result.of(not details and bool(numbers), f"{len(numbers)}+{lost}/{total}", *details)
