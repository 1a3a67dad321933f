/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * talk.h - what a front end and its server say while the guest runs: the
 * server that its configuration has changed, we what the driver has written.
 *
 * Nobody waits: questions go out one at a time, answers come when they come.
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_VHOST_USER_TALK_H
#define MOAT_DEVICES_VHOST_USER_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"
#include "devices/vhost_user/wire.h"

struct vhu;
struct vhu_session;

enum vhu_asked { VHU_ASKED_NOTHING, VHU_ASKED_CONFIG, VHU_TOLD_CONFIG };

/* A message that is coming in. */
struct vhu_message {
	size_t len;
	struct vhu_header_wire header;
	uint8_t body[sizeof(struct vhu_config_wire)];
};

/*
 * vhu_message_take - what is there of a message.  Descriptors that come along
 * are closed by the kernel.
 * @m: zero before the first one
 *
 * Return: 1 with a whole one; 0: some of it is still to come; -ECONNRESET;
 * -EPROTO if it is longer than any.
 */
int vhu_message_take(int fd, struct vhu_message *m);
/* Is it the answer to @request, with @len bytes? */
bool vhu_message_is_reply(const struct vhu_message *m, enum vhu_request request,
			  size_t len);

struct vhu_talk {
	enum vhu_asked asked; /* what has no answer yet */
	bool ask, tell;	      /* what is to be said next */
	struct vhu_message in;
	int channel; /* the server's own; -1: none */
	struct loop_watch back;
	struct vhu_message back_in;
};

/* Say what is to be said.  A socket that takes nothing is shut down. */
void vhu_talk(struct vhu *u, struct vhu_session *s);

/*
 * vhu_talk_hear - the socket has something.
 *
 * Return: NULL; what is wrong with the server, a predicate; VHU_HUNG_UP.
 */
const char *vhu_talk_hear(struct vhu *u, struct vhu_session *s);
extern const char VHU_HUNG_UP[];

/* Watch the server's own channel, if there is one.  Return: 0, -errno. */
int vhu_talk_listen(struct vhu *u, struct vhu_session *s);

#endif
