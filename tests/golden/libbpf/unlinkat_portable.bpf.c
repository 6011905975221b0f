// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
// Made by tpkit 0.1.0 for syscalls:sys_enter_unlinkat
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "unlinkat.h"

char LICENSE[] SEC("license") = "GPL";	// the kernel's memory is for GPL programs only

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8388608);
} events SEC(".maps");

// Records that found no room, by probe.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROBES);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

const volatile __u32 own_pid;	// the loader, which would otherwise trace its own output

static __always_inline __u64 task_id(void)
{
	return bpf_get_current_pid_tgid();
}

static __always_inline bool is_wanted(__u64 id)
{
	__u32 pid = id >> 32;

	return pid != own_pid;
}

static __always_inline void fill(struct record_header *header, __u64 id, __u32 probe)
{
	header->time = bpf_ktime_get_ns();
	header->pid = id >> 32;
	header->tid = id;
	header->probe = probe;
	header->_pad = 0;
	bpf_get_current_comm(&header->comm, sizeof(header->comm));
}

static __always_inline void count_lost(__u32 probe)
{
	__u64 *count = bpf_map_lookup_elem(&lost, &probe);

	if (count)
		++*count;
}

// unlinkat(int dfd, const char *pathname, int flag)
// struct syscall_tp_t___sys_enter_unlinkat: what perf_call_bpf_enter() has on its stack
struct syscall_tp_t___sys_enter_unlinkat {
	unsigned long args[6];
} __attribute__((preserve_access_index));

SEC("tp/syscalls/sys_enter_unlinkat")
int on_sys_enter_unlinkat(struct syscall_tp_t___sys_enter_unlinkat *ctx)
{
	int dfd = (int)ctx->args[0];
	const char *pathname = (const char *)ctx->args[1];
	int flag = (int)ctx->args[2];
	struct sys_enter_unlinkat_record *event;
	__u64 id = task_id();

	if (!is_wanted(id))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_lost(PROBE_SYS_ENTER_UNLINKAT);
		return 0;
	}
	fill(&event->header, id, PROBE_SYS_ENTER_UNLINKAT);
	event->dfd = dfd;
	event->pathname = (__u64)pathname;
	event->pathname_size = bpf_probe_read_user_str(event->pathname_text,
		sizeof(event->pathname_text), pathname);
	event->flag = flag;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
