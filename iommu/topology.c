/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/topology.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/le.h"

/* The items of the 2020 patch ("v2"), padded to the stride. */
struct pci_item_wire {
	le16_t type;
	le16_t hierarchy;
	le16_t requester_start;
	le16_t requester_end;
	le32_t endpoint_start;
	uint8_t padding[4];
};
static_assert(sizeof(struct pci_item_wire) == IOMMU_TOPOLOGY_STRIDE,
	      "12 bytes in the patch, the stride here");
#define ITEM_PCI 1

struct mmio_item_wire {
	le16_t type;
	le16_t reserved;
	le32_t endpoint;
	le64_t address;
};
static_assert(sizeof(struct mmio_item_wire) == IOMMU_TOPOLOGY_STRIDE,
	      "16 bytes in the patch");
#define ITEM_MMIO 2

void iommu_topology_init(struct iommu_topology *t)
{
	*t = (struct iommu_topology){0};
}

void iommu_topology_fini(struct iommu_topology *t)
{
	free(t->items);
	*t = (struct iommu_topology){0};
}

uint32_t iommu_item_last_endpoint(const struct iommu_item *item)
{
	uint32_t span = 0;

	if (item->place == IOMMU_PLACE_PCI)
		span = (uint32_t)(item->pci.last - item->pci.first);
	return item->endpoint + span;
}

static bool has_endpoint(const struct iommu_topology *t, uint32_t endpoint)
{
	for (size_t n = 0; n < t->n; n++)
		if (endpoint >= t->items[n].endpoint &&
		    endpoint <= iommu_item_last_endpoint(&t->items[n]))
			return true;
	return false;
}

static bool has_function(const struct iommu_topology *t, uint16_t segment,
			 uint16_t requester)
{
	for (size_t n = 0; n < t->n; n++) {
		const struct iommu_item *item = &t->items[n];

		if (item->place == IOMMU_PLACE_PCI &&
		    item->pci.segment == segment &&
		    item->pci.first <= requester && item->pci.last >= requester)
			return true;
	}
	return false;
}

static bool has_address(const struct iommu_topology *t, uint64_t address)
{
	for (size_t n = 0; n < t->n; n++)
		if (t->items[n].place == IOMMU_PLACE_MMIO &&
		    t->items[n].mmio.address == address)
			return true;
	return false;
}

static int append(struct iommu_topology *t, const struct iommu_item *item,
		  struct err *err)
{
	if (t->n == IOMMU_TOPOLOGY_ITEMS_MAX)
		return err_set(err, ENOSPC,
			       "more than %d entries in the IOMMU's topology",
			       IOMMU_TOPOLOGY_ITEMS_MAX);
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 8;
		struct iommu_item *items =
			realloc(t->items, cap * sizeof(*items));

		if (!items)
			return err_set(err, ENOMEM,
				       "no memory for the IOMMU's topology");
		t->items = items;
		t->cap = cap;
	}
	t->items[t->n++] = *item;
	return 0;
}

/* Whether @b goes on where @a ends, in functions and in ids. */
static bool follows(const struct iommu_item *a, const struct iommu_item *b)
{
	return a->place == IOMMU_PLACE_PCI && b->place == IOMMU_PLACE_PCI &&
	       a->pci.segment == b->pci.segment &&
	       (uint32_t)a->pci.last + 1 == b->pci.first &&
	       iommu_item_last_endpoint(a) != UINT32_MAX &&
	       iommu_item_last_endpoint(a) + 1 == b->endpoint;
}

static void remove_at(struct iommu_topology *t, size_t n)
{
	memmove(&t->items[n], &t->items[n + 1],
		(t->n - n - 1) * sizeof(t->items[0]));
	t->n--;
}

/* A function may have closed the gap between two runs: make them one. */
static void merge_runs(struct iommu_topology *t)
{
	for (size_t n = 0; n < t->n; n++)
		for (size_t m = 0; m < t->n; m++)
			if (follows(&t->items[n], &t->items[m])) {
				t->items[n].pci.last = t->items[m].pci.last;
				remove_at(t, m);
				return;
			}
}

/* Make a run one function longer.  True if there is one to join. */
static bool join_run(struct iommu_topology *t, const struct iommu_item *item)
{
	for (size_t n = 0; n < t->n; n++) {
		struct iommu_item *run = &t->items[n];

		if (follows(run, item)) {
			run->pci.last = item->pci.last;
		} else if (follows(item, run)) {
			run->pci.first = item->pci.first;
			run->endpoint = item->endpoint;
		} else {
			continue;
		}
		merge_runs(t);
		return true;
	}
	return false;
}

int iommu_topology_add_pci(struct iommu_topology *t, uint16_t segment,
			   uint16_t requester, uint32_t endpoint,
			   struct err *err)
{
	struct iommu_item item = {
		.place = IOMMU_PLACE_PCI,
		.endpoint = endpoint,
		.pci = {segment, requester, requester},
	};

	if (has_function(t, segment, requester))
		return err_set(err, EEXIST,
			       "function %04x:%02x:%02x.%x is in the IOMMU's "
			       "topology already",
			       segment, requester >> 8, requester >> 3 & 31,
			       requester & 7);
	if (has_endpoint(t, endpoint))
		return err_set(err, EEXIST,
			       "endpoint %" PRIu32 " is in the IOMMU's "
			       "topology already",
			       endpoint);
	if (join_run(t, &item))
		return 0;
	return append(t, &item, err);
}

int iommu_topology_add_mmio(struct iommu_topology *t, uint64_t address,
			    uint32_t endpoint, struct err *err)
{
	const struct iommu_item item = {
		.place = IOMMU_PLACE_MMIO,
		.endpoint = endpoint,
		.mmio = {address},
	};

	if (has_address(t, address))
		return err_set(err, EEXIST,
			       "device at %#" PRIx64 " is in the IOMMU's "
			       "topology already",
			       address);
	if (has_endpoint(t, endpoint))
		return err_set(err, EEXIST,
			       "endpoint %" PRIu32 " is in the IOMMU's "
			       "topology already",
			       endpoint);
	return append(t, &item, err);
}

static bool places_overlap(const struct iommu_item *a,
			   const struct iommu_item *b)
{
	if (a->place != b->place)
		return false;
	if (a->place == IOMMU_PLACE_MMIO)
		return a->mmio.address == b->mmio.address;
	return a->pci.segment == b->pci.segment &&
	       a->pci.first <= b->pci.last && b->pci.first <= a->pci.last;
}

static bool ids_overlap(const struct iommu_item *a, const struct iommu_item *b)
{
	return a->endpoint <= iommu_item_last_endpoint(b) &&
	       b->endpoint <= iommu_item_last_endpoint(a);
}

int iommu_topology_check(const struct iommu_topology *t, struct err *err)
{
	if (t->n > IOMMU_TOPOLOGY_ITEMS_MAX)
		return err_set(err, EINVAL,
			       "the IOMMU's topology has %zu entries, at most "
			       "%d fit",
			       t->n, IOMMU_TOPOLOGY_ITEMS_MAX);
	for (size_t n = 0; n < t->n; n++) {
		const struct iommu_item *item = &t->items[n];

		if (item->place == IOMMU_PLACE_PCI &&
		    item->pci.first > item->pci.last)
			return err_set(err, EINVAL,
				       "entry %zu of the IOMMU's topology ends "
				       "before it begins",
				       n);
		if (iommu_item_last_endpoint(item) < item->endpoint)
			return err_set(err, EINVAL,
				       "entry %zu of the IOMMU's topology has "
				       "ids past 2^32",
				       n);
		for (size_t m = 0; m < n; m++)
			if (places_overlap(item, &t->items[m]) ||
			    ids_overlap(item, &t->items[m]))
				return err_set(err, EINVAL,
					       "entries %zu and %zu of the "
					       "IOMMU's topology overlap",
					       m, n);
	}
	return 0;
}

static void encode_item(const struct iommu_item *item, uint8_t *dst)
{
	if (item->place == IOMMU_PLACE_PCI) {
		const struct pci_item_wire w = {
			.type = le16_put(ITEM_PCI),
			.hierarchy = le16_put(item->pci.segment),
			.requester_start = le16_put(item->pci.first),
			.requester_end = le16_put(item->pci.last),
			.endpoint_start = le32_put(item->endpoint),
		};

		memcpy(dst, &w, sizeof(w));
	} else {
		const struct mmio_item_wire w = {
			.type = le16_put(ITEM_MMIO),
			.endpoint = le32_put(item->endpoint),
			.address = le64_put(item->mmio.address),
		};

		memcpy(dst, &w, sizeof(w));
	}
}

void iommu_topology_encode(const struct iommu_topology *t, uint8_t *dst)
{
	for (size_t n = 0; n < t->n; n++)
		encode_item(&t->items[n], dst + n * IOMMU_TOPOLOGY_STRIDE);
}
