"""One trial: a load, a tracer attached to it, the load's calls, and what has come out at the other end."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.delivered import Delivered
from bench.errors import TracerFailed
from bench.load import Load, LoadPlan, LoadResult
from bench.process import Running
from bench.tracers import Files, Tracer

ATTACH_SECONDS = 60.0
DRAIN_SECONDS = 120.0
QUIET_SECONDS = 0.4  # an output that hasn't grown for so long won't
SETTLE_SECONDS = 0.1  # after it was seen to be attached, for what belongs to its start
_POLL_SECONDS = 0.01
_LAST_WORDS = 600  # bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory in bytes, ``seconds`` after the load's start."""

    seconds: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured. rate: wanted events per second, 0 for flat out.

    cpu_seconds: the tracer's user and system time from the load's start to its own end. lag_seconds: from the load's
    end to the last byte of output. status: the tracer's exit status, negative for a signal.
    """

    tracer: str
    rate: int
    load: LoadResult
    delivered: Delivered
    reported_loss: int | None
    cpu_seconds: float
    lag_seconds: float
    status: int | None
    output_bytes: int
    memory: tuple[Sample, ...]

    @property
    def lost(self) -> int:
        """Events that were made and haven't arrived."""
        return self.load.events - self.delivered.events

    @property
    def is_lossless(self) -> bool:
        """Each event has arrived, and nothing that never happened; where events are counted, by its own word as well.

        Some may have arrived twice: see ``peers.PerfRecord``.
        """
        is_known = self.delivered.checked or not self.reported_loss
        return self.lost == 0 and self.delivered.foreign == 0 and is_known


@dataclass(frozen=True, slots=True)
class Shop:
    """Where trials are made. load: the compiled load generator; folder: for outputs, each removed after its trial."""

    load: Path
    folder: Path

    @contextmanager
    def files(self) -> Iterator[Files]:
        """A folder for one run."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield Files(folder)
        finally:
            shutil.rmtree(folder)


def untraced(shop: Shop, rate: int, seconds: float) -> LoadResult:
    """The load by itself."""
    with Load(shop.load, LoadPlan(rate, seconds)) as load:
        time.sleep(SETTLE_SECONDS)
        load.start()
        return load.result()


def traced(shop: Shop, tracer: Tracer, rate: int, seconds: float, look_every: float = 0) -> Trial:
    """One trial. look_every: seconds between two looks at the tracer's memory, 0 for none. Raises TracerFailed."""
    with shop.files() as files, Load(shop.load, tracer.plan(rate, seconds)) as load:
        for fifo in tracer.fifos:
            os.mkfifo(files.folder / fifo)
        with started(tracer, load.pid, files) as running:
            _wait_until(lambda: _is_attached(tracer, running, files), ATTACH_SECONDS, tracer, files)
            time.sleep(SETTLE_SECONDS)
            cpu_before = running.cpu_seconds()
            load.start()
            memory = _watch(load, running, look_every)
            result = load.result()
            lag = _let_end(tracer, running, files, time.time())
        return Trial(
            tracer=tracer.name,
            rate=rate,
            load=result,
            delivered=tracer.delivered(files, result.events),
            reported_loss=tracer.reported_loss(files),
            cpu_seconds=running.cpu_seconds() - cpu_before,
            lag_seconds=lag,
            status=running.status,
            output_bytes=files.output.stat().st_size,
            memory=memory,
        )


@contextmanager
def started(tracer: Tracer, pid: int, files: Files) -> Iterator[Running]:
    """The tracer's process on that target, its words in the log."""
    with files.log.open("ab") as log:
        if not tracer.writes_stdout:
            command = tracer.command(pid, files)
            with Running(command, tracer.environment(), stdout=log, stderr=log) as running:
                yield running
            return
        with (
            files.output.open("wb") as output,
            Running(tracer.command(pid, files), tracer.environment(), stdout=output, stderr=log) as running,
        ):
            yield running


def _is_attached(tracer: Tracer, running: Running, files: Files) -> bool:
    if running.has_ended():
        raise TracerFailed(f"{tracer.name} ended before it was attached: {_last_words(files)}")
    return tracer.is_attached(files)


def _wait_until(condition: Callable[[], bool], seconds: float, tracer: Tracer, files: Files) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TracerFailed(f"{tracer.name} wasn't attached within {seconds:.0f} s: {_last_words(files)}")
        time.sleep(_POLL_SECONDS)


def _last_words(files: Files) -> str:
    return files.words()[-_LAST_WORDS:].strip() or "it said nothing"


def _watch(load: Load, running: Running, every: float) -> tuple[Sample, ...]:
    """Looks at the tracer's memory while the load runs."""
    samples: list[Sample] = []
    start = time.monotonic()
    while every and load.is_running():
        samples.append(Sample(time.monotonic() - start, running.rss_bytes()))
        time.sleep(every)
    return tuple(samples)


def _let_end(tracer: Tracer, running: Running, files: Files, load_ended: float) -> float:
    """Wait until the tracer has written all it will, and end it; its lag in seconds. load_ended: by time.time()."""
    if tracer.ends_with_target:
        if not running.wait(DRAIN_SECONDS):
            running.end()
            raise TracerFailed(f"{tracer.name} hadn't ended {DRAIN_SECONDS:.0f} s after its target")
        return max(0.0, files.output.stat().st_mtime - load_ended)
    end = time.monotonic() + DRAIN_SECONDS
    while time.time() - max(load_ended, files.output.stat().st_mtime) < QUIET_SECONDS:
        if time.monotonic() > end or running.has_ended():
            break
        time.sleep(_POLL_SECONDS)
    lag = max(0.0, files.output.stat().st_mtime - load_ended)
    running.end()
    return lag
