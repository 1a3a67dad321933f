/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * queue.h - split virtqueue, device side.   [virtio 1.2, 2.7]
 *
 * A queue turns guest rings into chains that have already been copied and
 * checked: head in range and not in flight, every descriptor read once,
 * readable before writable, indirect rules, no more descriptors than the
 * largest queue has, lengths that sum below 2^32.  It holds no pointers into guest
 * memory; every access goes through the device's DMA view, so a ring may be
 * scattered and may lose its mapping at any moment.
 *
 * next_avail, next_used and signalled live here; the guest-visible copies
 * are write-only for us.
 *
 * Threads: everything under q->lock, which is the device's lock or one of the
 * queue's own (virtio/device.h).
 * Lifetime: embedded in struct virtio_dev's array; runs from vq_start() to
 * vq_stop().
 */
#ifndef MOAT_VIRTIO_QUEUE_H
#define MOAT_VIRTIO_QUEUE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/cpu.h"
#include "core/dma.h"
#include "core/list.h"
#include "core/loop.h"
#include "virtio/wire.h"

struct virtio_dev;
struct vq;

#define VQ_SIZE_MAX 1024

struct vq_seg {
	iova_t at;
	uint32_t len;
};

/* A place in one half of a chain. */
struct vq_cursor {
	unsigned seg, end; /* index into segs; end is one past */
	uint32_t off;	   /* into segs[seg] */
	uint64_t left;	   /* bytes from here to the end of the half */
};

/*
 * One request.  From vq_pop() until vq_push() or vq_drop() the device may
 * keep it, across loop iterations.  Comes from a pool of the queue.
 *
 * A chain that outlives its queue's run (vq_stop() came first) is stale: it
 * reaches no memory any more and vq_push() only puts it back into the pool.
 */
struct vq_chain {
	struct vq *vq;
	struct list node; /* the device's to use while it has the chain */
	uint16_t head;
	unsigned nsegs, nreadable; /* segs[0, nreadable) are device-readable */
	struct vq_cursor in;	   /* device-readable half */
	struct vq_cursor out;	   /* device-writable half */
	/*
	 * Bytes written from the start of the writable half without a gap;
	 * what vq_push() reports.  vq_write(), vq_write_zero() and
	 * vq_iov_write() count up; a device whose bulk read came out short, or
	 * that has skipped and come back, sets it.
	 */
	uint64_t written;
	/* The queue's. */
	uint64_t readable, writable; /* lengths of the halves */
	uint64_t tail;		     /* of it, written by vq_write_tail() */
	uint32_t epoch;		     /* the run of the queue it was popped in */
	unsigned nholds, holds_cap;
	struct dma_hold *holds; /* of vq_iov_*(); ended by push and drop */
	struct vq_seg *segs;
	unsigned segs_cap;
	struct vq_chain *next_made; /* every chain of the queue, for vq_fini */
};

/* So much of a ring goes to or from memory at once. */
#define VQ_BATCH 16

/* Of the available ring, from next_avail on: what one kick has read ahead. */
struct vq_ahead {
	unsigned at, n;	 /* heads[at, n) are left */
	unsigned ndescs; /* of descs[], from the first one on */
	uint16_t heads[VQ_BATCH];
	struct vq_desc_wire descs[VQ_BATCH]; /* that chains begin with */
};

/* What a queue has done since its device was made. */
struct vq_stats {
	uint64_t requests;  /* chains that came back used */
	uint64_t bytes_in;  /* written into the guest's memory */
	uint64_t bytes_out; /* read from it */
	uint64_t errors;    /* of requests; the device counts */
	uint64_t kicks, interrupts;
	uint64_t full;	    /* kicks that found the ring full */
	uint64_t throttled; /* times a limit held back; the device counts */
};

struct vq {
	/* Apart from its neighbour, which another thread may serve. */
	alignas(CPU_LINE) struct virtio_dev *dev;
	unsigned index;
	uint16_t size_max;     /* what the device offers */
	struct loop *loop;     /* serves it; may be NULL */
	struct dma *dma;       /* its view of memory */
	pthread_mutex_t *lock; /* the device's, or @own_lock */
	pthread_mutex_t own_lock;
	/* Served on the vCPU: no doorbell, not watched.  The device sets it
	 * right after virtio_dev_init(). */
	bool inline_kick;

	/* Registers; the driver's until enabled. */
	uint16_t size;
	bool enabled;
	bool resetting; /* queue_reset reads 1 */
	bool renewed;	/* came back from its own reset: writable again */
	iova_t desc, avail, used;

	/* The device's. */
	bool running;
	bool broken;		  /* until the device is reset */
	bool indirect, event_idx; /* negotiated */
	bool kicks_are_off;	  /* vq_kicks_off() */
	uint32_t epoch;		  /* counts runs */
	uint16_t next_avail, next_used;
	uint16_t avail_idx; /* the driver's, as last read and checked */
	uint16_t armed;	    /* avail_event as last written */
	bool armed_valid;
	uint16_t signalled;    /* next_used at the last vq_signal() */
	unsigned unsignalled;  /* pushes since then */
	unsigned budget;       /* pops left in this kick */
	uint8_t *busy;	       /* a byte for each head: not the driver's */
	struct list pool;      /* chains that are free */
	struct list deferred;  /* pushed while the device is paused */
	struct vq_chain *made; /* all there are */
	unsigned inflight;     /* chains the device has */
	unsigned flight;       /* I/O that the host's kernel has */
	pthread_cond_t idle;   /* it became 0, or a pause ended */
	struct vq_ahead ahead;
	/* Pushed, and not in the used ring yet. */
	unsigned nstaged;
	struct vq_used_elem_wire staged[VQ_BATCH];
	bool hidden; /* some are in the ring, but not under its index yet */
	struct vq_stats stats;
	int kick_fd; /* eventfd; signalled by the doorbell */
	struct loop_watch kick_watch;
};

/*
 * vq_pop - take the next available chain.
 * @ret_c: set on success; give it back with vq_push() or vq_drop()
 *
 * When it finds the ring empty it has asked for a kick at the next buffer
 * (unless kicks are off), so a loop of pops is a whole kick handler.  A kick
 * from the loop pops at most as many chains as the queue has entries; then
 * it gets 0 here and another kick in the loop's next round, so that a guest
 * that never stops adding does not keep the loop for itself.
 *
 * Return: 1 with a chain; 0 if there is none now, or the device does not run;
 * -EPROTO if the guest broke the ring format, -EFAULT if the ring is outside
 * the device's memory, -ENOMEM; in all three cases the device is marked broken:
 * at once, or, by a queue that has a lock of its own, soon, and the queue at
 * once.  Whether the buffers are reachable shows when they are accessed.
 */
int vq_pop(struct vq *q, struct vq_chain **ret_c);

/*
 * vq_push - put the chain into the used ring.
 *
 * used.len is c->written, or the whole writable half if the tail closes the
 * gap to its end: never a byte that was not written.   [virtio 1.2, 2.7.8.2]
 * Ends its holds first.  Does not interrupt: vq_signal() does, once a batch.
 * Of a stale chain, or when the device does not run, it is vq_drop().
 */
void vq_push(struct vq *q, struct vq_chain *c);

/*
 * vq_push_more - vq_push() of one of many: the driver sees it together with the
 * others, by the next vq_push() or vq_signal() and not before.  One of the two
 * comes before the lock is left.
 */
void vq_push_more(struct vq *q, struct vq_chain *c);

/*
 * vq_drop - give the chain back to the pool without using it (reset).  Its
 * head stays taken until the queue is reset.
 */
void vq_drop(struct vq *q, struct vq_chain *c);

/* Interrupt the driver if it wants it for what was pushed since last time. */
void vq_signal(struct vq *q);

/*
 * Ask the driver for no kicks / for kicks again; optional, saves kicks while
 * the device is at it anyway.  After vq_kicks_on() look at the ring once more
 * if it returns true: buffers came in between.
 */
void vq_kicks_off(struct vq *q);
bool vq_kicks_on(struct vq *q);

/*
 * With the event index a driver that has been asked for a kick at the next
 * buffer gives it, although kicks are off since.  Take that back: for who looks
 * at the ring by himself.  Kicks are off.
 */
void vq_disarm(struct vq *q);

/* What it takes to look for new buffers without the lock. */
struct vq_peek {
	struct dma *dma;
	iova_t at;
	uint16_t next;
};

/*
 * vq_peek_begin - ready to look for what comes behind the last buffer popped.
 * Return: false if nothing can be popped now, whatever comes.
 */
bool vq_peek_begin(const struct vq *q, struct vq_peek *ret_p);
/*
 * vq_peek - are there (perhaps) new buffers?  vq_pop() knows.  True also if
 * the ring cannot be read.
 *
 * Threads: any, without the lock, if the queue's view is the identity.  The
 * device is not reset meanwhile: have something in flight.
 */
bool vq_peek(const struct vq_peek *p);

/* Have ops->kick() called from the loop; does nothing without a loop. */
void vq_kick_later(struct vq *q);

/* As virtio_inflight_begin() and virtio_inflight_end(), of this queue: for who
 * holds q->lock. */
void vq_flight_begin(struct vq *q);
void vq_flight_end(struct vq *q);

/*
 * Cursors.  Copies move through the half and cross segments; c->in.left and
 * c->out.left say how much there is.
 *
 * Return: 0; -ENODATA if fewer than @len bytes are left; -EFAULT if memory is
 * not reachable.  After a failure the cursor is where it was.
 */
int vq_read(struct vq_chain *c, void *dst, size_t len);
int vq_write(struct vq_chain *c, const void *src, size_t len);
#define vq_read_obj(c, obj)  vq_read(c, obj, sizeof(*(obj)))
#define vq_write_obj(c, obj) vq_write(c, obj, sizeof(*(obj)))

/* Move on by @len bytes without an access.  Return: 0, -ENODATA. */
int vq_skip_read(struct vq_chain *c, uint64_t len);
int vq_skip_write(struct vq_chain *c, uint64_t len);

/* Write at the last @len bytes of the writable half (a status or tail),
 * leaving the cursor; takes them off what is left. */
int vq_write_tail(struct vq_chain *c, const void *src, size_t len);
/* Clear the next @len bytes of the writable half, or all if there are fewer. */
int vq_write_zero(struct vq_chain *c, uint64_t len);

/*
 * vq_iov_read, vq_iov_write - host memory behind the next @len bytes of a
 * half, for bulk I/O; the cursor moves past what the result covers.
 * @ret_len: bytes covered, less than @len when @max pieces are too few
 *
 * Holds are kept in the chain until vq_push(), vq_drop() or
 * vq_end_holds().
 *
 * Return: count of iovecs; -EFAULT; -ENODATA if the half is shorter; -ENOMEM.
 */
int vq_iov_read(struct vq_chain *c, uint64_t len, struct iovec *iov,
		unsigned max, uint64_t *ret_len);
int vq_iov_write(struct vq_chain *c, uint64_t len, struct iovec *iov,
		 unsigned max, uint64_t *ret_len);
void vq_end_holds(struct vq_chain *c);

/*
 * vq_unwatch - kicks, and the rings, are another's, who has the addresses and
 * the kick descriptor; the device counts that as something in flight.
 * vq_go_on - they are the device's again, who goes on at @next in both rings:
 * what was taken before has been used.   Return: 0, -errno.
 */
void vq_unwatch(struct vq *q);
int vq_go_on(struct vq *q, uint16_t next);

/*
 * vq_keep - somebody still has the rings: a reset of the queue alone is not done
 * before
 * vq_let_go.
 */
void vq_keep(struct vq *q);
void vq_let_go(struct vq *q);

/* For virtio/device.c. */
int vq_init(struct vq *q, struct virtio_dev *d, unsigned index,
	    uint16_t size_max);
void vq_fini(struct vq *q);
/* Return: 0; -EPROTO for a size or address the rules forbid. */
int vq_check(const struct vq *q);
/* Return: 0; as vq_check(); -errno if the kick descriptor is not watched. */
int vq_start(struct vq *q);
/* Chains the device still has are stale from now on. */
void vq_stop(struct vq *q);
/* Registers as after device reset.  Caller has stopped it. */
void vq_reset(struct vq *q);
/* queue_reset = 1; done, with q->renewed, when all chains are back. */
void vq_begin_reset(struct vq *q);
/* Call ops->kick() if the device and the queue run. */
void vq_dispatch(struct vq *q);
/* The device is paused no more: what waited goes into the ring. */
void vq_resume(struct vq *q);

#endif
