#!/usr/bin/python3 -I
# -I: root imports nothing from this folder, or from where the caller's environment says.
"""Traces sched:sched_switch with BCC. Made by tpkit 0.1.0.

    sched:sched_switch
        sched_switch(char prev_comm[16], pid_t prev_pid, int prev_prio, long prev_state,
            char next_comm[16], pid_t next_pid, int next_prio)

It takes root and BCC (python3-bpfcc on Debian and Ubuntu, python3-bcc elsewhere), no kernel headers:

    sudo ./trace_sched_switch.py

Ctrl-C ends it, and so does the end of the processes that it looks at: 1234.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

try:
    from bcc import BPF  # type: ignore[import, unused-ignore]
except ImportError as missing:
    remedy = "install BCC: python3-bpfcc on Debian and Ubuntu, python3-bcc elsewhere"
    sys.exit(f"trace_sched_switch: {missing}; {remedy}")

# What the kernel runs.
PROGRAM = r"""
/* Made by tpkit 0.1.0 for sched:sched_switch */

/* In a PID namespace: pids are those of our namespace, and tasks outside of it aren't looked at. */

struct record_header {
	__u64 time;	/* ns since boot */
	__u32 pid;	/* process: the thread group */
	__u32 tid;	/* thread */
	__u32 probe;	/* which probe of the program */
	__u32 _pad;
	char comm[16];	/* the thread's name */
};

/* Where records go, and how many found no room there, by probe. */
BPF_RINGBUF_OUTPUT(events, 2048);
BPF_PERCPU_ARRAY(lost, __u64, 1);

/*
 * sched_switch(char prev_comm[16], pid_t prev_pid, int prev_prio, long prev_state, char next_comm[16], pid_t next_pid, int next_prio)
 * What the kernel hands to a program on sched:sched_switch
 */
struct sched_switch_context {
	__u8 common[8];	/* the common header: not for BPF */
	char prev_comm[16];
	__s32 prev_pid;	/* pid_t */
	__s32 prev_prio;	/* int */
	__s64 prev_state;	/* long */
	char next_comm[16];
	__s32 next_pid;	/* pid_t */
	__s32 next_prio;	/* int */
};

struct sched_switch_record {
	struct record_header header;
	char prev_comm[16];
	__s32 prev_pid;
	__s32 prev_prio;
	__s64 prev_state;
	char next_comm[16];
	__s32 next_pid;
	__s32 next_prio;
};

int on_sched_switch(struct sched_switch_context *ctx)
{
	struct sched_switch_record *event;
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32, tid = id;
	char comm[16] = {};
	struct bpf_pidns_info ns = {};

	if (bpf_get_ns_current_pid_tgid(4, 4026532177, &ns, sizeof(ns)))
		return 0;
	pid = ns.tgid;
	tid = ns.pid;

	if (pid != 1234)
		return 0;
	bpf_get_current_comm(&comm, sizeof(comm));
	if (comm[0] != 'm' || comm[1] != 'a' || comm[2] != 'k' || comm[3] != 'e' || comm[4] != 0)
		return 0;

	event = events.ringbuf_reserve(sizeof(*event));
	if (!event) {
		lost.increment(0);
		return 0;
	}
	event->header.time = bpf_ktime_get_ns();
	event->header.pid = pid;
	event->header.tid = tid;
	event->header.probe = 0;
	bpf_get_current_comm(&event->header.comm, sizeof(event->header.comm));
	bpf_probe_read_kernel(event->prev_comm, sizeof(event->prev_comm), (char *)ctx + 8);
	event->prev_pid = ctx->prev_pid;
	event->prev_prio = ctx->prev_prio;
	event->prev_state = ctx->prev_state;
	bpf_probe_read_kernel(event->next_comm, sizeof(event->next_comm), (char *)ctx + 40);
	event->next_pid = ctx->next_pid;
	event->next_prio = ctx->next_prio;
	events.ringbuf_submit(event, 0);
	return 0;
}
"""  # noqa: E501

PREV_STATE_NAMES = {
    1: "S", 2: "D", 4: "T", 8: "t", 0x10: "X", 0x20: "Z", 0x40: "P", 0x80: "I", 0x100: "R+",
}
PREV_STATE_BASE_NAMES = {0: "R"}

BATCH = 4096  # records that are taken at a time
STDOUT, STDERR = 1, 2
PIDS = (1234,)
PID_NAMESPACE = (4, 4026532177)  # device and inode: where the program's pids are from
# From the kernel's times, which begin when it boots, to those of the day: ns since 1970.
BOOT = time.time_ns() - time.monotonic_ns()


class RecordHeader(ctypes.Structure):
    """What every record begins with."""

    _fields_ = (
        ("time", ctypes.c_uint64),  # ns since boot
        ("pid", ctypes.c_uint32),  # process: the thread group
        ("tid", ctypes.c_uint32),  # thread
        ("probe", ctypes.c_uint32),  # which probe of the program
        ("_pad", ctypes.c_uint32),
        ("comm", ctypes.c_char * 16),  # the thread's name
    )


class SchedSwitchRecord(ctypes.Structure):
    """What the program sends of sched:sched_switch."""

    _fields_ = (
        ("header", RecordHeader),
        ("prev_comm", ctypes.c_char * 16),
        ("prev_pid", ctypes.c_int32),
        ("prev_prio", ctypes.c_int32),
        ("prev_state", ctypes.c_int64),
        ("next_comm", ctypes.c_char * 16),
        ("next_pid", ctypes.c_int32),
        ("next_prio", ctypes.c_int32),
    )


def show_sched_switch(event: SchedSwitchRecord) -> dict[str, object]:
    """Its arguments."""
    return {
        "prev_comm": quote(event.prev_comm),
        "prev_pid": event.prev_pid,
        "prev_prio": event.prev_prio,
        "prev_state": (
            based_flags(PREV_STATE_BASE_NAMES, 0xffffffffffffffff, PREV_STATE_NAMES, "|", event.prev_state & 0x1ff)
            or event.prev_state
        ),
        "next_comm": quote(event.next_comm),
        "next_pid": event.next_pid,
        "next_prio": event.next_prio,
    }


class Probe(NamedTuple):
    """A tracepoint, the C function that runs on it, and what becomes of the record that this sends."""

    tracepoint: str
    function: str
    record: type[ctypes.Structure]
    show: Callable[[Any], dict[str, object]]


PROBES = (
    Probe("sched:sched_switch", "on_sched_switch", SchedSwitchRecord, show_sched_switch),
)


def line(record: bytes) -> str:
    """One event as a line of text."""
    header = RecordHeader.from_buffer_copy(record)
    probe = PROBES[header.probe]
    shown = probe.show(probe.record.from_buffer_copy(record))
    arguments = ", ".join(f"{name}={value}" for name, value in shown.items())
    event = f"{probe.tracepoint.split(':')[1]}({arguments})"
    return f"{time_of_day(header.time)} {header.pid:>7} {escape(header.comm):<15} {event}\n"


def time_of_day(ktime: int) -> str:
    """Local time, with microseconds."""
    seconds, rest = divmod(ktime + BOOT, 1_000_000_000)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest // 1000:06d}"


def escape(data: bytes) -> str:
    """Bytes that anybody may have chosen, safe for a terminal: C's escapes for all that isn't printable."""
    text = data.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(escape_character, text))


def escape_character(character: str) -> str:
    """One character; three octal digits for each of its bytes where C has no shorter escape."""
    if character in "\n\t\r\\":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}[character]
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def quote(data: bytes) -> str:
    """A string in double quotes, as C would write it: the exact bytes can be recovered."""
    return '"' + escape(data).replace('"', '\\"') + '"'


def flags(names: dict[int, str], delimiter: str, number: int) -> str:
    """The names of a number's bits, and what is left of it; empty where none has a name."""
    found = []
    for bits, name in names.items():
        if number & bits == bits:
            found.append(name)
            number &= ~bits
    return delimiter.join([*found, hex(number)] if found and number else found)


def based_flags(base: dict[int, str], mask: int, names: dict[int, str], delimiter: str, number: int) -> str:
    """As ``flags``, but the bits of the mask are named as a whole, before the others."""
    first, rest = base.get(number & mask), number & ~mask
    if first is None:
        return flags(names, delimiter, number)
    others = flags(names, delimiter, rest) or (hex(rest) if rest else "")
    return delimiter.join([first, others]) if others else first


class Reader:
    """Takes records out of the ring buffer, and counts them and those that found no room in it."""

    def __init__(self, bpf: Any) -> None:
        self.events = 0
        self.lost = [0] * len(PROBES)
        self._bpf = bpf
        self._records: list[bytes] = []
        bpf[b"events"].open_ring_buffer(self._take)

    def _take(self, _context: object, data: int, size: int) -> int:
        """Called from C, where no exception gets through; a negative result says: no more for now."""
        self._records.append(ctypes.string_at(data, size))
        return -1 if len(self._records) >= BATCH else 0

    def lines(self) -> list[str]:
        """What has been lost and what has come since the last time."""
        records, self._records = self._records, []
        self.events += len(records)
        return [*self._losses(), *map(line, records)]

    def _losses(self) -> Iterator[str]:
        counts = self._bpf[b"lost"]
        for number, probe in enumerate(PROBES):
            before, self.lost[number] = self.lost[number], sum(counts[number])
            if self.lost[number] > before:
                yield f"--- lost {self.lost[number] - before} {probe.tracepoint}: the ring buffer was full ---\n"

    def totals(self) -> str:
        """How many came, and how many didn't."""
        lost = sum(self.lost)
        account = f"{lost} lost (ring buffer full)" if lost else "none lost"
        return f"{self.events} event{'' if self.events == 1 else 's'}, {account}"


# The headers that BCC includes by itself, as far as PROGRAM needs them.
HEADERS = {
    "asm/page.h": r"""/* The size of the running kernel's pages, given on the compiler's command line. */
#pragma once
#define PAGE_SIZE TPKIT_PAGE_SIZE
""",
    "linux/kconfig.h": r"""/* BCC gives this file to its compiler before anything else. */
#pragma once
#define __KERNEL__ 1
#define CONFIG_BPF_SYSCALL 1
#include <linux/types.h>
""",
    "linux/types.h": r"""/* The types that programs and BCC's copy of linux/bpf.h are written in. */
#pragma once
typedef signed char __s8, s8;
typedef short __s16, s16;
typedef int __s32, s32;
typedef long long __s64, s64;
typedef unsigned char __u8, u8;
typedef unsigned short __u16, u16, __be16, __le16, __sum16;
typedef unsigned int __u32, u32, __be32, __le32, __wsum;
typedef unsigned long long __u64, u64, __be64, __le64;
typedef _Bool bool;
typedef __SIZE_TYPE__ size_t;
typedef __UINTPTR_TYPE__ uintptr_t;
#define __aligned_u64 __u64 __attribute__((aligned(8)))
""",
    "linux/version.h": r"""/* Tracepoint programs aren't checked against a kernel version. */
#pragma once
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#ifndef LINUX_VERSION_CODE
#define LINUX_VERSION_CODE 0
#endif
""",
    "linux/bpf_common.h": "",
    "linux/log2.h": "",
    "uapi/linux/bpf.h": "",
    "uapi/linux/if_ether.h": "",
    "uapi/linux/if_packet.h": "",
    "uapi/linux/ptrace.h": "",
}


def load() -> Any:
    """BCC's object for the program, compiled and on its tracepoints."""
    for setting in [each for each in os.environ if each.startswith("BCC_")]:
        del os.environ[setting]
    options = ["-nostdinc", f"-DTPKIT_PAGE_SIZE={mmap.PAGESIZE}"]
    try:
        # Not in a folder that the caller's TMPDIR may name: BCC believes what it finds there.
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            for name, text in HEADERS.items():
                path = Path(folder, "include", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            os.environ.update(BCC_KERNEL_SOURCE=folder, TMPDIR=folder)
            bpf = BPF(text=PROGRAM.encode(), cflags=options)
        for probe in PROBES:
            bpf.attach_tracepoint(tp=probe.tracepoint.encode(), fn_name=probe.function.encode())
    except Exception as failure:  # BCC raises nothing more exact, and has said more on stderr
        sys.exit(f"trace_sched_switch: {failure}" + ("" if os.geteuid() == 0 else "; run it as root"))
    return bpf


def check_namespace() -> None:
    """Elsewhere the program would see nothing."""
    ours = Path("/proc/self/ns/pid").stat()
    if (ours.st_dev, ours.st_ino) != PID_NAMESPACE:
        sys.exit("trace_sched_switch: made for the processes of another container; generate it anew")


def open_processes() -> list[int]:
    """A descriptor of each process in PIDS, which tells when it has ended (pidfd_open(2))."""
    try:
        return [os.pidfd_open(pid) for pid in PIDS]
    except OSError as failure:
        sys.exit(f"trace_sched_switch: one of the processes {PIDS}: {failure.strerror}")


def trace(bpf: Any, reader: Reader, is_over: Callable[[], bool]) -> None:
    """Prints what comes until it is over, then what is still waiting."""
    write(STDOUT, f"{'TIME':<15} {'PID':>7} {'COMM':<15} EVENT\n")
    while not is_over():
        bpf.ring_buffer_poll(100)  # ms
        write(STDOUT, "".join(reader.lines()))
    for probe in PROBES:
        bpf.detach_tracepoint(tp=probe.tracepoint.encode())
    bpf.ring_buffer_consume()
    while lines := reader.lines():
        write(STDOUT, "".join(lines))
        bpf.ring_buffer_consume()


def write(descriptor: int, text: str) -> None:
    """All of the text at once: a buffer of Python's would still be full when its reader has gone."""
    rest = memoryview(text.encode())
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def main() -> None:
    """Traces until a signal comes, the processes have ended or nobody reads any more."""
    if len(sys.argv) > 1:
        if sys.argv[1] not in ("-h", "--help"):
            sys.exit("trace_sched_switch: takes no arguments: all was said when it was made; see -h")
        write(STDOUT, __doc__ or "")
        return
    signals: list[int] = []

    def stop(number: int, _frame: object) -> None:
        signals.append(number)
        signal.signal(number, signal.SIG_DFL)  # a second one needn't wait for anything

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    output = select.poll()
    output.register(STDOUT, 0)  # for nothing but news of the reader's end
    check_namespace()
    processes = open_processes()

    def is_over() -> bool:
        ended, _, _ = select.select(processes, [], [], 0)
        return bool(signals or output.poll(0) or len(ended) == len(processes))

    bpf = load()
    reader = Reader(bpf)
    try:
        with contextlib.suppress(BrokenPipeError):
            trace(bpf, reader, is_over)
    except OSError as failure:
        sys.exit(f"trace_sched_switch: {failure.strerror}")
    finally:
        with contextlib.suppress(BrokenPipeError):
            write(STDERR, f"trace_sched_switch: {reader.totals()}\n")


if __name__ == "__main__":
    main()
