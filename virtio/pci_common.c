/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The common configuration structure.   [virtio 1.2, 4.1.4.3]
 *
 * A table of registers with a getter and a setter each.  Drivers use each
 * register's own width; any other access is put together from, or taken
 * apart into, the registers it touches, in ascending order.
 */
#include "core/bits.h"
#include "pci/msix.h"
#include "virtio/pci_priv.h"

enum {
	REG_QUEUE = 1, /* no such queue: reads @none, ignores writes */
	REG_SETUP = 2, /* written while the queue is being set up */
	REG_ACT = 4,   /* @set takes locks itself */
};

struct reg {
	uint8_t off, size;
	/* @q: the selected queue; not NULL for REG_QUEUE, and locked */
	uint32_t (*get)(struct vpci *v, const struct vq *q);
	void (*set)(struct vpci *v, struct vq *q, uint32_t val);
	unsigned flags;
	uint32_t none;
};

/*
 * The whole device.
 */

static uint32_t get_device_feature_select(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->device_feature_select;
}

static void set_device_feature_select(struct vpci *v, struct vq *q,
				      uint32_t val)
{
	(void)q;
	v->device_feature_select = val;
}

static uint32_t get_device_feature(struct vpci *v, const struct vq *q)
{
	(void)q;
	return virtio_device_features(v->dev, v->device_feature_select);
}

static uint32_t get_driver_feature_select(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->driver_feature_select;
}

static void set_driver_feature_select(struct vpci *v, struct vq *q,
				      uint32_t val)
{
	(void)q;
	v->driver_feature_select = val;
}

static uint32_t get_driver_feature(struct vpci *v, const struct vq *q)
{
	(void)q;
	return virtio_driver_features(v->dev, v->driver_feature_select);
}

static void set_driver_feature(struct vpci *v, struct vq *q, uint32_t val)
{
	(void)q;
	virtio_set_driver_features(v->dev, v->driver_feature_select, val);
}

/* The one place where a guest's vector number is taken. */
static uint16_t checked_vector(const struct vpci *v, uint32_t val)
{
	return val < msix_vectors(v->func.msix) ? (uint16_t)val
						: VPCI_NO_VECTOR;
}

static uint32_t get_config_vector(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->config_vector;
}

static void set_config_vector(struct vpci *v, struct vq *q, uint32_t val)
{
	(void)q;
	v->config_vector = checked_vector(v, val);
}

static uint32_t get_num_queues(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->dev->nvqs;
}

static uint32_t get_status(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->dev->status;
}

static void set_status(struct vpci *v, struct vq *q, uint32_t val)
{
	(void)q;
	virtio_set_status(v->dev, (uint8_t)val);
	vpci_sync_doorbells(v);
}

static uint32_t get_generation(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->dev->generation;
}

static uint32_t get_queue_select(struct vpci *v, const struct vq *q)
{
	(void)q;
	return v->queue_select;
}

static void set_queue_select(struct vpci *v, struct vq *q, uint32_t val)
{
	(void)q;
	v->queue_select = (uint16_t)val;
}

/*
 * The selected queue.
 */

static uint32_t get_size(struct vpci *v, const struct vq *q)
{
	(void)v;
	return q->size;
}

static void set_size(struct vpci *v, struct vq *q, uint32_t val)
{
	(void)v;
	q->size = (uint16_t)val;
}

static uint32_t get_vector(struct vpci *v, const struct vq *q)
{
	return v->queues[q->index].vector;
}

static void set_vector(struct vpci *v, struct vq *q, uint32_t val)
{
	vpci_set_vector(v, q->index, checked_vector(v, val));
}

static uint32_t get_enable(struct vpci *v, const struct vq *q)
{
	(void)v;
	return q->enabled;
}

/* Drivers must not write 0, so it means nothing. */
static void set_enable(struct vpci *v, struct vq *q, uint32_t val)
{
	if (val != 1)
		return;
	virtio_queue_enable(v->dev, q);
	vpci_sync_doorbells(v);
}

/* Both notify address and notify data are the queue's number. */
static uint32_t get_index(struct vpci *v, const struct vq *q)
{
	(void)v;
	return q->index;
}

static uint32_t get_reset(struct vpci *v, const struct vq *q)
{
	(void)v;
	return q->resetting;
}

static void set_reset(struct vpci *v, struct vq *q, uint32_t val)
{
	if (val != 1 || !virtio_queue_reset(v->dev, q))
		return;
	virtio_lock_queue(q);
	vpci_set_vector(v, q->index, VPCI_NO_VECTOR);
	virtio_unlock_queue(q);
	vpci_sync_doorbells(v);
}

static uint32_t low(uint64_t addr)
{
	return (uint32_t)addr;
}

static uint32_t high(uint64_t addr)
{
	return (uint32_t)(addr >> 32);
}

static uint64_t with_low(uint64_t addr, uint32_t val)
{
	return (addr & ~UINT64_C(0xffffffff)) | val;
}

static uint64_t with_high(uint64_t addr, uint32_t val)
{
	return (uint64_t)val << 32 | low(addr);
}

#define ADDRESS_REGISTER(field)                                                \
	static uint32_t get_##field##_low(struct vpci *v, const struct vq *q)  \
	{                                                                      \
		(void)v;                                                       \
		return low(q->field);                                          \
	}                                                                      \
	static uint32_t get_##field##_high(struct vpci *v, const struct vq *q) \
	{                                                                      \
		(void)v;                                                       \
		return high(q->field);                                         \
	}                                                                      \
	static void set_##field##_low(struct vpci *v, struct vq *q,            \
				      uint32_t val)                            \
	{                                                                      \
		(void)v;                                                       \
		q->field = with_low(q->field, val);                            \
	}                                                                      \
	static void set_##field##_high(struct vpci *v, struct vq *q,           \
				       uint32_t val)                           \
	{                                                                      \
		(void)v;                                                       \
		q->field = with_high(q->field, val);                           \
	}

ADDRESS_REGISTER(desc)
ADDRESS_REGISTER(avail)
ADDRESS_REGISTER(used)

/* clang-format off */
static const struct reg regs[] = {
	{ 0, 4, get_device_feature_select, set_device_feature_select, 0, 0},
	{ 4, 4, get_device_feature, NULL, 0, 0},
	{ 8, 4, get_driver_feature_select, set_driver_feature_select, 0, 0},
	{12, 4, get_driver_feature, set_driver_feature, 0, 0},
	{16, 2, get_config_vector, set_config_vector, 0, 0},
	{18, 2, get_num_queues, NULL, 0, 0},
	{20, 1, get_status, set_status, 0, 0},
	{21, 1, get_generation, NULL, 0, 0},
	{22, 2, get_queue_select, set_queue_select, 0, 0},
	{24, 2, get_size, set_size, REG_QUEUE | REG_SETUP, 0},
	{26, 2, get_vector, set_vector, REG_QUEUE, VPCI_NO_VECTOR},
	{28, 2, get_enable, set_enable, REG_QUEUE | REG_ACT, 0},
	{30, 2, get_index, NULL, REG_QUEUE, 0},
	{32, 4, get_desc_low, set_desc_low, REG_QUEUE | REG_SETUP, 0},
	{36, 4, get_desc_high, set_desc_high, REG_QUEUE | REG_SETUP, 0},
	{40, 4, get_avail_low, set_avail_low, REG_QUEUE | REG_SETUP, 0},
	{44, 4, get_avail_high, set_avail_high, REG_QUEUE | REG_SETUP, 0},
	{48, 4, get_used_low, set_used_low, REG_QUEUE | REG_SETUP, 0},
	{52, 4, get_used_high, set_used_high, REG_QUEUE | REG_SETUP, 0},
	{56, 2, get_index, NULL, REG_QUEUE, 0},
	{58, 2, get_reset, set_reset, REG_QUEUE | REG_ACT, 0},
};
/* clang-format on */

static uint32_t reg_get(struct vpci *v, const struct reg *g)
{
	struct vq *q = virtio_queue(v->dev, v->queue_select);
	uint32_t val;

	if (!(g->flags & REG_QUEUE))
		return g->get(v, q);
	if (!q)
		return g->none;
	virtio_lock_queue(q);
	val = g->get(v, q);
	virtio_unlock_queue(q);
	return val;
}

static void reg_set(struct vpci *v, const struct reg *g, uint32_t val)
{
	struct vq *q = virtio_queue(v->dev, v->queue_select);

	if (!g->set || ((g->flags & REG_QUEUE) && !q))
		return;
	if (!(g->flags & REG_QUEUE) || g->flags & REG_ACT) {
		g->set(v, q, val);
		return;
	}
	virtio_lock_queue(q);
	if (!(g->flags & REG_SETUP) || virtio_queue_writable(v->dev, q))
		g->set(v, q, val);
	virtio_unlock_queue(q);
}

static uint64_t ones(unsigned bytes)
{
	return UINT64_MAX >> (64 - 8 * bytes);
}

/* @val moved up by so many bytes, down if negative. */
static uint64_t shift_bytes(uint64_t val, int bytes)
{
	return bytes >= 0 ? val << 8 * bytes : val >> -8 * bytes;
}

static bool reg_touched(const struct reg *g, uint64_t off, unsigned size)
{
	return g->off < off + size && off < (uint64_t)g->off + g->size;
}

static uint64_t common_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct vpci *v = container_of(r, struct vpci, common);
	uint64_t val = 0;

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		if (reg_touched(&regs[i], off, size))
			val |= shift_bytes(reg_get(v, &regs[i]),
					   regs[i].off - (int)off);
	}
	return val;
}

static void common_write(struct bus_region *r, uint64_t off, unsigned size,
			 uint64_t val)
{
	struct vpci *v = container_of(r, struct vpci, common);

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		const struct reg *g = &regs[i];
		int down = (int)off - g->off;
		uint64_t mask;

		if (!reg_touched(g, off, size))
			continue;
		mask = shift_bytes(ones(size), down) & ones(g->size);
		reg_set(v, g,
			(uint32_t)((shift_bytes(val, down) & mask) |
				   (reg_get(v, g) & ~mask)));
	}
}

const struct bus_ops vpci_common_ops = {
	.read = common_read,
	.write = common_write,
};
