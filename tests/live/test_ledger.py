"""``matched = delivered + lost``, exactly, by cause, whatever happens to the reader of 200,000 events."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bench.load import compiled
from tests.conftest import PATIENCE
from tests.live.conftest import OWN_MOUNTS, UNSHARE, Trace, nothing_is_left
from tests.live.flood import EVENTS, LINE, Flood, numbers_in
from tpkit import (
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
from tpkit.tracing import run

ENTER = "sys_enter_unlinkat"
CALL = "unlinkat"
LONGEST_LINE = 400  # bytes
LARGE = "128M"  # a ring buffer that all of the flood fits into
RING_FULL, LIMIT, OUTPUT = map(str, (Cause.RING_FULL, Cause.LIMIT, Cause.OUTPUT))

StartTrace = Callable[..., Trace]
MakeFlood = Callable[..., Flood]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load generator."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here, for the load generator")
    return compiled(tmp_path_factory.mktemp("load"))


@pytest.fixture
def flood(load: Path) -> Iterator[MakeFlood]:
    """Makes floods that wait: ``flood(rate=100_000)``."""
    made: list[Flood] = []

    def make(events: int = EVENTS, rate: int = 0) -> Flood:
        made.append(Flood(load, events, rate))
        return made[-1]

    yield make
    for each in made:
        each.end()


def summary(words: bytes) -> tuple[int, dict[str, int]]:
    """What stderr says in the end: how many were delivered, and lost by cause."""
    found = re.search(rb"^tpkit: (\d+) events? in [\d.]+ s, (.*)$", words, re.MULTILINE)
    assert found is not None, words
    assert b"isn't balanced" not in words
    assert b"Traceback" not in words
    lost = {cause.decode(): int(count) for count, cause in re.findall(rb"(\d+) lost: ([^,]+)", found[2])}
    return int(found[1]), lost


# ------------------------------------------------------------------- nothing in the way


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("event", [ENTER, CALL])
def test_every_name_comes_once_and_in_order(trace: StartTrace, flood: MakeFlood, event: str, form: str) -> None:
    load = flood()
    tracing = trace(event, "-p", str(load.pid), "-f", form, "--buffer-size", LARGE)
    load.begin()
    assert tracing.process.wait(PATIENCE) == 0
    assert numbers_in(tracing.stdout) == list(range(EVENTS))
    assert summary(tracing.stderr.read_bytes()) == (EVENTS, {})
    if form == "json":
        ledger = tracing.ledger()
        assert ledger["balanced"]
        assert (ledger["matched"], ledger["delivered"], ledger["lost"]) == (EVENTS, EVENTS, {})


# ------------------------------------------------------------------- a reader that is stopped, slow, gone


@pytest.mark.parametrize("event", [ENTER, CALL])
def test_a_reader_that_is_stopped(trace: StartTrace, flood: MakeFlood, event: str) -> None:
    load = flood(rate=150_000)
    tracing = trace(event, "-p", str(load.pid), "-f", "json", "--buffer-size", "64K")
    load.begin()
    time.sleep(0.3)
    tracing.process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    tracing.process.send_signal(signal.SIGCONT)
    assert tracing.process.wait(PATIENCE) == 0
    numbers, ledger = numbers_in(tracing.stdout), tracing.ledger()
    missing = EVENTS - len(set(numbers))
    assert missing > 0
    assert numbers == sorted(set(numbers))
    assert ledger["balanced"]
    assert (ledger["matched"], ledger["delivered"], ledger["lost"]) == (EVENTS, len(numbers), {RING_FULL: missing})
    assert sum(line["lost"] for line in tracing.lines() if "lost" in line) == missing
    assert summary(tracing.stderr.read_bytes()) == (len(numbers), {RING_FULL: missing})


def test_a_reader_that_is_slow_and_goes_away(trace: StartTrace, flood: MakeFlood, tmp_path: Path) -> None:
    load, read = flood(), b""
    os.mkfifo(tmp_path / "out0")  # where the trace's output goes
    reader = os.open(tmp_path / "out0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        tracing = trace(ENTER, "-p", str(load.pid))
        os.set_blocking(reader, True)
        load.begin()
        for _ in range(3):
            read += os.read(reader, 1024)
            time.sleep(1)
        load.wait()
    finally:
        os.close(reader)
    assert tracing.process.wait(PATIENCE) == 0
    seen = [int(number) for number in LINE.findall(read)]
    assert len(seen) > 10
    assert seen == list(range(len(seen)))
    delivered, lost = summary(tracing.stderr.read_bytes())
    assert len(seen) <= delivered < 2000  # what the pipe had room for
    assert lost.keys() <= {OUTPUT, RING_FULL}
    assert lost[OUTPUT] > 0
    assert delivered + sum(lost.values()) == EVENTS
    nothing_is_left()


# ------------------------------------------------------------------- outputs that fail


def test_a_full_disk(trace: StartTrace, flood: MakeFlood, tmp_path: Path) -> None:
    """A tmpfs of 1 MiB in a mount namespace of its own, from where the file is copied in the end."""
    disk, copy, load = tmp_path / "disk", tmp_path / "copy", flood()
    disk.mkdir()
    script = (
        f'{OWN_MOUNTS} mount -t tmpfs -o size=1m full "$1" || exit 99; disk=$1 copy=$2; shift 2; '
        '"$@"; status=$?; cp "$disk/log" "$copy"; exit $status'
    )
    prefix = [*UNSHARE, "/bin/sh", "-c", script, "sh", str(disk), str(copy)]
    tracing = trace(ENTER, "-p", str(load.pid), "-o", str(disk / "log"), "--buffer-size", LARGE, prefix=prefix)
    load.begin()
    assert tracing.process.wait(PATIENCE) == 1
    words = tracing.stderr.read_bytes()
    assert b"%b: can't be written: No space left on device" % os.fsencode(disk / "log") in words
    delivered, lost = summary(words)
    assert copy.read_bytes().endswith(b"\n")
    assert (1 << 20) - 200 < copy.stat().st_size <= 1 << 20
    assert numbers_in(copy) == list(range(delivered))
    assert lost.keys() == {OUTPUT}
    assert lost[OUTPUT] > 0


class Failing:
    """A sink that takes a few batches, and raises."""

    def __init__(self, error: BaseException, batches: int) -> None:
        self._error = error
        self._batches = batches
        self.taken = 0
        self.ledger: Ledger | None = None

    def begin(self) -> None:
        """Nothing."""

    def write(self, batch: Batch) -> None:
        """Takes it, or raises."""
        if not self._batches:
            raise self._error
        self._batches -= 1
        self.taken += len(batch)

    def lost(self, losses: Sequence[Loss]) -> None:
        """Nothing."""

    def end(self, ledger: Ledger) -> None:
        """Isn't called."""
        self.ledger = ledger


def partly() -> SinkError:
    """The error of a sink that had written five events of its last batch."""
    error = SinkError("full")
    error.written = 5
    return error


@pytest.mark.parametrize(
    ("error", "written"), [(RuntimeError("a fault of the sink's"), 0), (KeyboardInterrupt(), 0), (partly(), 5)]
)
def test_a_sink_that_raises(syscalls: Tracefs, flood: MakeFlood, error: BaseException, written: int) -> None:
    load, sink = flood(), Failing(error, 2)
    event = TracepointId.parse("syscalls:sys_enter_unlinkat")
    program = generate_bcc(ProbeSpec((parse_event(syscalls.format_text(event), event),), pids=(load.pid,)))
    with Session(program, BccRuntime(ring_size=1 << 27), pids=(load.pid,)) as session:
        load.begin()
        load.wait()  # all of it waits in the ring buffer
        with pytest.raises(type(error)):
            run(session, sink)
        (account,) = session.ledger.accounts
    assert sink.ledger is None
    delivered = sink.taken + written
    assert 0 < delivered < EVENTS
    assert (account.matched, account.delivered) == (EVENTS, delivered)
    assert account.lost == {Cause.OUTPUT: EVENTS - delivered}
    nothing_is_left()


# ------------------------------------------------------------------- ends in the middle


def test_a_limit_in_the_middle(trace: StartTrace, flood: MakeFlood) -> None:
    load = flood()
    tracing = trace(ENTER, "-p", str(load.pid), "-f", "json", "--buffer-size", LARGE, "-M", "1000")
    tracing.process.send_signal(signal.SIGSTOP)
    load.begin()
    load.wait()
    tracing.process.send_signal(signal.SIGCONT)
    assert tracing.process.wait(PATIENCE) == 0
    assert numbers_in(tracing.stdout) == list(range(1000))
    assert len(tracing.events()) == 1000
    ledger = tracing.ledger()
    assert ledger["balanced"]
    assert (ledger["matched"], ledger["delivered"], ledger["lost"]) == (EVENTS, 1000, {LIMIT: EVENTS - 1000})


@pytest.mark.parametrize("event", [ENTER, CALL])
def test_an_interrupt_in_the_middle(trace: StartTrace, flood: MakeFlood, event: str) -> None:
    load = flood(10 * EVENTS, rate=150_000)
    tracing = trace(event, "-p", str(load.pid), "-f", "json", "--buffer-size", LARGE)
    load.begin()
    while tracing.stdout.stat().st_size < EVENTS * LONGEST_LINE:
        assert load.process.poll() is None
        time.sleep(0.05)
    assert tracing.end(signal.SIGINT) == 0
    load.end()
    numbers, ledger = numbers_in(tracing.stdout), tracing.ledger()
    assert ledger["balanced"]
    assert ledger["matched"] == ledger["delivered"] == len(numbers) > EVENTS
    assert ledger["lost"] == {}
    assert numbers == list(range(len(numbers)))


def test_losses_are_an_error_if_wanted(trace: StartTrace, flood: MakeFlood) -> None:
    load = flood()
    tracing = trace(ENTER, "-p", str(load.pid), "-f", "json", "--buffer-size", "64K", "--on-loss", "exit")
    tracing.process.send_signal(signal.SIGSTOP)
    load.begin()
    load.wait()
    tracing.process.send_signal(signal.SIGCONT)
    assert tracing.process.wait(PATIENCE) == 3
    numbers, ledger = numbers_in(tracing.stdout), tracing.ledger()
    assert ledger["balanced"]
    assert (ledger["matched"], ledger["delivered"]) == (EVENTS, len(numbers))
    assert ledger["lost"] == {RING_FULL: EVENTS - len(numbers)}
