/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * device.h - a virtio device: status machine, features, configuration.
 *
 * Two tables of functions meet here.  The transport calls the device through
 * virtio_dev_ops; the device reaches its driver through
 * virtio_transport_ops.  Everything between (status, feature negotiation,
 * configuration space, queue registers, reset) is done once, in device.c, for
 * every transport.   [virtio 1.2, 2.1-2.6, 3.1]
 *
 * Threads: everything under d->lock, which the dispatcher (bus, loop) takes
 * before it calls.  virtio_reset() may drop it while it waits for I/O in
 * flight, when a vCPU or the main thread calls it; d->stopping is set then.
 *
 * Queues that run side by side have a lock each, if the device can do with it
 * (ops->queue_locks): then a queue, its chains, kick() and what follows from
 * it are under q->lock alone, and everything else is under d->lock.  Order:
 * d->lock, queues' locks by index.  What both sides read (@running, @paused,
 * @transport, what start() sets) is written with all of them held; a queue
 * never takes d->lock.  "All locks" below means d->lock and those of queues;
 * of a device without the latter, d->lock.
 * Lifetime: embedded as the first member of the device; freed with
 * virtio_dev_free().
 */
#ifndef MOAT_VIRTIO_DEVICE_H
#define MOAT_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dma.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/loop.h"
#include "virtio/queue.h"
#include "virtio/wire.h"

struct err;
struct virtio_dev;
struct virtio_transport;

/* A number of one kind of device. */
#define VIRTIO_STATS_MAX     8
#define VIRTIO_STAT_NAME_MAX 23

struct virtio_stat {
	const char *name; /* lower case and '_'; at most so long */
	uint64_t value;
};

struct virtio_dev_ops {
	uint32_t id; /* VIRTIO_ID_... */
	const char *name;
	/* kick(), and what follows from it, does with its queue's lock: what
	 * several queues use has a lock of its own or is changed by start()
	 * and stop() alone. */
	bool queue_locks;
	/*
	 * DRIVER_OK: features are final, enabled queues checked and started.
	 * All locks are held.
	 * Return: 0; a -errno marks the device broken.
	 */
	int (*start)(struct virtio_dev *d);
	/*
	 * Reset.  Begin to stop: take nothing new, cancel what can be, drop
	 * chains that wait for nothing in flight.  Work that the host's kernel
	 * still has ends through virtio_inflight_end(), its chains dropped or
	 * pushed before; the caller waits for that.  Also called when the
	 * device never started, and when it is broken.  All locks are held.
	 */
	void (*stop)(struct virtio_dev *d);
	/* Queue @qi has (perhaps) new buffers; the device runs.  The queue's
	 * lock is held. */
	void (*kick)(struct virtio_dev *d, unsigned qi);
	/* The driver wrote configuration bytes; d->config has them already.
	 * May be NULL: nothing to do. */
	void (*config_written)(struct virtio_dev *d, size_t off, size_t len);
	/* May the driver use these features?  (A subset of the offered ones,
	 * rules common to all devices checked.)  May be NULL: yes. */
	bool (*features_ok)(struct virtio_dev *d, uint64_t features);
	/* virtio_pause() begins to wait for what is in flight.
	 * May be NULL: it comes back by itself, and soon. */
	void (*pausing)(struct virtio_dev *d);
	/* It runs no more, without a reset: broken, or given up by the driver.
	 * All locks are held.  May be NULL: d->running says it. */
	void (*halted)(struct virtio_dev *d);
	/*
	 * Queue @qi alone is to be reset: like stop(), for one queue.  The
	 * reset is done, and the driver sees it, when the device has pushed
	 * or dropped every chain of the queue.  Its lock is held.
	 * May be NULL: VIRTIO_F_RING_RESET is not offered.
	 */
	void (*queue_stop)(struct virtio_dev *d, unsigned qi);
	/*
	 * What it counts besides its queues, into @stats, which has room for
	 * VIRTIO_STATS_MAX; d->lock is held.  May be NULL: nothing.
	 * Return: how many.
	 */
	unsigned (*stats)(struct virtio_dev *d, struct virtio_stat *stats);
	/* Frees the device, which is stopped; ends in virtio_dev_fini(). */
	void (*free)(struct virtio_dev *d);
};

struct virtio_transport_ops {
	/* Used buffers in queue @qi.  Threads: under the queue's lock; for
	 * several queues at once if they have locks of their own. */
	void (*queue_interrupt)(struct virtio_transport *t, unsigned qi);
	/*
	 * queue_lend - @s interrupts for queue @qi, in the place of
	 * queue_interrupt(), as long as s->straight.
	 * queue_take_back - and no more; only if it has been lent.
	 * Under d->lock and the queue's.  May both be NULL: it cannot.
	 */
	void (*queue_lend)(struct virtio_transport *t, unsigned qi,
			   struct irq_source *s);
	void (*queue_take_back)(struct virtio_transport *t, unsigned qi);
	/* Configuration or status changed.  Under d->lock; of the queues'
	 * locks all may be held, or none. */
	void (*config_interrupt)(struct virtio_transport *t);
	/* The device went back to its reset state (vectors are forgotten).
	 * Under d->lock. */
	void (*reset_done)(struct virtio_transport *t);
};

struct virtio_transport {
	const struct virtio_transport_ops *ops;
};

/* What a queue has in the place of its device's; borrowed. */
struct virtio_queue_env {
	struct loop *loop;
	/* NULL: the device's, which then is an identity, or the queues have
	 * no locks of their own. */
	struct dma *dma;
};

/* What a device is born with; all borrowed, all outlive it. */
struct virtio_dev_env {
	const char *name;  /* instance, "blk0"; copied */
	struct dma *dma;   /* the device's view of memory */
	struct loop *loop; /* serves its queues and backend */
	/* One for each queue; copied.  NULL: they have @loop and @dma.  If
	 * there are several, ops->queue_locks gives each a lock. */
	const struct virtio_queue_env *queues;
	bool access_platform; /* offer bit 33, insist on it: behind an IOMMU */
};

#define VIRTIO_QUEUES_MAX 64

struct virtio_dev {
	const struct virtio_dev_ops *ops;
	struct virtio_transport *transport; /* attached; NULL: none yet */
	struct dma *dma;
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t idle; /* inflight became 0, a reset or pause ended */
	char name[16];
	struct guest_log log;

	uint8_t status;
	uint8_t generation;   /* of the configuration */
	bool config_seen;     /* of that generation, by the driver */
	bool running;	      /* DRIVER_OK seen, not broken, not stopping */
	bool stopping;	      /* a reset waits for I/O in flight */
	bool paused;	      /* may not touch memory: bus master off */
	bool insist_platform; /* refuse FEATURES_OK without bit 33 */
	unsigned inflight;    /* I/O, and replies to come; and queues' own */
	uint64_t offered;     /* feature bits */
	uint64_t driver_features;

	struct vq *vqs; /* nvqs of them, owned */
	unsigned nvqs;
	bool queue_locks;	   /* one for each queue */
	struct loop_timer trouble; /* a queue has broken the device */

	uint8_t *config;       /* device-specific configuration, owned */
	uint8_t *config_wmask; /* which bits the driver may write */
	size_t config_len;
};

/*
 * virtio_dev_init - the common part; VERSION_1, INDIRECT_DESC and EVENT_IDX
 * (and ACCESS_PLATFORM, RING_RESET where they apply) are offered besides
 * @features.
 * @queue_sizes: largest size of each of the @nvqs queues, powers of two
 * @config_len: zeroed, read-only until the device fills bytes and masks in
 *
 * Return: 0 or -ENOMEM, -errno (kick descriptors).
 */
int virtio_dev_init(struct virtio_dev *d, const struct virtio_dev_ops *ops,
		    const struct virtio_dev_env *env, uint64_t features,
		    const uint16_t *queue_sizes, unsigned nvqs,
		    size_t config_len, struct err *err);
/* Frees what virtio_dev_init() made; zeroed or half-built is accepted. */
void virtio_dev_fini(struct virtio_dev *d);
/* The destructor for owners: ops->free; NULL does nothing. */
void virtio_dev_free(struct virtio_dev *d);

/* Sums over the queues.  Takes the device's lock, and queues' own. */
void virtio_get_stats(struct virtio_dev *d, struct vq_stats *ret_s);
/* What ops->stats tells; @stats has room for VIRTIO_STATS_MAX.  Takes the
 * device's lock.  Return: how many. */
unsigned virtio_get_own_stats(struct virtio_dev *d, struct virtio_stat *stats);

/*
 * The lock of a queue, of all queues, by who holds d->lock; does nothing of a
 * device whose queues have none of their own.
 */
void virtio_lock_queue(struct vq *q);
void virtio_unlock_queue(struct vq *q);
void virtio_lock_queues(struct virtio_dev *d);
void virtio_unlock_queues(struct virtio_dev *d);

/* Does it run?  Caller holds d->lock alone. */
bool virtio_queue_runs(struct vq *q);

static inline bool virtio_has(const struct virtio_dev *d, unsigned bit)
{
	return d->driver_features >> bit & 1;
}

/*
 * What a device calls.
 */

/* The guest broke the protocol: DEVICE_NEEDS_RESET, one line, no more work
 * until reset.  All locks are held. */
__attribute__((format(printf, 2, 3))) void virtio_broken(struct virtio_dev *d,
							 const char *why, ...);

/* Configuration bytes changed by the device: new generation, interrupt. */
void virtio_config_changed(struct virtio_dev *d);
/* The same, which the driver has brought about and need not be told. */
void virtio_config_renewed(struct virtio_dev *d);

/* I/O was given to the host's kernel / has come back; also for work done
 * without d->lock that will write guest memory. */
void virtio_inflight_begin(struct virtio_dev *d);
void virtio_inflight_end(struct virtio_dev *d);
/* How much is in flight, of all queues, too.  d->lock is held alone. */
unsigned virtio_flight(struct virtio_dev *d);

/*
 * What a transport calls: the registers, whatever their address.  Arguments
 * are the guest's and may be anything; out of range reads 0 and writes are
 * ignored.
 */
void virtio_attach(struct virtio_dev *d, struct virtio_transport *t);

uint32_t virtio_device_features(const struct virtio_dev *d, uint32_t select);
uint32_t virtio_driver_features(const struct virtio_dev *d, uint32_t select);
/* Ignored outside [ACKNOWLEDGE|DRIVER, FEATURES_OK). */
void virtio_set_driver_features(struct virtio_dev *d, uint32_t select,
				uint32_t val);

/*
 * virtio_set_status - the status machine, enforced.   [virtio 1.2, 2.1, 3.1]
 *
 * 0 resets.  Clearing single bits, or DRIVER_OK without FEATURES_OK, is
 * refused.  FEATURES_OK does not stick if the features are not acceptable.
 */
void virtio_set_status(struct virtio_dev *d, uint8_t val);

/*
 * virtio_reset - back to the state after power-on.
 *
 * Stops the device and waits for what is in flight, d->lock dropped; status
 * reads as before until it is done, and register writes in between are
 * ignored.  A second thread that resets meanwhile waits for the same end.
 *
 * Threads: a vCPU or the main thread, never a loop; d->lock held, and no lock
 * that a completing loop needs.  The device's loop still runs.
 */
void virtio_reset(struct virtio_dev *d);

/*
 * virtio_pause - may the device touch memory (PCI: bus master enable)?
 *
 * Pausing stops queues from being served, waits for what is in flight and
 * keeps pushes and interrupts back; resuming catches up.  Survives
 * virtio_reset(): it is the transport's state.  Threads: as virtio_reset().
 */
void virtio_pause(struct virtio_dev *d, bool pause);

/* @size 1, 2, 4, 8; past the end reads 0. */
uint64_t virtio_config_read(struct virtio_dev *d, uint64_t off, unsigned size);
void virtio_config_write(struct virtio_dev *d, uint64_t off, unsigned size,
			 uint64_t val);

/* The queue with index @qi, or NULL if there is none. */
struct vq *virtio_queue(struct virtio_dev *d, uint32_t qi);
/* Queue registers change only between FEATURES_OK and DRIVER_OK, or after
 * a queue's own reset.  Those are q->size to q->used: read and written with the
 * queue's lock, besides d->lock, as is this. */
bool virtio_queue_writable(const struct virtio_dev *d, const struct vq *q);
/* Enable @q: check size and addresses; a bad ring marks the device broken.
 * Ignored when the registers are not writable.  This and what follows: under
 * d->lock alone. */
void virtio_queue_enable(struct virtio_dev *d, struct vq *q);
/*
 * queue_reset = 1.  q->resetting until the device has given all chains back,
 * then q->enabled is false and the registers are writable.  Ignored unless
 * RING_RESET is negotiated and the queue enabled.   [virtio 1.2, 2.6.1]
 *
 * Return: not ignored: the transport forgets what it knows of the queue.
 */
bool virtio_queue_reset(struct virtio_dev *d, struct vq *q);

/*
 * virtio_notify - the driver's notification for queue @qi, on this thread.
 * The eventfd of a queue (q->kick_fd) does the same from the device's loop.
 */
void virtio_notify(struct virtio_dev *d, uint32_t qi);

#endif
