/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a driver can do to the MMIO transport: registers and configuration in
 * any width, kicks, ring memory, restarts.
 *
 * The input is a list of 12-byte steps: kind and size, spare, offset (2),
 * value (8).  A byte of steps in 8 sets the device up properly, so that most
 * of the rest meets a device that runs.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "core/tests/fake_doorbell.h"
#include "core/tests/fake_irq.h"
#include "virtio/mmio.h"
#include "virtio/tests/fake_dev.h"
#include "virtio/tests/vq_driver.h"

#define STEP	  12
#define STEPS_MAX 200
#define BASE	  UINT64_C(0xd0000000)
#define SIZE	  16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct {
	struct gmem mem;
	struct dma id;
	struct bus bus;
	struct fake_line line;
	struct fake_doorbell bells;
	struct fake_dev dev;
	struct vmmio v;
	struct vq_driver drv;
} t;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void init(void)
{
	static const uint16_t size = SIZE;
	const struct gmem_slot slot = {.base = 0, .size = MIB(1)};
	const struct virtio_dev_env env = {.name = "fake0", .dma = &t.id};
	int r = gmem_init(&t.mem, &slot, 1, NULL);

	assert(r == 0);
	dma_init(&t.id, &t.mem);
	bus_init(&t.bus);
	fake_line_init(&t.line);
	fake_doorbell_init(&t.bells);
	r = fake_dev_init(&t.dev, &env, &size, 1, 12);
	assert(r == 0);
	vmmio_init(&t.v, &t.dev.vdev, BASE, &t.line.line, &t.bells.sink);
	r = bus_attach(&t.bus, &t.v.region);
	assert(r == 0);
	vqd_init(&t.drv, &t.id, 0x10000, 0x10000, SIZE);
}

static void fini(void)
{
	vmmio_fini(&t.v);
	fake_dev_fini(&t.dev);
	fake_doorbell_fini(&t.bells);
	fake_line_fini(&t.line);
	bus_fini(&t.bus);
	gmem_fini(&t.mem);
}

static void set(unsigned reg, uint64_t val)
{
	(void)bus_write(&t.bus, BASE + reg, 4, (uint32_t)val);
}

static void set_up(void)
{
	static const struct {
		unsigned reg, val;
	} steps[] = {
		{0x70, 0}, {0x70, 1}, {0x70, 3},  {0x24, 0}, {0x20, 0},
		{0x24, 1}, {0x20, 1}, {0x70, 11}, {0x30, 0}, {0x38, SIZE},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
		set(steps[i].reg, steps[i].val);
	vqd_renew(&t.drv);
	set(0x80, t.drv.desc);
	set(0x90, t.drv.avail);
	set(0xa0, t.drv.used);
	set(0x44, 1);
	set(0x70, 15);
}

static void step(const uint8_t *s)
{
	unsigned kind = s[0] & 7, size = 1u << (s[0] >> 4 & 3);
	unsigned off = le16_load(s + 2);
	uint64_t val = le64_load(s + 4);
	uint64_t at = BASE + off % (VMMIO_SIZE + 8);

	switch (kind) {
	case 0:
	case 1:
		set(off % 0x110 & ~3u, val);
		break;
	case 2:
		(void)bus_write(&t.bus, at, size, val);
		break;
	case 3:
		(void)bus_read(&t.bus, at, size);
		break;
	case 4:
		set(0x50, off % 3);
		virtio_notify(&t.dev.vdev, 0);
		break;
	case 5:
		(void)gmem_write(&t.mem, 0x10000 + off, &val, size);
		break;
	case 6:
		vmmio_power_on_reset(&t.v);
		break;
	default:
		set_up();
		break;
	}
}

static void check(void)
{
	const struct virtio_dev *d = &t.dev.vdev;

	assert(fake_line_level(&t.line) == (t.v.interrupt_status != 0));
	assert(fake_doorbell_count(&t.bells) >= d->vqs[0].running);
	assert(!d->vqs[0].running || d->status & VIRTIO_STATUS_DRIVER_OK);
	assert(!d->stopping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	log_set_sink(drop_line);
	init();
	for (size_t i = 0; i < STEPS_MAX && (i + 1) * STEP <= len; i++) {
		step(data + i * STEP);
		check();
	}
	fini();
	return 0;
}
