"""Judges the facts of a machine: one line for each thing that tpkit uses. Looks at nothing itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tpkit.doctor.facts import Btf, Facts
from tpkit.host import HIGHEST_PARANOID, LOCKDOWN_REMEDY, PARANOID_REMEDY, install_command, memlock_remedy
from tpkit.runtime.alone import INTERRUPTED

EVERYTHING = ("list", "describe", "trace")
TRACE = ("trace",)
LIBBPF = ("libbpf",)

RUN_AS_ROOT = "run as root"
GIVE_CAPABILITIES = "run as root, or give it CAP_BPF and CAP_PERFMON"
OTHER_KERNEL = "boot one of your distribution's kernels, or one built with"

# What else BCC's programs and maps take besides the ring buffer: some pages each.
_BESIDES_RING = 1 << 20


class Status(StrEnum):
    """ok; limited: works with less, or can't be told; missing: doesn't work."""

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing. needed_for: what doesn't work without it (list, describe, trace; libbpf: building such programs)."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None
    needed_for: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "name": self.name,
            "status": self.status.value,
            "detail": self.detail,
            "remedy": self.remedy,
            "needed_for": list(self.needed_for),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of a machine, in the order in which they're worth reading."""

    kernel: str
    checks: tuple[Check, ...]

    @property
    def in_the_way(self) -> tuple[Check, ...]:
        """Those that keep trace from working."""
        return tuple(c for c in self.checks if c.status is Status.MISSING and "trace" in c.needed_for)

    @property
    def ok(self) -> bool:
        """Whether trace can work."""
        return not self.in_the_way

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return {"ok": self.ok, "kernel": self.kernel, "checks": [check.to_dict() for check in self.checks]}


def examine(facts: Facts) -> Report:
    """The facts, judged."""
    return Report(facts.release, tuple(judge(facts) for judge in _JUDGES))


# ---------------------------------------------------------------------------------- tracefs, BTF


def _tracefs(facts: Facts) -> Check:
    tracefs = facts.tracefs
    if not tracefs.known:
        what = "this kernel has no tracefs"
        return Check("tracefs", Status.MISSING, what, f"{OTHER_KERNEL} CONFIG_FTRACE=y", EVERYTHING)
    if tracefs.problem:
        remedy = tracefs.problem.remedy
        if tracefs.root is None and _is_contained(facts):
            remedy = f"{remedy}; a container: start it with --volume /sys/kernel/tracing:/sys/kernel/tracing"
        return Check("tracefs", Status.MISSING, tracefs.problem.what, remedy, EVERYTHING)
    if not tracefs.bcc_finds_it:
        remedy = f"as root: mount --bind {tracefs.root} /sys/kernel/tracing"
        what = f"mounted on {tracefs.root}; trace works, but generated programs don't look there"
        return Check("tracefs", Status.LIMITED, what, remedy, EVERYTHING)
    what = f"mounted on {tracefs.root}, readable, {tracefs.events} events"
    return Check("tracefs", Status.OK, what, needed_for=EVERYTHING)


def _is_contained(facts: Facts) -> bool:
    return not (facts.initial_pid_namespace and facts.initial_user_namespace)


def _syscalls(facts: Facts) -> Check:
    tracefs = facts.tracefs
    if not tracefs.events:
        return Check("syscalls", Status.LIMITED, "can't be told without tracefs", "see tracefs", EVERYTHING)
    if not tracefs.syscalls:
        what = "system calls are no events of this kernel; all others work"
        return Check("syscalls", Status.LIMITED, what, f"{OTHER_KERNEL} CONFIG_FTRACE_SYSCALLS=y", EVERYTHING)
    what = f"{tracefs.syscalls} events of system calls"
    if facts.interrupted:
        what += f"; {INTERRUPTED}"
        return Check("syscalls", Status.LIMITED, what, f"{OTHER_KERNEL} CONFIG_DEBUG_INFO_BTF=y", TRACE)
    return Check("syscalls", Status.OK, what, needed_for=EVERYTHING)


def _btf(facts: Facts) -> Check:
    config = f"{OTHER_KERNEL} CONFIG_DEBUG_INFO_BTF=y"
    status, detail, remedy = {
        Btf.READABLE: (Status.OK, "/sys/kernel/btf/vmlinux", None),
        Btf.ABSENT: (Status.MISSING, "none; describe works, without comparing with the kernel's structs", config),
        Btf.UNREADABLE: (Status.LIMITED, "may not be read", RUN_AS_ROOT),
        Btf.FOREIGN: (Status.LIMITED, "/sys/kernel/btf/vmlinux is no BTF; describe can't use it", config),
    }[facts.btf]
    return Check("btf", status, detail, remedy, LIBBPF)


# ---------------------------------------------------------------------------------- what the kernel takes


def _program(facts: Facts) -> Check:
    absent = ("this kernel takes no BPF programs on tracepoints", f"{OTHER_KERNEL} CONFIG_BPF_EVENTS=y")
    yes = "the kernel takes programs for tracepoints"
    return _answer(facts, "bpf", facts.answers.program, yes, absent)


def _ring_buffer(facts: Facts) -> Check:
    remedy = "Linux 5.8 or newer is needed for trace; list and describe work here"
    absent = ("this kernel has no BPF ring buffer", remedy)
    return _answer(facts, "ring-buffer", facts.answers.ring_buffer, "the kernel makes BPF ring buffers", absent)


def _perf_event(facts: Facts) -> Check:
    level = f"kernel.perf_event_paranoid is {facts.perf_paranoid}"
    absent = ("this kernel refuses perf events of all processes", f"{OTHER_KERNEL} CONFIG_PERF_EVENTS=y")
    answer = facts.answers.perf_event
    if answer in _FORBIDDEN and _may(facts) and (facts.perf_paranoid or 0) > HIGHEST_PARANOID:
        what = f"{level}: refused in spite of CAP_PERFMON"
        return Check("perf-event", Status.MISSING, what, PARANOID_REMEDY, TRACE)
    return _answer(facts, "perf-event", answer, f"BCC can attach; {level}", absent)


_FORBIDDEN = (errno.EPERM, errno.EACCES)


def _may(facts: Facts) -> bool:
    return facts.initial_user_namespace and not facts.missing


def _answer(facts: Facts, name: str, answer: int | None, yes: str, absent: tuple[str, str]) -> Check:
    """A check that the kernel itself has answered. absent: what to say, and to do, where it hasn't the thing."""
    if answer == 0:
        return Check(name, Status.OK, yes, needed_for=TRACE)
    if answer is None:
        what = f"tpkit doesn't know how to ask on this processor ({facts.machine})"
        return Check(name, Status.LIMITED, what, needed_for=TRACE)
    if answer in _FORBIDDEN:
        return _forbidden(facts, name)
    if answer == errno.ENOSYS and name != "perf-event":
        absent = ("this kernel has no bpf(2)", f"{OTHER_KERNEL} CONFIG_BPF_SYSCALL=y")
    what, remedy = absent
    return Check(name, Status.MISSING, f"{what} ({os.strerror(answer)})", remedy, TRACE)


def _forbidden(facts: Facts, name: str) -> Check:
    if not facts.initial_user_namespace:
        return Check(name, Status.LIMITED, "may not be asked from a user namespace", "see capabilities", TRACE)
    if facts.missing:
        what = f"may not be asked: {' and '.join(facts.missing)} missing"
        return Check(name, Status.LIMITED, what, "see capabilities", TRACE)
    if _memlock(facts).status is not Status.OK:
        return Check(name, Status.MISSING, "refused, maybe for the limit on locked memory", "see memlock", TRACE)
    if facts.seccomp:
        remedy = "run tpkit on the host, or start the container with --security-opt seccomp=unconfined"
        what = "refused in spite of all capabilities: system calls of this process are filtered"
        return Check(name, Status.MISSING, what, remedy, TRACE)
    what = "refused in spite of all capabilities, maybe by a security module"
    return Check(name, Status.MISSING, what, "look for its words in the kernel's log: dmesg", TRACE)


# ---------------------------------------------------------------------------------- BCC


def _bcc(facts: Facts) -> Check:
    bcc = facts.bcc
    if bcc.problem:
        return Check("bcc", Status.MISSING, bcc.problem.what, bcc.problem.remedy, TRACE)
    where = f"{bcc.version} in {bcc.folder}"
    if not bcc.has_ring_buffer:
        remedy = "get BCC 0.18 or newer, with a newer release of your distribution"
        return Check("bcc", Status.MISSING, f"{where}: too old, it has no ring buffers", remedy, TRACE)
    return Check("bcc", Status.OK, where, needed_for=TRACE)


# ---------------------------------------------------------------------------------- what we may


def _capabilities(facts: Facts) -> Check:
    if not facts.initial_user_namespace:
        what = "this process has its own user namespace, outside of which its capabilities don't count"
        return Check("capabilities", Status.MISSING, what, "run tpkit on the host, as root", TRACE)
    if facts.missing:
        remedy = GIVE_CAPABILITIES
        if facts.uid == 0:
            remedy = "run with all of root's capabilities; a container: start it with --cap-add BPF --cap-add PERFMON"
        return Check("capabilities", Status.MISSING, f"{' and '.join(facts.missing)} missing", remedy, TRACE)
    return Check("capabilities", Status.OK, "enough to load and attach", needed_for=TRACE)


def _lockdown(facts: Facts) -> Check:
    if facts.lockdown == "confidentiality":
        what = "confidentiality: tracefs is closed, BPF programs may not read the kernel's memory"
        return Check("lockdown", Status.MISSING, what, LOCKDOWN_REMEDY, EVERYTHING)
    if facts.lockdown is None:
        return Check("lockdown", Status.OK, "none, or securityfs isn't mounted", needed_for=EVERYTHING)
    detail = {"none": "none", "integrity": "integrity: in nobody's way here"}.get(facts.lockdown, facts.lockdown)
    return Check("lockdown", Status.OK, detail, needed_for=EVERYTHING)


def _unprivileged_bpf(facts: Facts) -> Check:
    """The three values: Documentation/admin-guide/sysctl/kernel.rst (2: commit 08389d888287)."""
    level = facts.unprivileged_bpf
    if level is None:
        return Check("unprivileged-bpf", Status.OK, "kernel.unprivileged_bpf_disabled isn't there")
    meaning = {
        0: "others than root may use some of BPF, but not trace",
        1: "no BPF without CAP_BPF or root, until the next boot",
        2: "no BPF without CAP_BPF or root; root may change that",
    }.get(level, "unknown to tpkit")
    return Check("unprivileged-bpf", Status.OK, f"{level}: {meaning}")


def _memlock(facts: Facts) -> Check:
    """Before 5.11 BPF memory counts against RLIMIT_MEMLOCK; libbcc raises it, if it may (CAP_SYS_RESOURCE)."""
    size = "unlimited" if facts.memlock is None else f"{facts.memlock >> 10} KiB"
    enough = _why_memlock_is_enough(facts)
    if enough is not None:
        return Check("memlock", Status.OK, size + enough, needed_for=TRACE)
    if not _may(facts):
        what = f"{size}; whether this kernel counts BPF's memory may not be asked"
        return Check("memlock", Status.LIMITED, what, "see capabilities", TRACE)
    if facts.answers.coarse_time == errno.EINVAL:
        what = f"{size}, {_memlock_needed(facts) >> 10} are needed, and CAP_SYS_RESOURCE to raise it is missing"
        return Check("memlock", Status.MISSING, what, memlock_remedy(facts.uid), TRACE)
    what = f"{size}; too small if this kernel counts BPF's memory, as those before 5.11 do"
    return Check("memlock", Status.LIMITED, what, memlock_remedy(facts.uid), TRACE)


def _why_memlock_is_enough(facts: Facts) -> str | None:
    if facts.memlock is None:
        return ""
    if facts.answers.coarse_time == 0:
        return "; this kernel doesn't count BPF's memory"
    if facts.memlock >= _memlock_needed(facts):
        return f", {_memlock_needed(facts) >> 10} are needed"
    if facts.can_raise_limits and facts.initial_user_namespace:
        return "; BCC raises it"
    return None


def _memlock_needed(facts: Facts) -> int:
    return facts.ring_bytes + _BESIDES_RING


def _pid_namespace(facts: Facts) -> Check:
    if facts.initial_pid_namespace:
        return Check("pid-namespace", Status.OK, "the machine's: all processes can be traced", needed_for=TRACE)
    remedy = "run tpkit on the host, or start the container with --pid host"
    return Check("pid-namespace", Status.LIMITED, "a container's: only its processes are traced", remedy, TRACE)


# ---------------------------------------------------------------------------------- other tools


def _headers(facts: Facts) -> Check:
    """tpkit brings its own few headers; other BCC programs take those of ``/lib/modules/RELEASE/build`` unchecked."""
    own = Path("/lib/modules", facts.release, "build")
    for release, path in facts.headers:
        if path == own and release != facts.release:
            what = f"{own} holds {release}'s: tpkit uses none, other tools would take the wrong ones"
            return Check("headers", Status.LIMITED, what, f"install the headers of {facts.release}, or remove the link")
    others = sorted({release for release, _ in facts.headers if not _belongs(release, facts.release)})
    if others:
        return Check("headers", Status.OK, f"of other kernels lie about ({_some(others)}); tpkit never uses any")
    return Check("headers", Status.OK, f"{'this kernel' if facts.headers else 'none'}; tpkit never uses any")


def _belongs(release: str, running: str) -> bool:
    """Debian's and Ubuntu's headers come in two packages: of the release with its flavour, and without."""
    return release == running or running.startswith(f"{release.removesuffix('-common')}-")


def _some(words: list[str], count: int = 3) -> str:
    more = f" and {len(words) - count} more" if len(words) > count else ""
    return ", ".join(words[:count]) + more


def _bpftrace(facts: Facts) -> Check:
    return _tool(facts, "bpftrace", ())


def _clang(facts: Facts) -> Check:
    return _tool(facts, "clang", LIBBPF)


def _bpftool(facts: Facts) -> Check:
    return _tool(facts, "bpftool", LIBBPF)


def _tool(facts: Facts, name: str, needed_for: tuple[str, ...]) -> Check:
    tool = facts.tools.get(name)
    install = install_command(name, facts.distribution)
    if tool is None:
        return Check(name, Status.MISSING, "not installed", install, needed_for)
    if tool.version is None:
        return Check(name, Status.LIMITED, f"{tool.path} can't be run, or not for this kernel", install, needed_for)
    return Check(name, Status.OK, f"{tool.version} in {tool.path}", needed_for=needed_for)


def _libbpf(facts: Facts) -> Check:
    if facts.libbpf is None:
        remedy = install_command("libbpf", facts.distribution)
        return Check("libbpf", Status.MISSING, "its headers aren't installed", remedy, LIBBPF)
    return Check("libbpf", Status.OK, f"headers{' of ' if facts.libbpf else ''}{facts.libbpf}", needed_for=LIBBPF)


_JUDGES: tuple[Callable[[Facts], Check], ...] = (
    _tracefs,
    _syscalls,
    _btf,
    _program,
    _ring_buffer,
    _perf_event,
    _bcc,
    _capabilities,
    _lockdown,
    _unprivileged_bpf,
    _memlock,
    _pid_namespace,
    _headers,
    _bpftrace,
    _clang,
    _bpftool,
    _libbpf,
)
