/* Made by tpkit 0.1.0 for syscalls:sys_enter_unlinkat, syscalls:sys_exit_unlinkat */

/* Numbers that the loader puts in the place of these: each is one instruction, which clang can't take apart. */
#define LOADED(number) ({ __u64 _loaded; asm volatile("%0 = " #number : "=r"(_loaded)); (__u32)_loaded; })
#define PID_0 LOADED(0x7e57a000)

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
	__u8 bytes[4168];
};

BPF_RINGBUF_OUTPUT(events, 1);	/* the loader gives it the size that is wanted */
BPF_PERCPU_ARRAY(counters, struct counts, 2);
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
	char comm[16] = {};

	if (!on || !*on)
		return 0;
	task->thread = id;
	task->pid = id >> 32;
	task->tid = id;
	if (task->pid != PID_0)
		return 0;
	bpf_get_current_comm(&comm, sizeof(comm));
	if (comm[0] != 'r' || comm[1] != 'm' || comm[2] != 0)
		return 0;
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
 * Where the next payload of a record begins: behind one of this size, as a helper told it, in a room of so many
 * bytes of which only the kept ones are shown. A pointer that is NULL is no fault.
 */
static inline __u64 behind(struct counts *counts, __u64 used, __s64 size, __u64 kept, __u64 room, __u64 address)
{
	if (size < 0) {
		if (address)
			counts->faulted++;
		return used;
	}
	if ((__u64)size > kept)	/* 0x40000000, where the size doesn't tell, is more than anything is */
		counts->truncated++;
	size &= 0x3fffffff;
	if ((__u64)size > room)
		size = room;
	return used + ((size + 7) & ~7ULL);
}

/*
 * A number in its bounds, and a pointer set forth by one that is, so that the verifier sees it: in the very register that
 * is used behind it. A comparison of C's isn't enough. clang may have put the number on the stack before, and take it from
 * there behind it, and Linux 5.10 doesn't know that they are the same. It also goes into branches that contradict each
 * other, and gives up a pointer that is set forth by a number without a possible value: so it has to forget what it
 * believes of the number, which it does at a minus. The number that is small enough leads on first: the other way then
 * ends where the verifier has been before.
 */
#define AT_MOST(number, most) \
	asm volatile("%0 = -%0\n\t%0 = -%0\n\t" \
		     "if %0 > " #most " goto +1\n\tgoto +1\n\t%0 = " #most : "+r"(number))
#define FORTH(pointer, number, most) \
	asm volatile("%1 = -%1\n\t%1 = -%1\n\t" \
		     "if %1 > " #most " goto +1\n\tgoto +1\n\t%1 = " #most "\n\t%0 += %1" \
		     : "+r"(pointer), "+r"(number))

/* Reads so many bytes with a helper, or so many there is room for. */
#define READ(helper, to, length, most, from) ({ \
	void *_to = (to); \
	const void *_from = (const void *)(from); \
	asm volatile("" : "+r"(_to), "+r"(_from)); \
	AT_MOST(length, most); \
	helper(_to, length, _from); \
})

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

/*
 * unlinkat() = long ret
 * What the kernel hands to a program on syscalls:sys_exit_unlinkat
 */
struct sys_exit_unlinkat_context {
	__u8 common[8];	/* the common header: not for BPF */
	__s32 __syscall_nr;	/* int */
	__u8 _pad12[4];
	__s64 ret;	/* long */
};

struct sys_enter_unlinkat_record {
	struct record_header header;
	__s32 dfd;
	__u8 _pad44[4];
	__u64 pathname;
	__s32 pathname_size;
	__s32 flag;
};

struct sys_exit_unlinkat_record {
	struct record_header header;
	__s64 ret;
};

int on_sys_enter_unlinkat(struct sys_enter_unlinkat_context *ctx)
{
	struct sys_enter_unlinkat_record *event;
	struct counts *counts;
	struct task task;
	__u32 number = 0, zero = 0;
	__u64 interrupts;
	__u64 used = 0;
	__s64 size;
	char *to;

	if (!is_wanted(&task))
		return 0;
	begin_alone(&interrupts);
	counts = counters.lookup(&number);
	event = (void *)scratch.lookup(&zero);
	if (!counts || !event)
		goto end;
	counts->matched++;
	begin(&event->header, &task, 0);
	event->dfd = ctx->args[0];
	event->pathname = ctx->args[1];
	to = (char *)(event + 1);
	size = bpf_probe_read_user_str(to, 4098, (const char *)event->pathname);
	event->pathname_size = size;
	used = behind(counts, used, size, 4097, 4098, event->pathname);
	event->flag = ctx->args[2];
	AT_MOST(used, 4104);
	if (events.ringbuf_output(event, sizeof(*event) + used, 0))
		counts->full++;
end:
	end_alone(&interrupts);
	return 0;
}

int on_sys_exit_unlinkat(struct sys_exit_unlinkat_context *ctx)
{
	struct sys_exit_unlinkat_record *event;
	struct counts *counts;
	struct task task;
	__u32 number = 1, zero = 0;
	__u64 interrupts;

	if (!is_wanted(&task))
		return 0;
	begin_alone(&interrupts);
	counts = counters.lookup(&number);
	event = (void *)scratch.lookup(&zero);
	if (!counts || !event)
		goto end;
	counts->matched++;
	begin(&event->header, &task, 1);
	event->ret = ctx->ret;
	if (events.ringbuf_output(event, sizeof(*event), 0))
		counts->full++;
end:
	end_alone(&interrupts);
	return 0;
}
