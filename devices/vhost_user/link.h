/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * link.h - the connection to a vhost-user server while it is set up.
 *
 * Every exchange waits for its end, the whole set-up for VHU_SETUP_MS at
 * most: before the guest runs there is nobody to keep waiting, and one that
 * comes back later is talked to by a thread of its own (redial.h).  What is
 * said afterwards is in talk.h.
 *
 * Threads: one.
 */
#ifndef MOAT_DEVICES_VHOST_USER_LINK_H
#define MOAT_DEVICES_VHOST_USER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/vhost_user/wire.h"

struct err;

/* A server may have to unpack itself on a slow machine first. */
#define VHU_SETUP_MS 30000

struct vhu_link {
	int fd;	   /* -1: not connected */
	bool acks; /* REPLY_ACK is negotiated */
	uint64_t deadline_ms;
};

/* @fd: a connected stream socket, taken. */
void vhu_link_init(struct vhu_link *l, int fd, unsigned timeout_ms);
void vhu_link_fini(struct vhu_link *l);

/*
 * vhu_get - ask for a number.
 *
 * Return: 0; -ECONNRESET: the server hung up; -ETIMEDOUT: no answer in time;
 * -EPROTO: an answer that is none; each with a sentence.
 */
int vhu_get(struct vhu_link *l, enum vhu_request request, uint64_t *ret_val,
	    struct err *err);

/*
 * vhu_set - tell something, @fds along with it; waits for the server's word
 * that it took it, if it is one that gives its word.
 *
 * Return: as vhu_get(); -EREMOTEIO if the server refused.
 */
int vhu_set(struct vhu_link *l, enum vhu_request request, const void *payload,
	    size_t len, const int *fds, unsigned nfds, struct err *err);
int vhu_set_u64(struct vhu_link *l, enum vhu_request request, uint64_t val,
		struct err *err);

/*
 * vhu_get_config - the first @len bytes of the device's configuration.
 * Return: as vhu_get().
 */
int vhu_get_config(struct vhu_link *l, void *config, size_t len,
		   struct err *err);

#endif
