/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "topology.h"

#include "wire.h"

_Static_assert(sizeof(struct topo_config_wire) == 12, "three le32");
_Static_assert(sizeof(struct topo_pci_wire) == 12, "as in the 2020 patch");
_Static_assert(sizeof(struct topo_mmio_wire) == 16, "as in the 2020 patch");

const char *topo_reason(enum topo_result r)
{
	static const char *const reasons[TOPO_RESULTS] = {
		[TOPO_OK] = "the description is good",
		[TOPO_ABSENT] = "the device has no description",
		[TOPO_NO_CAPABILITIES] = "the function has no capabilities",
		[TOPO_LIST_BROKEN] = "the list of capabilities is broken",
		[TOPO_NO_STRUCTURE] = "there is no usable structure",
		[TOPO_STRUCTURE_OUTSIDE] = "the structure is not in its BAR",
		[TOPO_STRUCTURE_SHORT] = "the structure is too short for it",
		[TOPO_OFFSET_EARLY] = "items begin inside the fixed fields",
		[TOPO_OFFSET_ODD] = "items are not 8-aligned",
		[TOPO_LENGTH_SMALL] = "item_length is less than 12",
		[TOPO_LENGTH_ODD] = "item_length is no multiple of 4",
		[TOPO_ITEMS_MANY] = "there are more items than can fit",
		[TOPO_ITEMS_OUTSIDE] = "the items end outside the structure",
		[TOPO_ITEM_CUT] = "an item is longer than item_length",
		[TOPO_ITEM_REVERSE] = "a range ends before it begins",
		[TOPO_ITEM_WRAPS] = "the ids of a range pass 2^32",
		[TOPO_ITEM_SELF] = "the IOMMU is its own endpoint",
		[TOPO_PLACE_TWICE] = "two items describe one device",
		[TOPO_ID_TWICE] = "two items have an endpoint id in common",
	};

	return (unsigned)r < TOPO_RESULTS ? reasons[r] : "unknown";
}

/* The array, once its place and size are known to be good. */
struct array {
	const uint8_t *items;
	uint32_t n, stride;
};

static const uint8_t *item_at(const struct array *a, unsigned n)
{
	return a->items + (size_t)n * a->stride;
}

static void copy(void *dst, const uint8_t *src, size_t len)
{
	uint8_t *d = dst;

	while (len--)
		*d++ = *src++;
}

/*
 * Bit 6 alone proves nothing: it is BYPASS_CONFIG, too, and such a device has
 * zeroes, or nothing at all, where the two counts would be.
 */
static enum topo_result find_descriptor(struct topo_config_wire *ret_c,
					uint32_t *ret_end, const uint8_t *bytes,
					size_t len, uint64_t features)
{
	bool native = features >> TOPO_F_NATIVE & 1;
	uint32_t at = native ? TOPO_AT_NATIVE : TOPO_AT_V2;

	if (!native && !(features >> TOPO_F_V2 & 1))
		return TOPO_ABSENT;
	*ret_end = at + (uint32_t)sizeof(*ret_c);
	if (len < *ret_end)
		return native ? TOPO_STRUCTURE_SHORT : TOPO_ABSENT;
	copy(ret_c, bytes + at, sizeof(*ret_c));
	if (!native && topo_get32(ret_c->num_items) == 0 &&
	    topo_get32(ret_c->item_length) == 0)
		return TOPO_ABSENT;
	return TOPO_OK;
}

static enum topo_result find_array(struct array *ret_a, const uint8_t *bytes,
				   size_t len, uint64_t features)
{
	struct topo_config_wire c;
	uint32_t end, offset, n, stride;
	enum topo_result r = find_descriptor(&c, &end, bytes, len, features);

	if (r != TOPO_OK)
		return r;
	offset = topo_get32(c.offset);
	n = topo_get32(c.num_items);
	stride = topo_get32(c.item_length);
	if (offset < end)
		return TOPO_OFFSET_EARLY;
	if (offset % 8)
		return TOPO_OFFSET_ODD;
	if (stride < sizeof(struct topo_pci_wire))
		return TOPO_LENGTH_SMALL;
	if (stride % 4)
		return TOPO_LENGTH_ODD;
	if (n > TOPO_ITEMS_MAX)
		return TOPO_ITEMS_MANY;
	/* Cannot overflow: less than 2^32, plus 337 times less than 2^32. */
	if (offset + (uint64_t)n * stride > len)
		return TOPO_ITEMS_OUTSIDE;
	ret_a->items = bytes + offset;
	ret_a->n = n;
	ret_a->stride = stride;
	return TOPO_OK;
}

static uint32_t last_endpoint(const struct topo_item *i)
{
	return i->endpoint + (uint32_t)(i->last - i->first);
}

static void read_pci(struct topo_item *ret_i, const uint8_t *src)
{
	struct topo_pci_wire w;

	copy(&w, src, sizeof(w));
	*ret_i = (struct topo_item){
		.kind = TOPO_PCI,
		.endpoint = topo_get32(w.endpoint_start),
		.segment = topo_get16(w.hierarchy),
		.first = topo_get16(w.requester_start),
		.last = topo_get16(w.requester_end),
	};
}

static void read_mmio(struct topo_item *ret_i, const uint8_t *src)
{
	struct topo_mmio_wire w;

	copy(&w, src, sizeof(w));
	*ret_i = (struct topo_item){
		.kind = TOPO_MMIO,
		.endpoint = topo_get32(w.endpoint),
		.address = topo_get64(w.address),
	};
}

/* Return: TOPO_OK, TOPO_ABSENT for an unknown type, or what is wrong. */
static enum topo_result read_item(struct topo_item *ret_i,
				  const struct array *a, unsigned n)
{
	topo_le16 type;

	copy(&type, item_at(a, n), sizeof(type));
	switch (topo_get16(type)) {
	case TOPO_PCI:
		read_pci(ret_i, item_at(a, n));
		break;
	case TOPO_MMIO:
		if (a->stride < sizeof(struct topo_mmio_wire))
			return TOPO_ITEM_CUT;
		read_mmio(ret_i, item_at(a, n));
		break;
	default:
		return TOPO_ABSENT;
	}
	if (ret_i->first > ret_i->last)
		return TOPO_ITEM_REVERSE;
	if (last_endpoint(ret_i) < ret_i->endpoint)
		return TOPO_ITEM_WRAPS;
	return TOPO_OK;
}

static bool is_self(const struct topo_item *i, const struct topo_self *self)
{
	if (i->kind != self->kind)
		return false;
	if (i->kind == TOPO_MMIO)
		return i->address == self->address;
	return i->segment == self->segment && i->first <= self->requester &&
	       self->requester <= i->last;
}

static enum topo_result compare(const struct topo_item *a,
				const struct topo_item *b)
{
	bool same_place = false;

	if (a->kind == b->kind && a->kind == TOPO_MMIO)
		same_place = a->address == b->address;
	else if (a->kind == b->kind)
		same_place = a->segment == b->segment && a->first <= b->last &&
			     b->first <= a->last;
	if (same_place)
		return TOPO_PLACE_TWICE;
	if (a->endpoint <= last_endpoint(b) && b->endpoint <= last_endpoint(a))
		return TOPO_ID_TWICE;
	return TOPO_OK;
}

/* Compare item @n, which is @i, with all before it. */
static enum topo_result check_earlier(const struct array *a, unsigned n,
				      const struct topo_item *i,
				      struct topo_where *where)
{
	struct topo_item other;
	enum topo_result r;
	unsigned m;

	for (m = 0; m < n; m++) {
		if (read_item(&other, a, m) != TOPO_OK)
			continue;
		r = compare(&other, i);
		if (r != TOPO_OK) {
			where->other = m;
			return r;
		}
	}
	return TOPO_OK;
}

static enum topo_result check_item(const struct array *a, unsigned n,
				   const struct topo_self *self,
				   struct topo_where *where)
{
	struct topo_item i;
	enum topo_result r = read_item(&i, a, n);

	where->item = n;
	if (r == TOPO_ABSENT)
		return TOPO_OK;
	if (r != TOPO_OK)
		return r;
	if (is_self(&i, self))
		return TOPO_ITEM_SELF;
	return check_earlier(a, n, &i, where);
}

/* All of it, before anything is written. */
static enum topo_result check(const struct array *a,
			      const struct topo_self *self,
			      struct topo_where *where)
{
	unsigned n;
	enum topo_result r;

	for (n = 0; n < a->n; n++) {
		r = check_item(a, n, self, where);
		if (r != TOPO_OK)
			return r;
	}
	where->item = 0;
	return TOPO_OK;
}

enum topo_result topo_parse(struct topo_list *ret_t, const uint8_t *bytes,
			    size_t len, uint64_t features,
			    const struct topo_self *self,
			    struct topo_where *ret_where)
{
	struct topo_where where = {0, 0};
	struct array a;
	enum topo_result r;
	unsigned n;

	if (len > TOPO_BYTES_MAX)
		len = TOPO_BYTES_MAX;
	r = find_array(&a, bytes, len, features);
	if (r == TOPO_OK)
		r = check(&a, self, &where);
	if (ret_where)
		*ret_where = where;
	if (r != TOPO_OK)
		return r;
	ret_t->n = ret_t->skipped = 0;
	for (n = 0; n < a.n; n++) {
		if (read_item(&ret_t->items[ret_t->n], &a, n) == TOPO_OK)
			ret_t->n++;
		else
			ret_t->skipped++;
	}
	return TOPO_OK;
}

bool topo_endpoint_of_pci(const struct topo_list *t, uint16_t segment,
			  uint16_t requester, uint32_t *ret_endpoint)
{
	unsigned n;

	for (n = 0; n < t->n; n++) {
		const struct topo_item *i = &t->items[n];

		if (i->kind != TOPO_PCI || i->segment != segment ||
		    requester < i->first || requester > i->last)
			continue;
		*ret_endpoint = i->endpoint + (uint32_t)(requester - i->first);
		return true;
	}
	return false;
}

bool topo_endpoint_of_mmio(const struct topo_list *t, uint64_t address,
			   uint32_t *ret_endpoint)
{
	unsigned n;

	for (n = 0; n < t->n; n++) {
		const struct topo_item *i = &t->items[n];

		if (i->kind != TOPO_MMIO || i->address != address)
			continue;
		*ret_endpoint = i->endpoint;
		return true;
	}
	return false;
}
