/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/vublk_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rig_server(struct fake_backend *b)
{
	const struct blk_config_wire w = {
		.capacity = le64_put(RIG_SECTORS),
		.size_max = le32_put(65536),
		.seg_max = le32_put(100),
		.blk_size = le32_put(512),
		.writeback = 0, /* although it has a cache */
		.num_queues = le16_put(FB_RINGS),
		.max_discard_sectors = le32_put(77),
	};

	fb_init(b);
	b->features = RIG_FEATURES;
	b->protocol = RIG_PROTOCOL;
	b->config_max = 60;
	memcpy(b->config, &w, 60);
}

void rig_init(struct vublk_rig *r)
{
	*r = (struct vublk_rig){
		.config = {.queues = 1, .wait_ms = VUBLK_WAIT_MS},
	};
	rig_server(&r->b);
	strcpy(r->dir, "/tmp/moat-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/s", r->dir);
	r->config.socket = r->path;
}

int rig_make(struct vublk_rig *r, unsigned ways)
{
	struct virtio_dev *d = NULL;
	int e;

	fix_init(&r->f.dev, ways | FIX_LOOPED);
	fb_listen(&r->b, r->path);
	e = vublk_new(&d, &r->f.dev.env, &r->config, &r->err);
	if (e == 0)
		fix_adopt(&r->f.dev, d);
	return e;
}

void rig_up(struct vublk_rig *r, unsigned ways, uint64_t features)
{
	ck_assert_msg(rig_make(r, ways) == 0, "%s", r->err.msg);
	fix_start(&r->f.dev, features);
	blk_fix_queue(&r->f, 0);
}

void rig_down(struct vublk_rig *r)
{
	fix_fini(&r->f.dev);
	fb_stop(&r->b);
	(void)unlink(r->path);
	(void)rmdir(r->dir);
}

void rig_next_server(struct vublk_rig *r)
{
	rig_server(&r->b);
	fb_listen(&r->b, r->path);
	fb_wait_connected(&r->b, r->f.dev.d->nvqs);
}

struct blk_call rig_read(struct vublk_rig *r, unsigned queue, uint64_t sector)
{
	struct blk_call c = {.type = BLK_T_IN, .sector = sector, .ndata = 1};

	blk_fix_queue(&r->f, queue);
	c.data[0] = (struct vqd_buf){vqd_alloc(r->f.drv, BLK_SECTOR),
				     BLK_SECTOR, true};
	blk_begin(&r->f, &c);
	return c;
}

uint8_t rig_wait(struct vublk_rig *r, unsigned queue, const struct blk_call *c)
{
	uint32_t head, len;

	blk_fix_queue(&r->f, queue);
	fix_wait(&r->f.dev, queue, &head, &len);
	ck_assert_uint_eq(head, c->head);
	return blk_status(&r->f, c);
}

void rig_take(struct vublk_rig *r, unsigned ring, struct fb_req *req)
{
	ck_assert(fb_wait(&r->b, ring));
	ck_assert(fb_pop(&r->b, ring, req));
}

uint32_t rig_carry_out(const struct fb_req *req)
{
	struct blk_header_wire h;
	uint8_t bytes[BLK_SECTOR + 1] = {0};
	uint32_t len = 0;

	ck_assert_uint_eq(fb_gather(req->out, req->nout, &h, sizeof(h)),
			  sizeof(h));
	for (unsigned i = 0; i < req->nin; i++)
		len += (uint32_t)req->in[i].iov_len;
	ck_assert_uint_le(len, sizeof(bytes));
	if (le32_get(h.type) == BLK_T_IN)
		blk_pattern(le64_get(h.sector), bytes);
	/* The last one is the status. */
	bytes[len - 1] = BLK_S_OK;
	fb_scatter(req->in, req->nin, bytes, len);
	return len;
}

void rig_serve(struct vublk_rig *r, unsigned ring)
{
	static _Thread_local struct fb_req req;

	rig_take(r, ring, &req);
	fb_push(&r->b, ring, req.head, rig_carry_out(&req));
}
