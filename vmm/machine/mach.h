/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * mach.h - the machine from inside; for vmm/machine/ only.
 */
#ifndef MOAT_VMM_MACHINE_MACH_H
#define MOAT_VMM_MACHINE_MACH_H

#include <pthread.h>
#include <stdbool.h>

#include "core/bus.h"
#include "core/dma.h"
#include "core/gmem.h"
#include "core/irq.h"
#include "devices/platform.h"
#include "iommu/iommu.h"
#include "iommu/topology.h"
#include "pci/host.h"
#include "virtio/mmio.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/config.h"
#include "vmm/machine/console_mux.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/own_loops.h"
#include "vmm/machine/platform.h"
#include "vmm/machine/pvpanic_pci.h"
#include "vmm/machine/slot.h"
#include "vmm/machine/trace.h"
#include "vmm/machine/watchdog_pci.h"

struct net_config;
struct net_forward;
struct virtio_dev;
struct vpci;

/* A virtio device: a PCI function, or registers and a wire of its own. */
struct mach_func {
	struct virtio_dev *dev;
	struct vpci *pci;  /* NULL: by MMIO */
	unsigned slot;	   /* PCI */
	uint32_t endpoint; /* its id for the IOMMU */
	/* MMIO */
	unsigned number;
	uint64_t at;
	uint32_t gsi; /* 0: a PCI function */
	struct vmmio mmio;
	struct irqchip_line irq;
	bool managed;			      /* behind the IOMMU */
	const struct mach_reserved *reserved; /* its own ranges there */
	struct dma identity;		      /* its view when it is not */
	struct dma *dma;		      /* the one it has */
	struct iommu_endpoint *ep;	      /* if managed */
	char name[16];
	struct own_loops loops; /* none: the machine's loop serves it */
};

#define MACH_FUNCS_MAX PCI_SLOTS_MAX

/* Endpoint ids: PCI functions have their requester id, the others these. */
#define MACH_MMIO_ENDPOINT 0x10000u

/* What ends a run, worst last: a later one does not hide an earlier. */
enum mach_event {
	EVENT_NONE,
	EVENT_STOP,
	EVENT_POWER_OFF,
	EVENT_REBOOT,
	EVENT_HALT, /* all vCPUs, for good */
	EVENT_CRASH,
	EVENT_HOST_ERROR,
};

struct mach {
	struct mach_config config;
	unsigned flags;
	struct gmem mem;
	struct bus mmio, pio;
	struct vm vm;
	struct vcpu *vcpus; /* config.cpus of them */
	struct loop *loop;
	pthread_t loop_thread;
	bool loop_running;

	/* Where interrupts and kicks go: to the VM, or nowhere in a plan. */
	struct msi_sink *msi;
	struct doorbell_sink *doorbells; /* NULL in a plan */

	struct pci_host host;
	struct mach_func funcs[MACH_FUNCS_MAX];
	unsigned nfuncs, nmmio; /* in all; by MMIO */
	struct pvpanic_pci pvpanic_pci;
	struct watchdog_pci watchdog_pci;
	struct iommu *iommu;	   /* NULL: off */
	struct virtio_dev *viommu; /* its front end; among the functions */
	struct trace trace;
	struct iommu_topology topology;
	enum iommu_topology_form form;
	char iommu_reason[160];

	struct mach_platform platform;
	struct machine_events events;
	struct console_mux mux;
	struct virtio_dev *console; /* NULL: serial only, no ports */
	struct virtio_dev *balloon; /* NULL: none */
	unsigned first_port;	    /* of it that is in config.ports */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	enum mach_event event;
	bool panicked;
	bool crash_kernel_said;
	char end_text[256]; /* why a vCPU ended */
};

/* iommu_choice.c: decide whether the IOMMU is on, and say why. */
int mach_choose_iommu(struct mach *m, struct err *err);

/* The same as the IOMMU takes it; at most MACH_RESERVED_MAX.
 * Return: how many. */
unsigned mach_reserved_regions(const struct mach_reserved *list,
			       struct iommu_resv_region *regions);

/* functions.c: the virtio devices in their slots. */
int mach_add_functions(struct mach *m, struct err *err);
void mach_remove_functions(struct mach *m);
void mach_reset_functions(struct mach *m);
/* Of devices that have their own; mach_stop_loops() also after a failure. */
int mach_start_loops(struct mach *m, struct err *err);
void mach_stop_loops(struct mach *m);

/* net.c: network @index as its device wants it; @forwards has room for those
 * of @n and outlives @c. */
void mach_net_config(struct net_config *c, struct net_forward *forwards,
		     const struct mach_net *n, unsigned index);

/* machine.c: from any thread. */
void mach_note(struct mach *m, enum mach_event event, const char *text);

#endif
