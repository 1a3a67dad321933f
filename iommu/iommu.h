/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.h - endpoints, domains, mappings: the IOMMU without its front end.
 *
 * An endpoint is one device's identity; its views (struct dma) are what the
 * device holds.  A domain is an address space that one or more endpoints are
 * attached to.  Operations return the virtio-iommu status that the front end
 * sends.   [virtio 1.2, 5.13]
 *
 * IOVA intervals are (first, last), inclusive.
 *
 * Threads: operations (attach ... reset) from one thread at a time under the
 * IOMMU's own lock, taken inside; translations from any number of threads,
 * each on its own view.  iommu_unmap(), iommu_detach(), iommu_attach() to
 * another domain, iommu_set_bypass() and iommu_reset() return only when no
 * access that began under the old translation is still held; they wait for
 * overlapping holds without any lock that a translation, a release or a fault
 * report needs, and iommu_stop_waiting() breaks the wait.
 */
#ifndef MOAT_IOMMU_IOMMU_H
#define MOAT_IOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dma.h"

struct err;
struct iommu;
struct iommu_endpoint;

/* [virtio 1.2, 5.13.6] */
enum iommu_status {
	IOMMU_OK = 0,
	IOMMU_IOERR = 1,
	IOMMU_UNSUPP = 2,
	IOMMU_DEVERR = 3,
	IOMMU_INVAL = 4,
	IOMMU_RANGE = 5,
	IOMMU_NOENT = 6,
	IOMMU_FAULT = 7,
	IOMMU_NOMEM = 8,
};

/* MAP flags.   [virtio 1.2, 5.13.6.5] */
#define IOMMU_MAP_READ	1u
#define IOMMU_MAP_WRITE 2u
#define IOMMU_MAP_MMIO	4u

/*
 * Reserved regions an endpoint's PROBE reports: no mapping may overlap one
 * while the endpoint is in the domain, and in bypass no access reaches memory
 * there.   [virtio 1.2, 5.13.6.8.1]
 */
enum iommu_resv { IOMMU_RESV_RESERVED = 0, IOMMU_RESV_MSI = 1 };

struct iommu_resv_region {
	enum iommu_resv kind;
	iova_t first, last;
};

struct iommu_config {
	struct gmem *mem;	 /* borrowed */
	uint64_t page_size_mask; /* lowest bit: granule */
	iova_t input_first, input_last;
	uint32_t domain_first, domain_last;
	bool bypass; /* what unattached endpoints get from power-on */
	const struct iommu_resv_region *resv; /* for every endpoint; copied */
	unsigned nresv;
	uint32_t max_domains;  /* 0: default 65536 */
	uint64_t max_mappings; /* 0: default 4 Mi; over all domains */
	uint64_t max_memory;   /* bytes of table; 0: default 256 MiB */
	/* An UNMAP makes caches forget everything, as a generation for the
	 * whole domain would; for iommu-bench. */
	bool forgetful;
};

/* [virtio 1.2, 5.13.6.9] */
enum iommu_fault_reason {
	IOMMU_FAULT_UNKNOWN = 0,
	IOMMU_FAULT_DOMAIN = 1,	 /* endpoint not attached */
	IOMMU_FAULT_MAPPING = 2, /* no mapping, or not with this access */
};

struct iommu_fault {
	enum iommu_fault_reason reason;
	enum dma_access access;
	uint32_t endpoint;
	iova_t at;
};

/*
 * Where faults go.  report() is called by a translating thread with the
 * device's lock held: it queues and returns.
 */
struct iommu_fault_sink {
	void (*report)(struct iommu_fault_sink *s, const struct iommu_fault *f);
};

/* Sums over all endpoints and domains since power-on. */
struct iommu_stats {
	uint64_t attaches, detaches, maps, unmaps; /* requests that succeeded */
	uint64_t rejected; /* those that did not; not what a parser refused */
	/* Each translation is a hit or a miss; some misses walk twice. */
	uint64_t translations, cache_hits, cache_misses, walks, faults;
	uint64_t mappings, mapped_bytes; /* now */
	uint64_t domains;		 /* now */
	uint64_t table_bytes;		 /* now */
};

/* One endpoint at a moment. */
struct iommu_endpoint_state {
	uint32_t id;
	bool attached;
	bool bypass;	 /* its domain's, or what it gets without one */
	uint32_t domain; /* if attached */
	uint64_t mappings, mapped_bytes; /* of its domain */
	/* Its own: */
	uint64_t translations, cache_hits, cache_misses, walks, faults;
};

struct iommu_mapping {
	iova_t first, last;
	gpa_t phys;
	uint32_t flags; /* IOMMU_MAP_... */
};

int iommu_new(struct iommu **ret_i, const struct iommu_config *config,
	      struct err *err);
/* No device uses any view any more. */
void iommu_free(struct iommu *i);

/*
 * iommu_endpoint_add - before the guest runs.
 * Return: 0; -EEXIST; -ENOMEM.  Owned by the IOMMU.
 */
int iommu_endpoint_add(struct iommu *i, uint32_t id,
		       struct iommu_endpoint **ret_ep, struct err *err);
/*
 * iommu_endpoint_reserve - regions of @ep alone, besides those of the config;
 * an MSI region takes the place of the config's.  Once, before the guest runs.
 * @resv: copied
 *
 * Return: 0; -EINVAL if a region is empty, two overlap or two are MSI's;
 * -ENOMEM; with a sentence.
 */
int iommu_endpoint_reserve(struct iommu_endpoint *ep,
			   const struct iommu_resv_region *resv, unsigned n,
			   struct err *err);
/*
 * iommu_endpoint_view - a view for one more user (device or queue).
 * Return: 0 or -ENOMEM.  Owned by the endpoint.
 */
int iommu_endpoint_view(struct iommu_endpoint *ep, struct dma **ret_dma);

void iommu_set_fault_sink(struct iommu *i, struct iommu_fault_sink *sink);

/*
 * The requests; ids and addresses are the guest's and may be anything.  What
 * fails has changed nothing, but for DEVERR of DETACH and UNMAP: the old
 * translation is gone, and accesses that began under it may be under way.
 */
enum iommu_status iommu_attach(struct iommu *i, uint32_t domain,
			       uint32_t endpoint, bool bypass);
enum iommu_status iommu_detach(struct iommu *i, uint32_t domain,
			       uint32_t endpoint);
enum iommu_status iommu_map(struct iommu *i, uint32_t domain, iova_t first,
			    iova_t last, gpa_t phys, uint32_t flags);
enum iommu_status iommu_unmap(struct iommu *i, uint32_t domain, iova_t first,
			      iova_t last);
/*
 * iommu_resv_regions - what PROBE reports for @endpoint.
 * Return: IOMMU_OK or IOMMU_NOENT; the array is constant.
 */
enum iommu_status iommu_resv_regions(struct iommu *i, uint32_t endpoint,
				     const struct iommu_resv_region **ret_r,
				     unsigned *ret_n);

/* The largest number of regions that one endpoint reports. */
unsigned iommu_resv_most(const struct iommu *i);

/* The config field `bypass`: what unattached endpoints get. */
void iommu_set_bypass(struct iommu *i, bool bypass);
bool iommu_bypass(const struct iommu *i);

/* Device reset: detach everything; `bypass` stays.
 * [virtio 1.2, 5.13.4.2, 5.13.5] */
void iommu_reset(struct iommu *i);
/* System reset: iommu_reset(), and `bypass` as configured. */
void iommu_power_on_reset(struct iommu *i);

/* The machine stops: nobody waits for holds from now on / waits again. */
void iommu_stop_waiting(struct iommu *i, bool stop);
bool iommu_stopping(const struct iommu *i);

void iommu_get_stats(struct iommu *i, struct iommu_stats *ret_s);
/*
 * iommu_endpoint_state - the @n-th endpoint by id; false if there are fewer.
 * iommu_mappings - up to @max MAPs of the domain of @endpoint that begin at or
 * after @from, in order.
 *
 * Both take the IOMMU's lock, which requests wait for: ask for few at a time.
 *
 * Return of iommu_mappings(): how many; -ENOENT: there is no such endpoint.
 */
bool iommu_endpoint_state(struct iommu *i, size_t n,
			  struct iommu_endpoint_state *ret_s);
int iommu_mappings(struct iommu *i, uint32_t endpoint, iova_t from,
		   struct iommu_mapping *ret_m, unsigned max);
const struct iommu_config *iommu_get_config(const struct iommu *i);

#endif
