/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_kernel.h - the host's kernel as vhost-net shows it.
 *
 * A descriptor of /dev/vhost-net moves the frames of one pair of queues, by
 * the rings of the guest and a tap, in a thread of the kernel's.  It uses this
 * process's addresses, so guest memory may be private.  Behind an IOMMU it
 * keeps translations, and asks for those it has not (iotlb.h).  It takes both
 * kinds of message under the locks under which it reaches memory: after the
 * write nothing is under way by what it has forgotten.
 *
 * Tests put another kernel in its place.
 */
#ifndef MOAT_DEVICES_NET_VHOST_KERNEL_H
#define MOAT_DEVICES_NET_VHOST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct gmem;
struct vhost_kernel;
struct vhost_server;

struct vhost_kernel_ops {
	/* Return: a descriptor, non-blocking; -errno. */
	int (*open)(struct vhost_kernel *k);
	/* All of linux/vhost.h.   Return: 0, -errno. */
	int (*control)(struct vhost_kernel *k, int fd, unsigned long request,
		       void *arg);
	/* Messages of the IOTLB, one at a time.   Return: bytes, -errno. */
	ssize_t (*read)(struct vhost_kernel *k, int fd, void *buf, size_t len);
	ssize_t (*write)(struct vhost_kernel *k, int fd, const void *buf,
			 size_t len);
	/* May frames be read after the write that ended their translation?
	 * -errno if nobody knows. */
	int (*sends_late)(struct vhost_kernel *k);
};

struct vhost_kernel {
	const struct vhost_kernel_ops *ops;
};

/* The one there is. */
struct vhost_kernel *vhost_kernel(void);

/*
 * vhost_kernel_new - the kernel as the server of @pairs pairs of queues:
 * everything that the host can say no to before the guest runs.
 * @k, @mem: borrowed
 * @translated: behind an IOMMU
 *
 * Return: 0; -errno with a sentence.
 */
int vhost_kernel_new(struct vhost_server **ret_s, struct vhost_kernel *k,
		     const struct gmem *mem, bool translated, unsigned pairs,
		     struct err *err);

#endif
