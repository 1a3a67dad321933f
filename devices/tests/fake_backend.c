/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/fake_backend.h"

#include <assert.h>
#include <check.h>
#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "virtio/wire.h"

#define PATIENCE_MS 10000

void fb_init(struct fake_backend *b)
{
	*b = (struct fake_backend){
		.features = FB_FEATURES,
		.protocol = FB_PROTOCOL,
		.max_rings = FB_RINGS,
		.config_max = VHU_CONFIG_MAX,
		.fd = -1,
		.listener = -1,
		.channel = -1,
	};
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->changed, NULL);
	for (unsigned i = 0; i < FB_RINGS; i++)
		b->rings[i].kick_fd = b->rings[i].call_fd = -1;
}

/*
 * Messages.
 */

struct message {
	struct vhu_header_wire h;
	union {
		uint64_t val;
		struct vhu_vring_state_wire state;
		struct vhu_vring_addr_wire addr;
		struct vhu_memory_wire memory;
		struct vhu_config_wire config;
		struct vhu_iotlb_wire iotlb;
	} body;
	int fds[VHU_REGIONS_MAX];
	unsigned nfds;
};

static bool read_full(int fd, void *buf, size_t len, struct message *m)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VHU_REGIONS_MAX * sizeof(int))];
	} control;

	while (len > 0) {
		struct iovec iov = {.iov_base = buf, .iov_len = len};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (n <= 0)
			return false;
		if (c) {
			m->nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) /
					     sizeof(int));
			memcpy(m->fds, CMSG_DATA(c), m->nfds * sizeof(int));
		}
		buf = (uint8_t *)buf + n;
		len -= (size_t)n;
	}
	return true;
}

static bool receive(int fd, struct message *m)
{
	memset(m, 0, sizeof(*m));
	return read_full(fd, &m->h, sizeof(m->h), m) &&
	       m->h.size <= sizeof(m->body) &&
	       read_full(fd, &m->body, m->h.size, m);
}

static void answer_bytes(struct fake_backend *b, const struct message *m,
			 const void *body, uint32_t len)
{
	const struct vhu_header_wire h = {
		.request = m->h.request,
		.flags = VHU_VERSION | VHU_REPLY,
		.size = len,
	};
	uint8_t bytes[sizeof(h) + sizeof(m->body)];

	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), body, len);
	(void)send(b->fd, bytes, sizeof(h) + len, MSG_NOSIGNAL);
}

static void answer(struct fake_backend *b, const struct message *m,
		   uint64_t val)
{
	answer_bytes(b, m, &val, sizeof(val));
}

static void answer_config(struct fake_backend *b, const struct message *m)
{
	struct vhu_config_wire c = m->body.config;
	const uint8_t *from = b->config + c.offset;
	bool has;

	pthread_mutex_lock(&b->lock);
	has = c.offset + c.size <= b->config_max;
	if (has)
		memcpy(c.region, from, c.size);
	pthread_mutex_unlock(&b->lock);
	answer_bytes(b, m, &c, has ? m->h.size : 0);
}

static void set_state(struct fake_backend *b, struct fb_ring *r, bool enabled)
{
	pthread_mutex_lock(&b->lock);
	r->begun += enabled && !r->enabled;
	r->enabled = enabled;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static void write_config(struct fake_backend *b, const struct message *m)
{
	pthread_mutex_lock(&b->lock);
	b->written = m->body.config;
	b->writes++;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static void map_memory(struct fake_backend *b, const struct message *m)
{
	b->nregions = m->body.memory.nregions;
	assert(b->nregions == m->nfds);
	for (unsigned i = 0; i < b->nregions; i++) {
		struct fb_region *r = &b->regions[i];

		r->wire = m->body.memory.regions[i];
		/* Servers in Rust insist. */
		assert(i == 0 || r->wire.guest_addr > r[-1].wire.guest_addr);
		r->mapped = r->wire.mmap_offset + r->wire.size;
		r->base = mmap(NULL, r->mapped, PROT_READ | PROT_WRITE,
			       MAP_SHARED, m->fds[i], 0);
		assert(r->base != MAP_FAILED);
		close(m->fds[i]);
	}
}

static void replace_fd(int *fd, int by)
{
	if (*fd >= 0)
		close(*fd);
	*fd = by;
}

static void add_translation(struct fake_backend *b, const struct fb_entry *e)
{
	for (unsigned i = 0; i < b->nentries; i++) {
		if (memcmp(&b->entries[i], e, sizeof(*e)) == 0)
			return;
	}
	assert(b->nentries < FB_ENTRIES);
	b->entries[b->nentries++] = *e;
}

/* Return: is there an answer to be? */
static bool take_translation(struct fake_backend *b, const struct message *m)
{
	const struct vhu_iotlb_wire *w = &m->body.iotlb;
	const uint64_t last = w->iova + (w->size - 1);
	bool answers = true;

	assert(m->h.size == sizeof(*w) && w->size > 0 && last >= w->iova);
	pthread_mutex_lock(&b->lock);
	if (w->type == VHU_IOTLB_UPDATE) {
		const struct fb_entry e = {
			.first = w->iova,
			.last = last,
			.user = w->user_addr,
			.access = w->access,
		};

		add_translation(b, &e);
		b->updates++;
	} else {
		assert(w->type == VHU_IOTLB_INVALIDATE);
		for (unsigned i = 0; i < b->nentries;) {
			if (b->entries[i].first <= last &&
			    b->entries[i].last >= w->iova)
				b->entries[i] = b->entries[--b->nentries];
			else
				i++;
		}
		b->invalidations++;
		answers = !b->mute;
	}
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return answers;
}

static void answer_state(struct fake_backend *b, const struct message *m,
			 uint32_t num)
{
	const struct vhu_vring_state_wire w = {m->body.state.index, num};

	answer_bytes(b, m, &w, sizeof(w));
}

static void take(struct fake_backend *b, const struct message *m)
{
	struct fb_ring *r = &b->rings[m->body.state.index % FB_RINGS];

	switch ((enum vhu_request)m->h.request) {
	case VHU_SET_FEATURES:
		b->agreed = m->body.val;
		break;
	case VHU_SET_PROTOCOL_FEATURES:
		b->agreed_protocol = m->body.val;
		break;
	case VHU_SET_MEM_TABLE:
		map_memory(b, m);
		break;
	case VHU_SET_VRING_NUM:
		r->num = m->body.state.num;
		break;
	case VHU_SET_VRING_BASE:
		r->last_avail = r->used_idx = (uint16_t)m->body.state.num;
		break;
	case VHU_SET_VRING_ADDR:
		r->desc = m->body.addr.desc;
		r->avail = m->body.addr.avail;
		r->used = m->body.addr.used;
		break;
	case VHU_SET_VRING_KICK:
		replace_fd(&r->kick_fd, m->fds[0]);
		break;
	case VHU_SET_VRING_CALL:
		replace_fd(&r->call_fd, m->fds[0]);
		break;
	case VHU_SET_VRING_ENABLE:
		set_state(b, r, m->body.state.num);
		break;
	case VHU_SET_BACKEND_REQ_FD:
		b->channel = m->fds[0];
		break;
	case VHU_SET_VRING_ERR:
		close(m->fds[0]);
		break;
	case VHU_IOTLB_MSG:
		if (!take_translation(b, m))
			return;
		break;
	case VHU_SET_CONFIG:
		write_config(b, m);
		break;
	case VHU_GET_VRING_BASE:
		set_state(b, r, false);
		answer_state(b, m, r->last_avail);
		break;
	case VHU_GET_CONFIG:
	case VHU_SET_OWNER:
	case VHU_GET_FEATURES:
	case VHU_GET_PROTOCOL_FEATURES:
	case VHU_GET_QUEUE_NUM:
		break;
	}
	if (m->h.flags & VHU_NEED_REPLY)
		answer(b, m, m->h.request == b->refuse ? 22 : 0);
}

/* Return: false to hang up. */
static bool play_prank(struct fake_backend *b)
{
	const struct fb_prank *p = &b->prank;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	uint8_t bytes[sizeof(p->bytes)];
	struct iovec iov = {.iov_base = bytes, .iov_len = p->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(bytes, p->bytes, sizeof(bytes));
	if (p->nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(p->nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(p->nfds * sizeof(int));
		for (unsigned i = 0; i < p->nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &b->fd,
			       sizeof(int));
	}
	if (p->len > 0)
		(void)sendmsg(b->fd, &msg, MSG_NOSIGNAL);
	return !p->hang_up;
}

static void take_caller(struct fake_backend *b)
{
	const int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);

	pthread_mutex_lock(&b->lock);
	b->fd = fd;
	pthread_mutex_unlock(&b->lock);
}

static void be_done(struct fake_backend *b)
{
	pthread_mutex_lock(&b->lock);
	b->dying = true;
	pthread_cond_broadcast(&b->changed);
	while (b->lingers)
		pthread_cond_wait(&b->changed, &b->lock);
	b->nentries = 0;
	for (unsigned i = 0; i < FB_RINGS; i++)
		b->rings[i].enabled = false;
	pthread_mutex_unlock(&b->lock);
}

/* As dpdk does: the socket, the device, its own channel. */
static void die(struct fake_backend *b)
{
	if (b->channel < 0)
		be_done(b);
	(void)shutdown(b->fd, SHUT_RDWR);
	if (b->channel >= 0) {
		be_done(b);
		(void)shutdown(b->channel, SHUT_RDWR);
	}
}

static void *serve(void *arg)
{
	struct fake_backend *b = arg;
	struct message m;

	if (b->listener >= 0)
		take_caller(b);

	while (receive(b->fd, &m)) {
		b->messages++;
		if (b->prank.request == m.h.request) {
			for (unsigned i = 0; i < m.nfds; i++)
				close(m.fds[i]);
			if (!b->prank.silent && !play_prank(b))
				break;
		} else if (m.h.request == VHU_GET_FEATURES) {
			answer(b, &m, b->features);
		} else if (m.h.request == VHU_GET_PROTOCOL_FEATURES) {
			answer(b, &m, b->protocol);
		} else if (m.h.request == VHU_GET_QUEUE_NUM) {
			answer(b, &m, b->max_rings);
		} else if (m.h.request == VHU_GET_CONFIG) {
			answer_config(b, &m);
		} else {
			take(b, &m);
		}
	}
	die(b);
	return NULL;
}

int fb_start(struct fake_backend *b)
{
	int fds[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	b->fd = fds[0];
	ck_assert_int_eq(pthread_create(&b->thread, NULL, serve, b), 0);
	b->started = true;
	return fds[1];
}

void fb_listen(struct fake_backend *b, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	(void)unlink(path);
	b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(
		bind(b->listener, (const struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(b->listener, 1), 0);
	ck_assert_int_eq(pthread_create(&b->thread, NULL, serve, b), 0);
	b->started = true;
}

static void wait_changed(struct fake_backend *b)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	ck_assert_int_eq(pthread_cond_timedwait(&b->changed, &b->lock, &until),
			 0);
}

void fb_wait_connected(struct fake_backend *b, unsigned nrings)
{
	pthread_mutex_lock(&b->lock);
	while (!b->rings[nrings - 1].enabled)
		wait_changed(b);
	pthread_mutex_unlock(&b->lock);
}

void fb_wait_begun(struct fake_backend *b, unsigned ring, unsigned n)
{
	pthread_mutex_lock(&b->lock);
	while (b->rings[ring].begun < n || !b->rings[ring].enabled)
		wait_changed(b);
	pthread_mutex_unlock(&b->lock);
}

void fb_wait_writes(struct fake_backend *b, unsigned n)
{
	pthread_mutex_lock(&b->lock);
	while (b->writes < n)
		wait_changed(b);
	pthread_mutex_unlock(&b->lock);
}

/* @len bytes by the server's own channel.  Return: the answer, if one is asked
 * for; UINT64_MAX if none comes. */
static uint64_t say_back(struct fake_backend *b,
			 enum vhu_backend_request request, uint32_t flags,
			 const void *body, size_t len)
{
	struct {
		struct vhu_header_wire h;
		uint8_t body[sizeof(struct vhu_iotlb_wire)];
	} m = {.h = {request, VHU_VERSION | flags, (uint32_t)len}};
	struct pollfd p = {.fd = b->channel, .events = POLLIN};
	struct {
		struct vhu_header_wire h;
		uint8_t word[8];
	} reply;
	const ssize_t all = (ssize_t)(sizeof(m.h) + len);
	uint64_t word;

	if (len > 0)
		memcpy(m.body, body, len);
	ck_assert_int_eq(send(b->channel, &m, (size_t)all, MSG_NOSIGNAL), all);
	if (!(flags & VHU_NEED_REPLY))
		return 0;
	if (poll(&p, 1, PATIENCE_MS) <= 0 ||
	    recv(b->channel, &reply, sizeof(reply), 0) != sizeof(reply) ||
	    reply.h.request != m.h.request ||
	    reply.h.flags != (VHU_VERSION | VHU_REPLY))
		return UINT64_MAX;
	memcpy(&word, reply.word, sizeof(word));
	return word;
}

uint64_t fb_change_config(struct fake_backend *b)
{
	return say_back(b, VHU_BACKEND_CONFIG_CHANGE, VHU_NEED_REPLY, NULL, 0);
}

static uint64_t miss(struct fake_backend *b, uint64_t at, unsigned access,
		     uint32_t flags)
{
	const struct vhu_iotlb_wire w = {
		.iova = at,
		.access = (uint8_t)access,
		.type = VHU_IOTLB_MISS,
	};

	return say_back(b, VHU_BACKEND_IOTLB_MSG, flags, &w, sizeof(w));
}

void fb_miss(struct fake_backend *b, uint64_t at, unsigned access)
{
	(void)miss(b, at, access, 0);
}

uint64_t fb_miss_acked(struct fake_backend *b, uint64_t at, unsigned access)
{
	return miss(b, at, access, VHU_NEED_REPLY);
}

void fb_wait_invalidations(struct fake_backend *b, unsigned n)
{
	pthread_mutex_lock(&b->lock);
	while (b->invalidations < n)
		wait_changed(b);
	pthread_mutex_unlock(&b->lock);
}

void fb_linger(struct fake_backend *b, bool on)
{
	pthread_mutex_lock(&b->lock);
	b->lingers = on;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

void fb_wait_dying(struct fake_backend *b)
{
	pthread_mutex_lock(&b->lock);
	while (!b->dying)
		wait_changed(b);
	pthread_mutex_unlock(&b->lock);
}

void fb_stop(struct fake_backend *b)
{
	if (!b->started)
		return;
	fb_linger(b, false);
	/* Who was not found yet is not waited for. */
	if (b->listener >= 0)
		(void)shutdown(b->listener, SHUT_RDWR);
	pthread_mutex_lock(&b->lock);
	if (b->fd >= 0)
		(void)shutdown(b->fd, SHUT_RDWR);
	pthread_mutex_unlock(&b->lock);
	fb_wait_end(b);
}

void fb_wait_end(struct fake_backend *b)
{
	ck_assert_int_eq(pthread_join(b->thread, NULL), 0);
	b->started = false;
	if (b->fd >= 0)
		close(b->fd);
	if (b->listener >= 0)
		close(b->listener);
	if (b->channel >= 0)
		close(b->channel);
	b->fd = b->listener = b->channel = -1;
	for (unsigned i = 0; i < b->nregions; i++)
		munmap(b->regions[i].base, b->regions[i].mapped);
	for (unsigned i = 0; i < FB_RINGS; i++) {
		if (b->rings[i].kick_fd >= 0)
			close(b->rings[i].kick_fd);
		if (b->rings[i].call_fd >= 0)
			close(b->rings[i].call_fd);
	}
}

/*
 * Rings.
 */

static uint8_t *at_user(struct fake_backend *b, uint64_t addr, size_t len)
{
	for (unsigned i = 0; i < b->nregions; i++) {
		struct fb_region *r = &b->regions[i];

		if (addr - r->wire.user_addr < r->wire.size &&
		    len <= r->wire.size - (addr - r->wire.user_addr))
			return r->base + r->wire.mmap_offset +
			       (addr - r->wire.user_addr);
	}
	ck_abort_msg("no memory at user address %#llx",
		     (unsigned long long)addr);
}

static uint8_t *at_guest(struct fake_backend *b, uint64_t addr, size_t len)
{
	for (unsigned i = 0; i < b->nregions; i++) {
		struct fb_region *r = &b->regions[i];

		if (addr - r->wire.guest_addr < r->wire.size &&
		    len <= r->wire.size - (addr - r->wire.guest_addr))
			return r->base + r->wire.mmap_offset +
			       (addr - r->wire.guest_addr);
	}
	ck_abort_msg("no memory at guest address %#llx",
		     (unsigned long long)addr);
}

static bool translates(const struct fake_backend *b)
{
	return b->agreed >> VIRTIO_F_ACCESS_PLATFORM & 1;
}

uint64_t fb_reach(struct fake_backend *b, uint64_t at, unsigned access)
{
	uint64_t user = 0;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->nentries && !user; i++) {
		const struct fb_entry *e = &b->entries[i];

		if (at >= e->first && at <= e->last &&
		    (e->access & access) == access)
			user = e->user + (at - e->first);
	}
	pthread_mutex_unlock(&b->lock);
	return user;
}

/* Part of a ring. */
static uint8_t *at_ring(struct fake_backend *b, uint64_t addr, size_t len)
{
	return at_user(b, translates(b) ? fb_reach(b, addr, 1) : addr, len);
}

/* A buffer, which lies in one page. */
static uint8_t *at_buffer(struct fake_backend *b, uint64_t addr, size_t len,
			  unsigned access)
{
	return translates(b) ? at_user(b, fb_reach(b, addr, access), len)
			     : at_guest(b, addr, len);
}

static _Atomic uint16_t *word(struct fake_backend *b, uint64_t addr)
{
	uint8_t *p = at_ring(b, addr, 2);
	_Atomic uint16_t *w;

	memcpy(&w, &p, sizeof(w));
	return w;
}

static uint16_t load(struct fake_backend *b, uint64_t addr)
{
	return le16toh(atomic_load(word(b, addr)));
}

static void store(struct fake_backend *b, uint64_t addr, uint16_t val)
{
	atomic_store(word(b, addr), htole16(val));
}

static bool has_event_idx(const struct fake_backend *b)
{
	return b->agreed >> VIRTIO_F_EVENT_IDX & 1;
}

bool fb_wait(struct fake_backend *b, unsigned ring)
{
	struct fb_ring *r = &b->rings[ring];
	struct pollfd p = {.fd = r->kick_fd, .events = POLLIN};

	for (;;) {
		if (has_event_idx(b))
			store(b,
			      r->used + 4 +
				      r->num * sizeof(struct vq_used_elem_wire),
			      r->last_avail);
		if (load(b, r->avail + 2) != r->last_avail)
			return true;
		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return false;
		(void)eventfd_clear(p.fd);
	}
}

static void add_piece(struct fake_backend *b, const struct vq_desc_wire *d,
		      struct fb_req *req)
{
	const uint32_t len = le32_get(d->len);
	const bool in = le16_get(d->flags) & VQ_DESC_F_WRITE;
	const struct iovec iov = {
		.iov_base = at_buffer(b, le64_get(d->addr), len, in ? 2 : 1),
		.iov_len = len,
	};

	if (in) {
		req->in[req->nin++] = iov;
	} else {
		ck_assert_uint_eq(req->nin, 0);
		req->out[req->nout++] = iov;
	}
}

bool fb_pop(struct fake_backend *b, unsigned ring, struct fb_req *req)
{
	struct fb_ring *r = &b->rings[ring];
	struct vq_desc_wire d, *table;
	unsigned n;

	if (load(b, r->avail + 2) == r->last_avail)
		return false;
	req->nin = req->nout = 0;
	req->head =
		load(b, r->avail + 4 + 2 * (r->last_avail++ & (r->num - 1)));
	ck_assert_uint_lt(req->head, r->num);
	memcpy(&d, at_ring(b, r->desc + req->head * sizeof(d), sizeof(d)),
	       sizeof(d));
	if (!(le16_get(d.flags) & VQ_DESC_F_INDIRECT)) {
		add_piece(b, &d, req);
		return true;
	}
	ck_assert_uint_eq(le16_get(d.flags), VQ_DESC_F_INDIRECT);
	n = le32_get(d.len) / (unsigned)sizeof(d);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, 1024);
	table = (struct vq_desc_wire *)(void *)at_buffer(b, le64_get(d.addr),
							 n * sizeof(d), 1);
	for (unsigned i = 0; i < n; i++) {
		add_piece(b, &table[i], req);
		ck_assert_uint_eq(le16_get(table[i].flags) & VQ_DESC_F_NEXT,
				  i + 1 < n ? VQ_DESC_F_NEXT : 0);
		if (i + 1 < n)
			ck_assert_uint_eq(le16_get(table[i].next), i + 1);
	}
	return true;
}

void fb_call(struct fake_backend *b, unsigned ring)
{
	b->rings[ring].calls++;
	eventfd_signal(b->rings[ring].call_fd);
}

void fb_put(struct fake_backend *b, unsigned ring, uint32_t head, uint32_t len)
{
	struct fb_ring *r = &b->rings[ring];
	const struct vq_used_elem_wire e = {
		.id = le32_put(head),
		.len = le32_put(len),
	};
	const uint16_t old = r->used_idx;

	memcpy(at_ring(b, r->used + 4 + (old & (r->num - 1)) * sizeof(e),
		       sizeof(e)),
	       &e, sizeof(e));
	store(b, r->used + 2, ++r->used_idx);
}

void fb_push(struct fake_backend *b, unsigned ring, uint32_t head, uint32_t len)
{
	struct fb_ring *r = &b->rings[ring];
	const uint16_t old = r->used_idx;
	bool wanted;

	fb_put(b, ring, head, len);
	if (has_event_idx(b))
		wanted = load(b, r->avail + 4 + 2 * (uint64_t)r->num) == old;
	else
		wanted = !(load(b, r->avail) & VQ_AVAIL_F_NO_INTERRUPT);
	if (wanted)
		fb_call(b, ring);
}

void fb_set_used_idx(struct fake_backend *b, unsigned ring, uint16_t idx)
{
	store(b, b->rings[ring].used + 2, idx);
}

/*
 * Bytes.
 */

size_t fb_gather(const struct iovec *iov, unsigned n, void *dst, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part = min_u64(iov[i].iov_len, len - done);

		memcpy((uint8_t *)dst + done, iov[i].iov_base, part);
		done += part;
	}
	return done;
}

void fb_scatter(const struct iovec *iov, unsigned n, const void *src,
		size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part = min_u64(iov[i].iov_len, len - done);

		memcpy(iov[i].iov_base, (const uint8_t *)src + done, part);
		done += part;
	}
	ck_assert_uint_eq(done, len);
}
