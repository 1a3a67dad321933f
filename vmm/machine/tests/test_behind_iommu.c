/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A real disk and a real console behind the real IOMMU: rings and buffers that
 * are in one piece for the guest alone, and whose pages move or go.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "devices/blk.h"
#include "devices/blk/wire.h"
#include "devices/console.h"
#include "iommu/iommu.h"
#include "virtio/tests/vq_driver.h"

#define PAGE	 UINT64_C(4096)
#define MEM_SIZE MIB(32)
/* Rings and buffers, near the top, as with Linux. */
#define SPACE  (~UINT64_C(0) - MIB(2) + 1)
#define NPAGES (MIB(1) / PAGE)
#define POISON 0xdb
#define RW     (IOMMU_MAP_READ | IOMMU_MAP_WRITE)

enum { DEVICE = 1, DRIVER = 2 }; /* endpoints, and their domains */

static struct {
	struct gmem mem;
	struct iommu *i;
	struct dma *dma[3]; /* by endpoint */
	struct iommu_fault_sink sink;
	unsigned nfaults;
	struct iommu_fault fault; /* the last one */
	gpa_t behind[NPAGES];	  /* each page of the space */
	gpa_t next;		  /* memory never used so far */
	struct virtio_dev *d;
	struct vq_driver drv[2];
	unsigned nqueues;
	/* The console's other end, and the disk's image. */
	struct stream_end peer;
	char got[256];
	size_t ngot;
	char path[32];
} t;

static void report(struct iommu_fault_sink *s, const struct iommu_fault *f)
{
	(void)s;
	t.fault = *f;
	t.nfaults++;
}

#define OK(call) ck_assert_int_eq(call, IOMMU_OK)

/* Every second page, so that no two neighbours stay neighbours. */
static gpa_t fresh_page(void)
{
	gpa_t at = t.next;

	t.next += 2 * PAGE;
	ck_assert_uint_le(t.next, MEM_SIZE);
	return at;
}

static iova_t page_at(unsigned n)
{
	return SPACE + n * PAGE;
}

static unsigned page_of(iova_t at)
{
	return (unsigned)((at - SPACE) / PAGE);
}

static void map(unsigned domain, unsigned n, uint32_t flags)
{
	OK(iommu_map(t.i, domain, page_at(n), page_at(n) + PAGE - 1,
		     t.behind[n], flags));
}

static void unmap(unsigned domain, unsigned n)
{
	OK(iommu_unmap(t.i, domain, page_at(n), page_at(n) + PAGE - 1));
}

static void fill_page(gpa_t at, uint8_t byte)
{
	static uint8_t bytes[PAGE];

	memset(bytes, byte, sizeof(bytes));
	ck_assert_int_eq(gmem_write(&t.mem, at, bytes, sizeof(bytes)), 0);
}

static bool page_is(gpa_t at, uint8_t byte)
{
	static uint8_t bytes[PAGE];

	ck_assert_int_eq(gmem_read(&t.mem, at, bytes, sizeof(bytes)), 0);
	for (size_t n = 0; n < sizeof(bytes); n++)
		if (bytes[n] != byte)
			return false;
	return true;
}

/* What is in page @n goes elsewhere, and who still uses the old one is seen. */
static void move_page(unsigned n)
{
	gpa_t from = t.behind[n], to = fresh_page();
	static uint8_t bytes[PAGE];

	unmap(DEVICE, n);
	unmap(DRIVER, n);
	ck_assert_int_eq(gmem_read(&t.mem, from, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(gmem_write(&t.mem, to, bytes, sizeof(bytes)), 0);
	fill_page(from, POISON);
	t.behind[n] = to;
	map(DEVICE, n, RW);
	map(DRIVER, n, RW);
}

static void setup(void)
{
	const struct gmem_slot slot = {.base = 0, .size = MEM_SIZE};
	struct iommu_config c = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = ~UINT64_C(0),
		.domain_last = UINT32_MAX,
		.mem = &t.mem,
	};

	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(gmem_init(&t.mem, &slot, 1, NULL), 0);
	ck_assert_int_eq(iommu_new(&t.i, &c, NULL), 0);
	t.sink.report = report;
	iommu_set_fault_sink(t.i, &t.sink);
	for (uint32_t id = DEVICE; id <= DRIVER; id++) {
		struct iommu_endpoint *ep;

		ck_assert_int_eq(iommu_endpoint_add(t.i, id, &ep, NULL), 0);
		ck_assert_int_eq(iommu_endpoint_view(ep, &t.dma[id]), 0);
		OK(iommu_attach(t.i, id, id, false));
	}
	for (unsigned n = NPAGES; n-- > 0;) {
		t.behind[n] = fresh_page();
		map(DEVICE, n, RW);
		map(DRIVER, n, RW);
	}
}

static void teardown(void)
{
	virtio_reset(t.d);
	virtio_dev_free(t.d);
	iommu_free(t.i);
	gmem_fini(&t.mem);
}

static struct virtio_dev_env env(void)
{
	return (struct virtio_dev_env){
		.name = "dev0",
		.dma = t.dma[DEVICE],
		.access_platform = true,
	};
}

static void start(void)
{
	ck_assert(vqd_negotiate(t.d, t.d->offered));
	for (unsigned q = 0; q < t.nqueues; q++) {
		struct vq_driver *v = &t.drv[q];
		uint64_t len = MIB(1) / t.nqueues;

		/* Queues of several pages, where they may be. */
		vqd_init(v, t.dma[DRIVER], SPACE + q * len, len,
			 t.d->vqs[q].size_max);
		v->event_idx = true;
		vqd_connect(v, t.d, q);
	}
	ck_assert(vqd_driver_ok(t.d));
}

/*
 * The disk.
 */

#define DISK_SECTORS 64u

static uint8_t disk_byte(uint64_t at)
{
	return (uint8_t)(at / BLK_SECTOR * 3 + at % 251 + 1);
}

static void disk_up(void)
{
	struct blk_config c = {.path = t.path};
	struct virtio_dev_env e = env();
	static uint8_t bytes[DISK_SECTORS * BLK_SECTOR];
	int fd;

	strcpy(t.path, "/tmp/moat-test-disk-XXXXXX");
	fd = mkstemp(t.path);
	ck_assert_int_ge(fd, 0);
	for (size_t n = 0; n < sizeof(bytes); n++)
		bytes[n] = disk_byte(n);
	ck_assert_int_eq(fd_pwrite_full(fd, bytes, sizeof(bytes), 0), 0);
	close(fd);
	ck_assert_int_eq(blk_new(&t.d, &e, &c, NULL), 0);
	unlink(t.path);
	t.nqueues = 1;
	start();
}

struct transfer {
	uint32_t type;
	uint64_t sector;
	iova_t at;
	uint32_t len;
	uint16_t head;
	iova_t header, status;
};

static void transfer_begin(struct transfer *x)
{
	const struct blk_header_wire h = {
		.type = le32_put(x->type),
		.sector = le64_put(x->sector),
	};
	const uint8_t none = 0xee;
	struct vqd_buf bufs[3];

	x->header = vqd_put(t.drv, &h, sizeof(h));
	x->status = vqd_put(t.drv, &none, 1);
	bufs[0] = (struct vqd_buf){x->header, sizeof(h), false};
	bufs[1] = (struct vqd_buf){x->at, x->len, x->type == BLK_T_IN};
	bufs[2] = (struct vqd_buf){x->status, 1, true};
	x->head = vqd_add(t.drv, bufs, ARRAY_SIZE(bufs));
}

static uint8_t transfer_end(struct transfer *x)
{
	uint32_t head, len;
	uint8_t status;

	virtio_notify(t.d, 0);
	ck_assert(vqd_get_used(t.drv, &head, &len));
	ck_assert_uint_eq(head, x->head);
	vqd_read(t.drv, x->status, &status, 1);
	return status;
}

static uint8_t transfer(uint32_t type, uint64_t sector, iova_t at, uint32_t len)
{
	struct transfer x = {type, sector, at, len, 0, 0, 0};

	transfer_begin(&x);
	return transfer_end(&x);
}

static bool has_disk_bytes(iova_t at, uint64_t sector, uint32_t len)
{
	static uint8_t bytes[4 * PAGE];

	vqd_read(t.drv, at, bytes, len);
	for (uint32_t n = 0; n < len; n++)
		if (bytes[n] != disk_byte(sector * BLK_SECTOR + n))
			return false;
	return true;
}

/* Page-aligned. */
static iova_t buffer(unsigned npages)
{
	return align_up(vqd_alloc(t.drv, (npages + 1) * PAGE), PAGE);
}

/* Each page of what a request touches, in turn; and between its being put into
 * the ring and its being served. */
START_TEST(pages_of_a_disk_may_move_between_requests)
{
	iova_t data;

	disk_up();
	data = buffer(4);
	for (unsigned turn = 0; turn < 300; turn++) {
		const iova_t moved[] = {t.drv->desc, t.drv->avail, t.drv->used,
					data, data + PAGE};
		uint64_t sector = turn % (DISK_SECTORS - 24);
		struct transfer x = {BLK_T_IN, sector, data + 100, 3 * PAGE,
				     0,	       0,      0};
		unsigned n = page_of(moved[turn % ARRAY_SIZE(moved)]);
		gpa_t old = t.behind[n];

		if (turn % 2) {
			move_page(n);
			transfer_begin(&x);
		} else {
			transfer_begin(&x);
			move_page(n);
		}
		ck_assert_uint_eq(transfer_end(&x), BLK_S_OK);
		ck_assert(has_disk_bytes(x.at, sector, x.len));
		ck_assert(page_is(old, POISON));
	}
	ck_assert_uint_eq(t.nfaults, 0);
	ck_assert(!(t.d->status & VIRTIO_STATUS_NEEDS_RESET));
}
END_TEST

START_TEST(disk_whose_ring_is_unmapped_breaks_and_moves_no_byte)
{
	iova_t data, parts[3];
	struct transfer x;
	uint32_t head, len;
	unsigned n;

	disk_up();
	data = buffer(1);
	parts[0] = t.drv->desc;
	parts[1] = t.drv->avail;
	parts[2] = t.drv->used;
	/* One that works fills the caches. */
	ck_assert_uint_eq(transfer(BLK_T_IN, 0, data, PAGE), BLK_S_OK);
	fill_page(t.behind[page_of(data)], 0x11);
	x = (struct transfer){BLK_T_IN, 8, data, PAGE, 0, 0, 0};
	transfer_begin(&x);
	n = page_of(parts[_i]);
	unmap(DEVICE, n);
	virtio_notify(t.d, 0);
	ck_assert(t.d->status & VIRTIO_STATUS_NEEDS_RESET);
	ck_assert_uint_ge(t.nfaults, 1);
	ck_assert_uint_eq(t.fault.endpoint, DEVICE);
	ck_assert_uint_eq(page_of(t.fault.at), n);
	ck_assert(!vqd_get_used(t.drv, &head, &len));
	/* Without the used ring the data has come before that shows. */
	if (_i < 2)
		ck_assert(page_is(t.behind[page_of(data)], 0x11));
	/* Nothing is held, and a reset mends it. */
	map(DEVICE, n, RW);
	start();
	data = buffer(1);
	ck_assert_uint_eq(transfer(BLK_T_IN, 8, data, PAGE), BLK_S_OK);
	ck_assert(has_disk_bytes(data, 8, PAGE));
}
END_TEST

static void set_permissions(unsigned n, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t flags[] = {a, b, c};

	for (unsigned k = 0; k < 3; k++) {
		unmap(DEVICE, n + k);
		map(DEVICE, n + k, flags[k]);
	}
}

START_TEST(disk_buffer_over_mappings_of_different_permissions)
{
	const uint32_t r = IOMMU_MAP_READ, w = IOMMU_MAP_WRITE;
	const uint32_t len = 2 * PAGE; /* over three pages */
	iova_t data, at;
	unsigned n;

	disk_up();
	data = buffer(3);
	at = data + PAGE / 2;
	n = page_of(data);
	/* All that is needed, and more in places. */
	set_permissions(n, RW, w, RW);
	ck_assert_uint_eq(transfer(BLK_T_IN, 8, at, len), BLK_S_OK);
	ck_assert(has_disk_bytes(at, 8, len));
	set_permissions(n, r, RW, r);
	ck_assert_uint_eq(transfer(BLK_T_OUT, 32, at, len), BLK_S_OK);
	ck_assert_uint_eq(t.nfaults, 0);
	/* The one in the middle lacks it: nothing is moved at all. */
	for (unsigned k = 0; k < 3; k++)
		fill_page(t.behind[n + k], 0x11);
	set_permissions(n, RW, r, w);
	ck_assert_uint_eq(transfer(BLK_T_IN, 8, at, len), BLK_S_IOERR);
	ck_assert_uint_eq(t.fault.access, DMA_WRITE);
	ck_assert_uint_eq(t.fault.at, data + PAGE);
	for (unsigned k = 0; k < 3; k++)
		ck_assert(page_is(t.behind[n + k], 0x11));
	set_permissions(n, r, w, RW);
	ck_assert_uint_eq(transfer(BLK_T_OUT, 40, at, len), BLK_S_IOERR);
	ck_assert_uint_eq(t.fault.access, DMA_READ);
	ck_assert_uint_eq(t.fault.at, data + PAGE);
	/* And what was written, and was not, is on the disk. */
	set_permissions(n, RW, RW, RW);
	ck_assert_uint_eq(transfer(BLK_T_IN, 32, at, len / 2), BLK_S_OK);
	ck_assert(has_disk_bytes(at, 8, len / 2));
	ck_assert_uint_eq(transfer(BLK_T_IN, 48, at, len), BLK_S_OK);
	ck_assert(has_disk_bytes(at, 48, len));
	ck_assert_uint_eq(t.nfaults, 2);
}
END_TEST

/*
 * The console.
 */

enum { RX, TX };

static size_t peer_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	(void)e;
	ck_assert_uint_le(t.ngot + len, sizeof(t.got));
	memcpy(t.got + t.ngot, buf, len);
	t.ngot += len;
	return len;
}

static void peer_room(struct stream_end *e)
{
	(void)e;
}

static const struct stream_ops peer_ops = {
	.deliver = peer_deliver,
	.room = peer_room,
};

static void console_up(void)
{
	struct virtio_dev_env e = env();

	ck_assert_int_eq(con_new(&t.d, &e, NULL), 0);
	t.peer.ops = &peer_ops;
	stream_join(con_stream(t.d), &t.peer);
	t.nqueues = 2;
	start();
}

static void put_text(iova_t at, const char *text)
{
	struct vqd_buf b = {at, (uint32_t)strlen(text), false};

	t.ngot = 0;
	vqd_write(&t.drv[TX], at, text, strlen(text));
	(void)vqd_add(&t.drv[TX], &b, 1);
}

static void expect_text(const char *text)
{
	uint32_t head, len;

	virtio_notify(t.d, TX);
	ck_assert(vqd_get_used(&t.drv[TX], &head, &len));
	ck_assert_uint_eq(t.ngot, strlen(text));
	ck_assert_mem_eq(t.got, text, t.ngot);
}

START_TEST(pages_of_a_console_may_move_between_requests)
{
	const char *text = "over the border of two pages";
	const char *typed = "typed";
	iova_t at, to;

	console_up();
	at = align_up(vqd_alloc(&t.drv[TX], 3 * PAGE), PAGE) + PAGE - 9;
	to = vqd_alloc(&t.drv[RX], 64);
	for (unsigned turn = 0; turn < 300; turn++) {
		const iova_t moved[] = {t.drv[TX].desc, t.drv[TX].avail,
					t.drv[TX].used, at,
					at + 9,		t.drv[RX].desc,
					t.drv[RX].used, to};
		unsigned n = page_of(moved[turn % ARRAY_SIZE(moved)]);
		struct vqd_buf b = {to, 64, true};
		gpa_t old = t.behind[n];
		uint32_t head, len;
		char back[8];

		(void)vqd_add(&t.drv[RX], &b, 1);
		put_text(at, text);
		move_page(n);
		expect_text(text);
		virtio_notify(t.d, RX);
		ck_assert_uint_eq(stream_send(&t.peer, (const uint8_t *)typed,
					      strlen(typed)),
				  strlen(typed));
		ck_assert(vqd_get_used(&t.drv[RX], &head, &len));
		ck_assert_uint_eq(len, strlen(typed));
		vqd_read(&t.drv[RX], to, back, len);
		ck_assert_mem_eq(back, typed, len);
		ck_assert(page_is(old, POISON));
	}
	ck_assert_uint_eq(t.nfaults, 0);
}
END_TEST

START_TEST(console_whose_ring_is_unmapped_breaks_and_sends_no_byte)
{
	iova_t at, parts[2];

	console_up();
	at = vqd_alloc(&t.drv[TX], 64);
	put_text(at, "hello");
	expect_text("hello");
	put_text(at, "secret");
	parts[0] = t.drv[TX].desc;
	parts[1] = t.drv[TX].avail;
	unmap(DEVICE, page_of(parts[_i]));
	virtio_notify(t.d, TX);
	ck_assert(t.d->status & VIRTIO_STATUS_NEEDS_RESET);
	ck_assert_uint_eq(page_of(t.fault.at), page_of(parts[_i]));
	ck_assert_uint_eq(t.ngot, 0);
	map(DEVICE, page_of(parts[_i]), RW);
	start();
	at = vqd_alloc(&t.drv[TX], 64);
	put_text(at, "again");
	expect_text("again");
}
END_TEST

START_TEST(console_buffer_over_mappings_of_different_permissions)
{
	const char *text = "a text that lies in three pages";
	struct vqd_buf b[3];
	iova_t data;
	unsigned n;

	console_up();
	data = align_up(vqd_alloc(&t.drv[TX], 4 * PAGE), PAGE);
	n = page_of(data);
	set_permissions(n, RW, IOMMU_MAP_READ, RW);
	put_text(data + PAGE - 9, text);
	expect_text(text);
	/* Of the next one the middle may not be read. */
	set_permissions(n, RW, IOMMU_MAP_WRITE, RW);
	vqd_write(&t.drv[TX], data + PAGE - 9, text, strlen(text));
	for (unsigned k = 0; k < 3; k++)
		b[k] = (struct vqd_buf){data + k * PAGE, 1, false};
	t.ngot = 0;
	(void)vqd_add(&t.drv[TX], b, 3);
	virtio_notify(t.d, TX);
	ck_assert_uint_eq(t.fault.at, data + PAGE);
	ck_assert_uint_eq(t.fault.access, DMA_READ);
	ck_assert_uint_le(t.ngot, 1);
	ck_assert(!(t.d->status & VIRTIO_STATUS_NEEDS_RESET));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/behind_iommu");
	TCase *c = tcase_create("behind_iommu");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, pages_of_a_disk_may_move_between_requests);
	tcase_add_loop_test(
		c, disk_whose_ring_is_unmapped_breaks_and_moves_no_byte, 0, 3);
	tcase_add_test(c, disk_buffer_over_mappings_of_different_permissions);
	tcase_add_test(c, pages_of_a_console_may_move_between_requests);
	tcase_add_loop_test(
		c, console_whose_ring_is_unmapped_breaks_and_sends_no_byte, 0,
		2);
	tcase_add_test(c,
		       console_buffer_over_mappings_of_different_permissions);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
