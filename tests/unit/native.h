/* BCC and the kernel, as far as the programs of trace need them: see native.py. */
#include <string.h>

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

int records;
static char task_comm[16];
static __u32 task_pid, task_uid;

void set_task(const char *comm, __u32 pid, __u32 uid)
{
	memset(task_comm, 0, sizeof(task_comm));
	strncpy(task_comm, comm, sizeof(task_comm) - 1);
	task_pid = pid;
	task_uid = uid;
}

#define BPF_PERCPU_ARRAY(name, type, size)                                      \
	type name##_data[size];                                                 \
	static type *name##_lookup(__u32 *key) { return &name##_data[*key]; }   \
	static void name##_increment(__u32 key) { *(__u64 *)&name##_data[key] += 1; } \
	static const struct {                                                   \
		type *(*lookup)(__u32 *key);                                    \
		void (*increment)(__u32 key);                                   \
	} name = { name##_lookup, name##_increment }

static __u64 record_room[8192];

static void *reserve(__u64 size)
{
	return size <= sizeof(record_room) ? record_room : 0;
}

static void submit(void *record, int flags)
{
	records += record == record_room && flags == 0;
}

#define BPF_RINGBUF_OUTPUT(name, pages)                         \
	static const struct {                                   \
		void *(*ringbuf_reserve)(__u64 size);           \
		void (*ringbuf_submit)(void *record, int flags); \
	} name = { reserve, submit }

static __u64 bpf_get_current_pid_tgid(void) { return (__u64)task_pid << 32 | task_pid; }
static __u64 bpf_get_current_uid_gid(void) { return 7ull << 32 | task_uid; }
static __u32 bpf_get_smp_processor_id(void) { return 3; }
static __u64 bpf_ktime_get_ns(void) { return 1; }

static long bpf_get_current_comm(void *target, __u32 size)
{
	memcpy(target, task_comm, size);
	return 0;
}

static long bpf_probe_read_kernel(void *target, __u32 size, const void *from)
{
	memcpy(target, from, size);
	return 0;
}

/* Low addresses can't be read. */
static long bpf_probe_read_kernel_str(void *target, __u32 size, const void *from)
{
	char *bytes = target;
	__u32 length = 0;

	if ((__u64)from < 4096) {
		memset(target, 0, size);
		return -14;
	}
	while (length < size - 1 && ((const char *)from)[length]) {
		bytes[length] = ((const char *)from)[length];
		length++;
	}
	bytes[length] = 0;
	return length + 1;
}

#define bpf_probe_read_user_str bpf_probe_read_kernel_str
