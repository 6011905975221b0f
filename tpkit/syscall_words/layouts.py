"""Structs of system calls' arguments: where their members are.

Made by tools/syscall-tables from the uapi headers of Linux 7.2; don't edit.
"""

# fmt: off

from __future__ import annotations

from collections.abc import Mapping

# Name, offset in bytes, size in bytes, whether it has negative values, how it is shown.
Member = tuple[str, int, int, bool, str]
# Size in bytes, whether there are members that strace doesn't show, those that it shows.
Struct = tuple[int, bool, tuple[Member, ...]]

# What all machines share.
STRUCTS: Mapping[str, Struct] = {
    "address": (16, False, (
        ("sa_family", 0, 2, False, "family"),
    )),
    "address_crypto": (88, False, (
        ("salg_type", 2, 14, False, "text"),
        ("salg_feat", 16, 4, False, "hex"),
        ("salg_mask", 20, 4, False, "hex"),
        ("salg_name", 24, 64, False, "text"),
    )),
    "address_inet": (16, False, (
        ("sin_port", 2, 2, False, "port"),
        ("sin_addr", 4, 4, False, "ipv4"),
    )),
    "address_inet6": (28, False, (
        ("sin6_port", 2, 2, False, "port"),
        ("sin6_flowinfo", 4, 4, False, "network_long"),
        ("sin6_addr", 8, 16, False, "ipv6"),
        ("sin6_scope_id", 24, 4, False, ""),
    )),
    "address_netlink": (12, False, (
        ("nl_pid", 4, 4, False, ""),
        ("nl_groups", 8, 4, False, "group_bits"),
    )),
    "address_packet": (20, True, (
        ("sll_protocol", 2, 2, False, "packet_protocol"),
        ("sll_ifindex", 4, 4, True, ""),
        ("sll_hatype", 8, 2, False, "hex"),
        ("sll_pkttype", 10, 1, False, "packet_type"),
        ("sll_halen", 11, 1, False, ""),
    )),
    "address_vsock": (16, False, (
        ("svm_cid", 8, 4, False, "context"),
        ("svm_port", 4, 4, False, "hex"),
        ("svm_flags", 12, 1, False, "hex"),
    )),
    "bpf_btf": (168, False, (
        ("btf", 0, 8, False, "address"),
        ("btf_log_buf", 8, 8, False, "address"),
        ("btf_size", 16, 4, False, ""),
        ("btf_log_size", 20, 4, False, ""),
        ("btf_log_level", 24, 4, False, ""),
    )),
    "bpf_element": (168, False, (
        ("map_fd", 0, 4, False, ""),
        ("key", 8, 8, False, "address"),
        ("value", 16, 8, False, "address"),
        ("flags", 24, 8, False, "hex"),
    )),
    "bpf_id": (168, False, (
        ("id", 0, 4, False, ""),
        ("next_id", 4, 4, False, ""),
        ("open_flags", 8, 4, False, "hex"),
    )),
    "bpf_info": (168, False, (
        ("bpf_fd", 0, 4, False, ""),
        ("info_len", 4, 4, False, ""),
        ("info", 8, 8, False, "address"),
    )),
    "bpf_link": (168, False, (
        ("prog_fd", 0, 4, False, ""),
        ("target_fd", 4, 4, False, ""),
        ("attach_type", 8, 4, False, "bpf_attach_type"),
        ("flags", 12, 4, False, "hex"),
    )),
    "bpf_map": (168, False, (
        ("map_type", 0, 4, False, "bpf_map_type"),
        ("key_size", 4, 4, False, ""),
        ("value_size", 8, 4, False, ""),
        ("max_entries", 12, 4, False, ""),
        ("map_flags", 16, 4, False, "bpf_map_flag"),
        ("inner_map_fd", 20, 4, False, ""),
        ("numa_node", 24, 4, False, ""),
        ("map_name", 28, 16, False, "text"),
        ("map_ifindex", 44, 4, False, ""),
        ("btf_fd", 48, 4, False, ""),
        ("btf_key_type_id", 52, 4, False, ""),
        ("btf_value_type_id", 56, 4, False, ""),
        ("btf_vmlinux_value_type_id", 60, 4, False, ""),
        ("map_extra", 64, 8, False, ""),
    )),
    "bpf_next": (168, False, (
        ("start_id", 0, 4, False, ""),
        ("next_id", 4, 4, False, ""),
        ("open_flags", 8, 4, False, "hex"),
    )),
    "bpf_next_key": (168, False, (
        ("map_fd", 0, 4, False, ""),
        ("key", 8, 8, False, "address"),
        ("next_key", 16, 8, False, "address"),
    )),
    "bpf_pin": (168, False, (
        ("pathname", 0, 8, False, "address"),
        ("bpf_fd", 8, 4, False, ""),
        ("file_flags", 12, 4, False, "hex"),
    )),
    "bpf_program": (168, False, (
        ("prog_type", 0, 4, False, "bpf_program_type"),
        ("insn_cnt", 4, 4, False, ""),
        ("insns", 8, 8, False, "address"),
        ("license", 16, 8, False, "address"),
        ("log_level", 24, 4, False, ""),
        ("log_size", 28, 4, False, ""),
        ("log_buf", 32, 8, False, "address"),
        ("kern_version", 40, 4, False, "hex"),
        ("prog_flags", 44, 4, False, "hex"),
        ("prog_name", 48, 16, False, "text"),
        ("prog_ifindex", 64, 4, False, ""),
        ("expected_attach_type", 68, 4, False, "bpf_attach_type"),
        ("prog_btf_fd", 72, 4, False, ""),
        ("func_info_rec_size", 76, 4, False, ""),
        ("func_info", 80, 8, False, "address"),
        ("func_info_cnt", 88, 4, False, ""),
        ("line_info_rec_size", 92, 4, False, ""),
        ("line_info", 96, 8, False, "address"),
        ("line_info_cnt", 104, 4, False, ""),
        ("attach_btf_id", 108, 4, False, ""),
        ("attach_prog_fd", 112, 4, False, ""),
    )),
    "bpf_raw_tracepoint": (168, False, (
        ("name", 0, 8, False, "address"),
        ("prog_fd", 8, 4, False, ""),
    )),
    "cached_pages": (40, False, (
        ("nr_cache", 0, 8, False, ""),
        ("nr_dirty", 8, 8, False, ""),
        ("nr_writeback", 16, 8, False, ""),
        ("nr_evicted", 24, 8, False, ""),
        ("nr_recently_evicted", 32, 8, False, ""),
    )),
    "cached_range": (16, False, (
        ("off", 0, 8, False, ""),
        ("len", 8, 8, False, ""),
    )),
    "capability_data": (12, False, (
        ("effective", 0, 4, False, ""),
        ("permitted", 4, 4, False, ""),
        ("inheritable", 8, 4, False, ""),
    )),
    "capability_header": (8, False, (
        ("version", 0, 4, False, "capability_version"),
        ("pid", 4, 4, True, ""),
    )),
    "clone_arguments": (88, False, (
        ("flags", 0, 8, False, "clone3"),
        ("pidfd", 8, 8, False, "address"),
        ("child_tid", 16, 8, False, "address"),
        ("parent_tid", 24, 8, False, "address"),
        ("exit_signal", 32, 8, False, "signal"),
        ("stack", 40, 8, False, "address"),
        ("stack_size", 48, 8, False, "hex"),
        ("tls", 56, 8, False, "address"),
        ("set_tid", 64, 8, False, "address"),
        ("set_tid_size", 72, 8, False, ""),
        ("cgroup", 80, 8, False, ""),
    )),
    "credentials": (12, False, (
        ("pid", 0, 4, True, ""),
        ("uid", 4, 4, False, ""),
        ("gid", 8, 4, False, ""),
    )),
    "directory_entry": (280, False, (
        ("d_ino", 0, 8, False, ""),
        ("d_off", 8, 8, True, ""),
        ("d_reclen", 16, 2, False, ""),
        ("d_type", 18, 1, False, "directory_entry_type"),
        ("d_name", 19, 256, False, "text"),
    )),
    "epoll_data": (8, False, (
        ("u32", 0, 4, False, ""),
        ("u64", 0, 8, False, ""),
    )),
    "file_handle": (8, False, (
        ("handle_bytes", 0, 4, False, ""),
        ("handle_type", 4, 4, True, ""),
    )),
    "filter_program": (16, False, (
        ("len", 0, 2, False, ""),
        ("filter", 8, 8, False, "address"),
    )),
    "flock": (32, False, (
        ("l_type", 0, 2, True, "lock_type"),
        ("l_whence", 2, 2, True, "whence"),
        ("l_start", 8, 8, True, ""),
        ("l_len", 16, 8, True, ""),
    )),
    "futex_wait": (24, False, (
        ("val", 0, 8, False, "hex"),
        ("uaddr", 8, 8, False, "address"),
        ("flags", 16, 4, False, "futex2"),
    )),
    "inotify_event": (16, False, (
        ("wd", 0, 4, True, ""),
        ("mask", 4, 4, False, "inotify_mask"),
        ("cookie", 8, 4, False, ""),
        ("len", 12, 4, False, ""),
    )),
    "iovec": (16, False, (
        ("iov_base", 0, 8, False, "address"),
        ("iov_len", 8, 8, False, ""),
    )),
    "ipc_permission": (48, False, (
        ("uid", 4, 4, False, ""),
        ("gid", 8, 4, False, ""),
        ("mode", 20, 4, False, "octal"),
        ("key", 0, 4, True, ""),
        ("cuid", 12, 4, False, ""),
        ("cgid", 16, 4, False, ""),
    )),
    "itimerspec": (32, False, (
        ("it_interval", 0, 16, False, "struct timespec"),
        ("it_value", 16, 16, False, "struct timespec"),
    )),
    "itimerval": (32, False, (
        ("it_interval", 0, 16, False, "struct timeval"),
        ("it_value", 16, 16, False, "struct timeval"),
    )),
    "landlock_ruleset": (48, False, (
        ("handled_access_fs", 0, 8, False, "landlock_files"),
        ("handled_access_net", 8, 8, False, "landlock_net"),
        ("scoped", 16, 8, False, "landlock_scope"),
    )),
    "limit": (16, False, (
        ("rlim_cur", 0, 8, False, "limit_size"),
        ("rlim_max", 8, 8, False, "limit_size"),
    )),
    "linger": (8, False, (
        ("l_onoff", 0, 4, True, ""),
        ("l_linger", 4, 4, True, ""),
    )),
    "lock_found": (32, False, (
        ("l_type", 0, 2, True, "lock_type"),
        ("l_whence", 2, 2, True, "whence"),
        ("l_start", 8, 8, True, ""),
        ("l_len", 16, 8, True, ""),
        ("l_pid", 24, 4, True, ""),
    )),
    "message": (56, False, (
        ("msg_name", 0, 8, False, "address"),
        ("msg_namelen", 8, 4, False, ""),
        ("msg_iov", 16, 8, False, "address"),
        ("msg_iovlen", 24, 8, False, ""),
        ("msg_control", 32, 8, False, "address"),
        ("msg_controllen", 40, 8, False, ""),
        ("msg_flags", 48, 4, True, "message"),
    )),
    "message_queue": (120, True, (
        ("msg_perm", 0, 48, False, "struct ipc_permission"),
        ("msg_qnum", 80, 8, False, ""),
        ("msg_qbytes", 88, 8, False, ""),
        ("msg_lspid", 96, 4, True, ""),
        ("msg_lrpid", 100, 4, True, ""),
    )),
    "messages": (64, False, (
        ("msg_hdr", 0, 56, False, "struct message"),
        ("msg_len", 56, 4, False, ""),
    )),
    "mount_attribute": (32, False, (
        ("attr_set", 0, 8, False, "mount_attribute"),
        ("attr_clr", 8, 8, False, "mount_attribute"),
        ("propagation", 16, 8, False, "mount"),
        ("userns_fd", 24, 8, False, ""),
    )),
    "old_directory_entry": (24, False, (
        ("d_ino", 0, 8, False, ""),
        ("d_off", 8, 8, False, ""),
        ("d_reclen", 16, 2, False, ""),
        ("d_name", 18, 1, False, "text"),
    )),
    "open_how": (24, False, (
        ("flags", 0, 8, False, "open"),
        ("mode", 8, 8, False, "octal"),
        ("resolve", 16, 8, False, "resolve"),
    )),
    "owner": (8, False, (
        ("type", 0, 4, True, "owner_type"),
        ("pid", 4, 4, True, ""),
    )),
    "perf": (144, True, (
        ("type", 0, 4, False, "perf_type"),
        ("size", 4, 4, False, ""),
        ("config", 8, 8, False, "hex"),
        ("sample_period", 16, 8, False, ""),
    )),
    "poll": (8, False, (
        ("fd", 0, 4, True, ""),
        ("events", 4, 2, True, "poll"),
        ("revents", 6, 2, True, "poll"),
    )),
    "queue": (64, False, (
        ("mq_flags", 0, 8, True, "queue_flag"),
        ("mq_maxmsg", 8, 8, True, ""),
        ("mq_msgsize", 16, 8, True, ""),
        ("mq_curmsgs", 24, 8, True, ""),
    )),
    "ring": (120, True, (
        ("flags", 8, 4, False, "ring_setup"),
        ("sq_thread_cpu", 12, 4, False, ""),
        ("sq_thread_idle", 16, 4, False, ""),
    )),
    "schedule": (56, False, (
        ("size", 0, 4, False, ""),
        ("sched_policy", 4, 4, False, "policy"),
        ("sched_flags", 8, 8, False, "schedule_flag"),
        ("sched_nice", 16, 4, True, ""),
        ("sched_priority", 20, 4, False, ""),
        ("sched_runtime", 24, 8, False, ""),
        ("sched_deadline", 32, 8, False, ""),
        ("sched_period", 40, 8, False, ""),
        ("sched_util_min", 48, 4, False, ""),
        ("sched_util_max", 52, 4, False, ""),
    )),
    "semaphore_operation": (6, False, (
        ("sem_num", 0, 2, False, ""),
        ("sem_op", 2, 2, True, ""),
        ("sem_flg", 4, 2, True, "semaphore_flag"),
    )),
    "shared_memory": (112, True, (
        ("shm_perm", 0, 48, False, "struct ipc_permission"),
        ("shm_segsz", 48, 8, False, ""),
        ("shm_cpid", 80, 4, True, ""),
        ("shm_lpid", 84, 4, True, ""),
        ("shm_nattch", 88, 8, False, ""),
    )),
    "sigevent": (64, True, (
        ("sigev_value", 0, 8, False, "struct value"),
        ("sigev_signo", 8, 4, True, "signal"),
        ("sigev_notify", 12, 4, True, "event_notification"),
    )),
    "siginfo": (128, False, (
        ("si_signo", 0, 4, True, "signal"),
        ("si_code", 8, 4, True, ""),
        ("si_errno", 4, 4, True, ""),
    )),
    "siginfo_call": (128, False, (
        ("si_call_addr", 16, 8, False, "address"),
        ("si_syscall", 24, 4, True, ""),
        ("si_arch", 28, 4, False, "hex"),
    )),
    "siginfo_child": (128, False, (
        ("si_pid", 16, 4, True, ""),
        ("si_uid", 20, 4, False, ""),
        ("si_status", 24, 4, True, ""),
        ("si_utime", 32, 8, True, ""),
        ("si_stime", 40, 8, True, ""),
    )),
    "siginfo_fault": (128, False, (
        ("si_addr", 16, 8, False, "address"),
    )),
    "siginfo_kill": (128, False, (
        ("si_pid", 16, 4, True, ""),
        ("si_uid", 20, 4, False, ""),
    )),
    "siginfo_poll": (128, False, (
        ("si_band", 16, 8, True, ""),
        ("si_fd", 24, 4, True, ""),
    )),
    "siginfo_queue": (128, False, (
        ("si_pid", 16, 4, True, ""),
        ("si_uid", 20, 4, False, ""),
        ("si_int", 24, 4, True, ""),
        ("si_ptr", 24, 8, False, "address"),
    )),
    "siginfo_timer": (128, False, (
        ("si_timerid", 16, 4, True, "hex"),
        ("si_overrun", 20, 4, True, ""),
        ("si_int", 24, 4, True, ""),
        ("si_ptr", 24, 8, False, "address"),
    )),
    "signal_set_argument": (16, False, (
        ("sigmask", 0, 8, False, "address"),
        ("sigsetsize", 8, 8, False, ""),
    )),
    "signal_stack": (24, False, (
        ("ss_sp", 0, 8, False, "address"),
        ("ss_flags", 8, 4, True, "signal_stack"),
        ("ss_size", 16, 8, False, "hex"),
    )),
    "statfs": (120, False, (
        ("f_type", 0, 8, True, "magic"),
        ("f_bsize", 8, 8, True, ""),
        ("f_blocks", 16, 8, True, ""),
        ("f_bfree", 24, 8, True, ""),
        ("f_bavail", 32, 8, True, ""),
        ("f_files", 40, 8, True, ""),
        ("f_ffree", 48, 8, True, ""),
        ("f_fsid", 56, 8, False, "pair"),
        ("f_namelen", 64, 8, True, ""),
        ("f_frsize", 72, 8, True, ""),
        ("f_flags", 80, 8, True, "file_system_flag"),
    )),
    "statx": (256, True, (
        ("stx_mask", 0, 4, False, "statx"),
        ("stx_attributes", 8, 8, False, "statx_attribute"),
        ("stx_mode", 28, 2, False, "mode"),
        ("stx_size", 40, 8, False, ""),
    )),
    "system": (112, False, (
        ("uptime", 0, 8, True, ""),
        ("loads", 8, 24, False, "three"),
        ("totalram", 32, 8, False, ""),
        ("freeram", 40, 8, False, ""),
        ("sharedram", 48, 8, False, ""),
        ("bufferram", 56, 8, False, ""),
        ("totalswap", 64, 8, False, ""),
        ("freeswap", 72, 8, False, ""),
        ("procs", 80, 2, False, ""),
        ("totalhigh", 88, 8, False, ""),
        ("freehigh", 96, 8, False, ""),
        ("mem_unit", 104, 4, False, ""),
    )),
    "system_name": (390, True, (
        ("sysname", 0, 65, False, "text"),
        ("nodename", 65, 65, False, "text"),
    )),
    "terminal": (36, True, (
        ("c_iflag", 0, 4, False, "terminal_input"),
        ("c_oflag", 4, 4, False, "terminal_output"),
        ("c_cflag", 8, 4, False, "terminal_control"),
        ("c_lflag", 12, 4, False, "terminal_local"),
    )),
    "timespec": (16, False, (
        ("tv_sec", 0, 8, True, ""),
        ("tv_nsec", 8, 8, True, ""),
    )),
    "timeval": (16, False, (
        ("tv_sec", 0, 8, True, ""),
        ("tv_usec", 8, 8, True, ""),
    )),
    "timex": (208, False, (
        ("modes", 0, 4, False, "timex_mode"),
        ("offset", 8, 8, True, ""),
        ("freq", 16, 8, True, ""),
        ("maxerror", 24, 8, True, ""),
        ("esterror", 32, 8, True, ""),
        ("status", 40, 4, True, "timex_status"),
        ("constant", 48, 8, True, ""),
        ("precision", 56, 8, True, ""),
        ("tolerance", 64, 8, True, ""),
        ("time", 72, 16, False, "struct timeval"),
        ("tick", 88, 8, True, ""),
        ("ppsfreq", 96, 8, True, ""),
        ("jitter", 104, 8, True, ""),
        ("shift", 112, 4, True, ""),
        ("stabil", 120, 8, True, ""),
        ("jitcnt", 128, 8, True, ""),
        ("calcnt", 136, 8, True, ""),
        ("errcnt", 144, 8, True, ""),
        ("stbcnt", 152, 8, True, ""),
        ("tai", 160, 4, True, ""),
    )),
    "timezone": (8, False, (
        ("tz_minuteswest", 0, 4, True, ""),
        ("tz_dsttime", 4, 4, True, ""),
    )),
    "tms": (32, False, (
        ("tms_utime", 0, 8, True, "hex"),
        ("tms_stime", 8, 8, True, "hex"),
        ("tms_cutime", 16, 8, True, "hex"),
        ("tms_cstime", 24, 8, True, "hex"),
    )),
    "usage": (144, True, (
        ("ru_utime", 0, 16, False, "struct timeval"),
        ("ru_stime", 16, 16, False, "struct timeval"),
    )),
    "utimbuf": (16, False, (
        ("actime", 0, 8, True, ""),
        ("modtime", 8, 8, True, ""),
    )),
    "value": (8, False, (
        ("sival_int", 0, 4, True, ""),
        ("sival_ptr", 0, 8, False, "address"),
    )),
    "window_size": (8, False, (
        ("ws_row", 0, 2, False, ""),
        ("ws_col", 2, 2, False, ""),
        ("ws_xpixel", 4, 2, False, ""),
        ("ws_ypixel", 6, 2, False, ""),
    )),
}

# What differs, by the machine's name as uname -m has it.
OWN: Mapping[str, Mapping[str, Struct]] = {
    "x86_64": {
        "epoll": (12, False, (
            ("events", 0, 4, False, "epoll_event"),
            ("data", 4, 8, False, "struct epoll_data"),
        )),
        "semaphores": (104, False, (
            ("sem_perm", 0, 48, False, "struct ipc_permission"),
            ("sem_otime", 48, 8, True, ""),
            ("sem_ctime", 64, 8, True, ""),
            ("sem_nsems", 80, 8, False, ""),
        )),
        "sigaction": (32, False, (
            ("sa_handler", 0, 8, False, "handler"),
            ("sa_mask", 24, 8, False, "signals"),
            ("sa_flags", 8, 8, False, "signal_action"),
            ("sa_restorer", 16, 8, False, "address"),
        )),
        "stat": (144, True, (
            ("st_mode", 24, 4, False, "mode"),
            ("st_size", 48, 8, True, ""),
            ("st_rdev", 40, 8, False, "device"),
        )),
    },
    "aarch64": {
        "epoll": (16, False, (
            ("events", 0, 4, False, "epoll_event"),
            ("data", 8, 8, False, "struct epoll_data"),
        )),
        "semaphores": (88, False, (
            ("sem_perm", 0, 48, False, "struct ipc_permission"),
            ("sem_otime", 48, 8, True, ""),
            ("sem_ctime", 56, 8, True, ""),
            ("sem_nsems", 64, 8, False, ""),
        )),
        "sigaction": (32, False, (
            ("sa_handler", 0, 8, False, "handler"),
            ("sa_mask", 24, 8, False, "signals"),
            ("sa_flags", 8, 8, False, "signal_action"),
            ("sa_restorer", 16, 8, False, "address"),
        )),
        "stat": (128, True, (
            ("st_mode", 16, 4, False, "mode"),
            ("st_size", 48, 8, True, ""),
            ("st_rdev", 32, 8, False, "device"),
        )),
    },
    "riscv64": {
        "epoll": (16, False, (
            ("events", 0, 4, False, "epoll_event"),
            ("data", 8, 8, False, "struct epoll_data"),
        )),
        "semaphores": (88, False, (
            ("sem_perm", 0, 48, False, "struct ipc_permission"),
            ("sem_otime", 48, 8, True, ""),
            ("sem_ctime", 56, 8, True, ""),
            ("sem_nsems", 64, 8, False, ""),
        )),
        "sigaction": (24, False, (
            ("sa_handler", 0, 8, False, "handler"),
            ("sa_mask", 16, 8, False, "signals"),
            ("sa_flags", 8, 8, False, "signal_action"),
        )),
        "stat": (128, True, (
            ("st_mode", 16, 4, False, "mode"),
            ("st_size", 48, 8, True, ""),
            ("st_rdev", 32, 8, False, "device"),
        )),
    },
    "loongarch64": {
        "epoll": (16, False, (
            ("events", 0, 4, False, "epoll_event"),
            ("data", 8, 8, False, "struct epoll_data"),
        )),
        "semaphores": (88, False, (
            ("sem_perm", 0, 48, False, "struct ipc_permission"),
            ("sem_otime", 48, 8, True, ""),
            ("sem_ctime", 56, 8, True, ""),
            ("sem_nsems", 64, 8, False, ""),
        )),
        "sigaction": (24, False, (
            ("sa_handler", 0, 8, False, "handler"),
            ("sa_mask", 16, 8, False, "signals"),
            ("sa_flags", 8, 8, False, "signal_action"),
        )),
        "stat": (128, True, (
            ("st_mode", 16, 4, False, "mode"),
            ("st_size", 48, 8, True, ""),
            ("st_rdev", 32, 8, False, "device"),
        )),
    },
}
