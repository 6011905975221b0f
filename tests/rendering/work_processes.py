"""Processes, scheduling, signals, timers, futexes, limits, keys, control groups."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.rendering.kernel_calls import call, in_child, mount, run, set_name, umount


def children(folder: Path) -> None:
    program = str(folder / "tpkit-true")
    in_child(lambda: None)
    in_child(lambda: os.execv(program, ["tpkit-true"]))  # noqa: S606 - exec itself is the point
    subprocess.run([program], check=True)
    os.waitpid(os.posix_spawn(program, ["tpkit-true"], {}), 0)
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    os.kill(child, signal.SIGCONT)
    os.kill(child, signal.SIGTERM)
    os.waitid(os.P_PID, child, os.WEXITED)
    in_child(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    with suppress(ChildProcessError):
        os.wait3(0)


def pidfds(_folder: Path) -> None:
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    handle = os.pidfd_open(child)
    call("pidfd_getfd", handle, 2, 0)
    call("kcmp", os.getpid(), child, 0, 1, 1)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.waitpid(child, 0)


def threads(_folder: Path) -> None:
    lock = threading.Lock()

    def compete() -> None:
        set_name("tpkit-thread")
        for _ in range(20):
            with lock:
                time.sleep(0.0005)

    workers = [threading.Thread(target=compete) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    call("membarrier", 16, 0)  # register for private expedited
    call("membarrier", 8, 0)


def ping_pong(_folder: Path) -> None:
    """Two tasks on one CPU that wait for each other: switches from one of ours to another of ours."""
    here, there = socket.socketpair()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    child = os.fork()
    if child == 0:
        set_name("tpkit-pong")
        for _ in range(300):
            there.send(there.recv(1))
        os._exit(0)
    set_name("tpkit-ping")
    for _ in range(300):
        here.send(b"x")
        here.recv(1)
    os.waitpid(child, 0)


def scheduling(_folder: Path) -> None:
    os.nice(5)
    os.setpriority(os.PRIO_PROCESS, 0, 3)
    os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_yield()
    for policy, priority in ((os.SCHED_BATCH, 0), (os.SCHED_FIFO, 1), (os.SCHED_OTHER, 0)):
        with suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    os.sched_getscheduler(0)
    os.sched_rr_get_interval(0)
    os.sched_get_priority_max(os.SCHED_FIFO)
    cpus = os.sched_getaffinity(0)
    for cpu in sorted(cpus):
        os.sched_setaffinity(0, {cpu})
    os.sched_setaffinity(0, cpus)
    with suppress(OSError):
        call("sched_setattr", 0, struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 1000000, 10000000, 10000000), 0)
    os.getloadavg()


def futexes(_folder: Path) -> None:
    word = ctypes.create_string_buffer(struct.pack("i", 1), 8)
    at = ctypes.addressof(word)
    soon = ctypes.addressof(moment := ctypes.create_string_buffer(struct.pack("qq", 0, 2_000_000), 16))
    for operation in (0, 9, 128):  # wait, wait with mask, private wait
        with suppress(OSError):
            call("futex", at, operation, 1, soon, 0, 0xFFFFFFFF)
    call("futex", at, 1, 1, 0, 0, 0)
    with suppress(OSError):
        call("futex", at, 4, 1, 1, at, 1)
    del moment
    _inherit_priority()


def _inherit_priority() -> None:
    """A priority inheriting lock, held by one thread and wanted by a more urgent one."""
    word = ctypes.create_string_buffer(8)
    at = ctypes.addressof(word)
    held = threading.Event()

    def hold() -> None:
        set_name("tpkit-holder")
        call("futex", at, 6, 0, 0, 0, 0)  # FUTEX_LOCK_PI
        held.set()
        time.sleep(0.05)
        call("futex", at, 7, 0, 0, 0, 0)

    def want() -> None:
        set_name("tpkit-wanter")
        held.wait()
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))
        call("futex", at, 6, 0, 0, 0, 0)
        call("futex", at, 7, 0, 0, 0, 0)

    both = [threading.Thread(target=hold), threading.Thread(target=want)]
    for each in both:
        each.start()
    for each in both:
        each.join()


def signals(_folder: Path) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.kill(os.getpid(), signal.SIGUSR2)
    signal.sigpending()
    signal.sigwait({signal.SIGUSR2})
    signal.sigtimedwait({signal.SIGUSR2}, 0.001)
    os.kill(os.getpid(), 0)
    signal.signal(signal.SIGWINCH, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGWINCH)
    in_child(_wild_pointer)


def _wild_pointer() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(16)


def timers(_folder: Path) -> None:
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
        signal.signal(number, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.002)
    signal.setitimer(signal.ITIMER_PROF, 0.002)
    _spin(0.05)
    signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.alarm(5)
    signal.alarm(0)
    made = ctypes.create_string_buffer(8)
    call("timer_create", time.CLOCK_MONOTONIC, None, made)
    timer = struct.unpack("i4x", made.raw)[0]
    call("timer_settime", timer, 0, struct.pack("qqqq", 0, 0, 0, 3_000_000), None)
    call("timer_gettime", timer, ctypes.create_string_buffer(32))
    time.sleep(0.01)
    call("timer_getoverrun", timer)
    call("timer_delete", timer)
    for clock in (time.CLOCK_MONOTONIC, time.CLOCK_REALTIME, 8, 9):  # and the two alarm clocks
        with suppress(OSError):
            _timer_descriptor(clock)
    time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
    time.clock_getres(time.CLOCK_MONOTONIC)


def _timer_descriptor(clock: int) -> None:
    descriptor = call("timerfd_create", clock, 0)
    call("timerfd_settime", descriptor, 0, struct.pack("qqqq", 0, 0, 0, 2_000_000), None)
    os.read(descriptor, 8)
    call("timerfd_settime", descriptor, 0, struct.pack("qqqq", 0, 0, 100, 0), None)
    os.close(descriptor)


def _spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def busy(_folder: Path) -> None:
    """Long enough on the CPU for ticks to find us there."""
    _spin(0.4)


def identity(_folder: Path) -> None:
    for question in (os.getuid, os.geteuid, os.getgid, os.getegid, os.getppid, os.getpgrp, os.getgroups, os.uname):
        question()
    os.getsid(0)
    os.umask(0o22)
    resource.getrusage(resource.RUSAGE_SELF)
    resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(0, resource.RLIMIT_NOFILE)
    os.times()
    os.getrandom(8)
    socket.sethostname("tpkit")
    with suppress(OSError):
        call("prctl", 9999, 1, 2, 3, 4)
    call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    with suppress(OSError):
        call("rseq", 0, 32, 0, 0)
    os.setgroups([1000])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    with suppress(PermissionError):
        os.setuid(0)


def old_system_calls(_folder: Path) -> None:
    """A call through the vsyscall page, which the kernel emulates where it is enabled."""
    ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(0xFFFFFFFFFF600400)(None)


def namespaces(_folder: Path) -> None:
    for flag in (0x10000000, 0x08000000, 0x04000000, 0x02000000, 0x80):  # user, ipc, uts, cgroup, time
        in_child(partial(call, "unshare", flag))
    own = os.open("/proc/self/ns/uts", os.O_RDONLY)
    call("setns", own, 0)


def queues(_folder: Path) -> None:
    """System V and POSIX queues, semaphores and memory, in a namespace of our own."""
    queue = call("msgget", 0, 0o1600)
    call("msgsnd", queue, struct.pack("q8s", 1, b"tpkit"), 8, 0)
    call("msgrcv", queue, ctypes.create_string_buffer(64), 8, 1, 0)
    call("msgctl", queue, 0, None)
    semaphore = call("semget", 0, 1, 0o1600)
    call("semop", semaphore, struct.pack("Hhh", 0, 1, 0), 1)
    call("semctl", semaphore, 0, 0, 0)
    memory = call("shmget", 0, 65536, 0o1600)
    call("shmat", memory, None, 0)
    call("shmctl", memory, 0, None)
    posix = call("mq_open", b"tpkit-queue", 0o102, 0o600, None)
    call("mq_timedsend", posix, b"hello", 5, 1, None)
    call("mq_timedreceive", posix, ctypes.create_string_buffer(8192), 8192, None, None)
    call("mq_unlink", b"tpkit-queue")


def keys(_folder: Path) -> None:
    call("keyctl", 1, None)  # a session keyring of our own
    call("add_key", b"user", b"tpkit:key", b"secret", 6, -3)
    with suppress(OSError):
        call("request_key", b"user", b"tpkit:none", None, 0)


@contextmanager
def control_group(controller: str) -> Iterator[Path]:
    """A group of our own below the controller's root; removed afterwards."""
    name = f"{os.environ['TPKIT_WORKLOAD']}-{time.monotonic_ns() % 100000}"
    group = Path("/sys/fs/cgroup", controller, name)
    group.mkdir()
    try:
        yield group
    finally:
        for _ in range(50):
            with suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.02)


def enter_group(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")


def groups(_folder: Path) -> None:
    for controller in ("unified", "freezer", "pids", "cpu"):
        with suppress(OSError), control_group(controller) as group:
            inner = group / "tpkit-inner"
            inner.mkdir()
            with suppress(OSError):
                inner.rename(group / "tpkit-renamed")
            in_child(partial(enter_group, group))
            for left in group.glob("tpkit-*"):
                left.rmdir()


def freezing(_folder: Path) -> None:
    with control_group("unified") as group:
        child = os.fork()
        if child == 0:
            enter_group(group)
            time.sleep(5)
            os._exit(0)
        time.sleep(0.05)
        (group / "cgroup.freeze").write_text("1")
        time.sleep(0.05)
        (group / "cgroup.freeze").write_text("0")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def hierarchy(_folder: Path) -> None:
    """A control group hierarchy without controllers, in our own mounts; an empty one ends with its mount."""
    name = f"name=tpkit{time.monotonic_ns()}"
    top = Path("tpkit-groups")
    top.mkdir()
    mount("tpkit", top, "cgroup", 0, f"none,{name}")
    inner, renamed = top / "tpkit-one", top / "tpkit-two"
    try:
        inner.mkdir()
        in_child(lambda: (inner / "cgroup.procs").write_text("0"))
        inner.rename(renamed)
        with suppress(OSError):
            mount("tpkit", top, "cgroup", 32, f"none,{name},noprefix")
    finally:
        for left in (inner, renamed):
            with suppress(OSError):
                left.rmdir()
        _end_hierarchy(name, top)


def _end_hierarchy(name: str, top: Path) -> None:
    """Only a hierarchy without groups ends with its mount, and groups end a while after their removal."""
    for _ in range(20):
        time.sleep(0.2)
        umount(top)
        if name not in Path("/proc/self/cgroup").read_text():
            return
        mount("tpkit", top, "cgroup", 0, f"none,{name}")


def landlock(_folder: Path) -> None:
    call("landlock_create_ruleset", None, 0, 1)


def tracing_itself(_folder: Path) -> None:
    run("true")
    with suppress(OSError):
        call("seccomp", 2, 0, struct.pack("I", 0x7FFF0000))


STEPS = (
    children, pidfds, threads, ping_pong, scheduling, futexes, signals, timers, busy, identity, old_system_calls,
    namespaces, queues, keys, groups, freezing, hierarchy, landlock, tracing_itself,
)  # fmt: skip
SHORT = (children, ping_pong, futexes, timers, threads, busy)
