/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/fuzz/model.h"

#include <assert.h>
#include <string.h>

#define GRANULE 4096

static bool exists(uint32_t ep)
{
	return ep >= 1 && ep <= RIG_ENDPOINTS;
}

/* Return: somebody in @domain, or 0. */
static unsigned member(const struct model *m, uint32_t domain)
{
	for (unsigned ep = 1; ep <= RIG_ENDPOINTS; ep++)
		if (m->attached[ep] && m->domain[ep] == domain)
			return ep;
	return 0;
}

static unsigned count_domains(const struct model *m)
{
	unsigned n = 0;

	/* Each counts at its first endpoint. */
	for (unsigned ep = 1; ep <= RIG_ENDPOINTS; ep++)
		n += m->attached[ep] && member(m, m->domain[ep]) == ep;
	return n;
}

static void remove_at(struct model *m, unsigned n)
{
	m->mappings[n] = m->mappings[--m->nmappings];
}

static void leave(struct model *m, unsigned ep)
{
	uint32_t domain = m->domain[ep];

	if (!m->attached[ep])
		return;
	m->attached[ep] = false;
	if (member(m, domain))
		return;
	for (unsigned n = m->nmappings; n-- > 0;)
		if (m->mappings[n].domain == domain)
			remove_at(m, n);
}

static bool mapped(const struct model *m, uint32_t domain, iova_t first,
		   iova_t last)
{
	for (unsigned n = 0; n < m->nmappings; n++)
		if (m->mappings[n].domain == domain &&
		    m->mappings[n].first <= last &&
		    first <= m->mappings[n].last)
			return true;
	return false;
}

static bool in_range(const struct model *m, uint32_t domain)
{
	return domain >= m->config.domain_first &&
	       domain <= m->config.domain_last;
}

static bool agrees(const struct model *m, unsigned ep, uint32_t domain)
{
	for (unsigned n = 0; n < m->nresv[ep]; n++)
		if (mapped(m, domain, m->resv[ep][n].first,
			   m->resv[ep][n].last))
			return false;
	return true;
}

enum iommu_status model_attach(struct model *m, uint32_t domain, uint32_t ep,
			       uint32_t flags)
{
	bool bypass = flags & 1;
	unsigned other, left;

	if (flags & ~1u)
		return IOMMU_INVAL;
	if (!exists(ep))
		return IOMMU_NOENT;
	if (!in_range(m, domain))
		return IOMMU_RANGE;
	other = member(m, domain);
	if (other && m->is_bypass[other] != bypass)
		return IOMMU_INVAL;
	if (m->attached[ep] && m->domain[ep] == domain)
		return IOMMU_OK;
	if (other && !agrees(m, ep, domain))
		return IOMMU_UNSUPP;
	if (!other) {
		struct model without = *m;

		leave(&without, ep);
		left = count_domains(&without);
		if (left >= m->config.max_domains)
			return m->attached[ep] ? IOMMU_UNSUPP : IOMMU_NOMEM;
	}
	leave(m, ep);
	m->attached[ep] = true;
	m->domain[ep] = domain;
	m->is_bypass[ep] = bypass;
	return IOMMU_OK;
}

enum iommu_status model_detach(struct model *m, uint32_t domain, uint32_t ep)
{
	if (!exists(ep) || !in_range(m, domain))
		return IOMMU_NOENT;
	if (!m->attached[ep] || m->domain[ep] != domain)
		return IOMMU_INVAL;
	leave(m, ep);
	return IOMMU_OK;
}

static bool reserved(const struct model *m, uint32_t domain, iova_t first,
		     iova_t last)
{
	for (unsigned ep = 1; ep <= RIG_ENDPOINTS; ep++)
		for (unsigned n = 0; n < m->nresv[ep]; n++)
			if (m->attached[ep] && m->domain[ep] == domain &&
			    m->resv[ep][n].first <= last &&
			    first <= m->resv[ep][n].last)
				return true;
	return false;
}

enum iommu_status model_map(struct model *m, uint32_t domain, iova_t first,
			    iova_t last, gpa_t phys, uint32_t flags)
{
	unsigned someone = member(m, domain);

	if (last < first || flags & ~7u)
		return IOMMU_INVAL;
	if (!someone)
		return IOMMU_NOENT;
	if (m->is_bypass[someone])
		return IOMMU_INVAL;
	if (first % GRANULE || phys % GRANULE || (last + 1) % GRANULE)
		return IOMMU_RANGE;
	if (first < m->config.input_first || last > m->config.input_last)
		return IOMMU_RANGE;
	if (phys + (last - first) < phys)
		return IOMMU_RANGE;
	if (reserved(m, domain, first, last) || mapped(m, domain, first, last))
		return IOMMU_INVAL;
	if (m->nmappings >= m->config.max_mappings)
		return IOMMU_NOMEM;
	assert(m->nmappings < MODEL_MAPPINGS);
	m->mappings[m->nmappings++] =
		(struct model_mapping){domain, first, last, phys, flags};
	return IOMMU_OK;
}

enum iommu_status model_unmap(struct model *m, uint32_t domain, iova_t first,
			      iova_t last)
{
	unsigned someone = member(m, domain);

	if (last < first)
		return IOMMU_INVAL;
	if (!someone)
		return IOMMU_NOENT;
	if (m->is_bypass[someone])
		return IOMMU_INVAL;
	for (unsigned n = 0; n < m->nmappings; n++) {
		const struct model_mapping *p = &m->mappings[n];

		if (p->domain == domain && p->first <= last &&
		    first <= p->last && (p->first < first || p->last > last))
			return IOMMU_RANGE;
	}
	for (unsigned n = m->nmappings; n-- > 0;)
		if (m->mappings[n].domain == domain &&
		    m->mappings[n].first >= first &&
		    m->mappings[n].last <= last)
			remove_at(m, n);
	return IOMMU_OK;
}

void model_reset(struct model *m)
{
	memset(m->attached, 0, sizeof(m->attached));
	m->nmappings = 0;
}

static bool identity(const struct model *m, unsigned ep, iova_t at)
{
	for (unsigned n = 0; n < m->nresv[ep]; n++)
		if (at >= m->resv[ep][n].first && at <= m->resv[ep][n].last)
			return false;
	return true;
}

static bool is_ram(gpa_t at)
{
	return at < RIG_RAM0_SIZE ||
	       (at >= RIG_RAM1_AT && at < RIG_RAM1_AT + RIG_RAM1_SIZE);
}

bool model_translate(const struct model *m, unsigned ep, iova_t at,
		     enum dma_access access, gpa_t *ret_phys)
{
	uint32_t need = access == DMA_WRITE ? IOMMU_MAP_WRITE : IOMMU_MAP_READ;

	if (m->attached[ep] ? m->is_bypass[ep] : m->bypass) {
		*ret_phys = at;
		return identity(m, ep, at) && is_ram(at);
	}
	for (unsigned n = 0; m->attached[ep] && n < m->nmappings; n++) {
		const struct model_mapping *p = &m->mappings[n];

		if (p->domain == m->domain[ep] && at >= p->first &&
		    at <= p->last) {
			*ret_phys = p->phys + (at - p->first);
			return p->flags & need && is_ram(*ret_phys);
		}
	}
	return false;
}
