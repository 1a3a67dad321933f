/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Machines that are planned but not run: what is where, what is refused, and
 * that nothing is left behind.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "core/log.h"
#include "vmm/machine/mach.h"
#include "vmm/machine/machine.h"

static struct mach_config config;
static struct err err;
static char image[] = "/tmp/moat-machine-XXXXXX";
static char text[8192];

static void make_image(void)
{
	int fd = mkstemp(image);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

static void drop_image(void)
{
	unlink(image);
}

static void setup(void)
{
	mach_config_init(&config);
	err.msg[0] = '\0';
}

static void add_disk(const char *path, enum mach_switch iommu)
{
	config.disks[config.ndisks++] =
		(struct mach_disk){.path = path, .iommu = iommu};
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int plan(struct mach **ret_m)
{
	return mach_new(ret_m, &config, MACH_PLAN_ONLY, &err);
}

/* The printed topology of a machine that can be planned. */
static const char *topology(void)
{
	struct mach *m = NULL;
	FILE *out = fmemopen(text, sizeof(text), "w");
	int r = plan(&m);

	ck_assert_msg(r == 0, "%s", err.msg);
	mach_print_topology(m, out);
	fclose(out);
	mach_free(m);
	return text;
}

static void assert_refused(int code, const char *sentence)
{
	unsigned files = open_files();
	struct mach *m = NULL;

	ck_assert_int_eq(plan(&m), -code);
	ck_assert_ptr_null(m);
	ck_assert_str_eq(err.msg, sentence);
	ck_assert_uint_eq(open_files(), files);
}

/* The line of slot @slot, or NULL. */
static const char *slot_line(const char *printed, const char *slot)
{
	static char line[256];
	const char *p = strstr(printed, slot);

	if (!p)
		return NULL;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
	return line;
}

START_TEST(devices_are_behind_the_iommu_by_default)
{
	const char *t;

	add_disk(image, MACH_AUTO);
	t = topology();
	ck_assert_ptr_nonnull(strstr(t, "IOMMU on"));
	ck_assert_ptr_nonnull(strstr(slot_line(t, "00:05.0"), "endpoint 40"));
	ck_assert_ptr_nonnull(strstr(slot_line(t, "00:03.0"), "endpoint 24"));
}
END_TEST

START_TEST(disk_told_so_stays_outside)
{
	const char *t;

	add_disk(image, MACH_OFF);
	t = topology();
	ck_assert_ptr_nonnull(strstr(slot_line(t, "00:05.0"), "outside"));
}
END_TEST

START_TEST(console_stays_outside_unless_asked_in)
{
	config.console = MACH_CONSOLE_BOTH;
	ck_assert_ptr_nonnull(
		strstr(slot_line(topology(), "00:02.0"), "outside"));
	config.iommu.console = MACH_ON;
	ck_assert_ptr_nonnull(
		strstr(slot_line(topology(), "00:02.0"), "endpoint 16"));
}
END_TEST

static void add_share(const char *path, const char *tag)
{
	config.shares[config.nshares++] = (struct mach_share){
		.path = path,
		.tag = tag,
		.iommu = MACH_AUTO,
	};
}

START_TEST(shares_come_from_above_and_need_no_server_to_be_planned)
{
	const char *t;

	add_share("/tmp", "a");
	add_share("/", "b");
	config.shares[0].server = config.shares[1].server = "/nonexistent";
	config.shares[1].iommu = MACH_OFF;
	t = topology();
	ck_assert_ptr_nonnull(strstr(slot_line(t, "00:18.0"), "endpoint 192"));
	ck_assert_ptr_nonnull(strstr(slot_line(t, "00:17.0"), "outside"));
}
END_TEST

START_TEST(shares_that_cannot_be_are_refused)
{
	add_share("/nonexistent", "a");
	assert_refused(ENOENT, "'/nonexistent': No such file or directory");
	config.shares[0].path = "/tmp";
	add_share("/tmp", "a");
	assert_refused(EINVAL, "--fs '/tmp': there is a tag 'a' already");
	config.shares[1].tag = "b";
	config.iommu.on = MACH_OFF;
	config.shares[1].iommu = MACH_ON;
	assert_refused(EINVAL, "--fs '/tmp': iommu=on, but --iommu is off");
	config.nshares = MACH_SHARES_MAX + 1;
	assert_refused(EINVAL, "--fs: 9 shares, at most 8 fit");
}
END_TEST

START_TEST(every_device_has_statistics)
{
	struct mach_device_stats s;
	struct mach *m;

	config.iommu.on = MACH_ON;
	add_disk(image, MACH_AUTO);
	ck_assert_int_eq(mach_new(&m, &config, MACH_PLAN_ONLY, &err), 0);
	ck_assert(mach_device_stats(m, 0, &s));
	ck_assert_str_eq(s.name, "rng");
	ck_assert_str_eq(s.kind, "virtio-rng");
	ck_assert(mach_device_stats(m, 1, &s));
	ck_assert_str_eq(s.name, "blk0");
	ck_assert_uint_eq(s.requests, 0);
	ck_assert(mach_device_stats(m, 2, &s));
	ck_assert_str_eq(s.name, "iommu");
	ck_assert(!mach_device_stats(m, 3, &s));
	mach_free(m);
}
END_TEST

static void set_vsock(const char *path, uint32_t cid)
{
	config.vsock = (struct mach_vsock){
		.path = path,
		.cid = cid,
		.iommu = MACH_AUTO,
	};
}

START_TEST(vsock_is_planned_without_a_socket)
{
	set_vsock("/nonexistent/v", 3);
	ck_assert_ptr_nonnull(
		strstr(slot_line(topology(), "00:19.0"), "endpoint 200"));
	config.vsock.iommu = MACH_OFF;
	ck_assert_ptr_nonnull(
		strstr(slot_line(topology(), "00:19.0"), "outside"));
}
END_TEST

START_TEST(what_passt_does_is_not_done_for_a_tap)
{
	mach_net_init(&config.nets[0], MACH_NET_TAP);
	config.nnets = 1;
	config.nets[0].tap = "t0";
	ck_assert_int_eq(mach_config_check(&config, NULL), 0);
	config.nets[0].host = false;
	assert_refused(EINVAL, "--net 'tap=t0': host is for 'user'");
	config.nets[0].host = true;
	config.nets[0].program = "/usr/bin/passt";
	assert_refused(EINVAL, "--net 'tap=t0': passt is for 'user'");
}
END_TEST

START_TEST(the_kernel_moves_frames_of_a_tap_alone)
{
	mach_net_init(&config.nets[0], MACH_NET_USER);
	config.nnets = 1;
	config.nets[0].vhost = MACH_AUTO;
	assert_refused(EINVAL, "--net 'user': vhost is for a tap");
	config.nets[0].vhost = MACH_OFF;
	config.nets[0].queues = 2;
	assert_refused(EINVAL, "--net 'user': it has one queue, not 2");
	mach_net_init(&config.nets[0], MACH_NET_TAP);
	config.nets[0].tap = "t0";
	config.nets[0].vhost = MACH_ON;
	ck_assert_int_eq(mach_config_check(&config, NULL), 0);
}
END_TEST

START_TEST(vsock_that_cannot_be_is_refused)
{
	char path[MACH_VSOCK_PATH_MAX + 2];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	set_vsock("v", 2);
	assert_refused(EINVAL, "--vsock: cid 2 is reserved: from 3 to "
			       "4294967294");
	set_vsock("v", UINT32_MAX);
	assert_refused(EINVAL, "--vsock: cid 4294967295 is reserved: from 3 "
			       "to 4294967294");
	set_vsock(path, 3);
	assert_refused(EINVAL, "--vsock: the path has more than 96 bytes: a "
			       "port's number has to fit behind it");
	config.iommu.on = MACH_OFF;
	set_vsock("v", 3);
	config.vsock.iommu = MACH_ON;
	assert_refused(EINVAL, "--vsock: iommu=on, but --iommu is off");
}
END_TEST

START_TEST(disks_and_shares_share_the_slots)
{
	static const char *const tags[] = {"0", "1", "2", "3", "4"};

	for (unsigned i = 0; i < 5; i++)
		add_share("/tmp", tags[i]);
	for (unsigned i = 0; i < 15; i++)
		add_disk(image, MACH_AUTO);
	ck_assert_int_eq(mach_config_check(&config, &err), 0);
	add_disk(image, MACH_AUTO);
	assert_refused(EINVAL, "--disk: 16 disks do not fit beside the other "
			       "devices, 15 would");
}
END_TEST

START_TEST(disk_keeps_its_slot_without_iommu_console_and_rng)
{
	config.rng = false;
	config.iommu.on = MACH_OFF;
	add_disk(image, MACH_AUTO);
	ck_assert_ptr_nonnull(slot_line(topology(), "00:05.0"));
	ck_assert_ptr_null(strstr(text, "00:01.0"));
}
END_TEST

START_TEST(without_acpi_pvpanic_is_a_pci_function)
{
	struct mach *m = NULL;

	config.describe = MACH_DESCRIBE_NONE;
	ck_assert_int_eq(plan(&m), 0);
	mach_free(m);
}
END_TEST

static void write_lock(struct watchdog_pci *w, uint64_t val)
{
	pthread_mutex_lock(&w->lock);
	pci_func_config_write(&w->func, 0x68, 1, val);
	pthread_mutex_unlock(&w->lock);
}

static uint64_t read_lock(struct watchdog_pci *w)
{
	uint64_t val;

	pthread_mutex_lock(&w->lock);
	val = pci_func_config_read(&w->func, 0x68, 1);
	pthread_mutex_unlock(&w->lock);
	return val;
}

START_TEST(a_watchdog_that_is_locked_is_so_until_the_reset)
{
	struct watchdog_pci *w;
	struct mach *m = NULL;

	config.watchdog = MACH_WATCHDOG_STOP;
	ck_assert_int_eq(plan(&m), 0);
	w = &m->watchdog_pci;
	ck_assert_uint_eq(PCI_DEVFN(27, 0), w->func.devfn);
	write_lock(w, 0xff);
	ck_assert_uint_eq(read_lock(w), 7);
	write_lock(w, 0);
	ck_assert_uint_eq(read_lock(w), 7);
	ck_assert_uint_eq(w->watchdog.lock, 7);
	mach_reset_functions(m);
	ck_assert_uint_eq(read_lock(w), 0);
	ck_assert_uint_eq(w->watchdog.lock, 0);
	write_lock(w, 2);
	ck_assert_uint_eq(read_lock(w), 2);
	write_lock(w, 0);
	ck_assert_uint_eq(read_lock(w), 0);
	pthread_mutex_lock(&w->lock);
	pci_func_config_write(&w->func, 0x60, 2, 0x20);
	pthread_mutex_unlock(&w->lock);
	ck_assert_uint_eq(w->watchdog.config, 0x20);
	mach_free(m);
}
END_TEST

static unsigned nlines;
static char last_line[256];

static void count_lines(enum log_level level, const char *line)
{
	(void)level;
	nlines++;
	(void)snprintf(last_line, sizeof(last_line), "%s", line);
}

static void let_run_out(struct watchdog_pci *w, unsigned times)
{
	struct machine_events *e = w->watchdog.events;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < times; i++)
		e->ops->unfed(e);
	pthread_mutex_unlock(&w->lock);
}

START_TEST(a_watchdog_that_only_tells_is_told_of_once_until_the_reset)
{
	struct mach *m = NULL;

	config.watchdog = MACH_WATCHDOG_NONE;
	ck_assert_int_eq(plan(&m), 0);
	nlines = 0;
	log_set_sink(count_lines);
	let_run_out(&m->watchdog_pci, 1000);
	ck_assert_uint_eq(nlines, 1);
	ck_assert_str_eq(last_line,
			 "watchdog: the guest stopped feeding its watchdog");
	mach_reset_functions(m);
	let_run_out(&m->watchdog_pci, 2);
	ck_assert_uint_eq(nlines, 2);
	log_set_sink(NULL);
	mach_free(m);
}
END_TEST

START_TEST(a_watchdog_takes_a_slot)
{
	config.watchdog = MACH_WATCHDOG_STOP;
	for (unsigned i = 0; i < 22; i++)
		add_disk(image, MACH_AUTO);
	ck_assert_int_eq(mach_config_check(&config, &err), 0);
	add_disk(image, MACH_AUTO);
	assert_refused(EINVAL, "--disk: 23 disks do not fit beside the other "
			       "devices, 22 would");
}
END_TEST

static struct mach_disk *add_served(const char *socket)
{
	struct mach_disk *d = &config.disks[config.ndisks++];

	*d = (struct mach_disk){.socket = socket, .iommu = MACH_AUTO};
	return d;
}

START_TEST(a_served_disk_leaves_to_its_server_what_is_the_servers)
{
	struct mach_disk *d = add_served("/run/s");

	ck_assert_int_eq(mach_config_check(&config, &err), 0);
	d->format = "qcow2";
	assert_refused(EINVAL, "--disk '/run/s': format= is for its server to "
			       "know");
	d->format = NULL;
	d->direct = true;
	assert_refused(EINVAL, "--disk '/run/s': direct= is for its server to "
			       "know");
	d->direct = false;
	d->iops = 5;
	assert_refused(EINVAL, "--disk '/run/s': bps= and iops= are for disks "
			       "that are raw and moat's own");
	d->iops = 0;
	d->path = "a";
	assert_refused(EINVAL, "--disk 'a': a path and vhost-user=/run/s are "
			       "two disks");
	*d = (struct mach_disk){.path = "a", .format = "raw", .iops = 5};
	ck_assert_int_eq(mach_config_check(&config, &err), 0);
}
END_TEST

START_TEST(a_served_disk_is_planned_without_its_server)
{
	struct mach *m = NULL;

	add_served("/nonexistent");
	config.disks[config.ndisks++] =
		(struct mach_disk){.path = "/nonexistent", .format = "qcow2"};
	ck_assert_ptr_nonnull(strstr(slot_line(topology(), "00:05.0"), "blk0"));
	ck_assert_ptr_nonnull(strstr(slot_line(text, "00:06.0"), "blk1"));
	ck_assert_int_eq(plan(&m), 0);
	ck_assert_int_ge(m->mem.fd, 0);
	mach_free(m);
}
END_TEST

START_TEST(without_a_description_the_device_describes_itself)
{
	config.iommu.on = MACH_ON;
	config.describe = MACH_DESCRIBE_MPTABLE;
	ck_assert_ptr_nonnull(strstr(slot_line(topology(), "00:01.0"), "v2"));
	config.describe = MACH_DESCRIBE_ACPI;
	ck_assert_ptr_nonnull(strstr(slot_line(topology(), "00:01.0"), "VIOT"));
	config.viot = false;
	ck_assert_ptr_nonnull(strstr(slot_line(topology(), "00:01.0"), "v2"));
	config.iommu.topology = MACH_TOPOLOGY_NATIVE;
	ck_assert_ptr_nonnull(
		strstr(slot_line(topology(), "00:01.0"), "native"));
}
END_TEST

START_TEST(iommu_may_have_nothing_to_manage)
{
	config.iommu.on = MACH_ON;
	config.describe = MACH_DESCRIBE_NONE;
	config.rng = false;
	ck_assert_ptr_nonnull(strstr(topology(), "the IOMMU; describes"));
}
END_TEST

START_TEST(disk_without_pci_has_registers_and_an_id_of_its_own)
{
	const char *printed;

	config.iommu.on = MACH_ON;
	add_disk(image, MACH_AUTO);
	config.disks[0].transport = MACH_MMIO;
	printed = topology();
	ck_assert_ptr_null(slot_line(printed, "00:05.0"));
	ck_assert_ptr_nonnull(strstr(slot_line(printed, "mmio 0"),
				     "endpoint 65536, managed"));
	ck_assert_ptr_nonnull(
		strstr(printed, "0xeed00000-0xeed00fff  interrupt 5"));
}
END_TEST

START_TEST(only_so_many_disks_fit_without_pci)
{
	for (unsigned i = 0; i < MACH_MMIO_MAX + 1; i++) {
		add_disk(image, MACH_AUTO);
		config.disks[i].readonly = true;
		config.disks[i].transport = MACH_MMIO;
	}
	assert_refused(EINVAL, "--disk: 9 disks with transport=mmio, at most "
			       "8 fit");
	config.ndisks--;
	ck_assert_ptr_nonnull(strstr(topology(), "mmio 7"));
}
END_TEST

START_TEST(hidden_disk_stays_behind_the_iommu)
{
	config.iommu.on = MACH_ON;
	config.describe = MACH_DESCRIBE_NONE;
	config.test.hidden_disks = 1;
	add_disk(image, MACH_AUTO);
	ck_assert_ptr_nonnull(strstr(slot_line(topology(), "00:05.0"),
				     "managed by the IOMMU"));
}
END_TEST

START_TEST(wrong_topology_needs_one_that_can_be_wrong)
{
	config.iommu.on = MACH_ON;
	config.describe = MACH_DESCRIBE_NONE;
	config.test.topology = "id-twice";
	assert_refused(EINVAL, "the topology is too small to be wrong in the "
			       "way of 'id-twice'");
	config.test.topology = "green";
	assert_refused(EINVAL, "no wrong topology 'green' is known");
	config.test.topology = "item-self";
	topology();
	config.iommu.topology = MACH_TOPOLOGY_NONE;
	assert_refused(EINVAL, "the topology is too small to be wrong in the "
			       "way of 'item-self'");
}
END_TEST

START_TEST(as_many_disks_as_promised_fit)
{
	static char paths[MACH_DISKS_MAX][32];

	for (unsigned i = 0; i < MACH_DISKS_MAX; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s", image);
		add_disk(paths[i], MACH_AUTO);
		config.disks[i].readonly = true;
	}
	ck_assert_ptr_nonnull(slot_line(topology(), "00:1c.0"));
}
END_TEST

START_TEST(bars_stay_above_much_memory)
{
	struct mach *m = NULL;
	unsigned long long at = 0;

	config.memory = GIB(300);
	if (plan(&m) < 0) /* a host may refuse so much address space */
		return;
	mach_free(m);
	ck_assert_int_eq(sscanf(strstr(topology(), "BAR 0"), "BAR 0 %llx", &at),
			 1);
	ck_assert_uint_ge(at, GIB(301));
}
END_TEST

START_TEST(two_machines_live_in_one_process)
{
	struct mach *a = NULL, *b = NULL;

	add_disk(image, MACH_AUTO);
	config.disks[0].readonly = true;
	ck_assert_int_eq(plan(&a), 0);
	ck_assert_int_eq(plan(&b), 0);
	mach_free(a);
	mach_free(b);
}
END_TEST

START_TEST(planning_leaves_no_file_open)
{
	unsigned files = open_files();

	add_disk(image, MACH_AUTO);
	(void)topology();
	ck_assert_uint_eq(open_files(), files);
}
END_TEST

START_TEST(disk_that_cannot_be_opened_is_named)
{
	add_disk("/nonexistent/x.img", MACH_AUTO);
	assert_refused(ENOENT, "disk '/nonexistent/x.img': "
			       "No such file or directory");
}
END_TEST

START_TEST(disk_cannot_be_behind_an_iommu_that_is_off)
{
	config.iommu.on = MACH_OFF;
	add_disk("x.img", MACH_ON);
	assert_refused(EINVAL, "--disk 'x.img': iommu=on, but --iommu is off");
}
END_TEST

/* A list of one, at a place of its own. */
static const struct mach_reserved *reserve(const struct mach_reserved *next,
					   uint64_t first, uint64_t last,
					   bool msi)
{
	static struct mach_reserved made[MACH_RESERVED_MAX + 2];
	static unsigned n;
	struct mach_reserved *r = &made[n++ % ARRAY_SIZE(made)];

	*r = (struct mach_reserved){next, first, last, msi};
	return r;
}

START_TEST(reserved_ranges_are_planned)
{
	config.iommu.on = MACH_ON;
	config.iommu.reserved = reserve(reserve(NULL, 0, 0xfff, false),
					0xfec00000, 0xfecfffff, false);
	add_disk(image, MACH_AUTO);
	config.disks[0].reserved = reserve(NULL, 0x8000000, 0x80fffff, true);
	config.iommu.max_memory = MIB(1);
	topology();
	/* In the place of the machine's own. */
	config.iommu.reserved = reserve(NULL, 0xfee00000, 0xfeefffff, true);
	topology();
}
END_TEST

static char warned[256];

static void keep_warning(enum log_level level, const char *line)
{
	if (level == LOG_WARN)
		(void)snprintf(warned, sizeof(warned), "%s", line);
}

START_TEST(polling_needs_a_second_processor)
{
	cpu_set_t all, one;
	int first = 0;

	log_set_sink(keep_warning);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	config.iommu.on = MACH_ON;
	config.iommu.requests = MACH_REQUESTS_POLL;
	if (CPU_COUNT(&all) > 1) {
		topology();
		ck_assert_str_eq(warned, "");
	}
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	topology();
	ck_assert_ptr_nonnull(strstr(
		warned, "--iommu requests=poll: there is one processor"));
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	log_set_sink(NULL);
}
END_TEST

START_TEST(reserved_ranges_that_collide_are_refused)
{
	const struct mach_reserved *low = reserve(NULL, 0x1000, 0x1fff, false);

	config.iommu.on = MACH_ON;
	config.iommu.reserved = reserve(NULL, 0xfeeff000, 0xfefeffff, false);
	assert_refused(EINVAL,
		       "--iommu: reserved regions overlap at 0xfeeff000");
	config.iommu.reserved = reserve(low, 0x1fff, 0x2000, false);
	assert_refused(EINVAL, "--iommu: reserved ranges overlap at 0x1fff");
	config.iommu.reserved = reserve(NULL, 2, 1, false);
	assert_refused(EINVAL,
		       "--iommu: reserved range 0x2 ends before it begins");
	config.iommu.reserved = reserve(reserve(NULL, 1, 1, true), 3, 3, true);
	assert_refused(EINVAL, "--iommu: more than one reserved range for msi");
	config.iommu.reserved = low;
	add_disk("x.img", MACH_AUTO);
	config.disks[0].reserved = reserve(NULL, 0, 0x1000, false);
	assert_refused(EINVAL,
		       "--disk 'x.img': reserved ranges overlap at 0x1000");
	config.disks[0].iommu = MACH_OFF;
	assert_refused(EINVAL,
		       "--disk 'x.img': reserved ranges, but the device "
		       "is outside the IOMMU");
	config.ndisks = 0;
	config.iommu.on = MACH_OFF;
	add_share("/tmp", "a");
	config.shares[0].reserved = low;
	assert_refused(EINVAL, "--fs '/tmp': reserved ranges, but the device "
			       "is outside the IOMMU");
	config.nshares = 0;
	config.vsock = (struct mach_vsock){
		.path = "v", .cid = 3, .iommu = MACH_AUTO, .reserved = low};
	assert_refused(EINVAL, "--vsock: reserved ranges, but the device is "
			       "outside the IOMMU");
	config.vsock.path = NULL;
	config.iommu.on = MACH_ON;
	config.nnets = 1;
	mach_net_init(&config.nets[0], MACH_NET_USER);
	config.nets[0].reserved = low;
	assert_refused(EINVAL, "--net: reserved ranges overlap at 0x1000");
}
END_TEST

START_TEST(reserved_ranges_have_a_limit)
{
	config.iommu.on = MACH_ON;
	for (unsigned n = 0; n < MACH_RESERVED_MAX; n++)
		config.iommu.reserved = reserve(config.iommu.reserved,
						n * 0x1000, n * 0x1000, false);
	topology();
	add_disk("x.img", MACH_AUTO);
	config.disks[0].reserved = reserve(NULL, 0x800, 0x800, false);
	assert_refused(EINVAL,
		       "--disk 'x.img': 21 reserved ranges, at most 20");
}
END_TEST

START_TEST(iommu_tables_have_a_limit)
{
	config.iommu.max_memory = MIB(1) - 1;
	assert_refused(EINVAL, "--iommu: max-memory of 1048575 bytes is not "
			       "within 1 MiB to 4096 MiB");
}
END_TEST

START_TEST(times_of_polling_have_limits_and_need_polling)
{
	config.iommu.poll_window_us = 3000;
	assert_refused(EINVAL, "--iommu: poll-window is for requests=poll "
			       "alone");
	config.iommu.requests = MACH_REQUESTS_POLL;
	config.iommu.poll_late_us = 9;
	assert_refused(EINVAL, "--iommu: poll-late of 9 us is not within 10 us "
			       "to 1000000 us");
	config.iommu.poll_late_us = 0;
	config.iommu.poll_window_us = 1000001;
	assert_refused(EINVAL, "--iommu: poll-window of 1000001 us is not "
			       "within 10 us to 1000000 us");
}
END_TEST

START_TEST(cpus_out_of_range_are_refused)
{
	config.cpus = 0;
	assert_refused(EINVAL, "--cpus 0: not within 1 to 64");
	config.cpus = 65;
	assert_refused(EINVAL, "--cpus 65: not within 1 to 64");
}
END_TEST

START_TEST(several_cpus_need_a_description)
{
	config.cpus = 2;
	config.describe = MACH_DESCRIBE_NONE;
	assert_refused(EINVAL, "--cpus 2: without a description (--describe "
			       "none) a guest finds one CPU only");
}
END_TEST

START_TEST(memory_out_of_range_is_refused)
{
	config.memory = MIB(15);
	assert_refused(EINVAL, "--memory: 15728640 bytes are not whole MiB "
			       "within 16 to 1048576 MiB");
	config.memory = MIB(16) + 1;
	assert_refused(EINVAL, "--memory: 16777217 bytes are not whole MiB "
			       "within 16 to 1048576 MiB");
	config.memory = UINT64_MAX;
	assert_refused(EINVAL,
		       "--memory: 18446744073709551615 bytes are not whole "
		       "MiB within 16 to 1048576 MiB");
}
END_TEST

START_TEST(machine_to_run_needs_a_kernel)
{
	struct mach *m = NULL;

	ck_assert_int_eq(mach_new(&m, &config, 0, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "--kernel: no kernel given");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/machine");
	TCase *places = tcase_create("places"),
	      *refusals = tcase_create("refusals");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(places, make_image, drop_image);
	tcase_add_checked_fixture(places, setup, NULL);
	tcase_add_test(places, devices_are_behind_the_iommu_by_default);
	tcase_add_test(places, disk_told_so_stays_outside);
	tcase_add_test(places, console_stays_outside_unless_asked_in);
	tcase_add_test(places,
		       disk_keeps_its_slot_without_iommu_console_and_rng);
	tcase_add_test(places, without_acpi_pvpanic_is_a_pci_function);
	tcase_add_test(places, a_watchdog_that_is_locked_is_so_until_the_reset);
	tcase_add_test(
		places,
		a_watchdog_that_only_tells_is_told_of_once_until_the_reset);
	tcase_add_test(places, a_watchdog_takes_a_slot);
	tcase_add_test(places,
		       a_served_disk_leaves_to_its_server_what_is_the_servers);
	tcase_add_test(places, a_served_disk_is_planned_without_its_server);
	tcase_add_test(places, every_device_has_statistics);
	tcase_add_test(places, vsock_is_planned_without_a_socket);
	tcase_add_test(places, vsock_that_cannot_be_is_refused);
	tcase_add_test(places, what_passt_does_is_not_done_for_a_tap);
	tcase_add_test(places, the_kernel_moves_frames_of_a_tap_alone);
	tcase_add_test(places, disks_and_shares_share_the_slots);
	tcase_add_test(places, shares_that_cannot_be_are_refused);
	tcase_add_test(places,
		       shares_come_from_above_and_need_no_server_to_be_planned);
	tcase_add_test(places,
		       without_a_description_the_device_describes_itself);
	tcase_add_test(places, iommu_may_have_nothing_to_manage);
	tcase_add_test(places,
		       disk_without_pci_has_registers_and_an_id_of_its_own);
	tcase_add_test(places, only_so_many_disks_fit_without_pci);
	tcase_add_test(places, hidden_disk_stays_behind_the_iommu);
	tcase_add_test(places, wrong_topology_needs_one_that_can_be_wrong);
	tcase_add_test(places, reserved_ranges_are_planned);
	tcase_add_test(places, polling_needs_a_second_processor);
	tcase_add_test(places, as_many_disks_as_promised_fit);
	tcase_add_test(places, bars_stay_above_much_memory);
	tcase_add_test(places, two_machines_live_in_one_process);
	tcase_add_test(places, planning_leaves_no_file_open);
	tcase_add_checked_fixture(refusals, setup, NULL);
	tcase_add_test(refusals, disk_that_cannot_be_opened_is_named);
	tcase_add_test(refusals, disk_cannot_be_behind_an_iommu_that_is_off);
	tcase_add_test(refusals, reserved_ranges_that_collide_are_refused);
	tcase_add_test(refusals, reserved_ranges_have_a_limit);
	tcase_add_test(refusals, iommu_tables_have_a_limit);
	tcase_add_test(refusals, times_of_polling_have_limits_and_need_polling);
	tcase_add_test(refusals, times_of_polling_have_limits_and_need_polling);
	tcase_add_test(refusals, cpus_out_of_range_are_refused);
	tcase_add_test(refusals, several_cpus_need_a_description);
	tcase_add_test(refusals, memory_out_of_range_is_refused);
	tcase_add_test(refusals, machine_to_run_needs_a_kernel);
	suite_add_tcase(s, places);
	suite_add_tcase(s, refusals);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
