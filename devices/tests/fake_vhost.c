/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/fake_vhost.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "virtio/wire.h"

static struct fake_vhost *to_fake(struct vhost_kernel *k)
{
	return container_of(k, struct fake_vhost, kernel);
}

static struct fv_pair *find_locked(struct fake_vhost *v, int fd)
{
	for (unsigned i = 0; i < v->npairs; i++) {
		if (v->pairs[i].fd == fd)
			return &v->pairs[i];
	}
	ck_abort_msg("a descriptor that was never opened");
}

static void note_locked(struct fake_vhost *v, const struct fv_pair *p,
			unsigned long request, unsigned index, int file)
{
	ck_assert_uint_lt(v->nevents, FV_LOG);
	v->events[v->nevents++] = (struct fv_event){
		.pair = (unsigned)(p - v->pairs),
		.request = request,
		.index = index,
		.file = file,
	};
}

static const struct fv_entry *entry_locked(const struct fv_pair *p, iova_t at,
					   unsigned access)
{
	for (unsigned i = 0; i < p->nentries; i++) {
		const struct fv_entry *e = &p->entries[i];

		if (at >= e->first && at <= e->last &&
		    (e->access & access) == access)
			return e;
	}
	return NULL;
}

static int fake_open(struct vhost_kernel *k)
{
	struct fake_vhost *v = to_fake(k);
	struct fv_pair *p = &v->pairs[v->npairs];
	int fds[2];

	if (v->open_error)
		return v->open_error;
	ck_assert_uint_lt(v->npairs, FV_PAIRS);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	memset(p, 0, sizeof(*p));
	p->fd = fds[0];
	p->other = fds[1];
	for (unsigned i = 0; i < 2; i++)
		p->rings[i] = (struct fv_ring){
			.kick = -1, .call = -1, .error = -1, .backend = -1};
	v->npairs++;
	return p->fd;
}

static int set_table(struct fv_pair *p, const struct vhost_memory *m)
{
	ck_assert_uint_le(m->nregions, FV_SLOTS);
	ck_assert_uint_eq(m->padding, 0);
	p->nregions = m->nregions;
	memcpy(p->regions, m->regions, m->nregions * sizeof(p->regions[0]));
	return 0;
}

static int set_features(struct fake_vhost *v, struct fv_pair *p, uint64_t f)
{
	if (f & ~v->features)
		return -EOPNOTSUPP;
	p->features = f;
	if (f >> VIRTIO_F_ACCESS_PLATFORM & 1) {
		p->has_iotlb = true;
		p->nentries = 0;
	}
	return 0;
}

/* As the kernel does when it begins: with what it has, or not at all. */
static bool ring_reachable(const struct fv_pair *p, const struct fv_ring *r)
{
	const uint64_t used = r->addr.used_user_addr;

	if (!p->has_iotlb)
		return r->addr.desc_user_addr && r->addr.avail_user_addr &&
		       used;
	return entry_locked(p, r->addr.desc_user_addr, VHOST_ACCESS_RO) &&
	       entry_locked(p, r->addr.avail_user_addr, VHOST_ACCESS_RO) &&
	       entry_locked(p, used, VHOST_ACCESS_WO) &&
	       entry_locked(p, used + 4 + r->num * 8 - 1, VHOST_ACCESS_WO);
}

static int set_backend(struct fv_pair *p, struct fv_ring *r, int fd)
{
	if (!p->nregions)
		return -EFAULT;
	if (fd >= 0 && !ring_reachable(p, r))
		return -EFAULT;
	r->backend = fd;
	return 0;
}

static int control_ring(struct fake_vhost *v, struct fv_pair *p,
			unsigned long request, void *arg)
{
	struct vhost_vring_state *state = arg;
	const struct vhost_vring_file *file = arg;
	struct fv_ring *r;

	if (state->index > 1)
		return -ENOBUFS;
	r = &p->rings[state->index];
	note_locked(v, p, request, state->index,
		    request == VHOST_NET_SET_BACKEND ? file->fd : 0);
	switch (request) {
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
		if (r->backend >= 0)
			return -EBUSY;
		*(request == VHOST_SET_VRING_NUM ? &r->num : &r->base) =
			state->num;
		return 0;
	case VHOST_GET_VRING_BASE:
		state->num = r->base;
		return 0;
	case VHOST_SET_VRING_ADDR:
		r->addr = *(const struct vhost_vring_addr *)arg;
		return 0;
	case VHOST_SET_VRING_KICK:
		r->kick = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		r->call = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		r->error = file->fd;
		return 0;
	case VHOST_NET_SET_BACKEND:
		return set_backend(p, r, file->fd);
	}
	return -ENOTTY;
}

static int control_locked(struct fake_vhost *v, struct fv_pair *p,
			  unsigned long request, void *arg)
{
	uint64_t *word = arg;

	if (v->refuse == request)
		return -EIO;
	if (request == VHOST_GET_FEATURES) {
		*word = v->features;
		return 0;
	}
	if (request == VHOST_SET_OWNER) {
		ck_assert(!p->owned);
		p->owned = true;
		return 0;
	}
	ck_assert_msg(p->owned, "a request before SET_OWNER");
	switch (request) {
	case VHOST_GET_BACKEND_FEATURES:
		*word = v->backend_features;
		return 0;
	case VHOST_SET_BACKEND_FEATURES:
		p->backend_features = *word;
		return *word & ~v->backend_features ? -EOPNOTSUPP : 0;
	case VHOST_SET_FEATURES:
		note_locked(v, p, request, 0, 0);
		return set_features(v, p, *word);
	case VHOST_SET_MEM_TABLE:
		note_locked(v, p, request, 0, 0);
		return set_table(p, arg);
	}
	return control_ring(v, p, request, arg);
}

static int fake_control(struct vhost_kernel *k, int fd, unsigned long request,
			void *arg)
{
	struct fake_vhost *v = to_fake(k);
	int r;

	pthread_mutex_lock(&v->lock);
	r = control_locked(v, find_locked(v, fd), request, arg);
	pthread_mutex_unlock(&v->lock);
	return r;
}

static ssize_t fake_read(struct vhost_kernel *k, int fd, void *buf, size_t len)
{
	const ssize_t r = read(fd, buf, len);

	(void)k;
	return r < 0 ? -errno : r;
}

static void forget_locked(struct fv_pair *p, iova_t first, iova_t last)
{
	for (unsigned i = 0; i < p->nentries;) {
		if (p->entries[i].first <= last && p->entries[i].last >= first)
			p->entries[i] = p->entries[--p->nentries];
		else
			i++;
	}
}

static int message_locked(struct fake_vhost *v, struct fv_pair *p,
			  const struct vhost_msg_v2 *m)
{
	const struct vhost_iotlb_msg *e = &m->iotlb;
	const iova_t last = e->iova + (e->size - 1);

	if ((v->deaf && e->type == VHOST_IOTLB_UPDATE) ||
	    (v->stubborn && e->type == VHOST_IOTLB_INVALIDATE))
		return -EFAULT;
	if (m->type != VHOST_IOTLB_MSG_V2 || e->size == 0 || last < e->iova ||
	    !p->has_iotlb)
		return -EFAULT;
	switch (e->type) {
	case VHOST_IOTLB_UPDATE:
		if (e->perm == 0) {
			ck_assert_int_eq(p->rings[0].backend, -1);
			ck_assert_int_eq(p->rings[1].backend, -1);
			p->cleared += last == ~UINT64_C(0);
			return 0;
		}
		note_locked(v, p, FV_UPDATE, 0, 0);
		ck_assert_uint_lt(p->nentries, FV_ENTRIES);
		p->entries[p->nentries++] = (struct fv_entry){
			.first = e->iova,
			.last = last,
			.host = e->uaddr,
			.access = e->perm,
		};
		p->updates++;
		return 0;
	case VHOST_IOTLB_INVALIDATE:
		note_locked(v, p, FV_INVALIDATE, 0, 0);
		forget_locked(p, e->iova, last);
		p->invalidations++;
		return 0;
	}
	return -EFAULT;
}

static ssize_t fake_write(struct vhost_kernel *k, int fd, const void *buf,
			  size_t len)
{
	struct fake_vhost *v = to_fake(k);
	struct vhost_msg_v2 m;
	int r;

	ck_assert_uint_eq(len, sizeof(m));
	memcpy(&m, buf, len);
	pthread_mutex_lock(&v->lock);
	r = message_locked(v, find_locked(v, fd), &m);
	pthread_mutex_unlock(&v->lock);
	return r < 0 ? r : (ssize_t)len;
}

static int fake_sends_late(struct vhost_kernel *k)
{
	return to_fake(k)->late;
}

static const struct vhost_kernel_ops fake_ops = {
	.open = fake_open,
	.control = fake_control,
	.read = fake_read,
	.write = fake_write,
	.sends_late = fake_sends_late,
};

void fv_init(struct fake_vhost *v)
{
	memset(v, 0, sizeof(*v));
	v->kernel.ops = &fake_ops;
	/* What Linux 6.1 has. */
	v->features = BIT_ULL(15) | BIT_ULL(24) | BIT_ULL(26) | BIT_ULL(27) |
		      BIT_ULL(28) | BIT_ULL(29) | BIT_ULL(32) | BIT_ULL(33);
	v->backend_features = BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);
	pthread_mutex_init(&v->lock, NULL);
}

void fv_fini(struct fake_vhost *v)
{
	for (unsigned i = 0; i < v->npairs; i++) {
		ck_assert_msg(fcntl(v->pairs[i].fd, F_GETFD) < 0 &&
				      errno == EBADF,
			      "a descriptor is left open");
		close(v->pairs[i].other);
	}
	pthread_mutex_destroy(&v->lock);
}

static struct fv_ring ring(struct fake_vhost *v, unsigned p, unsigned i)
{
	struct fv_ring r;

	pthread_mutex_lock(&v->lock);
	r = v->pairs[p].rings[i];
	pthread_mutex_unlock(&v->lock);
	return r;
}

int fv_backend(struct fake_vhost *v, unsigned p, unsigned i)
{
	return ring(v, p, i).backend;
}

unsigned fv_base(struct fake_vhost *v, unsigned p, unsigned i)
{
	return ring(v, p, i).base;
}

void fv_set_base(struct fake_vhost *v, unsigned p, unsigned i, unsigned base)
{
	pthread_mutex_lock(&v->lock);
	v->pairs[p].rings[i].base = base;
	pthread_mutex_unlock(&v->lock);
}

void fv_call(struct fake_vhost *v, unsigned p, unsigned i)
{
	eventfd_signal(ring(v, p, i).call);
}

void fv_fail(struct fake_vhost *v, unsigned p, unsigned i)
{
	eventfd_signal(ring(v, p, i).error);
}

void fv_miss(struct fake_vhost *v, unsigned p, iova_t at, unsigned access)
{
	const struct vhost_msg_v2 m = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {.iova = at,
			  .perm = (uint8_t)access,
			  .type = VHOST_IOTLB_MISS},
	};

	ck_assert_int_eq(send(v->pairs[p].other, &m, sizeof(m), 0), sizeof(m));
}

uint64_t fv_reach(struct fake_vhost *v, unsigned p, iova_t at, unsigned access)
{
	const struct fv_entry *e;
	uint64_t host = 0;

	pthread_mutex_lock(&v->lock);
	e = entry_locked(&v->pairs[p], at, access);
	if (e)
		host = e->host + (at - e->first);
	pthread_mutex_unlock(&v->lock);
	return host;
}

static unsigned count(struct fake_vhost *v, const unsigned *n)
{
	unsigned now;

	pthread_mutex_lock(&v->lock);
	now = *n;
	pthread_mutex_unlock(&v->lock);
	return now;
}

unsigned fv_updates(struct fake_vhost *v, unsigned p)
{
	return count(v, &v->pairs[p].updates);
}

unsigned fv_cleared(struct fake_vhost *v, unsigned p)
{
	return count(v, &v->pairs[p].cleared);
}

unsigned fv_invalidations(struct fake_vhost *v, unsigned p)
{
	return count(v, &v->pairs[p].invalidations);
}

static bool is(const struct fv_event *e, unsigned p, unsigned long request)
{
	return e->pair == p && e->request == request;
}

unsigned fv_last(struct fake_vhost *v, unsigned p, unsigned long request,
		 unsigned index)
{
	unsigned n;

	pthread_mutex_lock(&v->lock);
	for (n = v->nevents; n > 0; n--) {
		if (is(&v->events[n - 1], p, request) &&
		    v->events[n - 1].index == index)
			break;
	}
	pthread_mutex_unlock(&v->lock);
	ck_assert_msg(n > 0, "it was never told that");
	return n;
}

unsigned fv_count(struct fake_vhost *v, unsigned p, unsigned long request)
{
	unsigned n = 0;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->nevents; i++)
		n += is(&v->events[i], p, request);
	pthread_mutex_unlock(&v->lock);
	return n;
}
