/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/net/vhost_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/loop.h"
#include "devices/net.h"
#include "devices/net/backend.h"
#include "devices/net/header.h"
#include "devices/net/vhost_server.h"
#include "devices/net/vhost_talk.h"
#include "devices/vhost_user/dial.h"
#include "devices/vhost_user/session.h"

#define NS_PER_MS UINT64_C(1000000)

/* Translations are of pages. */
#define PAGE	  UINT64_C(4096)
#define LAST_PAGE (UINT64_MAX - (PAGE - 1))

#define NEEDED_BEHIND                        \
	(BIT_ULL(VHU_PROTOCOL_F_REPLY_ACK) | \
	 BIT_ULL(VHU_PROTOCOL_F_BACKEND_REQ))

static_assert(2 * NET_QUEUES_MAX <= VHOST_TALK_RINGS, "");
static_assert(VHU_REGIONS_MAX >= GMEM_SLOTS_MAX, "all of memory fits");

struct vhost_socket {
	struct net_backend backend;
	struct vhost_server server;
	char *name;
	bool translated; /* behind an IOMMU */
	struct vhu_session *session;
	struct vhost_talk talk;
	struct vhu_message miss;
	struct loop *loop;
	pthread_mutex_t *lock; /* the device's; NULL: not attached */
	struct loop_watch socket, channel, news;
	int channel_fd; /* another name of it, to be watched; -1: none */
	bool lost;	/* the link is down: it is dead, and perhaps gone */
	struct loop_timer patience;
	unsigned patience_ms;
	uint64_t ending; /* rings; a bit for each */
	int kicks[2 * NET_QUEUES_MAX];
	int fds[NET_QUEUES_MAX]; /* of the backend; nothing ever comes */
};

static struct vhost_socket *of_backend(struct net_backend *b)
{
	return container_of(b, struct vhost_socket, backend);
}

static struct vhost_socket *of_server(struct vhost_server *s)
{
	return container_of(s, struct vhost_socket, server);
}

/*
 * The server: what it is told.
 */

static int tell(struct vhost_socket *s, enum vhu_request request,
		const void *body, size_t len)
{
	return vhost_talk_tell(&s->talk, request, body, len, -1);
}

static int tell_state(struct vhost_socket *s, enum vhu_request request,
		      unsigned ring, uint32_t num)
{
	const struct vhu_vring_state_wire w = {.index = ring, .num = num};

	return tell(s, request, &w, sizeof(w));
}

static int tell_fd(struct vhost_socket *s, enum vhu_request request,
		   unsigned ring, int fd)
{
	const uint64_t w = ring;

	return vhost_talk_tell(&s->talk, request, &w, sizeof(w), fd);
}

/* Rings are enabled from the start for whoever has no such bit. */
static int tell_enabled(struct vhost_socket *s, unsigned ring, bool enabled)
{
	if (!(s->session->features & BIT_ULL(VHU_F_PROTOCOL_FEATURES)))
		return 0;
	return tell_state(s, VHU_SET_VRING_ENABLE, ring, enabled);
}

/* What was unmapped while no ring was served, nobody has told it. */
static int forget_all(struct vhost_socket *s)
{
	const struct vhu_iotlb_wire w = {
		.size = UINT64_MAX,
		.type = VHU_IOTLB_INVALIDATE,
	};

	return tell(s, VHU_IOTLB_MSG, &w, sizeof(w));
}

static int socket_begin(struct vhost_server *server, unsigned g,
			uint64_t features)
{
	struct vhost_socket *s = of_server(server);
	const uint64_t of_driver =
		VHOST_FEATURES | VHOST_FEATURES_IOMMU | NET_OFFLOADS;
	int r;

	(void)g;
	/* The driver knows nothing of the socket, nor has it to know of MQ. */
	features = s->session->features & (features | ~of_driver);
	r = tell(s, VHU_SET_FEATURES, &features, sizeof(features));
	return r == 0 && s->translated ? forget_all(s) : r;
}

/* Its kick comes with serve(): it may look at a ring that it can be kicked
 * for. */
static int socket_set_ring(struct vhost_server *server, unsigned qi,
			   const struct vhost_ring *ring)
{
	struct vhost_socket *s = of_server(server);
	const struct vhu_vring_addr_wire addr = {
		.index = qi,
		.desc = ring->desc,
		.avail = ring->avail,
		.used = ring->used,
	};
	int r = tell_state(s, VHU_SET_VRING_NUM, qi, ring->size);

	if (r == 0)
		r = tell_state(s, VHU_SET_VRING_BASE, qi, ring->base);
	if (r == 0)
		r = tell(s, VHU_SET_VRING_ADDR, &addr, sizeof(addr));
	if (r == 0)
		r = tell_fd(s, VHU_SET_VRING_ERR, qi, ring->error_fd);
	if (r == 0)
		r = tell_fd(s, VHU_SET_VRING_CALL, qi, ring->call_fd);
	s->kicks[qi] = ring->kick_fd;
	return r;
}

static int socket_serve(struct vhost_server *server, unsigned qi)
{
	struct vhost_socket *s = of_server(server);
	int r = tell_fd(s, VHU_SET_VRING_KICK, qi, s->kicks[qi]);

	return r < 0 ? r : tell_enabled(s, qi, true);
}

static int socket_end(struct vhost_server *server, unsigned qi,
		      uint16_t *ret_base)
{
	struct vhost_socket *s = of_server(server);
	int r = tell_enabled(s, qi, false);

	(void)ret_base;
	if (r == 0)
		r = vhost_talk_end(&s->talk, qi);
	if (r < 0 && vhost_talk_going(&s->talk) == 0)
		return r;
	/* A dead one is at it until it is gone (see_off()). */
	if (!s->ending)
		loop_timer_set(&s->patience, s->patience_ms * NS_PER_MS);
	s->ending |= BIT_ULL(qi);
	return -EINPROGRESS;
}

static void socket_cut_off(struct vhost_server *server, const char *why)
{
	vhost_talk_cut_off(&of_server(server)->talk, why);
}

/*
 * Its translations.
 */

static int socket_miss_fd(struct vhost_server *server, unsigned g)
{
	(void)g;
	return of_server(server)->session->talk.channel;
}

/* The word for the last one, if it is asked for. */
static void acknowledge(struct vhost_socket *s, uint64_t answer)
{
	const struct vhu_message *m = &s->miss;
	const struct vhu_header_wire h = {
		.request = m->header.request,
		.flags = VHU_VERSION | VHU_REPLY,
		.size = sizeof(answer),
	};
	uint8_t bytes[sizeof(h) + sizeof(answer)];

	if (!(m->header.flags & VHU_NEED_REPLY))
		return;
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), &answer, sizeof(answer));
	if (send(s->session->talk.channel, bytes, sizeof(bytes),
		 MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(bytes))
		vhost_talk_cut_off(&s->talk, "does not read what it is told");
}

static int socket_take_miss(struct vhost_server *server, unsigned g,
			    iova_t *ret_at, unsigned *ret_access)
{
	struct vhost_socket *s = of_server(server);
	struct vhu_message *m = &s->miss;
	struct vhu_iotlb_wire w = {0};
	int r = vhu_message_take(s->session->talk.channel, m);

	(void)g;
	if (r < 0)
		vhost_talk_cut_off(&s->talk,
				   r == -EPROTO ? "sent a message that is none"
						: "hung up");
	if (r <= 0)
		return -EAGAIN;
	if (m->header.size == sizeof(w))
		memcpy(&w, m->body, sizeof(w));
	*ret_at = w.iova;
	*ret_access = m->header.request == VHU_BACKEND_IOTLB_MSG &&
				      w.type == VHU_IOTLB_MISS
			      ? w.access & (DMA_READ | DMA_WRITE)
			      : 0;
	if (!*ret_access)
		acknowledge(s, EINVAL);
	return 1;
}

static void socket_answered(struct vhost_server *server, unsigned g, bool given)
{
	(void)g;
	acknowledge(of_server(server), given ? 0 : EFAULT);
}

/*
 * Some servers take two translations that begin at the same address for the
 * same, and what is mapped around a page may have grown since a miss for its
 * first: so this one begins at the page that is missing.
 *
 * And some ask to read and write the buffers that they fill, where drivers
 * permit to write alone.  They get both: it is a word for a server that keeps
 * to the protocol, which has the memory in any case.
 */
static int socket_update(struct vhost_server *server, unsigned g, iova_t at,
			 unsigned asked, const struct dma_extent *e)
{
	struct vhost_socket *s = of_server(server);
	const iova_t page = align_down(at, PAGE);
	const iova_t first = page > e->first ? page : e->first;
	const iova_t last = e->last < LAST_PAGE ? e->last : LAST_PAGE - 1;
	const struct vhu_iotlb_wire w = {
		.iova = first,
		.size = last - first + 1,
		.user_addr = (uintptr_t)e->host + (first - e->first),
		.access = (uint8_t)(e->access | (asked & DMA_READ)),
		.type = VHU_IOTLB_UPDATE,
	};

	(void)g;
	if (first > last)
		return -ENOTSUP;
	return tell(s, VHU_IOTLB_MSG, &w, sizeof(w));
}

static void socket_forget(struct vhost_server *server, unsigned g,
			  const struct range *r, unsigned n)
{
	struct vhost_socket *s = of_server(server);

	(void)g;
	vhost_talk_forget(&s->talk, r, n);
}

static const struct vhost_server_ops server_ops = {
	.begin = socket_begin,
	.set_ring = socket_set_ring,
	.serve = socket_serve,
	.end = socket_end,
	.miss_fd = socket_miss_fd,
	.take_miss = socket_take_miss,
	.answered = socket_answered,
	.update = socket_update,
	.forget = socket_forget,
	.cut_off = socket_cut_off,
};

/*
 * What it says: that rings have ended.
 */

static void hear_ends(struct vhost_socket *s)
{
	struct vhost_server_listener *l = s->server.listener;
	uint16_t base;

	for (unsigned i = 0; i < s->server.nqueues; i++) {
		if (!vhost_talk_ended(&s->talk, i, &base))
			continue;
		s->ending &= ~BIT_ULL(i);
		/* Whose time began later is not to pay for this one. */
		if (s->ending)
			loop_timer_set(&s->patience,
				       s->patience_ms * NS_PER_MS);
		else
			loop_timer_cancel(&s->patience);
		l->ended(l, i, base);
	}
}

static void stop_listening(struct vhost_socket *s)
{
	loop_watch_del(&s->socket);
	loop_watch_del(&s->channel);
	loop_watch_del(&s->news);
}

/* A dead one whose link is down: what it had is nobody's until it is gone. */
static void see_off(struct vhost_socket *s)
{
	struct vhost_server_listener *l = s->server.listener;
	const unsigned ms = vhost_talk_going(&s->talk);
	const uint64_t ending = s->ending;

	if (ms > 0) {
		loop_timer_set(&s->patience, ms * NS_PER_MS);
		return;
	}
	stop_listening(s);
	loop_timer_cancel(&s->patience);
	s->ending = 0;
	for (unsigned i = 0; i < s->server.nqueues; i++) {
		if (ending & BIT_ULL(i))
			l->ended(l, i, -EPIPE);
	}
}

static void hear(struct vhost_socket *s)
{
	if (s->lost) {
		see_off(s);
		return;
	}
	vhost_talk_hear(&s->talk);
	hear_ends(s);
	if (vhost_talk_death(&s->talk))
		s->backend.listener->link(s->backend.listener, EPIPE);
}

/* It does not come again. */
static void note_hangup(struct vhost_socket *s, struct loop_watch *w,
			uint32_t events)
{
	if (s->lost && events & (EPOLLHUP | EPOLLERR))
		loop_watch_del(w);
}

static void on_socket(struct loop_watch *w, uint32_t events)
{
	struct vhost_socket *s = container_of(w, struct vhost_socket, socket);

	hear(s);
	note_hangup(s, w, events);
}

/* What it says there is read elsewhere (take_miss()) while it lives. */
static void on_channel(struct loop_watch *w, uint32_t events)
{
	struct vhost_socket *s = container_of(w, struct vhost_socket, channel);

	vhost_talk_cut_off(&s->talk, "hung up");
	hear(s);
	note_hangup(s, w, events);
}

/* Who waited for it has heard something that is for us. */
static void on_news(struct loop_watch *w, uint32_t events)
{
	(void)events;
	hear(container_of(w, struct vhost_socket, news));
}

static void on_patience(struct loop_timer *t)
{
	struct vhost_socket *s = container_of(t, struct vhost_socket, patience);

	if (s->lost)
		see_off(s);
	else if (s->ending)
		vhost_talk_cut_off(&s->talk, "does not give its rings back");
}

/*
 * The backend: a link, and no frames.
 */

static ssize_t socket_incoming(struct net_backend *b, unsigned q)
{
	(void)b;
	(void)q;
	return -EAGAIN;
}

static ssize_t socket_receive(struct net_backend *b, unsigned q,
			      struct iovec *iov, unsigned n,
			      struct net_header_wire *hdr, bool *ret_end)
{
	(void)b, (void)q, (void)iov, (void)n, (void)hdr, (void)ret_end;
	return -EAGAIN;
}

/* Its queues are the server's while there is a link. */
static ssize_t socket_send(struct net_backend *b, unsigned q, struct iovec *iov,
			   unsigned n, size_t len,
			   const struct net_header_wire *hdr)
{
	(void)b, (void)q, (void)iov, (void)n, (void)len, (void)hdr;
	return -EIO;
}

static int watch(struct vhost_socket *s, struct loop_watch *w, loop_watch_fn fn,
		 int fd, uint32_t events)
{
	w->fn = fn;
	w->lock = s->lock;
	return loop_watch_add(s->loop, w, fd, events);
}

static int socket_attach(struct net_backend *b, struct loop *loop,
			 pthread_mutex_t *lock)
{
	struct vhost_socket *s = of_backend(b);
	int r;

	s->loop = loop;
	s->lock = lock;
	s->patience.fn = on_patience;
	s->patience.lock = lock;
	r = loop_timer_add(loop, &s->patience);
	if (r == 0)
		r = watch(s, &s->news, on_news, s->talk.news,
			  EPOLLIN | EPOLLET);
	if (r == 0)
		r = watch(s, &s->socket, on_socket, s->session->link.fd,
			  EPOLLIN | EPOLLRDHUP);
	return r < 0 || s->channel_fd < 0 ? r
					  : watch(s, &s->channel, on_channel,
						  s->channel_fd, EPOLLRDHUP);
}

static void socket_detach(struct net_backend *b)
{
	struct vhost_socket *s = of_backend(b);

	if (!s->lock)
		return;
	stop_listening(s);
	loop_timer_del(&s->patience);
	loop_barrier(s->loop);
	s->lock = NULL;
}

/* The socket stays open: somebody may be looking at it. */
static void socket_lost(struct net_backend *b, int error, char *text,
			size_t size)
{
	struct vhost_socket *s = of_backend(b);

	vhost_talk_cut_off(&s->talk, strerror(error));
	(void)snprintf(text, size, "%s", vhost_talk_death(&s->talk));
	s->lost = true;
	/* Nobody else reads it from now on. */
	loop_watch_set(&s->channel, EPOLLIN | EPOLLRDHUP);
	loop_timer_set(&s->patience, 0);
}

static void socket_free(struct net_backend *b)
{
	struct vhost_socket *s = of_backend(b);

	socket_detach(b);
	vhost_talk_fini(&s->talk);
	vhu_session_free(s->session);
	if (s->channel_fd >= 0)
		close(s->channel_fd);
	for (unsigned i = 0; i < NET_QUEUES_MAX; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	free(s->name);
	free(s);
}

static const struct net_backend_ops backend_ops = {
	.incoming = socket_incoming,
	.receive = socket_receive,
	.send = socket_send,
	.attach = socket_attach,
	.detach = socket_detach,
	.lost = socket_lost,
	.free = socket_free,
};

/*
 * Birth.  Sentences about a server are predicates.
 */

static int tell_memory(struct vhu_session *s, const struct gmem *mem,
		       struct err *err)
{
	struct vhu_memory_wire table = {.nregions = mem->nslots};
	int fds[VHU_REGIONS_MAX];

	if (mem->fd < 0)
		return err_set(err, ENOTSUP, "cannot map private memory");
	for (unsigned i = 0; i < mem->nslots; i++) {
		const struct gmem_slot *slot = &mem->slots[i];

		table.regions[i] = (struct vhu_region_wire){
			.guest_addr = slot->base,
			.size = slot->size,
			.user_addr = (uintptr_t)slot->host,
			.mmap_offset = slot->file_offset,
		};
		fds[i] = mem->fd;
	}
	return vhu_set(&s->link, VHU_SET_MEM_TABLE, &table,
		       offsetof(struct vhu_memory_wire, regions) +
			       mem->nslots * sizeof(table.regions[0]),
		       fds, mem->nslots, err);
}

static int check(struct vhost_socket *s, struct err *err)
{
	struct vhu_session *session = s->session;

	if (s->translated && !(session->features & VHOST_FEATURES_IOMMU))
		return err_set(
			err, ENOTSUP,
			"does not translate (ACCESS_PLATFORM), so behind "
			"the IOMMU it cannot have the guest's memory");
	if (s->translated && NEEDED_BEHIND & ~session->protocol)
		return err_set(err, ENOTSUP,
			       "does not say what it has forgotten (REPLY_ACK, "
			       "BACKEND_REQ), so behind the IOMMU it cannot "
			       "have the guest's memory");
	session->features &=
		~(NET_OFFLOADS & ~net_usable_offloads(session->features));
	if (s->backend.nqueues == 1)
		session->features &= ~BIT_ULL(NET_F_MQ);
	else if (!(session->features & BIT_ULL(NET_F_MQ)))
		return err_set(err, ENOTSUP, "has 1 queue, not the %u it takes",
			       s->backend.nqueues);
	return 0;
}

static int meet(struct vhost_socket *s, int fd, const struct gmem *mem,
		unsigned timeout_ms, struct err *err)
{
	const struct vhu_wants wants = {
		.features = VHOST_FEATURES,
		.extras = NET_OFFLOADS | BIT_ULL(NET_F_MQ) |
			  (s->translated ? VHOST_FEATURES_IOMMU : 0),
		.protocol = s->translated ? NEEDED_BEHIND : 0,
		.queues = s->backend.nqueues,
	};
	int r = vhu_session_greet(&s->session, fd, &wants, timeout_ms, err);

	if (r == 0)
		r = check(s, err);
	if (r == 0)
		r = vhu_set_u64(&s->session->link, VHU_SET_FEATURES,
				s->session->features, err);
	return r < 0 ? r : tell_memory(s->session, mem, err);
}

static int another_name(int fd)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return r < 0 ? -errno : r;
}

static int connect_to(struct vhost_socket *s, const struct gmem *mem,
		      const struct net_config *config, struct err *err)
{
	struct err what = {0};
	int fd, r = vhu_dial(config->socket, &fd, &what);

	if (r == -ENAMETOOLONG)
		return err_set(err, -r, "network: %s", what.msg);
	if (r < 0)
		return err_errno(err, -r, "network: no server at '%s'",
				 config->socket);
	r = meet(s, fd, mem, config->setup_ms ? config->setup_ms : VHU_SETUP_MS,
		 &what);
	if (r < 0)
		return err_set(err, -r, "network: %s %s", s->name, what.msg);
	s->backend.features = s->session->features & NET_OFFLOADS;
	r = vhost_talk_init(&s->talk, s->session->link.fd,
			    s->session->talk.channel, s->patience_ms);
	if (r == 0 && s->session->talk.channel >= 0)
		r = s->channel_fd = another_name(s->session->talk.channel);
	return r < 0 ? err_errno(err, -r, "network: no descriptor left") : 0;
}

static struct vhost_socket *alloc(const struct virtio_dev_env *env,
				  const struct net_config *config)
{
	struct vhost_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (asprintf(&s->name, "the server at '%s'", config->socket) < 0) {
		free(s);
		return NULL;
	}
	s->channel_fd = -1;
	s->translated = env->access_platform;
	s->patience_ms = config->patience_ms ? config->patience_ms
					     : VHOST_SOCKET_PATIENCE_MS;
	s->backend = (struct net_backend){
		.ops = &backend_ops,
		.name = s->name,
		.fds = s->fds,
		.nqueues = config->queues,
	};
	s->server = (struct vhost_server){
		.ops = &server_ops,
		.name = s->name,
		.nqueues = 2 * config->queues,
		.ngroups = 1,
		/* As dpdk's does. */
		.forgets_neighbours = true,
	};
	for (unsigned i = 0; i < NET_QUEUES_MAX; i++)
		s->fds[i] = -1;
	return s;
}

int vhost_socket_new(struct net_backend **ret_b, struct vhost_server **ret_s,
		     const struct virtio_dev_env *env,
		     const struct net_config *config, struct err *err)
{
	struct vhost_socket *s = alloc(env, config);
	int r = 0;

	if (!s)
		return err_set(err, ENOMEM, "network: out of memory");
	for (unsigned i = 0; r >= 0 && i < config->queues; i++)
		r = s->fds[i] = eventfd_new();
	if (r < 0)
		(void)err_errno(err, -r, "network: no eventfd");
	else
		r = connect_to(s, env->dma->mem, config, err);
	if (r < 0) {
		socket_free(&s->backend);
		return r;
	}
	*ret_b = &s->backend;
	*ret_s = &s->server;
	return 0;
}
