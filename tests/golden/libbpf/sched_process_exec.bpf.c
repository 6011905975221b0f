// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
// Made by tpkit 0.1.0 for sched:sched_process_exec
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "sched_process_exec.h"

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
	char comm[16] = {};

	if (pid != 1234)
		return false;
	bpf_get_current_comm(&comm, sizeof(comm));
	if (comm[0] != 'r' || comm[1] != 'm' || comm[2] != 0)
		return false;
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

// sched_process_exec(__data_loc char[] filename, pid_t pid, pid_t old_pid)
// struct sched_process_exec_context: no BTF was at hand
struct sched_process_exec_context {
	__u8 common[8];	/* the common header: not for BPF */
	__u32 filename;
	__s32 pid;	/* pid_t */
	__s32 old_pid;	/* pid_t */
};

SEC("tracepoint/sched/sched_process_exec")
int on_sched_process_exec(struct sched_process_exec_context *ctx)
{
	struct sched_process_exec_record *event;
	__u64 id = task_id();

	if (!is_wanted(id))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_lost(PROBE_SCHED_PROCESS_EXEC);
		return 0;
	}
	fill(&event->header, id, PROBE_SCHED_PROCESS_EXEC);
	event->filename = ctx->filename;
	event->filename_size = bpf_probe_read_kernel_str(event->filename_text,
		sizeof(event->filename_text), (char *)ctx + (event->filename & 0xffff));
	event->pid = ctx->pid;
	event->old_pid = ctx->old_pid;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
