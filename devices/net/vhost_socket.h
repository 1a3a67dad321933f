/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_socket.h - a vhost-user server that has the guest's memory and serves
 * the rings of the guest's driver itself.
 *
 * It maps all of guest memory, so all of it is the server's to read and write,
 * whatever we say later.  One that keeps to the protocol reaches behind an
 * IOMMU what it has translations of, which it asks for and forgets (iotlb.h):
 * an UNMAP waits until it has said that it has forgotten, a reset and a pause
 * until it has given rings back.  Both wait for a time that is bounded; then
 * the server is cut off, and the link is down.  From then on, and when it has
 * hung up by itself, they wait until it has closed what it is connected by
 * (vhost_talk.h), for the same time at most.
 *
 * A server that wants no such trust is vhost_user.h.
 *
 * Threads: under the device's lock, but for what vhost_server.h says.
 */
#ifndef MOAT_DEVICES_NET_VHOST_SOCKET_H
#define MOAT_DEVICES_NET_VHOST_SOCKET_H

struct err;
struct net_backend;
struct net_config;
struct vhost_server;
struct virtio_dev_env;

/* For a server to give a ring back, to forget a translation, or to be done. */
#define VHOST_SOCKET_PATIENCE_MS 10000

/*
 * vhost_socket_new - connect to the server at config->socket, and share the
 * memory behind env->dma, which can be (gmem_init_shared()).
 * @ret_s: serves the queues of a device on @ret_b, and ends with it
 *
 * Return: 0; -errno with a sentence that names the socket.
 */
int vhost_socket_new(struct net_backend **ret_b, struct vhost_server **ret_s,
		     const struct virtio_dev_env *env,
		     const struct net_config *config, struct err *err);

#endif
