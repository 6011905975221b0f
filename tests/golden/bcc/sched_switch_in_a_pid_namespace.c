/* Made by tpkit 0.1.0 for sched:sched_switch */

/* In a PID namespace: pids are those of our namespace, and tasks outside of it aren't looked at. */

/*
 * What is per CPU is ours from the first of these calls to the second. No kernel has such functions: the loader calls
 * others in their place, which switch interrupts off and on, if another program could run in between, or none.
 */
static void (*begin_alone)(__u64 *interrupts) = (void *)2119667713;
static void (*end_alone)(__u64 *interrupts) = (void *)2119667714;

struct record_header {
	__u64 time;	/* ns since boot */
	__u32 pid;	/* process: the thread group */
	__u32 tid;	/* thread */
	__u32 probe;	/* which probe of the program */
	__u32 _pad;
	char comm[16];	/* the thread's name */
};

/* What became of events, by what records are of. Per CPU, and programs don't interrupt each other: no atomics. */
struct counts {
	__u64 matched;
	__u64 filtered;
	__u64 full;
	__u64 unpaired;
	__u64 unkept;
	__u64 faulted;
	__u64 truncated;
};

/* A record while it is being made: no room for it on the stack. */
struct scratch {
	__u8 bytes[96];
};

BPF_RINGBUF_OUTPUT(events, 1);	/* the loader gives it the size that is wanted */
BPF_PERCPU_ARRAY(counters, struct counts, 1);
BPF_PERCPU_ARRAY(scratch, struct scratch, 1);
/* Whether events are wanted by now; threads that couldn't be followed; calls under way that couldn't be kept. */
BPF_ARRAY(session, __u64, 3);

struct task {
	__u32 thread;	/* as the kernel knows it */
	__u32 pid;
	__u32 tid;
};

static inline int is_wanted(struct task *task)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	__u64 *on = session.lookup(&zero);
	struct bpf_pidns_info ns = {};

	if (!on || !*on)
		return 0;
	task->thread = id;
	task->pid = id >> 32;
	task->tid = id;
	if (bpf_get_ns_current_pid_tgid(4, 4026532177, &ns, sizeof(ns)))
		return 0;
	task->pid = ns.tgid;
	task->tid = ns.pid;
	return 1;
}

static inline void begin(struct record_header *header, struct task *task, __u32 probe)
{
	header->time = bpf_ktime_get_ns();
	header->pid = task->pid;
	header->tid = task->tid;
	header->probe = probe;
	header->_pad = 0;
	bpf_get_current_comm(&header->comm, sizeof(header->comm));
}

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
	struct counts *counts;
	struct task task;
	__u32 number = 0, zero = 0;
	__u64 interrupts;

	if (!is_wanted(&task))
		return 0;
	begin_alone(&interrupts);
	counts = counters.lookup(&number);
	event = (void *)scratch.lookup(&zero);
	if (!counts || !event)
		goto end;
	counts->matched++;
	begin(&event->header, &task, 0);
	bpf_probe_read_kernel(event->prev_comm, sizeof(event->prev_comm), (char *)ctx + 8);
	event->prev_pid = ctx->prev_pid;
	event->prev_prio = ctx->prev_prio;
	event->prev_state = ctx->prev_state;
	bpf_probe_read_kernel(event->next_comm, sizeof(event->next_comm), (char *)ctx + 40);
	event->next_pid = ctx->next_pid;
	event->next_prio = ctx->next_prio;
	if (events.ringbuf_output(event, sizeof(*event), 0))
		counts->full++;
end:
	end_alone(&interrupts);
	return 0;
}
