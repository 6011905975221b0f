/* Made by tpkit 0.1.0 for ipi:ipi_send_cpumask */

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
 * ipi_send_cpumask(__data_loc cpumask_t cpumask, void *callsite, void *callback)
 * What the kernel hands to a program on ipi:ipi_send_cpumask
 */
struct ipi_send_cpumask_context {
	__u8 common[8];	/* the common header: not for BPF */
	__u32 cpumask;	/* __data_loc cpumask_t */
	__u8 _pad12[4];
	__u64 callsite;	/* void * */
	__u64 callback;	/* void * */
};

struct ipi_send_cpumask_record {
	struct record_header header;
	__u32 cpumask;
	__s32 cpumask_size;
	char cpumask_text[32];
	__u64 callsite;
	__u64 callback;
};

int on_ipi_send_cpumask(struct ipi_send_cpumask_context *ctx)
{
	struct ipi_send_cpumask_record *event;
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32, tid = id;

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
	event->cpumask = ctx->cpumask;
	{
		__u32 length = event->cpumask >> 16;

		event->cpumask_size = length;
		if (length > sizeof(event->cpumask_text))
			length = sizeof(event->cpumask_text);
		if (bpf_probe_read_kernel(event->cpumask_text, length, (char *)ctx + (event->cpumask & 0xffff)))
			event->cpumask_size = -14;
	}
	event->callsite = ctx->callsite;
	event->callback = ctx->callback;
	events.ringbuf_submit(event, 0);
	return 0;
}
