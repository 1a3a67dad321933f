/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Disks behind the real IOMMU, with what they do verified: 64 requests at a
 * time on two queues, of every kind and size; the pages of each are mapped for
 * it, elsewhere than those of the one before, and unmapped behind it.
 *
 * A few thousand requests a disk; or as many as MOAT_DISK_OPS says.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/child.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/loop.h"
#include "devices/blk.h"
#include "devices/blk/wire.h"
#include "devices/vublk.h"
#include "iommu/iommu.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

#define PAGE	    UINT64_C(4096)
#define MEM_SIZE    MIB(32)
#define SPACE_SIZE  (MEM_SIZE / 2) /* each page is in one place or another */
#define NPAGES	    (SPACE_SIZE / PAGE)
#define RW	    (IOMMU_MAP_READ | IOMMU_MAP_WRITE)
#define SPACE	    (~UINT64_C(0) - SPACE_SIZE + 1) /* near the top, as Linux */
#define RING_PAGES  64u
#define PATIENCE_MS 60000

#define QUEUES	    2u
#define DEPTH	    32u
#define SECTORS	    16384u
#define SECTORS_MAX 128u /* of one request */
#define CLUSTER	    128u /* sectors; qcow2 discards no less */
#define PIECES_MAX  3u
#define DEFAULT_OPS 4000u

/* A slot's pages: header, range and status; the table; data. */
enum { HEAD, TABLE, DATA };
#define DATA_PAGES (SECTORS_MAX * BLK_SECTOR / PAGE + 1)
#define SLOT_PAGES (DATA + DATA_PAGES)

#define RANGE_AT  64u
#define STATUS_AT 128u

enum { DEVICE = 1, DRIVER = 2 }; /* endpoints, and their domains */

struct slot {
	iova_t at; /* of its first page */
	uint32_t type, sector, nsectors, stamp;
	uint32_t skew; /* data begins there in its first page */
	bool other;    /* place of its pages */
};

static struct {
	struct gmem mem;
	struct iommu *i;
	struct iommu_fault_sink sink;
	unsigned nfaults;
	struct dma *dma[3]; /* by endpoint */
	struct loop *loop;
	pthread_t thread;
	/* If queues run side by side. */
	bool apart;
	struct virtio_queue_env own[QUEUES];
	pthread_t own_threads[QUEUES];
	struct virtio_dev *d;
	struct fake_transport transport;
	struct vq_driver drv[QUEUES];
	struct slot slots[QUEUES][DEPTH], *by_head[QUEUES][VQD_SIZE_MAX];
	uint32_t stamps[SECTORS]; /* of who wrote it last; 0: zeroes */
	bool busy[SECTORS];
	uint32_t last_stamp;
	uint64_t seed, sent, done, ops[16];
	bool whole_clusters; /* are discarded alone */
	char path[64];
} t;

static uint64_t scramble(uint64_t v)
{
	v ^= v >> 33;
	v *= UINT64_C(0xff51afd7ed558ccd);
	v ^= v >> 33;
	v *= UINT64_C(0xc4ceb9fe1a85ec53);
	return v ^ v >> 33;
}

static uint32_t any(uint32_t below)
{
	return (uint32_t)(scramble(++t.seed) % below);
}

/*
 * What is on the disk.
 */

static void sector_bytes(uint32_t sector, uint32_t stamp, uint64_t *bytes)
{
	const uint64_t first = scramble((uint64_t)stamp << 32 | sector);

	for (unsigned k = 0; k < BLK_SECTOR / sizeof(*bytes); k++)
		bytes[k] = stamp ? first + k : 0;
}

static void fill(const struct slot *s, uint8_t *bytes)
{
	uint64_t sector[BLK_SECTOR / 8];

	for (uint32_t k = 0; k < s->nsectors; k++) {
		sector_bytes(s->sector + k, s->stamp, sector);
		memcpy(bytes + k * BLK_SECTOR, sector, BLK_SECTOR);
	}
}

static void verify(const struct slot *s, const uint8_t *bytes)
{
	uint64_t sector[BLK_SECTOR / 8];

	for (uint32_t k = 0; k < s->nsectors; k++) {
		const uint32_t n = s->sector + k;

		sector_bytes(n, t.stamps[n], sector);
		ck_assert_msg(memcmp(bytes + k * BLK_SECTOR, sector,
				     BLK_SECTOR) == 0,
			      "sector %u is not what request %u wrote", n,
			      t.stamps[n]);
	}
}

/*
 * The IOMMU: neighbours for the driver are none in memory.
 */

static void report(struct iommu_fault_sink *s, const struct iommu_fault *f)
{
	(void)s;
	(void)f;
	t.nfaults++;
}

static void map(unsigned domain, iova_t at, bool other, bool on)
{
	const uint64_t n = 2 * ((at - SPACE) / PAGE) + other;
	const gpa_t behind = n * 5 % (2 * NPAGES) * PAGE;
	const int r = on ? iommu_map(t.i, domain, at, at + PAGE - 1, behind, RW)
			 : iommu_unmap(t.i, domain, at, at + PAGE - 1);

	ck_assert_int_eq(r, IOMMU_OK);
}

static void map_slot(const struct slot *s, unsigned domain, bool on)
{
	const uint32_t len = s->type == BLK_T_IN || s->type == BLK_T_OUT
				     ? s->skew + s->nsectors * BLK_SECTOR
				     : 0;

	map(domain, s->at + HEAD * PAGE, s->other, on);
	map(domain, s->at + TABLE * PAGE, s->other, on);
	for (uint32_t off = 0; off < len; off += (uint32_t)PAGE)
		map(domain, s->at + DATA * PAGE + off, s->other, on);
}

static void iommu_up(void)
{
	const struct iommu_config c = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = ~UINT64_C(0),
		.domain_last = UINT32_MAX,
		.mem = &t.mem,
	};

	ck_assert_int_eq(iommu_new(&t.i, &c, NULL), 0);
	t.sink.report = report;
	iommu_set_fault_sink(t.i, &t.sink);
	for (uint32_t id = DEVICE; id <= DRIVER; id++) {
		struct iommu_endpoint *ep;

		ck_assert_int_eq(iommu_endpoint_add(t.i, id, &ep, NULL), 0);
		ck_assert_int_eq(iommu_endpoint_view(ep, &t.dma[id]), 0);
		for (unsigned q = 0; id == DEVICE && q < QUEUES; q++)
			ck_assert_int_eq(iommu_endpoint_view(ep, &t.own[q].dma),
					 0);
		ck_assert_int_eq(iommu_attach(t.i, id, id, false), IOMMU_OK);
	}
	for (unsigned n = 0; n < QUEUES * RING_PAGES; n++) {
		map(DRIVER, SPACE + n * PAGE, false, true);
		map(DEVICE, SPACE + n * PAGE, false, true);
	}
}

/*
 * Requests.
 */

/* Return: false if another request has part of it. */
static bool take_range(struct slot *s)
{
	for (uint32_t k = 0; k < s->nsectors; k++) {
		if (t.busy[s->sector + k])
			return false;
	}
	memset(t.busy + s->sector, true, s->nsectors);
	return true;
}

static uint32_t any_type(void)
{
	static const uint8_t in_16[16] = {
		BLK_T_OUT,	    BLK_T_OUT,	   BLK_T_OUT, BLK_T_OUT,
		BLK_T_OUT,	    BLK_T_OUT,	   BLK_T_OUT, BLK_T_OUT,
		BLK_T_IN,	    BLK_T_IN,	   BLK_T_IN,  BLK_T_IN,
		BLK_T_WRITE_ZEROES, BLK_T_DISCARD, BLK_T_IN,  BLK_T_FLUSH,
	};

	return in_16[any(16)];
}

static void choose(struct slot *s)
{
	s->type = any_type();
	s->other = !s->other;
	s->skew = any((uint32_t)PAGE);
	s->stamp = s->type == BLK_T_OUT ? ++t.last_stamp : 0;
	do {
		s->nsectors = s->type == BLK_T_FLUSH
				      ? 0
				      : 1 + any(UINT32_C(1) << any(8));
		s->sector = any(SECTORS - SECTORS_MAX);
		if (s->type == BLK_T_DISCARD && t.whole_clusters) {
			s->sector -= s->sector % CLUSTER;
			s->nsectors = CLUSTER;
		}
	} while (!take_range(s));
}

/* @bufs: the data, in some pieces.  Return: how many. */
static unsigned put_data(const struct slot *s, unsigned q, struct vqd_buf *bufs)
{
	static uint8_t bytes[SECTORS_MAX * BLK_SECTOR];
	const iova_t at = s->at + DATA * PAGE + s->skew;
	const uint32_t len = s->nsectors * BLK_SECTOR;
	unsigned n = 0;

	if (s->type == BLK_T_OUT)
		fill(s, bytes);
	else
		memset(bytes, 0xdb, len);
	vqd_write(&t.drv[q], at, bytes, len);
	for (uint32_t off = 0, piece; off < len; off += piece) {
		piece = n + 1 < PIECES_MAX ? 1 + any(len - off) : len - off;
		bufs[n++] =
			(struct vqd_buf){at + off, piece, s->type == BLK_T_IN};
	}
	return n;
}

static void send(unsigned q, struct slot *s)
{
	const struct blk_header_wire h = {
		.type = le32_put(s->type),
		.sector = le64_put(s->type == BLK_T_IN || s->type == BLK_T_OUT
					   ? s->sector
					   : 0),
	};
	const struct blk_range_wire range = {
		.sector = le64_put(s->sector),
		.nsectors = le32_put(s->nsectors),
	};
	struct vqd_buf bufs[PIECES_MAX + 2];
	const uint8_t none = 0xee;
	unsigned n = 0;

	map_slot(s, DRIVER, true);
	map_slot(s, DEVICE, true);
	vqd_write(&t.drv[q], s->at, &h, sizeof(h));
	vqd_write(&t.drv[q], s->at + RANGE_AT, &range, sizeof(range));
	vqd_write(&t.drv[q], s->at + STATUS_AT, &none, 1);
	bufs[n++] = (struct vqd_buf){s->at, sizeof(h), false};
	if (s->type == BLK_T_IN || s->type == BLK_T_OUT)
		n += put_data(s, q, bufs + n);
	else if (s->type != BLK_T_FLUSH)
		bufs[n++] = (struct vqd_buf){s->at + RANGE_AT, sizeof(range),
					     false};
	bufs[n++] = (struct vqd_buf){s->at + STATUS_AT, 1, true};
	t.by_head[q][vqd_stage_indirect(&t.drv[q], s->at + TABLE * PAGE, bufs,
					n)] = s;
	t.sent++;
	t.ops[s->type]++;
}

static void take(unsigned q, struct slot *s)
{
	static uint8_t bytes[SECTORS_MAX * BLK_SECTOR];
	uint8_t status;

	map_slot(s, DEVICE, false);
	vqd_read(&t.drv[q], s->at + STATUS_AT, &status, 1);
	ck_assert_msg(status == BLK_S_OK,
		      "request %ju of type %u for %u sectors at %u ended with "
		      "%u",
		      (uintmax_t)t.done, s->type, s->nsectors, s->sector,
		      status);
	if (s->type == BLK_T_IN) {
		vqd_read(&t.drv[q], s->at + DATA * PAGE + s->skew, bytes,
			 s->nsectors * BLK_SECTOR);
		verify(s, bytes);
	}
	map_slot(s, DRIVER, false);
	for (uint32_t k = 0; k < s->nsectors; k++) {
		if (s->type != BLK_T_IN)
			t.stamps[s->sector + k] = s->stamp;
		t.busy[s->sector + k] = false;
	}
	t.done++;
}

static void kick(unsigned q)
{
	vqd_publish(&t.drv[q]);
	if (vqd_wants_kick(&t.drv[q]))
		eventfd_signal(t.d->vqs[q].kick_fd);
}

static void await(void)
{
	struct pollfd p = {.fd = t.transport.irq_fd, .events = POLLIN};

	for (unsigned q = 0; q < QUEUES; q++) {
		if (vqd_interrupts_on(&t.drv[q]))
			return;
	}
	ck_assert_msg(poll(&p, 1, PATIENCE_MS) > 0, "requests got stuck");
	(void)eventfd_clear(p.fd);
}

/* Until @ops requests are done, and none is under way any more. */
static void run(uint64_t ops)
{
	uint32_t head, len;

	for (unsigned k = 0; k < QUEUES * DEPTH; k++) {
		struct slot *s = &t.slots[k % QUEUES][k / QUEUES];

		choose(s);
		send(k % QUEUES, s);
	}
	kick(0);
	kick(1);
	while (t.done < t.sent) {
		await();
		for (unsigned q = 0; q < QUEUES; q++) {
			vqd_interrupts_off(&t.drv[q]);
			while (vqd_get_used(&t.drv[q], &head, &len)) {
				struct slot *s = t.by_head[q][head];

				take(q, s);
				if (t.sent >= ops)
					continue;
				choose(s);
				send(q, s);
			}
			kick(q);
		}
	}
}

/* One of the first queue alone, for a whole cluster. */
static void run_one(uint32_t type, uint32_t sector)
{
	struct slot *s = &t.slots[0][0];
	uint32_t head, len;

	*s = (struct slot){.at = s->at,
			   .type = type,
			   .sector = sector,
			   .nsectors = SECTORS_MAX,
			   .stamp = type == BLK_T_OUT ? ++t.last_stamp : 0};
	vqd_interrupts_off(&t.drv[0]);
	send(0, s);
	kick(0);
	while (!vqd_get_used(&t.drv[0], &head, &len))
		await();
	take(0, s);
}

static void read_back(void)
{
	for (uint32_t at = 0; at < SECTORS; at += SECTORS_MAX)
		run_one(BLK_T_IN, at);
}

/* Not a cluster stays where the image has it, and nothing is flushed. */
static void move_all(void)
{
	for (uint32_t at = 0; at < SECTORS; at += CLUSTER)
		run_one(BLK_T_DISCARD, at);
	for (uint32_t at = SECTORS; at > 0; at -= CLUSTER)
		run_one(BLK_T_OUT, at - CLUSTER);
}

/*
 * Life.
 */

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* Its queues from now on: a loop, a thread, a view, a lock for each. */
static void set_apart(void)
{
	t.apart = true;
	for (unsigned q = 0; q < QUEUES; q++) {
		ck_assert_int_eq(loop_new(&t.own[q].loop, NULL), 0);
		ck_assert_int_eq(pthread_create(&t.own_threads[q], NULL,
						loop_main, t.own[q].loop),
				 0);
	}
}

static void put_together(void)
{
	for (unsigned q = 0; t.apart && q < QUEUES; q++) {
		loop_stop(t.own[q].loop);
		ck_assert_int_eq(pthread_join(t.own_threads[q], NULL), 0);
		loop_free(t.own[q].loop);
	}
}

static void up(void)
{
	static const struct gmem_slot layout = {.size = MEM_SIZE};
	int fd;

	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(gmem_init_shared(&t.mem, &layout, 1, NULL), 0);
	iommu_up();
	ck_assert_int_eq(loop_new(&t.loop, NULL), 0);
	ck_assert_int_eq(pthread_create(&t.thread, NULL, loop_main, t.loop), 0);
	strcpy(t.path, "/tmp/moat-test-disk-XXXXXX");
	fd = mkstemp(t.path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)SECTORS * BLK_SECTOR), 0);
	close(fd);
	for (unsigned k = 0; k < QUEUES * DEPTH; k++)
		t.slots[k % QUEUES][k / QUEUES].at =
			SPACE + (QUEUES * RING_PAGES + k * SLOT_PAGES) * PAGE;
}

static struct virtio_dev_env env(void)
{
	return (struct virtio_dev_env){
		.name = "disk0",
		.dma = t.dma[DEVICE],
		.loop = t.loop,
		.queues = t.apart ? t.own : NULL,
		.access_platform = true,
	};
}

static void start(void)
{
	const uint64_t features =
		BIT_ULL(VIRTIO_F_VERSION_1) |
		BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
		BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_INDIRECT_DESC) |
		BIT_ULL(BLK_F_FLUSH) | BIT_ULL(BLK_F_MQ) |
		BIT_ULL(BLK_F_DISCARD) | BIT_ULL(BLK_F_WRITE_ZEROES);
	bool ok;

	ck_assert_uint_eq(t.d->offered & features, features);
	fake_transport_init(&t.transport, t.d);
	t.transport.irq_fd = eventfd_new();
	ck_assert_int_ge(t.transport.irq_fd, 0);
	pthread_mutex_lock(&t.d->lock);
	ok = vqd_negotiate(t.d, features);
	for (unsigned q = 0; q < QUEUES; q++) {
		vqd_init(&t.drv[q], t.dma[DRIVER],
			 SPACE + q * RING_PAGES * PAGE, RING_PAGES * PAGE,
			 t.d->vqs[q].size_max);
		t.drv[q].event_idx = true;
		vqd_connect(&t.drv[q], t.d, q);
	}
	ok = ok && vqd_driver_ok(t.d);
	pthread_mutex_unlock(&t.d->lock);
	ck_assert(ok);
}

static void down(void)
{
	pthread_mutex_lock(&t.d->lock);
	virtio_reset(t.d);
	pthread_mutex_unlock(&t.d->lock);
	loop_stop(t.loop);
	ck_assert_int_eq(pthread_join(t.thread, NULL), 0);
	virtio_dev_free(t.d);
	put_together();
	close(t.transport.irq_fd);
	loop_free(t.loop);
	iommu_free(t.i);
	gmem_fini(&t.mem);
}

/* The raw image at @path, after the machine has ended. */
static void verify_image(const char *path)
{
	static uint8_t bytes[SECTORS_MAX * BLK_SECTOR];
	struct slot s = {.nsectors = SECTORS_MAX};
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (; s.sector < SECTORS; s.sector += SECTORS_MAX) {
		ck_assert_int_eq(fd_pread_full(fd, bytes, sizeof(bytes),
					       s.sector * BLK_SECTOR),
				 0);
		verify(&s, bytes);
	}
}

static void exercise(const char *what)
{
	const char *text = getenv("MOAT_DISK_OPS");
	const uint64_t ops = text ? strtoull(text, NULL, 0) : DEFAULT_OPS;

	start();
	run(ops);
	ck_assert_uint_ge(t.done, ops);
	if (text)
		fprintf(stderr,
			"%s: %ju requests: %ju reads, %ju writes, %ju zeroes, "
			"%ju discards, %ju flushes\n",
			what, (uintmax_t)t.done, (uintmax_t)t.ops[BLK_T_IN],
			(uintmax_t)t.ops[BLK_T_OUT],
			(uintmax_t)t.ops[BLK_T_WRITE_ZEROES],
			(uintmax_t)t.ops[BLK_T_DISCARD],
			(uintmax_t)t.ops[BLK_T_FLUSH]);
	read_back();
	move_all();
	ck_assert_uint_eq(t.nfaults, 0);
}

START_TEST(a_raw_disk_does_what_it_says)
{
	const bool apart = _i;
	struct virtio_dev_env e;
	struct blk_config c;
	struct err err;

	up();
	if (apart)
		set_apart();
	e = env();
	c = (struct blk_config){.path = t.path, .queues = QUEUES};
	ck_assert_msg(blk_new(&t.d, &e, &c, &err) == 0, "%s", err.msg);
	ck_assert(t.d->queue_locks == apart);
	exercise(apart ? "raw, queues side by side" : "raw");
	down();
	verify_image(t.path);
	unlink(t.path);
}
END_TEST

/* Return: false if a program is not on this machine. */
static bool make_qcow2(void)
{
	const char *const programs[] = {"qemu-img", "qemu-storage-daemon"};
	char line[256];

	for (unsigned n = 0; n < ARRAY_SIZE(programs); n++) {
		AUTO_FREE char *path = child_find(programs[n]);

		if (!path) {
			fprintf(stderr, "skipped: no %s\n", programs[n]);
			return false;
		}
	}
	(void)snprintf(line, sizeof(line), "qemu-img create -q -f qcow2 %s %u",
		       t.path, SECTORS * BLK_SECTOR);
	ck_assert_int_eq(system(line), 0);
	return true;
}

/* Whole, and with what was written last: the daemon has ended by itself. */
static void check_qcow2(void)
{
	char path[80], line[320];

	(void)snprintf(path, sizeof(path), "%s.raw", t.path);
	(void)snprintf(line, sizeof(line),
		       "qemu-img check -q %s && "
		       "qemu-img convert -f qcow2 -O raw %s %s",
		       t.path, t.path, path);
	ck_assert_int_eq(system(line), 0);
	verify_image(path);
	unlink(path);
}

START_TEST(a_qcow2_disk_does_what_it_says)
{
	struct virtio_dev_env e;
	struct vublk_config c;
	struct err err;

	up();
	t.whole_clusters = true;
	if (!make_qcow2())
		return;
	e = env();
	c = (struct vublk_config){
		.path = t.path, .format = "qcow2", .queues = QUEUES};
	ck_assert_msg(vublk_new(&t.d, &e, &c, &err) == 0, "%s", err.msg);
	exercise("qcow2");
	down();
	check_qcow2();
	unlink(t.path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/disk_verify");
	TCase *tc = tcase_create("disk_verify");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, a_raw_disk_does_what_it_says, 0, 2);
	tcase_add_test(tc, a_qcow2_disk_does_what_it_says);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
