/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a driver can do to the PCI transport: registers of every structure by
 * the bus and through the window, commands, moves, kicks, ring memory.
 *
 * The input is a list of 12-byte steps: kind and size, detail, offset (2),
 * value (8).  A byte of steps in 16 sets the device up properly, so that most
 * of the rest meets a device that runs.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/le.h"
#include "core/log.h"
#include "virtio/tests/vpci_rig.h"

#define STEP	  12
#define STEPS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct vrig rig;

static void drop_line(enum log_level level, const char *line)
{
	(void)level, (void)line;
}

static void check(void)
{
	const struct pci_bar *b = &rig.f->bars[0];
	unsigned bells = 0;

	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		const struct vq *q = &rig.d->vqs[i];

		bells += b->mapped && q->running && !q->inline_kick;
		assert(!q->running || rig.d->status & VIRTIO_STATUS_DRIVER_OK);
	}
	/* A queue whose own reset ends later keeps its bell until then. */
	assert(fake_doorbell_count(&rig.bells) >= bells);
	assert(b->mapped || fake_doorbell_count(&rig.bells) == 0);
	assert(rig.d->paused != rig.f->bus_master);
	assert(!rig.d->stopping);
}

static uint64_t structure(unsigned detail)
{
	const uint64_t at[] = {rig.common, rig.isr, rig.config, rig.notify};

	return at[detail % 4];
}

static void through_window(uint64_t at, unsigned size, uint64_t val, bool read)
{
	vrig_pci_write(&rig, rig.window + VPCI_CAP_OFFSET, 4, at);
	vrig_pci_write(&rig, rig.window + VPCI_CAP_LENGTH, 4, size);
	if (read)
		(void)vrig_pci_read(&rig, rig.window + VPCI_CAP_DATA, size);
	else
		vrig_pci_write(&rig, rig.window + VPCI_CAP_DATA, size, val);
}

/* Only with decoding and mastering on can a driver reach DRIVER_OK. */
static void set_up(void)
{
	vrig_move(&rig, VRIG_FREE);
	vrig_command(&rig, 4, 0);
	vrig_start(&rig);
}

static void add(unsigned qi)
{
	struct vq_driver *v = &rig.drv[qi];

	if (!v->cpu || v->nfree == 0)
		return;
	(void)vqd_add(v,
		      &(struct vqd_buf){.at = 0x1000, .len = 16, .write = true},
		      1);
}

static void step(const uint8_t *s)
{
	unsigned kind = s[0] & 15, size = 1u << (s[0] >> 4 & 3);
	unsigned off = le16_load(s + 2);
	uint64_t val = le64_load(s + 4);

	switch (kind) {
	case 0:
	case 1:
		vrig_set(&rig, off % 64, size, val);
		break;
	case 2:
		(void)vrig_get(&rig, off % 64, size);
		break;
	case 3:
		vrig_write(&rig, structure(s[1]) + off % 64, size, val);
		break;
	case 4:
		(void)vrig_read(&rig, structure(s[1]) + off % 64, size);
		break;
	case 5:
	case 6:
		through_window(off, size, val, kind == 5);
		break;
	case 7:
		vrig_pci_write(&rig, off % 256, size, val);
		break;
	case 8:
		vrig_move(&rig, val);
		break;
	case 9:
		vrig_command(&rig, val & 6, off & 6);
		break;
	case 10:
		vrig_set(&rig, REG_STATUS, 1, val);
		break;
	case 11:
		(void)vrig_ring(&rig, s[1] % VRIG_QUEUES);
		break;
	case 12:
		add(s[1] % VRIG_QUEUES);
		break;
	case 13:
		(void)gmem_write(&rig.mem, 0x10000 + off, &val, size);
		break;
	case 14:
		vpci_power_on_reset(rig.v);
		pci_host_reset(&rig.host);
		break;
	default:
		set_up();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	log_set_sink(drop_line);
	vrig_init(&rig, NULL);
	for (size_t i = 0; i < STEPS_MAX && (i + 1) * STEP <= len; i++) {
		step(data + i * STEP);
		check();
	}
	vrig_fini(&rig);
	return 0;
}
