"""``tpkit doctor`` in situations that this machine can be put into, and whether it tells the truth there.

With DOCTOR_OUTPUTS=FILE in the environment, what it prints in each of them is appended to the file. What
would change the whole machine is done in a throw-away VM only (``make matrix``); lockdown is a kernel's
boot parameter, or was set since, so these tests look at it as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import command
from tests.live.conftest import OWN_MOUNTS, UNSHARE
from tests.live.test_privileges import NOBODY, UNMOUNT
from tpkit import Tracefs, host

ENTER = "syscalls:sys_enter_unlinkat"
AS_NOBODY = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LOADER = "+bpf,+perfmon"
BPF_ONLY = [*AS_NOBODY, f"--inh-caps=-all,{LOADER}", f"--ambient-caps={LOADER}"]
READER = f"{LOADER},+dac_read_search"
BPF_AND_FILES = [*AS_NOBODY, f"--inh-caps=-all,{READER}", f"--ambient-caps={READER}"]
NO_RESOURCE = ["/usr/bin/setpriv", "--bounding-set=-sys_resource", "--inh-caps=-all"]

Check = dict[str, object]


class Report:
    """What ``doctor --json`` said."""

    def __init__(self, status: int, text: bytes) -> None:
        self.status = status
        self.content = json.loads(text)

    @property
    def ok(self) -> bool:
        return bool(self.content["ok"])

    def check(self, name: str) -> Check:
        found: Check = next(each for each in self.content["checks"] if each["name"] == name)
        return found

    def status_of(self, name: str) -> str:
        return str(self.check(name)["status"])

    def text_of(self, name: str) -> str:
        return f"{self.check(name)['detail']}; {self.check(name)['remedy']}"


def run(prefix: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*prefix, *command(*arguments)], capture_output=True, timeout=300, check=False)


def doctor(situation: str, prefix: Sequence[str] = ()) -> Report:
    """Runs it, which must give a whole report and no word on stderr, and notes the output."""
    if "DOCTOR_OUTPUTS" in os.environ:
        with Path(os.environ["DOCTOR_OUTPUTS"]).open("a") as file:
            file.write(f"\n### {situation}\n{run(prefix, 'doctor').stdout.decode()}")
    done = run(prefix, "doctor", "--json")
    assert done.stderr == b""
    report = Report(done.returncode, done.stdout)
    assert report.status == (0 if report.ok else 1)
    return report


def trace(prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[bytes]:
    """A trace that sees nothing and ends soon, but has loaded and attached."""
    return run(prefix, "trace", ENTER, "-p", str(os.getpid()), "-d", "0.1")


def in_own_mounts(script: str) -> list[str]:
    """A prefix: a mount namespace of its own, changed by a script first; ours stays as it is."""
    return [*UNSHARE, "/bin/sh", "-c", f'{OWN_MOUNTS} {script} exec "$@"', "sh"]


@pytest.fixture(scope="module", autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: the situations can't be made")


@pytest.fixture
def others_may_read() -> None:
    done = subprocess.run([*NOBODY, *command("--version")], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this checkout can't be read by other users")


@pytest.fixture
def throwaway() -> None:
    if "virtme" not in Path("/proc/cmdline").read_text():
        pytest.skip("changes the whole machine: only in a VM of make matrix")


def test_root_is_told_what_trace_finds(syscalls: Tracefs) -> None:
    report = doctor("as root")
    assert report.ok
    assert trace().returncode == 0
    for name in ("tracefs", "syscalls", "bpf", "ring-buffer", "perf-event", "bcc", "capabilities", "lockdown"):
        assert report.status_of(name) == "ok", report.text_of(name)
    assert str(syscalls.root) in report.text_of("tracefs")
    assert f"{len(syscalls.event_ids())} events" in report.text_of("tracefs")


def test_a_plain_user(syscalls: Tracefs, others_may_read: None) -> None:
    report = doctor("as a plain user (uid 65534)", NOBODY)
    assert not report.ok
    assert report.status_of("capabilities") == "missing"
    assert "CAP_BPF and CAP_PERFMON missing" in report.text_of("capabilities")
    for name in ("bpf", "perf-event"):
        assert report.status_of(name) == "limited"
        assert "may not be asked" in report.text_of(name)
    if syscalls.root.stat().st_mode & 0o007 == 0:
        assert report.status_of("tracefs") == "missing"
        assert "run as root" in report.text_of("tracefs")
    assert report.status_of("bcc") == "ok"


def test_root_without_capabilities(syscalls: Tracefs) -> None:
    report = doctor("as root without capabilities", ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all"])
    assert report.status_of("capabilities") == "missing"
    assert "--cap-add" in report.text_of("capabilities")


def test_only_the_capabilities_to_load(syscalls: Tracefs, others_may_read: None) -> None:
    report = doctor("as uid 65534 with CAP_BPF and CAP_PERFMON only", BPF_ONLY)
    assert report.status_of("capabilities") == "ok"
    if syscalls.root.stat().st_mode & 0o007 == 0:
        assert not report.ok
        assert report.status_of("tracefs") == "missing"
        assert "gid=" in report.text_of("tracefs")
        assert b"may not be read" in trace(BPF_ONLY).stderr


def test_the_capabilities_to_load_and_read(syscalls: Tracefs, others_may_read: None) -> None:
    """Enough, or the kernel is a distribution's that wants more (Debian's perf_event_paranoid of 3)."""
    report = doctor("as uid 65534 with CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH", BPF_AND_FILES)
    agree(report, trace(BPF_AND_FILES))


def agree(report: Report, traced: subprocess.CompletedProcess[bytes]) -> None:
    """trace works as doctor said; or fails, and names one of the causes that doctor named."""
    assert (traced.returncode == 0) == report.ok, (traced.stderr, report.content)
    if not report.ok:
        assert report.status_of("perf-event") == "missing" or report.status_of("memlock") == "missing"
        assert b"perf_event_paranoid" in traced.stderr or b"locked memory" in traced.stderr


@pytest.mark.parametrize("limit", [0, 65536])
def test_a_small_limit_on_locked_memory(syscalls: Tracefs, limit: int) -> None:
    prefix = ["/usr/bin/prlimit", f"--memlock={limit}", *NO_RESOURCE]
    report = doctor(f"as root with {limit >> 10} KiB of locked memory and no CAP_SYS_RESOURCE", prefix)
    traced = trace(prefix)
    assert (traced.returncode == 0) == report.ok, traced.stderr
    if not report.ok:
        assert report.status_of("memlock") in ("missing", "limited")
        assert b"locked memory" in traced.stderr


def test_tracefs_is_not_mounted(tracefs: Tracefs) -> None:
    report = doctor("in a mount namespace without tracefs", in_own_mounts(UNMOUNT))
    assert not report.ok
    assert report.status_of("tracefs") == "missing"
    assert "not mounted" in report.text_of("tracefs")
    assert "mount -t tracefs tracefs /sys/kernel/tracing" in report.text_of("tracefs")
    assert report.status_of("syscalls") == "limited"


def test_tracefs_is_empty(tracefs: Tracefs) -> None:
    """As a kernel without tracepoints has it, or one that was booted in lockdown."""
    prefix = in_own_mounts(
        f"{UNMOUNT} mount -t tracefs tracefs /sys/kernel/tracing && mount -t tmpfs x /sys/kernel/tracing;"
    )
    report = doctor("with an empty tracefs", prefix)
    assert report.status_of("tracefs") == "missing"
    assert "empty" in report.text_of("tracefs")
    done = run(prefix, "list", "--from", "tracefs")
    assert done.returncode == 1
    assert b"mounted and empty" in done.stderr


@pytest.fixture
def elsewhere() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="tpkit-test-", dir="/tmp")
    yield folder
    Path(folder).rmdir()


def test_tracefs_is_where_generated_programs_dont_look(syscalls: Tracefs, elsewhere: str) -> None:
    prefix = in_own_mounts(f"{UNMOUNT} mount -t tracefs tracefs {elsewhere};")
    report = doctor("with tracefs mounted in another place", prefix)
    assert report.ok
    assert report.status_of("tracefs") == "limited"
    assert f"mount --bind {elsewhere} /sys/kernel/tracing" in report.text_of("tracefs")
    assert run(prefix, "list", "unlinkat").returncode == 0
    assert trace(prefix).returncode == 0


def test_btf_is_hidden(syscalls: Tracefs) -> None:
    prefix = in_own_mounts("mount -t tmpfs tmpfs /sys/kernel/btf || exit 98;")
    report = doctor("with BTF hidden", prefix)
    assert report.ok
    assert report.status_of("btf") == "missing"
    assert run(prefix, "describe", ENTER).returncode == 0
    assert trace(prefix).returncode == 0


def test_bcc_is_hidden(syscalls: Tracefs) -> None:
    hide = "for d in /usr/lib/python3*/*-packages/bcc; do [ -d $d ] && mount -t tmpfs tmpfs $d; done;"
    report = doctor("without BCC", in_own_mounts(hide))
    assert not report.ok
    assert report.status_of("bcc") == "missing"
    assert host.install_command("bcc") in report.text_of("bcc")


def test_no_events_of_system_calls(syscalls: Tracefs) -> None:
    events = syscalls.root / "available_events"
    hide = (
        f"f=$(mktemp) && grep -v ^syscalls: {events} >$f && mount --bind $f {events} && rm $f"
        f" && mount -t tmpfs tmpfs {syscalls.root}/events/syscalls || exit 98;"
    )
    report = doctor("without CONFIG_FTRACE_SYSCALLS (hidden)", in_own_mounts(hide))
    assert report.status_of("syscalls") == "limited"
    assert "CONFIG_FTRACE_SYSCALLS" in report.text_of("syscalls")
    assert report.status_of("tracefs") == "ok"
    for verb in ("trace", "describe"):
        done = run(in_own_mounts(hide), verb, ENTER)
        assert done.returncode == 1
        assert b"CONFIG_FTRACE_SYSCALLS" in done.stderr


def test_a_user_namespace(syscalls: Tracefs) -> None:
    prefix = ["/usr/bin/unshare", "--user", "--map-root-user"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel allows no user namespaces")
    report = doctor("in a user namespace", prefix)
    assert not report.ok
    assert report.status_of("capabilities") == "missing"
    assert "on the host" in report.text_of("capabilities")
    assert report.status_of("bpf") == "limited"


def test_a_pid_namespace(syscalls: Tracefs) -> None:
    mounts = f'{OWN_MOUNTS} mount -t proc proc /proc && exec "$@"'
    prefix = [*UNSHARE, "--pid", "--fork", "/bin/sh", "-c", mounts, "sh"]
    report = doctor("in a PID namespace", prefix)
    assert report.ok
    assert report.status_of("pid-namespace") == "limited"


def test_lockdown() -> None:
    mode = host.lockdown()
    if mode in (None, "none"):
        pytest.skip("this kernel isn't locked down: boot it with lockdown=integrity or lockdown=confidentiality")
    report = doctor(f"lockdown={mode}")
    assert mode in report.text_of("lockdown")
    assert report.ok == (mode == "integrity")
    if mode == "integrity":
        assert trace().returncode == 0
        return
    assert report.status_of("lockdown") == "missing"
    for arguments in (["list"], ["describe", ENTER], ["trace", ENTER]):
        done = run([], *arguments)
        assert done.returncode == 1
        assert b"lockdown in confidentiality mode" in done.stderr


@pytest.fixture
def for_group(throwaway: None, syscalls: Tracefs) -> Iterator[None]:
    """tracefs as its remount makes it, for the whole machine: the mounts share one superblock."""
    remount(syscalls, "gid=65534,mode=750")
    yield
    remount(syscalls, "gid=0,mode=700")


def remount(tree: Tracefs, options: str) -> None:
    subprocess.run(["/usr/bin/mount", "-o", f"remount,{options}", str(tree.root)], check=True)


def test_tracefs_for_a_group(for_group: None, others_may_read: None) -> None:
    report = doctor("tracefs readable by group, as a plain user of it", NOBODY)
    assert report.status_of("tracefs") == "ok", report.text_of("tracefs")
    assert run(NOBODY, "describe", ENTER).returncode == 0
    report = doctor("tracefs readable by group, with CAP_BPF and CAP_PERFMON", BPF_ONLY)
    assert report.status_of("tracefs") == "ok"
    agree(report, trace(BPF_ONLY))


@pytest.fixture
def setting(throwaway: None) -> Iterator[Callable[[str, int], None]]:
    """Changes a number under /proc/sys; what can be put back is put back."""
    before: dict[Path, str] = {}

    def change(name: str, value: int) -> None:
        path = Path("/proc/sys", *name.split("."))
        before.setdefault(path, path.read_text())
        path.write_text(str(value))

    yield change
    for path, text in before.items():
        try:
            path.write_text(text)
        except OSError:  # unprivileged_bpf_disabled=1 stays
            continue


def test_paranoid_as_in_mainline(syscalls: Tracefs, others_may_read: None, setting: Callable[[str, int], None]) -> None:
    setting("kernel.perf_event_paranoid", 2)
    prefix = ["/usr/bin/prlimit", "--memlock=unlimited", *BPF_AND_FILES]
    report = doctor("kernel.perf_event_paranoid=2, enough memlock, CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH", prefix)
    assert report.ok
    assert trace(prefix).returncode == 0


@pytest.mark.parametrize("level", [2, 0, 1])  # 1 can't be changed any more
def test_unprivileged_bpf(
    syscalls: Tracefs, others_may_read: None, setting: Callable[[str, int], None], level: int
) -> None:
    if host.sysctl("kernel.unprivileged_bpf_disabled") == 1:
        pytest.skip("it is 1 already, which can't be changed")
    setting("kernel.unprivileged_bpf_disabled", level)
    for name, prefix in (("root", []), ("a plain user", NOBODY)):
        report = doctor(f"kernel.unprivileged_bpf_disabled={level}, as {name}", prefix)
        assert report.ok == (name == "root")
        assert report.text_of("unprivileged-bpf").startswith(f"{level}: ")
    refused = trace(NOBODY)
    assert refused.returncode == 1
    assert b"CAP_BPF and CAP_PERFMON missing" in refused.stderr or b"may not be read" in refused.stderr
