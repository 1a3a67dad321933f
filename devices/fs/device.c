/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/fs/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/child.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/fs/server.h"
#include "devices/fs/wire.h"
#include "devices/vhost_user/dial.h"
#include "devices/vhost_user/frontend.h"

#define HIPRIO_SIZE 128
/* Linux puts no more pages into a request than the queue has entries: here
 * 1 MiB fits, which is what servers take. */
#define REQUEST_SIZE 512

/* A server ends by itself when its connection is closed. */
#define GRACE_MS 1000

/* Nothing that all servers do not have. */
static const struct vhu_wants wants = {.queues = 2};

struct fs {
	struct virtio_dev dev;
	struct vhu vhu;
	struct child server;
	struct loop_watch output; /* of the server */
	char *server_name; /* "the server of 'PATH'", "... at 'SOCKET'" */
	bool ours;	   /* the server is */
};

static struct fs *to_fs(struct virtio_dev *d)
{
	return container_of(d, struct fs, dev);
}

static struct fs *of_vhu(struct vhu *u)
{
	return container_of(u, struct fs, vhu);
}

/*
 * What happens without a server.
 */

/* Requests without room for an answer want none (FUSE_FORGET). */
static void fs_refuse(struct vhu *u, struct vq_chain *c, int error)
{
	struct fuse_in_header_wire in;
	struct fuse_out_header_wire out = {
		.len = le32_put(sizeof(out)),
		.error = le32_put((uint32_t)error),
	};

	(void)u;
	if (vq_read_obj(c, &in))
		return;
	out.unique = in.unique;
	(void)vq_write_obj(c, &out);
}

static void fs_lost(struct vhu *u, const char *why)
{
	struct fs *f = of_vhu(u);
	char how[CHILD_LINE_MAX + 64] = "";

	if (f->server.pid > 0) {
		/* That it hung up is the first one hears of its end. */
		(void)child_ended(&f->server, GRACE_MS);
		child_explain(&f->server, how, sizeof(how));
	}
	loop_watch_del(&f->output);
	child_stop(&f->server, 0);
	log_err("%s: %s %s%s%s; what the guest does there fails from now on",
		f->dev.name, f->server_name, why, how[0] ? ", " : "", how);
}

/*
 * Linux' overlayfs opens all that is below it with O_NOATIME, which is the
 * right of a file's owner; a server in a user namespace owns only what is the
 * user's.  Newer servers leave the flag out by themselves; one that is not ours
 * gets what the guest has sent.
 */
static size_t fs_front(struct vhu *u, struct vq_chain *c,
		       uint8_t front[VHU_FRONT_MAX])
{
	const struct vq_cursor start = c->in;
	struct {
		struct fuse_in_header_wire header;
		struct fuse_open_in_wire open;
	} in;
	uint32_t op, flags;
	int r;

	static_assert(sizeof(in) <= VHU_FRONT_MAX, "it fits");
	if (!of_vhu(u)->ours)
		return 0;
	r = vq_read_obj(c, &in);
	c->in = start;
	if (r < 0)
		return 0;
	op = le32_get(in.header.opcode);
	flags = le32_get(in.open.flags);
	if ((op != FUSE_OP_OPEN && op != FUSE_OP_OPENDIR) ||
	    !(flags & FUSE_O_NOATIME))
		return 0;
	in.open.flags = le32_put(flags & ~FUSE_O_NOATIME);
	memcpy(front, &in, sizeof(in));
	return sizeof(in);
}

static const struct vhu_ops vhu_ops = {
	.refuse = fs_refuse,
	.lost = fs_lost,
	.front = fs_front,
};

static void on_output(struct loop_watch *w, uint32_t events)
{
	struct fs *f = container_of(w, struct fs, output);

	(void)events;
	if (!child_read(&f->server))
		loop_watch_del(w);
}

/*
 * The device's face.
 */

static int fs_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

static void fs_stop(struct virtio_dev *d)
{
	vhu_stop(&to_fs(d)->vhu);
}

static void fs_kick(struct virtio_dev *d, unsigned qi)
{
	vhu_kick(&to_fs(d)->vhu, qi);
}

static void fs_pausing(struct virtio_dev *d)
{
	vhu_pausing(&to_fs(d)->vhu);
}

static void fs_free(struct virtio_dev *d)
{
	struct fs *f = to_fs(d);

	loop_watch_del(&f->output);
	vhu_fini(&f->vhu);
	virtio_dev_fini(d);
	child_stop(&f->server, GRACE_MS);
	free(f->server_name);
	free(f);
}

static const struct virtio_dev_ops fs_ops = {
	.id = VIRTIO_ID_FS,
	.name = "virtio-fs",
	.start = fs_start,
	.stop = fs_stop,
	.kick = fs_kick,
	.pausing = fs_pausing,
	.free = fs_free,
};

/*
 * Birth.
 */

static int set_name(struct fs *f, const struct fs_config *config,
		    struct err *err)
{
	f->ours = !config->socket;
	if (asprintf(&f->server_name,
		     f->ours ? "the server of '%s'" : "the server at '%s'",
		     f->ours ? config->path : config->socket) >= 0)
		return 0;
	f->server_name = NULL;
	return err_set(err, ENOMEM, "no memory");
}

static int make(struct fs **ret_f, const struct virtio_dev_env *env,
		const struct fs_config *config, struct err *err)
{
	static const uint16_t sizes[] = {
		[FS_QUEUE_HIPRIO] = HIPRIO_SIZE,
		[FS_QUEUE_REQUEST] = REQUEST_SIZE,
	};
	const size_t tag_len = strlen(config->tag);
	struct fs_config_wire w = {.num_request_queues = le32_put(1)};
	struct fs *f;
	int r;

	if (tag_len < 1 || tag_len > FS_TAG_LEN)
		return err_set(err, EINVAL, "tag '%s': not 1 to %d bytes",
			       config->tag, FS_TAG_LEN);
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	child_init(&f->server);
	r = set_name(f, config, err);
	if (r == 0)
		r = virtio_dev_init(&f->dev, &fs_ops, env, 0, sizes,
				    ARRAY_SIZE(sizes), sizeof(w), err);
	if (r < 0) {
		free(f->server_name);
		free(f);
		return r;
	}
	memcpy(w.tag, config->tag, tag_len);
	memcpy(f->dev.config, &w, sizeof(w));
	vhu_init(&f->vhu, &f->dev, &vhu_ops);
	if (config->patience_ms > 0)
		f->vhu.patience_ms = config->patience_ms;
	*ret_f = f;
	return 0;
}

static int connect_to(struct fs *f, int fd, unsigned timeout_ms,
		      struct err *err)
{
	struct err what = {0};
	int r = vhu_connect(&f->vhu, fd, &wants, timeout_ms, &what);

	return r < 0 ? err_set(err, -r, "%s %s", f->server_name, what.msg) : 0;
}

int fs_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct fs_config *config, int fd, unsigned timeout_ms,
	      struct err *err)
{
	struct fs *f;
	int r = make(&f, env, config, err);

	if (r < 0) {
		close(fd);
		return r;
	}
	r = connect_to(f, fd, timeout_ms, err);
	if (r < 0) {
		fs_free(&f->dev);
		return r;
	}
	*ret_d = &f->dev;
	return 0;
}

static int check_path(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_errno(err, errno, "'%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "'%s' is no directory", path);
	if (access(path, R_OK | X_OK) < 0)
		return err_errno(err, errno, "'%s'", path);
	return 0;
}

static int serve(struct fs *f, const struct fs_config *config, struct err *err)
{
	AUTO_FREE char *path = realpath(config->path, NULL);
	char how[CHILD_LINE_MAX + 64];
	struct err what = {0};
	int fd, r;

	if (!path)
		return err_errno(err, errno, "'%s'", config->path);
	r = fs_server_start(&f->server, config->server, path, config->readonly,
			    &fd, err);
	if (r < 0) {
		err_prefix(err, "'%s'", config->path);
		return r;
	}
	r = vhu_connect(&f->vhu, fd, &wants, VHU_SETUP_MS, &what);
	if (r < 0) {
		/* What it says itself is nearer to the cause. */
		(void)child_ended(&f->server, GRACE_MS);
		child_explain(&f->server, how, sizeof(how));
		return err_set(err, -r, "%s %s, %s", f->server_name, what.msg,
			       how);
	}
	f->output.fn = on_output;
	f->output.lock = &f->dev.lock;
	r = loop_watch_add(f->dev.loop, &f->output, f->server.output, EPOLLIN);
	return r < 0 ? err_errno(err, -r, "'%s': cannot listen to its server",
				 config->path)
		     : 0;
}

/* A server of somebody else's. */
static int reach(struct fs *f, const struct fs_config *config, struct err *err)
{
	int fd, r = vhu_dial(config->socket, &fd, err);

	if (r == -ENAMETOOLONG)
		return r;
	if (r < 0)
		return err_errno(err, -r, "'%s': no server there",
				 config->socket);
	return connect_to(f, fd, VHU_SETUP_MS, err);
}

int fs_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	   const struct fs_config *config, struct err *err)
{
	struct fs *f;
	int r = config->socket ? 0 : check_path(config->path, err);

	if (r == 0)
		r = make(&f, env, config, err);
	if (r < 0)
		return r;
	if (!config->plan)
		r = config->socket ? reach(f, config, err)
				   : serve(f, config, err);
	if (r < 0) {
		fs_free(&f->dev);
		return r;
	}
	*ret_d = &f->dev;
	return 0;
}
