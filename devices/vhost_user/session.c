/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a server is told before it gets work: features, memory, rings.  It is
 * told once; a reset by the guest is none of its business.
 */
#include "devices/vhost_user/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "virtio/device.h"

/* Without these there is no shadow ring. */
#define NEEDED (BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_INDIRECT_DESC))
#define WANTED (BIT_ULL(VIRTIO_F_EVENT_IDX) | BIT_ULL(VHU_F_PROTOCOL_FEATURES))

/*
 * Features.
 */

static uint64_t known_protocol(const struct vhu_wants *w)
{
	uint64_t known = BIT_ULL(VHU_PROTOCOL_F_MQ) |
			 BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK) | w->protocol;

	if (w->config_len > 0)
		known |= BIT_ULL(VHU_PROTOCOL_F_CONFIG) |
			 BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ);
	return known;
}

/* A channel for the server's own words: its configuration, its misses. */
static int open_channel(struct vhu_session *s, struct err *err)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_errno(err, errno, "cannot have a channel");
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->talk.channel = fds[0];
	r = vhu_set(&s->link, VHU_SET_BACKEND_REQ_FD, NULL, 0, &fds[1], 1, err);
	close(fds[1]);
	return r;
}

static int agree_on_protocol(struct vhu_session *s, const struct vhu_wants *w,
			     struct err *err)
{
	struct vhu_link *l = &s->link;
	uint64_t features, max;
	int r = vhu_get(l, VHU_GET_PROTOCOL_FEATURES, &features, err);

	if (r < 0)
		return r;
	features &= known_protocol(w);
	r = vhu_set_u64(l, VHU_SET_PROTOCOL_FEATURES, features, err);
	if (r < 0)
		return r;
	s->protocol = features;
	l->acks = features & BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK);
	if (features & BIT_ULL(VHU_PROTOCOL_F_CONFIG))
		s->config_len = w->config_len;
	if (features & BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ))
		r = open_channel(s, err);
	if (r < 0 || !(features & BIT_ULL(VHU_PROTOCOL_F_MQ)))
		return r;
	r = vhu_get(l, VHU_GET_QUEUE_NUM, &max, err);
	if (r == 0)
		s->queues_max = (unsigned)min_u64(max, UINT16_MAX);
	return r;
}

static int greet(struct vhu_session *s, const struct vhu_wants *w,
		 struct err *err)
{
	const uint64_t needed = NEEDED | w->features;
	uint64_t offered;
	int r = vhu_get(&s->link, VHU_GET_FEATURES, &offered, err);

	if (r < 0)
		return r;
	if (needed & ~offered)
		return err_set(err, ENOTSUP, "lacks the features %#" PRIx64,
			       needed & ~offered);
	s->features = offered & (needed | w->extras | WANTED);
	/* Without that bit it is for the device to know. */
	s->queues_max = UINT16_MAX;
	if (offered & BIT_ULL(VHU_F_PROTOCOL_FEATURES))
		r = agree_on_protocol(s, w, err);
	if (r == 0 && s->queues_max < w->queues)
		r = err_set(err, ENOTSUP, "has %u queues, not the %u it takes",
			    s->queues_max, w->queues);
	if (r == 0 && s->config_len < w->config_len)
		r = err_set(err, ENOTSUP,
			    "does not tell its device's configuration");
	if (r == 0)
		r = vhu_set(&s->link, VHU_SET_OWNER, NULL, 0, NULL, 0, err);
	if (r == 0 && s->config_len > 0)
		r = vhu_get_config(&s->link, s->config, s->config_len, err);
	return r;
}

int vhu_session_greet(struct vhu_session **ret_s, int fd,
		      const struct vhu_wants *wants, unsigned timeout_ms,
		      struct err *err)
{
	struct vhu_session *s = calloc(1, sizeof(*s));
	int r;

	assert(wants->config_len <= VHU_CONFIG_MAX);
	if (!s) {
		close(fd);
		return err_set(err, ENOMEM, "cannot be served: out of memory");
	}
	s->shadow.fd = -1;
	s->talk.channel = -1;
	vhu_link_init(&s->link, fd, timeout_ms);
	r = greet(s, wants, err);
	if (r < 0) {
		vhu_session_free(s);
		return r;
	}
	*ret_s = s;
	return 0;
}

void vhu_session_free(struct vhu_session *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->nqueues; i++)
		vhu_ring_fini(&s->queues[i].ring);
	vhu_link_fini(&s->link);
	if (s->talk.channel >= 0)
		close(s->talk.channel);
	gmem_fini(&s->shadow);
	free(s->queues);
	free(s);
}

/*
 * Memory and rings of our own.
 */

static uint64_t rings_bytes(const struct virtio_dev *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->nvqs; i++)
		sum += vhu_ring_bytes(d->vqs[i].size_max);
	return sum;
}

static int make_rings(struct vhu_session *s, const struct virtio_dev *d,
		      struct err *err)
{
	const struct gmem_slot slot = {.size = rings_bytes(d)};
	gpa_t at = 0;
	int r = gmem_init_shared(&s->shadow, &slot, 1, err);

	if (r < 0)
		return r;
	s->queues = calloc(d->nvqs, sizeof(*s->queues));
	if (!s->queues)
		r = -ENOMEM;
	for (; r == 0 && s->nqueues < d->nvqs; s->nqueues++) {
		const uint16_t size = d->vqs[s->nqueues].size_max;

		r = vhu_ring_init(&s->queues[s->nqueues].ring, &s->shadow, at,
				  size);
		at += vhu_ring_bytes(size);
	}
	return r < 0 ? err_errno(err, -r, "cannot have shadow rings") : 0;
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

static int tell_memory(struct vhu_session *s, const struct virtio_dev *d,
		       struct err *err)
{
	struct vhu_memory_wire table = {0};
	int fds[VHU_REGIONS_MAX];
	int r = add_memory(&table, fds, d->dma->mem);

	if (r == 0)
		r = add_memory(&table, fds, &s->shadow);
	if (r == -ENOTSUP)
		return err_set(err, ENOTSUP, "cannot map private memory");
	if (r < 0)
		return err_set(err, E2BIG, "knows %d regions of memory only",
			       VHU_REGIONS_MAX);
	return vhu_set(&s->link, VHU_SET_MEM_TABLE, &table,
		       offsetof(struct vhu_memory_wire, regions) +
			       table.nregions * sizeof(table.regions[0]),
		       fds, table.nregions, err);
}

/*
 * Rings.
 */

static int tell_state(struct vhu_session *s, enum vhu_request request,
		      unsigned index, uint32_t num, struct err *err)
{
	const struct vhu_vring_state_wire state = {.index = index, .num = num};

	return vhu_set(&s->link, request, &state, sizeof(state), NULL, 0, err);
}

static int tell_fd(struct vhu_session *s, enum vhu_request request,
		   unsigned index, int fd, struct err *err)
{
	const uint64_t ring = index;

	return vhu_set(&s->link, request, &ring, sizeof(ring), &fd, 1, err);
}

static int tell_ring(struct vhu_session *s, unsigned i, struct err *err)
{
	const struct vhu_ring *ring = &s->queues[i].ring;
	struct vhu_vring_addr_wire addr;
	int r = tell_state(s, VHU_SET_VRING_NUM, i, ring->size, err);

	vhu_ring_addr(ring, &addr);
	addr.index = i;
	if (r == 0)
		r = tell_state(s, VHU_SET_VRING_BASE, i, 0, err);
	if (r == 0)
		r = vhu_set(&s->link, VHU_SET_VRING_ADDR, &addr, sizeof(addr),
			    NULL, 0, err);
	if (r == 0)
		r = tell_fd(s, VHU_SET_VRING_CALL, i, ring->call_fd, err);
	if (r == 0)
		r = tell_fd(s, VHU_SET_VRING_KICK, i, ring->kick_fd, err);
	/* Rings are enabled from the start for whoever has no such bit. */
	if (r == 0 && s->features & BIT_ULL(VHU_F_PROTOCOL_FEATURES))
		r = tell_state(s, VHU_SET_VRING_ENABLE, i, 1, err);
	return r;
}

int vhu_session_join(struct vhu_session *s, const struct virtio_dev *d,
		     struct err *err)
{
	int r = make_rings(s, d, err);

	if (r == 0)
		r = vhu_set_u64(&s->link, VHU_SET_FEATURES, s->features, err);
	if (r == 0)
		r = tell_memory(s, d, err);
	for (unsigned i = 0; r == 0 && i < s->nqueues; i++) {
		s->queues[i].ring.event_idx =
			s->features & BIT_ULL(VIRTIO_F_EVENT_IDX);
		r = tell_ring(s, i, err);
	}
	return r;
}
