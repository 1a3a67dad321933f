/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The guest's parser on any bytes: what it accepts is sound by an independent
 * look, and a refusal writes nothing.
 *
 * Input: form (1), requester of the IOMMU (2), the structure's bytes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "guest-tests/topology/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct topo_list list;
static uint8_t untouched[sizeof(list)];

static uint64_t ids(const struct topo_item *i)
{
	return (uint64_t)i->last - i->first + 1;
}

static void check_item(const struct topo_item *i, const struct topo_self *self)
{
	uint32_t id;

	assert(i->kind == TOPO_PCI || i->kind == TOPO_MMIO);
	assert(i->first <= i->last);
	assert(i->endpoint + ids(i) <= UINT64_C(1) << 32);
	if (i->kind == TOPO_MMIO) {
		assert(topo_endpoint_of_mmio(&list, i->address, &id));
		assert(id == i->endpoint);
		return;
	}
	for (uint32_t rid = i->first; rid <= i->last; rid++) {
		assert(i->segment != self->segment || rid != self->requester);
		assert(topo_endpoint_of_pci(&list, i->segment, (uint16_t)rid,
					    &id));
		/* The first that matches is this one: no place is taken twice. */
		assert(id == i->endpoint + rid - i->first);
	}
}

static void check_ids(void)
{
	for (unsigned a = 0; a < list.n; a++) {
		for (unsigned b = 0; b < a; b++) {
			const struct topo_item *i = &list.items[a];
			const struct topo_item *j = &list.items[b];

			assert(i->endpoint >= j->endpoint + ids(j) ||
			       j->endpoint >= i->endpoint + ids(i));
		}
	}
}

static void parse(uint64_t features, const struct topo_self *self,
		  const uint8_t *bytes, size_t len)
{
	struct topo_where where;
	enum topo_result r;

	memset(untouched, 0x5a, sizeof(untouched));
	memcpy(&list, untouched, sizeof(list));
	r = topo_parse(&list, bytes, len, features, self, &where);
	assert(r < TOPO_RESULTS && topo_reason(r)[0]);
	if (r != TOPO_OK) {
		assert(memcmp(&list, untouched, sizeof(list)) == 0);
		assert(where.item < TOPO_ITEMS_MAX &&
		       where.other <= where.item);
		return;
	}
	assert(list.n + list.skipped <= TOPO_ITEMS_MAX);
	for (unsigned n = 0; n < list.n; n++)
		check_item(&list.items[n], self);
	check_ids();
}

static void find(const uint8_t *config)
{
	struct topo_structure s;
	uint32_t length;

	for (uint8_t type = 1; type <= 5; type++) {
		if (topo_find_structure(config, type, &s) != TOPO_OK)
			continue;
		assert(s.bar <= 5 && s.cap >= 0x40 && s.cap % 4 == 0);
		if (topo_usable_length(&s, 0x4000, &length) == TOPO_OK)
			assert(length <= TOPO_BYTES_MAX &&
			       s.offset + length <= 0x4000);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct topo_self self = {.kind = TOPO_PCI};
	uint8_t *exact;

	if (len < 3)
		return 0;
	self.requester = (uint16_t)(data[1] | data[2] << 8);
	/* A block of its own, so that a read past its end is seen. */
	exact = malloc(len - 2);
	if (!exact)
		return 0;
	memcpy(exact, data + 3, len - 3);
	parse(data[0] & 1 ? UINT64_C(1) << TOPO_F_NATIVE
			  : UINT64_C(1) << TOPO_F_V2,
	      &self, exact, len - 3);
	if (len - 3 >= 256)
		find(exact);
	free(exact);
	return 0;
}
