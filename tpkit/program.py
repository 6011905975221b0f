"""What is wanted of a program, validated (``ProbeSpec``), and what became of it (``Program``).

These two are all that codegen, runtime and decode share: a program is data, and knows nothing of how
it was made or how it will be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpkit.errors import UsageError
from tpkit.filters.tree import Filter
from tpkit.model import EnumValue, EventFormat, TracepointId, no_value
from tpkit.record import COMM_SIZE, RecordLayout

MAX_STRING_SIZE = 4096  # PATH_MAX of uapi/linux/limits.h
DEFAULT_STRING_SIZE = MAX_STRING_SIZE  # in the ring a string takes as much as it has, not as much as it may have
SCRIPT_STRING_SIZE = 256  # where each record has room for the longest one
DEFAULT_BUFFER_SIZE = 32  # of what write(2) is given, and the like: as much as strace shows
MAX_PID = 1 << 22  # PID_MAX_LIMIT of include/linux/threads.h
MAX_ID = (1 << 32) - 2  # uid_t; -1 is no user

DEFAULT_RING_SIZE = 16 << 20  # bytes: 100,000 unlinkat with paths of 64 bytes, 100 ms of them at 1,000,000 a second
RING_SIZES = (1 << 16, 1 << 30)  # the least and the most


def check_pids(pids: tuple[int, ...]) -> None:
    """Raises UsageError for a number that no process has."""
    for pid in pids:
        if not 0 < pid <= MAX_PID:
            raise UsageError(f"{pid} can't be a process id", remedy=f"they go from 1 to {MAX_PID}")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call as one event: both of its tracepoints. exit is None for calls that don't return."""

    enter: EventFormat
    exit: EventFormat | None

    @property
    def id(self) -> TracepointId:
        """``syscalls:unlinkat``: a name of ours, which no tracepoint has."""
        return TracepointId(self.enter.id.category, str(self.enter.id.syscall))


@dataclass(frozen=True, slots=True)
class Following:
    """The events by which a program knows of threads that begin and end: sched_process_fork and _exit of sched."""

    fork: EventFormat
    exit: EventFormat


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What is wanted: these events and calls, of these tasks.

    pids, tids: thread groups and threads to look at, all when empty; uid: whose; comm: the thread's name to look
    at, as bytes; cgroup: whether to look at one cgroup and those below it only; follow: to look only at threads that
    the runtime is told of, and all that they start; executed: sched_process_exec of sched, by which a program knows
    of threads that take another one's number (where threads are followed, or execve is a call); exclude_pid: a thread
    group never to look at (our own); pid_namespace: device and inode of the PID namespace that pids are meant in, None
    for the initial one.

    string_size: how many bytes of a string to keep, None for what suits the program's records; buffer_size: of other
    memory whose size the caller tells.
    filters: what events have to fulfil, each of those that it is for, all of them together; failed: only calls that
    failed; min_latency: only calls that took at least so many ns; machine: whose numbers the flags of system calls
    are (``uname -m``); enum_value: what the kernel's enums call by the names that are left in print fmts.

    Raises UsageError for values that no kernel has, and FilterError for a filter that is for none of the events.
    """

    events: tuple[EventFormat, ...]
    calls: tuple[Call, ...] = ()
    pids: tuple[int, ...] = ()
    tids: tuple[int, ...] = ()
    uid: int | None = None
    comm: bytes | None = None
    cgroup: bool = False
    follow: Following | None = None
    executed: EventFormat | None = None
    exclude_pid: int | None = None
    pid_namespace: tuple[int, int] | None = None
    string_size: int | None = None
    buffer_size: int = DEFAULT_BUFFER_SIZE
    filters: tuple[Filter, ...] = ()
    failed: bool = False
    min_latency: int = 0
    machine: str = "x86_64"
    enum_value: EnumValue = no_value

    def __post_init__(self) -> None:
        if not self.events and not self.calls:
            raise UsageError("no event to trace", remedy="name one, such as syscalls:sys_enter_unlinkat")
        self._check_tasks()
        for size in (self.string_size, self.buffer_size):
            if size is not None and not 1 <= size <= MAX_STRING_SIZE:
                raise UsageError(f"strings of {size} bytes can't be kept", remedy=f"give 1 to {MAX_STRING_SIZE}")
        if (self.failed or self.min_latency) and not self.calls:
            raise UsageError(
                "only whole system calls fail or take time",
                where="--failed" if self.failed else "--min-latency",
                remedy="name the call itself (unlinkat), or give --pair",
            )
        for each in self.filters:
            if not any(each.is_for(event) for event in self.ids):
                few = ", ".join(map(str, self.ids[:3])) + (", …" if len(self.ids) > 3 else "")
                raise each.error("no event that is traced has this name", each.event_place, f"traced are: {few}")

    @property
    def ids(self) -> tuple[TracepointId, ...]:
        """What records are of: events, then calls."""
        return (*(event.id for event in self.events), *(call.id for call in self.calls))

    @property
    def packed_string_size(self) -> int:
        """``string_size`` where a string takes as much room as it has bytes: in the trace engine's records."""
        return self.string_size or DEFAULT_STRING_SIZE

    @property
    def script_string_size(self) -> int:
        """``string_size`` where each string has room for the longest one: in generated programs' records."""
        return self.string_size or SCRIPT_STRING_SIZE

    @property
    def own_pid(self) -> int | None:
        """The process to leave out; none where only others are looked at."""
        return None if self.pids or self.follow else self.exclude_pid

    def _check_tasks(self) -> None:
        check_pids((*self.pids, *self.tids))
        if self.uid is not None and not 0 <= self.uid <= MAX_ID:
            raise UsageError(f"{self.uid} can't be a user id", where="-u", remedy="see id(1)")
        if self.comm is not None and (not 0 < len(self.comm) < COMM_SIZE or 0 in self.comm):
            raise UsageError(
                "a thread's name has 1 to 15 bytes",
                where="--comm",
                remedy="the kernel cuts longer ones: give the first 15 bytes (see /proc/PID/comm)",
            )


# Placeholders, and the numbers that they stand for.
Constants = tuple[tuple[int, int], ...]

# Calls of functions that no kernel has: of them the loader makes calls of kernel functions, or nothing. Between the
# two of them a program is alone on its CPU.
BEGIN_ALONE, END_ALONE = 0x7E57_9001, 0x7E57_9002

FIRST_PLACEHOLDER = 0x7E57_A000  # above any pid, and no number that a program has any use for


def task_numbers(
    pids: tuple[int, ...], tids: tuple[int, ...], own_pid: int | None
) -> tuple[tuple[str, tuple[int, int]], ...]:
    """The numbers of a run that stand in its program as placeholders: by the macros' names, as ``Constants``."""
    named = [(f"PID_{n}", pid) for n, pid in enumerate(pids)] + [(f"TID_{n}", tid) for n, tid in enumerate(tids)]
    if own_pid is not None:
        named.append(("OWN_PID", own_pid))
    return tuple((name, (FIRST_PLACEHOLDER + n, value)) for n, (name, value) in enumerate(named))


@dataclass(frozen=True, slots=True)
class Hook:
    """One function of a program, and the tracepoint it belongs on.

    number: the tracepoint's id, as the format file has it; constants: as ``Program``'s, for this place of a function
    that may have several.
    """

    tracepoint: TracepointId
    number: int | None
    function: str
    constants: Constants = ()


@dataclass(frozen=True, slots=True)
class Maps:
    """The names of a program's maps, which the runtime reads and fills; None for what a program has no need of.

    ring: the ring buffer; counts: per-CPU counters for each layout, in the order of ``COUNTERS``; session: an array
    of u64: whether events are wanted by now, how many threads couldn't be followed, how many calls are under way that
    found no room in ``calls``; calls: what is known of calls that haven't returned, by thread; followed: the threads to
    look at; cgroup: an array of one cgroup.
    """

    ring: str = "events"
    counts: str = "counters"
    session: str = "session"
    calls: str | None = None
    followed: str | None = None
    cgroup: str | None = None


COUNTERS = ("matched", "filtered", "full", "unpaired", "unkept", "faulted", "truncated")


@dataclass(frozen=True, slots=True)
class Program:
    """A program ready to be compiled.

    sources: C as BCC takes it, in one part or several, which share their maps; layouts: of its records, by the number
    that each carries; hooks: its functions, in the order in which they are to be attached; constants: numbers that
    stand in the source and in the compiled code for others, so that the same code does for any process (a placeholder,
    and what it stands for).
    """

    sources: tuple[str, ...]
    layouts: tuple[RecordLayout, ...]
    hooks: tuple[Hook, ...]
    maps: Maps = Maps()
    constants: Constants = ()

    @property
    def source(self) -> str:
        """All of its C, for a person to read."""
        return "\n".join(self.sources)

    @property
    def events(self) -> tuple[TracepointId, ...]:
        """What records are of, by their number."""
        return tuple(layout.event for layout in self.layouts)
