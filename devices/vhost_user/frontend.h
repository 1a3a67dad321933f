/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * frontend.h - a virtio device whose requests another process serves.
 *
 * The device is an ordinary one: the guest's queues are walked and translated
 * here like everybody's, behind an IOMMU or not, and each has a shadow ring
 * (ring.h) that the server reads.  So any server works behind any IOMMU, no
 * feature of it is the guest's to negotiate, and a server that dies leaves
 * requests that can still be answered, or done by the next one (redial.h).
 * The price is a hop through the loop.
 *
 * The server learns nothing of a reset: what it has comes back, a reset waits
 * for that, and a server that takes longer than VHU_PATIENCE_MS is given up.
 *
 * Threads: under the device's lock, but for connect and fini.
 */
#ifndef MOAT_DEVICES_VHOST_USER_FRONTEND_H
#define MOAT_DEVICES_VHOST_USER_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/loop.h"
#include "devices/vhost_user/redial.h"
#include "devices/vhost_user/session.h"
#include "virtio/device.h"

struct err;

/* How long a reset or a pause of the device, or a reset of a queue, waits for
 * the server. */
#define VHU_PATIENCE_MS 20000

struct vhu;

struct vhu_ops {
	/*
	 * The server cannot do @c: -ENOTCONN without a server, -EFAULT,
	 * -E2BIG, -EINVAL, -ENOMEM.  Write an answer; the front end pushes it.
	 */
	void (*refuse)(struct vhu *u, struct vq_chain *c, int error);
	/* The server is given up: say so, and end it.  @why: a predicate. */
	void (*lost)(struct vhu *u, const char *why);
	/*
	 * Is @c for us to answer?  Then write the answer; else leave it as it
	 * is.  May be NULL: none is.
	 */
	bool (*answer)(struct vhu *u, struct vq_chain *c);
	/*
	 * What the server is to read in the place of the first bytes of @c,
	 * which stays as it is.  Return: how many; 0: all is the guest's.  May
	 * be NULL: it always is.
	 */
	size_t (*front)(struct vhu *u, struct vq_chain *c,
			uint8_t front[VHU_FRONT_MAX]);
	/* The server's configuration is now this, as many bytes as were asked
	 * for.  May be NULL if none were. */
	void (*config)(struct vhu *u, const uint8_t *config);
	/* A server is there again; nobody waits for one any more.  May be
	 * NULL without a redial. */
	void (*found)(struct vhu *u);
	void (*missed)(struct vhu *u);
};

/* Embedded in the device. */
struct vhu {
	const struct vhu_ops *ops;
	struct virtio_dev *d;
	struct vhu_session *session; /* NULL: no server takes requests */
	struct vhu_redial redial;
	/* Requests of each queue that the next server is to have; they hold
	 * no memory.  NULL: there is no redial. */
	struct list *parked;
	struct loop_timer patience;
	unsigned patience_ms;
	/* What the driver has written into the configuration, last. */
	struct {
		bool any;
		uint32_t offset;
		uint8_t val;
	} written;
};

/* Without a server; @d has been made.  All requests are refused. */
void vhu_init(struct vhu *u, struct virtio_dev *d, const struct vhu_ops *ops);

/*
 * vhu_connect - have the server at @fd (taken in any case), who is told all it
 * has to know.  As vhu_session_greet() and vhu_session_join().
 */
int vhu_connect(struct vhu *u, int fd, const struct vhu_wants *wants,
		unsigned timeout_ms, struct err *err);
/*
 * vhu_adopt - have the server of @s, who has joined; @s is taken if it returns
 * 0.  Return: 0; -errno.  Takes the device's lock.
 */
int vhu_adopt(struct vhu *u, struct vhu_session *s);
/* Before virtio_dev_fini().  Accepts what was initialized only, or zeroed. */
void vhu_fini(struct vhu *u);

/*
 * vhu_write_config - the driver has written a byte of the configuration.  What
 * it asks for later waits until the server knows.
 */
void vhu_write_config(struct vhu *u, uint32_t offset, uint8_t val);

/* The device's ops of the same names. */
void vhu_kick(struct vhu *u, unsigned qi);
void vhu_stop(struct vhu *u);
void vhu_queue_stop(struct vhu *u, unsigned qi);
void vhu_pausing(struct vhu *u);

/*
 * For the other files of the front end.  Caller holds the device's lock.
 */
unsigned vhu_inflight(const struct vhu *u);
/* Have all queues served that run. */
void vhu_kick_all(struct vhu *u);

#endif
