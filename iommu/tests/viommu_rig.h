/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu_rig.h - a virtio-iommu with its driver, on the memory of rig.h.
 *
 * Endpoints 1, 2, 3 are functions 00:01.0, 00:02.0, 00:03.0.  The rings lie
 * in the upper half of the memory at 0.
 *
 * Threads: vrig_* calls from one thread, except vrig_ring(); the loop runs in
 * another if vrig_loop_start() was called.
 */
#ifndef MOAT_IOMMU_TESTS_VIOMMU_RIG_H
#define MOAT_IOMMU_TESTS_VIOMMU_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/loop.h"
#include "iommu/tests/rig.h"
#include "iommu/virtio_iommu.h"
#include "virtio/tests/fake_transport.h"
#include "virtio/tests/vq_driver.h"

/* All device-specific bits that a form may offer, and VERSION_1. */
#define VRIG_FEATURES 0x100000077ull

struct vrig {
	struct rig rig;
	struct iommu_topology topo;
	struct loop *loop;
	pthread_t loop_thread;
	bool looping;
	struct dma identity; /* the device's and the driver's */
	struct virtio_dev *d;
	struct fake_transport transport;
	struct vq_driver req, evt;
};

/* The device, nothing negotiated.  @config may be NULL. */
void vrig_init(struct vrig *v, enum iommu_topology_form form,
	       const struct iommu_config *config);
/* The same; @prepare, which may be NULL, sees the endpoints before the device
 * is made. */
void vrig_init_prepared(struct vrig *v, enum iommu_topology_form form,
			const struct iommu_config *config,
			void (*prepare)(struct rig *r));
/* The ratified form, with somebody who is told. */
void vrig_init_watched(struct vrig *v, struct viommu_watcher *watcher);
/* The ratified form, with a thread that polls. */
void vrig_init_polled(struct vrig *v, const struct viommu_poll_times *times);
void vrig_fini(struct vrig *v);
/* Negotiated, both rings connected, running. */
void vrig_up(struct vrig *v, uint64_t features);
void vrig_loop_start(struct vrig *v);

/* Ring the request queue's doorbell, as a vCPU does. */
void vrig_ring(struct vrig *v);

/*
 * vrig_send - one request, one readable and one writable descriptor.
 * @reply: @writable bytes, 0xee before the device writes
 *
 * Return: used length; asserts that the request has completed.
 */
uint32_t vrig_send(struct vrig *v, const void *request, uint32_t readable,
		   void *reply, uint32_t writable);
/* Put it into the ring without ringing; @ret_reply: where the reply goes. */
void vrig_add(struct vrig *v, const void *request, uint32_t readable,
	      uint32_t writable, iova_t *ret_reply);

/* Whole requests as Linux sends them; assert a full reply, return the status,
 * or -1 if the device did not write. */
int vrig_attach(struct vrig *v, uint32_t domain, uint32_t ep, uint32_t flags);
int vrig_detach(struct vrig *v, uint32_t domain, uint32_t ep);
int vrig_map(struct vrig *v, uint32_t domain, iova_t first, iova_t last,
	     gpa_t phys, uint32_t flags);
int vrig_unmap(struct vrig *v, uint32_t domain, iova_t first, iova_t last);
/* @ret_properties: what a PROBE of @ep is told.  Asserts a full reply. */
int vrig_probe(struct vrig *v, uint32_t ep,
	       uint8_t ret_properties[VIOMMU_PROBE_SIZE]);

/* The bytes of requests. */
void vrig_put_attach(uint8_t dst[20], uint32_t domain, uint32_t ep,
		     uint32_t flags);
void vrig_put_detach(uint8_t dst[20], uint32_t domain, uint32_t ep);
void vrig_put_map(uint8_t dst[36], uint32_t domain, iova_t first, iova_t last,
		  gpa_t phys, uint32_t flags);
void vrig_put_unmap(uint8_t dst[28], uint32_t domain, iova_t first,
		    iova_t last);
void vrig_put_probe(uint8_t dst[72], uint32_t ep);

/* Buffers for @n fault records of @len bytes; no kick, as Linux. */
void vrig_add_events(struct vrig *v, unsigned n, uint32_t len);
/* Wait for the next used event buffer.  Return: used length. */
uint32_t vrig_event(struct vrig *v, uint8_t record[24]);

/* Configuration, under the device's lock. */
uint64_t vrig_config(struct vrig *v, uint64_t off, unsigned size);
void vrig_config_write(struct vrig *v, uint64_t off, unsigned size,
		       uint64_t val);
void vrig_reset(struct vrig *v);

/* Mappings of all domains, also while an operation of another thread waits. */
uint64_t vrig_mappings(struct vrig *v);
void vrig_wait_mapped(struct vrig *v, uint64_t n);

#endif
