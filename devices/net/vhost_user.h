/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_user.h - a server at a socket as the backend of a network device.
 *
 * The server has rings and buffers of ours (vring.h), and none of the guest's
 * memory: frames are copied in between.  So any server works, behind an IOMMU
 * or not, the guest's resets are none of its business, and a server that is
 * slow, hostile or dead is a link that drops frames, or is down.
 *
 * It is met before the guest runs, and told of its rings when the driver is
 * ready, for the driver's features: if another driver has others, rings are
 * stopped and begin anew.  Nobody waits for that.
 *
 * Threads: under the device's lock; with a time to wait, one of its own looks
 * for the next server.
 */
#ifndef MOAT_DEVICES_NET_VHOST_USER_H
#define MOAT_DEVICES_NET_VHOST_USER_H

struct err;
struct net_backend;
struct net_config;

/* For a server to stop its rings. */
#define NET_VU_PATIENCE_MS 10000

/*
 * net_vu_new - connect to the server at config->socket.
 * @device: for log lines; copied
 *
 * Return: 0; -errno with a sentence that names the socket.
 */
int net_vu_new(struct net_backend **ret_b, const char *device,
	       const struct net_config *config, struct err *err);

#endif
