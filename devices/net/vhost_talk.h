/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_talk.h - the messages to a server that has the guest's rings, while the
 * guest runs.
 *
 * Nobody waits for an answer but who takes translations away.  Whoever looks
 * at the socket takes all answers that are there, and puts aside what somebody
 * else waits for.  A server that does not read, answers what nobody asked, or
 * does not answer in time is cut off: the socket is shut down, and with it what
 * we can ask of the server.  What it has mapped it keeps until it ends.
 *
 * Threads: any; the lock inside is a leaf, and nobody waits under it.
 */
#ifndef MOAT_DEVICES_NET_VHOST_TALK_H
#define MOAT_DEVICES_NET_VHOST_TALK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/range.h"
#include "devices/vhost_user/talk.h"

#define VHOST_TALK_RINGS 64
/* Translations that it is to forget, and has not said yet that it has. */
#define VHOST_TALK_BATCH 32
#define VHOST_TALK_ASKED (VHOST_TALK_RINGS + VHOST_TALK_BATCH)

/* The socket, and its own channel. */
#define VHOST_TALK_ENDS 2

struct vhost_talk {
	int fd; /* of the server; borrowed */
	unsigned patience_ms;
	/* Signalled when a ring has ended or the server is dead, and when it
	 * has forgotten or is dead. */
	int news, forgotten;
	pthread_mutex_t waiter; /* one at a time */
	pthread_mutex_t lock;	/* of what follows */
	bool dead;
	const char *why;	   /* a predicate, static */
	uint64_t gone_ms;	   /* when a dead one counts as gone */
	int open[VHOST_TALK_ENDS]; /* -1: the server has closed it */
	struct vhu_message in;
	/* Questions in order: a ring's index, or VHOST_TALK_RINGS. */
	uint8_t asked[VHOST_TALK_ASKED];
	unsigned first, nasked;
	uint64_t asked_to_forget, has_forgotten; /* how often */
	uint64_t ended;				 /* rings; a bit for each */
	uint16_t bases[VHOST_TALK_RINGS];
};

/*
 * @channel: the server's own; -1: none
 * @patience_ms: to forget, and to be gone
 * Return: 0, -errno.
 */
int vhost_talk_init(struct vhost_talk *t, int fd, int channel,
		    unsigned patience_ms);
/* Of a zeroed one, too. */
void vhost_talk_fini(struct vhost_talk *t);

/* @fd: goes along; -1: none.   Return: 0; -EPIPE: it is dead. */
int vhost_talk_tell(struct vhost_talk *t, enum vhu_request request,
		    const void *body, size_t len, int fd);

/*
 * vhost_talk_end - ask for the end of @ring, which is not asked for already.
 * vhost_talk_ended - true, once, when the answer is there.
 */
int vhost_talk_end(struct vhost_talk *t, unsigned ring);
bool vhost_talk_ended(struct vhost_talk *t, unsigned ring, uint16_t *ret_base);

/* Have it forget; returns when it has, or is gone. */
void vhost_talk_forget(struct vhost_talk *t, const struct range *r, unsigned n);

/* Take what is there. */
void vhost_talk_hear(struct vhost_talk *t);

/* Cut it off for @why, a predicate that stays; the first one counts. */
void vhost_talk_cut_off(struct vhost_talk *t, const char *why);
/* Return: why it is dead; NULL: it is not. */
const char *vhost_talk_death(struct vhost_talk *t);
/* Return: it is dead, and how many ms at most until it is gone; 0: it is. */
unsigned vhost_talk_going(struct vhost_talk *t);

#endif
