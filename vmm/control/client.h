/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * client.h - asks a machine's control socket.
 */
#ifndef MOAT_VMM_CONTROL_CLIENT_H
#define MOAT_VMM_CONTROL_CLIENT_H

#include <stddef.h>

#include "vmm/control/line.h"

struct err;

/* A whole answer has to be there after so long. */
#define CONTROL_ANSWER_MS 10000

struct control_call {
	int fd;
	long until;
	size_t len, at; /* bytes in buf; those that have been read */
	char buf[CONTROL_LINE_MAX];
};

/*
 * control_ask - connect and send @request, which has a newline.
 * @path: socket_path_check() took it
 *
 * Return: 0; -ENOENT or -ECONNREFUSED if nobody is there; -errno; with a
 * sentence.
 */
int control_ask(struct control_call *c, const char *path, const char *request,
		struct err *err);
/*
 * control_read - the next line of the answer; after CONTROL_NEXT or
 * CONTROL_END there is none.
 *
 * Return: 0; -EPROTO if it is none; -ECONNRESET if the answer ends before its
 * end; -ETIMEDOUT; -EREMOTEIO if it is an error; -errno; with a sentence.
 */
int control_read(struct control_call *c, struct control_line *ret_l,
		 struct err *err);
/* After control_ask(), whatever it returned. */
void control_hang_up(struct control_call *c);

#endif
