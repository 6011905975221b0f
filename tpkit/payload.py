"""Memory that a system call's argument leads to: what its bytes are, and how many of them there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_PIECES = 16  # of an IOVEC or a MSGHDR
PIECE = 16  # bytes of struct iovec, on 64-bit machines
MESSAGE = 56  # bytes of struct msghdr there
MOST_NAME = 128  # bytes of a MSGHDR's address: struct sockaddr_storage


class PayloadKind(Enum):
    """What the bytes are. Values: a struct of ``layouts``, ``struct[]`` for several, or words of our own.

    Four have addresses in them, and may have what those lead to behind them:

    - STRINGS: an array of addresses, which itself isn't part of the payload; the strings, each with its zero.
    - IOVEC: the array (no more than MOST_PIECES), then the pieces' bytes, one behind the other, as many as a buffer's
      would be; when the call returns no more than it read. A piece that can't be read is the last.
    - MSGHDR: the struct; if ``msg_name`` isn't NULL ``msg_namelen`` bytes of it, no more than MOST_NAME; then what an
      IOVEC has, of ``msg_iov``.
    - SIGSET_ARGUMENT: the struct, then the set.
    """

    BUFFER = "bytes"
    STRING = "a string up to its zero"
    STRINGS = "strings, each with its zero"
    # numbers
    INT = "an int"
    INTS = "ints"
    OFFSET = "a 64-bit number"
    ADDRESS = "an address"
    DESCRIPTOR_SET = "a bit for each descriptor"
    PROCESSOR_SET = "a bit for each processor"
    # time
    TIMESPEC = "timespec"
    TIMESPEC_PAIR = "two struct timespec"
    TIMEVAL = "timeval"
    TIMEVAL_PAIR = "two struct timeval"
    ITIMERSPEC = "itimerspec"
    ITIMERVAL = "itimerval"
    TIMEZONE = "timezone"
    TIMEX = "timex"
    TMS = "tms"
    UTIMBUF = "utimbuf"
    SIGEVENT = "sigevent"
    FUTEX_TIMEOUT = "a struct timespec, where futex's operation has one"
    # files
    STAT = "stat"
    STATX = "statx"
    STATFS = "statfs"
    DIRENTS = "entries of a directory"
    OLD_DIRENTS = "entries of a directory, as getdents has them"
    OPEN_HOW = "open_how"
    FILE_HANDLE = "a struct file_handle and the handle"
    IOVEC = "pieces of memory"
    REMOTE_IOVEC = "iovec[]"  # in another process' memory
    MOUNT_ATTRIBUTE = "mount_attribute"
    CACHED_RANGE = "cached_range"
    CACHED_PAGES = "cached_pages"
    FCNTL = "what fcntl's command wants"
    IOCTL = "what ioctl's command wants"
    # processes and signals
    SIGSET = "a set of signals"
    SIGSET_ARGUMENT = "the address and size of a set of signals"
    SIGACTION = "sigaction"
    SIGINFO = "a siginfo_t"
    SIGNAL_STACK = "signal_stack"
    WAIT_STATUS = "how a child ended"
    RUSAGE = "usage"
    RLIMIT = "limit"
    CLONE_ARGS = "clone_arguments"
    PARENT_TID = "a thread's number, where clone's flags want it"
    SCHEDULE = "a struct sched_attr, which tells its size"
    CAPABILITY_HEADER = "capability_header"
    CAPABILITY_DATA = "two struct __user_cap_data_struct"
    UTSNAME = "system_name"
    SYSINFO = "system"
    PRCTL = "what prctl's option wants"
    ARCH_PRCTL = "what arch_prctl's option wants"
    SECCOMP = "what seccomp's operation wants"
    LANDLOCK_RULESET = "landlock_ruleset"
    # waiting, queues, rings
    POLLFDS = "poll[]"
    EPOLL_EVENT = "epoll"
    EPOLL_EVENTS = "epoll[]"
    FUTEX_WAITERS = "futex_wait[]"
    SEMAPHORE_OPERATIONS = "semaphore_operation[]"
    SHARED_MEMORY = "what shmctl's command wants"
    MESSAGE_QUEUE = "what msgctl's command wants"
    MESSAGE = "a type and the message"
    QUEUE = "queue"
    NEW_QUEUE = "a struct mq_attr, if mq_open is to create a queue"
    RING = "ring"
    PERF = "perf"
    BPF = "what bpf's command wants"
    # sockets
    SOCKADDR = "a struct sockaddr"
    SOCKET_OPTION = "a socket's option"
    MSGHDR = "a message of pieces of memory"
    MSGHDRS = "messages[]"


# Have pieces of memory behind them.
PIECES = frozenset({PayloadKind.IOVEC, PayloadKind.MSGHDR})

# Shown as they are; the other kinds' bytes have to be put into words.
TEXTS = frozenset({PayloadKind.BUFFER, PayloadKind.STRING})


@dataclass(frozen=True, slots=True)
class Payload:
    """The memory that an argument points to.

    size: bytes at most; 0: as many as strings may have; of PIECES those in front of the pieces' bytes.
    size_argument: the position (0…5) of the argument that holds the length, in units of ``unit`` bytes;
    size_is_pointer: that argument leads to an ``int`` with the length (accept's), to be read when the call returns.
    sized_by_result: what the call returns is the length (read's), but no more than size_argument says, if there is
    one. extra: bytes in front that the length doesn't count.
    at_exit: the kernel fills it: read when the call returns; only if it succeeded (``ret >= 0``), unless in_out:
    then the program filled it as well, and it is worth reading after a failure.
    """

    kind: PayloadKind
    size: int
    size_argument: int | None = None
    unit: int = 1
    size_is_pointer: bool = False
    sized_by_result: bool = False
    extra: int = 0
    at_exit: bool = False
    in_out: bool = False
