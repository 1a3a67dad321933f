/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest - the first process of a benchmark's guest.
 *
 * It writes marks, each a line "@NAME", whose arrival watch.c notes: "init" at
 * once; then, with bench=all on the kernel's command line, "modules" with all
 * of /modules/order loaded and the disk found (and a network card used, if
 * there is one), a rest of two seconds, and
 * "read-SIZE", "read-SIZE-end" around 64 MiB read in blocks of SIZE (8 MiB
 * where these are 4 KiB).  "halt" is the last one.
 *
 * With bench=rate instead: pairs of marks around random reads of the disk, and
 * with bench=devices around those, writes and the network, with bench=net around
 * the network alone, with bench=large around large blocks, for which there has
 * to be a huge page (guest_rate.h, guest_net.h).  With "-count" behind it the second mark of each
 * pair says what the kernel did meanwhile (guest_count.h).
 *
 * Linked statically, so that nothing has to be looked up and loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/guest_count.h"
#include "tools/bench/guest_net.h"
#include "tools/bench/guest_rate.h"
#include "tools/bench/guest_talk.h"

#define DISK		"/dev/vda"
#define READ_TOTAL	(64u << 20)
#define READ_MAX	(1u << 20)
#define REST_MS		2000
#define DISK_TIMEOUT_MS 30000
#define CARD_TIMEOUT_MS 30000

static void rest(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void load_module(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		fail("cannot load module", name);
	close(fd);
}

static void load_modules(void)
{
	char name[128];
	FILE *order = fopen("/modules/order", "re");

	if (!order)
		fail("cannot read", "/modules/order");
	while (fgets(name, sizeof(name), order)) {
		name[strcspn(name, "\n")] = '\0';
		load_module(name);
	}
	fclose(order);
}

static int open_disk(int flags)
{
	for (int ms = 0; ms < DISK_TIMEOUT_MS; ms++) {
		int fd = open(DISK, flags | O_DIRECT | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		rest(1);
	}
	fail("cannot open", DISK);
}

static void read_disk(int fd, uint8_t *buf, size_t total, size_t block,
		      const char *name)
{
	char mark[32];

	snprintf(mark, sizeof(mark), "read-%s", name);
	say(mark);
	for (size_t done = 0; done < total; done += block) {
		if (pread(fd, buf, block, (off_t)done) != (ssize_t)block)
			fail("cannot read", DISK);
	}
	strcat(mark, "-end");
	say(mark);
}

static void read_all(int fd)
{
	uint8_t *buf = aligned_alloc(READ_MAX, READ_MAX);

	if (!buf)
		fail("no memory for", "a block");
	memset(buf, 1, READ_MAX);
	read_disk(fd, buf, READ_TOTAL, 1u << 20, "1m");
	read_disk(fd, buf, READ_TOTAL, 64u << 10, "64k");
	/* By its many requests the slowest by far. */
	read_disk(fd, buf, READ_TOTAL / 8, 4u << 10, "4k");
	free(buf);
}

static void own_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return; /* the kernel has opened it already */
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Return: was it @bench? */
static bool measure(const char *bench, int fd)
{
	const bool devices = begins(bench, "devices");
	const bool large = begins(bench, "large");
	const bool net = begins(bench, "net");

	if (!devices && !large && !net && !begins(bench, "rate"))
		return false;
	if (strstr(bench, "-count"))
		count_open();
	if (large) {
		rate_sequential(fd);
		return true;
	}
	if (!net)
		rate_reads(fd);
	if (devices)
		rate_writes(fd);
	if (devices || net)
		net_measure();
	return true;
}

int main(void)
{
	const char *bench = getenv("bench");
	bool card;
	int fd;

	own_console();
	say("init");
	if (!bench)
		halt();
	mkdir("/dev", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, "") < 0 && errno != EBUSY)
		fail("cannot mount", "/dev");
	load_modules();
	fd = open_disk(begins(bench, "devices") || begins(bench, "large")
			       ? O_RDWR
			       : O_RDONLY);
	card = begins(bench, "devices") || begins(bench, "net");
	net_use(card ? CARD_TIMEOUT_MS : 0);
	say("modules");
	rest(REST_MS);
	if (measure(bench, fd))
		halt();
	read_all(fd);
	say("rest");
	rest(REST_MS);
	halt();
}
