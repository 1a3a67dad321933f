/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/wire_facts.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

const struct wire_fact wire_facts_kernel[] = {
	{"status ACKNOWLEDGE", VIRTIO_CONFIG_S_ACKNOWLEDGE},
	{"status DRIVER", VIRTIO_CONFIG_S_DRIVER},
	{"status DRIVER_OK", VIRTIO_CONFIG_S_DRIVER_OK},
	{"status FEATURES_OK", VIRTIO_CONFIG_S_FEATURES_OK},
	{"status NEEDS_RESET", VIRTIO_CONFIG_S_NEEDS_RESET},
	{"status FAILED", VIRTIO_CONFIG_S_FAILED},
	{"feature INDIRECT_DESC", VIRTIO_RING_F_INDIRECT_DESC},
	{"feature EVENT_IDX", VIRTIO_RING_F_EVENT_IDX},
	{"feature VERSION_1", VIRTIO_F_VERSION_1},
	{"feature ACCESS_PLATFORM", VIRTIO_F_ACCESS_PLATFORM},
	{"feature RING_PACKED", VIRTIO_F_RING_PACKED},
	{"feature IN_ORDER", VIRTIO_F_IN_ORDER},
	{"feature RING_RESET", VIRTIO_F_RING_RESET},
	{"id net", VIRTIO_ID_NET},
	{"id block", VIRTIO_ID_BLOCK},
	{"id console", VIRTIO_ID_CONSOLE},
	{"id rng", VIRTIO_ID_RNG},
	{"id iommu", VIRTIO_ID_IOMMU},
	{"descriptor NEXT", VRING_DESC_F_NEXT},
	{"descriptor WRITE", VRING_DESC_F_WRITE},
	{"descriptor INDIRECT", VRING_DESC_F_INDIRECT},
	{"available NO_INTERRUPT", VRING_AVAIL_F_NO_INTERRUPT},
	{"used NO_NOTIFY", VRING_USED_F_NO_NOTIFY},
	{"sizeof descriptor", sizeof(struct vring_desc)},
	{"descriptor.addr", offsetof(struct vring_desc, addr)},
	{"descriptor.len", offsetof(struct vring_desc, len)},
	{"descriptor.flags", offsetof(struct vring_desc, flags)},
	{"descriptor.next", offsetof(struct vring_desc, next)},
	{"sizeof used element", sizeof(struct vring_used_elem)},
	{"used element.id", offsetof(struct vring_used_elem, id)},
	{"used element.len", offsetof(struct vring_used_elem, len)},
	{"available.flags", offsetof(struct vring_avail, flags)},
	{"available.idx", offsetof(struct vring_avail, idx)},
	{"available.ring", offsetof(struct vring_avail, ring)},
	{"used_event of 8 entries", offsetof(struct vring_avail, ring[8])},
	{"used.flags", offsetof(struct vring_used, flags)},
	{"used.idx", offsetof(struct vring_used, idx)},
	{"used.ring", offsetof(struct vring_used, ring)},
	{"avail_event of 8 entries", offsetof(struct vring_used, ring[8])},
};

const size_t wire_facts_kernel_count =
	sizeof(wire_facts_kernel) / sizeof(wire_facts_kernel[0]);
