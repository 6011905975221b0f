"""Facts of machines, judged; and looked at, where the files of another machine can be handed over."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Run
from tpkit import host
from tpkit.doctor import Check, Facts, Report, Status, examine
from tpkit.doctor.facts import (
    BccFacts,
    Btf,
    Problem,
    Tool,
    TracefsFacts,
    libbpf_version,
    look_at_bcc,
    look_at_btf,
    look_at_tracefs,
)
from tpkit.doctor.kernel_calls import Answers, ask_kernel

TRACING = Path("/sys/kernel/tracing")
YES = Answers(ring_buffer=0, program=0, perf_event=0, coarse_time=0)
REFUSED = Answers(errno.EPERM, errno.EPERM, errno.EACCES, errno.EPERM)

# A machine that has everything.
HEALTHY = Facts(
    release="6.18.0",
    machine="x86_64",
    distribution=("debian",),
    uid=0,
    tracefs=TracefsFacts(known=True, root=TRACING, events=2305, syscalls=720),
    btf=Btf.READABLE,
    interrupted=False,
    answers=YES,
    bcc=BccFacts("0.26.0", Path("/usr/lib/python3/dist-packages/bcc"), has_ring_buffer=True),
    missing=(),
    can_raise_limits=True,
    initial_user_namespace=True,
    initial_pid_namespace=True,
    seccomp=False,
    lockdown="none",
    unprivileged_bpf=2,
    perf_paranoid=2,
    memlock=8 << 20,
    ring_bytes=8 << 20,
    headers=(),
    tools={name: Tool(Path("/usr/bin", name), "1.2.3") for name in ("bpftrace", "clang", "bpftool")},
    libbpf="1.1",
)
PLAIN_USER = replace(HEALTHY, uid=1000, missing=("CAP_BPF", "CAP_PERFMON"), answers=REFUSED, can_raise_limits=False)


def check(facts: Facts, name: str) -> Check:
    return next(each for each in examine(facts).checks if each.name == name)


def test_a_healthy_machine() -> None:
    report = examine(HEALTHY)
    assert report.ok
    assert {each.status for each in report.checks} == {Status.OK}
    assert all(each.remedy is None for each in report.checks)
    assert len({each.name for each in report.checks}) == len(report.checks) == 17


def unmounted(remedy: str = "as root: mount") -> TracefsFacts:
    return TracefsFacts(known=True, problem=Problem("tracefs is not mounted", remedy))


OLD = Answers(ring_buffer=errno.EINVAL, program=0, perf_event=0, coarse_time=errno.EINVAL)
NO_BPF = Answers(errno.ENOSYS, errno.ENOSYS, 0, errno.ENOSYS)
NO_PERF = replace(YES, perf_event=errno.ENOSYS)
COUNTS = replace(YES, coarse_time=errno.EINVAL)
EVERYTHING = ("list", "describe", "trace")


@pytest.mark.parametrize(
    ("facts", "name", "words", "remedy"),
    [
        (replace(HEALTHY, tracefs=unmounted()), "tracefs", "not mounted", "as root: mount"),
        (replace(HEALTHY, tracefs=TracefsFacts(known=False)), "tracefs", "no tracefs", "CONFIG_FTRACE"),
        (replace(HEALTHY, answers=OLD), "ring-buffer", "no BPF ring buffer", "5.8"),
        (replace(HEALTHY, answers=NO_BPF), "bpf", "no bpf(2)", "CONFIG_BPF_SYSCALL"),
        (replace(HEALTHY, answers=NO_BPF), "ring-buffer", "no bpf(2)", "CONFIG_BPF_SYSCALL"),
        (replace(HEALTHY, answers=replace(YES, program=errno.EINVAL)), "bpf", "no BPF programs", "CONFIG_BPF_EVENTS"),
        (replace(HEALTHY, answers=NO_PERF), "perf-event", "perf events", "CONFIG_PERF_EVENTS"),
        (replace(HEALTHY, answers=REFUSED), "bpf", "security module", "dmesg"),
        (replace(HEALTHY, answers=REFUSED, seccomp=True), "bpf", "filtered", "seccomp=unconfined"),
        (
            replace(HEALTHY, answers=replace(YES, perf_event=errno.EACCES), perf_paranoid=3),
            "perf-event",
            "in spite of CAP_PERFMON",
            "kernel.perf_event_paranoid=2",
        ),
        (replace(HEALTHY, bcc=BccFacts(problem=Problem("gone", "get it"))), "bcc", "gone", "get it"),
        (replace(HEALTHY, bcc=replace(HEALTHY.bcc, has_ring_buffer=False)), "bcc", "too old", "newer"),
        (replace(HEALTHY, missing=("CAP_BPF",)), "capabilities", "CAP_BPF missing", "--cap-add BPF"),
        (PLAIN_USER, "capabilities", "CAP_BPF and CAP_PERFMON missing", "run as root"),
        (replace(HEALTHY, initial_user_namespace=False), "capabilities", "user namespace", "on the host"),
        (replace(HEALTHY, lockdown="confidentiality"), "lockdown", "confidentiality", "lockdown=confidentiality"),
        (replace(HEALTHY, answers=COUNTS, can_raise_limits=False), "memlock", "9216 are needed", "--ulimit memlock"),
        (
            replace(HEALTHY, answers=COUNTS, can_raise_limits=False, uid=1000),
            "memlock",
            "CAP_SYS_RESOURCE",
            "prlimit --memlock=unlimited --pid",
        ),
    ],
)
def test_what_keeps_trace_from_working(facts: Facts, name: str, words: str, remedy: str) -> None:
    report = examine(facts)
    found = check(facts, name)
    assert found.status is Status.MISSING
    assert words in found.detail
    assert remedy in str(found.remedy)
    assert "trace" in found.needed_for
    assert not report.ok
    assert found in report.in_the_way


@pytest.mark.parametrize(
    ("facts", "name", "status", "words"),
    [
        (replace(HEALTHY, tracefs=unmounted()), "syscalls", Status.LIMITED, "without tracefs"),
        (
            replace(HEALTHY, tracefs=replace(HEALTHY.tracefs, syscalls=0)),
            "syscalls",
            Status.LIMITED,
            "all others work",
        ),
        (
            replace(HEALTHY, tracefs=replace(HEALTHY.tracefs, root=Path("/mnt/t"))),
            "tracefs",
            Status.LIMITED,
            "mounted on /mnt/t; trace works, but generated programs don't look there",
        ),
        (replace(HEALTHY, interrupted=True), "syscalls", Status.LIMITED, "may be interrupted"),
        (replace(HEALTHY, btf=Btf.ABSENT), "btf", Status.MISSING, "describe works"),
        (replace(HEALTHY, btf=Btf.UNREADABLE), "btf", Status.LIMITED, "may not be read"),
        (replace(HEALTHY, btf=Btf.FOREIGN), "btf", Status.LIMITED, "is no BTF"),
        (replace(HEALTHY, answers=Answers(None, None, None, None)), "bpf", Status.LIMITED, "how to ask"),
        (replace(HEALTHY, initial_pid_namespace=False), "pid-namespace", Status.LIMITED, "container"),
        (replace(HEALTHY, lockdown="integrity"), "lockdown", Status.OK, "integrity"),
        (replace(HEALTHY, lockdown=None), "lockdown", Status.OK, "none, or securityfs"),
        (replace(HEALTHY, answers=COUNTS), "memlock", Status.OK, "BCC raises it"),
        (replace(HEALTHY, answers=COUNTS, memlock=16 << 20), "memlock", Status.OK, "9216 are needed"),
        (replace(HEALTHY, memlock=None), "memlock", Status.OK, "unlimited"),
        (
            replace(HEALTHY, answers=replace(YES, coarse_time=errno.EPERM), can_raise_limits=False),
            "memlock",
            Status.LIMITED,
            "before 5.11",
        ),
        (replace(HEALTHY, unprivileged_bpf=0), "unprivileged-bpf", Status.OK, "0: others than root"),
        (replace(HEALTHY, unprivileged_bpf=1), "unprivileged-bpf", Status.OK, "until the next boot"),
        (replace(HEALTHY, unprivileged_bpf=None), "unprivileged-bpf", Status.OK, "isn't there"),
        (replace(HEALTHY, libbpf=None), "libbpf", Status.MISSING, "headers"),
        (replace(HEALTHY, libbpf=""), "libbpf", Status.OK, "headers"),
        (replace(HEALTHY, tools={}), "clang", Status.MISSING, "not installed"),
        (
            replace(HEALTHY, tools={"bpftool": Tool(Path("/usr/sbin/bpftool"), None)}),
            "bpftool",
            Status.LIMITED,
            "not for this kernel",
        ),
    ],
)
def test_what_is_no_obstacle(facts: Facts, name: str, status: Status, words: str) -> None:
    found = check(facts, name)
    assert found.status is status
    assert words in found.detail
    assert (found.remedy is None) == (status is Status.OK or found.detail.startswith("tpkit doesn't know"))
    assert found not in examine(facts).in_the_way


def test_a_plain_user_is_told_what_may_not_be_asked() -> None:
    for name in ("bpf", "ring-buffer", "perf-event"):
        found = check(PLAIN_USER, name)
        assert found.status is Status.LIMITED
        assert "may not be asked" in found.detail
    assert check(PLAIN_USER, "memlock").status is Status.LIMITED
    assert [each.name for each in examine(PLAIN_USER).in_the_way] == ["capabilities"]


def test_a_refusal_for_locked_memory_is_one() -> None:
    """With a limit of 0 a kernel before 5.11 refuses even to be asked."""
    facts = replace(HEALTHY, answers=replace(REFUSED, perf_event=0), can_raise_limits=False, memlock=0)
    assert [each.name for each in examine(facts).in_the_way] == ["bpf", "ring-buffer"]
    assert check(facts, "bpf").remedy == "see memlock"
    assert check(facts, "memlock").remedy


def test_capabilities_of_a_user_namespace_raise_no_limit() -> None:
    facts = replace(HEALTHY, initial_user_namespace=False, answers=REFUSED)
    assert check(facts, "memlock").status is Status.LIMITED
    assert check(facts, "bpf").detail == "may not be asked from a user namespace"


def test_a_container_without_tracefs_is_told_how_to_get_it() -> None:
    facts = replace(HEALTHY, tracefs=unmounted(), initial_pid_namespace=False)
    assert "--volume /sys/kernel/tracing" in str(check(facts, "tracefs").remedy)


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ((), Status.OK, "none"),
        ((("6.1.0-50-amd64", Path("/lib/modules/6.1.0-50-amd64/build")),), Status.OK, "this kernel"),
        ((("6.1.0-50-common", Path("/usr/src/linux-headers-6.1.0-50-common")),), Status.OK, "this kernel"),
        ((("5.10.0-32-amd64", Path("/usr/src/linux-headers-5.10.0-32-amd64")),), Status.OK, "other kernels"),
        ((("6.1.0-5", Path("/usr/src/linux-headers-6.1.0-5")),), Status.OK, "other kernels"),
        ((("5.10.0-32-amd64", Path("/lib/modules/6.1.0-50-amd64/build")),), Status.LIMITED, "wrong ones"),
    ],
)
def test_headers(headers: tuple[tuple[str, Path], ...], status: Status, words: str) -> None:
    found = check(replace(HEALTHY, release="6.1.0-50-amd64", headers=headers), "headers")
    assert found.status is status
    assert words in found.detail
    assert found.needed_for == ()


def test_many_headers_are_counted() -> None:
    headers = tuple((f"5.{minor}.0", Path("/usr/src", f"linux-headers-5.{minor}.0")) for minor in range(5))
    assert "(5.0.0, 5.1.0, 5.2.0 and 2 more)" in check(replace(HEALTHY, headers=headers), "headers").detail


@pytest.mark.parametrize(
    ("ids", "tool", "command"),
    [
        (("debian",), "libbpf", "apt-get install libbpf-dev"),
        (("ubuntu", "debian"), "bpftool", "apt-get install linux-tools-common linux-tools-generic"),
        (("rocky", "rhel", "centos", "fedora"), "libbpf", "dnf install libbpf-devel"),
        (("arch",), "bpftool", "pacman -S bpf"),
        (("arch",), "libbpf", "pacman -S libbpf"),
        (("opensuse-leap", "suse", "opensuse"), "clang", "zypper install clang"),
        (("plan9",), "clang", "install your distribution's package of clang"),
        ((), "libbpf", "install your distribution's package of libbpf's headers"),
    ],
)
def test_packages_by_distribution(ids: tuple[str, ...], tool: str, command: str) -> None:
    assert check(replace(HEALTHY, distribution=ids, tools={}, libbpf=None), tool).remedy == command


def test_json_is_what_was_promised() -> None:
    facts = replace(PLAIN_USER, tracefs=unmounted())
    content = json.loads(json.dumps(examine(facts).to_dict()))
    assert set(content) == {"ok", "kernel", "checks"}
    assert (content["ok"], content["kernel"]) == (False, "6.18.0")
    assert content["checks"][0] == {
        "name": "tracefs",
        "status": "missing",
        "detail": "tracefs is not mounted",
        "remedy": "as root: mount",
        "needed_for": list(EVERYTHING),
    }


# ---------------------------------------------------------------------------------- looking


def test_tracefs_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "tracing"
    event = place / "events" / "sched" / "x"
    event.mkdir(parents=True)
    (place / "available_events").write_text("sched:x\nsyscalls:sys_enter_y\n")
    (event / "format").write_text("name: x\n")
    (event / "id").write_text("7\n")
    (tmp_path / "mounts").write_text(f"tracefs {place} tracefs rw 0 0\n")
    (tmp_path / "filesystems").write_text("nodev\tsysfs\nnodev\ttracefs\n")
    found = look_at_tracefs(tmp_path / "mounts", tmp_path / "filesystems")
    assert found.known
    if found.root == place:  # else this machine's own goes first
        assert (found.events, found.syscalls, found.problem) == (2, 1, None)
        assert not found.bcc_finds_it


def test_a_kernel_without_tracefs(tmp_path: Path) -> None:
    (tmp_path / "filesystems").write_text("nodev\tsysfs\n\text4\n")
    assert not look_at_tracefs(tmp_path / "mounts", tmp_path / "filesystems").known
    assert look_at_tracefs(tmp_path / "mounts", tmp_path / "missing").known


def test_btf_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    assert look_at_btf(path) is Btf.ABSENT
    assert look_at_btf(path / "below") is Btf.ABSENT
    path.write_bytes(b"\x9f\xeb\x01\x00")
    assert look_at_btf(path) is Btf.READABLE
    path.write_bytes(b"ELF")
    assert look_at_btf(path) is Btf.FOREIGN
    assert look_at_btf(tmp_path) is Btf.UNREADABLE


def test_no_bcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "bcc", raising=False)
    found = look_at_bcc([tmp_path / "bcc"])
    assert found.problem is not None
    assert "isn't installed" in found.problem.what
    assert found.problem.remedy == host.install_command("bcc")


def test_libbpf_headers(tmp_path: Path) -> None:
    assert libbpf_version([tmp_path]) is None
    (tmp_path / "bpf_helpers.h").write_text("")
    assert libbpf_version([tmp_path]) == ""  # 0.5 and older say no version
    (tmp_path / "libbpf.h").write_text("")
    (tmp_path / "libbpf_version.h").write_text("#define LIBBPF_MAJOR_VERSION 1\n#define LIBBPF_MINOR_VERSION 4\n")
    assert libbpf_version([tmp_path / "missing", tmp_path]) == "1.4"


def test_a_processor_that_cant_be_asked() -> None:
    assert ask_kernel("pdp11") == Answers(None, None, None, None)


def test_the_kernel_answers_and_nothing_stays_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    answers = ask_kernel()
    assert answers.program is None or 0 <= answers.program < 200
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_header_trees(tmp_path: Path) -> None:
    modules, sources = tmp_path / "modules", tmp_path / "src"
    (sources / "linux-headers-6.1.0-50-amd64" / "include" / "config").mkdir(parents=True)
    (sources / "linux-headers-6.1.0-50-amd64" / "include" / "config" / "kernel.release").write_text("6.1.0-50-amd64\n")
    (sources / "linux-headers-6.1.0-50-common").mkdir()
    (sources / "kernels" / "6.9.9-200.fc40.x86_64").mkdir(parents=True)
    for release, target in (("6.2.0", "linux-headers-6.1.0-50-amd64"), ("6.3.0", "removed")):
        (modules / release).mkdir(parents=True)
        (modules / release / "build").symlink_to(sources / target)
    assert host.header_trees(modules, sources) == (
        ("6.1.0-50-amd64", modules / "6.2.0" / "build"),
        ("6.1.0-50-amd64", sources / "linux-headers-6.1.0-50-amd64"),
        ("6.1.0-50-common", sources / "linux-headers-6.1.0-50-common"),
        ("6.9.9-200.fc40.x86_64", sources / "kernels" / "6.9.9-200.fc40.x86_64"),
    )
    assert host.header_trees(tmp_path / "no", tmp_path / "nothing") == ()


def test_status_and_limits(tmp_path: Path) -> None:
    status = tmp_path / "status"
    assert host.missing_capabilities(status) == ()  # no /proc: the kernel will tell
    assert not host.has_seccomp_filter(status)
    status.write_text("Name:\tx\nCapEff:\t0000000001000000\nSeccomp:\t2\n")
    assert host.has_capability("CAP_SYS_RESOURCE", status)
    assert not host.has_capability("CAP_BPF", status)
    assert host.has_seccomp_filter(status)
    limits = tmp_path / "limits"
    assert host.memlock(limits) is None
    limits.write_text("Max locked memory         65536                65536                bytes\n")
    assert host.memlock(limits) == 65536
    limits.write_text("Max locked memory         unlimited            unlimited            bytes\n")
    assert host.memlock(limits) is None


def test_numbers_under_proc_sys(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "x").write_text("-1\n")
    assert host.sysctl("kernel.x", tmp_path) == -1
    assert host.sysctl("kernel.y", tmp_path) is None


# ---------------------------------------------------------------------------------- the command


def test_the_command_gives_one_line_a_check(tpkit: Run) -> None:
    done = tpkit("doctor")
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("kernel ")
    assert lines[-1].startswith("trace: ")
    assert b"\033" not in done.stdout
    checks = [line for line in lines[1:-1] if not line.startswith(" ")]
    assert len(checks) == 17
    assert {line.split()[0] for line in checks} <= {"ok", "limited", "missing"}
    assert done.returncode == (0 if lines[-1].endswith("missing") else 1)


def test_the_command_as_json(tpkit: Run) -> None:
    done = tpkit("doctor", "--json")
    content = json.loads(done.stdout)
    assert done.returncode == (0 if content["ok"] else 1)
    assert done.stdout.count(b"\n") == 1


def test_what_a_machine_says_is_safe_for_a_terminal() -> None:
    from tpkit.cli.doctor import report_text

    report = Report("6\033[2J", (Check("bcc", Status.MISSING, "in \033[31m", "get\na\033 newer"),))
    text = report_text(report, colour=False)
    assert "\033" not in text
    assert "\033[31mmissing\033[0m" in report_text(report, colour=True)


def test_the_command_loads_no_heavy_modules() -> None:
    import subprocess
    import sys

    code = "import sys, tpkit.doctor as d; d.gather(); print({'numpy', 'jinja2', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
