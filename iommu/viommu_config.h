/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu_config.h - features and configuration space of the virtio-iommu, in
 * each of its forms.   [virtio 1.2, 5.13.3, 5.13.4]
 *
 *	offset	none			v2		native
 *	0	page_size_mask, ranges, probe_size: the same in all
 *	36	bypass, zeros to 47	topo_config	bypass, zeros to 47
 *	48	(end)			zeros		topo_config, zeros
 *	64				items		items
 *
 * topo_config is {le32 offset, le32 num_items, le32 item_length}.  An IOMMU
 * that manages nothing has num_items 0 and the other two as ever, so that a
 * guest can tell "no endpoints" from "no description".  The zeros of the
 * ratified form are there because a guest with the 2020 patch reads 40 to 47
 * and must find no topology.
 */
#ifndef MOAT_IOMMU_VIOMMU_CONFIG_H
#define MOAT_IOMMU_VIOMMU_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "iommu/virtio_iommu.h"

#define VIOMMU_CONFIG_BYPASS	  36
#define VIOMMU_CONFIG_TOPO_V2	  36
#define VIOMMU_CONFIG_TOPO_NATIVE 48
#define VIOMMU_CONFIG_ITEMS	  64
/* Drivers map what they need of a structure [virtio 1.2, 4.1.4.1]: of this one
 * Linux maps a page at most. */
#define VIOMMU_CONFIG_MAX 4096

/* Return: 0; -EINVAL with a sentence. */
int viommu_config_check(const struct viommu_config *config, struct err *err);

uint64_t viommu_config_features(const struct viommu_config *config);
size_t viommu_config_size(const struct viommu_config *config);
/* @dst: viommu_config_size() zeroed bytes */
void viommu_config_fill(uint8_t *dst, const struct viommu_config *config);

#endif
