/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost_kernel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/gmem.h"
#include "core/log.h"
#include "devices/net/vhost_server.h"

#define DEVICE	 "/dev/vhost-net"
#define MODULE	 "/sys/module/vhost_net"
#define ZEROCOPY MODULE "/parameters/experimental_zcopytx"

static_assert((int)DMA_READ == VHOST_ACCESS_RO &&
		      (int)DMA_WRITE == VHOST_ACCESS_WO,
	      "access of a message");

/*
 * The real one.
 */

static int kernel_open(struct vhost_kernel *k)
{
	const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)k;
	return fd < 0 ? -errno : fd;
}

static int kernel_control(struct vhost_kernel *k, int fd, unsigned long request,
			  void *arg)
{
	(void)k;
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static ssize_t kernel_read(struct vhost_kernel *k, int fd, void *buf,
			   size_t len)
{
	const ssize_t r = read(fd, buf, len);

	(void)k;
	return r < 0 ? -errno : r;
}

static ssize_t kernel_write(struct vhost_kernel *k, int fd, const void *buf,
			    size_t len)
{
	const ssize_t r = write(fd, buf, len);

	(void)k;
	return r < 0 ? -errno : r;
}

/* Then pages of the guest's are in flight after their translation is gone; so
 * it is unless the module was loaded with a parameter. */
static int kernel_sends_late(struct vhost_kernel *k)
{
	AUTO_CLOSE int fd = open(ZEROCOPY, O_RDONLY | O_CLOEXEC);
	char value = '0';

	(void)k;
	if (fd < 0 && errno == ENOENT && access(MODULE, F_OK) == 0)
		return 0;
	if (fd < 0 || read(fd, &value, 1) != 1)
		return -errno;
	return value != '0';
}

static const struct vhost_kernel_ops kernel_ops = {
	.open = kernel_open,
	.control = kernel_control,
	.read = kernel_read,
	.write = kernel_write,
	.sends_late = kernel_sends_late,
};

struct vhost_kernel *vhost_kernel(void)
{
	static struct vhost_kernel kernel = {&kernel_ops};

	return &kernel;
}

/*
 * What is said to any.
 */

static int tell(struct vhost_kernel *k, int fd, unsigned long request,
		void *arg)
{
	return k->ops->control(k, fd, request, arg);
}

static int explain_open(int error, struct err *err)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
		return err_set(err, error,
			       "there is no '" DEVICE
			       "' ('modprobe vhost_net' makes it)");
	case EACCES:
	case EPERM:
		return err_set(err, error,
			       "'" DEVICE "' is for other users ('ls -l " DEVICE
			       "' says for whom)");
	}
	return err_errno(err, error, "'" DEVICE "' cannot be opened");
}

/* A region of the guest's memory after the other. */
static int set_memory(struct vhost_kernel *k, int fd, const struct gmem *mem)
{
	union {
		struct vhost_memory table;
		uint8_t room[sizeof(struct vhost_memory) +
			     GMEM_SLOTS_MAX *
				     sizeof(struct vhost_memory_region)];
	} u = {.table.nregions = mem->nslots};

	assert(mem->nslots <= GMEM_SLOTS_MAX);
	for (unsigned i = 0; i < mem->nslots; i++) {
		const struct gmem_slot *s = &mem->slots[i];

		u.table.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = s->base,
			.memory_size = s->size,
			.userspace_addr = (uintptr_t)s->host,
		};
	}
	return tell(k, fd, VHOST_SET_MEM_TABLE, &u);
}

/* Behind an IOMMU misses come as messages of the second version, the one
 * without holes. */
static int check_iommu(struct vhost_kernel *k, int fd, struct err *err)
{
	uint64_t all = 0, v2 = BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);
	int r = k->ops->sends_late(k);

	if (r < 0)
		return err_errno(err, -r,
				 "behind the IOMMU vhost-net must not send "
				 "without copying, and '" ZEROCOPY
				 "' does not tell");
	if (r > 0)
		return err_set(err, ENOTSUP,
			       "behind the IOMMU vhost-net must not send "
			       "without copying ('modprobe vhost_net "
			       "experimental_zcopytx=0')");
	r = tell(k, fd, VHOST_GET_BACKEND_FEATURES, &all);
	if (r == 0)
		r = all & v2 ? tell(k, fd, VHOST_SET_BACKEND_FEATURES, &v2)
			     : -ENOTSUP;
	return r < 0 ? err_errno(err, -r,
				 "this kernel's vhost-net cannot be behind an "
				 "IOMMU")
		     : 0;
}

static int check_features(struct vhost_kernel *k, int fd, bool translated,
			  struct err *err)
{
	const uint64_t need =
		VHOST_FEATURES | (translated ? VHOST_FEATURES_IOMMU : 0);
	uint64_t has = 0;
	int r = tell(k, fd, VHOST_GET_FEATURES, &has);

	if (r < 0)
		return err_errno(err, -r, "'" DEVICE "' has no features");
	if (need & ~has)
		return err_set(err, ENOTSUP,
			       "this kernel's vhost-net lacks features %#llx",
			       (unsigned long long)(need & ~has));
	return translated ? check_iommu(k, fd, err) : 0;
}

static int open_pair(struct vhost_kernel *k, const struct gmem *mem,
		     bool translated, struct err *err)
{
	AUTO_CLOSE int fd = k->ops->open(k);
	int r;

	if (fd < 0)
		return explain_open(-fd, err);
	r = tell(k, fd, VHOST_SET_OWNER, NULL);
	if (r < 0)
		return err_errno(err, -r, "'" DEVICE "' has no thread for us");
	r = check_features(k, fd, translated, err);
	if (r < 0)
		return r;
	r = set_memory(k, fd, mem);
	if (r < 0)
		return err_errno(err, -r, "'" DEVICE "' refuses our memory");
	return take_fd(&fd);
}

static int set_state(struct vhost_kernel *k, int fd, unsigned long request,
		     unsigned index, unsigned num)
{
	struct vhost_vring_state s = {index, num};

	return tell(k, fd, request, &s);
}

static int set_file(struct vhost_kernel *k, int fd, unsigned long request,
		    unsigned index, int file)
{
	struct vhost_vring_file f = {index, file};

	return tell(k, fd, request, &f);
}

/*
 * As a server: a descriptor for each pair.
 */

struct kernel_server {
	struct vhost_server server;
	struct vhost_kernel *kernel;
	struct {
		int fd;
		int taps[2]; /* of the rings: where they begin */
	} pairs[];
};

static struct kernel_server *to_kernel(struct vhost_server *s)
{
	return container_of(s, struct kernel_server, server);
}

static int fd_of(const struct kernel_server *s, unsigned qi)
{
	return s->pairs[qi / 2].fd;
}

/* That makes it forget all translations, too. */
static int kernel_begin(struct vhost_server *server, unsigned g,
			uint64_t features)
{
	struct kernel_server *s = to_kernel(server);

	/* Those that say how rings are read; the tap has the rest. */
	features &= VHOST_FEATURES | VHOST_FEATURES_IOMMU;
	return tell(s->kernel, s->pairs[g].fd, VHOST_SET_FEATURES, &features);
}

static int kernel_set_ring(struct vhost_server *server, unsigned qi,
			   const struct vhost_ring *ring)
{
	struct kernel_server *s = to_kernel(server);
	struct vhost_kernel *k = s->kernel;
	const int fd = fd_of(s, qi);
	const unsigned i = qi % 2;
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = ring->desc,
		.avail_user_addr = ring->avail,
		.used_user_addr = ring->used,
	};
	int r = set_state(k, fd, VHOST_SET_VRING_NUM, i, ring->size);

	if (r == 0)
		r = set_state(k, fd, VHOST_SET_VRING_BASE, i, ring->base);
	if (r == 0)
		r = tell(k, fd, VHOST_SET_VRING_ADDR, &addr);
	if (r == 0)
		r = set_file(k, fd, VHOST_SET_VRING_KICK, i, ring->kick_fd);
	if (r == 0)
		r = set_file(k, fd, VHOST_SET_VRING_CALL, i, ring->call_fd);
	if (r == 0)
		r = set_file(k, fd, VHOST_SET_VRING_ERR, i, ring->error_fd);
	s->pairs[qi / 2].taps[i] = ring->backend_fd;
	return r;
}

static int kernel_serve(struct vhost_server *server, unsigned qi)
{
	struct kernel_server *s = to_kernel(server);

	return set_file(s->kernel, fd_of(s, qi), VHOST_NET_SET_BACKEND, qi % 2,
			s->pairs[qi / 2].taps[qi % 2]);
}

static int kernel_end(struct vhost_server *server, unsigned qi,
		      uint16_t *ret_base)
{
	struct kernel_server *s = to_kernel(server);
	struct vhost_vring_state state = {.index = qi % 2};
	const int fd = fd_of(s, qi);
	int r = set_file(s->kernel, fd, VHOST_NET_SET_BACKEND, qi % 2, -1);

	if (r == 0)
		r = tell(s->kernel, fd, VHOST_GET_VRING_BASE, &state);
	if (r == 0)
		*ret_base = (uint16_t)state.num;
	return r;
}

static int kernel_miss_fd(struct vhost_server *server, unsigned g)
{
	return to_kernel(server)->pairs[g].fd;
}

static int kernel_take_miss(struct vhost_server *server, unsigned g,
			    iova_t *ret_at, unsigned *ret_access)
{
	struct kernel_server *s = to_kernel(server);
	struct vhost_msg_v2 m;
	const ssize_t got =
		s->kernel->ops->read(s->kernel, s->pairs[g].fd, &m, sizeof(m));

	if (got != sizeof(m))
		return got < 0 ? (int)got : -EIO;
	*ret_at = m.iotlb.iova;
	*ret_access =
		m.type == VHOST_IOTLB_MSG_V2 && m.iotlb.type == VHOST_IOTLB_MISS
			? m.iotlb.perm
			: 0;
	return 1;
}

static int say(struct kernel_server *s, unsigned g, unsigned type, iova_t at,
	       uint64_t size, const void *host, unsigned access)
{
	const struct vhost_msg_v2 m = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb =
			{
				.iova = at,
				.size = size,
				.uaddr = (uintptr_t)host,
				.perm = (uint8_t)access,
				.type = (uint8_t)type,
			},
	};
	const ssize_t r =
		s->kernel->ops->write(s->kernel, s->pairs[g].fd, &m, sizeof(m));

	if (r < 0)
		return (int)r;
	return r == sizeof(m) ? 0 : -EIO;
}

static int kernel_update(struct vhost_server *server, unsigned g, iova_t at,
			 unsigned asked, const struct dma_extent *e)
{
	(void)at;
	(void)asked;
	return say(to_kernel(server), g, VHOST_IOTLB_UPDATE, e->first,
		   e->last - e->first + 1, e->host, e->access);
}

/* Without translations, and without the means to have them taken back, it
 * must not go on. */
static void stop_pair(struct kernel_server *s, unsigned g, int error)
{
	uint16_t unused;

	log_err("vhost-net does not forget translations (error %d): it is "
		"stopped",
		error);
	for (unsigned i = 0; i < 2; i++)
		(void)kernel_end(&s->server, 2 * g + i, &unused);
}

static void forget(struct kernel_server *s, unsigned g, iova_t first,
		   iova_t last)
{
	const int r = say(s, g, VHOST_IOTLB_INVALIDATE, first, last - first + 1,
			  NULL, 0);

	if (r < 0)
		stop_pair(s, g, -r);
}

#define HALF (UINT64_C(1) << 63)

static void kernel_forget(struct vhost_server *server, unsigned g,
			  const struct range *r, unsigned n)
{
	struct kernel_server *s = to_kernel(server);

	for (unsigned i = 0; i < n; i++) {
		iova_t first = r[i].first;

		/* A message cannot say 2^64. */
		if (first < HALF && r[i].last >= HALF) {
			forget(s, g, first, HALF - 1);
			first = HALF;
		}
		forget(s, g, first, r[i].last);
	}
}

/* The kernel lets go of a question when there is a translation for it, even
 * one that permits nothing; those are gone when it begins again. */
static void kernel_drop_questions(struct vhost_server *server, unsigned g,
				  unsigned n)
{
	struct kernel_server *s = to_kernel(server);
	int r = say(s, g, VHOST_IOTLB_UPDATE, 0, HALF, NULL, 0);

	if (r == 0)
		r = say(s, g, VHOST_IOTLB_UPDATE, HALF, HALF, NULL, 0);
	if (r < 0)
		log_warn("vhost-net keeps %u questions: error %d", n, -r);
}

static void kernel_free(struct vhost_server *server)
{
	struct kernel_server *s = to_kernel(server);

	for (unsigned i = 0; i < server->ngroups; i++) {
		if (s->pairs[i].fd >= 0)
			close(s->pairs[i].fd);
	}
	free(s);
}

static const struct vhost_server_ops server_ops = {
	.begin = kernel_begin,
	.set_ring = kernel_set_ring,
	.serve = kernel_serve,
	.end = kernel_end,
	.miss_fd = kernel_miss_fd,
	.take_miss = kernel_take_miss,
	.update = kernel_update,
	.forget = kernel_forget,
	.drop_questions = kernel_drop_questions,
	.free = kernel_free,
};

int vhost_kernel_new(struct vhost_server **ret_s, struct vhost_kernel *k,
		     const struct gmem *mem, bool translated, unsigned pairs,
		     struct err *err)
{
	struct kernel_server *s =
		calloc(1, sizeof(*s) + pairs * sizeof(s->pairs[0]));

	if (!s)
		return err_set(err, ENOMEM, "out of memory");
	s->server = (struct vhost_server){
		.ops = &server_ops,
		.name = "vhost-net",
		.nqueues = 2 * pairs,
		.asks_again = true,
	};
	s->kernel = k;
	for (unsigned i = 0; i < pairs; i++) {
		const int fd = open_pair(k, mem, translated, err);

		if (fd < 0) {
			kernel_free(&s->server);
			return fd;
		}
		s->pairs[i].fd = fd;
		s->server.ngroups++;
	}
	*ret_s = &s->server;
	return 0;
}
