/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost_kernel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/gmem.h"
#include "devices/net/wire.h"
#include "virtio/wire.h"

#define DEVICE	 "/dev/vhost-net"
#define MODULE	 "/sys/module/vhost_net"
#define ZEROCOPY MODULE "/parameters/experimental_zcopytx"

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

int vhost_open(struct vhost_kernel *k, const struct gmem *mem, bool translated,
	       struct err *err)
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

int vhost_set_features(struct vhost_kernel *k, int fd, uint64_t features)
{
	return tell(k, fd, VHOST_SET_FEATURES, &features);
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

int vhost_set_ring(struct vhost_kernel *k, int fd,
		   const struct vhost_ring *ring)
{
	const unsigned i = ring->index;
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
	return r;
}

int vhost_serve(struct vhost_kernel *k, int fd, unsigned index, int tap)
{
	return set_file(k, fd, VHOST_NET_SET_BACKEND, index, tap);
}

int vhost_end(struct vhost_kernel *k, int fd, unsigned index,
	      uint16_t *ret_base)
{
	struct vhost_vring_state s = {.index = index};
	int r = vhost_serve(k, fd, index, -1);

	if (r == 0)
		r = tell(k, fd, VHOST_GET_VRING_BASE, &s);
	if (r == 0)
		*ret_base = (uint16_t)s.num;
	return r;
}
