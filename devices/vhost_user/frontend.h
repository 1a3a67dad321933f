/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * frontend.h - a virtio device whose requests another process serves.
 *
 * The device is an ordinary one: the guest's queues are walked and translated
 * here like everybody's, behind an IOMMU or not, and each has a shadow ring
 * (ring.h) that the server reads.  So any server works behind any IOMMU, no
 * feature of it is the guest's to negotiate, and a server that dies leaves
 * requests that can still be answered.  The price is a hop through the loop.
 *
 * The server learns nothing of a reset: what it has comes back, a reset waits
 * for that, and a server that takes longer than VHU_PATIENCE_MS is given up.
 *
 * Threads: under the device's lock, but for connect and fini.
 */
#ifndef MOAT_DEVICES_VHOST_USER_FRONTEND_H
#define MOAT_DEVICES_VHOST_USER_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "core/gmem.h"
#include "core/loop.h"
#include "devices/vhost_user/link.h"
#include "devices/vhost_user/ring.h"
#include "virtio/device.h"

struct err;

/* How long a reset or a pause of the device waits for the server. */
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
};

struct vhu_queue {
	struct vhu *vhu;
	struct vhu_ring ring;
	struct loop_watch calls;
};

/* Embedded in the device. */
struct vhu {
	const struct vhu_ops *ops;
	struct virtio_dev *d;
	struct vhu_link link;
	struct gmem shadow; /* the rings' memory */
	struct vhu_queue *queues;
	struct loop_watch hangup;
	struct loop_timer patience;
	unsigned patience_ms;
	bool connected; /* a server takes requests */
};

/* Without a server; @d has been made.  All requests are refused. */
void vhu_init(struct vhu *u, struct virtio_dev *d, const struct vhu_ops *ops);

/*
 * vhu_connect - make friends with the server at @fd (taken in any case).
 * @features: device-specific virtio feature bits that the server has to have
 *
 * The memory behind the device's DMA view is shared (gmem_init_shared()).
 *
 * Return: 0; -errno with a sentence that starts with a predicate: "hung up
 * during GET_FEATURES"; see vhu_get(), vhu_set(); -ENOTSUP for a server that
 * lacks what moat needs.
 */
int vhu_connect(struct vhu *u, int fd, uint64_t features, unsigned timeout_ms,
		struct err *err);
/* Before virtio_dev_fini().  Accepts what was initialized only, or zeroed. */
void vhu_fini(struct vhu *u);

/* The device's ops of the same names. */
void vhu_kick(struct vhu *u, unsigned qi);
void vhu_stop(struct vhu *u);
void vhu_pausing(struct vhu *u);

#endif
