"""What is wanted of a probe, validated (``ProbeSpec``), and what became of it (``Program``).

These two are all that codegen, runtime and decode share: a program is data, and knows nothing of how
it was made or how it will be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.errors import UsageError
from tpkit.filters.tree import Filter
from tpkit.model import EventFormat, TracepointId
from tpkit.record import COMM_SIZE, RecordLayout

DEFAULT_STRING_SIZE = 256  # characters; most paths are shorter
MAX_STRING_SIZE = 4096  # PATH_MAX of uapi/linux/limits.h
MAX_PID = 1 << 22  # PID_MAX_LIMIT of include/linux/threads.h


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What is wanted: these events, of these tasks.

    pids: thread groups to look at, all when empty; comm: the thread's name to look at, as bytes;
    string_size: how many bytes of a string to keep; exclude_pid: a thread group never to look at (our
    own); pid_namespace: device and inode of the PID namespace that pids are meant in, None for the
    initial one; filters: what events have to fulfil, each of those that it is for, all of them together;
    machine: whose numbers the flags of system calls are (``uname -m``).

    Raises UsageError for values that no kernel has, and FilterError for a filter that is for none of the
    events.
    """

    events: tuple[EventFormat, ...]
    pids: tuple[int, ...] = ()
    comm: bytes | None = None
    string_size: int = DEFAULT_STRING_SIZE
    exclude_pid: int | None = None
    pid_namespace: tuple[int, int] | None = None
    filters: tuple[Filter, ...] = ()
    machine: str = "x86_64"

    def __post_init__(self) -> None:
        if not self.events:
            raise UsageError("no event to trace", remedy="name one, such as syscalls:sys_enter_unlinkat")
        for pid in self.pids:
            if not 0 < pid <= MAX_PID:
                raise UsageError(f"{pid} can't be a process id", remedy=f"they go from 1 to {MAX_PID}")
        if not 1 <= self.string_size <= MAX_STRING_SIZE:
            raise UsageError(
                f"strings of {self.string_size} bytes can't be kept", remedy=f"give 1 to {MAX_STRING_SIZE}"
            )
        if self.comm is not None and (not 0 < len(self.comm) < COMM_SIZE or 0 in self.comm):
            raise UsageError(
                "a thread's name has 1 to 15 bytes",
                where="--comm",
                remedy="the kernel cuts longer ones: give the first 15 bytes (see /proc/PID/comm)",
            )
        for each in self.filters:
            if not any(each.is_for(event.id) for event in self.events):
                raise each.error("no event that is traced has this name", each.event_place)


@dataclass(frozen=True, slots=True)
class Probe:
    """One function of a program, and the tracepoint it belongs on."""

    tracepoint: TracepointId
    function: str
    layout: RecordLayout


@dataclass(frozen=True, slots=True)
class Program:
    """A program ready to be compiled.

    source: C as BCC takes it; probes: by their number, which each record carries; ring: the name of
    the ring buffer; lost: the name of the per-CPU array that counts, for each probe, the records that
    found the ring full; filtered: of the one that counts the events that filters kept back, None where
    there are no filters.
    """

    source: str
    probes: tuple[Probe, ...]
    ring: str
    lost: str
    filtered: str | None = None

    @property
    def layouts(self) -> tuple[RecordLayout, ...]:
        """The records' layouts, by the probe's number."""
        return tuple(probe.layout for probe in self.probes)

    @property
    def stride(self) -> int:
        """Bytes of each record."""
        return self.probes[0].layout.stride
