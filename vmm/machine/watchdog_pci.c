/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/watchdog_pci.h"

#include "core/bits.h"
#include "core/le.h"
#include "pci/host.h"

#define REG_CONFIG 0x60
#define REG_LOCK   0x68

/* Those of the chip's own, whose driver looks for nothing else. */
static const struct pci_ids ids = {
	.vendor = 0x8086,
	.device = 0x25ab,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.revision = 0,
	.class_code = 0x088000, /* system peripheral, other */
};

static bool touches(unsigned off, unsigned size, unsigned reg, unsigned len)
{
	return off < reg + len && reg < off + size;
}

/* Once it is locked, what is written there stays without effect. */
static void config_written(struct pci_func *f, unsigned off, unsigned size)
{
	struct watchdog_pci *w = container_of(f, struct watchdog_pci, func);
	const uint8_t *bytes = f->cfg.bytes;

	if (touches(off, size, REG_CONFIG, 2))
		watchdog_set_config(&w->watchdog,
				    le16_load(bytes + REG_CONFIG));
	if (!touches(off, size, REG_LOCK, 1))
		return;
	watchdog_set_lock(&w->watchdog, bytes[REG_LOCK]);
	pci_config_set(&f->cfg, REG_LOCK, 1, w->watchdog.lock,
		       w->watchdog.lock & WATCHDOG_LOCK_LOCKED ? 0 : 7);
}

static const struct pci_func_ops ops = {.config_written = config_written};

int watchdog_pci_init(struct watchdog_pci *w, struct pci_host *host, int slot,
		      struct loop *loop, struct machine_events *events,
		      struct err *err)
{
	int r;

	pthread_mutex_init(&w->lock, NULL);
	w->made = true;
	w->log.name = "watchdog";
	pci_func_init(&w->func, &ops, "watchdog", &w->lock, &ids);
	pci_config_set(&w->func.cfg, REG_CONFIG, 2, 0, 0x27);
	pci_config_set(&w->func.cfg, REG_LOCK, 1, 0, 7);
	r = watchdog_init(&w->watchdog, loop, &w->lock, events, err);
	if (r < 0)
		return r;
	pci_bar_init(&w->func, 0, WATCHDOG_SIZE, false, false);
	pci_bar_add_region(&w->func, 0, 0, &w->watchdog.region);
	return pci_host_attach(host, &w->func, slot, err);
}

void watchdog_pci_fini(struct watchdog_pci *w)
{
	if (!w->made)
		return;
	pci_func_fini(&w->func);
	watchdog_fini(&w->watchdog);
	pthread_mutex_destroy(&w->lock);
	w->made = false;
}

void watchdog_pci_reset(struct watchdog_pci *w)
{
	if (!w->made)
		return;
	pthread_mutex_lock(&w->lock);
	watchdog_reset(&w->watchdog);
	guest_log_rearm(&w->log);
	pci_config_set(&w->func.cfg, REG_LOCK, 1, 0, 7);
	pthread_mutex_unlock(&w->lock);
}
