"""The reference case on the running kernel, with processes that these tests start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Run, command
from tests.decoded import collected, events_of
from tests.live.conftest import OWN_MOUNTS, UNSHARE, Trace, Waiting, held_by, nothing_is_left, ours_in_the_kernel
from tpkit import (
    AttachError,
    BccRuntime,
    CompileError,
    Hook,
    LoadError,
    ProbeSpec,
    Program,
    RecordLayout,
    Session,
    Tracefs,
    TracepointId,
    generate_bcc,
    parse_event,
)
from tpkit.program import DEFAULT_RING_SIZE
from tpkit.runtime.ring import MappedRing, find_barrier

ENTER = "syscalls:sys_enter_unlinkat"
EXIT = "syscalls:sys_exit_unlinkat"
HOSTILE = b'a\nb\x1b[31m"\xff'

MakeWaiting = Callable[..., Waiting]
StartTrace = Callable[..., Trace]


def make_files(folder: Path, *names: bytes) -> list[bytes]:
    paths = [os.fsencode(folder) + b"/" + name for name in names]
    for path in paths:
        Path(os.fsdecode(path)).touch()
    return paths


def test_unlinkat_as_text(tmp_path: Path, waiting: MakeWaiting, trace: StartTrace) -> None:
    (path,) = make_files(tmp_path, HOSTILE)
    shell = waiting('rm -- "$1"; rm -d -- "$2"; rm -- "$1" 2>&-; exit 0', path, os.fsencode(tmp_path / "d"))
    (tmp_path / "d").mkdir()
    tracing = trace(ENTER, EXIT, "--comm", "rm", "-d", "30", "-M", "6")
    assert shell.go() == 0
    assert tracing.process.wait(PATIENCE) == 0
    text = tracing.text()
    assert text.startswith("TIME")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert rf'(dfd=AT_FDCWD, pathname="{tmp_path}/a\nb\033[31m\"\377", flag=0)' in text
    assert "flag=AT_REMOVEDIR" in text
    assert "sys_exit_unlinkat(ret=-ENOENT)" in text


@pytest.mark.parametrize("name", [HOSTILE, b"plain", b"x" * 255, "caf\u00e9\u202e".encode()])
def test_the_exact_name_comes_back_from_json(
    tmp_path: Path, waiting: MakeWaiting, trace: StartTrace, name: bytes
) -> None:
    (path,) = make_files(tmp_path, name)
    shell = waiting('exec rm -- "$1"', path)
    tracing = trace(ENTER, "-p", str(shell.pid), "-M", "1", "-f", "json", "--string-size", "4096")
    assert shell.go() == 0
    assert tracing.process.wait(PATIENCE) == 0
    (event,) = tracing.events()
    args, exact = event["args"], event.get("args_hex", {})
    recovered = bytes.fromhex(exact["pathname"]) if "pathname" in exact else args["pathname"].encode()
    assert recovered == path
    assert (args["dfd"], args["flag"], event["pid"], event["comm"]) == (-100, 0, shell.pid, "rm")
    assert event["args_text"] == {"dfd": "AT_FDCWD"}
    assert b"1 event in" in tracing.stderr.read_bytes()
    assert b"none lost" in tracing.stderr.read_bytes()


def test_long_strings_are_cut_and_marked(tmp_path: Path, waiting: MakeWaiting, trace: StartTrace) -> None:
    shell = waiting("exec rm -f -- /nonexistent-12345")
    tracing = trace(ENTER, "-p", str(shell.pid), "--string-size", "10")
    shell.go()
    assert tracing.process.wait(PATIENCE) == 0  # the traced process has ended
    assert 'pathname="/nonexiste"...,' in tracing.text()


def test_against_strace(tmp_path: Path, waiting: MakeWaiting, trace: StartTrace) -> None:
    """What strace says of the same calls is what we say."""
    log = tmp_path / "strace"
    paths = make_files(tmp_path, b"one", b'tw"o', b"thr\tee")
    shell = waiting('exec rm -f -- "$@"', *paths, b"/nonexistent")
    strace = subprocess.Popen(
        ["/usr/bin/strace", "-qq", "-s", "4096", "-e", "trace=unlinkat", "-o", str(log), "-p", str(shell.pid)]
    )
    try:
        tracing = trace(ENTER, "-p", str(shell.pid))
        while not is_traced(shell.pid):
            time.sleep(0.01)
        shell.go()
        assert tracing.process.wait(PATIENCE) == 0
    finally:
        strace.wait(PATIENCE)
    expected = re.findall(r'unlinkat\((\S+), ("(?:[^"\\]|\\.)*"), (\S+)\)', log.read_text())
    ours = re.findall(r'unlinkat\(dfd=(\S+), pathname=("(?:[^"\\]|\\.)*"), flag=(\S+)\)', tracing.text())
    assert len(expected) == 4
    assert ours == expected


def is_traced(pid: int) -> bool:
    return re.search(r"TracerPid:\s*0$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE) is None


def test_a_session_delivers_all_in_order(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs) -> None:
    paths = make_files(tmp_path, *(b"f%d" % n for n in range(300)))
    shell = waiting('exec rm -- "$@"', *paths)
    with Session(program(syscalls, shell.pid), BccRuntime(), pids=(shell.pid,)) as session:
        shell.go()
        events = collected(session).events
    assert [event.text("pathname") for event in events] == paths
    (account,) = session.ledger.accounts
    assert (account.matched, account.delivered, account.lost) == (300, 300, {})


# Of the second kind of machine the barrier is a system call, which this one has too.
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_ring_with_either_barrier(
    tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, machine: str
) -> None:
    paths = make_files(tmp_path, *(b"f%d" % n for n in range(300)))
    shell = waiting('exec rm -- "$@"', *paths)
    running = BccRuntime().start(program(syscalls, shell.pid))
    try:
        ring = MappedRing(running.ready_descriptor() or -1, DEFAULT_RING_SIZE, find_barrier(machine))
        shell.go()
        events = events_of(ring.read(program(syscalls, shell.pid).layouts))
        assert len(ring.read(program(syscalls, shell.pid).layouts)) == 0
        ring.close()
    finally:
        running.close()
    assert [event.text("pathname") for event in events] == paths


def program(tree: Tracefs, pid: int, *names: str) -> Program:
    ids = [TracepointId.parse(name) for name in names or (ENTER,)]
    return generate_bcc(ProbeSpec(tuple(parse_event(tree.format_text(i), i) for i in ids), pids=(pid,)))


UNLINK_MANY = """
import ctypes, sys
libc = ctypes.CDLL(None)
sys.stdin.read(1)
for n in range(int(sys.argv[1])):
    libc.unlinkat(-100, b"/nonexistent/%d" % n, 0)
"""


def test_every_event_is_delivered_or_counted_as_lost(tmp_path: Path, trace: StartTrace) -> None:
    """A consumer that is stopped loses events, and says exactly how many."""
    count = 60_000
    child = subprocess.Popen(
        ["/usr/bin/python3", "-c", UNLINK_MANY, str(count)], stdin=subprocess.PIPE, cwd="/"
    )
    assert child.stdin is not None
    tracing = trace(ENTER, "-p", str(child.pid), "-f", "json", "--buffer-size", "1M")
    tracing.process.send_signal(signal.SIGSTOP)
    child.communicate(b"x", timeout=PATIENCE)
    tracing.process.send_signal(signal.SIGCONT)
    assert tracing.process.wait(PATIENCE) == 0
    delivered = tracing.events()
    lost: int = sum(line["lost"] for line in tracing.lines() if "lost" in line)
    assert lost > 0
    assert len(delivered) + lost == count
    ledger = tracing.ledger()
    assert (ledger["matched"], ledger["delivered"]) == (count, len(delivered))
    assert ledger["lost"] == {"ring buffer full": lost}
    numbers = [int(each["args"]["pathname"].rsplit("/", 1)[1]) for each in delivered]
    assert numbers == list(range(len(numbers)))  # what was lost came last, and nothing twice
    assert f"{len(delivered)} events in".encode() in tracing.stderr.read_bytes()
    assert f"{lost} lost".encode() in tracing.stderr.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(waiting: MakeWaiting, trace: StartTrace, number: signal.Signals) -> None:
    shell = waiting("exit 0")
    tracing = trace(ENTER, "-p", str(shell.pid))
    mine = held_by(tracing.process.pid)
    assert sorted(kind for kind, _ in mine) == [*["map"] * 4, "prog"]  # the ring, counters, session, scratch
    assert mine <= ours_in_the_kernel()
    status = tracing.end(number)
    assert status == (-number if number is signal.SIGKILL else 0)
    nothing_is_left(*mine)
    if number is not signal.SIGKILL:
        assert b"0 events in" in tracing.stderr.read_bytes()
        assert b"Traceback" not in tracing.stderr.read_bytes()


def test_a_signal_while_it_compiles(waiting: MakeWaiting, trace: StartTrace) -> None:
    shell = waiting("exit 0")
    for delay in (0.05, 0.15, 0.3, 0.45):
        tracing = trace(ENTER, "-p", str(shell.pid), attached=False)
        time.sleep(delay)
        # Before our first line runs Python has the signal, and says so in its own way, or loses it: where it
        # imports its own modules (3 of 120 signals in the first 40 ms, with 3.11).
        tracing.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            tracing.process.wait(20)
        status, words = tracing.end(), tracing.stderr.read_bytes()
        assert status in (0, 130) or b"/tpkit/cli/" not in words
        assert b"Aborted" not in words
    nothing_is_left()


def test_a_reader_that_goes_away(waiting: MakeWaiting, syscalls: Tracefs, tmp_path: Path) -> None:
    """``| head -1``: the header is all it takes, and no event need come for us to notice."""
    shell = waiting("exit 0")
    head = subprocess.Popen(["/usr/bin/head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tracing = subprocess.Popen(command("trace", ENTER, "-p", str(shell.pid)), stdout=head.stdin, stderr=subprocess.PIPE)
    assert head.stdin is not None
    head.stdin.close()
    _, words = tracing.communicate(timeout=PATIENCE)
    assert head.stdout is not None
    assert head.stdout.read().startswith(b"TIME")
    head.wait(PATIENCE)
    assert tracing.returncode == 0
    assert b"Traceback" not in words
    nothing_is_left()


def test_duration(waiting: MakeWaiting, trace: StartTrace) -> None:
    shell = waiting("exit 0")
    tracing = trace(ENTER, "-p", str(shell.pid), "-d", "0.2", "-o", "/dev/null")
    assert tracing.process.wait(PATIENCE) == 0
    assert re.search(rb"0 events in (?!0\.[01])\d+\.\d s", tracing.stderr.read_bytes())


def test_file_output_and_quiet(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, tpkit: Run) -> None:
    shell = waiting("exit 0")
    out = tmp_path / "events"
    done = tpkit("trace", ENTER, "-p", str(shell.pid), "-d", "0.1", "-q", "-o", str(out))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert out.read_bytes() == b""


def test_a_full_disk_is_an_error(waiting: MakeWaiting, trace: StartTrace) -> None:
    shell = waiting("exec rm -f -- /nonexistent")
    tracing = trace(ENTER, "-p", str(shell.pid), "-f", "json", "-o", "/dev/full")
    shell.go()
    assert tracing.process.wait(PATIENCE) == 1
    assert b"No space left" in tracing.stderr.read_bytes()
    nothing_is_left()


def test_a_process_that_isnt_there(syscalls: Tracefs, tpkit: Run) -> None:
    done = tpkit("trace", ENTER, "-p", str(1 << 22))
    assert done.returncode == 2
    assert b"there is no process" in done.stderr


def test_unknown_events(syscalls: Tracefs, tpkit: Run) -> None:
    done = tpkit("trace", "syscalls:sys_enter_unlinkta")
    assert done.returncode == 1
    assert b"did you mean syscalls:sys_enter_unlinkat" in done.stderr


@pytest.mark.usefixtures("syscalls")
def test_tab_knows_events_and_calls() -> None:
    def completed(word: str) -> set[str]:
        shell = {"_TPKIT_COMPLETE": "complete_bash", "COMP_WORDS": f"tpkit trace {word}", "COMP_CWORD": "2"}
        program = "import sys; from tpkit.cli.start import main; sys.argv = ['tpkit']; main()"
        environment = {**os.environ, **shell}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        return set(done.stdout.decode().split())

    assert completed("unlinka") == {"unlinkat"}
    assert completed("syscalls:unlinka") == {"syscalls:unlinkat"}
    assert completed("sys_enter_unlinka") == {"sys_enter_unlinkat"}


def test_show_program_loads_nothing(syscalls: Tracefs, tpkit: Run) -> None:
    done = tpkit("trace", ENTER, "--show-program")
    assert b"int on_sys_enter_unlinkat(struct sys_enter_unlinkat_context *ctx)" in done.stdout


def test_in_a_pid_namespace(tmp_path: Path, syscalls: Tracefs) -> None:
    """In a container -p means the container's pid."""
    script = (
        f'{OWN_MOUNTS} mount -t proc proc /proc || exit 99; '
        'sh -c "read _; exec rm -f /nonexistent-ns" < "$1" & target=$!; '
        '{ while ! grep -q TIME "$2"; do sleep 0.05; done; echo; } > "$1" & '
        'exec "$3" -m tpkit trace syscalls:sys_enter_unlinkat -p $target > "$2"'
    )
    fifo, out = tmp_path / "fifo", tmp_path / "out"
    os.mkfifo(fifo)
    out.touch()
    done = subprocess.run(
        [*UNSHARE, "--pid", "--fork", "/bin/sh", "-c", script, "sh", fifo, out, command()[0]],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'pathname="/nonexistent-ns"' in out.read_text()
    pid = int(out.read_text().splitlines()[1].split()[1])
    assert pid < 20  # a young namespace's pid, not the host's


# ------------------------------------------------------------------- programs that are refused


def refused(source: str) -> Program:
    layout = RecordLayout.fitting(TracepointId.parse(ENTER), ())
    number = Tracefs.find().event_number(layout.event)
    return Program((source,), (layout,), (Hook(layout.event, number, "on_sys_enter_unlinkat"),))


FRAME = """
BPF_RINGBUF_OUTPUT(events, 8);
BPF_PERCPU_ARRAY(counters, __u64, 6);
BPF_ARRAY(session, __u64, 2);
int on_sys_enter_unlinkat(__u64 *ctx) { return %s; }
"""


def start(program: Program) -> None:
    BccRuntime().start(program).close()


def test_the_compilers_words_come_behind_ours(bpf: Tracefs, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CompileError, match="BCC could not compile") as caught:
        start(refused("this is not C"))
    assert "error:" in (caught.value.details or "")
    assert capfd.readouterr().err == ""


def test_the_verifiers_words_come_behind_ours(bpf: Tracefs, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LoadError, match="verifier refused") as caught:
        start(refused(FRAME % "ctx[0]"))  # the common header
    assert held_by(os.getpid()) == set()
    assert "invalid bpf_context access" in (caught.value.details or "")
    assert capfd.readouterr().err == ""
    nothing_is_left()


def test_reading_behind_the_last_field_is_refused_when_attaching(syscalls: Tracefs) -> None:
    with pytest.raises(AttachError, match="can't be attached"):
        start(refused(FRAME % "ctx[100]"))
    assert held_by(os.getpid()) == set()
    nothing_is_left()


def test_callers_settings_dont_reach_bcc(tmp_path: Path, waiting: MakeWaiting, syscalls: Tracefs, tpkit: Run) -> None:
    shell = waiting("exit 0")
    hostile = {"BCC_KERNEL_SOURCE": str(tmp_path), "BCC_PROBE_PREFIX": "x", "TMPDIR": str(tmp_path), "PATH": "/nowhere"}
    done = tpkit("trace", ENTER, "-p", str(shell.pid), "-d", "0.1", env={**os.environ, **hostile})
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
