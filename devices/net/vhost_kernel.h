/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_kernel.h - the host's kernel as vhost-net shows it.
 *
 * A descriptor of /dev/vhost-net moves the frames of one pair of queues, by
 * the rings of the guest and a tap, in a thread of the kernel's.  It uses this
 * process's addresses, so guest memory may be private.  Behind an IOMMU it
 * keeps translations, and asks for those it has not (iotlb.h).
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

/* What is asked of every kernel, and what behind an IOMMU. */
#define VHOST_FEATURES                                            \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(NET_F_MRG_RXBUF) | \
	 BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_INDIRECT_DESC))
#define VHOST_FEATURES_IOMMU BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

/*
 * vhost_open - a descriptor for a pair of queues on @mem.
 * @translated: behind an IOMMU
 *
 * Return: it; -errno with a sentence.
 */
int vhost_open(struct vhost_kernel *k, const struct gmem *mem, bool translated,
	       struct err *err);

/* Forgets all translations, too; no ring is being served. */
int vhost_set_features(struct vhost_kernel *k, int fd, uint64_t features);

struct vhost_ring {
	unsigned index; /* 0: receives; 1: sends */
	uint16_t size, base;
	/* The host's addresses; IOVAs behind an IOMMU. */
	uint64_t desc, avail, used;
	int kick_fd, call_fd, error_fd;
};

/*
 * vhost_set_ring - tell all of it.
 * vhost_serve - begin, on @tap.  Behind an IOMMU, with translations of the ring
 * there already.
 * vhost_end - and end; no access is under way any more.
 * @ret_base: where to go on
 *
 * Return: 0, -errno.
 */
int vhost_set_ring(struct vhost_kernel *k, int fd, const struct vhost_ring *r);
int vhost_serve(struct vhost_kernel *k, int fd, unsigned index, int tap);
int vhost_end(struct vhost_kernel *k, int fd, unsigned index,
	      uint16_t *ret_base);

#endif
