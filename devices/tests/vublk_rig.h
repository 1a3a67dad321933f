/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vublk_rig.h - a disk that a fake server serves, and its driver.
 *
 * The server's disk is that of blk_pattern(), and cannot be written.
 */
#ifndef MOAT_DEVICES_TESTS_VUBLK_RIG_H
#define MOAT_DEVICES_TESTS_VUBLK_RIG_H

#include "core/err.h"
#include "devices/blk/served.h"
#include "devices/tests/blk_fixture.h"
#include "devices/tests/fake_backend.h"

#define RIG_SECTORS 8192u

/* What the server offers; FLUSH and a cache to be switched among it. */
#define RIG_FEATURES                                                      \
	(FB_FEATURES | BIT_ULL(BLK_F_SIZE_MAX) | BIT_ULL(BLK_F_SEG_MAX) | \
	 BIT_ULL(BLK_F_BLK_SIZE) | BIT_ULL(BLK_F_FLUSH) |                 \
	 BIT_ULL(BLK_F_TOPOLOGY) | BIT_ULL(BLK_F_CONFIG_WCE) |            \
	 BIT_ULL(BLK_F_MQ) | BIT_ULL(BLK_F_DISCARD) |                     \
	 BIT_ULL(BLK_F_WRITE_ZEROES))
#define RIG_PROTOCOL                                    \
	(FB_PROTOCOL | BIT_ULL(VHU_PROTOCOL_F_CONFIG) | \
	 BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ))

/* What the driver takes. */
#define RIG_DRIVER                                                   \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(BLK_F_FLUSH))

#define RIG_TIMEOUT_MS 10000

struct vublk_rig {
	struct blk_fixture f;
	struct fake_backend b;
	struct vublk_config config;
	char dir[32], path[48]; /* of the socket */
	struct err err;
};

/* A polite server and a configuration, both to be changed before rig_up(). */
void rig_init(struct vublk_rig *r);
void rig_server(struct fake_backend *b);
/* The device; the server is given it (or listens, with config.socket r->path).
 * Return: as vublk_new(). */
int rig_make(struct vublk_rig *r, unsigned ways);
void rig_up(struct vublk_rig *r, unsigned ways, uint64_t features);
void rig_down(struct vublk_rig *r);

/* The next server at the socket; waits until it is the device's. */
void rig_next_server(struct vublk_rig *r);

/* A request of one sector, begun. */
struct blk_call rig_read(struct vublk_rig *r, unsigned queue, uint64_t sector);
/* Its end.  Return: the status. */
uint8_t rig_wait(struct vublk_rig *r, unsigned queue, const struct blk_call *c);
/* The server takes the next request of @ring... */
void rig_take(struct vublk_rig *r, unsigned ring, struct fb_req *req);
/* ... and carries it out.  Return: length. */
uint32_t rig_carry_out(const struct fb_req *req);
/* Both, and says so. */
void rig_serve(struct vublk_rig *r, unsigned ring);

#endif
