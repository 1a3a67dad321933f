/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tap.h - frames by way of a tap, a network interface of the host's.
 */
#ifndef MOAT_DEVICES_NET_TAP_H
#define MOAT_DEVICES_NET_TAP_H

struct err;
struct net_backend;
struct net_config;

/*
 * net_tap_new - open config->tap with config->queues; make it, and bring it
 * up, if there is none.  One that was made is gone with us.
 *
 * Return: 0; -EPERM, -EBUSY, -EINVAL, -errno with a sentence.
 */
int net_tap_new(struct net_backend **ret_b, const struct net_config *config,
		struct err *err);

#endif
