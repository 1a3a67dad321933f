/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * dial.h - sockets that lead to a server: one that listens somewhere, or one
 * that we are about to start.
 */
#ifndef MOAT_DEVICES_VHOST_USER_DIAL_H
#define MOAT_DEVICES_VHOST_USER_DIAL_H

struct err;

/*
 * vhu_dial - connect to the unix socket @path; never waits.
 * Return: 0; -errno with a sentence that names it.
 */
int vhu_dial(const char *path, int *ret_fd, struct err *err);

/*
 * vhu_dial_pair - a pair of ends, of which a server can accept one.
 *
 * Nobody else can be first: the name is in a directory of ours and gone before
 * anybody hears of it.
 * Return: 0; -errno with a sentence.
 */
int vhu_dial_pair(int *ret_listener, int *ret_fd, struct err *err);

#endif
