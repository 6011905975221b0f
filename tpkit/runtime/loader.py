"""Puts bytecode into the kernel: maps, programs, tracepoints. All of it goes when its descriptors are closed."""

from __future__ import annotations

import errno
import os
import resource
import struct
from contextlib import suppress

from tpkit.errors import AttachError, ProbeError
from tpkit.program import COUNTERS, Hook, Program
from tpkit.runtime import system_calls
from tpkit.runtime.alone import alone_functions
from tpkit.runtime.bytecode import (
    Bytecode,
    Function,
    MapDefinition,
    check_constants,
    with_calls,
    with_constants,
    with_maps,
)
from tpkit.runtime.diagnose import attach_failure, load_failure, map_failure
from tpkit.runtime.system_calls import MapKind

# A tracepoint is let go only when no CPU can be in it any more (perf_trace_event_unreg() of
# kernel/trace/trace_event_perf.c waits for that, event by event): 10 to 60 ms each.
FEW_EVENTS = 16

SPARE_DESCRIPTORS = 256  # for all else that this process has open

# A signal breaks the verifier off (commit c3494801cd17); as many times in a row as libbpf, too, tries again.
_ATTEMPTS = 5

_LOG_SIZE = 1 << 20  # of the verifier's words; a long story is cut at its end, and told again with more room
_LOG_SIZE_MOST = 1 << 24


class Loaded:
    """A program in the kernel. maps: descriptors by name; programs: descriptors by their hook's number.

    Raises ProbeError when it is made, and then leaves nothing behind.
    """

    def __init__(self, bytecode: Bytecode, program: Program, ring_size: int) -> None:
        self.maps: dict[str, int] = {}
        self.programs: dict[int, int] = {}
        self.sizes = {each.name: each.value_size for each in bytecode.maps}
        self._events: list[int] = []
        constants = dict((*program.constants, *(each for hook in program.hooks for each in hook.constants)))
        check_constants(bytecode.functions, constants)
        _allow_memory()
        _allow_descriptors(len(bytecode.maps) + 2 * len(program.hooks))
        try:
            self._make_maps(bytecode.maps, program, ring_size)
            self._load(bytecode.functions, program)
        except BaseException:
            self.close()
            raise

    def _make_maps(self, definitions: tuple[MapDefinition, ...], program: Program, ring_size: int) -> None:
        for each in definitions:
            entries = ring_size if each.name == program.maps.ring else each.entries
            try:
                self.maps[each.name] = system_calls.create_map(
                    each.name, each.kind, each.key_size, each.value_size, entries, each.flags
                )
            except OSError as error:
                raise map_failure(each.name, error, is_ring=each.kind is MapKind.RINGBUF) from None

    def _load(self, functions: tuple[Function, ...], program: Program) -> None:
        descriptors = dict(enumerate(self.maps.values()))
        alone = alone_functions()
        codes = {each.name: with_calls(with_maps(each.code, descriptors), alone) for each in functions}
        for number, hook in enumerate(program.hooks):
            code = with_constants(codes[hook.function], dict((*program.constants, *hook.constants)))
            self.programs[number] = _load(hook, code)

    def attach(self, number: int, hook: Hook) -> None:
        """Puts the program of a hook on its tracepoint. Raises AttachError, PrivilegeError."""
        if hook.number is None:
            raise AttachError(
                "its format file has no ID, by which the kernel knows a tracepoint",
                where=str(hook.tracepoint),
                remedy="trace an event of the running kernel",
            )
        try:
            event = system_calls.open_tracepoint(hook.number)
        except OSError as error:
            raise attach_failure(str(hook.tracepoint), f"perf_event_open: {error.strerror}") from None
        self._events.append(event)
        try:
            system_calls.attach(event, self.programs[number])
        except OSError as error:
            raise attach_failure(str(hook.tracepoint), f"ioctl: {error.strerror}") from None

    def close(self) -> None:
        """Takes all programs off their tracepoints, and lets the kernel free them and the maps."""
        events, self._events = self._events, []
        if len(events) <= FEW_EVENTS or not close_apart(events):
            close_all(events)
        for descriptor in (*self.programs.values(), *self.maps.values()):
            os.close(descriptor)
        self.programs, self.maps = {}, {}

    # ------------------------------------------------------------------------------ what maps hold

    def counters(self, name: str, count: int) -> list[dict[str, int]]:
        """Counters by the number of what records are of, all CPUs together."""
        cpus = _possible_cpus()
        size, words = self.sizes[name], len(COUNTERS)
        stride = -(-size // 8) * 8
        found = []
        for number in range(count):
            raw = system_calls.lookup(self.maps[name], struct.pack("=I", number), stride * cpus)
            sums = [0] * words
            for values in struct.iter_unpack(f"={words}Q", raw):
                sums = [a + b for a, b in zip(sums, values, strict=True)]
            found.append(dict(zip(COUNTERS, sums, strict=True)))
        return found

    def set_number(self, name: str, index: int, value: int) -> None:
        """An element of an array of u64."""
        system_calls.update(self.maps[name], struct.pack("=I", index), struct.pack("=Q", value))

    def number(self, name: str, index: int) -> int:
        """An element of an array of u64."""
        return int(struct.unpack("=Q", system_calls.lookup(self.maps[name], struct.pack("=I", index), 8))[0])

    def put(self, name: str, key: int, value: bytes) -> None:
        """A value for a u32 in a map."""
        system_calls.update(self.maps[name], struct.pack("=I", key), value)

    def values(self, name: str) -> list[bytes]:
        """All values of a hash of u32s, as it is while programs may still change it."""
        found, key = [], system_calls.next_key(self.maps[name], None, 4)
        while key is not None:
            with suppress(FileNotFoundError):
                found.append(system_calls.lookup(self.maps[name], key, self.sizes[name]))
            key = system_calls.next_key(self.maps[name], key, 4)
        return found

    def misses(self) -> int:
        """How often programs weren't run because their CPU was in another one."""
        return sum(map(system_calls.misses, self.programs.values()))


def close_all(descriptors: list[int]) -> None:
    """Closes them one after the other."""
    for descriptor in descriptors:
        os.close(descriptor)


def close_apart(descriptors: list[int]) -> bool:
    """Closes them, and lets another process be the last that does, so that we needn't wait; it ends by itself.

    What our programs were to do is over by then: they are switched off. False if there can't be another process.
    """
    try:
        reader, writer = os.pipe2(os.O_CLOEXEC)
    except OSError:  # no descriptors are left
        return False
    try:
        child = os.fork()
    except OSError:
        close_all([reader, writer])
        return False
    if not child:
        _be_last(descriptors, reader)
    os.waitpid(child, 0)  # it ends at once: its own child is nobody's zombie
    close_all(descriptors)
    close_all([reader, writer])  # the other one's sign: whoever closes a descriptor last has to wait
    return True


def _be_last(descriptors: list[int], sign: int) -> None:
    """The other process' side; it never returns."""
    try:
        if not os.fork():
            os.setsid()
            _keep_only(sorted([*descriptors, sign]))
            os.read(sign, 1)  # its end
            close_all(descriptors)
    finally:
        os._exit(0)


def _keep_only(descriptors: list[int]) -> None:
    """Closes all others: pipes whose readers wait for their end, the terminal, programs and maps."""
    start = 0
    for descriptor in descriptors:
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _load(hook: Hook, code: bytes) -> int:
    for _ in range(_ATTEMPTS):
        descriptor, _words = system_calls.load_program(hook.function, code)
        if descriptor >= 0:
            return descriptor
        if -descriptor != errno.EAGAIN:
            break
    raise _refusal(hook, code, -descriptor)


def _refusal(hook: Hook, code: bytes, number: int) -> ProbeError:
    """Why the verifier said no: it is asked again, with room for its words."""
    words, size = "", _LOG_SIZE
    while size <= _LOG_SIZE_MOST:
        descriptor, words = system_calls.load_program(hook.function, code, size)
        if descriptor >= 0:  # it was a passing trouble, such as too little memory
            os.close(descriptor)
            break
        if -descriptor != errno.ENOSPC:
            break
        size *= 4
    return load_failure(str(hook.tracepoint), f"{os.strerror(number)}\n{words}")


def _allow_memory() -> None:
    """Before Linux 5.11 BPF's memory counts against RLIMIT_MEMLOCK, whose default is too small for a ring buffer."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _allow_descriptors(more: int) -> None:
    """A program is one, and so is its tracepoint: hundreds of events take more than a shell's usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = more + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == -1 else min(wanted, hard), hard))


def _possible_cpus() -> int:
    """How many values a per-CPU map's element has: num_possible_cpus(), which may be more than are there."""
    with open("/sys/devices/system/cpu/possible") as file:  # noqa: PTH123
        last = file.read().strip().rpartition(",")[2].rpartition("-")[2]
    return int(last) + 1
