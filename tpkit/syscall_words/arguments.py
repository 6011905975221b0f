"""Which argument of which system call has which group of names.

Sources: the parameters' names are those of the kernel's ``SYSCALL_DEFINE``s, as format files have them (the
same from Linux 5.10 to 7.2); what they mean is in section 2 of the manual pages.
"""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.model import Field

# Group of names.py -> SYSTEMCALL.PARAMETER …
_GROUPS: Mapping[str, str] = {
    # files
    "access": "access.mode faccessat.mode faccessat2.mode",
    "open": "open.flags openat.flags open_by_handle_at.flags mq_open.oflag fanotify_init.event_f_flags",
    "descriptor": "pipe2.flags dup3.flags",
    "close_on_exec": "memfd_secret.flags",
    "directory": "execveat.fd",
    "mount_directory": "open_by_handle_at.mountdirfd",
    "at": (
        "newfstatat.flag fchownat.flag fchmodat2.flags linkat.flags utimensat.flags getxattrat.at_flags "
        "setxattrat.at_flags listxattrat.at_flags removexattrat.at_flags file_getattr.at_flags file_setattr.at_flags"
    ),
    "at_access": "faccessat2.flags",
    "at_remove": "unlinkat.flag",
    "at_handle": "name_to_handle_at.flag",
    "at_execute": "execveat.flags",
    "file_mode": "mknod.mode mknodat.mode",
    "at_mount": "mount_setattr.flags",
    "at_statx": "statx.flags",
    "statx": "statx.mask",
    "whence": "lseek.whence",
    "fcntl": "fcntl.cmd",
    "lock": "flock.cmd",
    "rename": "renameat2.flags",
    "allocate": "fallocate.mode",
    "file_advice": "fadvise64.advice",
    "sync_range": "sync_file_range.flags",
    "splice": "splice.flags tee.flags vmsplice.flags",
    "transfer": "preadv2.flags pwritev2.flags",
    "attribute": "setxattr.flags lsetxattr.flags fsetxattr.flags",
    "close_range": "close_range.flags",
    "memory_file": "memfd_create.flags",
    "quota": "quotactl.cmd quotactl_fd.cmd",
    "ioctl": "ioctl.cmd",
    # file systems
    "mount": "mount.flags",
    "unmount": "umount.flags",
    "open_tree": "open_tree.flags open_tree_attr.flags",
    "move_mount": "move_mount.flags",
    "fsopen": "fsopen.flags",
    "fspick": "fspick.flags",
    "fsmount": "fsmount.flags",
    "fsconfig": "fsconfig.cmd",
    "mount_attribute": "fsmount.attr_flags",
    "list_mounts": "listmount.flags",
    "statmount": "statmount.flags",
    "swap": "swapon.swap_flags",
    # memory
    "protection": "mmap.prot mprotect.prot pkey_mprotect.prot remap_file_pages.prot",
    "map": "mmap.flags remap_file_pages.flags",
    "remap": "mremap.flags",
    "advice": "madvise.behavior process_madvise.behavior",
    "sync": "msync.flags",
    "lock_memory": "mlock2.flags",
    "lock_all_memory": "mlockall.flags",
    "protection_key": "pkey_alloc.init_val",
    "shadow_stack": "map_shadow_stack.flags",
    "memory_policy_mode": "mbind.mode set_mempolicy.mode",
    "memory_policy_query": "get_mempolicy.flags",
    "memory_policy_move": "mbind.flags move_pages.flags",
    "userfault": "userfaultfd.flags",
    # processes and signals
    "signal_mask": "rt_sigprocmask.how",
    "clone": "clone.clone_flags",
    "unshare": "unshare.unshare_flags setns.flags",
    "wait": "wait4.options waitid.options",
    "waitid_which": "waitid.which",
    "prctl": "prctl.option",
    "arch_prctl": "arch_prctl.option",
    "trace_request": "ptrace.request",
    "seccomp": "seccomp.op",
    "seccomp_filter": "seccomp.flags",
    "limit": "getrlimit.resource setrlimit.resource prlimit64.resource",
    "usage": "getrusage.who",
    "priority": "getpriority.which setpriority.which",
    "policy_fork": "sched_setscheduler.policy",
    "policy": "sched_get_priority_max.policy sched_get_priority_min.policy",
    "io_priority_which": "ioprio_get.which ioprio_set.which",
    "io_priority": "ioprio_set.ioprio",
    "compare": "kcmp.type",
    "pidfd": "pidfd_open.flags",
    "pidfd_self": "pidfd_send_signal.pidfd process_madvise.pidfd process_mrelease.pidfd pidfd_getfd.pidfd",
    "pidfd_signal": "pidfd_send_signal.flags",
    "personality": "personality.personality",
    "membarrier": "membarrier.cmd",
    "membarrier_flag": "membarrier.flags",
    "restartable": "rseq.flags",
    # futexes, events
    "futex": "futex.op",
    "futex2": "futex_wait.flags futex_wake.flags",
    "epoll": "epoll_ctl.op",
    "epoll_create": "epoll_create1.flags",
    "eventfd": "eventfd2.flags",
    "signalfd": "signalfd4.flags",
    "timerfd": "timerfd_create.flags",
    "timerfd_set": "timerfd_settime.flags",
    "inotify": "inotify_init1.flags",
    "inotify_mask": "inotify_add_watch.mask",
    "fanotify": "fanotify_init.flags",
    "fanotify_mark": "fanotify_mark.flags",
    "fanotify_mask": "fanotify_mark.mask",
    # clocks
    "clock": "timerfd_create.clockid",
    "timer": "clock_nanosleep.flags timer_settime.flags",
    "interval_timer": "getitimer.which setitimer.which",
    # sockets
    "family": "socket.family socketpair.family",
    "socket": "socket.type socketpair.type",
    "accept": "accept4.flags",
    "message": "sendto.flags sendmsg.flags sendmmsg.flags recvfrom.flags recvmsg.flags recvmmsg.flags",
    "shutdown": "shutdown.how",
    "level": "getsockopt.level setsockopt.level",
    # System V's IPC
    "ipc_key": "msgget.key semget.key shmget.key",
    "ipc_get": "msgget.msgflg semget.semflg",
    "message_queue": "msgsnd.msgflg msgrcv.msgflg",
    "message_control": "msgctl.cmd",
    "semaphore_control": "semctl.cmd",
    "shared_get": "shmget.shmflg",
    "shared_attach": "shmat.shmflg",
    "shared_control": "shmctl.cmd",
    # all the others
    "bpf": "bpf.cmd",
    "perf": "perf_event_open.flags",
    "ring_enter": "io_uring_enter.flags",
    "ring_register": "io_uring_register.opcode",
    "random": "getrandom.flags",
    "key": "keyctl.option",
    "keyring": "add_key.ringid request_key.destringid",
    "landlock_ruleset": "landlock_create_ruleset.flags",
    "landlock_rule": "landlock_add_rule.rule_type",
    "landlock_add": "landlock_add_rule.flags",
    "landlock_restrict": "landlock_restrict_self.flags",
    "security_attribute": "lsm_get_self_attr.attr lsm_set_self_attr.attr",
    "security_flag": "lsm_get_self_attr.flags",
    "reboot": "reboot.cmd",
    "reboot_magic": "reboot.magic1",
    "reboot_magic2": "reboot.magic2",
    "module": "finit_module.flags",
    "module_delete": "delete_module.flags",
    "kexec": "kexec_load.flags",
    "kexec_file": "kexec_file_load.flags",
}
_ARGUMENTS = {argument: group for group, arguments in _GROUPS.items() for argument in arguments.split()}

# What has the same meaning wherever it is: by the parameter's name, if it is an int, or by its type.
_INTS: Mapping[str, str] = {
    **dict.fromkeys(("dfd", "olddfd", "newdfd", "from_dfd", "to_dfd"), "directory"),
    "sig": "signal",
}
_TYPES: Mapping[str, str] = {"clockid_t": "clock", "uid_t": "none", "gid_t": "none"}


def group_of(syscall: str, field: Field) -> str | None:
    """The group of names for an argument, None where it is just a number; ``none`` is -1 by that name."""
    group = _ARGUMENTS.get(f"{syscall}.{field.name}") or _TYPES.get(field.type.base)
    return group or (_INTS.get(field.name) if field.type.base == "int" else None)


def all_arguments() -> Mapping[str, str]:
    """``openat.flags`` and its group, for each argument that is known by its system call."""
    return _ARGUMENTS
