/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/vsock_rig.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/err.h"

#define PATIENCE_MS 10000

void rig_up(struct rig *r, unsigned ways)
{
	struct vsock_config config = {.cid = RIG_CID};
	struct virtio_dev *d;
	struct err err = {""};

	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/moat-vsock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	(void)snprintf(r->path, sizeof(r->path), "%s/v", r->dir);
	(void)snprintf(r->port_path, sizeof(r->port_path), "%s_%u", r->path,
		       RIG_PORT);
	config.path = r->path;
	fix_init(&r->f, ways | FIX_LOOPED);
	ck_assert_msg(vsock_new(&d, &r->f.env, &config, &err) == 0, "%s",
		      err.msg);
	fix_adopt(&r->f, d);
	r->v = to_vsock(d);
	rig_start(r);
}

void rig_start(struct rig *r)
{
	fix_start(&r->f, FIX_USUAL);
	r->tx = vqd_alloc(&r->f.drv[VSOCK_QUEUE_TX],
			  RIG_TX_MAX + sizeof(struct vsock_header_wire));
	r->buf_alloc = RIG_BUF_ALLOC;
	r->fwd_cnt = 0;
	r->cid = RIG_CID;
	r->type = VSOCK_TYPE_STREAM;
	r->host_port = RIG_PORT;
	r->guest_port = RIG_GUEST;
}

void rig_down(struct rig *r)
{
	fix_fini(&r->f);
	ck_assert_int_eq(access(r->path, F_OK), -1);
	(void)unlink(r->port_path);
	ck_assert_int_eq(rmdir(r->dir), 0);
}

static void post(struct rig *r, iova_t at)
{
	const struct vqd_buf b = {at, RIG_BUFFER, true};

	r->rx[vqd_stage(&r->f.drv[VSOCK_QUEUE_RX], &b, 1)] = at;
	vqd_publish(&r->f.drv[VSOCK_QUEUE_RX]);
}

void rig_post(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		post(r, vqd_alloc(&r->f.drv[VSOCK_QUEUE_RX], RIG_BUFFER));
	fix_kick(&r->f, VSOCK_QUEUE_RX);
}

struct vsock_header_wire rig_header(const struct rig *r, uint16_t op,
				    uint32_t flags, uint32_t len)
{
	return (struct vsock_header_wire){
		.src_cid = le32_put((uint32_t)r->cid),
		.dst_cid = le32_put(VSOCK_CID_HOST),
		.src_port = le32_put(r->guest_port),
		.dst_port = le32_put(r->host_port),
		.len = le32_put(len),
		.type = le16_put(r->type),
		.op = le16_put(op),
		.flags = le32_put(flags),
		.buf_alloc = le32_put(r->buf_alloc),
		.fwd_cnt = le32_put(r->fwd_cnt),
	};
}

void rig_send_raw(struct rig *r, const struct vsock_header_wire *h,
		  const void *data, uint32_t len, uint32_t total)
{
	struct vq_driver *drv = &r->f.drv[VSOCK_QUEUE_TX];
	const struct vqd_buf b = {r->tx, total, false};

	vqd_write(drv, r->tx, h, sizeof(*h));
	if (len)
		vqd_write(drv, r->tx + sizeof(*h), data, len);
	ck_assert_uint_eq(fix_run(&r->f, VSOCK_QUEUE_TX, &b, 1), 0);
}

void rig_send(struct rig *r, uint16_t op, uint32_t flags, const void *data,
	      uint32_t len)
{
	const struct vsock_header_wire h = rig_header(r, op, flags, len);

	rig_send_raw(r, &h, data, len, (uint32_t)sizeof(h) + len);
}

void rig_recv(struct rig *r, struct rig_packet *p)
{
	struct vq_driver *drv = &r->f.drv[VSOCK_QUEUE_RX];
	uint32_t head, len;

	fix_wait(&r->f, VSOCK_QUEUE_RX, &head, &len);
	ck_assert_uint_ge(len, sizeof(p->h));
	vqd_read(drv, r->rx[head], &p->h, sizeof(p->h));
	p->len = len - (uint32_t)sizeof(p->h);
	vqd_read(drv, r->rx[head] + sizeof(p->h), p->data, p->len);
	ck_assert_uint_eq(p->len, le32_get(p->h.len));
	ck_assert_uint_eq(le32_get(p->h.dst_cid), RIG_CID);
	ck_assert_uint_eq(le32_get(p->h.src_cid_high), 0);
	ck_assert_uint_eq(le32_get(p->h.dst_cid_high), 0);
	post(r, r->rx[head]);
	fix_kick(&r->f, VSOCK_QUEUE_RX);
}

void rig_expect(struct rig *r, uint16_t op, struct rig_packet *p)
{
	struct rig_packet any;

	if (!p)
		p = &any;
	rig_recv(r, p);
	ck_assert_uint_eq(le16_get(p->h.op), op);
	ck_assert_uint_eq(le32_get(p->h.src_port), r->host_port);
	ck_assert_uint_eq(le32_get(p->h.dst_port), r->guest_port);
}

bool rig_is_silent(struct rig *r)
{
	struct vq_driver *drv = &r->f.drv[VSOCK_QUEUE_RX];
	bool silent;

	fix_lock(&r->f);
	silent = vqd_used_idx(drv) == drv->last_used;
	fix_unlock(&r->f);
	return silent;
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int new_socket(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	return fd;
}

int rig_listen(struct rig *r, int backlog)
{
	const struct sockaddr_un a = address(r->port_path);
	int fd = new_socket();

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

int rig_accept(int server)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd;

	do
		fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	return fd;
}

int rig_client(struct rig *r, const char *greeting)
{
	const struct sockaddr_un a = address(r->path);
	const size_t len = strlen(greeting);
	int fd = new_socket();

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
			 0);
	ck_assert_int_eq(send(fd, greeting, len, MSG_NOSIGNAL), (ssize_t)len);
	return fd;
}

ssize_t rig_read_some(int fd, void *buf, size_t len)
{
	ssize_t n;

	/* With a time limit, no signal handler restarts it. */
	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

size_t rig_read(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = rig_read_some(fd, (char *)buf + done, len - done);

		ck_assert_msg(n >= 0, "read: %s", strerror(errno));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int rig_connect(struct rig *r, int server)
{
	struct rig_packet p;
	int fd;

	rig_send(r, VSOCK_OP_REQUEST, 0, NULL, 0);
	fd = rig_accept(server);
	rig_expect(r, VSOCK_OP_RESPONSE, &p);
	ck_assert_uint_ge(le32_get(p.h.buf_alloc), VSOCK_BUF_LEAST);
	ck_assert_uint_eq(le32_get(p.h.src_cid), VSOCK_CID_HOST);
	return fd;
}

int rig_connect_back(struct rig *r)
{
	char line[32] = "", want[32];
	struct rig_packet p;
	int fd;

	(void)snprintf(want, sizeof(want), "CONNECT %u\n", RIG_GUEST);
	fd = rig_client(r, want);
	rig_recv(r, &p);
	ck_assert_uint_eq(le16_get(p.h.op), VSOCK_OP_REQUEST);
	ck_assert_uint_eq(le32_get(p.h.dst_port), RIG_GUEST);
	r->host_port = le32_get(p.h.src_port);
	r->guest_port = RIG_GUEST;
	rig_send(r, VSOCK_OP_RESPONSE, 0, NULL, 0);
	(void)snprintf(want, sizeof(want), "OK %u\n", r->host_port);
	ck_assert_uint_eq(rig_read(fd, line, strlen(want)), strlen(want));
	ck_assert_str_eq(line, want);
	return fd;
}

unsigned rig_conns(struct rig *r)
{
	unsigned n;

	fix_lock(&r->f);
	n = r->v->nconns;
	fix_unlock(&r->f);
	return n;
}

static bool any_conn(void *arg)
{
	return ((struct vsock *)arg)->nconns > 0;
}

void rig_time_out(struct rig *r)
{
	fix_until(&r->f, any_conn, r->v);
	fix_lock(&r->f);
	list_for_each (pos, &r->v->conns)
		container_of(pos, struct vsock_conn, node)->deadline_ms = 0;
	fix_unlock(&r->f);
}
