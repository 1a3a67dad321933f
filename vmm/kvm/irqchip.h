/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * irqchip.h - the in-kernel interrupt controller: wires, messages, routes.
 *
 * Each connected msi_line has a GSI of its own, whose route is the message,
 * and an irqfd.  KVM replaces all routes at once, so a table is kept here;
 * a reconnection with an unchanged message costs no update.  A route is set
 * before its irqfd is assigned, and the irqfd is gone before its route is:
 * some hosts crash otherwise.
 *
 * Threads: any; a leaf lock inside.
 */
#ifndef MOAT_VMM_KVM_IRQCHIP_H
#define MOAT_VMM_KVM_IRQCHIP_H

#include <pthread.h>
#include <stdint.h>

#include "core/irq.h"

struct err;
struct kvm_irq_routing;

struct irqchip {
	struct msi_sink msi;
	int vm_fd;
	pthread_mutex_t lock;
	struct kvm_irq_routing *table; /* what KVM has */
	unsigned max;		       /* GSIs */
	uint64_t *used;		       /* a bit for each GSI */
	unsigned *entry;	       /* GSI -> index in table, 0: none */
};

/* A wire of the interrupt controller. */
struct irqchip_line {
	struct irq_line line;
	struct irqchip *chip;
	uint32_t gsi;
};

/*
 * irqchip_init - create the architecture's controller in VM @vm_fd.
 *
 * Return: 0 or -errno, with a sentence; call irqchip_fini() either way.
 */
int irqchip_init(struct irqchip *c, int vm_fd, struct err *err);
/* The same in a new VM: routes are kept, no line is connected. */
int irqchip_restart(struct irqchip *c, int vm_fd, struct err *err);
/* Every line has been released.  Accepts a zeroed object. */
void irqchip_fini(struct irqchip *c);

void irqchip_line_init(struct irqchip_line *l, struct irqchip *c, uint32_t gsi);

#endif
