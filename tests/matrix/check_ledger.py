"""The account under a flood: matched = delivered + lost, to the last event, whatever the consumer does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from tests.decoded import events_of
from tests.matrix.check_reference import ENTER
from tests.matrix.context import Context
from tests.matrix.results import Result
from tests.matrix.traced import Worker, worker
from tpkit import (
    Account,
    Batch,
    BccRuntime,
    Cause,
    Ledger,
    Loss,
    ProbeSpec,
    Session,
    SinkError,
    Tracefs,
    TracepointId,
    generate_bcc,
    parse_event,
)
from tpkit.program import RING_SIZES
from tpkit.runtime.compiler import CachingCompiler, compile_with_bcc
from tpkit.tracing import run

FLOOD = 6000  # calls: ten times as many as the smallest ring buffer has room for
NAME = "/nonexistent-tpkit/%d"
NAP = 0.05  # seconds

_WORKER = """
import ctypes, sys
unlinkat = ctypes.CDLL(None).unlinkat
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[1])):
    unlinkat(-100, sys.argv[2].encode() % number, 0)
"""


class Consumer:
    """Keeps the names of what it takes. A sink."""

    def __init__(self, child: Worker) -> None:
        self.child = child
        self.names: list[bytes | None] = []
        self.told = 0

    def begin(self) -> None:
        self.child.go()

    def write(self, batch: Batch) -> None:
        self.names += [each.text("pathname") for each in events_of(batch)]

    def lost(self, losses: Sequence[Loss]) -> None:
        self.told += sum(each.count for each in losses)

    def end(self, ledger: Ledger) -> None:
        """Nothing more."""


class Stopped(Consumer):
    """Takes nothing before the flood is over."""

    def begin(self) -> None:
        super().begin()
        self.child.wait()


class Sleeping(Consumer):
    """Takes its time."""

    def write(self, batch: Batch) -> None:
        super().write(batch)
        time.sleep(NAP)


class Failing(Consumer):
    """Its disk is full in the midst of the second batch."""

    def write(self, batch: Batch) -> None:
        if not self.names:
            super().write(batch)
            return
        error = SinkError("No space left on device")
        error.written = len(batch) // 2
        super().write(batch[: error.written])
        raise error


def ledger(_: Context) -> Result:
    """Three floods into the smallest ring buffer, one for each consumer; all with the same bytecode."""
    compiler = CachingCompiler(None, cache(compile_with_bcc))
    cells, details = [], []
    for title, kind in (("stopped", Stopped), ("sleeping", Sleeping), ("failing", Failing)):
        consumer, account = _flood(kind, compiler)
        trouble = judge(consumer.names, consumer.told, account, fails=kind is Failing, must_lose=kind is not Sleeping)
        cells.append(f"{account.matched}={account.delivered}+{account.all_lost}")
        details += [f"{title}: {word}" for word in trouble]
    return Result.of(not details, " ".join(cells), *details)


def _flood(kind: type[Consumer], compiler: CachingCompiler) -> tuple[Consumer, Account]:
    event = TracepointId.parse(ENTER)
    with worker(_WORKER, str(FLOOD), NAME) as child:
        pids = (child.process.pid,)
        program = generate_bcc(ProbeSpec((parse_event(Tracefs.find().format_text(event), event),), pids=pids))
        consumer = kind(child)
        runtime = BccRuntime(ring_size=RING_SIZES[0], compiler=compiler)
        with Session(program, runtime, pids=pids) as session, suppress(SinkError):
            run(session, consumer)
        return consumer, session.ledger.accounts[0]


def judge(names: Sequence[bytes | None], told: int, account: Account, *, fails: bool, must_lose: bool) -> list[str]:
    """What is wrong with an account.

    names: that the consumer got; told: how many losses it was told of; fails: it ended in the midst of the flood;
    must_lose: there was no other way.
    """
    found = []
    if account.matched != FLOOD and not (fails and len(names) < account.matched < FLOOD):
        found.append(f"{account.matched} matched of {FLOOD}")
    if not account.is_balanced:
        found.append(f"not balanced: {account}")
    if account.delivered != len(names):
        found.append(f"{account.delivered} are said to be delivered, {len(names)} were")
    numbers = [_number(name) for name in names]
    if -1 in numbers or numbers != sorted(set(numbers)):
        found.append("names that nobody made, or out of order, or twice")
    causes = {Cause.RING_FULL, Cause.OUTPUT} if fails else {Cause.RING_FULL}
    if not set(account.lost) <= causes or (fails and Cause.OUTPUT not in account.lost):
        found.append(f"causes: {dict(account.lost)}")
    if must_lose and not account.all_lost:
        found.append("nothing was lost: no test of anything")
    if not fails and told != account.all_lost:
        found.append(f"the consumer was told of {told} losses of {account.all_lost}")
    return found


def _number(name: bytes | None) -> int:
    """Which call of the worker's had this name; -1 for none."""
    text = (name or b"").decode(errors="replace")
    number = text.removeprefix(NAME.removesuffix("%d"))
    return int(number) if number.isdecimal() and NAME % int(number) == text and int(number) < FLOOD else -1
