"""What system calls' arguments lead to, in strace's words: ``{tv_sec=1, tv_nsec=0}``, ``["sh", "-c"]``.

The bytes are whatever a program had in its memory: any bytes, of any length, give a text, and that is safe
for a terminal. What there wasn't room for is marked with ``...``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.decode.structs import dependent, entries, plain, shapes, signals, sockets, vectors
from tpkit.decode.structs.given import Given, Shower
from tpkit.payload import PayloadKind as Kind
from tpkit.syscall_words.payloads import struct_name

_SHOWERS: Mapping[Kind, Shower] = {
    Kind.BUFFER: plain.buffer,
    Kind.STRING: plain.string,
    Kind.STRINGS: plain.strings,
    Kind.INT: plain.ints,
    Kind.INTS: plain.ints,
    Kind.OFFSET: plain.offset,
    Kind.ADDRESS: plain.address,
    Kind.DESCRIPTOR_SET: plain.descriptor_set,
    Kind.PROCESSOR_SET: plain.bit_set,
    Kind.TIMESPEC_PAIR: plain.timespec_pair,
    Kind.TIMEVAL_PAIR: plain.timeval_pair,
    Kind.STAT: entries.stat,
    Kind.DIRENTS: entries.directory,
    Kind.OLD_DIRENTS: entries.old_directory,
    Kind.FILE_HANDLE: entries.file_handle,
    Kind.SIGSET: signals.signal_set,
    Kind.SIGSET_ARGUMENT: signals.signal_set_argument,
    Kind.SIGINFO: signals.siginfo,
    Kind.WAIT_STATUS: signals.wait_status,
    Kind.CAPABILITY_DATA: plain.capabilities,
    Kind.MESSAGE: plain.message,
    Kind.SOCKADDR: sockets.address,
    Kind.IOVEC: vectors.vector,
    Kind.MSGHDR: vectors.message,
    Kind.SOCKET_OPTION: sockets.option,
    Kind.FUTEX_TIMEOUT: dependent.futex_timeout,
    Kind.FCNTL: dependent.fcntl,
    Kind.IOCTL: dependent.ioctl,
    Kind.PRCTL: dependent.prctl,
    Kind.ARCH_PRCTL: dependent.arch_prctl,
    Kind.BPF: dependent.bpf,
    Kind.SCHEDULE: plain.schedule,
    Kind.SECCOMP: dependent.seccomp,
    Kind.SHARED_MEMORY: dependent.shared_memory,
    Kind.MESSAGE_QUEUE: dependent.message_queue,
    Kind.PARENT_TID: dependent.parent_tid,
    Kind.NEW_QUEUE: dependent.new_queue,
}


def payload_text(
    kind: PayloadKind, data: bytes, *, whole: int, machine: str, others: Mapping[str, int] | None = None
) -> str:
    """The words for what an argument leads to; empty where there is nothing to say but its number.

    data: what was read of it; whole: how many bytes it has in all; machine: whose structs they are, as
    ``uname -m`` calls it; others: the call's numbers by their parameters' names, and its ``ret``, for what
    depends on another argument (what fcntl's ``arg`` is).
    """
    given = Given(data, whole, machine, others or {})
    shower = _SHOWERS.get(kind)
    if shower is not None:
        return shower(given)
    name = struct_name(kind)
    assert name is not None  # test_every_kind_has_words
    return shapes.structs(given, name) if kind.value.endswith("[]") else shapes.struct(given, name)


def leads_there(kind: PayloadKind, others: Mapping[str, int], machine: str) -> bool:
    """Whether an argument is an address: some are that by one command, and plain numbers by another."""
    return dependent.leads_there(kind, others, machine)


PayloadKind = Kind
__all__ = ["PayloadKind", "leads_there", "payload_text"]
