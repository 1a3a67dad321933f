/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * wire.h - messages between a front end and its server.
 *
 * The protocol is that of "vhost-user Protocol" in QEMU's documentation
 * (docs/interop/vhost-user.rst).  Both sides run on one machine and numbers
 * have its byte order, so these structs hold plain integers.
 */
#ifndef MOAT_DEVICES_VHOST_USER_WIRE_H
#define MOAT_DEVICES_VHOST_USER_WIRE_H

#include <assert.h>
#include <stdint.h>

enum vhu_request {
	VHU_GET_FEATURES = 1,
	VHU_SET_FEATURES = 2,
	VHU_SET_OWNER = 3,
	VHU_SET_MEM_TABLE = 5,
	VHU_SET_VRING_NUM = 8,
	VHU_SET_VRING_ADDR = 9,
	VHU_SET_VRING_BASE = 10,
	VHU_GET_VRING_BASE = 11,
	VHU_SET_VRING_KICK = 12,
	VHU_SET_VRING_CALL = 13,
	VHU_SET_VRING_ERR = 14,
	VHU_GET_PROTOCOL_FEATURES = 15,
	VHU_SET_PROTOCOL_FEATURES = 16,
	VHU_GET_QUEUE_NUM = 17,
	VHU_SET_VRING_ENABLE = 18,
	VHU_SET_BACKEND_REQ_FD = 21,
	VHU_IOTLB_MSG = 22,
	VHU_GET_CONFIG = 24,
	VHU_SET_CONFIG = 25,
};

/* What a server says by itself, on a channel of its own. */
enum vhu_backend_request {
	VHU_BACKEND_IOTLB_MSG = 1,
	VHU_BACKEND_CONFIG_CHANGE = 2,
};

/* The virtio feature bit that stands for "speaks protocol features". */
#define VHU_F_PROTOCOL_FEATURES 30

/* Protocol feature bits. */
#define VHU_PROTOCOL_F_MQ	   0
#define VHU_PROTOCOL_F_REPLY_ACK   3
#define VHU_PROTOCOL_F_BACKEND_REQ 5
#define VHU_PROTOCOL_F_CONFIG	   9

struct vhu_header_wire {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};
static_assert(sizeof(struct vhu_header_wire) == 12, "vhost-user, Header");

#define VHU_VERSION	 1u /* in bits 0 and 1 of flags */
#define VHU_VERSION_MASK 3u
#define VHU_REPLY	 4u
#define VHU_NEED_REPLY	 8u

struct vhu_vring_state_wire {
	uint32_t index;
	uint32_t num;
};
static_assert(sizeof(struct vhu_vring_state_wire) == 8, "vring state");

struct vhu_vring_addr_wire {
	uint32_t index;
	uint32_t flags;
	uint64_t desc, used, avail; /* user addresses of the front end */
	uint64_t log;
};
static_assert(sizeof(struct vhu_vring_addr_wire) == 40, "vring address");

struct vhu_region_wire {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

#define VHU_REGIONS_MAX 8

struct vhu_memory_wire {
	uint32_t nregions;
	uint32_t padding;
	struct vhu_region_wire regions[VHU_REGIONS_MAX];
};
static_assert(sizeof(struct vhu_memory_wire) == 8 + 8 * 32, "memory table");

/* Of both requests that are named after it. */
enum vhu_iotlb_type {
	VHU_IOTLB_MISS = 1,
	VHU_IOTLB_UPDATE = 2,
	VHU_IOTLB_INVALIDATE = 3,
};

struct vhu_iotlb_wire {
	uint64_t iova;
	uint64_t size;
	uint64_t user_addr;
	uint8_t access; /* 1: read, 2: write */
	uint8_t type;
	uint8_t padding[6];
};
static_assert(sizeof(struct vhu_iotlb_wire) == 32, "IOTLB message");

#define VHU_CONFIG_MAX 256

/* As many bytes of @region as @size says go over the socket. */
struct vhu_config_wire {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t region[VHU_CONFIG_MAX];
};
static_assert(sizeof(struct vhu_config_wire) == 12 + 256, "device config");

/* Of SET_VRING_KICK and SET_VRING_CALL: the ring's index in bits 0 to 7. */
#define VHU_RINGS_MAX 256

#endif
