/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_backend.h - a vhost-user server inside the test, polite or not.
 *
 * A thread of its own answers messages; requests in the rings are served by
 * the test's hand.  It maps the memory it is told of by its descriptors, like
 * a process of its own, and looks addresses up in that alone.
 *
 *	fd = fb_start(&b);		give it to the front end
 *	...
 *	ck_assert(fb_wait(&b, 1));	a request, within seconds
 *	fb_pop(&b, 1, &req);
 *	fb_push(&b, 1, req.head, 16);
 *	fb_stop(&b);
 */
#ifndef MOAT_DEVICES_TESTS_FAKE_BACKEND_H
#define MOAT_DEVICES_TESTS_FAKE_BACKEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/bits.h"
#include "devices/vhost_user/wire.h"

#define FB_RINGS   4
#define FB_ENTRIES 64

/* What QEMU's virtiofsd offers. */
#define FB_FEATURES                                              \
	(BIT_ULL(24) | BIT_ULL(26) | BIT_ULL(28) | BIT_ULL(29) | \
	 BIT_ULL(VHU_F_PROTOCOL_FEATURES) | BIT_ULL(32))
#define FB_PROTOCOL \
	(BIT_ULL(VHU_PROTOCOL_F_MQ) | BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK))

/* What it does instead of answering @request. */
struct fb_prank {
	uint32_t request; /* 0: none */
	/* These bytes, with @nfds descriptors; then it goes on. */
	uint8_t bytes[64];
	size_t len;
	unsigned nfds;
	bool hang_up; /* then, or at once with len 0 */
	bool silent;  /* no answer at all */
};

struct fb_ring {
	uint32_t num;
	uint64_t desc, avail, used; /* user addresses of the front end */
	int kick_fd, call_fd;
	/* Under the server's lock; and how often it was. */
	bool enabled;
	unsigned begun;
	uint16_t last_avail, used_idx;
	unsigned calls;
};

/* A translation. */
struct fb_entry {
	uint64_t first, last;
	uint64_t user; /* address of the front end */
	uint64_t access;
};

struct fb_region {
	struct vhu_region_wire wire;
	uint8_t *base; /* of the mapping, which starts at file offset 0 */
	size_t mapped;
};

struct fb_req {
	uint16_t head;
	unsigned nout, nin; /* device-readable, device-writable */
	struct iovec out[1024], in[1024];
};

struct fake_backend {
	/* Set before fb_start(): */
	uint64_t features, protocol, max_rings;
	/* Of the device; under @lock from then on. */
	uint8_t config[VHU_CONFIG_MAX];
	uint32_t config_max; /* it has no more bytes of it */
	uint32_t refuse;     /* answer this SET with an error; 0: none */
	struct fb_prank prank;
	/* Under @lock: INVALIDATE is carried out, and not answered. */
	bool mute;
	/* Under @lock: it has been hung up on, and is not done yet. */
	bool lingers;
	bool dying; /* it has seen that */
	/* Its own: */
	int fd;
	int listener;	 /* -1: the front end was given the other end */
	int channel;	 /* for what it says by itself; -1: none */
	unsigned writes; /* under @lock: SET_CONFIG so far */
	struct vhu_config_wire written; /* under @lock: the last of them */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started;
	uint64_t agreed, agreed_protocol;
	unsigned messages;
	unsigned nregions;
	struct fb_region regions[VHU_REGIONS_MAX];
	struct fb_ring rings[FB_RINGS];
	/* Under @lock; behind an IOMMU rings and buffers are looked up here. */
	unsigned nentries;
	struct fb_entry entries[FB_ENTRIES];
	unsigned invalidations, updates;
};

/* The polite one's settings. */
void fb_init(struct fake_backend *b);
/* Return: the front end's end. */
int fb_start(struct fake_backend *b);
/* Wait for the front end at @path, a socket that is made anew. */
void fb_listen(struct fake_backend *b, const char *path);
/* All rings that it was told of are enabled, at least @nrings. */
void fb_wait_connected(struct fake_backend *b, unsigned nrings);
/* Ring @ring is enabled, for the @n-th time at least. */
void fb_wait_begun(struct fake_backend *b, unsigned ring, unsigned n);
/* There were @n writes of configuration. */
void fb_wait_writes(struct fake_backend *b, unsigned n);
/* It takes its time to be done when somebody has hung up. */
void fb_linger(struct fake_backend *b, bool on);
void fb_wait_dying(struct fake_backend *b);
/* Hangs up, and is done; also without fb_start(). */
void fb_stop(struct fake_backend *b);
/* The same once one of both has hung up by itself. */
void fb_wait_end(struct fake_backend *b);

/*
 * After the front end is connected:
 */

/* Is there a request?  Waits some seconds for a kick. */
bool fb_wait(struct fake_backend *b, unsigned ring);
bool fb_pop(struct fake_backend *b, unsigned ring, struct fb_req *req);
void fb_push(struct fake_backend *b, unsigned ring, uint32_t head,
	     uint32_t len);
/* The same without a call. */
void fb_put(struct fake_backend *b, unsigned ring, uint32_t head, uint32_t len);

/* Say that the configuration has changed.  Return: the word that it was heard,
 * UINT64_MAX if there was none. */
uint64_t fb_change_config(struct fake_backend *b);

/* Ask for a translation.  Return: as fb_change_config(), if it was asked for
 * an answer. */
void fb_miss(struct fake_backend *b, uint64_t at, unsigned access);
uint64_t fb_miss_acked(struct fake_backend *b, uint64_t at, unsigned access);
/* Is there one?  Return: the front end's address; 0. */
uint64_t fb_reach(struct fake_backend *b, uint64_t at, unsigned access);
/* There were @n INVALIDATEs. */
void fb_wait_invalidations(struct fake_backend *b, unsigned n);

/* The rude ones. */
void fb_set_used_idx(struct fake_backend *b, unsigned ring, uint16_t idx);
void fb_call(struct fake_backend *b, unsigned ring);

/* All of one half, in order. */
size_t fb_gather(const struct iovec *iov, unsigned n, void *dst, size_t len);
void fb_scatter(const struct iovec *iov, unsigned n, const void *src,
		size_t len);

#endif
