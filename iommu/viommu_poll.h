/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu_poll.h - a thread that looks at a ring, so that nobody needs to kick.
 *
 * After a request was served in an exit the thread is called.  It comes when
 * the host has a processor for it; until then, and if it never comes, kicks
 * are on and exits serve.  Then it owns the ring: kicks are off, and it serves
 * what it sees.  When nothing has come for a while it gives the ring back:
 * kicks go on, and only then it looks for the last time.
 *
 * A guest that does not kick waits for the thread.  So the thread looks at the
 * clock, too; when it finds that it has not been running it gives the ring
 * back at once and stays away for a while (backoff.h).  A ring that is not
 * used while it looks makes it come less often.
 *
 * iommu/model/poll.pml is the model of how the ring changes hands.
 *
 * Threads: all calls under d->lock but for init and fini, which are called
 * before the device runs and after.  While it owns the ring the device has
 * something in flight.
 */
#ifndef MOAT_IOMMU_VIOMMU_POLL_H
#define MOAT_IOMMU_VIOMMU_POLL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "iommu/backoff.h"

struct err;
struct virtio_dev;
struct vq;

struct viommu_poll_times {
	unsigned window_us; /* how long it looks in vain; 0: no polling */
	unsigned late_us;   /* between two looks: it was not running */
	unsigned call_us;   /* from a call to its coming: the host is busy */
};

/*
 * Longer than it takes to wake a thread, or it would be called and leave for
 * nothing; longer than an interrupt of the host takes; and longer than a
 * processor of a host at rest takes to come out of its deepest sleep.
 */
#define VIOMMU_POLL_TIMES                                         \
	(struct viommu_poll_times)                                \
	{                                                         \
		.window_us = 100, .late_us = 100, .call_us = 2000 \
	}

/*
 * viommu_poll_times - those above but for @window_us and @late_us, if not 0;
 * a host where longer gaps are nothing special is allowed as long to wake up.
 */
static inline struct viommu_poll_times viommu_poll_times(unsigned window_us,
							 unsigned late_us)
{
	struct viommu_poll_times t = VIOMMU_POLL_TIMES;

	if (window_us)
		t.window_us = window_us;
	if (late_us)
		t.late_us = late_us;
	if (t.call_us < t.late_us)
		t.call_us = t.late_us;
	return t;
}

struct viommu_poll_ops {
	/*
	 * Serve what is in the ring, all of it unless somebody has rung who
	 * goes on; d->lock is dropped meanwhile.  If viommu_poll_owns(), kicks
	 * are off afterwards; if not, they are on, or there is somebody else
	 * who serves and will see to it.
	 *
	 * Return: how many; -EAGAIN: somebody else has taken over.
	 */
	int (*serve)(struct virtio_dev *d);
	/* Is nothing to be served any more?  Threads: any, no lock. */
	bool (*ended)(struct virtio_dev *d);
};

enum viommu_poll_state {
	VIOMMU_POLL_AWAY,
	VIOMMU_POLL_CALLED, /* it is on its way */
	VIOMMU_POLL_OWNS,
};

struct viommu_poll_stats {
	uint64_t requests; /* served by the thread */
	uint64_t turns;	   /* times it owned the ring */
	uint64_t lates;	   /* times it had not been running */
	uint64_t ns;	   /* how long it has owned the ring */
};

struct viommu_poll {
	const struct viommu_poll_ops *ops;
	struct virtio_dev *d;
	struct vq *q;
	uint64_t window_ns, late_ns, call_ns;
	pthread_t thread;
	bool started; /* there is a thread */
	bool ending;
	pthread_cond_t call; /* state or ending has changed */
	enum viommu_poll_state state;
	_Atomic bool leave; /* to the thread while it looks without a lock */
	uint64_t called_ns;
	uint64_t looked_ns; /* its last look, or what it did since ended */
	uint64_t used_ns;   /* the last request */
	struct backoff backoff;
	unsigned vain, skip; /* exits to let pass, and how many still */
	struct viommu_poll_stats stats;
};

/*
 * viommu_poll_init - start the thread, if @times has a window at all.
 * @d, @q: borrowed
 *
 * Return: 0; -errno with a sentence, nothing is left then.
 */
int viommu_poll_init(struct viommu_poll *p, struct virtio_dev *d, struct vq *q,
		     const struct viommu_poll_ops *ops,
		     const struct viommu_poll_times *times, struct err *err);
/* Ends the thread; nobody else serves.  The second time and zeroed it does
 * nothing. */
void viommu_poll_fini(struct viommu_poll *p);

/* Requests have been served in an exit: more may come. */
void viommu_poll_call(struct viommu_poll *p);

static inline bool viommu_poll_owns(const struct viommu_poll *p)
{
	return p->state == VIOMMU_POLL_OWNS;
}

/* The device stops or pauses: give the ring back now.  It has done so when
 * what is in flight has ended. */
void viommu_poll_leave(struct viommu_poll *p);

#endif
