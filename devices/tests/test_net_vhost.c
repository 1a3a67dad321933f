/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A network device whose frames the host's kernel moves, on a fake kernel.
 * Plain is without an IOMMU, scattered behind one.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "devices/net/device.h"
#include "devices/net/iotlb.h"
#include "devices/net/vhost_kernel.h"
#include "devices/tests/dev_fixture.h"
#include "devices/tests/fake_vhost.h"

#define RX     0
#define TX     1
#define HEADER sizeof(struct net_header_wire)

/* A thread runs the loop; ways 2 and 3. */
#define PLAIN  FIX_LOOPED
#define BEHIND (FIX_LOOPED | FIX_SCATTERED)

#define MRG                                                             \
	(FIX_USUAL | BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_STATUS) | \
	 BIT_ULL(NET_F_CTRL_VQ))

static const uint8_t mac[NET_MAC_LEN] = {2, 1, 2, 3, 4, 5};

static struct dev_fixture f;
static struct fake_vhost kernel;

static struct {
	struct net_backend backend;
	int fds[NET_QUEUES_MAX], peers[NET_QUEUES_MAX];
	unsigned active;
	int backend_of_1; /* of pair 1's ring, when @active last changed */
} tap;

/*
 * The tap: nobody may touch its frames.
 */

static ssize_t tap_incoming(struct net_backend *b, unsigned q)
{
	(void)b;
	(void)q;
	return 200;
}

static ssize_t tap_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end)
{
	(void)b, (void)q, (void)iov, (void)n, (void)hdr, (void)ret_end;
	ck_abort_msg("the device reads the tap");
}

static ssize_t tap_send(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr)
{
	(void)b, (void)q, (void)iov, (void)n, (void)len, (void)hdr;
	ck_abort_msg("the device writes the tap");
}

static int tap_activate(struct net_backend *b, unsigned n)
{
	tap.active = n;
	tap.backend_of_1 = b->nqueues > 1 ? fv_backend(&kernel, 1, RX) : -1;
	return 0;
}

static void tap_free(struct net_backend *b)
{
	for (unsigned i = 0; i < b->nqueues; i++)
		close(tap.fds[i]);
}

static const struct net_backend_ops tap_ops = {
	.incoming = tap_incoming,
	.receive = tap_receive,
	.send = tap_send,
	.activate = tap_activate,
	.free = tap_free,
};

static void make_tap(unsigned queues)
{
	memset(&tap, 0, sizeof(tap));
	for (unsigned i = 0; i < queues; i++) {
		int fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
					    fds),
				 0);
		tap.fds[i] = fds[0];
		tap.peers[i] = fds[1];
	}
	tap.backend = (struct net_backend){
		.ops = &tap_ops,
		.name = "fake tap",
		.fds = tap.fds,
		.nqueues = queues,
	};
}

static int open_vhost(struct net_vhost **ret_v, unsigned queues,
		      struct err *err)
{
	struct vhost_server *s;
	int r = vhost_kernel_new(&s, &kernel.kernel, f.env.dma->mem,
				 f.env.access_platform, queues, err);

	return r < 0 ? r : net_vhost_new(ret_v, s, &f.env, err);
}

static void up_with(int ways, uint64_t features, unsigned queues)
{
	struct net_vhost *v;
	struct virtio_dev *d;

	fv_init(&kernel);
	make_tap(queues);
	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(open_vhost(&v, queues, NULL), 0);
	ck_assert_int_eq(
		net_new_vhost(&d, &f.env, mac, 0, &tap.backend, v, NULL), 0);
	fix_adopt(&f, d);
	fix_start(&f, features);
}

static void up(int ways)
{
	up_with(ways, MRG, 1);
}

static void down(void)
{
	const unsigned queues = tap.backend.nqueues;

	fix_fini(&f);
	fv_fini(&kernel);
	for (unsigned i = 0; i < queues; i++)
		close(tap.peers[i]);
}

static bool all_ended(void)
{
	for (unsigned p = 0; p < kernel.npairs; p++) {
		if (fv_backend(&kernel, p, RX) >= 0 ||
		    fv_backend(&kernel, p, TX) >= 0)
			return false;
	}
	return true;
}

static bool serves(unsigned pair)
{
	return fv_backend(&kernel, pair, RX) == tap.fds[pair] &&
	       fv_backend(&kernel, pair, TX) == tap.fds[pair];
}

static void pause_device(bool on)
{
	fix_lock(&f);
	virtio_pause(f.d, on);
	fix_unlock(&f);
}

static void reset_device(void)
{
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
}

/* Time for the loop to do what it must not. */
static void let_the_loop_run(void)
{
	const struct timespec ms = {.tv_nsec = 20000000};

	nanosleep(&ms, NULL);
	loop_barrier(f.loop);
}

/*
 * Beginning.
 */

START_TEST(queues_are_the_kernels_when_the_driver_is_ready)
{
	const struct fv_pair *p = &kernel.pairs[0];

	up(_i);
	ck_assert(serves(0));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(p->rings[i].num, f.d->vqs[i].size);
		ck_assert_uint_eq(p->rings[i].base, 0);
		ck_assert_int_eq(p->rings[i].kick, f.d->vqs[i].kick_fd);
	}
	down();
}
END_TEST

START_TEST(features_are_those_of_rings_that_the_driver_has_accepted)
{
	const uint64_t platform =
		_i & FIX_SCATTERED ? BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) : 0;

	up(_i);
	ck_assert_uint_eq(kernel.pairs[0].features,
			  BIT_ULL(VIRTIO_F_VERSION_1) |
				  BIT_ULL(NET_F_MRG_RXBUF) |
				  BIT_ULL(VIRTIO_F_EVENT_IDX) |
				  BIT_ULL(VIRTIO_F_INDIRECT_DESC) | platform);
	fix_start(&f, FIX_BASIC | BIT_ULL(NET_F_CTRL_VQ));
	ck_assert_uint_eq(kernel.pairs[0].features,
			  BIT_ULL(VIRTIO_F_VERSION_1) | platform);
	down();
}
END_TEST

START_TEST(memory_is_told_slot_by_slot_before_a_queue_begins)
{
	const struct gmem_slot *s = &f.mem.slots[0];
	const struct vhost_memory_region *r = kernel.pairs[0].regions;

	up(_i);
	ck_assert_uint_eq(kernel.pairs[0].nregions, f.mem.nslots);
	ck_assert_uint_eq(r->guest_phys_addr, s->base);
	ck_assert_uint_eq(r->memory_size, s->size);
	ck_assert_uint_eq(r->userspace_addr, (uintptr_t)s->host);
	ck_assert_uint_lt(fv_last(&kernel, 0, VHOST_SET_MEM_TABLE, 0),
			  fv_last(&kernel, 0, VHOST_SET_FEATURES, 0));
	down();
}
END_TEST

START_TEST(a_ring_is_told_whole_before_it_is_served)
{
	static const unsigned long parts[] = {
		VHOST_SET_VRING_NUM,  VHOST_SET_VRING_BASE,
		VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};

	up(_i);
	for (unsigned q = 0; q < 2; q++) {
		const unsigned served =
			fv_last(&kernel, 0, VHOST_NET_SET_BACKEND, q);

		for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
			ck_assert_uint_lt(fv_last(&kernel, 0, parts[i], q),
					  served);
		ck_assert_uint_lt(fv_last(&kernel, 0, VHOST_SET_FEATURES, 0),
				  fv_last(&kernel, 0, parts[0], q));
	}
	down();
}
END_TEST

START_TEST(without_an_iommu_rings_are_at_the_hosts_addresses)
{
	const struct vhost_vring_addr *a = &kernel.pairs[0].rings[TX].addr;
	const struct vq *q;

	up(PLAIN);
	q = &f.d->vqs[TX];
	ck_assert_ptr_eq((void *)(uintptr_t)a->desc_user_addr,
			 gmem_host(&f.mem, q->desc, 16));
	ck_assert_ptr_eq((void *)(uintptr_t)a->avail_user_addr,
			 gmem_host(&f.mem, q->avail, 6));
	ck_assert_ptr_eq((void *)(uintptr_t)a->used_user_addr,
			 gmem_host(&f.mem, q->used, 6));
	down();
}
END_TEST

/* The fake refuses to begin without. */
START_TEST(behind_an_iommu_rings_are_at_their_own_and_translated_already)
{
	const struct fv_ring *r = &kernel.pairs[0].rings[RX];
	const struct vq *q;

	up(BEHIND);
	q = &f.d->vqs[RX];
	ck_assert(serves(0));
	ck_assert_uint_eq(r->addr.desc_user_addr, q->desc);
	ck_assert_uint_eq(r->addr.avail_user_addr, q->avail);
	ck_assert_uint_eq(r->addr.used_user_addr, q->used);
	ck_assert_uint_eq(fv_reach(&kernel, 0, q->used, VHOST_ACCESS_WO),
			  (uintptr_t)gmem_host(
				  &f.mem, fake_dma_gpa(&f.view, q->used), 1));
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

START_TEST(a_ring_that_is_no_memory_breaks_the_device)
{
	up(_i);
	fix_lock(&f);
	ck_assert(vqd_negotiate(
		f.d,
		MRG | (_i & FIX_SCATTERED ? BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
					  : 0)));
	vqd_connect(&f.drv[RX], f.d, RX);
	f.d->vqs[RX].used = FIX_NOWHERE;
	(void)vqd_driver_ok(f.d);
	fix_unlock(&f);
	ck_assert(fix_is_broken(&f));
	ck_assert(all_ended());
	ck_assert_uint_eq(fake_dma_faults(&f.view), _i & FIX_SCATTERED ? 1 : 0);
	down();
}
END_TEST

/*
 * Frames and interrupts.
 */

START_TEST(frames_and_kicks_pass_the_loop_by)
{
	struct vqd_buf b = {.len = 2048, .write = true};
	struct vq_stats s;
	char frame[100] = {0};

	up(_i);
	b.at = vqd_alloc(&f.drv[RX], b.len);
	(void)vqd_add(&f.drv[RX], &b, 1);
	fix_force_kick(&f, RX);
	fix_force_kick(&f, TX);
	ck_assert_int_gt(send(tap.peers[0], frame, sizeof(frame), 0), 0);
	let_the_loop_run();
	/* It lies there for the kernel. */
	ck_assert_int_eq(recv(tap.fds[0], frame, sizeof(frame), MSG_PEEK),
			 sizeof(frame));
	virtio_get_stats(f.d, &s);
	ck_assert_uint_eq(s.kicks, 0);
	ck_assert_uint_eq(s.requests, 0);
	down();
}
END_TEST

static bool has_irq(void *arg)
{
	return f.transport.queue_irqs[*(const unsigned *)arg] > 0;
}

START_TEST(the_kernels_call_interrupts_its_queue)
{
	unsigned qi = TX;

	up(_i);
	fv_call(&kernel, 0, TX);
	fix_until(&f, has_irq, &qi);
	ck_assert_uint_eq(f.transport.queue_irqs[RX], 0);
	down();
}
END_TEST

static void route(unsigned qi, bool straight)
{
	fix_lock(&f);
	fake_transport_route(&f.transport, qi, straight);
	fix_unlock(&f);
}

static unsigned irqs_of(unsigned qi)
{
	unsigned n;

	fix_lock(&f);
	n = f.transport.queue_irqs[qi];
	fix_unlock(&f);
	return n;
}

static uint64_t stat_of(const char *name)
{
	struct virtio_stat stats[VIRTIO_STATS_MAX];
	const unsigned n = virtio_get_own_stats(f.d, stats);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(stats[i].name, name) == 0)
			return stats[i].value;
	}
	ck_abort_msg("no %s", name);
}

START_TEST(calls_that_go_straight_pass_the_loop_by)
{
	up(_i);
	ck_assert_uint_eq(stat_of("vhost_interrupts"), 0);
	route(RX, true);
	ck_assert_uint_eq(stat_of("vhost_interrupts"), 1);
	fv_call(&kernel, 0, RX);
	let_the_loop_run();
	ck_assert_uint_eq(irqs_of(RX), 0);
	down();
}
END_TEST

START_TEST(what_did_not_go_straight_comes_by_the_loop)
{
	unsigned qi = RX;

	up(_i);
	route(RX, true);
	fv_call(&kernel, 0, RX);
	route(RX, false);
	fix_until(&f, has_irq, &qi);
	let_the_loop_run();
	ck_assert_uint_eq(irqs_of(RX), 1);
	fv_call(&kernel, 0, RX);
	let_the_loop_run();
	ck_assert_uint_eq(irqs_of(RX), 2);
	down();
}
END_TEST

START_TEST(a_call_that_the_controller_has_had_comes_no_second_time)
{
	up(_i);
	fix_lock(&f);
	fv_call(&kernel, 0, RX);
	/* The loop has it, and waits for the lock. */
	(void)poll(NULL, 0, 20);
	fake_transport_route(&f.transport, RX, true);
	ck_assert(eventfd_clear(f.transport.sources[RX]->fd));
	fake_transport_route(&f.transport, RX, false);
	fix_unlock(&f);
	let_the_loop_run();
	ck_assert_uint_eq(irqs_of(RX), 0);
	down();
}
END_TEST

static void check_nothing_lent(void)
{
	fix_lock(&f);
	ck_assert_ptr_null(f.transport.sources[RX]);
	ck_assert_ptr_null(f.transport.sources[TX]);
	fix_unlock(&f);
}

/* A call of before is not lost by it. */
START_TEST(what_takes_a_queue_back_takes_its_interrupt_back)
{
	unsigned qi = RX;

	up(_i);
	route(RX, true);
	fv_call(&kernel, 0, RX);
	pause_device(true);
	check_nothing_lent();
	let_the_loop_run();
	ck_assert_uint_eq(irqs_of(RX), 0);
	pause_device(false);
	fix_until(&f, has_irq, &qi);
	reset_device();
	check_nothing_lent();
	down();
}
END_TEST

/*
 * Taking back.
 */

START_TEST(reset_takes_queues_back_and_the_next_start_begins_anew)
{
	up(_i);
	fv_set_base(&kernel, 0, TX, 77);
	reset_device();
	ck_assert(all_ended());
	ck_assert_uint_eq(f.d->inflight, 0);
	fix_start(&f, MRG);
	ck_assert(serves(0));
	ck_assert_uint_eq(fv_base(&kernel, 0, TX), 0);
	/* Translations of before are not those of now. */
	ck_assert_uint_eq(fv_count(&kernel, 0, VHOST_SET_FEATURES), 2);
	down();
}
END_TEST

static bool is_served(void *arg)
{
	(void)arg;
	return serves(0);
}

START_TEST(a_pause_takes_queues_back_and_goes_on_where_the_kernel_stopped)
{
	up(_i);
	fv_set_base(&kernel, 0, TX, 77);
	pause_device(true);
	ck_assert(all_ended());
	/* Only the kernel knows; the device is told. */
	fv_set_base(&kernel, 0, RX, 5);
	fv_set_base(&kernel, 0, TX, 6);
	pause_device(false);
	fix_until(&f, is_served, NULL);
	ck_assert_uint_eq(fv_base(&kernel, 0, TX), 77);
	ck_assert_uint_eq(fv_base(&kernel, 0, RX), 0);
	down();
}
END_TEST

START_TEST(an_interrupt_of_before_a_pause_comes_after_it)
{
	unsigned qi = RX;

	up(_i);
	/* The loop is kept from the call until the pause is there. */
	fix_lock(&f);
	fv_call(&kernel, 0, RX);
	virtio_pause(f.d, true);
	fix_unlock(&f);
	let_the_loop_run();
	fix_lock(&f);
	ck_assert_uint_eq(f.transport.queue_irqs[RX], 0);
	fix_unlock(&f);
	pause_device(false);
	fix_until(&f, has_irq, &qi);
	down();
}
END_TEST

START_TEST(a_device_that_starts_while_paused_begins_when_it_may)
{
	up(_i);
	pause_device(true);
	fix_start(&f, MRG);
	ck_assert(all_ended());
	pause_device(false);
	fix_until(&f, is_served, NULL);
	down();
}
END_TEST

START_TEST(reset_of_one_queue_leaves_the_other_where_it_is)
{
	up(_i);
	fv_set_base(&kernel, 0, RX, 9);
	fix_lock(&f);
	virtio_queue_reset(f.d, &f.d->vqs[RX]);
	ck_assert(!f.d->vqs[RX].resetting && !f.d->vqs[RX].enabled);
	fix_unlock(&f);
	ck_assert_int_eq(fv_backend(&kernel, 0, RX), -1);
	ck_assert_int_eq(fv_backend(&kernel, 0, TX), tap.fds[0]);
	fix_lock(&f);
	vqd_renew(&f.drv[RX]);
	vqd_connect(&f.drv[RX], f.d, RX);
	fix_unlock(&f);
	fix_force_kick(&f, RX);
	fix_until(&f, is_served, NULL);
	ck_assert_uint_eq(fv_base(&kernel, 0, RX), 0);
	/* The other one's translations are still good. */
	ck_assert_uint_eq(fv_count(&kernel, 0, VHOST_SET_FEATURES), 1);
	down();
}
END_TEST

static bool is_broken(void *arg)
{
	(void)arg;
	return f.d->status & VIRTIO_STATUS_NEEDS_RESET;
}

START_TEST(a_ring_that_the_kernel_cannot_read_breaks_the_device)
{
	up(_i);
	fv_fail(&kernel, 0, TX);
	fix_until(&f, is_broken, NULL);
	ck_assert(all_ended());
	fix_start(&f, MRG);
	ck_assert(!fix_is_broken(&f));
	ck_assert(serves(0));
	down();
}
END_TEST

START_TEST(whatever_breaks_the_device_takes_queues_back)
{
	up(_i);
	/* The control queue is the device's own. */
	vqd_set_avail_idx(&f.drv[2], 1000);
	fix_force_kick(&f, 2);
	fix_until(&f, is_broken, NULL);
	ck_assert(all_ended());
	down();
}
END_TEST

START_TEST(a_driver_that_gives_up_has_its_queues_back)
{
	up(_i);
	fix_lock(&f);
	virtio_set_status(f.d, f.d->status | VIRTIO_STATUS_FAILED);
	fix_unlock(&f);
	ck_assert(all_ended());
	down();
}
END_TEST

START_TEST(a_kernel_that_does_not_begin_breaks_the_device)
{
	static const unsigned long requests[] = {
		VHOST_SET_FEATURES, VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_CALL, VHOST_NET_SET_BACKEND};

	up(PLAIN);
	for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
		reset_device();
		kernel.refuse = requests[i];
		fix_lock(&f);
		(void)vqd_negotiate(f.d, MRG);
		vqd_renew(&f.drv[RX]);
		vqd_connect(&f.drv[RX], f.d, RX);
		(void)vqd_driver_ok(f.d);
		fix_unlock(&f);
		ck_assert(fix_is_broken(&f));
		kernel.refuse = 0;
		ck_assert(all_ended());
	}
	fix_start(&f, MRG);
	ck_assert(serves(0));
	down();
}
END_TEST

/*
 * The link.
 */

static bool link_is_down(void *arg)
{
	struct net_config_wire w;

	(void)arg;
	memcpy(&w, f.d->config, sizeof(w));
	return le16_get(w.status) == 0;
}

START_TEST(a_tap_that_goes_takes_the_link_down_and_nobody_waits)
{
	const struct net_header_wire hdr = {0};
	struct vqd_buf b = {.len = HEADER + 60};
	uint32_t head, len;

	up(_i);
	b.at = vqd_alloc(&f.drv[TX], b.len);
	vqd_write(&f.drv[TX], b.at, &hdr, HEADER);
	for (unsigned i = 0; i < 3; i++)
		(void)vqd_add(&f.drv[TX], &b, 1);
	/* Two are the kernel's to use: say that it has. */
	fix_lock(&f);
	ck_assert_int_eq(dma_store16_release(
				 f.d->dma, f.d->vqs[TX].used + VQ_RING_IDX, 2),
			 0);
	fv_set_base(&kernel, 0, TX, 2);
	fix_unlock(&f);
	close(tap.peers[0]);
	fv_fail(&kernel, 0, TX);
	fix_until(&f, link_is_down, NULL);
	ck_assert(all_ended());
	ck_assert(!fix_is_broken(&f));
	/* The third is dropped by the device. */
	f.drv[TX].last_used = 2;
	fix_wait(&f, TX, &head, &len);
	fix_start(&f, MRG);
	ck_assert(all_ended());
	tap.peers[0] = -1;
	down();
}
END_TEST

/*
 * Translations.
 */

static iova_t page_of(unsigned qi)
{
	return align_up(vqd_alloc(&f.drv[qi], 2 * FAKE_DMA_PAGE),
			FAKE_DMA_PAGE);
}

static iova_t wanted;

static bool reachable(void *arg)
{
	(void)arg;
	return fv_reach(&kernel, 0, wanted, VHOST_ACCESS_RO) != 0;
}

START_TEST(a_miss_is_answered_with_what_is_mapped)
{
	up(BEHIND);
	wanted = page_of(TX);
	fv_miss(&kernel, 0, wanted + 5, VHOST_ACCESS_RO);
	fix_until(&f, reachable, NULL);
	ck_assert_uint_eq(
		fv_reach(&kernel, 0, wanted + 100, VHOST_ACCESS_WO),
		(uintptr_t)gmem_host(&f.mem,
				     fake_dma_gpa(&f.view, wanted + 100), 1));
	ck_assert_uint_eq(fix_holds(&f), 0);
	down();
}
END_TEST

static bool looks_again(void *arg)
{
	(void)arg;
	/* Both queues stand where they were; the kernel is told to look. */
	return eventfd_clear(f.d->vqs[TX].kick_fd);
}

static bool is_cleared(void *arg)
{
	(void)arg;
	return fv_cleared(&kernel, 0) > 0;
}

START_TEST(an_address_without_a_mapping_is_a_fault_and_has_no_answer)
{
	unsigned updates;

	up(BEHIND);
	(void)eventfd_clear(f.d->vqs[TX].kick_fd);
	updates = fv_updates(&kernel, 0);
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_WO);
	fix_until(&f, looks_again, NULL);
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
	ck_assert(!fix_is_broken(&f));
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_WO);
	fix_until(&f, is_broken, NULL);
	ck_assert_uint_eq(fake_dma_faults(&f.view), 1);
	ck_assert_uint_eq(f.view.fault_at, FIX_NOWHERE);
	ck_assert_uint_eq(fv_updates(&kernel, 0), updates);
	ck_assert(all_ended());
	down();
}
END_TEST

START_TEST(a_mapping_without_the_permission_is_a_fault_too)
{
	up(BEHIND);
	/* In the place of another: the fake has no more. */
	fake_dma_unmap(&f.view, page_of(TX), FAKE_DMA_PAGE);
	fake_dma_map(&f.view, FIX_NOWHERE & ~UINT64_C(0xfff), 0, FAKE_DMA_PAGE,
		     DMA_READ);
	wanted = FIX_NOWHERE;
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_RO);
	fix_until(&f, reachable, NULL);
	ck_assert(!fv_reach(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_WO));
	(void)eventfd_clear(f.d->vqs[TX].kick_fd);
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_WO);
	fix_until(&f, looks_again, NULL);
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_WO);
	fix_until(&f, is_broken, NULL);
	ck_assert_uint_eq(fake_dma_faults(&f.view), 1);
	down();
}
END_TEST

/* Asked twice, answered, used and unmapped: the second question is stale. */
START_TEST(a_miss_that_came_too_late_is_no_fault)
{
	up(BEHIND);
	wanted = page_of(TX);
	for (unsigned i = 0; i < 3; i++) {
		fv_miss(&kernel, 0, wanted, VHOST_ACCESS_RO);
		fix_until(&f, reachable, NULL);
		fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
		ck_assert(!reachable(NULL));
		(void)eventfd_clear(f.d->vqs[TX].kick_fd);
		fv_miss(&kernel, 0, wanted, VHOST_ACCESS_RO);
		fix_until(&f, looks_again, NULL);
		fake_dma_map(&f.view, wanted, MIB(1), FAKE_DMA_PAGE,
			     DMA_READ | DMA_WRITE);
	}
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
	ck_assert(!fix_is_broken(&f));
	down();
}
END_TEST

/* Each is a piece of the host's memory, as long as it waits. */
START_TEST(questions_without_an_answer_are_cleared_when_there_are_many)
{
	up(BEHIND);
	for (unsigned i = 0; i < IOTLB_LITTER_MAX; i++) {
		(void)eventfd_clear(f.d->vqs[TX].kick_fd);
		fv_miss(&kernel, 0, FIX_NOWHERE + i * FAKE_DMA_PAGE,
			VHOST_ACCESS_RO);
		if (i % 16 == 0)
			fix_until(&f, looks_again, NULL);
	}
	fix_until(&f, is_cleared, NULL);
	fix_until(&f, is_served, NULL);
	ck_assert(!fix_is_broken(&f));
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
	down();
}
END_TEST

START_TEST(what_the_kernel_asks_too_late_is_cleared_at_the_end)
{
	up(BEHIND);
	reset_device();
	ck_assert_uint_eq(fv_cleared(&kernel, 0), 0);
	fix_start(&f, MRG);
	fix_lock(&f);
	fv_miss(&kernel, 0, FIX_NOWHERE, VHOST_ACCESS_RO);
	virtio_reset(f.d);
	fix_unlock(&f);
	ck_assert_uint_eq(fv_cleared(&kernel, 0), 1);
	down();
}
END_TEST

START_TEST(what_is_unmapped_is_forgotten_before_the_unmap_is_done)
{
	up(BEHIND);
	wanted = page_of(TX);
	fv_miss(&kernel, 0, wanted, VHOST_ACCESS_RO);
	fix_until(&f, reachable, NULL);
	fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	ck_assert(!reachable(NULL));
	/* And of the rings nothing was. */
	ck_assert(fv_reach(&kernel, 0, f.d->vqs[TX].used, VHOST_ACCESS_WO));
	down();
}
END_TEST

START_TEST(all_of_the_space_can_be_forgotten)
{
	const struct range all = {0, ~UINT64_C(0)};
	struct dma_listener *l;

	up(BEHIND);
	l = f.view.dma.listener;
	l->gone(l, &all, 1);
	ck_assert_uint_eq(kernel.pairs[0].nentries, 0);
	down();
}
END_TEST

START_TEST(a_device_that_is_not_served_has_nothing_to_forget)
{
	unsigned n;

	up(BEHIND);
	reset_device();
	n = fv_invalidations(&kernel, 0);
	fake_dma_unmap(&f.view, page_of(TX), FAKE_DMA_PAGE);
	ck_assert_uint_eq(fv_invalidations(&kernel, 0), n);
	down();
}
END_TEST

static void set(bool *refuses, bool to)
{
	pthread_mutex_lock(&kernel.lock);
	*refuses = to;
	pthread_mutex_unlock(&kernel.lock);
}

START_TEST(a_kernel_that_takes_no_answer_breaks_the_device_until_a_reset)
{
	up(BEHIND);
	wanted = page_of(TX);
	set(&kernel.deaf, true);
	fv_miss(&kernel, 0, wanted, VHOST_ACCESS_RO);
	fix_until(&f, is_broken, NULL);
	ck_assert(all_ended());
	set(&kernel.deaf, false);
	fix_start(&f, MRG);
	ck_assert(serves(0));
	fv_miss(&kernel, 0, wanted, VHOST_ACCESS_RO);
	fix_until(&f, reachable, NULL);
	down();
}
END_TEST

START_TEST(a_kernel_that_does_not_forget_is_stopped)
{
	up(BEHIND);
	set(&kernel.stubborn, true);
	fake_dma_unmap(&f.view, page_of(TX), FAKE_DMA_PAGE);
	ck_assert(all_ended());
	set(&kernel.stubborn, false);
	fix_start(&f, MRG);
	ck_assert(serves(0));
	down();
}
END_TEST

/*
 * Pairs of queues.
 */

static void set_pairs(unsigned n)
{
	const struct {
		struct net_ctrl_wire w;
		le16_t pairs;
	} words = {{NET_CTRL_MQ, NET_CTRL_MQ_PAIRS_SET}, le16_put((uint16_t)n)};
	struct vq_driver *v = &f.drv[4];
	struct vqd_buf b[2] = {
		{.at = vqd_put(v, &words, sizeof(words)), .len = sizeof(words)},
		{.at = vqd_alloc(v, 1), .len = 1, .write = true},
	};
	uint8_t ack = 0xff;

	(void)fix_run(&f, 4, b, 2);
	vqd_read(v, b[1].at, &ack, 1);
	ck_assert_uint_eq(ack, NET_CTRL_OK);
}

START_TEST(each_pair_has_a_descriptor_and_a_queue_of_the_tap)
{
	up_with(_i, MRG | BIT_ULL(NET_F_MQ), 2);
	ck_assert(serves(0));
	ck_assert_int_eq(fv_backend(&kernel, 1, RX), -1);
	set_pairs(2);
	ck_assert(serves(0) && serves(1));
	/* The tap's queue was there before. */
	ck_assert_int_eq(tap.backend_of_1, -1);
	ck_assert_uint_eq(kernel.pairs[1].nregions, f.mem.nslots);
	set_pairs(1);
	ck_assert_int_eq(fv_backend(&kernel, 1, RX), -1);
	ck_assert_int_eq(fv_backend(&kernel, 1, TX), -1);
	/* ... and goes after. */
	ck_assert_int_eq(tap.backend_of_1, -1);
	ck_assert(serves(0));
	set_pairs(2);
	ck_assert(serves(1));
	down();
}
END_TEST

START_TEST(an_unmap_is_forgotten_by_every_pair)
{
	up_with(BEHIND, MRG | BIT_ULL(NET_F_MQ), 2);
	set_pairs(2);
	fake_dma_unmap(&f.view, page_of(TX), FAKE_DMA_PAGE);
	ck_assert_uint_eq(fv_invalidations(&kernel, 0), 1);
	ck_assert_uint_eq(fv_invalidations(&kernel, 1), 1);
	down();
}
END_TEST

/*
 * What is told, and refused.
 */

START_TEST(statistics_say_that_queues_are_not_ours)
{
	struct virtio_stat s[VIRTIO_STATS_MAX];
	struct net_stats n;

	up(_i);
	ck_assert_uint_eq(virtio_get_own_stats(f.d, s),
			  _i & FIX_SCATTERED ? 5 : 2);
	ck_assert_str_eq(s[0].name, "vhost_queues");
	ck_assert_uint_eq(s[0].value, 2);
	net_stats(f.d, &n);
	ck_assert_str_eq(n.mover, "vhost-net");
	reset_device();
	(void)virtio_get_own_stats(f.d, s);
	ck_assert_uint_eq(s[0].value, 0);
	down();
}
END_TEST

static void refused(int ways, int error, const char *why)
{
	struct net_vhost *v;
	struct err err = {""};

	fix_init(&f, (unsigned)ways);
	ck_assert_int_eq(open_vhost(&v, 2, &err), -error);
	ck_assert_msg(strstr(err.msg, why), "'%s'", err.msg);
	fix_fini(&f);
	fv_fini(&kernel);
}

START_TEST(a_host_without_it_is_one_sentence)
{
	fv_init(&kernel);
	kernel.open_error = -ENOENT;
	refused(PLAIN, ENOENT,
		"there is no '/dev/vhost-net' ('modprobe vhost_net' makes it)");
	fv_init(&kernel);
	kernel.open_error = -EACCES;
	refused(PLAIN, EACCES, "'/dev/vhost-net' is for other users");
	fv_init(&kernel);
	kernel.refuse = VHOST_SET_OWNER;
	refused(PLAIN, EIO, "has no thread for us");
	fv_init(&kernel);
	kernel.refuse = VHOST_SET_MEM_TABLE;
	refused(PLAIN, EIO, "refuses our memory");
	fv_init(&kernel);
	kernel.features &= ~BIT_ULL(NET_F_MRG_RXBUF);
	refused(PLAIN, ENOTSUP, "lacks features 0x8000");
}
END_TEST

START_TEST(behind_an_iommu_more_is_asked_of_it)
{
	fv_init(&kernel);
	kernel.features &= ~BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	refused(BEHIND, ENOTSUP, "lacks features 0x200000000");
	fv_init(&kernel);
	kernel.backend_features = 0;
	refused(BEHIND, ENOTSUP, "cannot be behind an IOMMU");
	fv_init(&kernel);
	kernel.late = 1;
	refused(BEHIND, ENOTSUP, "must not send without copying");
	fv_init(&kernel);
	kernel.late = -EACCES;
	refused(BEHIND, EACCES, "does not tell");
}
END_TEST

START_TEST(without_one_it_is_not)
{
	fv_init(&kernel);
	kernel.features &= ~BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	kernel.backend_features = 0;
	kernel.late = 1;
	fix_init(&f, PLAIN);
	{
		struct net_vhost *v;

		ck_assert_int_eq(open_vhost(&v, 2, NULL), 0);
		net_vhost_free(v);
	}
	fix_fini(&f);
	fv_fini(&kernel);
}
END_TEST

#define BOTH(test) tcase_add_loop_test(t, test, PLAIN, FIX_WAYS)

int main(void)
{
	Suite *s = suite_create("devices/net_vhost");
	TCase *t = tcase_create("net_vhost");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	BOTH(queues_are_the_kernels_when_the_driver_is_ready);
	BOTH(features_are_those_of_rings_that_the_driver_has_accepted);
	BOTH(memory_is_told_slot_by_slot_before_a_queue_begins);
	BOTH(a_ring_is_told_whole_before_it_is_served);
	tcase_add_test(t, without_an_iommu_rings_are_at_the_hosts_addresses);
	tcase_add_test(
		t,
		behind_an_iommu_rings_are_at_their_own_and_translated_already);
	BOTH(a_ring_that_is_no_memory_breaks_the_device);
	BOTH(frames_and_kicks_pass_the_loop_by);
	BOTH(the_kernels_call_interrupts_its_queue);
	BOTH(calls_that_go_straight_pass_the_loop_by);
	BOTH(what_did_not_go_straight_comes_by_the_loop);
	BOTH(a_call_that_the_controller_has_had_comes_no_second_time);
	BOTH(what_takes_a_queue_back_takes_its_interrupt_back);
	BOTH(reset_takes_queues_back_and_the_next_start_begins_anew);
	BOTH(a_pause_takes_queues_back_and_goes_on_where_the_kernel_stopped);
	BOTH(an_interrupt_of_before_a_pause_comes_after_it);
	BOTH(a_device_that_starts_while_paused_begins_when_it_may);
	BOTH(reset_of_one_queue_leaves_the_other_where_it_is);
	BOTH(a_ring_that_the_kernel_cannot_read_breaks_the_device);
	BOTH(whatever_breaks_the_device_takes_queues_back);
	BOTH(a_driver_that_gives_up_has_its_queues_back);
	tcase_add_test(t, a_kernel_that_does_not_begin_breaks_the_device);
	BOTH(a_tap_that_goes_takes_the_link_down_and_nobody_waits);
	tcase_add_test(t, a_miss_is_answered_with_what_is_mapped);
	tcase_add_test(
		t, an_address_without_a_mapping_is_a_fault_and_has_no_answer);
	tcase_add_test(t, a_mapping_without_the_permission_is_a_fault_too);
	tcase_add_test(t, a_miss_that_came_too_late_is_no_fault);
	tcase_add_test(
		t, questions_without_an_answer_are_cleared_when_there_are_many);
	tcase_add_test(t, what_the_kernel_asks_too_late_is_cleared_at_the_end);
	tcase_add_test(t,
		       what_is_unmapped_is_forgotten_before_the_unmap_is_done);
	tcase_add_test(t, all_of_the_space_can_be_forgotten);
	tcase_add_test(t, a_device_that_is_not_served_has_nothing_to_forget);
	tcase_add_test(
		t,
		a_kernel_that_takes_no_answer_breaks_the_device_until_a_reset);
	tcase_add_test(t, a_kernel_that_does_not_forget_is_stopped);
	BOTH(each_pair_has_a_descriptor_and_a_queue_of_the_tap);
	tcase_add_test(t, an_unmap_is_forgotten_by_every_pair);
	BOTH(statistics_say_that_queues_are_not_ours);
	tcase_add_test(t, a_host_without_it_is_one_sentence);
	tcase_add_test(t, behind_an_iommu_more_is_asked_of_it);
	tcase_add_test(t, without_one_it_is_not);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
