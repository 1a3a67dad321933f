/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/mmio.h"

#include "core/bits.h"
#include "core/fd.h"
#include "core/irq.h"

#define MAGIC	0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR	0x1af4

#define CONFIG_AT 0x100
#define NOTIFY_AT 0x50

#define INTERRUPT_QUEUE	 1u
#define INTERRUPT_CONFIG 2u

/*
 * Interrupts.
 */

/* Queues under locks of their own have one wire. */
static void wire_lock(struct vmmio *v)
{
	if (v->dev->queue_locks)
		pthread_mutex_lock(&v->wire);
}

static void wire_unlock(struct vmmio *v)
{
	if (v->dev->queue_locks)
		pthread_mutex_unlock(&v->wire);
}

/*
 * What is left when the driver has acknowledged the rest came after it looked:
 * by an edge it has to be told again.
 */
static void interrupt_change(struct vmmio *v, uint32_t set, uint32_t clear)
{
	uint32_t was, now;

	wire_lock(v);
	was = v->interrupt_status;
	now = (was & ~clear) | set;
	v->interrupt_status = now;
	if (was && (!now || was & clear))
		irq_set(v->irq, false);
	if (now && (!was || was & clear))
		irq_set(v->irq, true);
	wire_unlock(v);
}

static void queue_interrupt(struct virtio_transport *t, unsigned qi)
{
	struct vmmio *v = container_of(t, struct vmmio, transport);

	(void)qi;
	interrupt_change(v, INTERRUPT_QUEUE, 0);
}

static void config_interrupt(struct virtio_transport *t)
{
	struct vmmio *v = container_of(t, struct vmmio, transport);

	interrupt_change(v, INTERRUPT_CONFIG, 0);
}

/*
 * Kicks.
 */

static void kick(struct vmmio *v, uint32_t qi)
{
	struct vq *q = virtio_queue(v->dev, qi);

	if (!q)
		return;
	if (q->inline_kick)
		virtio_notify(v->dev, qi);
	else
		eventfd_signal_shared(q->kick_fd);
}

/* Without the doorbell kicks come by the bus: slower, not lost. */
static void set_doorbell(struct vmmio *v, bool wanted)
{
	int fd = v->dev->vqs[0].kick_fd;
	uint64_t at = v->region.base + NOTIFY_AT;

	if (v->belled == wanted)
		return;
	if (wanted) {
		v->belled =
			v->doorbells->ops->attach(v->doorbells, at, fd) == 0;
	} else {
		v->doorbells->ops->detach(v->doorbells, at, fd);
		v->belled = false;
	}
}

static void sync_doorbell(struct vmmio *v)
{
	struct vq *q = &v->dev->vqs[0];

	if (v->doorbells && v->dev->nvqs == 1)
		set_doorbell(v, !q->inline_kick && virtio_queue_runs(q));
}

static void reset_registers(struct vmmio *v)
{
	v->device_feature_select = 0;
	v->driver_feature_select = 0;
	v->queue_select = 0;
	interrupt_change(v, 0, UINT32_MAX);
	sync_doorbell(v);
}

static void reset_done(struct virtio_transport *t)
{
	reset_registers(container_of(t, struct vmmio, transport));
}

static const struct virtio_transport_ops transport_ops = {
	.queue_interrupt = queue_interrupt,
	.config_interrupt = config_interrupt,
	.reset_done = reset_done,
};

/*
 * Registers.   [virtio 1.2, 4.2.2]
 */

struct reg {
	uint16_t off;
	/* No such queue: reads 0, writes are ignored.  It is locked, but for
	 * setters that act: they take locks themselves. */
	enum { OF_DEVICE, OF_QUEUE, ACTS } kind;
	uint32_t (*get)(struct vmmio *v, const struct vq *q);	  /* or 0 */
	void (*set)(struct vmmio *v, struct vq *q, uint32_t val); /* or no */
};

static uint32_t get_magic(struct vmmio *v, const struct vq *q)
{
	(void)v, (void)q;
	return MAGIC;
}

static uint32_t get_version(struct vmmio *v, const struct vq *q)
{
	(void)v, (void)q;
	return VERSION;
}

static uint32_t get_device(struct vmmio *v, const struct vq *q)
{
	(void)q;
	return v->dev->ops->id;
}

static uint32_t get_vendor(struct vmmio *v, const struct vq *q)
{
	(void)v, (void)q;
	return VENDOR;
}

static uint32_t get_device_features(struct vmmio *v, const struct vq *q)
{
	(void)q;
	return virtio_device_features(v->dev, v->device_feature_select);
}

static void set_device_select(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	v->device_feature_select = val;
}

static void set_driver_features(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	virtio_set_driver_features(v->dev, v->driver_feature_select, val);
}

static void set_driver_select(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	v->driver_feature_select = val;
}

static void set_queue_select(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	v->queue_select = val;
}

static uint32_t get_queue_max(struct vmmio *v, const struct vq *q)
{
	(void)v;
	return q->size_max;
}

/* Larger than any queue is as wrong as what its low bits would say. */
static void set_queue_size(struct vmmio *v, struct vq *q, uint32_t val)
{
	if (virtio_queue_writable(v->dev, q))
		q->size = val > UINT16_MAX ? 0 : (uint16_t)val;
}

static uint32_t get_ready(struct vmmio *v, const struct vq *q)
{
	(void)v;
	return q->enabled;
}

/*
 * A driver may take a queue back with 0.  One that runs has buffers in
 * flight, which only a reset waits for: the device then asks for that.
 */
static void set_ready(struct vmmio *v, struct vq *q, uint32_t val)
{
	if (val == 1) {
		virtio_queue_enable(v->dev, q);
	} else if (val == 0 && !v->dev->stopping) {
		virtio_lock_queues(v->dev);
		if (q->running)
			virtio_broken(v->dev, "queue %u taken back as it runs",
				      q->index);
		else
			q->enabled = false;
		virtio_unlock_queues(v->dev);
	}
	sync_doorbell(v);
}

static void set_notify(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	kick(v, val);
}

static uint32_t get_interrupt(struct vmmio *v, const struct vq *q)
{
	uint32_t status;

	(void)q;
	wire_lock(v);
	status = v->interrupt_status;
	wire_unlock(v);
	return status;
}

static void set_interrupt_ack(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	interrupt_change(v, 0, val);
}

static uint32_t get_status(struct vmmio *v, const struct vq *q)
{
	(void)q;
	return v->dev->status;
}

static void set_status(struct vmmio *v, struct vq *q, uint32_t val)
{
	(void)q;
	virtio_set_status(v->dev, (uint8_t)val);
	sync_doorbell(v);
}

static uint32_t get_queue_reset(struct vmmio *v, const struct vq *q)
{
	(void)v;
	return q->resetting;
}

static void set_queue_reset(struct vmmio *v, struct vq *q, uint32_t val)
{
	if (val == 1)
		virtio_queue_reset(v->dev, q);
	sync_doorbell(v);
}

static uint32_t get_generation(struct vmmio *v, const struct vq *q)
{
	(void)q;
	return v->dev->generation;
}

/* There is no shared memory region.   [virtio 1.2, 4.2.2] */
static uint32_t get_ones(struct vmmio *v, const struct vq *q)
{
	(void)v, (void)q;
	return UINT32_MAX;
}

static uint64_t with_low(uint64_t addr, uint32_t val)
{
	return (addr & ~UINT64_C(0xffffffff)) | val;
}

static uint64_t with_high(uint64_t addr, uint32_t val)
{
	return (uint64_t)val << 32 | (uint32_t)addr;
}

#define ADDRESS_REGISTER(field)                                       \
	static void set_##field##_low(struct vmmio *v, struct vq *q,  \
				      uint32_t val)                   \
	{                                                             \
		if (virtio_queue_writable(v->dev, q))                 \
			q->field = with_low(q->field, val);           \
	}                                                             \
	static void set_##field##_high(struct vmmio *v, struct vq *q, \
				       uint32_t val)                  \
	{                                                             \
		if (virtio_queue_writable(v->dev, q))                 \
			q->field = with_high(q->field, val);          \
	}

ADDRESS_REGISTER(desc)
ADDRESS_REGISTER(avail)
ADDRESS_REGISTER(used)

/* clang-format off */
static const struct reg regs[] = {
	{0x000, OF_DEVICE, get_magic, NULL},
	{0x004, OF_DEVICE, get_version, NULL},
	{0x008, OF_DEVICE, get_device, NULL},
	{0x00c, OF_DEVICE, get_vendor, NULL},
	{0x010, OF_DEVICE, get_device_features, NULL},
	{0x014, OF_DEVICE, NULL, set_device_select},
	{0x020, OF_DEVICE, NULL, set_driver_features},
	{0x024, OF_DEVICE, NULL, set_driver_select},
	{0x030, OF_DEVICE, NULL, set_queue_select},
	{0x034, OF_QUEUE, get_queue_max, NULL},
	{0x038, OF_QUEUE, NULL, set_queue_size},
	{0x044, ACTS, get_ready, set_ready},
	{NOTIFY_AT, OF_DEVICE, NULL, set_notify},
	{0x060, OF_DEVICE, get_interrupt, NULL},
	{0x064, OF_DEVICE, NULL, set_interrupt_ack},
	{0x070, OF_DEVICE, get_status, set_status},
	{0x080, OF_QUEUE, NULL, set_desc_low},
	{0x084, OF_QUEUE, NULL, set_desc_high},
	{0x090, OF_QUEUE, NULL, set_avail_low},
	{0x094, OF_QUEUE, NULL, set_avail_high},
	{0x0a0, OF_QUEUE, NULL, set_used_low},
	{0x0a4, OF_QUEUE, NULL, set_used_high},
	{0x0b0, OF_DEVICE, get_ones, NULL},
	{0x0b4, OF_DEVICE, get_ones, NULL},
	{0x0b8, OF_DEVICE, get_ones, NULL},
	{0x0bc, OF_DEVICE, get_ones, NULL},
	{0x0c0, ACTS, get_queue_reset, set_queue_reset},
	{0x0fc, OF_DEVICE, get_generation, NULL},
};
/* clang-format on */

static const struct reg *find(uint64_t off)
{
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].off == off)
			return &regs[i];
	return NULL;
}

/* Registers are 32 bits wide and accessed so; what is not reads 0 and writes
 * nothing.   [virtio 1.2, 4.2.2.2] */
static uint64_t reg_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct vmmio *v = container_of(r, struct vmmio, region);
	struct vq *q = virtio_queue(v->dev, v->queue_select);
	const struct reg *g = find(off);
	uint32_t val;

	if (off >= CONFIG_AT)
		return virtio_config_read(v->dev, off - CONFIG_AT, size);
	if (size != 4 || !g || !g->get)
		return 0;
	if (g->kind == OF_DEVICE)
		return g->get(v, q);
	if (!q)
		return 0;
	virtio_lock_queue(q);
	val = g->get(v, q);
	virtio_unlock_queue(q);
	return val;
}

static void set_of_queue(struct vmmio *v, const struct reg *g, struct vq *q,
			 uint32_t val)
{
	virtio_lock_queue(q);
	g->set(v, q, val);
	virtio_unlock_queue(q);
}

static void reg_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	struct vmmio *v = container_of(r, struct vmmio, region);
	struct vq *q = virtio_queue(v->dev, v->queue_select);
	const struct reg *g = find(off);

	if (off >= CONFIG_AT)
		virtio_config_write(v->dev, off - CONFIG_AT, size, val);
	else if (size != 4 || !g || !g->set || (g->kind != OF_DEVICE && !q))
		return;
	else if (g->kind == OF_QUEUE)
		set_of_queue(v, g, q, (uint32_t)val);
	else
		g->set(v, q, (uint32_t)val);
}

static const struct bus_ops region_ops = {
	.read = reg_read,
	.write = reg_write,
};

void vmmio_init(struct vmmio *v, struct virtio_dev *d, uint64_t base,
		struct irq_line *irq, struct doorbell_sink *doorbells)
{
	*v = (struct vmmio){
		.transport.ops = &transport_ops,
		.dev = d,
		.irq = irq,
		.doorbells = doorbells,
		.region = {.ops = &region_ops,
			   .name = d->name,
			   .base = base,
			   .size = VMMIO_SIZE,
			   .lock = &d->lock},
	};
	(void)pthread_mutex_init(&v->wire, NULL);
	pthread_mutex_lock(&d->lock);
	virtio_attach(d, &v->transport);
	pthread_mutex_unlock(&d->lock);
}

void vmmio_fini(struct vmmio *v)
{
	if (!v->dev)
		return;
	pthread_mutex_lock(&v->dev->lock);
	set_doorbell(v, false);
	virtio_attach(v->dev, NULL);
	pthread_mutex_unlock(&v->dev->lock);
	(void)pthread_mutex_destroy(&v->wire);
	v->dev = NULL;
}

void vmmio_power_on_reset(struct vmmio *v)
{
	pthread_mutex_lock(&v->dev->lock);
	virtio_reset(v->dev);
	reset_registers(v);
	pthread_mutex_unlock(&v->dev->lock);
}
