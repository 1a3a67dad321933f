/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/balloon.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/gmem.h"
#include "devices/balloon_wire.h"

#define QUEUE_SIZE 128

/*
 * Free page hints are not offered, so their queue does not exist.  Where the
 * one for reports is then, drivers do not agree on: its number is the fifth in
 * the text, and Linux leaves out numbers of queues that it does not use.  So
 * there are as many as the text has, and whatever is not another queue is that.
 */
#define QUEUES 5

/* Page numbers of one request; Linux sends 256. */
#define PAGES_MAX 4096u
/* Ranges that reporting gives back have at least this. */
#define CHUNK 256u

/* Numbers of one buffer, those included that are not known here: newer drivers
 * have more of them. */
#define STATS_MAX 64

struct balloon {
	struct virtio_dev dev;
	struct gmem *mem;
	struct vq_chain *asked; /* for statistics, when we want new ones */
	uint64_t stats[BALLOON_S_NR];
	uint64_t inflated, reported; /* bytes, counted */
};

/* Neighbours on their way back to the host together. */
struct run {
	uint64_t first, end; /* page numbers; equal: empty */
};

static struct balloon *to_balloon(struct virtio_dev *d)
{
	return container_of(d, struct balloon, dev);
}

static struct balloon_config_wire *config_of(struct balloon *b)
{
	return (struct balloon_config_wire *)(void *)b->dev.config;
}

/* Return: bytes that have gone back. */
static uint64_t give_back(struct balloon *b, uint64_t at, uint64_t len)
{
	int r = gmem_discard_range(b->mem, at, len);

	if (r == -EFAULT)
		guest_warn(&b->dev.log, "no memory at %#" PRIx64, at);
	return r < 0 ? 0 : len;
}

/*
 * Inflate.
 */

static void end_run(struct balloon *b, struct run *run)
{
	if (run->first != run->end)
		b->inflated +=
			give_back(b, run->first * BALLOON_PAGE,
				  (run->end - run->first) * BALLOON_PAGE);
	run->first = run->end = 0;
}

/* Linux' pages are neighbours as often as not, going up or down. */
static void add_page(struct balloon *b, struct run *run, uint64_t page)
{
	if (run->first == run->end) {
		*run = (struct run){page, page + 1};
	} else if (page == run->end) {
		run->end++;
	} else if (page + 1 == run->first) {
		run->first--;
	} else {
		end_run(b, run);
		*run = (struct run){page, page + 1};
	}
}

static void inflate(struct balloon *b, struct vq_chain *c)
{
	unsigned left =
		(unsigned)min_u64(c->in.left / sizeof(le32_t), PAGES_MAX);
	struct run run = {0};
	le32_t pages[CHUNK];

	if (c->in.left / sizeof(le32_t) > PAGES_MAX)
		guest_warn(&b->dev.log, "more than %u pages at once",
			   PAGES_MAX);
	while (left > 0) {
		const unsigned n = (unsigned)min_u64(left, CHUNK);

		if (vq_read(c, pages, n * sizeof(pages[0])) < 0)
			break;
		for (unsigned i = 0; i < n; i++)
			add_page(b, &run, le32_get(pages[i]));
		left -= n;
	}
	end_run(b, &run);
}

/*
 * Reports of free pages: the buffers are the pages.
 */

static void take_report(struct balloon *b, const struct vq_chain *c)
{
	for (unsigned i = c->nreadable; i < c->nsegs; i++) {
		const uint64_t at = align_up(c->segs[i].at, BALLOON_PAGE);
		const uint64_t end = align_down(c->segs[i].at + c->segs[i].len,
						BALLOON_PAGE);

		if (at >= c->segs[i].at && at < end)
			b->reported += give_back(b, at, end - at);
	}
}

/*
 * Statistics.  The driver leaves a buffer with the newest ones, and gets it
 * back when others are wanted.
 */

static void read_stats(struct balloon *b, struct vq_chain *c)
{
	struct balloon_stat_wire w;

	for (unsigned i = 0; i < STATS_MAX; i++) {
		if (vq_read_obj(c, &w) < 0)
			break;
		if (le16_get(w.tag) < BALLOON_S_NR)
			b->stats[le16_get(w.tag)] = le64_load(w.val);
	}
}

static void ask_for_stats(struct balloon *b)
{
	struct vq *q = &b->dev.vqs[BALLOON_QUEUE_STATS];
	struct vq_chain *c = b->asked;

	b->asked = NULL;
	if (!c)
		return;
	vq_push(q, c);
	vq_signal(q);
}

static void take_stats(struct balloon *b, struct vq_chain *c)
{
	ask_for_stats(b); /* a driver leaves one, not several */
	read_stats(b, c);
	b->asked = c;
}

static unsigned balloon_stats(struct virtio_dev *d, struct virtio_stat *stats)
{
	struct balloon *b = to_balloon(d);
	const struct balloon_config_wire *w = config_of(b);
	const struct virtio_stat s[] = {
		{"target_bytes",
		 (uint64_t)le32_get(w->num_pages) * BALLOON_PAGE},
		{"actual_bytes", (uint64_t)le32_get(w->actual) * BALLOON_PAGE},
		{"inflated_bytes", b->inflated},
		{"reported_bytes", b->reported},
		{"guest_total_bytes", b->stats[BALLOON_S_MEMTOT]},
		{"guest_free_bytes", b->stats[BALLOON_S_MEMFREE]},
		{"guest_available_bytes", b->stats[BALLOON_S_AVAIL]},
		{"guest_major_faults", b->stats[BALLOON_S_MAJFLT]},
	};

	static_assert(ARRAY_SIZE(s) <= VIRTIO_STATS_MAX, "");
	memcpy(stats, s, sizeof(s));
	ask_for_stats(b); /* for next time */
	return ARRAY_SIZE(s);
}

/*
 * The device's face.
 */

int balloon_set(struct virtio_dev *d, uint64_t bytes)
{
	struct balloon *b = to_balloon(d);
	const uint64_t pages = bytes / BALLOON_PAGE;

	if (bytes > gmem_size(b->mem) || pages > UINT32_MAX)
		return -ERANGE;
	pthread_mutex_lock(&d->lock);
	config_of(b)->num_pages = le32_put((uint32_t)pages);
	virtio_config_changed(d);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

static void serve(struct balloon *b, unsigned qi, struct vq_chain *c)
{
	struct vq *q = &b->dev.vqs[qi];

	if (qi == BALLOON_QUEUE_STATS &&
	    virtio_has(&b->dev, BALLOON_F_STATS_VQ)) {
		take_stats(b, c);
		return;
	}
	if (qi == BALLOON_QUEUE_INFLATE)
		inflate(b, c);
	else if (qi != BALLOON_QUEUE_DEFLATE &&
		 virtio_has(&b->dev, BALLOON_F_REPORTING))
		take_report(b, c);
	vq_push(q, c);
}

static void balloon_kick(struct virtio_dev *d, unsigned qi)
{
	struct vq_chain *c;

	while (vq_pop(&d->vqs[qi], &c) == 1)
		serve(to_balloon(d), qi, c);
	vq_signal(&d->vqs[qi]);
}

static int balloon_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

static void balloon_queue_stop(struct virtio_dev *d, unsigned qi)
{
	struct balloon *b = to_balloon(d);
	struct vq_chain *c = b->asked;

	if (qi != BALLOON_QUEUE_STATS)
		return;
	b->asked = NULL;
	if (c)
		vq_drop(&d->vqs[qi], c);
}

/* The target stays: it is the host's wish, also for the next kernel. */
static void balloon_stop(struct virtio_dev *d)
{
	struct balloon *b = to_balloon(d);

	balloon_queue_stop(d, BALLOON_QUEUE_STATS);
	config_of(b)->actual = le32_put(0);
	virtio_config_renewed(d);
	memset(b->stats, 0, sizeof(b->stats));
}

static void balloon_free(struct virtio_dev *d)
{
	virtio_dev_fini(d);
	free(to_balloon(d));
}

static const struct virtio_dev_ops balloon_ops = {
	.id = VIRTIO_ID_BALLOON,
	.name = "virtio-balloon",
	.start = balloon_start,
	.stop = balloon_stop,
	.kick = balloon_kick,
	.queue_stop = balloon_queue_stop,
	.stats = balloon_stats,
	.free = balloon_free,
};

int balloon_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		struct gmem *mem, struct err *err)
{
	static const uint16_t sizes[QUEUES] = {QUEUE_SIZE, QUEUE_SIZE, 8,
					       QUEUE_SIZE, QUEUE_SIZE};
	const uint64_t features = BIT_ULL(BALLOON_F_STATS_VQ) |
				  BIT_ULL(BALLOON_F_DEFLATE_ON_OOM) |
				  BIT_ULL(BALLOON_F_REPORTING);
	struct balloon *b = calloc(1, sizeof(*b));
	int r;

	assert(!env->access_platform);
	if (!b)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	b->mem = mem;
	r = virtio_dev_init(&b->dev, &balloon_ops, env, features, sizes, QUEUES,
			    sizeof(struct balloon_config_wire), err);
	if (r < 0) {
		free(b);
		return r;
	}
	memset(b->dev.config_wmask +
		       offsetof(struct balloon_config_wire, actual),
	       0xff, sizeof(le32_t));
	*ret_d = &b->dev;
	return 0;
}
