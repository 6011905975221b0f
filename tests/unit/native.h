/* BCC and the kernel, as far as the programs of the trace engine need them: see native.py. */
#include <string.h>

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

/* The last record that was sent, and how many there were. */
int records;
__u64 record_size;
__u8 record_bytes[1 << 16];

static char task_comm[16];
static __u32 task_pid, task_uid;
__u64 now = 1;

void set_task(const char *comm, __u32 pid, __u32 uid)
{
	memset(task_comm, 0, sizeof(task_comm));
	strncpy(task_comm, comm, sizeof(task_comm) - 1);
	task_pid = pid;
	task_uid = uid;
}

#define BPF_ARRAY(name, type, size)                                             \
	type name##_data[size];                                                 \
	static type *name##_lookup(__u32 *key) { return &name##_data[*key]; }   \
	static const struct {                                                   \
		type *(*lookup)(__u32 *key);                                    \
	} name = { name##_lookup }
#define BPF_PERCPU_ARRAY BPF_ARRAY

/* A hash of a few elements. */
#define BPF_TABLE(kind, key_type, type, name, size)                             \
	static key_type name##_keys[8];                                         \
	static int name##_used[8];                                              \
	static type name##_data[8];                                             \
	static int name##_find(key_type key)                                    \
	{                                                                       \
		int n;                                                          \
		for (n = 0; n < 8; n++)                                         \
			if (name##_used[n] && name##_keys[n] == key)            \
				return n;                                       \
		return -1;                                                      \
	}                                                                       \
	static type *name##_lookup(key_type *key)                               \
	{                                                                       \
		int n = name##_find(*key);                                      \
		return n < 0 ? 0 : &name##_data[n];                             \
	}                                                                       \
	static long name##_update(key_type *key, type *value)                   \
	{                                                                       \
		int n = name##_find(*key);                                      \
		for (n = n < 0 ? 0 : n; name##_used[n] && name##_keys[n] != *key; n++) \
			if (n == 7)                                             \
				return -7;                                      \
		name##_used[n] = 1;                                             \
		name##_keys[n] = *key;                                          \
		memcpy(&name##_data[n], value, sizeof(type));                   \
		return 0;                                                       \
	}                                                                       \
	static void name##_delete(key_type *key)                                \
	{                                                                       \
		if (name##_find(*key) >= 0)                                     \
			name##_used[name##_find(*key)] = 0;                     \
	}                                                                       \
	static const struct {                                                   \
		type *(*lookup)(key_type *key);                                 \
		long (*update)(key_type *key, type *value);                     \
		void (*delete)(key_type *key);                                  \
	} name = { name##_lookup, name##_update, name##_delete }

static int output(void *record, __u64 size, int flags)
{
	if (size > sizeof(record_bytes) || flags)
		return -1;
	memcpy(record_bytes, record, size);
	record_size = size;
	records++;
	return 0;
}

#define BPF_RINGBUF_OUTPUT(name, pages)                                         \
	static const struct {                                                   \
		int (*ringbuf_output)(void *record, __u64 size, int flags);     \
	} name = { output }

static __u64 bpf_get_current_pid_tgid(void) { return (__u64)task_pid << 32 | task_pid; }
static __u64 bpf_get_current_uid_gid(void) { return 7ull << 32 | task_uid; }
static __u32 bpf_get_smp_processor_id(void) { return 3; }
static __u64 bpf_ktime_get_ns(void) { return now; }

static long bpf_get_current_comm(void *target, __u32 size)
{
	memcpy(target, task_comm, size);
	return 0;
}

/* Low addresses can't be read, nor what lies where a test says so. */
__u64 absent, absent_size;

static int is_absent(const void *from, __u64 size)
{
	__u64 first = (__u64)from;

	return first < 4096 || (absent_size && first < absent + absent_size && first + size > absent);
}

static long bpf_probe_read_kernel(void *target, __u32 size, const void *from)
{
	if (is_absent(from, size)) {
		memset(target, 0, size);
		return -14;
	}
	memcpy(target, from, size);
	return 0;
}

static long bpf_probe_read_kernel_str(void *target, __u32 size, const void *from)
{
	char *bytes = target;
	__u32 length = 0;

	if (is_absent(from, 1)) {
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

#define bpf_probe_read_user bpf_probe_read_kernel
#define bpf_probe_read_user_str bpf_probe_read_kernel_str
