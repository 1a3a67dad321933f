/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * private.h - what the files of the front end share: setup.c makes friends
 * with a server, frontend.c has it work.
 */
#ifndef MOAT_DEVICES_VHOST_USER_PRIVATE_H
#define MOAT_DEVICES_VHOST_USER_PRIVATE_H

struct vhu;

/* From now on the server is listened to, and takes requests.
 * Return: 0; -errno. */
int vhu_listen(struct vhu *u);

#endif
