"""What is one thing or another, as another argument says: what fcntl's, ioctl's, prctl's argument leads to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tpkit.decode.structs import members, plain, shapes
from tpkit.decode.structs.given import Given, Shower
from tpkit.payload import PayloadKind
from tpkit.syscall_words.tables import group_table
from tpkit.widths import Width

# Command -> the struct that it takes; a leading ``>`` for what only the kernel fills; ``int`` for one number.
_FCNTL: Mapping[str, str] = {
    **dict.fromkeys("F_SETLK F_SETLKW F_OFD_SETLK F_OFD_SETLKW".split(), "flock"),
    **dict.fromkeys("F_GETLK F_OFD_GETLK".split(), "lock_found"),
    "F_SETOWN_EX": "owner",
    "F_GETOWN_EX": ">owner",
    "F_GET_RW_HINT": ">hex",
    "F_SET_RW_HINT": "hex",
    "F_GET_FILE_RW_HINT": ">hex",
    "F_SET_FILE_RW_HINT": "hex",
}
_IOCTL: Mapping[str, str] = {
    "TCGETS": ">terminal",
    **dict.fromkeys("TCSETS TCSETSW TCSETSF".split(), "terminal"),
    "TIOCGWINSZ": ">window_size",
    "TIOCSWINSZ": "window_size",
    **dict.fromkeys("FIONREAD TIOCGPGRP TIOCGSID TIOCOUTQ TIOCGPTN TIOCGETD BLKSSZGET BLKPBSZGET".split(), ">int"),
    **dict.fromkeys("FIONBIO FIOASYNC TIOCSPGRP TIOCSPTLCK TIOCSETD".split(), "int"),
    "BLKGETSIZE64": ">long",
}
_PRCTL: Mapping[str, str] = {
    "PR_SET_NAME": "string",
    "PR_GET_NAME": ">string",
    "PR_GET_PDEATHSIG": ">signal",
    **dict.fromkeys("PR_GET_CHILD_SUBREAPER PR_GET_TSC PR_GET_UNALIGN PR_GET_FPEXC".split(), ">int"),
    "PR_GET_TID_ADDRESS": ">address",
}
_ARCH: Mapping[str, str] = {"ARCH_GET_FS": ">address", "ARCH_GET_GS": ">address"}
_BPF: Mapping[str, str] = {
    "BPF_MAP_CREATE": "bpf_map",
    "BPF_PROG_LOAD": "bpf_program",
    **dict.fromkeys(
        "BPF_MAP_LOOKUP_ELEM BPF_MAP_UPDATE_ELEM BPF_MAP_DELETE_ELEM BPF_MAP_LOOKUP_AND_DELETE_ELEM".split(),
        "bpf_element",
    ),
    "BPF_MAP_GET_NEXT_KEY": "bpf_next_key",
    **dict.fromkeys("BPF_OBJ_PIN BPF_OBJ_GET".split(), "bpf_pin"),
    **dict.fromkeys(
        "BPF_PROG_GET_NEXT_ID BPF_MAP_GET_NEXT_ID BPF_BTF_GET_NEXT_ID BPF_LINK_GET_NEXT_ID".split(), "bpf_next"
    ),
    **dict.fromkeys(
        "BPF_PROG_GET_FD_BY_ID BPF_MAP_GET_FD_BY_ID BPF_BTF_GET_FD_BY_ID BPF_LINK_GET_FD_BY_ID".split(), "bpf_id"
    ),
    "BPF_OBJ_GET_INFO_BY_FD": "bpf_info",
    "BPF_RAW_TRACEPOINT_OPEN": "bpf_raw_tracepoint",
    "BPF_BTF_LOAD": "bpf_btf",
    "BPF_LINK_CREATE": "bpf_link",
}
_SECCOMP: Mapping[str, str] = {"SECCOMP_SET_MODE_FILTER": "filter_program", "SECCOMP_GET_ACTION_AVAIL": "action"}
# The argument whose commands decide, the group of their names, and what each takes; of arguments that may be numbers.
_BY_KIND: Mapping[PayloadKind, tuple[str, str, Mapping[str, str]]] = {
    PayloadKind.FCNTL: ("cmd", "fcntl", _FCNTL),
    PayloadKind.IOCTL: ("cmd", "ioctl", _IOCTL),
    PayloadKind.PRCTL: ("option", "prctl", _PRCTL),
    PayloadKind.ARCH_PRCTL: ("option", "arch_prctl", _ARCH),
}
_SHARED: Mapping[str, str] = {"IPC_STAT": ">shared_memory", "IPC_SET": "shared_memory", "SHM_STAT": ">shared_memory"}
_QUEUES: Mapping[str, str] = {"IPC_STAT": ">message_queue", "IPC_SET": "message_queue", "MSG_STAT": ">message_queue"}

# The operations of futex(2) that wait: only theirs is a time.
_WAITS = frozenset(
    f"FUTEX_{word}{private}"
    for word in ("WAIT", "WAIT_BITSET", "WAIT_REQUEUE_PI", "LOCK_PI", "LOCK_PI2")
    for private in ("", "_PRIVATE")
)


def fcntl(given: Given) -> str:
    """A lock, an owner."""
    return _by(given, *_BY_KIND[PayloadKind.FCNTL])


def ioctl(given: Given) -> str:
    """A terminal's settings, its size, a number."""
    return _by(given, *_BY_KIND[PayloadKind.IOCTL])


def prctl(given: Given) -> str:
    """A name, a signal, a number."""
    return _by(given, *_BY_KIND[PayloadKind.PRCTL])


def arch_prctl(given: Given) -> str:
    """A segment's address."""
    return _by(given, *_BY_KIND[PayloadKind.ARCH_PRCTL])


def bpf(given: Given) -> str:
    """The part of union bpf_attr that a command has."""
    return _by(given, "cmd", "bpf", _BPF)


def seccomp(given: Given) -> str:
    """A filter's length and where it is."""
    return _by(given, "op", "seccomp", _SECCOMP)


def shared_memory(given: Given) -> str:
    """What shmctl tells or is told."""
    return _by(given, "cmd", "shared_command", _SHARED)


def message_queue(given: Given) -> str:
    """What msgctl tells or is told."""
    return _by(given, "cmd", "message_command", _QUEUES)


def futex_timeout(given: Given) -> str:
    """How long to wait; of other operations a number, which isn't for us to show."""
    operation = given.others.get("op")
    waits = operation is not None and members.name("futex_operation", operation, given.machine) in _WAITS
    return shapes.struct(given, "timespec") if waits else ""


def parent_tid(given: Given) -> str:
    """The new thread's number, where clone's flags say so."""
    return plain.ints(given.first(4)) if has(given, "clone_flags", "clone", "CLONE_PARENT_SETTID") else ""


def new_queue(given: Given) -> str:
    """A queue's size, which counts only when it is created: mq_open(3)."""
    return shapes.struct(given, "queue") if has(given, "oflag", "open", "O_CREAT") else ""


def has(given: Given, argument: str, group: str, flag: str) -> bool:
    """Whether an argument has a flag."""
    table = group_table(group, Width(8, False), given.machine)
    bits = {} if table is None else {name: number for number, name in table.symbols}
    return bool(given.others.get(argument, 0) & bits.get(flag, 0))


def leads_there(kind: PayloadKind, others: Mapping[str, int], machine: str) -> bool:
    """Whether an argument is an address: some are that by one command, and plain numbers by another."""
    wanted = _BY_KIND.get(kind)
    return wanted is None or _wanted(others, *wanted, machine) != ""


def _by(given: Given, argument: str, group: str, table: Mapping[str, str]) -> str:
    """What the command of an argument wants; nothing to say where that isn't known, or wasn't filled."""
    shape = _wanted(given.others, argument, group, table, given.machine)
    if not shape or not given.data or (shape.startswith(">") and not given.succeeded):
        return ""
    return _shown(given, shape.removeprefix(">"))


def _wanted(others: Mapping[str, int], argument: str, group: str, table: Mapping[str, str], machine: str) -> str:
    command = others.get(argument)
    return "" if command is None else _shape(group, command, machine, tuple(table.items()))


@lru_cache(maxsize=256)
def _shape(group: str, command: int, machine: str, table: tuple[tuple[str, str], ...]) -> str:
    """By a name of the command; a number may have several."""
    words = members.name(group, command, machine) or ""
    shapes_by_name = dict(table)
    return next((shapes_by_name[word] for word in words.split(" or ") if word in shapes_by_name), "")


def _shown(given: Given, shape: str) -> str:
    shower = _SHOWN.get(shape)
    if shower is not None:
        return shower(given)
    size = shapes.layout(shape, given.machine)[0]
    return shapes.struct(given.first(size), shape)


_SHOWN: Mapping[str, Shower] = {
    "int": lambda given: plain.ints(given.first(4)),
    "long": lambda given: plain.offset(given.first(8)),
    "hex": lambda given: f"[{members.hexadecimal(members.unsigned(given.data[:8]))}]",
    "address": lambda given: plain.address(given.first(8)),
    "string": lambda given: members.text(given.data),
    "signal": lambda given: _named(given, "signal"),
    "action": lambda given: _named(given, "filter_action"),
}


def _named(given: Given, group: str) -> str:
    number = members.unsigned(given.data[:4])
    return f"[{members.named(group, number, 4, False, given.machine)}]"
