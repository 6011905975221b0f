/* The load: unlinkat(2) on files that don't exist, each by a name of its own, so that every event can be checked.
 *
 *   load [-n EVENTS] [-t SECONDS] [-r RATE] [-l LENGTH] [-k MICROSECONDS] [-d]
 *
 * It waits for a byte on its standard input, makes its calls, prints one JSON object and ends. While it waits,
 * it knocks (-k, off without): a call every so many microseconds, with another name and flag AT_REMOVEDIR, by
 * which a tracer is seen to be attached. -n, -t: whichever is reached first. -r: events per second, 0 for as
 * fast as it can. A name is LENGTH bytes: a fixed beginning and a decimal number of 10 digits. -d: the number is
 * in dfd, too, which the kernel doesn't look at where a name begins with a slash; for tracers that show no names.
 *
 * Nothing can be deleted: the names' folder doesn't exist, which is looked at first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NAME "tpkit-load"
#define FOLDER "/tpkit-load-missing"
#define KNOCK FOLDER "/knock"
#define DIGITS 10
#define LONGEST 4000
#define PERIODS 5000      /* bursts a second, where the rate is higher than that */
#define SPIN_NS 150000    /* nearer to the next burst than that we don't sleep: waking takes its time */
#define EARLY_NS 90000    /* so much before it we want to be awake */
#define FLAT_OUT_BURST 256
#define SECOND 1000000000ull

struct options {
	uint64_t events, rate, knock_us;
	double seconds;
	size_t length;
	int number_dfd;
};

/* Nanoseconds spent in calls, by the clock and of this thread's CPU, and from the first call to the last. */
struct account {
	uint64_t events, wall, cpu, elapsed;
};

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, NAME ": %s\n", what);
	exit(2);
}

static void next_name(char *last_digit)
{
	while (*last_digit == '9')
		*last_digit-- = '0';
	++*last_digit;
}

static void call_all(char *name, char *last_digit, int dfd, int step, uint64_t count)
{
	for (; count--; dfd += step) {
		unlinkat(dfd, name, 0);
		next_name(last_digit);
	}
}

static void wait_until(uint64_t deadline)
{
	uint64_t t = now(CLOCK_MONOTONIC);

	if (t + SPIN_NS < deadline) {
		uint64_t wake = deadline - EARLY_NS;
		struct timespec at = { wake / SECOND, wake % SECOND };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	while (now(CLOCK_MONOTONIC) < deadline)
		;
}

static uint64_t burst_size(uint64_t rate)
{
	if (!rate)
		return FLAT_OUT_BURST;
	return rate > PERIODS ? rate / PERIODS : 1;
}

static struct account run(const struct options *o, char *name)
{
	char *last_digit = name + o->length - 1;
	uint64_t begin = now(CLOCK_MONOTONIC), most = o->seconds * SECOND, burst = burst_size(o->rate);
	struct account a = { 0 };

	while (a.events < o->events && a.elapsed < most) {
		uint64_t count = o->events - a.events < burst ? o->events - a.events : burst;

		if (o->rate)
			wait_until(begin + (uint64_t)(a.events * ((double)SECOND / o->rate)));
		uint64_t cpu = now(CLOCK_THREAD_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);

		call_all(name, last_digit, o->number_dfd ? (int)a.events : AT_FDCWD, o->number_dfd, count);
		uint64_t end = now(CLOCK_MONOTONIC);

		a.cpu += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
		a.wall += end - wall;
		a.elapsed = end - begin;
		a.events += count;
	}
	return a;
}

/* How often it has knocked. */
static uint64_t wait_for_start(const struct options *o, const char *knock)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	uint64_t knocks = 0;
	char byte;

	if (o->knock_us)
		while (poll(&input, 1, 0) == 0) {
			unlinkat(AT_FDCWD, knock, AT_REMOVEDIR);
			knocks++;
			usleep(o->knock_us);
		}
	if (read(0, &byte, 1) != 1)
		fail("nobody said when to start");
	return knocks;
}

static void name_all(char *name, const char *folder, char fill, size_t length)
{
	size_t used = strlen(folder);

	memcpy(name, folder, used);
	name[used] = '/';
	memset(name + used + 1, fill, length - used - 1);
	memset(name + length - DIGITS, '0', DIGITS);
	name[length] = 0;
}

static struct options read_options(int argc, char **argv)
{
	struct options o = { .events = 9999999999ull, .seconds = 3600, .length = 64 };

	for (int c; (c = getopt(argc, argv, "n:t:r:l:k:d")) != -1;)
		switch (c) {
		case 'n': o.events = strtoull(optarg, NULL, 10); break;
		case 't': o.seconds = strtod(optarg, NULL); break;
		case 'r': o.rate = strtoull(optarg, NULL, 10); break;
		case 'l': o.length = strtoull(optarg, NULL, 10); break;
		case 'k': o.knock_us = strtoull(optarg, NULL, 10); break;
		case 'd': o.number_dfd = 1; break;
		default: fail("options: -n -t -r -l -k -d, see load.c");
		}
	if (o.length < sizeof(KNOCK) + DIGITS || o.length > LONGEST)
		fail("-l: from 36 to 4000 bytes");
	return o;
}

int main(int argc, char **argv)
{
	static char name[LONGEST + 1], knock[LONGEST + 1];
	struct options o = read_options(argc, argv);

	if (faccessat(AT_FDCWD, FOLDER, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		fail(FOLDER " must not exist");
	prctl(PR_SET_NAME, NAME);
	prctl(PR_SET_TIMERSLACK, 1);
	name_all(name, FOLDER, 'n', o.length);
	name_all(knock, KNOCK, 'k', o.length);
	uint64_t knocks = wait_for_start(&o, knock);
	struct account a = run(&o, name);

	printf("{\"events\": %llu, \"wall_ns\": %llu, \"cpu_ns\": %llu, \"elapsed_ns\": %llu, \"knocks\": %llu}\n",
	       (unsigned long long)a.events, (unsigned long long)a.wall, (unsigned long long)a.cpu,
	       (unsigned long long)a.elapsed, (unsigned long long)knocks);
	return 0;
}
