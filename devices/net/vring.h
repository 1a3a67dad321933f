/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vring.h - a split virtqueue of our own, with buffers of our own, that
 * another process serves: one direction of a network card.
 * [virtio 1.2, 2.7]
 *
 * Each buffer has room for the longest frame and its header, and is one
 * descriptor of the same number.  Frames are copied to and from it, so the
 * other side neither has the guest's memory nor keeps the guest waiting for
 * it.  Whatever that side writes is checked.
 *
 * Threads: under the device's lock.
 */
#ifndef MOAT_DEVICES_NET_VRING_H
#define MOAT_DEVICES_NET_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/gmem.h"

struct vhu_vring_addr_wire;

#define NET_VRING_SIZE 256
/* For 64 KiB of IP, Ethernet's header and virtio's, in whole pages. */
#define NET_VRING_BUF (UINT64_C(17) * 4096)

struct net_vring {
	struct gmem *mem; /* borrowed; shared */
	gpa_t at;
	bool in; /* the other side writes */
	uint16_t next_avail, last_used;
	bool given[NET_VRING_SIZE]; /* the other side has it */
	unsigned nfree;
	uint16_t free[NET_VRING_SIZE];
};

/* Bytes of memory that one takes. */
uint64_t net_vring_bytes(void);

/*
 * net_vring_begin - an empty ring at @at of @mem; if @in, with all buffers
 * given.  The other side does not read it now.
 */
void net_vring_begin(struct net_vring *r, struct gmem *mem, gpa_t at, bool in);

/* Where it is, for SET_VRING_ADDR; all but the index. */
void net_vring_addr(const struct net_vring *r, struct vhu_vring_addr_wire *a);

/*
 * net_vring_take - the next buffer that the other side is done with.
 * @ret_len: bytes it has written, as it says; at most NET_VRING_BUF
 *
 * Return: 1; 0: none; -EPROTO if the ring is broken.
 */
int net_vring_take(struct net_vring *r, unsigned *ret_buf, uint32_t *ret_len);
/* It has @buf, which it has not, with @len bytes in it or of room. */
void net_vring_give(struct net_vring *r, unsigned buf, uint32_t len);
/* A buffer that is not given.  Return: false if there is none. */
bool net_vring_find(struct net_vring *r, unsigned *ret_buf);

/* Does the other side want to be told of what was given? */
bool net_vring_wants_kick(const struct net_vring *r);
/* Be told (or not) of the next one.  Return: there is one already. */
bool net_vring_arm(struct net_vring *r, bool on);

/* Bytes @at and up of a buffer; they are in it. */
void net_vring_read(const struct net_vring *r, unsigned buf, size_t at,
		    void *dst, size_t len);
void net_vring_write(struct net_vring *r, unsigned buf, size_t at,
		     const void *src, size_t len);

#endif
