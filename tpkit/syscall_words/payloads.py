"""Which argument of which system call leads to memory that is worth showing, and how much of it.

The parameters' names are those of the kernel's ``SYSCALL_DEFINE``s, as format files have them (the same from
Linux 5.10 to 7.2); what they lead to is in section 2 of the manual pages. How the bytes are shown is
``decode.structs``' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum

from tpkit.model import Field, TracepointId
from tpkit.payload import MESSAGE, MOST_NAME, MOST_PIECES, PIECE, Payload, PayloadKind
from tpkit.syscall_words.layouts import OWN, STRUCTS

_MACHINE = "x86_64"


class _When(Enum):
    ENTRY = "when the call is entered"
    EXIT = "when it returns"
    BOTH = "when it returns, failed or not"


# Kind -> arguments as SYSTEMCALL.PARAMETER, then ``:`` and their length, if that isn't fixed: ``2`` is args[2], ``*2``
# the int that args[2] points to, ``=`` the call's result, ``=2`` the result but no more than args[2].
_K = PayloadKind
_Table = Mapping[PayloadKind, str]

_ENTRY: _Table = {
    _K.BUFFER: (
        "write.buf:2 pwrite64.buf:2 sendto.buff:2 setxattr.value:3 lsetxattr.value:3 fsetxattr.value:3 "
        "sethostname.name:1 setdomainname.name:1 add_key._payload:3 mq_timedsend.u_msg_ptr:2"
    ),
    _K.STRING: (
        "mount.dev_name mount.dir_name mount.type mount.data umount.name utime.filename utimes.filename fsconfig._value"
    ),
    _K.STRINGS: "execve.argv execveat.argv",
    _K.INT: "sched_setparam.param sched_setscheduler.param",
    _K.INTS: "setgroups.grouplist:0",
    _K.OFFSET: ("splice.off_in splice.off_out copy_file_range.off_in copy_file_range.off_out sendfile64.offset"),
    _K.DESCRIPTOR_SET: "select.inp select.outp select.exp pselect6.inp pselect6.outp pselect6.exp",
    _K.PROCESSOR_SET: "sched_setaffinity.user_mask_ptr:1",
    _K.TIMESPEC: (
        "nanosleep.rqtp clock_nanosleep.rqtp clock_settime.tp ppoll.tsp pselect6.tsp epoll_pwait2.timeout "
        "rt_sigtimedwait.uts semtimedop.timeout mq_timedsend.u_abs_timeout mq_timedreceive.u_abs_timeout "
        "io_getevents.timeout io_pgetevents.timeout recvmmsg.timeout futex_wait.timeout futex_waitv.timeout"
    ),
    _K.TIMESPEC_PAIR: "utimensat.utimes",
    _K.TIMEVAL: "select.tvp settimeofday.tv",
    _K.TIMEVAL_PAIR: "utimes.utimes futimesat.utimes",
    _K.ITIMERSPEC: "timer_settime.new_setting timerfd_settime.utmr",
    _K.ITIMERVAL: "setitimer.value",
    _K.TIMEZONE: "settimeofday.tz",
    _K.UTIMBUF: "utime.times",
    _K.SIGEVENT: "timer_create.timer_event_spec mq_notify.u_notification",
    _K.FUTEX_TIMEOUT: "futex.utime",
    _K.OPEN_HOW: "openat2.how:3",
    _K.FILE_HANDLE: "open_by_handle_at.handle",
    _K.IOVEC: ("writev.vec:2 pwritev.vec:2 pwritev2.vec:2 vmsplice.uiov:2 process_vm_writev.lvec:2"),
    _K.REMOTE_IOVEC: "process_madvise.vec:2 process_vm_writev.rvec:4 process_vm_readv.rvec:4",
    _K.MOUNT_ATTRIBUTE: "mount_setattr.uattr:4 open_tree_attr.uattr:4",
    _K.CACHED_RANGE: "cachestat.cstat_range",
    _K.SIGSET: (
        "rt_sigprocmask.nset rt_sigsuspend.unewset rt_sigtimedwait.uthese signalfd.user_mask signalfd4.user_mask "
        "ppoll.sigmask epoll_pwait.sigmask epoll_pwait2.sigmask"
    ),
    _K.SIGSET_ARGUMENT: "pselect6.sig io_pgetevents.usig",
    _K.SIGACTION: "rt_sigaction.act",
    _K.SIGINFO: "rt_sigqueueinfo.uinfo rt_tgsigqueueinfo.uinfo pidfd_send_signal.info",
    _K.SIGNAL_STACK: "sigaltstack.uss",
    _K.RLIMIT: "setrlimit.rlim prlimit64.new_rlim",
    _K.CLONE_ARGS: "clone3.uargs:1",
    _K.SCHEDULE: "sched_setattr.uattr",
    _K.CAPABILITY_HEADER: "capget.header capset.header",
    _K.CAPABILITY_DATA: "capset.data",
    _K.SECCOMP: "seccomp.uargs",
    _K.LANDLOCK_RULESET: "landlock_create_ruleset.attr:1",
    _K.EPOLL_EVENT: "epoll_ctl.event",
    _K.FUTEX_WAITERS: "futex_waitv.waiters:1 futex_requeue.waiters",
    _K.SEMAPHORE_OPERATIONS: "semop.tsops:2 semtimedop.tsops:2",
    _K.MESSAGE: "msgsnd.msgp:2",
    _K.QUEUE: "mq_getsetattr.u_mqstat",
    _K.NEW_QUEUE: "mq_open.u_attr",
    _K.BPF: "bpf.uattr:2",
    _K.PERF: "perf_event_open.attr_uptr",
    _K.SOCKADDR: "bind.umyaddr:2 connect.uservaddr:2 sendto.addr:5",
    _K.SOCKET_OPTION: "setsockopt.optval:4",
    _K.MSGHDR: "sendmsg.msg",
    _K.MSGHDRS: "sendmmsg.mmsg:2",
}
_EXIT: _Table = {
    _K.BUFFER: (
        "read.buf:=2 pread64.buf:=2 recvfrom.ubuf:=2 readlink.buf:=2 readlinkat.buf:=3 getrandom.ubuf:=1 "
        "getxattr.value:=3 lgetxattr.value:=3 fgetxattr.value:=3 listxattr.list:=2 llistxattr.list:=2 "
        "flistxattr.list:=2 mq_timedreceive.u_msg_ptr:=2"
    ),
    _K.STRING: "getcwd.buf:=1",
    _K.INT: (
        "getresuid.ruidp getresuid.euidp getresuid.suidp getresgid.rgidp getresgid.egidp getresgid.sgidp "
        "getcpu.cpup getcpu.nodep sched_getparam.param timer_create.created_timer_id name_to_handle_at.mnt_id "
        "mq_timedreceive.u_msg_prio"
    ),
    _K.INTS: "pipe.fildes pipe2.fildes socketpair.usockvec getgroups.grouplist:=0",
    _K.OFFSET: "time.tloc get_robust_list.len_ptr",
    _K.ADDRESS: "io_setup.ctxp get_robust_list.head_ptr",
    _K.PROCESSOR_SET: "sched_getaffinity.user_mask_ptr:=1",
    _K.TIMESPEC: "clock_gettime.tp clock_getres.tp sched_rr_get_interval.interval",
    _K.TIMEVAL: "gettimeofday.tv",
    _K.ITIMERSPEC: ("timer_gettime.setting timer_settime.old_setting timerfd_gettime.otmr timerfd_settime.otmr"),
    _K.ITIMERVAL: "getitimer.value setitimer.ovalue",
    _K.TIMEZONE: "gettimeofday.tz",
    _K.TIMEX: "adjtimex.txc_p clock_adjtime.utx",
    _K.TMS: "times.tbuf",
    _K.STAT: "newstat.statbuf newlstat.statbuf newfstat.statbuf newfstatat.statbuf",
    _K.STATX: "statx.buffer",
    _K.STATFS: "statfs.buf fstatfs.buf",
    _K.DIRENTS: "getdents64.dirent:=2",
    _K.OLD_DIRENTS: "getdents.dirent:=2",
    _K.IOVEC: "readv.vec:2 preadv.vec:2 preadv2.vec:2 process_vm_readv.lvec:2",
    _K.CACHED_PAGES: "cachestat.cstat",
    _K.SIGSET: "rt_sigprocmask.oset rt_sigpending.uset",
    _K.SIGACTION: "rt_sigaction.oact",
    _K.SIGINFO: "waitid.infop rt_sigtimedwait.uinfo",
    _K.SIGNAL_STACK: "sigaltstack.uoss",
    _K.WAIT_STATUS: "wait4.stat_addr",
    _K.RUSAGE: "getrusage.ru wait4.ru waitid.ru",
    _K.RLIMIT: "getrlimit.rlim prlimit64.old_rlim",
    _K.PARENT_TID: "clone.parent_tidptr",
    _K.SCHEDULE: "sched_getattr.uattr:2",
    _K.CAPABILITY_DATA: "capget.dataptr",
    _K.UTSNAME: "newuname.name",
    _K.SYSINFO: "sysinfo.info",
    _K.EPOLL_EVENTS: "epoll_wait.events:= epoll_pwait.events:= epoll_pwait2.events:=",
    _K.MESSAGE: "msgrcv.msgp:=",
    _K.QUEUE: "mq_getsetattr.u_omqstat",
    _K.SOCKADDR: (
        "accept.upeer_sockaddr:*2 accept4.upeer_sockaddr:*2 getsockname.usockaddr:*2 getpeername.usockaddr:*2 "
        "recvfrom.addr:*5"
    ),
    _K.SOCKET_OPTION: "getsockopt.optval:*4",
    _K.MSGHDR: "recvmsg.msg",
    _K.MSGHDRS: "recvmmsg.mmsg:=",
}
_BOTH: _Table = {
    _K.INT: (
        "accept.upeer_addrlen accept4.upeer_addrlen getsockname.usockaddr_len getpeername.usockaddr_len "
        "recvfrom.addr_len getsockopt.optlen"
    ),
    _K.FCNTL: "fcntl.arg",
    _K.IOCTL: "ioctl.arg",
    _K.PRCTL: "prctl.arg2",
    _K.ARCH_PRCTL: "arch_prctl.arg2",
    _K.SHARED_MEMORY: "shmctl.buf",
    _K.MESSAGE_QUEUE: "msgctl.buf",
    _K.POLLFDS: "poll.ufds:1 ppoll.ufds:1",
    _K.FILE_HANDLE: "name_to_handle_at.handle",
    _K.RING: "io_uring_setup.params",
}

# Bytes at most: of what isn't a struct, and of several structs.
_SIZES: Mapping[PayloadKind, int] = {
    _K.BUFFER: 0,
    _K.STRING: 0,
    _K.STRINGS: 0,
    _K.INT: 4,
    _K.INTS: 128,
    _K.OFFSET: 8,
    _K.ADDRESS: 8,
    _K.DESCRIPTOR_SET: 128,  # fd_set of select(2): 1,024 bits
    _K.PROCESSOR_SET: 128,  # cpu_set_t of sched_setaffinity(2): 1,024 bits
    _K.TIMESPEC_PAIR: 32,
    _K.TIMEVAL_PAIR: 32,
    _K.FUTEX_TIMEOUT: 16,
    _K.DIRENTS: 512,
    _K.OLD_DIRENTS: 512,
    _K.FILE_HANDLE: 8 + 128,  # MAX_HANDLE_SZ of include/linux/exportfs.h
    _K.IOVEC: PIECE * MOST_PIECES,
    _K.MSGHDR: MESSAGE + MOST_NAME + PIECE * MOST_PIECES,
    _K.FCNTL: 32,  # a struct flock
    _K.IOCTL: 64,
    _K.SIGSET_ARGUMENT: 16 + 8,  # with the set
    _K.SIGSET: 8,  # _NSIG of asm/signal.h is 64 on all our machines
    _K.SIGINFO: 48,  # what is used of its 128 bytes
    _K.WAIT_STATUS: 4,
    _K.PARENT_TID: 4,
    _K.CAPABILITY_DATA: 24,  # _LINUX_CAPABILITY_U32S_3 of linux/capability.h is 2
    _K.PRCTL: 16,  # TASK_COMM_LEN of include/linux/sched.h
    _K.ARCH_PRCTL: 8,
    _K.SECCOMP: 16,
    _K.SCHEDULE: 56,
    _K.BPF: 128,
    _K.SHARED_MEMORY: 112,
    _K.MESSAGE_QUEUE: 120,
    _K.MESSAGE: 0,
    _K.NEW_QUEUE: 32,
    _K.SOCKADDR: MOST_NAME,
    _K.SOCKET_OPTION: 64,
}
_MANY = 16  # structs of several
_UNITS: Mapping[PayloadKind, int] = {_K.INTS: 4, _K.IOVEC: PIECE}
_EXTRA: Mapping[PayloadKind, int] = {_K.MESSAGE: 8}  # struct msgbuf of msgop(2): a long before the text
_FIXED: Mapping[str, int] = {
    "pipe.fildes": 8,
    "pipe2.fildes": 8,
    "socketpair.usockvec": 8,
    "futex_requeue.waiters": 48,  # two
    "perf_event_open.attr_uptr": 64,
    "adjtimex.txc_p": 168,  # what is used
    "clock_adjtime.utx": 168,
}


# What an argument leads to by one command, and not by another.
_BY_COMMAND = frozenset({_K.FCNTL, _K.IOCTL, _K.PRCTL, _K.ARCH_PRCTL})


def payload_of(event: TracepointId, field: Field, machine: str = _MACHINE) -> Payload | None:
    """The memory that a system call's argument leads to, None where there is none to show.

    machine: the one whose structs they are, as ``uname -m`` calls it; one that isn't known has no payloads.
    """
    if not event.is_syscall_enter or machine not in OWN:
        return None
    found = _ARGUMENTS.get(f"{event.syscall}.{field.name}")
    return None if found is None else _payload(*found, machine)


# Which of a call's numbers the words for a kind depend on, by their names; ``ret`` is what the call returned.
_NEEDED: Mapping[PayloadKind, str] = {
    _K.DESCRIPTOR_SET: "n",
    _K.FUTEX_TIMEOUT: "op",
    _K.FILE_HANDLE: "ret",
    _K.IOVEC: "vlen nr_segs liovcnt",  # each call has one of the three: the number of pieces
    _K.FCNTL: "cmd ret",
    _K.IOCTL: "cmd ret",
    _K.PRCTL: "option ret",
    _K.ARCH_PRCTL: "option ret",
    _K.SECCOMP: "op ret",
    _K.BPF: "cmd ret",
    _K.SHARED_MEMORY: "cmd ret",
    _K.MESSAGE_QUEUE: "cmd ret",
    _K.WAIT_STATUS: "ret",
    _K.PARENT_TID: "clone_flags",
    _K.NEW_QUEUE: "oflag",
    _K.SOCKET_OPTION: "level optname",
}


def needed_numbers(kind: PayloadKind) -> tuple[str, ...]:
    """The parameters' names that ``decode.structs.payload_text`` wants of a kind's call; none for most."""
    return tuple(_NEEDED.get(kind, "").split())


def deciding_numbers(kind: PayloadKind) -> tuple[str, ...]:
    """Those that say whether a kind's argument leads anywhere (``decode.structs.leads_there``); none for most."""
    return tuple(name for name in needed_numbers(kind) if name != "ret") if kind in _BY_COMMAND else ()


def all_payloads() -> Mapping[str, PayloadKind]:
    """``openat2.how`` and what it leads to, for each argument that is known."""
    return {argument: kind for argument, (_, kind, _, _) in _ARGUMENTS.items()}


def struct_name(kind: PayloadKind) -> str | None:
    """The struct that payloads of a kind have, one or several, None for other bytes."""
    name = kind.value.removesuffix("[]")
    return name if name in STRUCTS or name in OWN[_MACHINE] else None


def struct_size(name: str, machine: str = _MACHINE) -> int:
    """A struct's bytes. Raises KeyError."""
    return (STRUCTS.get(name) or OWN[machine][name])[0]


_Argument = tuple[str, PayloadKind, _When, str]


def _arguments() -> Iterator[_Argument]:
    for when, table in ((_When.ENTRY, _ENTRY), (_When.EXIT, _EXIT), (_When.BOTH, _BOTH)):
        for kind, words in table.items():
            for word in words.split():
                argument, _, length = word.partition(":")
                yield argument, kind, when, length


_ARGUMENTS: Mapping[str, _Argument] = {each[0]: each for each in _arguments()}


def _payload(argument: str, kind: PayloadKind, when: _When, length: str, machine: str) -> Payload:
    name = struct_name(kind)
    unit = _UNITS.get(kind, 1) if name is None or not kind.value.endswith("[]") else struct_size(name, machine)
    size = _SIZES.get(kind)
    if size is None:
        assert name is not None  # a kind without a size is a struct's
        size = struct_size(name, machine) * (_MANY if kind.value.endswith("[]") else 1)
    payload = Payload(
        kind,
        _FIXED.get(argument, size),
        unit=unit,
        extra=_EXTRA.get(kind, 0),
        at_exit=when is not _When.ENTRY,
        in_out=when is _When.BOTH,
    )
    return _with_length(payload, length)


def _with_length(payload: Payload, length: str) -> Payload:
    digits = length.lstrip("*=")
    return replace(
        payload,
        size_argument=int(digits) if digits else None,
        size_is_pointer=length.startswith("*"),
        sized_by_result=length.startswith("="),
    )
