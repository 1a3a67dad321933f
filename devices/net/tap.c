/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/net.h"
#include "devices/net/backend.h"

/* Room for the first frame; for the others the one before is the guess. */
#define FIRST_GUESS 2048

/* The header as the driver has it, but for num_buffers. */
#define HEADER sizeof(struct net_header_wire)

struct tap {
	struct net_backend backend;
	int fds[NET_QUEUES_MAX];
	size_t guess[NET_QUEUES_MAX];
	unsigned active;
	char name[IFNAMSIZ];
	char text[IFNAMSIZ + 8]; /* "tap 'NAME'" */
};

static struct tap *to_tap(struct net_backend *b)
{
	return container_of(b, struct tap, backend);
}

/*
 * Frames.
 */

static ssize_t tap_incoming(struct net_backend *b, unsigned q)
{
	return (ssize_t)to_tap(b)->guess[q];
}

static ssize_t tap_receive(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, struct net_header_wire *hdr,
			   bool *ret_end)
{
	struct tap *t = to_tap(b);
	ssize_t r;

	iov[0] = (struct iovec){hdr, HEADER};
	do
		r = readv(t->fds[q], iov, (int)n + 1);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if ((size_t)r <= HEADER)
		return -EAGAIN;
	*ret_end = true;
	r -= (ssize_t)HEADER;
	t->guess[q] = (size_t)r;
	return r;
}

static ssize_t tap_send(struct net_backend *b, unsigned q, struct iovec *iov,
			unsigned n, size_t len,
			const struct net_header_wire *hdr)
{
	struct net_header_wire copy = *hdr;
	ssize_t r;

	iov[0] = (struct iovec){&copy, HEADER};
	do
		r = writev(to_tap(b)->fds[q], iov, (int)n + 1);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (ssize_t)len;
}

/*
 * What the driver has chosen.
 */

static unsigned tun_offloads(uint64_t features)
{
	static const struct {
		unsigned feature, flag;
	} map[] = {
		{NET_F_GUEST_CSUM, TUN_F_CSUM},
		{NET_F_GUEST_TSO4, TUN_F_TSO4},
		{NET_F_GUEST_TSO6, TUN_F_TSO6},
		{NET_F_GUEST_ECN, TUN_F_TSO_ECN},
	};
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (features >> map[i].feature & 1)
			flags |= map[i].flag;
	}
	return flags;
}

static int tap_offload(struct net_backend *b, uint64_t features)
{
	const unsigned long flags = tun_offloads(features);

	/* Of the interface: one queue speaks for all. */
	return ioctl(to_tap(b)->fds[0], TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}

static int set_queue(struct tap *t, unsigned q, bool on)
{
	const struct ifreq r = {
		.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	return ioctl(t->fds[q], TUNSETQUEUE, &r) < 0 ? -errno : 0;
}

static int tap_activate(struct net_backend *b, unsigned n)
{
	struct tap *t = to_tap(b);
	int r = 0;

	while (r == 0 && t->active < n) {
		r = set_queue(t, t->active, true);
		t->active += r == 0;
	}
	while (r == 0 && t->active > n) {
		r = set_queue(t, t->active - 1, false);
		t->active -= r == 0;
	}
	return r;
}

/*
 * The kernel compares some addresses and has a hash of the rest; those that
 * are not multicast have to be among the first.
 */
static void tap_filter(struct net_backend *b, const struct net_filter *f)
{
	/* As struct tun_filter, which has no end. */
	struct {
		uint16_t flags, count;
		uint8_t macs[NET_FILTER_MAX + 1][NET_MAC_LEN];
	} w = {.flags = f->allmulti ? TUN_FLT_ALLMULTI : 0};

	/* With no address all pass. */
	if (!f->promisc && !f->full) {
		memcpy(w.macs[0], f->own, NET_MAC_LEN);
		memcpy(w.macs[1], f->macs, f->n * sizeof(f->macs[0]));
		w.count = (uint16_t)(f->n + 1);
	}
	(void)ioctl(to_tap(b)->fds[0], TUNSETTXFILTER, &w);
}

/*
 * A tap that outlives its user keeps the filter, and with it drops what is for
 * the next one's address.
 */
static void clear_filter(const struct tap *t)
{
	const struct tun_filter none = {0};

	if (t->backend.nqueues > 0)
		(void)ioctl(t->fds[0], TUNSETTXFILTER, &none);
}

static void tap_free(struct net_backend *b)
{
	struct tap *t = to_tap(b);

	clear_filter(t);
	for (unsigned i = 0; i < b->nqueues; i++)
		close(t->fds[i]);
	free(t);
}

static const struct net_backend_ops tap_ops = {
	.incoming = tap_incoming,
	.receive = tap_receive,
	.send = tap_send,
	.offload = tap_offload,
	.activate = tap_activate,
	.filter = tap_filter,
	.free = tap_free,
};

/*
 * Birth.
 */

static int open_queue(struct tap *t, short flags, struct err *err)
{
	struct ifreq r = {.ifr_flags = flags};
	AUTO_CLOSE int fd =
		open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "%s: '/dev/net/tun'", t->text);
	memcpy(r.ifr_name, t->name, sizeof(t->name));
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return -errno;
	t->fds[t->backend.nqueues++] = take_fd(&fd);
	return 0;
}

static int explain(const struct tap *t, int error, bool exists, unsigned queues,
		   struct err *err)
{
	switch (error) {
	case EPERM:
		if (!exists)
			return err_set(err, EPERM,
				       "there is no %s, and making one takes "
				       "CAP_NET_ADMIN ('ip tuntap add dev %s "
				       "mode tap user NAME' once; --net user "
				       "takes neither)",
				       t->text, t->name);
		return err_set(err, EPERM,
			       "%s is another user's ('ip tuntap add ... user "
			       "NAME' says whose it is)",
			       t->text);
	case EBUSY:
		return err_set(err, EBUSY, "%s is in use by another program",
			       t->text);
	case EINVAL:
		if (queues > 1)
			return err_set(err, EINVAL,
				       "%s is no tap with several queues ('ip "
				       "tuntap add ... multi_queue')",
				       t->text);
		return err_set(err, EINVAL, "'%s' is no tap", t->name);
	}
	return err_errno(err, error, "%s cannot be opened", t->text);
}

/* A tap with several queues wants that to be said for one, too. */
static int open_queues(struct tap *t, unsigned queues, bool exists,
		       struct err *err)
{
	struct err what = {""};
	short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	int r;

	if (queues > 1)
		flags |= IFF_MULTI_QUEUE;
	r = open_queue(t, flags, &what);
	if (r == -EINVAL && queues == 1) {
		flags |= IFF_MULTI_QUEUE;
		r = open_queue(t, flags, &what);
	}
	while (r == 0 && t->backend.nqueues < queues)
		r = open_queue(t, flags, &what);
	if (r < 0 && what.msg[0])
		return err_set(err, -r, "%s", what.msg);
	return r < 0 ? explain(t, -r, exists, queues, err) : 0;
}

/* [virtio 1.2, 5.1.6]: little-endian, with num_buffers. */
static int set_header(const struct tap *t)
{
	const int len = (int)HEADER, little = 1;

	for (unsigned i = 0; i < t->backend.nqueues; i++) {
		if (ioctl(t->fds[i], TUNSETVNETHDRSZ, &len) < 0 ||
		    ioctl(t->fds[i], TUNSETVNETLE, &little) < 0)
			return -errno;
	}
	return 0;
}

/* Its MTU; and up it has to be, which takes privileges it has if we made it. */
static int look(struct tap *t, bool made)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, t->name, sizeof(t->name));
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		return -errno;
	if (r.ifr_mtu >= NET_MTU_MIN && r.ifr_mtu <= NET_MTU_MAX)
		t->backend.mtu = (unsigned)r.ifr_mtu;
	if (!made)
		return 0;
	r.ifr_flags = IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

static uint64_t offloads(const struct tap *t)
{
	const unsigned long all =
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (ioctl(t->fds[0], TUNSETOFFLOAD, all) < 0)
		return 0;
	(void)ioctl(t->fds[0], TUNSETOFFLOAD, 0UL);
	return BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_HOST_TSO4) |
	       BIT_ULL(NET_F_HOST_TSO6) | BIT_ULL(NET_F_HOST_ECN) |
	       BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4) |
	       BIT_ULL(NET_F_GUEST_TSO6) | BIT_ULL(NET_F_GUEST_ECN);
}

static int init(struct tap *t, const struct net_config *config, struct err *err)
{
	const bool exists = if_nametoindex(t->name) > 0;
	int r = open_queues(t, config->queues, exists, err);

	if (r < 0)
		return r;
	t->active = t->backend.nqueues;
	/* Of somebody who was killed. */
	clear_filter(t);
	r = set_header(t);
	if (r == 0)
		r = look(t, !exists);
	if (r < 0)
		return err_errno(err, -r, "%s cannot be set up", t->text);
	t->backend.features = offloads(t);
	return 0;
}

int net_tap_new(struct net_backend **ret_b, const struct net_config *config,
		struct err *err)
{
	struct tap *t;
	int r;

	if (strlen(config->tap) >= IFNAMSIZ)
		return err_set(err, EINVAL,
			       "tap '%.40s': a name has at most %d letters",
			       config->tap, IFNAMSIZ - 1);
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, ENOMEM, "out of memory");
	t->backend.ops = &tap_ops;
	memcpy(t->name, config->tap, strlen(config->tap));
	(void)snprintf(t->text, sizeof(t->text), "tap '%s'", t->name);
	t->backend.name = t->text;
	t->backend.fds = t->fds;
	for (unsigned i = 0; i < NET_QUEUES_MAX; i++)
		t->guess[i] = FIRST_GUESS;
	r = init(t, config, err);
	if (r < 0) {
		tap_free(&t->backend);
		return r;
	}
	*ret_b = &t->backend;
	return 0;
}
