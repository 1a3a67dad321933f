/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/wire_facts.h"

#include "virtio/wire.h"

const struct wire_fact wire_facts_ours[] = {
	{"status ACKNOWLEDGE", VIRTIO_STATUS_ACKNOWLEDGE},
	{"status DRIVER", VIRTIO_STATUS_DRIVER},
	{"status DRIVER_OK", VIRTIO_STATUS_DRIVER_OK},
	{"status FEATURES_OK", VIRTIO_STATUS_FEATURES_OK},
	{"status NEEDS_RESET", VIRTIO_STATUS_NEEDS_RESET},
	{"status FAILED", VIRTIO_STATUS_FAILED},
	{"feature INDIRECT_DESC", VIRTIO_F_INDIRECT_DESC},
	{"feature EVENT_IDX", VIRTIO_F_EVENT_IDX},
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
	{"descriptor NEXT", VQ_DESC_F_NEXT},
	{"descriptor WRITE", VQ_DESC_F_WRITE},
	{"descriptor INDIRECT", VQ_DESC_F_INDIRECT},
	{"available NO_INTERRUPT", VQ_AVAIL_F_NO_INTERRUPT},
	{"used NO_NOTIFY", VQ_USED_F_NO_NOTIFY},
	{"sizeof descriptor", sizeof(struct vq_desc_wire)},
	{"descriptor.addr", offsetof(struct vq_desc_wire, addr)},
	{"descriptor.len", offsetof(struct vq_desc_wire, len)},
	{"descriptor.flags", offsetof(struct vq_desc_wire, flags)},
	{"descriptor.next", offsetof(struct vq_desc_wire, next)},
	{"sizeof used element", sizeof(struct vq_used_elem_wire)},
	{"used element.id", offsetof(struct vq_used_elem_wire, id)},
	{"used element.len", offsetof(struct vq_used_elem_wire, len)},
	{"available.flags", 0},
	{"available.idx", VQ_RING_IDX},
	{"available.ring", VQ_RING_ENTRIES},
	{"used_event of 8 entries", VQ_RING_ENTRIES + 8 * sizeof(le16_t)},
	{"used.flags", 0},
	{"used.idx", VQ_RING_IDX},
	{"used.ring", VQ_RING_ENTRIES},
	{"avail_event of 8 entries",
	 VQ_RING_ENTRIES + 8 * sizeof(struct vq_used_elem_wire)},
};

const size_t wire_facts_ours_count =
	sizeof(wire_facts_ours) / sizeof(wire_facts_ours[0]);
