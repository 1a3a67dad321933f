/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk whose requests another process serves: what the driver sees of the
 * server, and what it sees when there is none.
 */
#include "devices/blk/served.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/child.h"
#include "core/err.h"
#include "core/log.h"
#include "devices/blk/storage_daemon.h"
#include "devices/blk/wire.h"
#include "devices/vhost_user/dial.h"
#include "devices/vhost_user/frontend.h"

/* Servers in Rust have no longer rings. */
#define QUEUE_SIZE 128

/* To hear how a server has ended that hung up. */
#define GRACE_MS 1000

/* Ours writes what it has of the image in its memory before it ends. */
#define FLUSH_MS 20000

/* Up to write_zeroes: servers know no shorter one, and some no longer one. */
#define CONFIG_LEN offsetof(struct blk_config_wire, max_secure_erase_sectors)
#define WRITEBACK  offsetof(struct blk_config_wire, writeback)

/* What a driver may have if the server has it. */
#define EXTRAS                                                                \
	(BIT_ULL(BLK_F_SIZE_MAX) | BIT_ULL(BLK_F_SEG_MAX) |                   \
	 BIT_ULL(BLK_F_RO) | BIT_ULL(BLK_F_BLK_SIZE) | BIT_ULL(BLK_F_FLUSH) | \
	 BIT_ULL(BLK_F_TOPOLOGY) | BIT_ULL(BLK_F_CONFIG_WCE) |                \
	 BIT_ULL(BLK_F_MQ) | BIT_ULL(BLK_F_DISCARD) |                         \
	 BIT_ULL(BLK_F_WRITE_ZEROES))

struct vublk {
	struct virtio_dev dev;
	struct vhu vhu;
	struct child server;	  /* ours; else none */
	struct loop_watch output; /* of it */
	char *name;		  /* socket or image, as the user wrote it */
	bool own_id;		  /* GET_ID is answered here */
	char id[BLK_ID_LEN];
	bool can_cache; /* the server lets its cache be switched */
	int cache;	/* what it was told: 0, 1; -1: nothing yet */
};

static struct vublk *to_vublk(struct virtio_dev *d)
{
	return container_of(d, struct vublk, dev);
}

static struct vublk *of_vhu(struct vhu *u)
{
	return container_of(u, struct vublk, vhu);
}

/*
 * Requests that do not reach the server.
 */

static void end_with(struct vq_chain *c, uint8_t status)
{
	(void)vq_write_tail(c, &status, sizeof(status));
}

static void vublk_refuse(struct vhu *u, struct vq_chain *c, int error)
{
	(void)u;
	(void)error;
	end_with(c, BLK_S_IOERR);
}

static bool vublk_answer(struct vhu *u, struct vq_chain *c)
{
	const struct vublk *b = of_vhu(u);
	const struct vq_cursor start = c->in;
	struct blk_header_wire h;

	if (!b->own_id || vq_read_obj(c, &h) ||
	    le32_get(h.type) != BLK_T_GET_ID) {
		c->in = start;
		return false;
	}
	if (c->out.left <= BLK_ID_LEN || vq_write(c, b->id, BLK_ID_LEN))
		end_with(c, BLK_S_IOERR);
	else
		end_with(c, BLK_S_OK);
	return true;
}

/*
 * The server's end, and its return.
 */

static void vublk_lost(struct vhu *u, const char *why)
{
	struct vublk *b = of_vhu(u);
	char how[CHILD_LINE_MAX + 64] = "";

	if (u->redial.waits) {
		log_warn("%s: the server at '%s' %s; waiting for it",
			 b->dev.name, b->name, why);
		return;
	}
	if (b->server.pid > 0) {
		/* That it hung up is the first one hears of its end. */
		(void)child_ended(&b->server, GRACE_MS);
		storage_daemon_explain(&b->server, how, sizeof(how));
	}
	loop_watch_del(&b->output);
	child_stop(&b->server, 0);
	log_err("%s: the server of '%s' %s%s%s; what the guest does there "
		"fails from now on",
		b->dev.name, b->name, why, how[0] ? ", " : "", how);
}

static void vublk_missed(struct vhu *u)
{
	struct vublk *b = of_vhu(u);

	log_err("%s: no server at '%s' for %g s; what the guest does there "
		"fails until there is one",
		b->dev.name, b->name, u->redial.wait_ms / 1000.0);
}

/* What is in the configuration but for what is ours, or the driver's. */
static void fill_config(struct vublk *b, const uint8_t *said)
{
	const struct virtio_dev *d = &b->dev;
	struct blk_config_wire w = {0}, old;
	uint32_t segs = QUEUE_SIZE - 2, piece;

	memcpy(&old, d->config, sizeof(old));
	memcpy(&w, said, CONFIG_LEN);
	w.writeback = old.writeback;
	w.num_queues = le16_put((uint16_t)d->nvqs);
	/* Header and status take a descriptor each. */
	if (le32_get(w.seg_max) > 0)
		segs = (uint32_t)min_u64(segs, le32_get(w.seg_max));
	w.seg_max = le32_put(segs);
	/* Behind an IOMMU each page may be a piece of its own. */
	piece = ((VHU_PIECES_MAX - 4) / segs - 1) * 4096;
	if (d->insist_platform &&
	    (le32_get(w.size_max) == 0 || le32_get(w.size_max) > piece))
		w.size_max = le32_put(piece);
	memcpy(d->config, &w, sizeof(w));
}

static void vublk_new_config(struct vhu *u, const uint8_t *config)
{
	struct vublk *b = of_vhu(u);
	struct virtio_dev *d = &b->dev;
	struct blk_config_wire before;

	memcpy(&before, d->config, sizeof(before));
	fill_config(b, config);
	if (memcmp(&before, d->config, sizeof(before)) != 0)
		virtio_config_changed(d);
}

static void vublk_found(struct vhu *u)
{
	struct vublk *b = of_vhu(u);

	log_warn("%s: the server at '%s' is back", b->dev.name, b->name);
	vublk_new_config(u, u->session->config);
}

static const struct vhu_ops vhu_ops = {
	.refuse = vublk_refuse,
	.lost = vublk_lost,
	.answer = vublk_answer,
	.config = vublk_new_config,
	.found = vublk_found,
	.missed = vublk_missed,
};

static void on_output(struct loop_watch *w, uint32_t events)
{
	struct vublk *b = container_of(w, struct vublk, output);

	(void)events;
	if (!child_read(&b->server))
		loop_watch_del(w);
}

/*
 * The device's face.
 */

/* The switch, by us.   [virtio 1.2, 5.2.5] */
static void show_cache(struct virtio_dev *d, bool on)
{
	if (d->config[WRITEBACK] == on)
		return;
	d->config[WRITEBACK] = on;
	virtio_config_renewed(d);
}

/*
 * A driver that cannot flush has to be able to rely on every write, and finds
 * the switch that it may have set so.   [virtio 1.2, 5.2.5.2]
 */
static bool vublk_features_ok(struct virtio_dev *d, uint64_t features)
{
	if (!(features & BIT_ULL(BLK_F_FLUSH)))
		show_cache(d, false);
	return features & BIT_ULL(BLK_F_FLUSH) ||
	       !(d->offered & BIT_ULL(BLK_F_FLUSH)) || to_vublk(d)->can_cache;
}

/*
 * Have the server cache writes as this driver expects it.  It is told in any
 * case: qemu-storage-daemon begins with a cache and a configuration that says
 * it has none, by which drivers would not flush.   [virtio 1.2, 5.2.6.2]
 */
static void set_cache(struct vublk *b)
{
	struct virtio_dev *d = &b->dev;
	bool want = virtio_has(d, BLK_F_FLUSH);

	if (!b->can_cache)
		return;
	if (virtio_has(d, BLK_F_CONFIG_WCE))
		want = d->config[WRITEBACK] != 0;
	if (want == b->cache)
		return;
	b->cache = want;
	vhu_write_config(&b->vhu, WRITEBACK, want);
}

static int vublk_start(struct virtio_dev *d)
{
	set_cache(to_vublk(d));
	return 0;
}

static void vublk_config_written(struct virtio_dev *d, size_t off, size_t len)
{
	(void)off;
	(void)len;
	if (d->running)
		set_cache(to_vublk(d));
}

static void vublk_stop(struct virtio_dev *d)
{
	vhu_stop(&to_vublk(d)->vhu);
	show_cache(d, to_vublk(d)->can_cache);
}

static void vublk_queue_stop(struct virtio_dev *d, unsigned qi)
{
	vhu_queue_stop(&to_vublk(d)->vhu, qi);
}

static void vublk_kick(struct virtio_dev *d, unsigned qi)
{
	vhu_kick(&to_vublk(d)->vhu, qi);
}

static void vublk_pausing(struct virtio_dev *d)
{
	vhu_pausing(&to_vublk(d)->vhu);
}

static void vublk_free(struct virtio_dev *d)
{
	struct vublk *b = to_vublk(d);

	loop_watch_del(&b->output);
	vhu_fini(&b->vhu);
	virtio_dev_fini(d);
	child_ask(&b->server);
	child_stop(&b->server, FLUSH_MS);
	free(b->name);
	free(b);
}

static const struct virtio_dev_ops vublk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.name = "virtio-blk",
	.start = vublk_start,
	.stop = vublk_stop,
	.kick = vublk_kick,
	.queue_stop = vublk_queue_stop,
	.config_written = vublk_config_written,
	.features_ok = vublk_features_ok,
	.pausing = vublk_pausing,
	.free = vublk_free,
};

/*
 * Birth.
 */

static int set_id(struct vublk *b, const struct vublk_config *config,
		  struct err *err)
{
	const char *slash = config->path ? strrchr(config->path, '/') : NULL;
	const char *id = config->id;

	if (!id)
		id = slash ? slash + 1 : config->path;
	else if (strlen(id) > BLK_ID_LEN)
		return err_set(err, EINVAL,
			       "disk '%s': id '%s' has more than %d bytes",
			       b->name, id, BLK_ID_LEN);
	if (id) {
		memcpy(b->id, id, strnlen(id, BLK_ID_LEN));
		b->own_id = true;
	}
	return 0;
}

/* What of @said is offered to the driver, and what is not the server's. */
static uint64_t features(const struct virtio_dev_env *env, uint64_t said,
			 unsigned nqueues)
{
	uint64_t f = (said & EXTRAS) | BIT_ULL(BLK_F_SEG_MAX);

	/* [virtio 1.2, 5.2.5.2] */
	if (!(f & BIT_ULL(BLK_F_FLUSH)))
		f &= ~BIT_ULL(BLK_F_CONFIG_WCE);
	if (env->access_platform)
		f |= BIT_ULL(BLK_F_SIZE_MAX);
	if (nqueues > 1)
		f |= BIT_ULL(BLK_F_MQ);
	else
		f &= ~BIT_ULL(BLK_F_MQ);
	return f;
}

static int make(struct vublk **ret_b, const struct virtio_dev_env *env,
		const struct vublk_config *config, uint64_t said,
		unsigned nqueues, struct err *err)
{
	const uint64_t offered = features(env, said, nqueues);
	uint16_t sizes[VIRTIO_QUEUES_MAX];
	struct vublk *b = calloc(1, sizeof(*b));
	const char *name = config->socket ? config->socket : config->path;
	int r;

	if (!b)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	for (unsigned i = 0; i < nqueues; i++)
		sizes[i] = QUEUE_SIZE;
	child_init(&b->server);
	b->name = strdup(name);
	r = b->name ? set_id(b, config, err)
		    : err_set(err, ENOMEM, "%s: no memory", env->name);
	if (r == 0)
		r = virtio_dev_init(&b->dev, &vublk_ops, env, offered, sizes,
				    nqueues, sizeof(struct blk_config_wire),
				    err);
	if (r < 0) {
		free(b->name);
		free(b);
		return r;
	}
	if (config->no_indirect)
		b->dev.offered &= ~BIT_ULL(VIRTIO_F_INDIRECT_DESC);
	b->can_cache = offered & BIT_ULL(BLK_F_CONFIG_WCE);
	b->cache = -1;
	if (b->can_cache)
		b->dev.config_wmask[WRITEBACK] = 1;
	b->dev.config[WRITEBACK] = b->can_cache;
	vhu_init(&b->vhu, &b->dev, &vhu_ops);
	if (config->patience_ms > 0)
		b->vhu.patience_ms = config->patience_ms;
	*ret_b = b;
	return 0;
}

/* The device for a server that has been greeted; @s is taken if it returns 0. */
static int make_for(struct vublk **ret_b, const struct virtio_dev_env *env,
		    const struct vublk_config *config, struct vhu_session *s,
		    struct err *err)
{
	unsigned nqueues = config->queues;
	struct vhu_wants again;
	struct vublk *b;
	int r;

	if (s->queues_max < nqueues)
		nqueues = s->queues_max;
	/* Not every server with one queue says so. */
	if (!(s->features & BIT_ULL(BLK_F_MQ)))
		nqueues = 1;
	r = make(&b, env, config, s->features, nqueues, err);
	if (r < 0)
		return r;
	fill_config(b, s->config);
	again = (struct vhu_wants){
		.features = s->features & EXTRAS,
		.queues = nqueues,
		.config_len = CONFIG_LEN,
	};
	if (config->socket && config->wait_ms > 0)
		r = vhu_redial_start(&b->vhu, config->socket, &again,
				     config->wait_ms, err);
	if (r == 0)
		r = vhu_session_join(s, &b->dev, err);
	if (r == 0) {
		r = vhu_adopt(&b->vhu, s);
		if (r < 0)
			(void)err_errno(err, -r, "cannot be listened to");
	}
	if (r < 0)
		vublk_free(&b->dev);
	else
		*ret_b = b;
	return r;
}

/* Sentences are predicates: of the server. */
static int meet(struct vublk **ret_b, const struct virtio_dev_env *env,
		const struct vublk_config *config, int fd, unsigned timeout_ms,
		struct err *err)
{
	const struct vhu_wants wants = {
		.extras = EXTRAS,
		.queues = config->fewer_queues ? 1 : config->queues,
		.config_len = CONFIG_LEN,
	};
	struct vhu_session *s;
	int r = vhu_session_greet(&s, fd, &wants, timeout_ms, err);

	if (r < 0)
		return r;
	if (config->readonly && !(s->features & BIT_ULL(BLK_F_RO)))
		r = err_set(err, ENOTSUP,
			    "lets the guest write, which ro=on forbids");
	else if (!config->fewer_queues && config->queues > 1 &&
		 !(s->features & BIT_ULL(BLK_F_MQ)))
		r = err_set(err, ENOTSUP, "has 1 queue, not the %u it takes",
			    config->queues);
	if (r == 0)
		r = make_for(ret_b, env, config, s, err);
	if (r < 0)
		vhu_session_free(s);
	return r;
}

int vublk_new_on(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		 const struct vublk_config *config, int fd, unsigned timeout_ms,
		 struct err *err)
{
	struct err what = {0};
	struct vublk *b;
	int r = meet(&b, env, config, fd, timeout_ms, &what);

	if (r < 0)
		return err_set(err, -r, "the server of '%s' %s", config->socket,
			       what.msg);
	*ret_d = &b->dev;
	return 0;
}

/* An image with a server of ours. */
static int serve(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		 const struct vublk_config *config, struct err *err)
{
	const struct storage_daemon_config daemon = {
		.program = config->program,
		.path = config->path,
		.format = config->format,
		.readonly = config->readonly,
		.direct = config->direct,
		.queues = config->queues,
	};
	char how[CHILD_LINE_MAX + 64];
	struct err what = {0};
	struct vublk *b;
	struct child c;
	int fd, r;

	child_init(&c);
	r = storage_daemon_start(&c, &daemon, &fd, err);
	if (r < 0) {
		err_prefix(err, "disk '%s'", config->path);
		return r;
	}
	r = meet(&b, env, config, fd, VHU_SETUP_MS, &what);
	if (r < 0) {
		/* What it says itself is nearer to the cause. */
		(void)child_ended(&c, GRACE_MS);
		storage_daemon_explain(&c, how, sizeof(how));
		child_stop(&c, 0);
		return err_set(err, -r, "disk '%s': its server %s, %s",
			       config->path, what.msg, how);
	}
	pthread_mutex_lock(&b->dev.lock);
	b->server = c;
	b->output.fn = on_output;
	b->output.lock = &b->dev.lock;
	r = loop_watch_add(b->dev.loop, &b->output, c.output, EPOLLIN);
	pthread_mutex_unlock(&b->dev.lock);
	if (r < 0) {
		vublk_free(&b->dev);
		return err_errno(err, -r,
				 "disk '%s': cannot listen to its "
				 "server",
				 config->path);
	}
	*ret_d = &b->dev;
	return 0;
}

static int plan(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
		const struct vublk_config *config, struct err *err)
{
	struct vublk *b;
	int r = make(&b, env, config, 0, config->queues, err);

	if (r == 0)
		*ret_d = &b->dev;
	return r;
}

int vublk_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	      const struct vublk_config *config, struct err *err)
{
	int fd, r;

	assert(config->queues >= 1 && config->queues <= VIRTIO_QUEUES_MAX);
	if (config->plan)
		return plan(ret_d, env, config, err);
	if (!config->socket)
		return serve(ret_d, env, config, err);
	r = vhu_dial(config->socket, &fd, err);
	if (r == -ENAMETOOLONG) {
		err_prefix(err, "disk");
		return r;
	}
	if (r < 0)
		return err_errno(err, -r, "disk '%s': no server there",
				 config->socket);
	return vublk_new_on(ret_d, env, config, fd, VHU_SETUP_MS, err);
}
