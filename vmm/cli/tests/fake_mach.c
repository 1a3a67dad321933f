/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A machine without a guest, for tests of the command: what --kernel names is
 * a script, commands between semicolons.
 *
 *	print TEXT	to the console, \n is a newline
 *	flood N		N bytes of text
 *	echo		what comes in goes out, up to a 'q'
 *	eat N		wait for N bytes, then print how many came and their sum
 *	size		wait for a window size (a new one), print it
 *	files		print how many files the process may open
 *	sleep MS	wait
 *	wait		for mach_stop()
 *	deaf		the same, and take no input
 *	stuck		for ever; "stuck aloud" says when it is asked to stop
 *	poweroff, reboot, panic, crash, fail	how the run ends
 *	signal N	raise it
 *
 * The script may start with "new-fails" or "new-waits" (mach_new() does;
 * with "aloud" it says so first).
 * mach_print_topology() prints the configuration.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/loop.h"
#include "vmm/machine/host.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/trace_record.h"

#define INPUT_ROOM  16
#define PANIC_GRACE 2000 /* ms */

struct mach {
	struct mach_config config;
	struct stream_end end;
	struct loop *loop;
	pthread_t guest, loop_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopped, panicked, ended, deaf, resized, refused, has_room;
	enum mach_outcome outcome;
	uint16_t cols, rows;
	uint8_t input[INPUT_ROOM];
	size_t ninput;
};

static struct mach *to_mach(struct stream_end *e)
{
	return container_of(e, struct mach, end);
}

static size_t deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct mach *m = to_mach(e);
	size_t n;

	pthread_mutex_lock(&m->lock);
	n = min_u64(len, INPUT_ROOM - m->ninput);
	if (m->deaf)
		n = 0;
	memcpy(m->input + m->ninput, buf, n);
	m->ninput += n;
	m->refused = n < len;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return n;
}

static void room(struct stream_end *e)
{
	struct mach *m = to_mach(e);

	pthread_mutex_lock(&m->lock);
	m->has_room = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static const struct stream_ops ops = {.deliver = deliver, .room = room};

/* Wait for any change; false if the guest has to end. */
static bool wait_locked(struct mach *m)
{
	if (!m->stopped)
		pthread_cond_wait(&m->changed, &m->lock);
	return !m->stopped;
}

static bool wait_ms_locked(struct mach *m, long ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!m->stopped && pthread_cond_timedwait(&m->changed, &m->lock,
						     &until) != ETIMEDOUT)
		;
	return !m->stopped;
}

static bool put(struct mach *m, const char *text, size_t len)
{
	bool go = true;

	while (len && go) {
		size_t n = stream_send(&m->end, (const uint8_t *)text, len);

		text += n;
		len -= n;
		pthread_mutex_lock(&m->lock);
		while (len && !m->has_room && go)
			go = wait_locked(m);
		m->has_room = false;
		pthread_mutex_unlock(&m->lock);
	}
	return go;
}

/* Up to @max bytes of input, at least one; 0: the guest has to end. */
static size_t get(struct mach *m, uint8_t *buf, size_t max)
{
	bool refused;
	size_t n;

	pthread_mutex_lock(&m->lock);
	while (m->ninput == 0 && wait_locked(m))
		;
	n = min_u64(max, m->ninput);
	memcpy(buf, m->input, n);
	memmove(m->input, m->input + n, m->ninput - n);
	m->ninput -= n;
	refused = m->refused;
	m->refused = false;
	pthread_mutex_unlock(&m->lock);
	if (refused)
		stream_room(&m->end);
	return n;
}

static bool do_print(struct mach *m, const char *arg)
{
	char text[512];
	size_t n = 0;

	for (const char *p = arg; *p && n < sizeof(text); p++) {
		bool newline = p[0] == '\\' && p[1] == 'n';

		text[n++] = newline ? '\n' : *p;
		p += newline;
	}
	return put(m, text, n);
}

static bool do_flood(struct mach *m, unsigned long n)
{
	char line[64];
	bool go = true;

	memset(line, 'x', sizeof(line));
	line[63] = '\n';
	for (; n && go; n -= min_u64(n, sizeof(line)))
		go = put(m, line, min_u64(n, sizeof(line)));
	return go;
}

static bool do_echo(struct mach *m)
{
	uint8_t c;

	while (get(m, &c, 1) == 1) {
		char text = (char)c;

		if (c == 'q')
			return true;
		if (!put(m, &text, 1))
			return false;
	}
	return false;
}

static bool do_eat(struct mach *m, unsigned long want)
{
	unsigned long got = 0, sum = 0;
	uint8_t buf[8];
	char text[64];

	while (got < want) {
		size_t n = get(m, buf, min_u64(sizeof(buf), want - got));

		if (n == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			sum += buf[i];
		got += n;
	}
	(void)snprintf(text, sizeof(text), "ate %lu sum %lu\n", got, sum);
	return put(m, text, strlen(text));
}

static bool do_size(struct mach *m)
{
	char text[32];
	bool go = true;

	pthread_mutex_lock(&m->lock);
	while (!m->resized && go)
		go = wait_locked(m);
	m->resized = false;
	(void)snprintf(text, sizeof(text), "%ux%u\n", m->cols, m->rows);
	pthread_mutex_unlock(&m->lock);
	return go && put(m, text, strlen(text));
}

static bool do_files(struct mach *m)
{
	struct rlimit r = {0};
	char text[32];

	(void)getrlimit(RLIMIT_NOFILE, &r);
	(void)snprintf(text, sizeof(text), "%ju\n", (uintmax_t)r.rlim_cur);
	return put(m, text, strlen(text));
}

static bool do_wait(struct mach *m, bool deaf, long ms)
{
	bool go = true;

	pthread_mutex_lock(&m->lock);
	m->deaf = deaf;
	if (ms >= 0)
		go = wait_ms_locked(m, ms);
	while (ms < 0 && go)
		go = wait_locked(m);
	pthread_mutex_unlock(&m->lock);
	return go;
}

/* What is no guest's text */
static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

__attribute__((noreturn)) static void do_stuck(struct mach *m, bool aloud)
{
	pthread_mutex_lock(&m->lock);
	while (!m->stopped)
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
	if (aloud)
		say("asked to stop\n");
	for (;;)
		(void)pause();
}

static bool end(struct mach *m, enum mach_outcome outcome)
{
	m->outcome = outcome;
	return false;
}

/* Return: false if it was the last. */
static bool command(struct mach *m, const char *name, const char *arg)
{
	const unsigned long n = strtoul(arg, NULL, 10);

	if (strcmp(name, "print") == 0)
		return do_print(m, arg);
	if (strcmp(name, "flood") == 0)
		return do_flood(m, n);
	if (strcmp(name, "echo") == 0)
		return do_echo(m);
	if (strcmp(name, "eat") == 0)
		return do_eat(m, n);
	if (strcmp(name, "size") == 0)
		return do_size(m);
	if (strcmp(name, "files") == 0)
		return do_files(m);
	if (strcmp(name, "sleep") == 0)
		return do_wait(m, false, (long)n);
	if (strcmp(name, "wait") == 0)
		return do_wait(m, false, -1);
	if (strcmp(name, "deaf") == 0)
		return do_wait(m, true, -1);
	if (strcmp(name, "stuck") == 0)
		do_stuck(m, strcmp(arg, "aloud") == 0);
	if (strcmp(name, "signal") == 0) {
		(void)raise((int)n);
		return true;
	}
	if (strcmp(name, "poweroff") == 0)
		return end(m, MACH_POWERED_OFF);
	if (strcmp(name, "reboot") == 0)
		return end(m, MACH_REBOOTED);
	if (strcmp(name, "halt") == 0)
		return end(m, MACH_HALTED);
	if (strcmp(name, "panic") == 0)
		return end(m, MACH_PANICKED);
	if (strcmp(name, "crash") == 0)
		return end(m, MACH_CRASHED);
	if (strcmp(name, "fail") == 0)
		return end(m, MACH_FAILED);
	return true;
}

static void *guest(void *arg)
{
	struct mach *m = arg;
	char *script = strdup(m->config.kernel), *rest = script, *word;
	bool go = true;

	while (go && (word = strsep(&rest, ";"))) {
		char *space;

		word += strspn(word, " ");
		space = strchr(word, ' ');
		if (space)
			*space = '\0';
		go = command(m, word, space ? space + 1 : "");
	}
	free(script);
	pthread_mutex_lock(&m->lock);
	m->ended = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

int mach_new(struct mach **ret_m, const struct mach_config *config,
	     unsigned flags, struct err *err)
{
	const char *kernel = config->kernel ? config->kernel : "";
	struct mach *m;

	(void)flags;
	if (strncmp(kernel, "new-fails", 9) == 0)
		return err_set(err, ENOEXEC, "kernel '%s': not a kernel",
			       kernel);
	if (strncmp(kernel, "new-waits", 9) == 0) {
		if (strstr(kernel, "aloud"))
			say("setting up\n");
		(void)pause();
	}
	m = calloc(1, sizeof(*m));
	assert(m);
	m->config = *config;
	m->end.ops = &ops;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	if (loop_new(&m->loop, err) < 0)
		abort();
	*ret_m = m;
	return 0;
}

void mach_free(struct mach *m)
{
	if (!m)
		return;
	loop_free(m->loop);
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

struct stream_end *mach_console(struct mach *m)
{
	return &m->end;
}

size_t mach_kernel_log(struct mach *m, char *text, size_t cap)
{
	(void)m;
	(void)cap;
	text[0] = '\0';
	return 0;
}

/* No guest of this machine has ports. */
struct stream_end *mach_port(struct mach *m, unsigned index)
{
	(void)index;
	return &m->end;
}

void mach_console_resize(struct mach *m, uint16_t cols, uint16_t rows)
{
	pthread_mutex_lock(&m->lock);
	m->cols = cols;
	m->rows = rows;
	m->resized = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

struct loop *mach_loop(struct mach *m)
{
	return m->loop;
}

int mach_run(struct mach *m, enum mach_outcome *ret_o, struct err *err)
{
	bool panicked;

	m->outcome = MACH_STOPPED;
	(void)pthread_create(&m->loop_thread, NULL, loop_thread, m->loop);
	(void)pthread_create(&m->guest, NULL, guest, m);
	pthread_mutex_lock(&m->lock);
	while (!m->ended && !m->panicked)
		pthread_cond_wait(&m->changed, &m->lock);
	panicked = m->panicked;
	if (panicked) {
		(void)wait_ms_locked(m, PANIC_GRACE);
		m->stopped = true;
		pthread_cond_broadcast(&m->changed);
	}
	pthread_mutex_unlock(&m->lock);
	(void)pthread_join(m->guest, NULL);
	loop_stop(m->loop);
	(void)pthread_join(m->loop_thread, NULL);
	*ret_o = panicked ? MACH_PANICKED : m->outcome;
	if (*ret_o == MACH_FAILED)
		return err_set(err, EIO, "the fake machine failed");
	return 0;
}

void mach_stop(struct mach *m)
{
	pthread_mutex_lock(&m->lock);
	m->stopped = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

void mach_panicked(struct mach *m)
{
	pthread_mutex_lock(&m->lock);
	m->panicked = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

const char *mach_iommu_reason(const struct mach *m)
{
	(void)m;
	return "IOMMU on: this machine is a fake";
}

bool mach_iommu_on(const struct mach *m)
{
	return m->config.iommu.on != MACH_OFF;
}

bool mach_iommu_stats(struct mach *m, struct iommu_stats *ret_s)
{
	*ret_s = (struct iommu_stats){.attaches = 1, .maps = 2, .unmaps = 3};
	return mach_iommu_on(m);
}

/* Endpoint 8 in a domain of 300 mappings, the last one larger; 16 in none. */
#define FAKE_MAPPINGS 300

bool mach_iommu_endpoint(struct mach *m, size_t n,
			 struct iommu_endpoint_state *ret_s)
{
	if (n == 0)
		*ret_s = (struct iommu_endpoint_state){
			.id = 8,
			.attached = true,
			.domain = 1,
			.mappings = FAKE_MAPPINGS,
			.mapped_bytes = 3321888768,
			.translations = 12,
			.cache_hits = 9,
			.cache_misses = 3,
			.walks = 4,
			.faults = 1,
		};
	else
		*ret_s =
			(struct iommu_endpoint_state){.id = 16, .bypass = true};
	return mach_iommu_on(m) && n < 2;
}

int mach_balloon(struct mach *m, uint64_t bytes)
{
	if (!m->config.balloon)
		return -ENODEV;
	return bytes > m->config.memory ? -ERANGE : 0;
}

bool mach_device_stats(struct mach *m, size_t n,
		       struct mach_device_stats *ret_s)
{
	(void)m;
	if (n == 0)
		*ret_s = (struct mach_device_stats){
			.name = "blk0",
			.kind = "virtio-blk",
			.kicks = 3,
			.interrupts = 2,
			.requests = 7,
			.read = 1000,
			.written = 4096,
			.errors = 1,
		};
	else
		*ret_s = (struct mach_device_stats){
			.name = "vsock",
			.kind = "virtio-vsock",
			.more = {{"connections", 5}, {"reset", UINT64_MAX}},
			.nmore = 2,
		};
	return n < 2;
}

int mach_iommu_mappings(struct mach *m, uint32_t endpoint, iova_t from,
			struct iommu_mapping *ret_m, unsigned max)
{
	unsigned n = 0;

	(void)m;
	if (endpoint != 8)
		return endpoint == 16 ? 0 : -ENOENT;
	for (unsigned i = 0; i < FAKE_MAPPINGS && n < max; i++) {
		const bool large = i == FAKE_MAPPINGS - 1;
		const iova_t first = i * MIB(4);

		if (first >= from)
			ret_m[n++] = (struct iommu_mapping){
				.first = first,
				.last = first + (large ? MIB(2) : 4096) - 1,
				.phys = 0x5000,
				.flags = IOMMU_MAP_READ | IOMMU_MAP_WRITE,
			};
	}
	return (int)n;
}

/* A trace of one request. */
int mach_trace(struct mach *m, int fd, struct err *err)
{
	const struct trace_record r = {
		.time_ns = 1000000005,
		.kind = 3,
		.domain = 1,
		.first = 0x5000,
		.last = 0x5fff,
		.phys = 0x9000,
		.flags = 3,
	};
	uint8_t file[TRACE_HEAD + TRACE_RECORD];

	(void)m, (void)err;
	trace_head_put(file);
	trace_record_put(file + TRACE_HEAD, &r);
	(void)!write(fd, file, sizeof(file));
	close(fd);
	return 0;
}

static const char *shown(const char *text)
{
	return text ? text : "-";
}

void mach_print_topology(struct mach *m, FILE *out)
{
	const struct mach_config *c = &m->config;

	fprintf(out, "kernel %s\ninitrd %s\ncmdline %s\ncache %s\n",
		shown(c->kernel), shown(c->initrd), shown(c->cmdline),
		shown(c->cache_dir));
	fprintf(out, "cpus %u\nmemory %" PRIu64 "\n", c->cpus, c->memory);
	for (unsigned i = 0; i < c->ndisks; i++)
		fprintf(out, "disk %s ro %d id %s iommu %d\n", c->disks[i].path,
			c->disks[i].readonly, shown(c->disks[i].id),
			c->disks[i].iommu);
	fprintf(out, "iommu %d topology %d bypass %d console %d\n", c->iommu.on,
		c->iommu.topology, c->iommu.bypass, c->iommu.console);
	fprintf(out,
		"describe %d viot %d pvh %d pvpanic %d console %d rng %d "
		"reboot %d\n",
		c->describe, c->viot, c->pvh, c->pvpanic, c->console, c->rng,
		c->reboot);
}

void mach_print_nets(struct mach *m, FILE *out)
{
	for (unsigned i = 0; i < m->config.nnets; i++)
		fprintf(out, "net%u: a fake\n", i);
}

void mach_print_exits(struct mach *m, FILE *out)
{
	(void)m;
	fprintf(out, "pio 12\nmmio 34\n");
}

void mach_host_probe(struct mach_host *ret_h)
{
	*ret_h = (struct mach_host){
		.kvm = {.cpu = VM_PROBE_CPU_REAL, .max_vcpus = 64},
		.memory = GIB(8),
		.memory_available = GIB(4),
		.open_files = 1024,
		.address_space = UINT64_MAX,
	};
}

uint64_t mach_host_memory(void)
{
	return GIB(8);
}
