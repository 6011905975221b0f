// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
// Made by tpkit 0.1.0 for syscalls:sys_enter_unlinkat
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

// unlinkat(int dfd, const char *pathname, int flag)
// struct syscall_tp_t___sys_enter_unlinkat: what perf_call_bpf_enter() has on its stack
struct syscall_tp_t___sys_enter_unlinkat {
	unsigned long args[6];
} __attribute__((preserve_access_index));

SEC("tp/syscalls/sys_enter_unlinkat")
int on_sys_enter_unlinkat(struct syscall_tp_t___sys_enter_unlinkat *ctx)
{
	char pathname[257] = {};

	bpf_probe_read_user_str(pathname, sizeof(pathname), (const char *)ctx->args[1]);
	bpf_printk("unlinkat: dfd=%d pathname=%s flag=%d", (int)ctx->args[0], pathname, (int)ctx->args[2]);
	return 0;
}
