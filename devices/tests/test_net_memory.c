/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A network device whose rings a vhost-user server reads and writes itself,
 * polite or not.  Plain is without an IOMMU, scattered behind one.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/net/device.h"
#include "devices/net/vhost_priv.h"
#include "devices/tests/dev_fixture.h"
#include "devices/tests/fake_backend.h"

#define RX     0
#define TX     1
#define HEADER sizeof(struct net_header_wire)

/* A thread runs the loop; ways 2 and 3. */
#define PLAIN  FIX_LOOPED
#define BEHIND (FIX_LOOPED | FIX_SCATTERED)

#define OFFLOADS (BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_GUEST_CSUM))
#define SERVER                                               \
	(FB_FEATURES | OFFLOADS | BIT_ULL(NET_F_MQ) |        \
	 BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ) | \
	 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))
#define DRIVER                                          \
	(FIX_USUAL | OFFLOADS | BIT_ULL(NET_F_STATUS) | \
	 BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ))

static struct dev_fixture f;
static struct fake_backend b;
static struct fb_req req;
static struct net_config config;
static struct err err;
static char dir[32], path[48];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1024]; /* all lines */

static void on_log(enum log_level level, const char *line)
{
	(void)level;
	pthread_mutex_lock(&log_lock);
	strncat(logged, line, sizeof(logged) - strlen(logged) - 2);
	strcat(logged, "\n");
	pthread_mutex_unlock(&log_lock);
}

static void setup(void)
{
	strcpy(dir, "/tmp/moat-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	config = (struct net_config){
		.kind = NET_SERVED,
		.socket = path,
		.guest_memory = true,
		.queues = 1,
		.mac = {2, 1, 2, 3, 4, 5},
	};
	err.msg[0] = logged[0] = '\0';
	fb_init(&b);
	b.features = SERVER;
	b.protocol |= BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ);
	b.max_rings = FB_RINGS / 2; /* pairs */
}

static int make(unsigned ways)
{
	struct virtio_dev *d = NULL;
	int r;

	fix_init(&f, ways);
	log_set_sink(on_log);
	fb_listen(&b, path);
	r = net_new(&d, &f.env, &config, &err);
	if (r == 0)
		fix_adopt(&f, d);
	return r;
}

static void start(unsigned n)
{
	fix_start(&f, DRIVER);
	fb_wait_begun(&b, RX, n);
	fb_wait_begun(&b, TX, n);
}

static void up(int ways)
{
	ck_assert_msg(make((unsigned)ways) == 0, "%s", err.msg);
	start(1);
}

static void teardown(void)
{
	fix_fini(&f);
	fb_stop(&b);
	log_set_sink(NULL);
	(void)unlink(path);
	(void)rmdir(dir);
}

static bool is_down(void *arg)
{
	(void)arg;
	return !container_of(f.d, struct net, dev)->link;
}

static bool has_gone_down(void)
{
	bool down;

	fix_lock(&f);
	down = is_down(NULL);
	fix_unlock(&f);
	return down;
}

static bool is_broken(void *arg)
{
	(void)arg;
	return f.d->status & VIRTIO_STATUS_NEEDS_RESET;
}

/* The link is down, and @why is said of the server, once. */
static void check_lost(const char *why)
{
	char line[256];
	const char *found;

	fix_until(&f, is_down, NULL);
	snprintf(line, sizeof(line),
		 "the server at '%s' %s; the guest's link is down from now "
		 "on\n",
		 path, why);
	pthread_mutex_lock(&log_lock);
	found = strstr(logged, line);
	ck_assert_msg(found && !strstr(found + 1, line), "%s", logged);
	pthread_mutex_unlock(&log_lock);
	ck_assert(!fix_is_broken(&f));
}

static const char frame[] = "to: all; from: the one; a frame that is long "
			    "enough to be one of Ethernet's";

static iova_t page_of(unsigned qi)
{
	return align_up(vqd_alloc(&f.drv[qi], 2 * FAKE_DMA_PAGE),
			FAKE_DMA_PAGE);
}

/* A frame is in the guest's ring.  Return: where it is. */
static iova_t put_frame(void)
{
	struct vqd_buf buf = {.at = page_of(TX), .len = HEADER + sizeof(frame)};

	vqd_write(&f.drv[TX], buf.at + HEADER, frame, sizeof(frame));
	(void)vqd_add(&f.drv[TX], &buf, 1);
	fix_force_kick(&f, TX);
	return buf.at;
}

static iova_t wanted;

static bool reachable(void *arg)
{
	(void)arg;
	return fb_reach(&b, wanted, DMA_READ) != 0;
}

/* As a server does that looks at a buffer at @at. */
static void ask_for(iova_t at)
{
	wanted = at;
	if (reachable(NULL))
		return;
	fb_miss(&b, at, DMA_READ);
	fix_until(&f, reachable, NULL);
}

static void take_frame(void)
{
	char bytes[HEADER + sizeof(frame)];

	ck_assert(fb_wait(&b, TX) && fb_pop(&b, TX, &req));
	ck_assert_uint_eq(fb_gather(req.out, req.nout, bytes, sizeof(bytes)),
			  sizeof(bytes));
	ck_assert_str_eq(bytes + HEADER, frame);
}

static void send_and_finish(int ways)
{
	const iova_t at = put_frame();
	uint32_t head, len;

	if (ways & FIX_SCATTERED)
		ask_for(at);
	take_frame();
	fb_push(&b, TX, req.head, 0);
	fix_wait(&f, TX, &head, &len);
	ck_assert_uint_eq(head, req.head);
}

/*
 * Frames.
 */

START_TEST(a_server_reads_a_frame_where_the_guest_has_put_it)
{
	up(_i);
	for (unsigned i = 0; i < 3; i++)
		send_and_finish(_i);
	ck_assert_uint_eq(b.nregions, f.mem.nslots);
	ck_assert_uint_eq(b.regions[0].wire.guest_addr, f.mem.slots[0].base);
	ck_assert_uint_eq(fix_holds(&f), 0);
}
END_TEST

START_TEST(a_server_writes_a_frame_where_the_guest_wants_it)
{
	struct vqd_buf buf = {.len = 2000, .write = true};
	char bytes[HEADER + sizeof(frame)] = {0};
	uint32_t head, len;

	up(_i);
	buf.at = page_of(RX);
	(void)vqd_add(&f.drv[RX], &buf, 1);
	fix_force_kick(&f, RX);
	if (_i & FIX_SCATTERED)
		ask_for(buf.at);
	memcpy(bytes + HEADER, frame, sizeof(frame));
	ck_assert(fb_wait(&b, RX) && fb_pop(&b, RX, &req));
	fb_scatter(req.in, req.nin, bytes, sizeof(bytes));
	fb_push(&b, RX, req.head, sizeof(bytes));
	fix_wait(&f, RX, &head, &len);
	ck_assert_uint_eq(len, sizeof(bytes));
	vqd_read(&f.drv[RX], buf.at, bytes, sizeof(bytes));
	ck_assert_str_eq(bytes + HEADER, frame);
}
END_TEST

START_TEST(features_are_those_that_driver_and_server_have)
{
	const uint64_t platform =
		_i & FIX_SCATTERED ? BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) : 0;

	up(_i);
	ck_assert_uint_eq(b.agreed,
			  BIT_ULL(VIRTIO_F_VERSION_1) |
				  BIT_ULL(NET_F_MRG_RXBUF) |
				  BIT_ULL(VIRTIO_F_EVENT_IDX) |
				  BIT_ULL(VIRTIO_F_INDIRECT_DESC) | OFFLOADS |
				  BIT_ULL(VHU_F_PROTOCOL_FEATURES) | platform);
	fix_start(&f, FIX_BASIC);
	fb_wait_begun(&b, TX, 2);
	ck_assert_uint_eq(b.agreed, BIT_ULL(VIRTIO_F_VERSION_1) |
					    BIT_ULL(VHU_F_PROTOCOL_FEATURES) |
					    platform);
}
END_TEST

static void pause_device(bool on)
{
	fix_lock(&f);
	virtio_pause(f.d, on);
	fix_unlock(&f);
}

START_TEST(a_pause_takes_the_rings_back_and_they_go_on_where_they_were)
{
	up(_i);
	send_and_finish(_i);
	pause_device(true);
	ck_assert(!b.rings[RX].enabled && !b.rings[TX].enabled);
	pause_device(false);
	fb_wait_begun(&b, RX, 2);
	fb_wait_begun(&b, TX, 2);
	ck_assert_uint_eq(b.rings[TX].last_avail, 1);
	send_and_finish(_i);
}
END_TEST

START_TEST(a_reset_takes_the_rings_back_and_they_begin_anew)
{
	up(_i);
	send_and_finish(_i);
	start(2);
	ck_assert_uint_eq(b.rings[TX].last_avail, 0);
	send_and_finish(_i);
}
END_TEST

static bool is_reset(void *arg)
{
	(void)arg;
	return !f.d->vqs[TX].resetting && f.d->vqs[TX].renewed;
}

START_TEST(a_queue_that_is_reset_alone_comes_back_from_the_server_first)
{
	up(_i);
	send_and_finish(_i);
	fix_lock(&f);
	virtio_queue_reset(f.d, &f.d->vqs[TX]);
	/* The answer needs the lock. */
	ck_assert(f.d->vqs[TX].resetting);
	fix_unlock(&f);
	fix_until(&f, is_reset, NULL);
	ck_assert(!b.rings[TX].enabled && b.rings[RX].enabled);
	fix_lock(&f);
	vqd_renew(&f.drv[TX]);
	vqd_connect(&f.drv[TX], f.d, TX);
	fix_unlock(&f);
	fix_force_kick(&f, TX);
	fb_wait_begun(&b, TX, 2);
	send_and_finish(_i);
}
END_TEST

/*
 * Translations.
 */

START_TEST(a_ring_is_translated_before_it_begins)
{
	up(BEHIND);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(b.rings[i].desc, f.d->vqs[i].desc);
		ck_assert(fb_reach(&b, f.d->vqs[i].desc, DMA_READ));
		ck_assert(fb_reach(&b, f.d->vqs[i].avail, DMA_READ));
		ck_assert(fb_reach(&b, f.d->vqs[i].used, DMA_WRITE));
	}
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
}
END_TEST

START_TEST(a_miss_has_its_answer_and_its_word)
{
	const struct gmem_slot *s = &f.mem.slots[0];

	up(BEHIND);
	wanted = page_of(TX);
	ck_assert_uint_eq(fb_miss_acked(&b, wanted, DMA_READ), 0);
	fix_until(&f, reachable, NULL);
	ck_assert_uint_eq(fb_reach(&b, wanted, DMA_READ),
			  (uintptr_t)s->host + fake_dma_gpa(&f.view, wanted));
}
END_TEST

static _Atomic uint64_t word;
#define NONE_YET 4711

static void *ask_for_a_word(void *arg)
{
	(void)arg;
	atomic_store(&word, fb_miss_acked(&b, wanted, DMA_READ));
	return NULL;
}

START_TEST(the_word_for_a_miss_comes_after_its_answer)
{
	pthread_t thread;

	up(BEHIND);
	wanted = page_of(TX);
	atomic_store(&word, NONE_YET);
	/* There is no answer before this lock can be had. */
	pthread_mutex_lock(&f.view.lock);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_a_word, NULL),
			 0);
	usleep(50000);
	ck_assert_uint_eq(atomic_load(&word), NONE_YET);
	pthread_mutex_unlock(&f.view.lock);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(atomic_load(&word), 0);
}
END_TEST

START_TEST(the_word_for_a_miss_without_an_answer_is_an_error)
{
	up(BEHIND);
	ck_assert_uint_eq(fb_miss_acked(&b, FIX_NOWHERE, DMA_READ), EFAULT);
	pause_device(true);
	/* Nobody waits for it any more. */
	ck_assert_uint_eq(fb_miss_acked(&b, page_of(TX), DMA_READ), EFAULT);
}
END_TEST

static bool both(void *arg)
{
	(void)arg;
	return fb_reach(&b, wanted, DMA_READ | DMA_WRITE) != 0;
}

START_TEST(who_asks_to_read_what_it_may_write_gets_both_and_never_to_write)
{
	iova_t page;

	up(BEHIND);
	page = page_of(RX);
	fake_dma_unmap(&f.view, page, FAKE_DMA_PAGE);
	fake_dma_map(&f.view, page, MIB(2), FAKE_DMA_PAGE, DMA_WRITE);
	wanted = page;
	fb_miss(&b, wanted, DMA_READ | DMA_WRITE);
	fix_until(&f, both, NULL);
	fake_dma_unmap(&f.view, page, FAKE_DMA_PAGE);
	fake_dma_map(&f.view, page, MIB(2), FAKE_DMA_PAGE, DMA_READ);
	fb_miss(&b, wanted, DMA_READ | DMA_WRITE);
	/* It looks again. */
	fb_wait_begun(&b, TX, 2);
	ck_assert(!fb_reach(&b, page, DMA_WRITE));
}
END_TEST

START_TEST(a_used_ring_that_may_only_be_written_is_served)
{
	iova_t used;
	gpa_t at;

	up(BEHIND);
	used = f.drv[TX].used;
	at = fake_dma_gpa(&f.view, used);
	fake_dma_unmap(&f.view, used, FAKE_DMA_PAGE);
	fake_dma_map(&f.view, used, at, FAKE_DMA_PAGE, DMA_WRITE);
	fix_start(&f, DRIVER);
	fb_wait_begun(&b, TX, 2);
	send_and_finish(BEHIND);
	ck_assert(!fix_is_broken(&f));
}
END_TEST

static _Atomic bool unmapped;

static void *unmap(void *arg)
{
	(void)arg;
	fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	atomic_store(&unmapped, true);
	return NULL;
}

static void set_mute(bool to)
{
	pthread_mutex_lock(&b.lock);
	b.mute = to;
	pthread_mutex_unlock(&b.lock);
}

/* What a mute server owes. */
static void say_forgotten(void)
{
	const struct {
		struct vhu_header_wire h;
		uint8_t word[8];
	} m = {{VHU_IOTLB_MSG, VHU_VERSION | VHU_REPLY, 8}, {0}};

	ck_assert_int_eq(send(b.fd, &m, 20, MSG_NOSIGNAL), 20);
}

/* Of a page that the server has, and it does not say that it has forgotten. */
static void begin_unmap(pthread_t *ret_thread)
{
	ask_for(page_of(TX));
	set_mute(true);
	atomic_store(&unmapped, false);
	ck_assert_int_eq(pthread_create(ret_thread, NULL, unmap, NULL), 0);
}

START_TEST(an_unmap_waits_until_the_server_has_forgotten)
{
	pthread_t thread;

	up(BEHIND);
	begin_unmap(&thread);
	fb_wait_invalidations(&b, 2); /* the first came with the rings */
	ck_assert(!reachable(NULL));
	/* Meanwhile the loop and the device are nobody's prisoners. */
	wanted = page_of(RX);
	fb_miss(&b, wanted, DMA_READ);
	fix_until(&f, reachable, NULL);
	ck_assert(!atomic_load(&unmapped));
	set_mute(false);
	say_forgotten();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(atomic_load(&unmapped));
	send_and_finish(BEHIND);
}
END_TEST

START_TEST(what_is_unmapped_while_no_ring_is_served_is_forgotten_too)
{
	up(BEHIND);
	ask_for(page_of(TX));
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
	fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	start(2);
	ck_assert(!reachable(NULL));
}
END_TEST

START_TEST(many_ranges_and_the_whole_space_can_be_forgotten)
{
	static struct range ranges[3 * FB_ENTRIES];
	const struct range all = {0, UINT64_MAX};
	struct dma_listener *l;
	unsigned n;

	up(BEHIND);
	ask_for(page_of(TX));
	l = f.view.dma.listener;
	for (n = 0; n < ARRAY_SIZE(ranges); n++)
		ranges[n] = (struct range){wanted - 2 * n * FAKE_DMA_PAGE,
					   wanted - 2 * n * FAKE_DMA_PAGE + 9};
	l->gone(l, ranges, n);
	ck_assert_uint_eq(b.invalidations, 1 + n);
	l->gone(l, &all, 1);
	ck_assert_uint_eq(b.nentries, 0);
}
END_TEST

/* Nothing of the group is served between the two looks. */
START_TEST(it_is_looked_at_twice_when_one_queue_alone_is_served_too)
{
	up(BEHIND);
	fix_lock(&f);
	virtio_queue_reset(f.d, &f.d->vqs[TX]);
	fix_unlock(&f);
	fix_until(&f, is_reset, NULL);
	fb_miss(&b, FIX_NOWHERE, DMA_READ);
	fb_wait_begun(&b, RX, 2);
	ck_assert(!fix_is_broken(&f));
	fb_miss(&b, FIX_NOWHERE, DMA_READ);
	fix_until(&f, is_broken, NULL);
	ck_assert_uint_eq(fake_dma_faults(&f.view), 1);
}
END_TEST

static unsigned updates(void)
{
	unsigned n;

	pthread_mutex_lock(&b.lock);
	n = b.updates;
	pthread_mutex_unlock(&b.lock);
	return n;
}

static unsigned updates_before;

static bool is_given_again(void *arg)
{
	(void)arg;
	return updates() == updates_before + 1;
}

/* Some servers forget it, too. */
START_TEST(what_begins_behind_an_unmapped_page_is_given_again)
{
	iova_t page;

	up(BEHIND);
	page = page_of(TX);
	ask_for(page + FAKE_DMA_PAGE);
	updates_before = updates();
	fake_dma_unmap(&f.view, page, FAKE_DMA_PAGE);
	fix_until(&f, is_given_again, NULL);
	ck_assert(reachable(NULL));
	/* Not what has gone meanwhile, nor for another page. */
	fake_dma_unmap(&f.view, page + FAKE_DMA_PAGE, FAKE_DMA_PAGE);
	fake_dma_unmap(&f.view, page + 8 * FAKE_DMA_PAGE, FAKE_DMA_PAGE);
	loop_barrier(f.loop);
	ck_assert(is_given_again(NULL));
	ck_assert(!reachable(NULL));
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
}
END_TEST

START_TEST(an_address_without_a_mapping_is_looked_at_twice)
{
	up(BEHIND);
	fb_miss(&b, FIX_NOWHERE, DMA_READ);
	fb_wait_begun(&b, TX, 2);
	ck_assert(!fix_is_broken(&f));
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
	send_and_finish(BEHIND);
	fb_miss(&b, FIX_NOWHERE, DMA_READ);
	fix_until(&f, is_broken, NULL);
	ck_assert_uint_eq(fake_dma_faults(&f.view), 1);
	start(3);
	send_and_finish(BEHIND);
}
END_TEST

/*
 * Servers that are not as they should be.
 */

START_TEST(a_server_is_asked_for_what_it_takes)
{
	static const struct {
		uint64_t features, protocol; /* that it lacks */
		const char *what;
	} cases[] = {
		{BIT_ULL(VIRTIO_F_ACCESS_PLATFORM), 0,
		 "does not translate (ACCESS_PLATFORM), so behind the IOMMU it "
		 "cannot have the guest's memory"},
		{0, BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK),
		 "does not say what it has forgotten (REPLY_ACK, BACKEND_REQ), "
		 "so behind the IOMMU it cannot have the guest's memory"},
		{0, BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ),
		 "does not say what it has forgotten (REPLY_ACK, BACKEND_REQ), "
		 "so behind the IOMMU it cannot have the guest's memory"},
		{BIT_ULL(NET_F_MRG_RXBUF), 0, "lacks the features 0x8000"},
	};
	char text[256];

	b.features &= ~cases[_i].features;
	b.protocol &= ~cases[_i].protocol;
	ck_assert_int_eq(make(BEHIND), -ENOTSUP);
	snprintf(text, sizeof(text), "network: the server at '%s' %s", path,
		 cases[_i].what);
	ck_assert_str_eq(err.msg, text);
}
END_TEST

START_TEST(without_an_iommu_a_server_need_not_translate)
{
	b.features &= ~BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	b.protocol = 0;
	up(PLAIN);
	send_and_finish(PLAIN);
}
END_TEST

START_TEST(a_server_that_does_not_forget_is_cut_off)
{
	config.patience_ms = 50;
	up(BEHIND);
	ask_for(page_of(TX));
	set_mute(true);
	fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	check_lost("does not forget translations");
	/* Nobody waits for it again. */
	fake_dma_unmap(&f.view, page_of(RX), FAKE_DMA_PAGE);
	fix_start(&f, DRIVER);
}
END_TEST

START_TEST(a_server_that_refuses_to_forget_is_cut_off)
{
	up(BEHIND);
	ask_for(page_of(TX));
	pthread_mutex_lock(&b.lock);
	b.refuse = VHU_IOTLB_MSG;
	pthread_mutex_unlock(&b.lock);
	fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	check_lost("does not forget translations");
}
END_TEST

START_TEST(a_server_that_keeps_a_ring_is_cut_off_and_a_reset_goes_on)
{
	config.patience_ms = 50;
	b.prank.request = VHU_GET_VRING_BASE;
	b.prank.silent = true;
	up(_i);
	fix_lock(&f);
	virtio_reset(f.d);
	ck_assert_uint_eq(f.d->status, 0);
	fix_unlock(&f);
	check_lost("does not give its rings back");
	fix_start(&f, DRIVER);
}
END_TEST

static void reset_queue(unsigned qi)
{
	fix_lock(&f);
	virtio_queue_reset(f.d, &f.d->vqs[qi]);
	fix_unlock(&f);
}

START_TEST(a_ring_has_all_of_its_time_when_another_has_used_up_its_own)
{
	const struct {
		struct vhu_header_wire h;
		struct vhu_vring_state_wire base;
	} m = {{VHU_GET_VRING_BASE, VHU_VERSION | VHU_REPLY, 8}, {RX, 0}};

	config.patience_ms = 1000;
	b.prank.request = VHU_GET_VRING_BASE;
	b.prank.silent = true;
	up(_i);
	reset_queue(RX);
	usleep(700000);
	reset_queue(TX);
	ck_assert_int_eq(send(b.fd, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
	usleep(500000);
	ck_assert(!has_gone_down());
	check_lost("does not give its rings back");
}
END_TEST

START_TEST(a_wrong_reply_is_the_end_of_a_server)
{
	const struct vhu_vring_state_wire other = {7, 0};
	const struct vhu_header_wire h = {
		VHU_GET_VRING_BASE, VHU_VERSION | VHU_REPLY, sizeof(other)};

	b.prank.request = VHU_GET_VRING_BASE;
	memcpy(b.prank.bytes, &h, sizeof(h));
	memcpy(b.prank.bytes + sizeof(h), &other, sizeof(other));
	b.prank.len = sizeof(h) + sizeof(other);
	up(_i);
	pause_device(true);
	pause_device(false);
	check_lost("sent a reply to GET_VRING_BASE that is none");
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_is_the_end_of_a_server)
{
	up(_i);
	say_forgotten();
	check_lost("spoke out of turn");
}
END_TEST

START_TEST(nonsense_on_its_own_channel_is_the_end_of_a_server)
{
	const struct vhu_header_wire h = {VHU_BACKEND_IOTLB_MSG, VHU_VERSION,
					  1u << 30};

	up(BEHIND);
	ck_assert_uint_eq(fb_change_config(&b), EINVAL);
	ck_assert_int_eq(send(b.channel, &h, sizeof(h), MSG_NOSIGNAL),
			 sizeof(h));
	check_lost("sent a message that is none");
}
END_TEST

START_TEST(a_server_that_makes_its_kick_block_holds_nobody_up)
{
	int fd;

	up(_i);
	fd = b.rings[TX].kick_fd;
	(void)eventfd_clear(fd);
	ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 1), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	pause_device(true);
	pause_device(false);
	fb_wait_begun(&b, TX, 2);
}
END_TEST

START_TEST(a_server_that_closes_its_own_channel_is_gone)
{
	up(BEHIND);
	ck_assert_int_eq(shutdown(b.channel, SHUT_RDWR), 0);
	check_lost("hung up");
}
END_TEST

START_TEST(a_server_that_asks_for_what_no_driver_has_given_is_cut_off)
{
	up(BEHIND);
	for (unsigned i = 0; !has_gone_down() && i < 100000; i++) {
		struct vhu_iotlb_wire w = {
			.iova = FIX_NOWHERE + i * FAKE_DMA_PAGE,
			.access = DMA_READ,
			.type = VHU_IOTLB_MISS,
		};
		struct {
			struct vhu_header_wire h;
			uint8_t body[sizeof(w)];
		} m = {.h = {VHU_BACKEND_IOTLB_MSG, VHU_VERSION, sizeof(w)}};

		memcpy(m.body, &w, sizeof(w));
		(void)send(b.channel, &m, sizeof(m), MSG_NOSIGNAL);
	}
	check_lost("asks for memory that is not mapped");
	ck_assert_uint_eq(fake_dma_faults(&f.view), 0);
}
END_TEST

START_TEST(a_server_that_does_not_read_is_cut_off)
{
	unsigned asked = 0;

	up(BEHIND);
	wanted = page_of(TX);
	/* It stands still at the first answer. */
	pthread_mutex_lock(&b.lock);
	while (!has_gone_down() && asked++ < 100000)
		fb_miss(&b, wanted, DMA_READ);
	pthread_mutex_unlock(&b.lock);
	check_lost("does not read what it is told");
}
END_TEST

START_TEST(a_server_that_dies_takes_the_link_along_and_the_guest_goes_on)
{
	uint32_t head, len;

	up(_i);
	send_and_finish(_i);
	(void)put_frame(); /* is lost */
	fb_stop(&b);
	check_lost("hung up");
	fix_wait(&f, TX, &head, &len);
	(void)put_frame(); /* this, too */
	fix_wait(&f, TX, &head, &len);
	fix_start(&f, DRIVER);
	(void)put_frame();
	fix_wait(&f, TX, &head, &len);
}
END_TEST

/*
 * Servers that need a moment to be done.
 */

static _Atomic bool was_reset;

static void *reset(void *arg)
{
	(void)arg;
	fix_lock(&f);
	virtio_reset(f.d);
	fix_unlock(&f);
	atomic_store(&was_reset, true);
	return NULL;
}

static void check_is_done(void)
{
	pthread_mutex_lock(&b.lock);
	ck_assert(!b.rings[RX].enabled && !b.rings[TX].enabled);
	ck_assert_uint_eq(b.nentries, 0);
	pthread_mutex_unlock(&b.lock);
}

static void check_has_it_all(void)
{
	pthread_mutex_lock(&b.lock);
	ck_assert(b.rings[RX].enabled && b.rings[TX].enabled);
	pthread_mutex_unlock(&b.lock);
}

/* A reset, and behind an IOMMU an UNMAP, after the link has gone down. */
static void check_waits_for_the_last_word(int ways)
{
	pthread_t resetter, unmapper;

	atomic_store(&unmapped, false);
	atomic_store(&was_reset, false);
	if (ways & FIX_SCATTERED)
		ck_assert_int_eq(pthread_create(&unmapper, NULL, unmap, NULL),
				 0);
	ck_assert_int_eq(pthread_create(&resetter, NULL, reset, NULL), 0);
	usleep(100000);
	ck_assert(!atomic_load(&unmapped) && !atomic_load(&was_reset));
	check_has_it_all();
	fb_linger(&b, false);
	if (ways & FIX_SCATTERED)
		ck_assert_int_eq(pthread_join(unmapper, NULL), 0);
	ck_assert_int_eq(pthread_join(resetter, NULL), 0);
	check_is_done();
	fix_start(&f, DRIVER);
}

START_TEST(what_a_server_has_that_was_cut_off_is_its_own_until_it_is_done)
{
	up(_i);
	wanted = page_of(TX);
	if (_i & FIX_SCATTERED)
		ask_for(wanted);
	fb_linger(&b, true);
	say_forgotten();
	check_lost("spoke out of turn");
	fb_wait_dying(&b);
	check_waits_for_the_last_word(_i);
}
END_TEST

START_TEST(what_a_server_has_that_hangs_up_is_its_own_until_it_is_done)
{
	up(BEHIND);
	ask_for(page_of(TX));
	fb_linger(&b, true);
	ck_assert_int_eq(shutdown(b.fd, SHUT_RDWR), 0);
	check_lost("hung up");
	fb_wait_dying(&b);
	check_waits_for_the_last_word(BEHIND);
}
END_TEST

START_TEST(an_unmap_that_waits_for_a_server_waits_for_its_end)
{
	pthread_t thread;

	up(BEHIND);
	begin_unmap(&thread);
	fb_wait_invalidations(&b, 2);
	fb_linger(&b, true);
	ck_assert_int_eq(shutdown(b.fd, SHUT_RDWR), 0);
	check_lost("hung up");
	usleep(50000);
	ck_assert(!atomic_load(&unmapped));
	check_has_it_all();
	fb_linger(&b, false);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	check_is_done();
}
END_TEST

/* Nor does the device write a ring that is not its own yet. */
START_TEST(a_ring_is_the_devices_when_the_server_is_done)
{
	uint32_t head, len;

	up(_i);
	(void)put_frame();
	fb_linger(&b, true);
	say_forgotten();
	check_lost("spoke out of turn");
	(void)put_frame();
	fix_lock(&f);
	f.d->ops->kick(f.d, TX);
	fix_unlock(&f);
	usleep(50000);
	ck_assert(!vqd_get_used(&f.drv[TX], &head, &len));
	fb_linger(&b, false);
	fix_wait(&f, TX, &head, &len);
	(void)put_frame();
	fix_wait(&f, TX, &head, &len);
}
END_TEST

START_TEST(a_queue_that_is_reset_alone_waits_until_the_server_is_done)
{
	up(_i);
	fb_linger(&b, true);
	say_forgotten();
	check_lost("spoke out of turn");
	reset_queue(TX);
	usleep(50000);
	fix_lock(&f);
	ck_assert(f.d->vqs[TX].resetting);
	fix_unlock(&f);
	fb_linger(&b, false);
	fix_until(&f, is_reset, NULL);
	check_is_done();
}
END_TEST

/* It could not be done while it waits for us to read. */
START_TEST(a_server_that_was_cut_off_can_say_what_it_was_about_to_say)
{
	up(BEHIND);
	fb_linger(&b, true);
	say_forgotten();
	check_lost("spoke out of turn");
	for (unsigned i = 0; i < 4096; i++)
		fb_miss(&b, FIX_NOWHERE, DMA_READ);
	check_waits_for_the_last_word(PLAIN);
}
END_TEST

START_TEST(a_server_that_is_never_done_counts_as_gone_in_time)
{
	config.patience_ms = 100;
	up(_i);
	wanted = page_of(TX);
	if (_i & FIX_SCATTERED)
		ask_for(wanted);
	fb_linger(&b, true);
	say_forgotten();
	check_lost("spoke out of turn");
	if (_i & FIX_SCATTERED)
		fake_dma_unmap(&f.view, wanted, FAKE_DMA_PAGE);
	reset(NULL);
	check_has_it_all();
	fix_start(&f, DRIVER);
}
END_TEST

START_TEST(a_server_that_dies_during_a_pause_leaves_the_queues_to_the_device)
{
	uint32_t head, len;

	up(_i);
	pause_device(true);
	fb_stop(&b);
	check_lost("hung up");
	pause_device(false);
	for (unsigned i = 0; i < 3; i++) {
		(void)put_frame();
		fix_wait(&f, TX, &head, &len);
	}
}
END_TEST

START_TEST(a_used_index_that_jumped_breaks_the_ring_when_the_server_dies)
{
	up(_i);
	(void)put_frame();
	fb_set_used_idx(&b, TX, 0x7fff);
	fb_stop(&b);
	fix_until(&f, is_down, NULL);
	fix_until(&f, is_broken, NULL);
	fix_start(&f, DRIVER);
	ck_assert(!fix_is_broken(&f));
}
END_TEST

/* The server's word is the only one about where it has stopped. */
START_TEST(a_used_ring_that_is_unmapped_breaks_the_card_when_the_server_dies)
{
	up(BEHIND);
	fake_dma_unmap(&f.view, f.drv[TX].used, FAKE_DMA_PAGE);
	fb_stop(&b);
	fix_until(&f, is_down, NULL);
	fix_until(&f, is_broken, NULL);
}
END_TEST

/* Sixteen of them, as a card with eight pairs may have. */
START_TEST(each_queue_may_stand_at_an_address_of_its_own_without_a_mapping)
{
	const unsigned last = 2 * NET_QUEUES_MAX - 1;

	up(BEHIND);
	while (!fix_is_broken(&f)) {
		for (unsigned i = 0; i < last; i++)
			fb_miss(&b, FIX_NOWHERE + i * FAKE_DMA_PAGE, DMA_READ);
		(void)fb_miss_acked(&b, FIX_NOWHERE + last * FAKE_DMA_PAGE,
				    DMA_READ);
		ck_assert(!has_gone_down());
	}
	ck_assert_uint_ge(fake_dma_faults(&f.view), 1);
}
END_TEST

static uint64_t misses;

static bool is_missed(void *arg)
{
	const struct net *n = container_of(f.d, struct net, dev);

	(void)arg;
	return n->vhost->groups[0].iotlb.misses == misses;
}

/* Its rings are ending all the time: no look has begun. */
START_TEST(a_server_that_takes_its_time_is_asked_to_look_again_once)
{
	b.prank.request = VHU_GET_VRING_BASE;
	b.prank.silent = true;
	up(BEHIND);
	for (misses = 1; misses < 100; misses++) {
		fb_miss(&b, FIX_NOWHERE + misses * FAKE_DMA_PAGE, DMA_READ);
		fix_until(&f, is_missed, NULL);
	}
	ck_assert(!has_gone_down());
	/* A reset would wait for it. */
	fb_stop(&b);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("devices/net_memory");
	TCase *t = tcase_create("frames");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t,
			    a_server_reads_a_frame_where_the_guest_has_put_it,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(t, a_server_writes_a_frame_where_the_guest_wants_it,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(t, features_are_those_that_driver_and_server_have,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t, a_pause_takes_the_rings_back_and_they_go_on_where_they_were,
		PLAIN, BEHIND + 1);
	tcase_add_loop_test(t, a_reset_takes_the_rings_back_and_they_begin_anew,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t, a_queue_that_is_reset_alone_comes_back_from_the_server_first,
		PLAIN, BEHIND + 1);
	suite_add_tcase(s, t);

	t = tcase_create("translations");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_ring_is_translated_before_it_begins);
	tcase_add_test(t, a_miss_has_its_answer_and_its_word);
	tcase_add_test(t, the_word_for_a_miss_comes_after_its_answer);
	tcase_add_test(t, the_word_for_a_miss_without_an_answer_is_an_error);
	tcase_add_test(
		t,
		who_asks_to_read_what_it_may_write_gets_both_and_never_to_write);
	tcase_add_test(t, a_used_ring_that_may_only_be_written_is_served);
	tcase_add_test(t, an_unmap_waits_until_the_server_has_forgotten);
	tcase_add_test(
		t, what_is_unmapped_while_no_ring_is_served_is_forgotten_too);
	tcase_add_test(t, many_ranges_and_the_whole_space_can_be_forgotten);
	tcase_add_test(t, what_begins_behind_an_unmapped_page_is_given_again);
	tcase_add_test(
		t, it_is_looked_at_twice_when_one_queue_alone_is_served_too);
	tcase_add_test(t, an_address_without_a_mapping_is_looked_at_twice);
	tcase_add_test(
		t,
		each_queue_may_stand_at_an_address_of_its_own_without_a_mapping);
	tcase_add_test(
		t, a_server_that_takes_its_time_is_asked_to_look_again_once);
	suite_add_tcase(s, t);

	t = tcase_create("servers");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_server_is_asked_for_what_it_takes, 0, 4);
	tcase_add_test(t, without_an_iommu_a_server_need_not_translate);
	tcase_add_test(t, a_server_that_does_not_forget_is_cut_off);
	tcase_add_test(t, a_server_that_refuses_to_forget_is_cut_off);
	tcase_add_loop_test(
		t, a_server_that_keeps_a_ring_is_cut_off_and_a_reset_goes_on,
		PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t, a_ring_has_all_of_its_time_when_another_has_used_up_its_own,
		PLAIN, BEHIND + 1);
	tcase_add_loop_test(t, a_wrong_reply_is_the_end_of_a_server, PLAIN,
			    BEHIND + 1);
	tcase_add_loop_test(
		t, an_answer_that_nobody_asked_for_is_the_end_of_a_server,
		PLAIN, BEHIND + 1);
	tcase_add_test(t, nonsense_on_its_own_channel_is_the_end_of_a_server);
	tcase_add_test(t, a_server_that_closes_its_own_channel_is_gone);
	tcase_add_loop_test(t,
			    a_server_that_makes_its_kick_block_holds_nobody_up,
			    PLAIN, BEHIND + 1);
	tcase_add_test(
		t, a_server_that_asks_for_what_no_driver_has_given_is_cut_off);
	tcase_add_test(t, a_server_that_does_not_read_is_cut_off);
	tcase_add_loop_test(
		t,
		a_server_that_dies_takes_the_link_along_and_the_guest_goes_on,
		PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t,
		a_server_that_dies_during_a_pause_leaves_the_queues_to_the_device,
		PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t,
		what_a_server_has_that_was_cut_off_is_its_own_until_it_is_done,
		PLAIN, BEHIND + 1);
	tcase_add_test(
		t, what_a_server_has_that_hangs_up_is_its_own_until_it_is_done);
	tcase_add_test(t, an_unmap_that_waits_for_a_server_waits_for_its_end);
	tcase_add_loop_test(t, a_ring_is_the_devices_when_the_server_is_done,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t, a_queue_that_is_reset_alone_waits_until_the_server_is_done,
		PLAIN, BEHIND + 1);
	tcase_add_test(
		t, a_server_that_was_cut_off_can_say_what_it_was_about_to_say);
	tcase_add_loop_test(t,
			    a_server_that_is_never_done_counts_as_gone_in_time,
			    PLAIN, BEHIND + 1);
	tcase_add_loop_test(
		t,
		a_used_index_that_jumped_breaks_the_ring_when_the_server_dies,
		PLAIN, BEHIND + 1);
	tcase_add_test(
		t,
		a_used_ring_that_is_unmapped_breaks_the_card_when_the_server_dies);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
