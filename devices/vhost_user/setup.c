/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a server is told before it gets work: features, memory, rings.  It is
 * told once; a reset by the guest is none of its business.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "devices/vhost_user/frontend.h"
#include "devices/vhost_user/private.h"

/* Without these there is no shadow ring. */
#define NEEDED (BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_INDIRECT_DESC))
#define WANTED (BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VHU_F_PROTOCOL_FEATURES))

static uint64_t rings_bytes(const struct virtio_dev *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->nvqs; i++)
		sum += vhu_ring_bytes(d->vqs[i].size_max);
	return sum;
}

static int make_rings(struct vhu *u, struct err *err)
{
	const struct gmem_slot slot = {.size = rings_bytes(u->d)};
	gpa_t at = 0;
	int r = gmem_init_shared(&u->shadow, &slot, 1, err);

	if (r < 0)
		return r;
	u->queues = calloc(u->d->nvqs, sizeof(*u->queues));
	if (!u->queues)
		r = -ENOMEM;
	for (unsigned i = 0; r == 0 && i < u->d->nvqs; i++) {
		const uint16_t size = u->d->vqs[i].size_max;

		u->queues[i].vhu = u;
		r = vhu_ring_init(&u->queues[i].ring, &u->shadow, at, size);
		at += vhu_ring_bytes(size);
	}
	return r < 0 ? err_errno(err, -r, "cannot have shadow rings") : 0;
}

/*
 * Features.
 */

static int agree_on_protocol(struct vhu_link *l, unsigned nrings,
			     struct err *err)
{
	const uint64_t known =
		BIT_ULL(VHU_PROTOCOL_F_MQ) | BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK);
	uint64_t features, max;
	int r = vhu_get(l, VHU_GET_PROTOCOL_FEATURES, &features, err);

	if (r < 0)
		return r;
	features &= known;
	r = vhu_set_u64(l, VHU_SET_PROTOCOL_FEATURES, features, err);
	if (r < 0)
		return r;
	l->acks = features & BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK);
	if (!(features & BIT_ULL(VHU_PROTOCOL_F_MQ)))
		return 0;
	r = vhu_get(l, VHU_GET_QUEUE_NUM, &max, err);
	if (r == 0 && max < nrings)
		r = err_set(err, ENOTSUP,
			    "has %" PRIu64 " queues, not the %u it takes", max,
			    nrings);
	return r;
}

static int agree(struct vhu *u, uint64_t features, uint64_t *ret_agreed,
		 struct err *err)
{
	const uint64_t needed = NEEDED | features;
	uint64_t offered;
	int r = vhu_get(&u->link, VHU_GET_FEATURES, &offered, err);

	if (r < 0)
		return r;
	if (needed & ~offered)
		return err_set(err, ENOTSUP, "lacks the features %#" PRIx64,
			       needed & ~offered);
	if (offered & BIT_ULL(VHU_F_PROTOCOL_FEATURES))
		r = agree_on_protocol(&u->link, u->d->nvqs, err);
	if (r == 0)
		r = vhu_set(&u->link, VHU_SET_OWNER, NULL, 0, NULL, 0, err);
	*ret_agreed = offered & (needed | WANTED);
	if (r == 0)
		r = vhu_set_u64(&u->link, VHU_SET_FEATURES, *ret_agreed, err);
	return r;
}

/*
 * Memory: all of it at its own address here, so that a host's address, which
 * is what a translation ends at, is an address for the server.
 */

/* Sorted by address: the servers in Rust take nothing else. */
static void add_region(struct vhu_memory_wire *table, int *fds,
		       const struct vhu_region_wire *r, int fd)
{
	uint32_t i = table->nregions++;

	for (; i > 0 && table->regions[i - 1].guest_addr > r->guest_addr; i--) {
		table->regions[i] = table->regions[i - 1];
		fds[i] = fds[i - 1];
	}
	table->regions[i] = *r;
	fds[i] = fd;
}

static int add_memory(struct vhu_memory_wire *table, int *fds,
		      const struct gmem *m)
{
	if (m->fd < 0)
		return -ENOTSUP;
	for (unsigned i = 0; i < m->nslots; i++) {
		const struct gmem_slot *s = &m->slots[i];
		const uint64_t host = (uintptr_t)s->host;
		const struct vhu_region_wire r = {
			.guest_addr = host,
			.size = s->size,
			.user_addr = host,
			.mmap_offset = s->file_offset,
		};

		if (table->nregions == VHU_REGIONS_MAX)
			return -E2BIG;
		add_region(table, fds, &r, m->fd);
	}
	return 0;
}

static int tell_memory(struct vhu *u, struct err *err)
{
	struct vhu_memory_wire table = {0};
	int fds[VHU_REGIONS_MAX];
	int r = add_memory(&table, fds, u->d->dma->mem);

	if (r == 0)
		r = add_memory(&table, fds, &u->shadow);
	if (r == -ENOTSUP)
		return err_set(err, ENOTSUP, "cannot map private memory");
	if (r < 0)
		return err_set(err, E2BIG, "knows %d regions of memory only",
			       VHU_REGIONS_MAX);
	return vhu_set(&u->link, VHU_SET_MEM_TABLE, &table,
		       offsetof(struct vhu_memory_wire, regions) +
			       table.nregions * sizeof(table.regions[0]),
		       fds, table.nregions, err);
}

/*
 * Rings.
 */

static int tell_state(struct vhu *u, enum vhu_request request, unsigned index,
		      uint32_t num, struct err *err)
{
	const struct vhu_vring_state_wire s = {.index = index, .num = num};

	return vhu_set(&u->link, request, &s, sizeof(s), NULL, 0, err);
}

static int tell_fd(struct vhu *u, enum vhu_request request, unsigned index,
		   int fd, struct err *err)
{
	const uint64_t ring = index;

	return vhu_set(&u->link, request, &ring, sizeof(ring), &fd, 1, err);
}

static int tell_ring(struct vhu *u, unsigned i, bool enable, struct err *err)
{
	const struct vhu_ring *ring = &u->queues[i].ring;
	struct vhu_vring_addr_wire addr;
	int r = tell_state(u, VHU_SET_VRING_NUM, i, ring->size, err);

	vhu_ring_addr(ring, &addr);
	addr.index = i;
	if (r == 0)
		r = tell_state(u, VHU_SET_VRING_BASE, i, 0, err);
	if (r == 0)
		r = vhu_set(&u->link, VHU_SET_VRING_ADDR, &addr, sizeof(addr),
			    NULL, 0, err);
	if (r == 0)
		r = tell_fd(u, VHU_SET_VRING_CALL, i, ring->call_fd, err);
	if (r == 0)
		r = tell_fd(u, VHU_SET_VRING_KICK, i, ring->kick_fd, err);
	if (r == 0 && enable)
		r = tell_state(u, VHU_SET_VRING_ENABLE, i, 1, err);
	return r;
}

static int set_up(struct vhu *u, uint64_t features, struct err *err)
{
	uint64_t agreed = 0;
	bool enable;
	int r = agree(u, features, &agreed, err);

	/* Rings are enabled from the start for whoever has no such bit. */
	enable = agreed & BIT_ULL(VHU_F_PROTOCOL_FEATURES);
	if (r == 0)
		r = tell_memory(u, err);
	for (unsigned i = 0; r == 0 && i < u->d->nvqs; i++) {
		u->queues[i].ring.event_idx =
			agreed & BIT_ULL(VIRTIO_F_EVENT_IDX);
		r = tell_ring(u, i, enable, err);
	}
	if (r < 0)
		return r;
	r = vhu_listen(u);
	return r < 0 ? err_errno(err, -r, "cannot be listened to") : 0;
}

int vhu_connect(struct vhu *u, int fd, uint64_t features, unsigned timeout_ms,
		struct err *err)
{
	int r;

	vhu_link_init(&u->link, fd, timeout_ms);
	r = make_rings(u, err);
	if (r == 0)
		r = set_up(u, features, err);
	return r;
}

void vhu_fini(struct vhu *u)
{
	if (!u->d)
		return;
	u->connected = false;
	loop_timer_del(&u->patience);
	loop_watch_del(&u->hangup);
	for (unsigned i = 0; u->queues && i < u->d->nvqs; i++)
		loop_watch_del(&u->queues[i].calls);
	if (u->d->loop)
		loop_barrier(u->d->loop);
	for (unsigned i = 0; u->queues && i < u->d->nvqs; i++)
		vhu_ring_fini(&u->queues[i].ring);
	vhu_link_fini(&u->link);
	gmem_fini(&u->shadow);
	free(u->queues);
	vhu_init(u, NULL, NULL);
}
