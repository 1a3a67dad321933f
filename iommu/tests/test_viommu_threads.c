/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The device with several vCPUs, its loop, and I/O in flight.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/le.h"
#include "iommu/tests/viommu_rig.h"

static struct vrig v;

static void setup(void)
{
	vrig_init(&v, IOMMU_TOPOLOGY_NONE, NULL);
	vrig_loop_start(&v);
	vrig_up(&v, VRIG_FEATURES);
}

static void teardown(void)
{
	vrig_fini(&v);
}

#define OK(call) ck_assert_int_eq(call, IOMMU_OK)

static int touch(unsigned ep, iova_t at, enum dma_access access)
{
	struct dma_hold hold;
	struct iovec iov;
	int n = dma_iov(v.rig.dma[ep], access, at, 1, &iov, 1, &hold);

	dma_done(&hold);
	return n;
}

static void expect_event(unsigned reason, unsigned flags, unsigned ep,
			 iova_t at)
{
	uint8_t r[24];

	ck_assert_uint_eq(vrig_event(&v, r), 24);
	ck_assert_uint_eq(r[0], reason);
	ck_assert_uint_eq(r[1] | r[2] | r[3], 0);
	ck_assert_uint_eq(le32_load(r + 4), flags);
	ck_assert_uint_eq(le32_load(r + 8), ep);
	ck_assert_uint_eq(le32_load(r + 12), 0);
	ck_assert_uint_eq(le64_load(r + 16), at);
}

/*
 * I/O in flight.
 */

struct vcpu {
	pthread_t thread;
	_Atomic bool back;
};

static void *vcpu_ring(void *arg)
{
	struct vcpu *c = arg;

	vrig_ring(&v);
	atomic_store(&c->back, true);
	return NULL;
}

static void *vcpu_reset(void *arg)
{
	struct vcpu *c = arg;

	vrig_reset(&v);
	atomic_store(&c->back, true);
	return NULL;
}

static void *vcpu_bypass_off(void *arg)
{
	struct vcpu *c = arg;

	vrig_config_write(&v, 36, 1, 0);
	atomic_store(&c->back, true);
	return NULL;
}

static void *vcpu_pause(void *arg)
{
	struct vcpu *c = arg;

	pthread_mutex_lock(&v.d->lock);
	virtio_pause(v.d, true);
	pthread_mutex_unlock(&v.d->lock);
	atomic_store(&c->back, true);
	return NULL;
}

static void vcpu_start(struct vcpu *c, void *(*run)(void *))
{
	atomic_store(&c->back, false);
	ck_assert_int_eq(pthread_create(&c->thread, NULL, run, c), 0);
}

static void vcpu_join(struct vcpu *c)
{
	pthread_join(c->thread, NULL);
}

static void hold_page(struct dma_hold *hold)
{
	struct iovec iov;

	OK(vrig_attach(&v, 1, 1, 0));
	OK(vrig_map(&v, 1, 0x5000, 0x5fff, 0x5000, RW));
	ck_assert_int_eq(
		dma_iov(v.rig.dma[1], DMA_WRITE, 0x5000, 8, &iov, 1, hold), 1);
}

static bool is_used(uint32_t *ret_len)
{
	uint32_t head;

	return vqd_get_used(&v.req, &head, ret_len);
}

static uint64_t mappings(void)
{
	struct iommu_stats s;

	iommu_get_stats(v.rig.i, &s);
	return s.mappings;
}

/* Put an UNMAP of the held page into the ring and ring, on another thread.
 * It has begun when this returns: the mapping is gone, the hold is not. */
static void unmap_start(struct vcpu *c, iova_t *reply)
{
	uint64_t before = mappings();
	uint8_t b[28];

	vrig_put_unmap(b, 1, 0x5000, 0x5fff);
	vrig_add(&v, b, 28, 4, reply);
	vcpu_start(c, vcpu_ring);
	while (mappings() == before)
		sched_yield();
	usleep(20000);
	ck_assert(!atomic_load(&c->back));
}

START_TEST(unmap_completes_only_after_the_hold)
{
	struct dma_hold hold;
	struct vcpu c;
	iova_t reply;
	uint32_t len;

	hold_page(&hold);
	unmap_start(&c, &reply);
	ck_assert(!is_used(&len));
	/* The access that began before is gone on with; no new one starts. */
	ck_assert_int_eq(touch(2, 0, DMA_READ), -EFAULT);
	dma_done(&hold);
	vcpu_join(&c);
	ck_assert(is_used(&len));
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(touch(1, 0x5000, DMA_READ), -EFAULT);
}
END_TEST

START_TEST(d27_detach_completes_only_after_the_hold)
{
	struct dma_hold hold;
	struct vcpu c;
	iova_t reply;
	uint32_t len;
	uint8_t b[20];

	hold_page(&hold);
	vrig_put_detach(b, 1, 1);
	vrig_add(&v, b, 20, 4, &reply);
	vcpu_start(&c, vcpu_ring);
	while (touch(1, 0x5000, DMA_READ) == 1)
		sched_yield();
	usleep(20000);
	ck_assert(!atomic_load(&c.back));
	ck_assert(!is_used(&len));
	dma_done(&hold);
	vcpu_join(&c);
	ck_assert(is_used(&len));
	vqd_read(&v.req, reply, b, 4);
	ck_assert_uint_eq(b[0], IOMMU_OK);
}
END_TEST

START_TEST(waiting_unmap_keeps_no_lock_that_faults_or_registers_need)
{
	struct dma_hold hold;
	struct vcpu c;
	iova_t reply;

	hold_page(&hold);
	unmap_start(&c, &reply);
	vrig_add_events(&v, 4, 24);
	touch(2, 0x1000, DMA_READ);
	expect_event(1, 0x101, 2, 0x1000);
	ck_assert_uint_eq(vrig_config(&v, 32, 4), 512);
	ck_assert(!atomic_load(&c.back));
	dma_done(&hold);
	vcpu_join(&c);
}
END_TEST

START_TEST(second_vcpu_returns_at_once_and_is_served)
{
	struct dma_hold hold;
	struct vcpu c;
	iova_t reply[2];
	uint32_t len;
	uint8_t b[36], tail[4];

	hold_page(&hold);
	unmap_start(&c, &reply[0]);
	vrig_put_map(b, 1, 0x9000, 0x9fff, 0x9000, RW);
	vrig_add(&v, b, 36, 4, &reply[1]);
	vrig_ring(&v); /* would hang here */
	ck_assert(!is_used(&len));
	dma_done(&hold);
	vcpu_join(&c);
	ck_assert(is_used(&len));
	ck_assert(is_used(&len));
	vqd_read(&v.req, reply[1], tail, 4);
	ck_assert_uint_eq(tail[0], IOMMU_OK);
	ck_assert_int_eq(touch(1, 0x9000, DMA_READ), 1);
}
END_TEST

START_TEST(reset_in_the_middle_of_an_unmap_waits)
{
	struct dma_hold hold;
	struct vcpu c, d;
	iova_t reply;

	hold_page(&hold);
	unmap_start(&c, &reply);
	vcpu_start(&d, vcpu_reset);
	usleep(20000);
	ck_assert(!atomic_load(&d.back));
	dma_done(&hold);
	vcpu_join(&c);
	vcpu_join(&d);
	ck_assert_uint_eq(v.d->status, 0);
	vrig_up(&v, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

/* All that the device writes for requests: used ring and replies. */
struct written {
	uint8_t used[4 + 8 * 256 + 2];
	uint8_t reply[4];
};

static void look(struct written *w, iova_t reply)
{
	vqd_read(&v.req, v.req.used, w->used, sizeof(w->used));
	vqd_read(&v.req, reply, w->reply, sizeof(w->reply));
}

/* The other thread has come so far: a hold that ends now ends too late. */
static void until_stopped(void)
{
	bool stopped;

	do {
		sched_yield();
		pthread_mutex_lock(&v.d->lock);
		stopped = v.d->stopping || v.d->paused;
		pthread_mutex_unlock(&v.d->lock);
	} while (!stopped);
}

/* @run stops the device and may return only when nothing is written any more,
 * with an UNMAP waiting; then the hold ends. */
static void stop_under_an_unmap(void *(*run)(void *), struct written *ret_w)
{
	struct dma_hold hold;
	struct written later;
	struct vcpu c, d;
	iova_t reply;

	hold_page(&hold);
	unmap_start(&c, &reply);
	vcpu_start(&d, run);
	until_stopped();
	usleep(20000);
	ck_assert(!atomic_load(&d.back));
	dma_done(&hold);
	while (!atomic_load(&d.back))
		sched_yield();
	look(ret_w, reply);
	vcpu_join(&c);
	vcpu_join(&d);
	look(&later, reply);
	ck_assert_mem_eq(ret_w->used, later.used, sizeof(later.used));
	ck_assert_mem_eq(ret_w->reply, later.reply, sizeof(later.reply));
}

START_TEST(reset_under_an_unmap_lets_nothing_be_written_after_it)
{
	struct written w;

	stop_under_an_unmap(vcpu_reset, &w);
	ck_assert_uint_eq(v.d->status, 0);
}
END_TEST

START_TEST(bus_master_off_under_an_unmap_lets_nothing_be_written_after_it)
{
	struct written w;
	uint32_t len;

	stop_under_an_unmap(vcpu_pause, &w);
	/* The reply is there, but it is told of only when memory is ours
	 * again. */
	ck_assert_uint_eq(w.reply[0], IOMMU_OK);
	ck_assert(!is_used(&len));
	pthread_mutex_lock(&v.d->lock);
	virtio_pause(v.d, false);
	pthread_mutex_unlock(&v.d->lock);
	ck_assert(is_used(&len));
	ck_assert_uint_eq(len, 4);
	OK(vrig_unmap(&v, 1, 0x5000, 0x5fff));
}
END_TEST

START_TEST(reset_waits_for_io_of_endpoints)
{
	struct dma_hold hold;
	struct vcpu d;

	hold_page(&hold);
	vcpu_start(&d, vcpu_reset);
	usleep(20000);
	ck_assert(!atomic_load(&d.back));
	/* Two threads may reset at once. */
	dma_done(&hold);
	vrig_reset(&v);
	vcpu_join(&d);
	ck_assert_uint_eq(v.d->status, 0);
}
END_TEST

START_TEST(stop_of_the_machine_breaks_the_wait)
{
	struct dma_hold hold;
	struct vcpu c;
	iova_t reply;
	uint32_t len;
	uint8_t tail[4];

	hold_page(&hold);
	unmap_start(&c, &reply);
	iommu_stop_waiting(v.rig.i, true);
	vcpu_join(&c);
	ck_assert(is_used(&len));
	vqd_read(&v.req, reply, tail, 4);
	ck_assert_uint_eq(tail[0], IOMMU_DEVERR);
	vrig_reset(&v);
	dma_done(&hold);
	iommu_stop_waiting(v.rig.i, false);
	vrig_up(&v, VRIG_FEATURES);
	OK(vrig_attach(&v, 1, 1, 0));
}
END_TEST

/* A request that takes the page from endpoint 1, which holds it, broken in the
 * middle.  Return: the status. */
static enum iommu_status run_and_break(const uint8_t request[20],
				       struct dma_hold *hold)
{
	struct vcpu c;
	iova_t reply;
	uint32_t len;
	uint8_t tail[4];

	vrig_add(&v, request, 20, 4, &reply);
	vcpu_start(&c, vcpu_ring);
	while (touch(1, 0x5000, DMA_READ) == 1)
		sched_yield();
	usleep(20000);
	ck_assert(!atomic_load(&c.back));
	iommu_stop_waiting(v.rig.i, true);
	vcpu_join(&c);
	iommu_stop_waiting(v.rig.i, false);
	ck_assert(is_used(&len));
	dma_done(hold);
	vqd_read(&v.req, reply, tail, 4);
	return tail[0];
}

static enum iommu_status attach_and_break(struct dma_hold *hold)
{
	uint8_t b[20];

	vrig_put_attach(b, 2, 1, 0);
	return run_and_break(b, hold);
}

START_TEST(detach_of_which_the_wait_is_broken_says_so)
{
	struct dma_hold hold;
	uint8_t b[20];

	hold_page(&hold);
	vrig_put_detach(b, 1, 1);
	ck_assert_int_eq(run_and_break(b, &hold), IOMMU_DEVERR);
	/* It is detached all the same. */
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), -EFAULT);
	ck_assert_uint_eq(mappings(), 0);
}
END_TEST

START_TEST(d20_endpoint_that_cannot_be_moved_stays)
{
	struct dma_hold hold;

	hold_page(&hold);
	ck_assert_int_eq(attach_and_break(&hold), IOMMU_UNSUPP);
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), 1);
	/* Nothing is left of the new domain. */
	ck_assert_int_eq(vrig_map(&v, 2, 0x6000, 0x6fff, 0x6000, RW),
			 IOMMU_NOENT);
	OK(vrig_unmap(&v, 1, 0x5000, 0x5fff));
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), -EFAULT);
	OK(vrig_attach(&v, 2, 1, 0));
	ck_assert_uint_eq(mappings(), 0);
}
END_TEST

START_TEST(d20_endpoint_that_cannot_join_others_stays)
{
	struct dma_hold hold;

	OK(vrig_attach(&v, 2, 2, 0));
	OK(vrig_map(&v, 2, 0x6000, 0x6fff, 0x6000, RW));
	hold_page(&hold);
	ck_assert_int_eq(attach_and_break(&hold), IOMMU_UNSUPP);
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), 1);
	ck_assert_int_eq(touch(1, 0x6000, DMA_WRITE), -EFAULT);
	ck_assert_int_eq(touch(2, 0x6000, DMA_WRITE), 1);
	OK(vrig_detach(&v, 1, 1));
	OK(vrig_detach(&v, 2, 2));
	ck_assert_uint_eq(mappings(), 0);
}
END_TEST

START_TEST(endpoint_that_leaves_bypass_and_cannot_be_attached_stays)
{
	struct dma_hold hold;
	struct iovec iov;

	vrig_config_write(&v, 36, 1, 1);
	ck_assert_int_eq(
		dma_iov(v.rig.dma[1], DMA_WRITE, 0x5000, 8, &iov, 1, &hold), 1);
	ck_assert_int_eq(attach_and_break(&hold), IOMMU_DEVERR);
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), 1);
	OK(vrig_attach(&v, 2, 1, 0));
	ck_assert_int_eq(touch(1, 0x5000, DMA_WRITE), -EFAULT);
}
END_TEST

START_TEST(stopped_machine_serves_no_more_requests)
{
	iova_t reply;
	uint32_t len;
	uint8_t b[20];

	iommu_stop_waiting(v.rig.i, true);
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!is_used(&len));
	iommu_stop_waiting(v.rig.i, false);
	vrig_ring(&v);
	ck_assert(is_used(&len));
	ck_assert_uint_eq(len, 4);
}
END_TEST

START_TEST(bypass_write_waits_and_requests_meanwhile_are_served)
{
	struct dma_hold hold;
	struct iovec iov;
	struct vcpu c;
	iova_t reply;
	uint32_t len;
	uint8_t b[20];

	vrig_config_write(&v, 36, 1, 1);
	ck_assert_int_eq(
		dma_iov(v.rig.dma[3], DMA_WRITE, 0x5000, 8, &iov, 1, &hold), 1);
	vcpu_start(&c, vcpu_bypass_off);
	while (iommu_bypass(v.rig.i))
		sched_yield();
	usleep(20000);
	ck_assert(!atomic_load(&c.back));
	vrig_put_attach(b, 1, 1, 0);
	vrig_add(&v, b, 20, 4, &reply);
	vrig_ring(&v);
	ck_assert(!is_used(&len));
	dma_done(&hold);
	vcpu_join(&c);
	ck_assert_uint_eq(vrig_config(&v, 36, 1), 0);
	ck_assert(is_used(&len));
	ck_assert_uint_eq(len, 4);
}
END_TEST

static void add_indirect(const void *request, uint32_t len)
{
	const struct vqd_buf bufs[] = {
		{vqd_put(&v.req, request, len), len, false},
		{vqd_alloc(&v.req, 4), 4, true},
	};

	vqd_add_indirect(&v.req, bufs, ARRAY_SIZE(bufs));
}

static void add_unmap(iova_t page)
{
	uint8_t b[28];

	vrig_put_unmap(b, 1, page, page + PAGE - 1);
	add_indirect(b, sizeof(b));
}

static void add_map(iova_t page)
{
	uint8_t b[36];

	vrig_put_map(b, 1, page, page + PAGE - 1, page, RW);
	add_indirect(b, sizeof(b));
}

static unsigned take_used(void)
{
	uint32_t len;
	unsigned n = 0;

	while (is_used(&len)) {
		ck_assert_uint_eq(len, 4);
		n++;
	}
	return n;
}

START_TEST(vcpu_that_has_done_its_share_hands_over)
{
	struct dma_hold hold, second;
	unsigned taken = 0;
	uint64_t mapped;
	struct iovec iov;
	struct vcpu a, b, c;

	vrig_reset(&v);
	vrig_up(&v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	hold_page(&hold);
	OK(vrig_map(&v, 1, 0x6000, 0x6fff, 0x6000, RW));
	ck_assert_int_eq(dma_iov(v.rig.dma[1], DMA_WRITE, 0x6000, 8, &iov, 1,
				 &second),
			 1);
	mapped = vrig_mappings(&v);
	/* A fills its share and hangs in the last one. */
	for (unsigned n = 0; n < 255; n++)
		add_map(MIB(1) + n * PAGE);
	add_unmap(0x5000);
	vcpu_start(&a, vcpu_ring);
	while (taken < 255)
		taken += take_used();
	ck_assert_uint_eq(taken, 255);
	/* Until then the next UNMAP would join the last one. */
	vrig_wait_mapped(&v, mapped + 255 - 1);
	/* Its share is not done: others leave at once. */
	vrig_ring(&v);
	/* Then it goes on to the next request, beyond its share. */
	add_unmap(0x6000);
	dma_done(&hold);
	while (take_used() == 0)
		usleep(1000);
	usleep(20000);
	ck_assert(!atomic_load(&a.back));
	add_map(0x9000);
	vcpu_start(&b, vcpu_ring);
	vcpu_start(&c, vcpu_ring);
	/* One successor is enough: the other one leaves at once. */
	while (!atomic_load(&b.back) && !atomic_load(&c.back))
		sched_yield();
	usleep(20000);
	ck_assert(!atomic_load(&b.back) || !atomic_load(&c.back));
	ck_assert(!atomic_load(&a.back));
	dma_done(&second);
	vcpu_join(&a);
	vcpu_join(&b);
	vcpu_join(&c);
	ck_assert_uint_eq(take_used(), 2);
	ck_assert_int_eq(touch(1, 0x9000, DMA_READ), 1);
}
END_TEST

/* Another page that is mapped and held. */
static void hold_at(iova_t at, struct dma_hold *hold)
{
	struct iovec iov;

	OK(vrig_map(&v, 1, at, at + PAGE - 1, at, RW));
	ck_assert_int_eq(dma_iov(v.rig.dma[1], DMA_WRITE, at, 8, &iov, 1, hold),
			 1);
}

/* Requests that end a run. */
static void add_attaches(unsigned n)
{
	uint8_t b[20];

	vrig_put_attach(b, 1, 1, 0);
	while (n--)
		add_indirect(b, sizeof(b));
}

/* The ring is not empty in between, so nothing else switches them on. */
START_TEST(kicks_are_wanted_only_when_a_share_is_done)
{
	struct dma_hold hold[3];
	unsigned taken = 0;
	struct vcpu a;

	vrig_reset(&v);
	vrig_up(&v, VRIG_FEATURES | BIT_ULL(VIRTIO_F_INDIRECT_DESC));
	hold_page(&hold[0]);
	hold_at(0x6000, &hold[1]);
	hold_at(0x7000, &hold[2]);
	add_unmap(0x5000);
	add_attaches(200);
	add_unmap(0x6000);
	add_attaches(54);
	vcpu_start(&a, vcpu_ring);
	vrig_wait_mapped(&v, 2);
	dma_done(&hold[0]);
	while (taken < 201)
		taken += take_used();
	vrig_wait_mapped(&v, 1);
	ck_assert(!vqd_wants_kick(&v.req));
	add_attaches(100);
	add_unmap(0x7000);
	dma_done(&hold[1]);
	while (taken < 201 + 1 + 54 + 100)
		taken += take_used();
	vrig_wait_mapped(&v, 0);
	ck_assert(vqd_wants_kick(&v.req));
	dma_done(&hold[2]);
	vcpu_join(&a);
	ck_assert_uint_eq(take_used(), 1);
}
END_TEST

/*
 * Many vCPUs.  The ring is filled under a lock, as a guest's driver does.
 */

static pthread_mutex_t driver = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned sent, completed;

static void drain_used(void)
{
	uint32_t head, len;

	while (vqd_get_used(&v.req, &head, &len)) {
		ck_assert_uint_eq(len, 4);
		atomic_fetch_add(&completed, 1);
	}
}

static void send_one(unsigned vcpu, unsigned turn)
{
	iova_t at = (vcpu * 64 + turn / 2 % 64) * PAGE;
	uint8_t b[36];
	iova_t reply;
	bool kick;

	if (turn % 2)
		vrig_put_unmap(b, 1, at, at + PAGE - 1);
	else
		vrig_put_map(b, 1, at, at + PAGE - 1, at, RW);
	pthread_mutex_lock(&driver);
	drain_used();
	if (v.req.nfree < 2) {
		pthread_mutex_unlock(&driver);
		return;
	}
	vrig_add(&v, b, turn % 2 ? 28 : 36, 4, &reply);
	atomic_fetch_add(&sent, 1);
	kick = vqd_wants_kick(&v.req);
	pthread_mutex_unlock(&driver);
	if (kick)
		vrig_ring(&v);
}

static void *vcpu_busy(void *arg)
{
	struct vcpu *c = arg;

	for (unsigned turn = 0; turn < 4000; turn++)
		send_one((unsigned)(uintptr_t)c % 4, turn);
	return NULL;
}

static void many_vcpus(uint64_t features)
{
	struct vcpu c[3];

	vrig_reset(&v);
	vrig_up(&v, features);
	v.req.event_idx = features >> VIRTIO_F_EVENT_IDX & 1;
	OK(vrig_attach(&v, 1, 1, 0));
	for (unsigned n = 0; n < ARRAY_SIZE(c); n++)
		vcpu_start(&c[n], vcpu_busy);
	for (unsigned n = 0; n < ARRAY_SIZE(c); n++)
		vcpu_join(&c[n]);
	/* No request is forgotten: whoever was last to ring, all is served. */
	drain_used();
	ck_assert_uint_eq(completed, sent);
	ck_assert_uint_gt(sent, 1000);
}

START_TEST(no_request_is_forgotten)
{
	many_vcpus(VRIG_FEATURES);
}
END_TEST

START_TEST(no_request_is_forgotten_with_event_idx)
{
	many_vcpus(VRIG_FEATURES | BIT_ULL(VIRTIO_F_EVENT_IDX));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iommu/viommu_threads");
	TCase *t = tcase_create("viommu_threads");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, unmap_completes_only_after_the_hold);
	tcase_add_test(t, d27_detach_completes_only_after_the_hold);
	tcase_add_test(
		t, waiting_unmap_keeps_no_lock_that_faults_or_registers_need);
	tcase_add_test(t, second_vcpu_returns_at_once_and_is_served);
	tcase_add_test(t, reset_in_the_middle_of_an_unmap_waits);
	tcase_add_test(t,
		       reset_under_an_unmap_lets_nothing_be_written_after_it);
	tcase_add_test(
		t,
		bus_master_off_under_an_unmap_lets_nothing_be_written_after_it);
	tcase_add_test(t, reset_waits_for_io_of_endpoints);
	tcase_add_test(t, stop_of_the_machine_breaks_the_wait);
	tcase_add_test(t, detach_of_which_the_wait_is_broken_says_so);
	tcase_add_test(t, d20_endpoint_that_cannot_be_moved_stays);
	tcase_add_test(t, d20_endpoint_that_cannot_join_others_stays);
	tcase_add_test(
		t, endpoint_that_leaves_bypass_and_cannot_be_attached_stays);
	tcase_add_test(t, stopped_machine_serves_no_more_requests);
	tcase_add_test(t, bypass_write_waits_and_requests_meanwhile_are_served);
	tcase_add_test(t, vcpu_that_has_done_its_share_hands_over);
	tcase_add_test(t, kicks_are_wanted_only_when_a_share_is_done);
	tcase_add_test(t, no_request_is_forgotten);
	tcase_add_test(t, no_request_is_forgotten_with_event_idx);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
