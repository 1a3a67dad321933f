/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "pci/msix.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/le.h"
#include "core/log.h"
#include "pci/func.h"
#include "pci/regs.h"

struct msix_vector {
	pthread_mutex_t lock; /* a leaf; see vector_lock() */
	struct msi_line line;
	struct msi_msg msg; /* what the line was connected with last */
	bool connected;
	bool used; /* the sink may keep something for the line */
	struct irq_source *sources;
};

struct msix {
	struct pci_func *func;
	struct msi_sink *sink;
	struct guest_log log;
	unsigned n;
	unsigned cap;
	bool shared; /* raised by several threads at once */
	/* Changed before the vectors are, one after the other. */
	_Atomic bool enabled; /* control register, as acted upon */
	_Atomic bool active;  /* enabled, not masked as a whole, bus master */
	struct bus_region table_region, pba_region;
	uint8_t *table; /* an entry is its vector's */
	_Atomic uint8_t *pba;
	struct msix_vector vectors[];
};

uint64_t msix_table_size(unsigned n)
{
	return (uint64_t)n * PCI_MSIX_ENTRY_SIZE;
}

uint64_t msix_pba_size(unsigned n)
{
	return align_up(n, 64) / 8;
}

/*
 * Where one lock is held by all who come here, vectors do without.
 */
static struct msix_vector *vector_lock(struct msix *m, unsigned i)
{
	struct msix_vector *v = &m->vectors[i];

	if (m->shared)
		pthread_mutex_lock(&v->lock);
	return v;
}

static void vector_unlock(struct msix *m, struct msix_vector *v)
{
	if (m->shared)
		pthread_mutex_unlock(&v->lock);
}

/*
 * Pending bits.  A byte is that of several vectors.
 */

static bool pending_get(const struct msix *m, unsigned i)
{
	return m->pba[i / 8] >> i % 8 & 1;
}

static void pending_set(struct msix *m, unsigned i, bool on)
{
	uint8_t bit = (uint8_t)(1u << i % 8);

	if (on)
		atomic_fetch_or(&m->pba[i / 8], bit);
	else
		atomic_fetch_and(&m->pba[i / 8], (uint8_t)~bit);
}

/*
 * Vectors.
 */

static const uint8_t *entry_at(const struct msix *m, unsigned i)
{
	return m->table + (size_t)i * PCI_MSIX_ENTRY_SIZE;
}

static struct msi_msg entry_msg(const struct msix *m, unsigned i)
{
	const uint8_t *e = entry_at(m, i);

	return (struct msi_msg){
		.addr = le64_load(e + PCI_MSIX_ENTRY_ADDR),
		.data = le32_load(e + PCI_MSIX_ENTRY_DATA),
	};
}

static bool entry_masked(const struct msix *m, unsigned i)
{
	return entry_at(m, i)[PCI_MSIX_ENTRY_CONTROL] & PCI_MSIX_ENTRY_MASKED;
}

/* If that cannot be, signals go on to come to the owner. */
static void source_bind(struct msix *m, struct msix_vector *v,
			struct irq_source *s)
{
	if (m->sink->ops->bind(m->sink, &v->line, s->fd) < 0)
		return;
	s->straight = true;
	s->routed(s, true);
}

static void source_unbind(struct msix *m, struct msix_vector *v,
			  struct irq_source *s)
{
	if (!s->straight)
		return;
	m->sink->ops->unbind(m->sink, &v->line, s->fd);
	s->straight = false;
	s->routed(s, false);
}

static void vector_disconnect(struct msix *m, struct msix_vector *v)
{
	if (!v->connected)
		return;
	v->connected = false;
	for (struct irq_source *s = v->sources; s; s = s->next)
		source_unbind(m, v, s);
	m->sink->ops->disconnect(m->sink, &v->line);
}

static void vector_release(struct msix *m, struct msix_vector *v)
{
	vector_disconnect(m, v);
	if (v->used)
		m->sink->ops->release(m->sink, &v->line);
	v->used = false;
}

static void vector_connect(struct msix *m, unsigned i)
{
	struct msix_vector *v = &m->vectors[i];
	struct msi_msg msg = entry_msg(m, i);
	int rc;

	if (v->connected && v->msg.addr == msg.addr && v->msg.data == msg.data)
		return;
	/* Not known before: functions get their place when all is set up. */
	v->line.requester = m->func->devfn;
	v->msg = msg;
	v->used = true;
	rc = m->sink->ops->connect(m->sink, &v->line, msg);
	if (!rc && v->connected)
		return;
	if (!rc) {
		v->connected = true;
		for (struct irq_source *s = v->sources; s; s = s->next)
			source_bind(m, v, s);
		return;
	}
	/* Never leave a line delivering the message it had before. */
	vector_disconnect(m, v);
	guest_warn(&m->log, "no route for MSI-X vector %u: %s", i,
		   strerror(-rc));
}

/*
 * Brings a vector in line with masks and message; delivers what waited.
 * Caller holds its lock.
 */
static void vector_sync_locked(struct msix *m, unsigned i)
{
	struct msix_vector *v = &m->vectors[i];

	if (!m->active || entry_masked(m, i)) {
		vector_disconnect(m, v);
		return;
	}
	vector_connect(m, i);
	if (v->connected && pending_get(m, i)) {
		pending_set(m, i, false);
		m->sink->ops->raise(m->sink, &v->line);
	}
}

/*
 * Registers.
 */

static void vector_sync(struct msix *m, unsigned i)
{
	struct msix_vector *v = vector_lock(m, i);

	vector_sync_locked(m, i);
	vector_unlock(m, v);
}

static uint64_t table_read(struct bus_region *r, uint64_t off, unsigned size)
{
	const struct msix *m = container_of(r, struct msix, table_region);

	return le_load(m->table + off, size);
}

/* Address bits 1:0 are zero for dword alignment; of control only the mask. */
static uint8_t entry_wmask(unsigned at)
{
	if (at == PCI_MSIX_ENTRY_ADDR)
		return 0xfc;
	if (at == PCI_MSIX_ENTRY_CONTROL)
		return PCI_MSIX_ENTRY_MASKED;
	return at < PCI_MSIX_ENTRY_CONTROL ? 0xff : 0;
}

/* What of a write to the table is in entry @n.  Caller holds its lock. */
static void entry_write(struct msix *m, unsigned n, uint64_t off, unsigned size,
			uint64_t val)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t *byte = m->table + off + i;
		uint8_t mask = entry_wmask((off + i) % PCI_MSIX_ENTRY_SIZE);

		if ((off + i) / PCI_MSIX_ENTRY_SIZE == n)
			*byte = (uint8_t)((*byte & ~mask) |
					  (val >> 8 * i & mask));
	}
}

static void table_write(struct bus_region *r, uint64_t off, unsigned size,
			uint64_t val)
{
	struct msix *m = container_of(r, struct msix, table_region);
	unsigned first = (unsigned)(off / PCI_MSIX_ENTRY_SIZE);
	unsigned last = (unsigned)((off + size - 1) / PCI_MSIX_ENTRY_SIZE);

	for (unsigned i = first; i <= last; i++) {
		struct msix_vector *v = vector_lock(m, i);

		entry_write(m, i, off, size, val);
		vector_sync_locked(m, i);
		vector_unlock(m, v);
	}
}

static const struct bus_ops table_ops = {
	.read = table_read,
	.write = table_write,
};

static uint64_t pba_read(struct bus_region *r, uint64_t off, unsigned size)
{
	const struct msix *m = container_of(r, struct msix, pba_region);
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)m->pba[off + i] << 8 * i;
	return val;
}

static void pba_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	(void)r, (void)off, (void)size, (void)val;
}

static const struct bus_ops pba_ops = {
	.read = pba_read,
	.write = pba_write,
};

/*
 * Life.
 */

static void table_clear(struct msix *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		uint8_t *e = m->table + (size_t)i * PCI_MSIX_ENTRY_SIZE;
		struct msix_vector *v = vector_lock(m, i);

		memset(e, 0, PCI_MSIX_ENTRY_SIZE);
		e[PCI_MSIX_ENTRY_CONTROL] = PCI_MSIX_ENTRY_MASKED;
		vector_unlock(m, v);
	}
}

static void msix_add_cap(struct msix *m, unsigned cap, unsigned bar,
			 uint64_t table_at, uint64_t pba_at)
{
	struct pci_config *c = &m->func->cfg;

	m->cap = cap;
	pci_config_set(c, cap + PCI_MSIX_CONTROL, 2, m->n - 1,
		       PCI_MSIX_CONTROL_MASK_ALL | PCI_MSIX_CONTROL_ENABLE);
	pci_config_set(c, cap + PCI_MSIX_TABLE, 4, table_at | bar, 0);
	pci_config_set(c, cap + PCI_MSIX_PBA, 4, pba_at | bar, 0);
}

static void msix_add_regions(struct msix *m, unsigned bar, uint64_t table_at,
			     uint64_t pba_at)
{
	m->table_region = (struct bus_region){
		.ops = &table_ops,
		.name = m->func->name,
		.size = msix_table_size(m->n),
		.lock = m->func->lock,
	};
	m->pba_region = (struct bus_region){
		.ops = &pba_ops,
		.name = m->func->name,
		.size = msix_pba_size(m->n),
		.lock = m->func->lock,
	};
	pci_bar_add_region(m->func, bar, table_at, &m->table_region);
	pci_bar_add_region(m->func, bar, pba_at, &m->pba_region);
}

static struct msix *msix_alloc(struct pci_func *f, unsigned n,
			       struct msi_sink *sink)
{
	struct msix *m = calloc(1, sizeof(*m) + n * sizeof(m->vectors[0]));

	if (!m)
		return NULL;
	m->func = f;
	m->sink = sink;
	m->log.name = f->name;
	m->n = n;
	for (unsigned i = 0; i < n; i++) {
		(void)pthread_mutex_init(&m->vectors[i].lock, NULL);
		msi_line_init(&m->vectors[i].line, f->devfn);
	}
	m->table = malloc(msix_table_size(n));
	m->pba = calloc(msix_pba_size(n), sizeof(*m->pba));
	if (!m->table || !m->pba) {
		msix_free(m);
		return NULL;
	}
	table_clear(m);
	return m;
}

int msix_new(struct pci_func *f, unsigned n, unsigned bar, uint64_t table_at,
	     uint64_t pba_at, struct msi_sink *sink, struct err *err)
{
	struct msix *m;
	int cap;

	assert(!f->msix && is_aligned(table_at | pba_at, 8));
	assert((table_at | pba_at) <= UINT32_MAX);
	if (n == 0 || n > MSIX_VECTORS_MAX)
		return err_set(err, EINVAL, "%s: %u MSI-X vectors, not 1 to %u",
			       f->name, n, MSIX_VECTORS_MAX);
	m = msix_alloc(f, n, sink);
	if (!m)
		return err_set(err, ENOMEM, "%s: no memory for MSI-X", f->name);
	cap = pci_cap_add(f, PCI_CAP_ID_MSIX, PCI_MSIX_CAP_LEN);
	if (cap < 0) {
		msix_free(m);
		return err_set(err, -cap, "%s: no room for MSI-X", f->name);
	}
	msix_add_cap(m, (unsigned)cap, bar, table_at, pba_at);
	msix_add_regions(m, bar, table_at, pba_at);
	f->msix = m;
	return 0;
}

void msix_free(struct msix *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		vector_release(m, &m->vectors[i]);
		(void)pthread_mutex_destroy(&m->vectors[i].lock);
	}
	free(m->pba);
	free(m->table);
	free(m);
}

unsigned msix_vectors(const struct msix *m)
{
	return m->n;
}

bool msix_enabled(const struct msix *m)
{
	return m->enabled;
}

void msix_share(struct msix *m)
{
	m->shared = true;
}

/* Caller holds the vector's lock. */
static void raise_locked(struct msix *m, unsigned i)
{
	struct msix_vector *v = &m->vectors[i];

	if (!m->enabled)
		return;
	if (v->connected) {
		m->sink->ops->raise(m->sink, &v->line);
		return;
	}
	/* Unmasked without a route is possible: then this tries again. */
	pending_set(m, i, true);
	vector_sync_locked(m, i);
}

void msix_raise(struct msix *m, unsigned vector)
{
	struct msix_vector *v;

	if (!m->enabled || vector >= m->n)
		return;
	v = vector_lock(m, vector);
	raise_locked(m, vector);
	vector_unlock(m, v);
}

void msix_lend(struct msix *m, unsigned vector, struct irq_source *s)
{
	struct msix_vector *v;

	if (vector >= m->n)
		return;
	v = vector_lock(m, vector);
	s->next = v->sources;
	v->sources = s;
	if (v->connected)
		source_bind(m, v, s);
	vector_unlock(m, v);
}

void msix_take_back(struct msix *m, unsigned vector, struct irq_source *s)
{
	struct msix_vector *v;
	struct irq_source **at;

	if (vector >= m->n)
		return;
	v = vector_lock(m, vector);
	source_unbind(m, v, s);
	for (at = &v->sources; *at != s; at = &(*at)->next)
		assert(*at);
	*at = s->next;
	s->next = NULL;
	vector_unlock(m, v);
}

void msix_clear_pending(struct msix *m, unsigned vector)
{
	struct msix_vector *v;

	if (vector >= m->n)
		return;
	v = vector_lock(m, vector);
	pending_set(m, vector, false);
	vector_unlock(m, v);
}

/* Whoever raises sees that it is off, or is done before its vector's turn. */
static void msix_disable(struct msix *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct msix_vector *v = vector_lock(m, i);

		vector_release(m, v);
		pending_set(m, i, false);
		vector_unlock(m, v);
	}
	guest_log_rearm(&m->log);
}

void msix_sync(struct msix *m)
{
	const uint16_t control =
		le16_load(m->func->cfg.bytes + m->cap + PCI_MSIX_CONTROL);
	const bool enabled = control & PCI_MSIX_CONTROL_ENABLE;
	const bool active = enabled && !(control & PCI_MSIX_CONTROL_MASK_ALL) &&
			    m->func->bus_master;
	const bool was_enabled = atomic_exchange(&m->enabled, enabled);
	const bool was_active = atomic_exchange(&m->active, active);

	if (was_enabled && !enabled)
		msix_disable(m);
	if (was_active == active)
		return;
	for (unsigned i = 0; i < m->n; i++)
		vector_sync(m, i);
}

void msix_reset(struct msix *m)
{
	msix_sync(m); /* the control register is zero: everything goes */
	table_clear(m);
}
