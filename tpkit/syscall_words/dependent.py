"""Arguments whose meaning depends on another one: fcntl's ``arg`` on its ``cmd``, a socket's protocol on its family.

Sources as in ``arguments``. The values that decide are written by their names, whose numbers are in ``names``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from tpkit.model import Field, SymbolTable, TracepointId
from tpkit.syscall_words.arguments import all_arguments
from tpkit.syscall_words.names import BASES, OWN
from tpkit.syscall_words.tables import group_table
from tpkit.widths import Width, argument_width

_MACHINE = "x86_64"
_WIDE = Width(8, True)


def _each(names: str, group: str) -> Mapping[str, str]:
    return dict.fromkeys(names.split(), group)


_OPTIONS: Mapping[str, str] = {
    "SOL_SOCKET": "socket_option",
    "SOL_IP": "ip_option",
    "SOL_IPV6": "ipv6_option",
    "SOL_TCP": "tcp_option",
    "SOL_UDP": "udp_option",
    "SOL_NETLINK": "netlink_option",
    "SOL_PACKET": "packet_option",
}
_PROTOCOLS: Mapping[str, str] = {
    "AF_INET": "protocol",
    "AF_INET6": "protocol",
    "AF_NETLINK": "netlink_protocol",
    "AF_PACKET": "packet_protocol",
}

# Argument -> the argument that decides, and by the names of its values the group of names that this one has. Where two
# decide, the names of both, with a space between; of those that the second has anyway, when the first has its value.
_DEPENDENT: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "fcntl.arg": (
        "cmd",
        {
            "F_SETFD": "descriptor_flag",
            "F_SETFL": "open",
            "F_SETSIG": "signal",
            "F_SETLEASE": "lock_type",
            "F_NOTIFY": "directory_notification",
            "F_ADD_SEALS": "seal",
        },
    ),
    "socket.protocol": ("family", _PROTOCOLS),
    "socketpair.protocol": ("family", _PROTOCOLS),
    "getsockopt.optname": ("level", _OPTIONS),
    "setsockopt.optname": ("level", _OPTIONS),
    "prctl.arg2": (
        "option",
        {
            "PR_SET_PDEATHSIG": "signal",
            **_each("PR_CAPBSET_READ PR_CAPBSET_DROP", "capability"),
            "PR_CAP_AMBIENT": "ambient_capability",
            "PR_SET_SECUREBITS": "secure_bits",
            "PR_SET_SECCOMP": "seccomp_mode",
            **_each("PR_GET_SPECULATION_CTRL PR_SET_SPECULATION_CTRL", "speculation"),
            "PR_SET_TSC": "time_stamp",
            "PR_SET_TIMING": "timing",
            "PR_MCE_KILL": "machine_check",
            "PR_SET_MM": "memory_map",
            "PR_SET_VMA": "memory_area",
            "PR_SET_PTRACER": "tracer",
            "PR_SCHED_CORE": "core_scheduling",
        },
    ),
    "prctl.arg3": (
        "option arg2",
        {
            **{f"PR_CAP_AMBIENT PR_CAP_AMBIENT_{word}": "capability" for word in ("RAISE", "LOWER", "IS_SET")},
            **{
                f"PR_SET_SPECULATION_CTRL PR_SPEC_{word}": "speculation_control"
                for word in ("STORE_BYPASS", "INDIRECT_BRANCH", "L1D_FLUSH")
            },
            "PR_MCE_KILL PR_MCE_KILL_SET": "machine_check_policy",
        },
    ),
    "ptrace.addr": ("request", _each("PTRACE_GETREGSET PTRACE_SETREGSET", "register_set")),
    "ptrace.data": (
        "request",
        {
            **_each("PTRACE_SETOPTIONS PTRACE_SEIZE", "trace_option"),
            **_each("PTRACE_CONT PTRACE_SYSCALL PTRACE_SINGLESTEP PTRACE_DETACH PTRACE_LISTEN", "signal"),
        },
    ),
    "futex.val3": (
        "op",
        _each(
            "FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_WAIT_BITSET_PRIVATE FUTEX_WAKE_BITSET_PRIVATE",
            "futex_bits",
        ),
    ),
    "keyctl.arg2": (
        "option",
        {
            **_each(
                "KEYCTL_GET_KEYRING_ID KEYCTL_UPDATE KEYCTL_REVOKE KEYCTL_CHOWN KEYCTL_SETPERM KEYCTL_DESCRIBE "
                "KEYCTL_CLEAR KEYCTL_LINK KEYCTL_UNLINK KEYCTL_SEARCH KEYCTL_READ KEYCTL_INVALIDATE",
                "keyring",
            ),
            "KEYCTL_SET_REQKEY_KEYRING": "key_request",
        },
    ),
    "keyctl.arg3": ("option", _each("KEYCTL_LINK KEYCTL_UNLINK", "keyring")),
}

# The same for what a call returns.
_RESULTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "fcntl": (
        "cmd",
        {
            "F_GETFD": "descriptor_flag",
            "F_GETFL": "open",
            "F_GETSIG": "signal",
            "F_GETLEASE": "lock_type",
            "F_GET_SEALS": "seal",
        },
    ),
    "prctl": ("option", {"PR_GET_SECUREBITS": "secure_bits", "PR_GET_SPECULATION_CTRL": "speculation_control"}),
}


def dependent_key(event: TracepointId, field: Field) -> str | None:
    """What ``deciders`` and ``decided_table`` know an argument by, None for most: other arguments say nothing of it."""
    key = f"{event.syscall}.{field.name}"
    return key if event.is_syscall_enter and key in _DEPENDENT else None


def result_key(syscall: str) -> str | None:
    """The same for what a system call returns."""
    return syscall if syscall in _RESULTS else None


def deciders(key: str) -> tuple[str, ...]:
    """The names of the arguments that say what this one means; none for a key that isn't one."""
    found = _DEPENDENT.get(key) or _RESULTS.get(key)
    return () if found is None else tuple(found[0].split())


def decided_table(
    key: str, others: Mapping[str, int], width: Width = _WIDE, machine: str = _MACHINE
) -> SymbolTable | None:
    """The names that numbers have beside a call's other ones, these by their parameters' names; None for most.

    Cheap: what was asked before is remembered by the values that decide.
    """
    wanted = deciders(key)
    if not wanted or not all(decider in others for decider in wanted):
        return None
    group = _group(key, tuple(others[decider] for decider in wanted), machine)
    return None if group is None else group_table(group, width, machine)


def deciding_arguments(event: TracepointId, field: Field) -> tuple[str, ...]:
    """``deciders`` of an argument."""
    key = dependent_key(event, field)
    return () if key is None else deciders(key)


def dependent_table(
    event: TracepointId, field: Field, others: Mapping[str, int], machine: str = _MACHINE
) -> SymbolTable | None:
    """The names for an argument, given the call's other numbers by their parameters' names; None for most."""
    key, width = dependent_key(event, field), argument_width(field)
    return None if key is None or width is None else decided_table(key, others, width, machine)


def dependent_result(syscall: str, others: Mapping[str, int], machine: str = _MACHINE) -> SymbolTable | None:
    """The names for what a system call returns, where another argument decides; None for most."""
    return decided_table(syscall, others, machine=machine) if syscall in _RESULTS else None


def option_name(level: int, number: int, machine: str = _MACHINE) -> str | None:
    """A socket's option by its name: ``SO_REUSEADDR``."""
    group = _group("setsockopt.optname", (level,), machine)
    table = None if group is None else group_table(group, _WIDE, machine)
    return None if table is None else dict(table.symbols).get(number)


def dependent_groups() -> Iterable[str]:
    """All groups that an argument may have."""
    return {group for _, groups in (*_DEPENDENT.values(), *_RESULTS.values()) for group in groups.values()}


@lru_cache(maxsize=1024)
def _group(key: str, values: tuple[int, ...], machine: str) -> str | None:
    """The group that an argument, or a call's result, has when those that decide have these values."""
    decider, groups = _DEPENDENT.get(key) or _RESULTS[key]
    syscall = key.partition(".")[0]
    names: list[str] = []
    for argument, value in zip(decider.split(), values, strict=True):
        own: str | None = all_arguments().get(f"{syscall}.{argument}")
        if own is None:
            own = _group(f"{syscall}.{argument}", values[: len(names)], machine)
        name = None if own is None else _name(own, value, machine)
        if name is None:
            return None
        names.append(name)
    return groups.get(" ".join(names))


def _name(group: str, value: int, machine: str) -> str | None:
    table = group_table(BASES.get(group, group), _WIDE, machine) if machine in OWN else None
    if table is None:
        return None
    return dict(table.symbols).get(value if table.mask is None else value & table.mask)
