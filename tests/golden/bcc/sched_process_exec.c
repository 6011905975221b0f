/* Made by tpkit 0.1.0 for sched:sched_process_exec */

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
 * sched_process_exec(__data_loc char[] filename, pid_t pid, pid_t old_pid)
 * What the kernel hands to a program on sched:sched_process_exec
 */
struct sched_process_exec_context {
	__u8 common[8];	/* the common header: not for BPF */
	__u32 filename;
	__s32 pid;	/* pid_t */
	__s32 old_pid;	/* pid_t */
};

struct sched_process_exec_record {
	struct record_header header;
	__u32 filename;
	__s32 filename_size;
	char filename_text[66];
	__u8 _pad114[2];
	__s32 pid;
	__s32 old_pid;
	__u8 _pad124[4];
};

int on_sched_process_exec(struct sched_process_exec_context *ctx)
{
	struct sched_process_exec_record *event;
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
	event->filename = ctx->filename;
	event->filename_size = bpf_probe_read_kernel_str(event->filename_text,
			sizeof(event->filename_text), (char *)ctx + (event->filename & 0xffff));
	event->pid = ctx->pid;
	event->old_pid = ctx->old_pid;
	events.ringbuf_submit(event, 0);
	return 0;
}
