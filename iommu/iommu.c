/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/iommu.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "iommu/endpoint.h"
#include "iommu/private.h"

#define DEFAULT_MAX_DOMAINS  65536
#define DEFAULT_MAX_MAPPINGS (UINT64_C(4) << 20)
#define DEFAULT_MAX_MEMORY   MIB(256)

#define IOVA_LAST (~UINT64_C(0))

static int check_resv(const struct iommu_config *c, struct err *err)
{
	unsigned msi = 0;

	for (unsigned n = 0; n < c->nresv; n++) {
		const struct iommu_resv_region *r = &c->resv[n];

		if (r->first > r->last)
			return err_set(err, EINVAL,
				       "reserved region ends before it begins");
		/* [virtio 1.2, 5.13.6.8.1.2] */
		msi += r->kind == IOMMU_RESV_MSI;
		if (msi > 1)
			return err_set(err, EINVAL,
				       "more than one reserved MSI region");
		for (unsigned m = 0; m < n; m++)
			if (c->resv[m].first <= r->last &&
			    r->first <= c->resv[m].last)
				return err_set(err, EINVAL,
					       "reserved regions overlap at "
					       "%#" PRIx64,
					       max_u64(r->first,
						       c->resv[m].first));
	}
	return 0;
}

static int check_config(const struct iommu_config *c, struct err *err)
{
	unsigned shift = c->page_size_mask
				 ? (unsigned)__builtin_ctzll(c->page_size_mask)
				 : 0;

	if (shift < PT_SHIFT_MIN || shift > PT_SHIFT_MAX)
		return err_set(err, EINVAL,
			       "IOMMU page sizes %#" PRIx64
			       ": the smallest must be 4 KiB to 1 GiB",
			       c->page_size_mask);
	if (c->input_first > c->input_last || c->domain_first > c->domain_last)
		return err_set(err, EINVAL,
			       "IOMMU address or domain range is empty");
	return check_resv(c, err);
}

static int copy_config(struct iommu *i, const struct iommu_config *c)
{
	struct iommu_resv_region *resv = NULL;

	i->config = *c;
	i->config.resv = NULL;
	if (c->nresv > 0) {
		resv = calloc(c->nresv, sizeof(*resv));
		if (!resv)
			return -ENOMEM;
		memcpy(resv, c->resv, c->nresv * sizeof(*resv));
		i->config.resv = resv;
	}
	if (!c->max_domains)
		i->config.max_domains = DEFAULT_MAX_DOMAINS;
	if (!c->max_mappings)
		i->config.max_mappings = DEFAULT_MAX_MAPPINGS;
	if (!c->max_memory)
		i->config.max_memory = DEFAULT_MAX_MEMORY;
	return 0;
}

int iommu_new(struct iommu **ret_i, const struct iommu_config *config,
	      struct err *err)
{
	struct iommu *i;
	int r = check_config(config, err);

	if (r)
		return r;
	i = calloc(1, sizeof(*i));
	if (!i || copy_config(i, config)) {
		free(i);
		return err_set(err, ENOMEM, "no memory for the IOMMU");
	}
	r = hold_gate_init(&i->gate);
	if (!r) {
		r = -pthread_mutex_init(&i->op, NULL);
		if (r)
			hold_gate_fini(&i->gate);
	}
	if (r) {
		free((void *)(uintptr_t)i->config.resv);
		free(i);
		return err_errno(err, -r, "cannot make the IOMMU's locks");
	}
	i->shift = (unsigned)__builtin_ctzll(config->page_size_mask);
	i->pool.max = i->config.max_memory;
	domain_set_init(&i->domains);
	list_init(&i->dead_domains);
	atomic_init(&i->bypass, config->bypass);
	*ret_i = i;
	return 0;
}

/* No reader is left in what broken waits left behind. */
static void dead_free(struct iommu *i)
{
	list_for_each (pos, &i->dead_domains) {
		struct iommu_domain *d =
			container_of(pos, struct iommu_domain, node);

		list_remove(pos);
		domain_free(d);
	}
	pt_list_free(&i->pool, &i->dead_nodes);
}

void iommu_free(struct iommu *i)
{
	if (!i)
		return;
	for (unsigned b = 0; b < DOMAIN_BUCKETS; b++)
		list_for_each (pos, &i->domains.buckets[b])
			domain_free(
				container_of(pos, struct iommu_domain, node));
	dead_free(i);
	for (size_t n = 0; n < i->neps; n++)
		endpoint_free(i->eps[n]);
	free(i->eps);
	pthread_mutex_destroy(&i->op);
	hold_gate_fini(&i->gate);
	free((void *)(uintptr_t)i->config.resv);
	free(i);
}

void iommu_lock(struct iommu *i)
{
	pthread_mutex_lock(&i->op);
}

void iommu_unlock(struct iommu *i)
{
	pthread_mutex_unlock(&i->op);
}

/* Where @id is or would be. */
static size_t endpoint_index(const struct iommu *i, uint32_t id)
{
	size_t lo = 0, hi = i->neps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (i->eps[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct iommu_endpoint *endpoint_find(const struct iommu *i, uint32_t id)
{
	size_t at = endpoint_index(i, id);

	return at < i->neps && i->eps[at]->id == id ? i->eps[at] : NULL;
}

static int endpoint_insert(struct iommu *i, struct iommu_endpoint *ep)
{
	size_t at = endpoint_index(i, ep->id);

	if (i->neps == i->eps_cap) {
		size_t cap = i->eps_cap ? 2 * i->eps_cap : 16;
		struct iommu_endpoint **eps =
			realloc(i->eps, cap * sizeof(struct iommu_endpoint *));

		if (!eps)
			return -ENOMEM;
		i->eps = eps;
		i->eps_cap = cap;
	}
	memmove(&i->eps[at + 1], &i->eps[at],
		(i->neps - at) * sizeof(struct iommu_endpoint *));
	i->eps[at] = ep;
	i->neps++;
	return 0;
}

int iommu_endpoint_add(struct iommu *i, uint32_t id,
		       struct iommu_endpoint **ret_ep, struct err *err)
{
	struct iommu_endpoint *ep;

	if (endpoint_find(i, id))
		return err_set(err, EEXIST,
			       "IOMMU endpoint %" PRIu32 " exists already", id);
	ep = endpoint_new(i, id);
	if (!ep || endpoint_insert(i, ep)) {
		free(ep);
		return err_set(err, ENOMEM, "no memory for an IOMMU endpoint");
	}
	*ret_ep = ep;
	return 0;
}

void iommu_set_fault_sink(struct iommu *i, struct iommu_fault_sink *sink)
{
	atomic_store(&i->sink, sink);
}

void iommu_report(const struct iommu *i, const struct iommu_fault *f)
{
	struct iommu_fault_sink *sink = atomic_load(&i->sink);

	if (sink)
		sink->report(sink, f);
}

bool iommu_resv_first(const struct iommu *i, iova_t first, iova_t last,
		      iova_t *ret_at)
{
	bool found = false;

	for (unsigned n = 0; n < i->config.nresv; n++) {
		const struct iommu_resv_region *r = &i->config.resv[n];
		iova_t at = max_u64(r->first, first);

		if (r->first > last || first > r->last)
			continue;
		if (!found || at < *ret_at)
			*ret_at = at;
		found = true;
	}
	return found;
}

enum iommu_status iommu_resv_regions(struct iommu *i, uint32_t endpoint,
				     const struct iommu_resv_region **ret_r,
				     unsigned *ret_n)
{
	if (!endpoint_find(i, endpoint))
		return IOMMU_NOENT;
	*ret_r = i->config.resv;
	*ret_n = i->config.nresv;
	return IOMMU_OK;
}

/* Caller holds i->op; the only writer. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

static uint64_t value(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void count_domains(struct iommu *i)
{
	atomic_store_explicit(&i->stats.domains, i->domains.n,
			      memory_order_relaxed);
}

/* Holds of [first, last] that began under an older translation of @d. */
static bool domain_drain(const struct iommu_domain *d, iova_t first,
			 iova_t last)
{
	bool drained = true;

	list_for_each (pos, &d->endpoints)
		drained =
			endpoint_drain(container_of(pos, struct iommu_endpoint,
						    node),
				       first, last) &&
			drained;
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
	add(&i->stats.mappings, -d->mappings);
	add(&i->stats.mapped_bytes, -d->bytes);
	count_domains(i);
	if (drained)
		domain_free(d);
	else
		list_append(&i->dead_domains, &d->node);
}

/* Move @ep to @to (NULL: nowhere) and wait until nobody uses the old way. */
static bool endpoint_move(struct iommu *i, struct iommu_endpoint *ep,
			  struct iommu_domain *to)
{
	struct iommu_domain *from = endpoint_domain(ep);
	bool drained;

	endpoint_set_domain(ep, to);
	drained = endpoint_drain(ep, 0, IOVA_LAST);
	domain_left(i, from, drained);
	return drained;
}

/* Whether @d exists only because of @ep. */
static bool domain_is_lone(const struct iommu_domain *d,
			   const struct iommu_endpoint *ep)
{
	return d && d->endpoints.next == &ep->node &&
	       d->endpoints.prev == &ep->node;
}

static enum iommu_status attach_locked(struct iommu *i, uint32_t domain,
				       uint32_t endpoint, bool bypass)
{
	struct iommu_endpoint *ep = endpoint_find(i, endpoint);
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
	if (!d) {
		/* One may go as the new one comes. */
		uint32_t n = i->domains.n - domain_is_lone(from, ep);

		if (n >= i->config.max_domains)
			return IOMMU_NOMEM;
		d = domain_new(&i->domains, domain, bypass, i->shift, &i->pool);
		if (!d)
			return IOMMU_NOMEM;
		count_domains(i);
	}
	return endpoint_move(i, ep, d) ? IOMMU_OK : IOMMU_DEVERR;
}

static enum iommu_status detach_locked(struct iommu *i, uint32_t domain,
				       uint32_t endpoint)
{
	struct iommu_endpoint *ep = endpoint_find(i, endpoint);
	struct iommu_domain *d;

	if (!ep || domain < i->config.domain_first ||
	    domain > i->config.domain_last)
		return IOMMU_NOENT;
	d = endpoint_domain(ep);
	if (!d || d->id != domain)
		return IOMMU_INVAL;
	return endpoint_move(i, ep, NULL) ? IOMMU_OK : IOMMU_DEVERR;
}

/*
 * After @c has happened to @d's table: wait for who may still use what is
 * gone, then free it.
 */
static bool settle(struct iommu *i, struct iommu_domain *d,
		   const struct pt_change *c)
{
	if (!c->any)
		return true;
	if (!domain_drain(d, c->first, c->last)) {
		pgtable_bury(&d->table, &i->dead_nodes);
		return false;
	}
	if (c->nodes) {
		list_for_each (pos, &d->endpoints)
			endpoint_wait_walks(
				container_of(pos, struct iommu_endpoint, node));
		pgtable_reap(&d->table);
	}
	return true;
}

static unsigned map_perms(const struct iommu *i, iova_t first, iova_t last,
			  gpa_t phys, uint32_t flags)
{
	uint64_t len = last - first + 1; /* 0: 2^64 */

	return (flags & IOMMU_MAP_READ ? PT_READ : 0) |
	       (flags & IOMMU_MAP_WRITE ? PT_WRITE : 0) |
	       (flags & IOMMU_MAP_MMIO ? PT_MMIO : 0) |
	       (len != 0 && gmem_has(i->config.mem, phys, len) ? PT_RAM : 0);
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
	struct pt_change c;
	iova_t bad;

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
	if (iommu_resv_first(i, first, last, &bad) ||
	    pgtable_mapped(&d->table, first, last))
		return IOMMU_INVAL;
	if (value(&i->stats.mappings) >= i->config.max_mappings)
		return IOMMU_NOMEM;
	if (pgtable_map(&d->table, first, last, phys,
			map_perms(i, first, last, phys, flags), &c)) {
		(void)settle(i, d, &c);
		return IOMMU_NOMEM;
	}
	d->mappings++;
	d->bytes += last - first + 1;
	add(&i->stats.mappings, 1);
	add(&i->stats.mapped_bytes, last - first + 1);
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
	add(&i->stats.mappings, -c.mappings);
	add(&i->stats.mapped_bytes, -c.bytes);
	return settle(i, d, &c) ? IOMMU_OK : IOMMU_DEVERR;
}

/* Caller holds i->op. */
static enum iommu_status count_op(struct iommu *i, _Atomic uint64_t *ok,
				  enum iommu_status status)
{
	add(status == IOMMU_OK ? ok : &i->stats.rejected, 1);
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
	iommu_unlock(i);
	return s;
}

enum iommu_status iommu_unmap(struct iommu *i, uint32_t domain, iova_t first,
			      iova_t last)
{
	enum iommu_status s;

	iommu_lock(i);
	s = count_op(i, &i->stats.unmaps, unmap_locked(i, domain, first, last));
	iommu_unlock(i);
	return s;
}

bool iommu_bypass(const struct iommu *i)
{
	return atomic_load_explicit(&i->bypass, memory_order_seq_cst);
}

/* Caller holds i->op.  Step W1 of hold.c's protocol. */
static void set_bypass_locked(struct iommu *i, bool bypass)
{
	if (iommu_bypass(i) == bypass)
		return;
	atomic_store_explicit(&i->bypass, bypass, memory_order_seq_cst);
	for (size_t n = 0; n < i->neps; n++)
		if (!endpoint_domain(i->eps[n]))
			(void)endpoint_drain(i->eps[n], 0, IOVA_LAST);
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
			drained = endpoint_move(i, i->eps[n], NULL) && drained;
	/* Endpoints that were not attached may still be in what an earlier,
	 * broken wait left. */
	if (list_empty(&i->dead_domains) && !i->dead_nodes)
		return;
	for (size_t n = 0; n < i->neps && drained; n++)
		drained = endpoint_drain(i->eps[n], 0, IOVA_LAST);
	if (drained)
		dead_free(i);
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

void iommu_stop_waiting(struct iommu *i, bool stop)
{
	hold_gate_stop(&i->gate, stop);
}

void iommu_get_stats(struct iommu *i, struct iommu_stats *ret_s)
{
	const struct op_stats *o = &i->stats;

	*ret_s = (struct iommu_stats){
		.attaches = value(&o->attaches),
		.detaches = value(&o->detaches),
		.maps = value(&o->maps),
		.unmaps = value(&o->unmaps),
		.rejected = value(&o->rejected),
		.mappings = value(&o->mappings),
		.mapped_bytes = value(&o->mapped_bytes),
		.domains = value(&o->domains),
		.table_bytes = value(&i->pool.used),
	};
	for (size_t n = 0; n < i->neps; n++)
		endpoint_add_stats(i->eps[n], ret_s);
}

const struct iommu_config *iommu_get_config(const struct iommu *i)
{
	return &i->config;
}
