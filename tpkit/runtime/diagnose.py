"""Why the kernel or BCC refused: foreign exceptions and messages turned into errors of ours."""

from __future__ import annotations

import errno
import os
import re
import resource
from pathlib import Path

from tpkit import host
from tpkit.errors import AttachError, CompileError, KernelUnsupported, LoadError, PrivilegeError, ProbeError

_TOO_MANY_FILES = os.strerror(errno.EMFILE)

# Of libbcc, and of libbpf.
_RINGBUF_REFUSED = re.compile(r"could not open bpf map: events|map 'events': failed to create")


def check_privileges(status: Path = host.STATUS, lockdown: Path = host.LOCKDOWN) -> None:
    """Raises PrivilegeError or KernelUnsupported when loading can't work whatever the program is."""
    missing = host.missing_capabilities(status)
    if missing:
        raise PrivilegeError(
            f"this process may not load BPF programs: {' and '.join(missing)} missing",
            remedy="run as root, or give it CAP_BPF and CAP_PERFMON",
        )
    if host.lockdown(lockdown) == "confidentiality":
        raise KernelUnsupported(
            "kernel lockdown in confidentiality mode forbids BPF programs to read memory",
            where=str(lockdown),
            remedy=host.LOCKDOWN_REMEDY,
        )


def compile_failure(words: str) -> ProbeError:
    """BCC made no module: its compiler or the kernel's maps said no. ``words``: all it printed."""
    if _has_no_ring_buffer(words):
        return _no_ring_buffer(words)
    if "Operation not permitted" in words:
        return _not_permitted(words)
    return CompileError(
        "BCC could not compile the generated program",
        remedy="see the program with --show-program; please report this with your kernel's and BCC's version",
        details=words,
    )


def map_failure(name: str, error: OSError, *, is_ring: bool) -> ProbeError:
    """The kernel made no map."""
    words = f"map {name}: {error.strerror}"
    if is_ring and error.errno == errno.EINVAL:
        return _no_ring_buffer(words)
    if error.errno == errno.EMFILE:
        return _too_many_files(name)
    if error.errno == errno.EPERM:
        return _not_permitted(words)
    remedy = "give a smaller --buffer-size" if is_ring else "is there memory left? trace fewer events at once"
    return LoadError(f"the kernel made no map: {error.strerror}", where=name, remedy=remedy)


def load_failure(event: str, words: str) -> ProbeError:
    """The verifier said no, or we may not ask it."""
    if "Operation not permitted" in words or "super-user" in words:
        return _not_permitted(words)
    if _has_no_ring_buffer(words):
        return _no_ring_buffer(words)
    if _TOO_MANY_FILES in words:
        return _too_many_files(event)
    return LoadError(
        "the kernel's verifier refused the generated program",
        where=event,
        remedy="please report this with the program (--show-program) and your kernel's version",
        details=words,
    )


def attach_failure(event: str, words: str) -> ProbeError:
    """perf_event_open or its ioctl said no."""
    if "Operation not permitted" in words:
        return _not_permitted(words)
    if _TOO_MANY_FILES in words:
        return _too_many_files(event)
    level = host.sysctl("kernel.perf_event_paranoid")
    if "perf_event_open" in words and "ermission denied" in words and (level or 0) > host.HIGHEST_PARANOID:
        what = f"kernel.perf_event_paranoid is {level}: this kernel refuses perf events in spite of CAP_PERFMON"
        return PrivilegeError(what, where=event, remedy=host.PARANOID_REMEDY, details=words)
    if "ermission denied" in words:
        # tp_prog_is_valid_access passed, perf_event_set_bpf_prog compares with the real record.
        remedy = "the kernel's record is smaller than its format file says; please report this"
    else:
        remedy = "is tracefs mounted on /sys/kernel/tracing? as root: mount -t tracefs tracefs /sys/kernel/tracing"
    return AttachError("the program can't be attached to its tracepoint", where=event, remedy=remedy, details=words)


def _has_no_ring_buffer(words: str) -> bool:
    return "Invalid argument" in words and _RINGBUF_REFUSED.search(words) is not None


def _no_ring_buffer(words: str) -> KernelUnsupported:
    return KernelUnsupported(
        f"this kernel ({os.uname().release}) has no BPF ring buffer",
        remedy="Linux 5.8 or newer is needed to trace and to verify; list and describe work here",
        details=words,
    )


def _too_many_files(where: str) -> PrivilegeError:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return PrivilegeError(
        f"this process may have {limit} files open, and each event takes two",
        where=where,
        remedy="trace fewer events, or allow more with ulimit -n (a container: --ulimit nofile=10000)",
    )


def _not_permitted(words: str) -> PrivilegeError:
    if not host.in_initial_user_namespace():
        what = "the capabilities of this process count in its own user namespace only"
        return PrivilegeError(what, remedy="run tpkit on the host, as root", details=words)
    missing = host.missing_capabilities()
    what = f"the kernel refused BPF to this process{': ' + ' and '.join(missing) + ' missing' if missing else ''}"
    limit = host.memlock()
    # Before Linux 5.11 (commit d0b2818efbe2) maps and programs count against this limit, and libbcc may not raise it.
    if not missing and limit is not None and not host.has_capability("CAP_SYS_RESOURCE"):
        what += f", maybe for the limit on locked memory ({limit >> 10} KiB; before Linux 5.11 it holds for BPF)"
        return PrivilegeError(what, remedy=f"{host.memlock_remedy()}; see 'tpkit doctor'", details=words)
    remedy = "run as root; a container needs CAP_BPF and CAP_PERFMON; see 'tpkit doctor'"
    return PrivilegeError(what, remedy=remedy, details=words)
