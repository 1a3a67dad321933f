/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What the description says of each function of the bus: those that are
 * behind the IOMMU have their ids, the IOMMU itself and the bridge have none,
 * and the device takes requests for exactly these.
 *
 * Words: "endpoints=N", how many; "ids=N", what the ids begin at.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

static struct iommu iommu;
static uint32_t first_id;

static bool is_described(uint8_t devfn, uint32_t *ret_id)
{
	return topo_endpoint_of_pci(&iommu.topology, 0, devfn, ret_id);
}

static void expect_unknown(uint32_t id)
{
	CHECK_EQ(iommu_probe(&iommu, id), IOMMU_NOENT);
	CHECK_EQ(iommu_attach(&iommu, 1, id, 0), IOMMU_NOENT);
}

void guest(void)
{
	unsigned described = 0;
	uint32_t id;

	iommu_open(&iommu);
	if (word_is("ids=", "4000"))
		first_id = 4000;
	CHECK(!is_described(iommu.v.devfn, &id));
	CHECK(!is_described(0, &id));
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		bool there =
			pci_read((uint8_t)(devfn & ~7u), 0, 4) != UINT32_MAX &&
			devfn % 8 == 0;

		if (!is_described((uint8_t)devfn, &id)) {
			expect_unknown(first_id + devfn);
			continue;
		}
		described++;
		CHECK(there);
		CHECK_EQ(id, first_id + devfn);
		if (first_id)
			expect_unknown(devfn);
		/* The same function of another hierarchy is another one. */
		CHECK(!topo_endpoint_of_pci(&iommu.topology, 1, (uint16_t)devfn,
					    &id));
		CHECK_EQ(iommu_probe(&iommu, id), IOMMU_OK);
		CHECK_EQ(iommu_attach(&iommu, 1, id, 0), IOMMU_OK);
	}
	CHECK_EQ(described, word_is("endpoints=", "0")	 ? 0
			    : word_is("endpoints=", "2") ? 2
							 : 1);
}
