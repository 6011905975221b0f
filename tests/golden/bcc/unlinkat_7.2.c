/* Made by tpkit 0.1.0 for syscalls:sys_enter_unlinkat */

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
 * unlinkat(int dfd, const char *pathname, int flag)
 * What the kernel hands to a program on syscalls:sys_enter_unlinkat
 */
struct sys_enter_unlinkat_context {
	__u8 common[8];	/* the common header: not for BPF */
	__s32 __syscall_nr;	/* int */
	__u8 _pad12[4];
	__u64 args[3];	/* int dfd, const char *pathname, int flag */
};

struct sys_enter_unlinkat_record {
	struct record_header header;
	__s32 dfd;
	__u8 _pad44[4];
	__u64 pathname;
	__s32 pathname_size;
	char pathname_text[258];
	__u8 _pad318[2];
	__s32 flag;
	__u8 _pad324[4];
};
/* Left out: __data_loc char[] __pathname_val: filled in for ftrace and perf only; read the argument's own string */

int on_sys_enter_unlinkat(struct sys_enter_unlinkat_context *ctx)
{
	struct sys_enter_unlinkat_record *event;
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
	event->dfd = ctx->args[0];
	event->pathname = ctx->args[1];
	event->pathname_size = bpf_probe_read_user_str(event->pathname_text,
			sizeof(event->pathname_text), (const char *)event->pathname);
	event->flag = ctx->args[2];
	events.ringbuf_submit(event, 0);
	return 0;
}
