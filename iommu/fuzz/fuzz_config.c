/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The configuration space: any write of any width at any offset in any state
 * of the device.  Nothing but `bypass` ever changes, and that only as it may.
 *
 * The input is a byte for the form, then steps of 11 bytes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/le.h"
#include "core/log.h"
#include "iommu/tests/viommu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEP	  11
#define STEPS_MAX 200
#define BYPASS	  36
#define ROOM	  128

static struct vrig rigs[3]; /* by form */
static bool made;
static uint8_t want[ROOM];
static size_t size;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void unmake(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(rigs); n++)
		vrig_fini(&rigs[n]);
}

static void make(void)
{
	log_set_sink(drop_line);
	for (unsigned n = 0; n < ARRAY_SIZE(rigs); n++)
		vrig_init(&rigs[n], (enum iommu_topology_form)n, NULL);
	made = true;
	(void)atexit(unmake);
}

static uint64_t expected(uint64_t off, unsigned width)
{
	uint64_t val = 0;

	for (unsigned n = width; n-- > 0;)
		val = val << 8 |
		      (off + n < size && off + n >= off ? want[off + n] : 0);
	return val;
}

/* What the write may do: one byte, in the forms that have it. */
static void expect_write(struct vrig *v, bool has_bypass, uint64_t off,
			 unsigned width, uint64_t val)
{
	uint8_t byte;

	if (!has_bypass || off > BYPASS || BYPASS - off >= width ||
	    !(v->d->status & VIRTIO_STATUS_FEATURES_OK) ||
	    !virtio_has(v->d, VIOMMU_F_BYPASS_CONFIG))
		return;
	byte = (uint8_t)(val >> 8 * (BYPASS - off));
	if (byte <= 1)
		want[BYPASS] = byte;
}

static void step(struct vrig *v, bool has_bypass, const uint8_t *b)
{
	unsigned width = 1u << (b[0] & 3);
	uint64_t val = le64_load(b + 3);
	uint64_t off = b[1];

	if (b[0] & 4)
		off += b[2] & 1 ? UINT32_MAX : UINT64_MAX - 255;
	switch (b[0] >> 4 & 7) {
	case 0:
		vrig_reset(v);
		break;
	case 1:
		vrig_up(v, VRIG_FEATURES);
		break;
	case 2:
		vrig_up(v, VRIG_FEATURES & ~BIT_ULL(VIOMMU_F_BYPASS_CONFIG));
		break;
	case 3:
		pthread_mutex_lock(&v->d->lock);
		virtio_set_status(v->d, b[2] & 0x80 ? 3 : b[2]);
		pthread_mutex_unlock(&v->d->lock);
		break;
	case 4:
		assert(vrig_config(v, off, width) == expected(off, width));
		break;
	default:
		expect_write(v, has_bypass, off, width, val);
		vrig_config_write(v, off, width, val);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vrig *v;
	bool has_bypass;

	if (!made)
		make();
	if (len < 1)
		return 0;
	v = &rigs[data[0] % 3];
	has_bypass = data[0] % 3 != IOMMU_TOPOLOGY_V2;
	size = v->d->config_len;
	assert(size <= ROOM);
	memcpy(want, v->d->config, size);
	data++;
	len--;
	for (unsigned n = 0; n < STEPS_MAX && len >= STEP; n++) {
		step(v, has_bypass, data);
		assert(memcmp(v->d->config, want, size) == 0);
		assert(v->d->generation == 0);
		assert(rig_can(&v->rig, 1, 0x5000, DMA_READ) ==
		       (has_bypass && want[BYPASS]));
		data += STEP;
		len -= STEP;
	}
	return 0;
}
