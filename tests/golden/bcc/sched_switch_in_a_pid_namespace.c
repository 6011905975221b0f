/* Made by tpkit 0.1.0 for sched:sched_switch */

/* In a PID namespace: pids are those of our namespace, and tasks outside of it aren't looked at. */

struct record_header {
	__u64 time;	/* ns since boot */
	__u32 pid;	/* process: the thread group */
	__u32 tid;	/* thread */
	__u32 probe;	/* which probe of the program */
	__u32 _pad;
	char comm[16];	/* the thread's name */
};

/* Where records go, and how many found no room there, by probe. */
BPF_RINGBUF_OUTPUT(events, 2048);
BPF_PERCPU_ARRAY(lost, __u64, 1);

/*
 * sched_switch(char prev_comm[16], pid_t prev_pid, int prev_prio, long prev_state, char next_comm[16], pid_t next_pid, int next_prio)
 * What the kernel hands to a program on sched:sched_switch
 */
struct sched_switch_context {
	__u8 common[8];	/* the common header: not for BPF */
	char prev_comm[16];
	__s32 prev_pid;	/* pid_t */
	__s32 prev_prio;	/* int */
	__s64 prev_state;	/* long */
	char next_comm[16];
	__s32 next_pid;	/* pid_t */
	__s32 next_prio;	/* int */
};

struct sched_switch_record {
	struct record_header header;
	char prev_comm[16];
	__s32 prev_pid;
	__s32 prev_prio;
	__s64 prev_state;
	char next_comm[16];
	__s32 next_pid;
	__s32 next_prio;
};

int on_sched_switch(struct sched_switch_context *ctx)
{
	struct sched_switch_record *event;
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32, tid = id;
	struct bpf_pidns_info ns = {};

	if (bpf_get_ns_current_pid_tgid(4, 4026532177, &ns, sizeof(ns)))
		return 0;
	pid = ns.tgid;
	tid = ns.pid;

	event = events.ringbuf_reserve(sizeof(*event));
	if (!event) {
		lost.increment(0);
		return 0;
	}
	event->header.time = bpf_ktime_get_ns();
	event->header.pid = pid;
	event->header.tid = tid;
	event->header.probe = 0;
	bpf_get_current_comm(&event->header.comm, sizeof(event->header.comm));
	bpf_probe_read_kernel(event->prev_comm, sizeof(event->prev_comm), (char *)ctx + 8);
	event->prev_pid = ctx->prev_pid;
	event->prev_prio = ctx->prev_prio;
	event->prev_state = ctx->prev_state;
	bpf_probe_read_kernel(event->next_comm, sizeof(event->next_comm), (char *)ctx + 40);
	event->next_pid = ctx->next_pid;
	event->next_prio = ctx->next_prio;
	events.ringbuf_submit(event, 0);
	return 0;
}
