/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What changes translations: requests, bypass, reset.  Each takes the op lock,
 * changes, waits for whoever may still use the old state, and frees it.
 */
#include "core/bits.h"
#include "iommu/counter.h"
#include "iommu/endpoint.h"
#include "iommu/iommu.h"
#include "iommu/private.h"

#define IOVA_LAST (~UINT64_C(0))

static const struct range everything = {0, IOVA_LAST};

static void count_domains(struct iommu *i)
{
	atomic_store_explicit(&i->stats.domains, i->domains.n,
			      memory_order_relaxed);
}

/* Holds of the ranges that began under an older translation of @d. */
static bool domain_drain(const struct iommu *i, const struct iommu_domain *d,
			 const struct range *r, unsigned n)
{
	bool drained = true;

	list_for_each (pos, &d->endpoints)
		endpoint_tell(container_of(pos, struct iommu_endpoint, node),
			      i->config.forgetful);
	notice_fence();
	list_for_each (pos, &d->endpoints) {
		const struct iommu_endpoint *ep =
			container_of(pos, struct iommu_endpoint, node);

		drained = endpoint_drain(ep, r, n) && drained;
	}
	return drained;
}

/*
 * @d, which may be NULL, has lost an endpoint and all its holds have been
 * waited for (or not, if not @drained).
 */
static void domain_left(struct iommu *i, struct iommu_domain *d, bool drained)
{
	if (!d || !list_empty(&d->endpoints))
		return;
	domain_remove(&i->domains, d);
	counter_add(&i->stats.mappings, -d->mappings);
	counter_add(&i->stats.mapped_bytes, -d->bytes);
	count_domains(i);
	if (drained)
		domain_free(d);
	else
		list_append(&i->dead_domains, &d->node);
}

/* Set the domain and wait until nobody uses the old way. */
static bool endpoint_switch(struct iommu_endpoint *ep, struct iommu_domain *to)
{
	endpoint_set_domain(ep, to);
	endpoint_tell(ep, true);
	notice_fence();
	return endpoint_drain(ep, &everything, 1);
}

static bool endpoint_leave(struct iommu *i, struct iommu_endpoint *ep)
{
	struct iommu_domain *from = endpoint_domain(ep);
	bool drained = endpoint_switch(ep, NULL);

	domain_left(i, from, drained);
	return drained;
}

/*
 * Move @ep to @to, all or nothing.  One that is attached and cannot be moved
 * is UNSUPP.   [virtio 1.2, 5.13.6.3.2]
 */
static enum iommu_status endpoint_move(struct iommu *i,
				       struct iommu_endpoint *ep,
				       struct iommu_domain *to)
{
	struct iommu_domain *from = endpoint_domain(ep);

	if (endpoint_switch(ep, to)) {
		domain_left(i, from, true);
		return IOMMU_OK;
	}
	domain_left(i, to, endpoint_switch(ep, from));
	return from ? IOMMU_UNSUPP : IOMMU_DEVERR;
}

/* Whether @d exists only because of @ep. */
static bool domain_is_lone(const struct iommu_domain *d,
			   const struct iommu_endpoint *ep)
{
	return d && d->endpoints.next == &ep->node &&
	       d->endpoints.prev == &ep->node;
}

/* Whether a region of an endpoint in @d overlaps the range.  Endpoints without
 * regions of their own share one set. */
static bool domain_reserves(const struct iommu_domain *d, iova_t first,
			    iova_t last)
{
	const struct iommu_resv_region *seen = NULL;
	iova_t at;

	list_for_each (pos, &d->endpoints) {
		const struct iommu_endpoint *ep =
			container_of(pos, struct iommu_endpoint, node);

		if (ep->resv.at != seen &&
		    resv_first(&ep->resv, first, last, &at))
			return true;
		seen = ep->resv.at;
	}
	return false;
}

/* Whether @d has mappings where @ep may have none. */
static bool mapped_in_reserved(const struct iommu_domain *d,
			       const struct iommu_endpoint *ep)
{
	for (unsigned n = 0; n < ep->resv.n; n++)
		if (pgtable_mapped(&d->table, ep->resv.at[n].first,
				   ep->resv.at[n].last))
			return true;
	return false;
}

static enum iommu_status attach_locked(struct iommu *i, uint32_t domain,
				       uint32_t endpoint, bool bypass)
{
	struct iommu_endpoint *ep = iommu_endpoint_find(i, endpoint);
	struct iommu_domain *d, *from;

	if (!ep)
		return IOMMU_NOENT;
	if (domain < i->config.domain_first || domain > i->config.domain_last)
		return IOMMU_RANGE;
	from = endpoint_domain(ep);
	d = domain_find(&i->domains, domain);
	if (d && d->bypass != bypass)
		return IOMMU_INVAL;
	if (d && d == from)
		return IOMMU_OK;
	/* [virtio 1.2, 5.13.6.3.2] */
	if (d && mapped_in_reserved(d, ep))
		return IOMMU_UNSUPP;
	if (!d) {
		/* One may go as the new one comes. */
		uint32_t n = i->domains.n - domain_is_lone(from, ep);

		if (n < i->config.max_domains)
			d = domain_new(&i->domains, domain, bypass, i->shift,
				       &i->pool);
		if (!d)
			return from ? IOMMU_UNSUPP : IOMMU_NOMEM;
		count_domains(i);
	}
	return endpoint_move(i, ep, d);
}

static enum iommu_status detach_locked(struct iommu *i, uint32_t domain,
				       uint32_t endpoint)
{
	struct iommu_endpoint *ep = iommu_endpoint_find(i, endpoint);
	struct iommu_domain *d;

	if (!ep || domain < i->config.domain_first ||
	    domain > i->config.domain_last)
		return IOMMU_NOENT;
	d = endpoint_domain(ep);
	if (!d || d->id != domain)
		return IOMMU_INVAL;
	return endpoint_leave(i, ep) ? IOMMU_OK : IOMMU_DEVERR;
}

/* Wait for who may still use what is gone from @d's table, then free it. */
static bool settle(struct iommu *i, struct iommu_domain *d,
		   const struct range *r, unsigned n)
{
	if (!domain_drain(i, d, r, n)) {
		pgtable_bury(&d->table, &i->dead_nodes);
		return false;
	}
	if (d->table.retired) {
		list_for_each (pos, &d->endpoints)
			endpoint_wait_walks(
				container_of(pos, struct iommu_endpoint, node));
		pgtable_reap(&d->table);
	}
	return true;
}

/* Move all that the last one's domain owes to the end; there are several.
 * Return: where that begins. */
static unsigned owed_gather(struct owed *o)
{
	struct iommu_domain *d = o->domains[o->n - 1];
	unsigned from = o->n;

	for (unsigned k = o->n; k-- > 0;) {
		struct range r = o->ranges[k];

		if (o->domains[k] != d)
			continue;
		from--;
		o->domains[k] = o->domains[from];
		o->ranges[k] = o->ranges[from];
		o->domains[from] = d;
		o->ranges[from] = r;
	}
	return from;
}

static void pay(struct iommu *i)
{
	struct owed *o = &i->owed;

	while (o->n > 0) {
		unsigned from = o->n > 1 ? owed_gather(o) : 0;

		if (!settle(i, o->domains[from], &o->ranges[from], o->n - from))
			o->broken = true;
		o->n = from;
	}
}

/* @c has happened to @d's table; pay_all() follows. */
static void owe(struct iommu *i, struct iommu_domain *d,
		const struct pt_change *c)
{
	struct owed *o = &i->owed;

	if (!c->any)
		return;
	if (o->n == IOMMU_RUN_MAX)
		pay(i);
	o->domains[o->n] = d;
	o->ranges[o->n] = (struct range){c->first, c->last};
	o->n++;
}

/* Return: true if all that was owed has been waited for. */
static bool pay_all(struct iommu *i)
{
	bool broken;

	pay(i);
	broken = i->owed.broken;
	i->owed.broken = false;
	return !broken;
}

/* As pgtable_map(). */
static int enter(struct iommu *i, struct iommu_domain *d, iova_t first,
		 iova_t last, gpa_t phys, unsigned perms)
{
	bool owing = i->owed.n > 0;
	struct pt_change c;
	int r = pgtable_map(&d->table, first, last, phys, perms, &c);

	owe(i, d, &c);
	if (r == 0 || !owing)
		return r;
	/* What waits to be freed may be the room that lacks. */
	pay(i);
	r = pgtable_map(&d->table, first, last, phys, perms, &c);
	owe(i, d, &c);
	return r;
}

/*
 * What the entries of a MAP say: the host's addresses where all of it is in
 * one piece of RAM, else the guest's.
 */
static gpa_t map_target(const struct iommu *i, iova_t first, iova_t last,
			gpa_t phys, uint32_t flags, unsigned *ret_perms)
{
	uint64_t len = last - first + 1; /* 0: 2^64 */
	const void *host =
		len != 0 ? gmem_host(i->config.mem, phys, len) : NULL;

	*ret_perms = (flags & IOMMU_MAP_READ ? PT_READ : 0) |
		     (flags & IOMMU_MAP_WRITE ? PT_WRITE : 0) |
		     (flags & IOMMU_MAP_MMIO ? PT_MMIO : 0);
	if (!host)
		return phys;
	*ret_perms |= PT_HOST;
	return (uintptr_t)host;
}

static bool map_aligned(const struct iommu *i, iova_t first, iova_t last,
			gpa_t phys)
{
	/* last + 1 is 0 for a range that ends at the top of the space. */
	return is_aligned(first | phys | (last + 1), BIT_ULL(i->shift));
}

static enum iommu_status map_locked(struct iommu *i, uint32_t domain,
				    iova_t first, iova_t last, gpa_t phys,
				    uint32_t flags)
{
	struct iommu_domain *d;
	unsigned perms;
	gpa_t target;

	if (last < first ||
	    (flags & ~(IOMMU_MAP_READ | IOMMU_MAP_WRITE | IOMMU_MAP_MMIO)))
		return IOMMU_INVAL;
	d = domain_find(&i->domains, domain);
	if (!d)
		return IOMMU_NOENT;
	if (d->bypass)
		return IOMMU_INVAL;
	if (!map_aligned(i, first, last, phys))
		return IOMMU_RANGE;
	if (first < i->config.input_first || last > i->config.input_last ||
	    phys > ~(last - first))
		return IOMMU_RANGE;
	if (domain_reserves(d, first, last) ||
	    pgtable_mapped(&d->table, first, last))
		return IOMMU_INVAL;
	if (counter_get(&i->stats.mappings) >= i->config.max_mappings)
		return IOMMU_NOMEM;
	target = map_target(i, first, last, phys, flags, &perms);
	if (enter(i, d, first, last, target, perms))
		return IOMMU_NOMEM;
	d->mappings++;
	d->bytes += last - first + 1;
	counter_add(&i->stats.mappings, 1);
	counter_add(&i->stats.mapped_bytes, last - first + 1);
	return IOMMU_OK;
}

static enum iommu_status unmap_locked(struct iommu *i, uint32_t domain,
				      iova_t first, iova_t last)
{
	struct iommu_domain *d;
	struct pt_change c;

	if (last < first)
		return IOMMU_INVAL;
	d = domain_find(&i->domains, domain);
	if (!d)
		return IOMMU_NOENT;
	if (d->bypass)
		return IOMMU_INVAL;
	if (pgtable_unmap(&d->table, first, last, &c))
		return IOMMU_RANGE;
	d->mappings -= c.mappings;
	d->bytes -= c.bytes;
	counter_add(&i->stats.mappings, -c.mappings);
	counter_add(&i->stats.mapped_bytes, -c.bytes);
	owe(i, d, &c);
	return IOMMU_OK;
}

/* Caller holds i->op. */
static enum iommu_status count_op(struct iommu *i, _Atomic uint64_t *ok,
				  enum iommu_status status)
{
	counter_add(status == IOMMU_OK ? ok : &i->stats.rejected, 1);
	return status;
}

enum iommu_status iommu_attach(struct iommu *i, uint32_t domain,
			       uint32_t endpoint, bool bypass)
{
	enum iommu_status s;

	iommu_lock(i);
	s = count_op(i, &i->stats.attaches,
		     attach_locked(i, domain, endpoint, bypass));
	iommu_unlock(i);
	return s;
}

enum iommu_status iommu_detach(struct iommu *i, uint32_t domain,
			       uint32_t endpoint)
{
	enum iommu_status s;

	iommu_lock(i);
	s = count_op(i, &i->stats.detaches, detach_locked(i, domain, endpoint));
	iommu_unlock(i);
	return s;
}

enum iommu_status iommu_map(struct iommu *i, uint32_t domain, iova_t first,
			    iova_t last, gpa_t phys, uint32_t flags)
{
	enum iommu_status s;

	iommu_lock(i);
	s = count_op(i, &i->stats.maps,
		     map_locked(i, domain, first, last, phys, flags));
	(void)pay_all(i);
	iommu_unlock(i);
	return s;
}

enum iommu_status iommu_unmap(struct iommu *i, uint32_t domain, iova_t first,
			      iova_t last)
{
	enum iommu_status s;

	iommu_lock(i);
	s = unmap_locked(i, domain, first, last);
	if (!pay_all(i))
		s = IOMMU_DEVERR;
	(void)count_op(i, &i->stats.unmaps, s);
	iommu_unlock(i);
	return s;
}

static enum iommu_status run_locked(struct iommu *i,
				    const struct iommu_request *r)
{
	if (r->type == IOMMU_REQUEST_MAP)
		return map_locked(i, r->domain, r->first, r->last, r->phys,
				  r->flags);
	return unmap_locked(i, r->domain, r->first, r->last);
}

void iommu_run(struct iommu *i, struct iommu_request *r, unsigned n)
{
	bool drained;

	iommu_lock(i);
	for (unsigned k = 0; k < n; k++)
		r[k].status = run_locked(i, &r[k]);
	drained = pay_all(i);
	for (unsigned k = 0; k < n; k++) {
		bool map = r[k].type == IOMMU_REQUEST_MAP;

		if (!drained && !map && r[k].status == IOMMU_OK)
			r[k].status = IOMMU_DEVERR;
		(void)count_op(i, map ? &i->stats.maps : &i->stats.unmaps,
			       r[k].status);
	}
	iommu_unlock(i);
}

/* Caller holds i->op.  Step W1 of hold.c's protocol. */
static void set_bypass_locked(struct iommu *i, bool bypass)
{
	if (iommu_bypass(i) == bypass)
		return;
	atomic_store_explicit(&i->bypass, bypass, memory_order_seq_cst);
	for (size_t n = 0; n < i->neps; n++)
		if (!endpoint_domain(i->eps[n]))
			endpoint_tell(i->eps[n], true);
	notice_fence();
	for (size_t n = 0; n < i->neps; n++)
		if (!endpoint_domain(i->eps[n]))
			(void)endpoint_drain(i->eps[n], &everything, 1);
}

void iommu_set_bypass(struct iommu *i, bool bypass)
{
	iommu_lock(i);
	set_bypass_locked(i, bypass);
	iommu_unlock(i);
}

/* Caller holds i->op. */
static void reset_locked(struct iommu *i)
{
	bool drained = true;

	for (size_t n = 0; n < i->neps; n++)
		if (endpoint_domain(i->eps[n]))
			drained = endpoint_leave(i, i->eps[n]) && drained;
	/* Endpoints that were not attached may still be in what an earlier,
	 * broken wait left. */
	if (list_empty(&i->dead_domains) && !i->dead_nodes)
		return;
	for (size_t n = 0; n < i->neps && drained; n++)
		drained = endpoint_drain(i->eps[n], &everything, 1);
	if (drained)
		iommu_dead_free(i);
}

void iommu_reset(struct iommu *i)
{
	iommu_lock(i);
	reset_locked(i);
	iommu_unlock(i);
}

void iommu_power_on_reset(struct iommu *i)
{
	iommu_lock(i);
	reset_locked(i);
	set_bypass_locked(i, i->config.bypass);
	iommu_unlock(i);
}
