/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * passt.h - user networking: passt gives the guest the host's network without
 * any privilege.  It is started, confines itself, and ends with its socket.
 */
#ifndef MOAT_DEVICES_NET_PASST_H
#define MOAT_DEVICES_NET_PASST_H

struct err;
struct net_backend;
struct net_config;

/*
 * net_passt_new - start passt; it answers when this returns.
 *
 * Return: 0; -ENOENT if there is none; -errno; with a sentence.
 */
int net_passt_new(struct net_backend **ret_b, const struct net_config *config,
		  struct err *err);

#endif
