/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * redial.h - a server that went away is looked for at its socket, and the
 * next one there gets what the last one did not finish.
 *
 * Doing a request once more is right for a disk: until a request is done its
 * buffers are the driver's to leave alone, and a read, a write, a flush, a
 * discard has the same outcome a second time; among requests that are under
 * way at once there is no order to keep.  A request whose end the driver has
 * seen is never done again: what the old server had put into its used ring is
 * taken first.  So this is not for devices whose requests add up: a file
 * server's rename works once.
 *
 * What a server has answered and has only in a cache of its own dies with it,
 * and a flush that the next one answers does not bring it back: raw images are
 * safe (the host's kernel is that cache), others if the server ends by itself,
 * which flushes, and not if it is killed.
 *
 * Servers can keep such a list themselves, across their restarts, in memory
 * that the front end keeps for them (VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD).
 * That is for rings that are the guest's, where nobody else knows what was
 * fetched and not done, and for servers that want to know which requests they
 * may have done already.  Here the shadow ring's slots are that list.
 *
 * A request that waits holds no memory of the guest's, so UNMAP and reset do
 * not wait for it; it is translated again.  A server that is gone cannot
 * write any more; one that only closed its socket can, as long as it keeps
 * what it has mapped: it is trusted not to.
 *
 * While it waits nothing is popped.  When the time is over everything is
 * refused, at once, until a server comes.  A server that comes and hangs up
 * again without having done a request gets no new time.
 *
 * Threads: under the device's lock, but for start and fini; one of its own
 * talks to servers until they have joined.
 */
#ifndef MOAT_DEVICES_VHOST_USER_REDIAL_H
#define MOAT_DEVICES_VHOST_USER_REDIAL_H

#include <pthread.h>
#include <stdbool.h>

#include "core/loop.h"
#include "devices/vhost_user/session.h"

struct err;
struct vhu;

struct vhu_redial {
	bool on;    /* there is a thread; set by start alone */
	bool waits; /* requests wait for a server */
	/* The rest is redial.c's. */
	char *path;
	struct vhu_wants wants;
	unsigned wait_ms;
	bool looking, stop;
	bool proving; /* no request was done since the last server went */
	bool late;    /* the time to wait is over, and none was done */
	bool told;    /* that a server does not fit */
	struct loop_timer deadline;
	pthread_t thread;
	int wake;   /* eventfd */
	int trying; /* a duplicate of the socket in use; -1: none */
};

void vhu_redial_init(struct vhu_redial *r);

/*
 * vhu_redial_start - look for servers at @path from now on when one is lost,
 * @wait_ms long before requests fail.
 * @wants: what a server has to have; no extras
 *
 * Return: 0; -errno with a sentence.
 */
int vhu_redial_start(struct vhu *u, const char *path,
		     const struct vhu_wants *wants, unsigned wait_ms,
		     struct err *err);
/* Accepts what was initialized only. */
void vhu_redial_fini(struct vhu *u);

/* A server is lost; it is not to come back; one is there. */
void vhu_redial_begin(struct vhu_redial *r);
void vhu_redial_end(struct vhu_redial *r);
/* Return: true if one was looked for. */
bool vhu_redial_found(struct vhu_redial *r);
/* It has done a request. */
void vhu_redial_proven(struct vhu_redial *r);

#endif
