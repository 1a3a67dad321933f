/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * watch - run a monitor, note when its guest says what, look at its memory
 * and count its exits.
 *
 *	watch [-t SECONDS] [-u MARK] [-m MIB] [-s MARK]... [-e] [-p] -o LOG
 *	      -- MONITOR [ARG]...
 *
 *	-t SECONDS	give up after that (180)
 *	-u MARK		kill the monitor at this mark (when its memory has been looked
 *			at, if that is wanted), instead of waiting for its end
 *	-m MIB		the guest's memory
 *	-s MARK		look at the monitor's memory a second after this mark
 *	-e		count exits
 *	-p		from the first mark on, the vCPU's thread stays on the first
 *			processor, all others on the second
 *	-o LOG		what the monitor writes, marks excepted
 *
 * A mark is a line "@NAME" that the monitor writes to its standard output.
 * Times are of CLOCK_MONOTONIC, from the instant before the monitor is
 * executed to the return of the read() that brought the end of the line.
 *
 * Prints	mark NAME NANOSECONDS [EXITS USER-EXITS IO MMIO]
 *		cpu NAME NANOSECONDS			(of the monitor's threads)
 *		memory NAME RSS PSS DIRTY GUEST		(KiB)
 *		end NANOSECONDS				(without -u)
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/exits.h"
#include "tools/bench/pin_threads.h"
#include "tools/bench/smaps.h"

#define SAMPLES_MAX 4
#define SAMPLE_NS   INT64_C(1000000000)

struct watch {
	int64_t timeout_ns;
	const char *until;
	uint64_t guest_kib;
	const char *samples[SAMPLES_MAX];
	unsigned nsamples;
	bool count;
	bool pin; /* still to be done */
	FILE *log;

	pid_t pid;
	int out;
	int64_t start;
	struct exits exits;
	const char *sample; /* which one is due */
	int64_t sample_at;
	char line[512];
	size_t len;
	bool done;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void usage(void)
{
	errx(2, "see the head of tools/bench/watch.c");
}

static char **parse(struct watch *w, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+t:u:m:s:epo:")) != -1) {
		if (opt == 't')
			w->timeout_ns = atoll(optarg) * 1000000000;
		else if (opt == 'u')
			w->until = optarg;
		else if (opt == 'm')
			w->guest_kib = strtoull(optarg, NULL, 10) << 10;
		else if (opt == 's' && w->nsamples < SAMPLES_MAX)
			w->samples[w->nsamples++] = optarg;
		else if (opt == 'e')
			w->count = true;
		else if (opt == 'p')
			w->pin = true;
		else if (opt == 'o')
			w->log = fopen(optarg, "we");
		else
			usage();
	}
	if (!w->log || optind == argc)
		usage();
	return argv + optind;
}

/* In the child; it waits until all is ready to measure it. */
static _Noreturn void become(const struct watch *w, char **argv, int go,
			     int out)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(out, 1);
	dup2(fileno(w->log), 2);
	execv(argv[0], argv);
	err(1, "cannot run '%s'", argv[0]);
}

static void start(struct watch *w, char **argv)
{
	int go[2], out[2];

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		err(1, "cannot make a pipe");
	w->pid = fork();
	if (w->pid < 0)
		err(1, "cannot fork");
	if (w->pid == 0)
		become(w, argv, go[0], out[1]);
	close(out[1]);
	close(go[0]);
	w->out = out[0];
	if (w->count)
		exits_open(&w->exits, w->pid);
	w->start = now_ns();
	if (write(go[1], "", 1) != 1)
		err(1, "cannot start the monitor");
	close(go[1]);
}

/* Processor time that the monitor has had, what it had before execve() in it. */
static int64_t cpu_ns(pid_t pid)
{
	struct timespec t = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		errx(1, "the monitor has no clock");
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_last(const struct watch *w, const char *name)
{
	return w->until && strcmp(name, w->until) == 0;
}

static void mark(struct watch *w, const char *name, int64_t at)
{
	const int64_t cpu = cpu_ns(w->pid);
	uint64_t n[EXITS_KINDS];

	if (w->pin)
		pin_threads(w->pid);
	w->pin = false;
	printf("mark %s %" PRId64, name, at - w->start);
	if (w->count) {
		exits_read(&w->exits, n);
		for (int i = 0; i < EXITS_KINDS; i++)
			printf(" %" PRIu64, n[i]);
	}
	printf("\ncpu %s %" PRId64 "\n", name, cpu);
	if (w->sample)
		errx(1, "'%s' came before the memory after '%s' was looked at",
		     name, w->sample);
	for (unsigned i = 0; i < w->nsamples; i++) {
		if (strcmp(name, w->samples[i]) == 0) {
			w->sample = w->samples[i];
			w->sample_at = at + SAMPLE_NS;
		}
	}
	if (strncmp(name, "failed", 6) == 0)
		errx(1, "the guest %s", name);
	if (is_last(w, name) && !w->sample)
		w->done = true;
}

static void take_line(struct watch *w, int64_t at)
{
	w->line[w->len] = '\0';
	while (w->len > 0 && w->line[w->len - 1] == '\r')
		w->line[--w->len] = '\0';
	if (w->line[0] == '@')
		mark(w, w->line + 1, at);
	else
		fprintf(w->log, "%s\n", w->line);
	w->len = 0;
}

static void read_output(struct watch *w)
{
	char buf[2048];
	ssize_t n = read(w->out, buf, sizeof(buf));
	int64_t at = now_ns();

	if (n <= 0) {
		w->done = true;
		return;
	}
	for (ssize_t i = 0; i < n && !w->done; i++) {
		if (buf[i] == '\n')
			take_line(w, at);
		else if (w->len < sizeof(w->line) - 1)
			w->line[w->len++] = buf[i];
	}
}

static void take_sample(struct watch *w)
{
	struct smaps s;

	smaps_read(w->pid, w->guest_kib, &s);
	printf("memory %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       w->sample, s.rss, s.pss, s.dirty, s.guest);
	w->done = is_last(w, w->sample);
	w->sample = NULL;
}

static void follow(struct watch *w)
{
	int64_t limit = w->start + w->timeout_ns;

	while (!w->done) {
		struct pollfd p = {.fd = w->out, .events = POLLIN};
		int64_t until = w->sample ? w->sample_at : limit;
		int64_t left = until - now_ns();

		if (left > 0 &&
		    poll(&p, 1, (int)((left + 999999) / 1000000)) != 0) {
			read_output(w);
			continue;
		}
		if (!w->sample)
			errx(1, "no end within %" PRId64 " s",
			     w->timeout_ns / 1000000000);
		take_sample(w);
	}
}

static struct watch watched = {.timeout_ns = INT64_C(180000000000)};

static void wait_monitor(void)
{
	while (waitpid(watched.pid, NULL, 0) < 0 && errno == EINTR)
		;
	watched.pid = 0;
}

/* Whoever comes next shall not share the machine with its end. */
static void kill_monitor(void)
{
	if (watched.pid > 0) {
		kill(watched.pid, SIGKILL);
		wait_monitor();
	}
}

int main(int argc, char **argv)
{
	struct watch *w = &watched;
	char **command = parse(w, argc, argv);

	start(w, command);
	atexit(kill_monitor);
	follow(w);
	if (w->until) {
		kill_monitor();
	} else {
		wait_monitor();
		printf("end %" PRId64 "\n", now_ns() - w->start);
	}
	fclose(w->log);
	return 0;
}
