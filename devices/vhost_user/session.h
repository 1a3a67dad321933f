/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * session.h - one connection to a server, from the first word to the last:
 * what was agreed on, and the shadow rings in memory of their own.
 *
 * A server that is gone may still have its session's rings and descriptors;
 * the next one gets others.
 *
 * Threads: greeting and joining, one; afterwards under the device's lock.
 */
#ifndef MOAT_DEVICES_VHOST_USER_SESSION_H
#define MOAT_DEVICES_VHOST_USER_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "core/gmem.h"
#include "core/loop.h"
#include "devices/vhost_user/link.h"
#include "devices/vhost_user/ring.h"
#include "devices/vhost_user/talk.h"

struct err;
struct vhu;
struct virtio_dev;

/* What a device asks of its server, besides what every ring needs. */
struct vhu_wants {
	uint64_t features;   /* virtio feature bits that it has to have */
	uint64_t extras;     /* those to take if it has them */
	uint64_t protocol;   /* protocol features, likewise */
	unsigned queues;     /* it has so many at least */
	uint32_t config_len; /* bytes of configuration; 0: it is our own */
};

struct vhu_queue {
	struct vhu *vhu;
	struct vhu_ring ring;
	struct loop_watch calls;
};

struct vhu_session {
	struct vhu_link link;
	/* Of @features and @extras, and of the rings', those that it has; the
	 * device may take some back before it joins. */
	uint64_t features;
	uint64_t protocol;   /* features that both have */
	unsigned queues_max; /* of the server */
	uint32_t config_len;
	uint8_t config[VHU_CONFIG_MAX];
	struct gmem shadow; /* the rings' memory */
	struct vhu_queue *queues;
	unsigned nqueues;
	struct loop_watch hangup;
	struct vhu_talk talk;
};

/*
 * vhu_session_greet - make friends with the server at @fd (taken in any case).
 *
 * Return: 0; -errno with a sentence that starts with a predicate: "hung up
 * during GET_FEATURES"; see vhu_get(), vhu_set(); -ENOTSUP for a server that
 * lacks what is wanted.
 */
int vhu_session_greet(struct vhu_session **ret_s, int fd,
		      const struct vhu_wants *wants, unsigned timeout_ms,
		      struct err *err);

/*
 * vhu_session_join - tell it of @d's memory and a ring for each of its queues.
 *
 * The memory behind the device's DMA view is shared (gmem_init_shared()).
 * Return: as vhu_session_greet().
 */
int vhu_session_join(struct vhu_session *s, const struct virtio_dev *d,
		     struct err *err);

/* Nobody watches it any more; NULL does nothing. */
void vhu_session_free(struct vhu_session *s);

#endif
