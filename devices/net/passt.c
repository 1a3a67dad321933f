/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * passt copies the host's addresses into the guest unless it is told others.
 * It is told: so a guest's address is the same on every host, known before it
 * runs, and never that of a host which the guest wants to talk to.
 */
#include "devices/net/passt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/bits.h"
#include "core/child.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/le.h"
#include "core/loop.h"
#include "devices/net.h"
#include "devices/net/stream.h"

/* It ends by itself when its socket is closed. */
#define GRACE_MS 1000
/* Until it answers. */
#define SETUP_MS 10000

/*
 * In the socket, each way, as far as the host grants it.  For what finds no
 * room, passt does not wait: it drops the frames, and later sends all that
 * came behind them once more.  By default three of the longest fit in.
 */
#define SOCKET_ROOM MIB(4)

struct passt {
	struct net_stream stream;
	struct child child;
	struct loop_watch output; /* of it */
};

static struct passt *to_passt(struct net_backend *b)
{
	return container_of(b, struct passt, stream.backend);
}

static void on_output(struct loop_watch *w, uint32_t events)
{
	struct passt *p = container_of(w, struct passt, output);

	(void)events;
	if (!child_read(&p->child))
		loop_watch_del(w);
}

static int passt_attach(struct net_backend *b, struct loop *loop,
			pthread_mutex_t *lock)
{
	struct passt *p = to_passt(b);

	p->output.fn = on_output;
	p->output.lock = lock;
	return loop_watch_add(loop, &p->output, p->child.output, EPOLLIN);
}

static void passt_lost(struct net_backend *b, int error, char *text,
		       size_t size)
{
	struct passt *p = to_passt(b);

	(void)error;
	/* That it hung up is the first one hears of its end. */
	(void)child_ended(&p->child, GRACE_MS);
	child_explain(&p->child, text, size);
	loop_watch_del(&p->output);
	child_stop(&p->child, 0);
}

static void passt_free(struct net_backend *b)
{
	struct passt *p = to_passt(b);

	loop_watch_del(&p->output);
	net_stream_fini(&p->stream);
	child_stop(&p->child, GRACE_MS);
	free(p);
}

static const struct net_backend_ops passt_ops = {
	.incoming = net_stream_incoming,
	.receive = net_stream_receive,
	.send = net_stream_send,
	.send_rest = net_stream_send_rest,
	.attach = passt_attach,
	.lost = passt_lost,
	.free = passt_free,
};

/*
 * The command line.
 */

/* CHILD_FD is a word of the command line. */
#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

#define WORDS_MAX (24 + 2 * NET_FORWARDS_MAX)
#define SPEC_MAX  48

struct words {
	const char *argv[WORDS_MAX + 1];
	unsigned n;
	char prefix[12], mtu[12];
	char specs[NET_FORWARDS_MAX][SPEC_MAX];
};

static void add(struct words *w, const char *option, const char *value)
{
	w->argv[w->n++] = option;
	if (value)
		w->argv[w->n++] = value;
}

static void add_forward(struct words *w, unsigned i,
			const struct net_forward *f)
{
	(void)snprintf(w->specs[i], SPEC_MAX, "%s/%u:%u", f->host, f->host_port,
		       f->guest_port);
	add(w, f->udp ? "-u" : "-t", w->specs[i]);
}

static void make_words(struct words *w, const char *program,
		       const struct net_config *config)
{
	const struct net_address *a = &config->address;

	(void)snprintf(w->prefix, sizeof(w->prefix), "%u", a->prefix);
	(void)snprintf(w->mtu, sizeof(w->mtu), "%u",
		       config->mtu ? config->mtu : NET_STREAM_MTU);
	add(w, program, NULL);
	add(w, "--foreground", NULL);
	add(w, "--stderr", NULL);
	add(w, "--quiet", NULL);
	add(w, "--fd", TEXT(CHILD_FD));
	add(w, "--address", a->address);
	add(w, "--netmask", w->prefix);
	add(w, "--gateway", a->gateway);
	add(w, "--dns-forward", a->dns);
	add(w, "--mtu", w->mtu);
	if (!config->host)
		add(w, "--no-map-gw", NULL);
	for (unsigned i = 0; i < config->nforwards; i++)
		add_forward(w, i, &config->forwards[i]);
}

/*
 * Is it there?  It answers ARP, so it is asked for the gateway, in the name
 * of the guest, once.
 */

struct arp_wire {
	uint8_t to[NET_MAC_LEN], from[NET_MAC_LEN];
	uint8_t type[2];
	uint8_t head[8]; /* Ethernet, IPv4, a question */
	uint8_t sender_mac[NET_MAC_LEN], sender[4];
	uint8_t target_mac[NET_MAC_LEN], target[4];
};
static_assert(sizeof(struct arp_wire) == 42, "RFC 826");

static void make_question(struct arp_wire *w, const struct net_config *config)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0, 1};

	*w = (struct arp_wire){
		.to = {255, 255, 255, 255, 255, 255},
		.type = {8, 6},
	};
	memcpy(w->from, config->mac, NET_MAC_LEN);
	memcpy(w->head, head, sizeof(head));
	memcpy(w->sender_mac, config->mac, NET_MAC_LEN);
	(void)inet_pton(AF_INET, config->address.address, w->sender);
	(void)inet_pton(AF_INET, config->address.gateway, w->target);
}

/* Return: 0; -EPIPE if it has ended; -ETIMEDOUT; -errno. */
static int wait_for_it(struct passt *p, const struct net_config *config)
{
	struct pollfd poll_fd = {.fd = p->stream.fd, .events = POLLIN};
	struct net_backend *b = &p->stream.backend;
	struct net_header_wire hdr = {0};
	struct arp_wire question;
	uint8_t answer[256];
	struct iovec iov[3] = {[1] = {&question, sizeof(question)}};
	bool end = false;
	ssize_t r;

	make_question(&question, config);
	r = net_stream_send(b, 0, iov, 1, sizeof(question), &hdr);
	if (r != (ssize_t)sizeof(question))
		return r < 0 ? (int)r : -EPIPE;
	while (!end) {
		iov[1] = (struct iovec){answer, sizeof(answer)};
		r = net_stream_incoming(b, 0);
		if (r > 0)
			r = net_stream_receive(b, 0, iov, 1, &hdr, &end);
		if (r < 0 && r != -EAGAIN)
			return (int)r;
		if (r < 0 && poll(&poll_fd, 1, SETUP_MS) == 0)
			return -ETIMEDOUT;
	}
	return 0;
}

/* More than the host's limit takes privileges. */
static void make_room(int fd)
{
	const int size = SOCKET_ROOM;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size));
}

static int start(struct passt *p, const struct net_config *config,
		 const char *program, int fd, struct err *err)
{
	struct words words = {.n = 0};
	const struct child_config child = {
		.argv = words.argv,
		.pass_fd = fd,
	};
	char how[CHILD_LINE_MAX + 64];
	int r;

	make_words(&words, program, config);
	r = child_start(&p->child, &child, err);
	close(fd);
	if (r < 0)
		return r;
	r = wait_for_it(p, config);
	if (r == 0)
		return 0;
	(void)child_ended(&p->child, r == -ETIMEDOUT ? 0 : GRACE_MS);
	child_explain(&p->child, how, sizeof(how));
	return err_set(err, -r, "passt does not answer, it %s", how);
}

int net_passt_new(struct net_backend **ret_b, const struct net_config *config,
		  struct err *err)
{
	AUTO_FREE char *program =
		config->program ? strdup(config->program) : child_find("passt");
	struct passt *p;
	int fds[2], r;

	if (!program)
		return err_set(err, ENOENT,
			       "there is no 'passt' for user networking "
			       "(Debian has it in passt)");
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(err, ENOMEM, "out of memory");
	child_init(&p->child);
	p->stream.fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		r = err_errno(err, errno, "cannot make a socket for passt");
		passt_free(&p->stream.backend);
		return r;
	}
	make_room(fds[0]);
	make_room(fds[1]);
	r = net_stream_init(&p->stream, fds[0]);
	p->stream.backend.ops = &passt_ops;
	p->stream.backend.name = "passt";
	if (r < 0)
		close(fds[1]);
	else
		r = start(p, config, program, fds[1], err);
	if (r < 0) {
		passt_free(&p->stream.backend);
		return r;
	}
	*ret_b = &p->stream.backend;
	return 0;
}
