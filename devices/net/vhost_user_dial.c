/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A server is met, and looked for again when it has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/net/header.h"
#include "devices/net/vhost_user.h"
#include "devices/net/vhost_user_priv.h"
#include "devices/vhost_user/dial.h"

/* Between two looks at the socket. */
#define RETRY_MS 100

/* For a server that comes back to say all it has to. */
#define HANDSHAKE_MS 5000

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Memory for the rings of all pairs, and nothing of the guest's. */
static int tell_memory(struct vhu_session *s, unsigned pairs, struct err *err)
{
	const struct gmem_slot slot = {.size = 2 * pairs * net_vring_bytes()};
	struct vhu_memory_wire table = {.nregions = 1};
	uint64_t host;
	int r = gmem_init_shared(&s->shadow, &slot, 1, err);

	if (r < 0)
		return r;
	host = (uintptr_t)s->shadow.slots[0].host;
	table.regions[0] = (struct vhu_region_wire){
		.guest_addr = host,
		.size = slot.size,
		.user_addr = host,
		.mmap_offset = s->shadow.slots[0].file_offset,
	};
	return vhu_set(&s->link, VHU_SET_MEM_TABLE, &table,
		       offsetof(struct vhu_memory_wire, regions) +
			       sizeof(table.regions[0]),
		       &s->shadow.fd, 1, err);
}

/* Up to where rings begin.  Sentences are predicates: of the server. */
static int meet(struct vhu_session **ret_s, int fd, unsigned pairs,
		uint64_t features, unsigned timeout_ms, struct err *err)
{
	const struct vhu_wants wants = {
		.features = features,
		.extras = NET_OFFLOADS | BIT_ULL(NET_F_MQ),
		.queues = pairs,
	};
	struct vhu_session *s;
	int r = vhu_session_greet(&s, fd, &wants, timeout_ms, err);

	if (r < 0)
		return r;
	/* Our rings have neither, and no driver what rests on nothing. */
	s->features &= ~(BIT_ULL(VIRTIO_F_EVENT_IDX) |
			 BIT_ULL(VIRTIO_F_INDIRECT_DESC) |
			 (NET_OFFLOADS & ~net_usable_offloads(s->features)));
	if (pairs > 1 && !(s->features & BIT_ULL(NET_F_MQ)))
		r = err_set(err, ENOTSUP, "has 1 queue, not the %u it takes",
			    pairs);
	if (pairs == 1)
		s->features &= ~BIT_ULL(NET_F_MQ);
	if (r == 0)
		r = vhu_set_u64(&s->link, VHU_SET_FEATURES, s->features, err);
	if (r == 0)
		r = tell_memory(s, pairs, err);
	if (r < 0) {
		vhu_session_free(s);
		return r;
	}
	/* From here on nobody waits for an answer. */
	s->link.acks = false;
	*ret_s = s;
	return 0;
}

/*
 * The next one.
 */

void net_vu_look(struct net_vu *u)
{
	if (!u->threaded)
		return;
	u->looking = true;
	u->complained = false;
	u->until_ms = now_ms() + u->wait_ms;
	eventfd_signal(u->wake);
}

/* Return: false if it is to stop. */
static bool begin_trying(struct net_vu *u, int fd)
{
	bool stop;

	pthread_mutex_lock(u->lock);
	stop = u->stop;
	if (!stop)
		u->trying = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(u->lock);
	return !stop;
}

static void adopt_locked(struct net_vu *u, struct vhu_session *s)
{
	u->session = s;
	if (net_vu_listen(u) < 0) {
		u->session = NULL;
		vhu_session_free(s);
		return;
	}
	u->looking = false;
	u->backend.listener->link(u->backend.listener, 0);
}

static void complain_locked(struct net_vu *u, const char *what)
{
	if (!u->complained)
		log_warn("%s: the server that is at '%s' now %s", u->device,
			 u->path, what);
	u->complained = true;
}

static void try_once(struct net_vu *u)
{
	struct err err = {0};
	struct vhu_session *s;
	int fd, r;

	if (vhu_dial(u->path, &fd, NULL) < 0)
		return;
	if (!begin_trying(u, fd)) {
		close(fd);
		return;
	}
	/* What the guest was offered, it keeps. */
	r = meet(&s, fd, u->backend.nqueues, u->backend.features, HANDSHAKE_MS,
		 &err);
	pthread_mutex_lock(u->lock);
	if (u->trying >= 0)
		close(u->trying);
	u->trying = -1;
	if (r == 0 && !u->stop)
		adopt_locked(u, s);
	else if (r == 0)
		vhu_session_free(s);
	else if (r != -ECONNRESET)
		complain_locked(u, err.msg);
	pthread_mutex_unlock(u->lock);
}

/* Return: to be looked for now? */
static bool look(struct net_vu *u, bool *ret_stop)
{
	bool looking;

	pthread_mutex_lock(u->lock);
	if (u->looking && now_ms() >= u->until_ms) {
		u->looking = false;
		log_err("%s: %s is not there for %g s; the guest's link stays "
			"down",
			u->device, u->name, u->wait_ms / 1000.0);
	}
	looking = u->looking;
	*ret_stop = u->stop;
	pthread_mutex_unlock(u->lock);
	return looking;
}

static void *redial(void *arg)
{
	struct net_vu *u = arg;

	for (;;) {
		struct pollfd p = {.fd = u->wake, .events = POLLIN};
		bool stop;
		const bool looking = look(u, &stop);

		if (stop)
			return NULL;
		if (looking)
			try_once(u);
		(void)poll(&p, 1, looking ? RETRY_MS : -1);
		(void)eventfd_clear(u->wake);
	}
}

int net_vu_start_looking(struct net_vu *u)
{
	int r;

	if (u->wait_ms == 0)
		return 0;
	r = -pthread_create(&u->thread, NULL, redial, u);
	if (r < 0)
		return r;
	(void)pthread_setname_np(u->thread, "redial");
	u->threaded = true;
	return 0;
}

void net_vu_stop_looking(struct net_vu *u)
{
	if (!u->threaded)
		return;
	pthread_mutex_lock(u->lock);
	u->stop = true;
	if (u->trying >= 0)
		(void)shutdown(u->trying, SHUT_RDWR);
	pthread_mutex_unlock(u->lock);
	eventfd_signal(u->wake);
	(void)pthread_join(u->thread, NULL);
	u->threaded = false;
}

/*
 * Birth.
 */

static int open_pairs(struct net_vu *u)
{
	int r = u->wake = eventfd_new();

	for (unsigned i = 0; r >= 0 && i < u->backend.nqueues; i++) {
		int *const fds[] = {&u->pairs[i].rx_kick, &u->pairs[i].tx_kick,
				    &u->rx_calls[i], &u->tx_calls[i]};

		for (unsigned k = 0; r >= 0 && k < ARRAY_SIZE(fds); k++)
			r = *fds[k] = eventfd_new();
	}
	return r < 0 ? r : 0;
}

static struct net_vu *alloc(const struct net_config *config)
{
	struct net_vu *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->backend.ops = &net_vu_ops;
	u->backend.nqueues = config->queues;
	u->backend.fds = u->rx_calls;
	u->backend.room_fds = u->tx_calls;
	u->backend.comes_back = config->reconnect_ms > 0;
	u->wait_ms = config->reconnect_ms;
	u->patience_ms =
		config->patience_ms ? config->patience_ms : NET_VU_PATIENCE_MS;
	u->active = 1;
	u->trying = u->wake = -1;
	for (unsigned i = 0; i < NET_QUEUES_MAX; i++) {
		u->pairs[i].rx_kick = u->pairs[i].tx_kick = -1;
		u->rx_calls[i] = u->tx_calls[i] = -1;
	}
	u->path = strdup(config->socket);
	if (!u->path || asprintf(&u->name, "the server at '%s'", u->path) < 0) {
		u->name = NULL;
		net_vu_ops.free(&u->backend);
		return NULL;
	}
	u->backend.name = u->name;
	return u;
}

static int connect_to(struct net_vu *u, unsigned timeout_ms, struct err *err)
{
	struct err what = {0};
	int fd, r = vhu_dial(u->path, &fd, &what);

	if (r == -ENAMETOOLONG)
		return err_set(err, -r, "network: %s", what.msg);
	if (r < 0)
		return err_errno(err, -r, "network: no server at '%s'",
				 u->path);
	r = meet(&u->session, fd, u->backend.nqueues, 0, timeout_ms, &what);
	if (r < 0)
		return err_set(err, -r, "network: %s %s", u->name, what.msg);
	u->backend.features = u->session->features & NET_OFFLOADS;
	return 0;
}

int net_vu_new(struct net_backend **ret_b, const char *device,
	       const struct net_config *config, struct err *err)
{
	struct net_vu *u = alloc(config);
	int r;

	if (!u)
		return err_set(err, ENOMEM, "network: out of memory");
	(void)snprintf(u->device, sizeof(u->device), "%s", device);
	r = open_pairs(u);
	if (r < 0)
		(void)err_errno(err, -r, "network: no eventfd");
	else
		r = connect_to(
			u, config->setup_ms ? config->setup_ms : VHU_SETUP_MS,
			err);
	if (r < 0) {
		net_vu_ops.free(&u->backend);
		return r;
	}
	*ret_b = &u->backend;
	return 0;
}
