/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Reading the description as the review of the 2020 patch asks: reset,
 * ACKNOWLEDGE, DRIVER, read, reset; any number of times before the real
 * driver, in accesses of any width and through the window in configuration
 * space.  The bytes are always the same.
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/iommu.h"
#include "guest-tests/bare/lib/pci.h"

static struct iommu iommu;
static uint8_t first[TOPO_BYTES_MAX], again[TOPO_BYTES_MAX];
static struct topo_structure device_cfg, window;

static void read_all(struct vdev *v, uint8_t *dst, unsigned width)
{
	for (uint32_t n = 0; n + width <= v->device_len; n += width) {
		uint64_t val = mmio_read(v->device + n, width);

		memcpy(dst + n, &val, width);
	}
}

/* [virtio 1.2, 4.1.4.9] */
static void read_by_window(struct vdev *v, uint8_t *dst, unsigned width)
{
	for (uint32_t n = 0; n + width <= v->device_len; n += width) {
		uint32_t val;

		pci_write(v->devfn, window.cap + 4u, 1, device_cfg.bar);
		pci_write(v->devfn, window.cap + 8u, 4, device_cfg.offset + n);
		pci_write(v->devfn, window.cap + 12u, 4, width);
		val = pci_read(v->devfn, window.cap + 16u, width);
		memcpy(dst + n, &val, width);
	}
}

static void begin(struct vdev *v)
{
	vdev_reset(v);
	vdev_add_status(v, STATUS_ACKNOWLEDGE);
	vdev_add_status(v, STATUS_DRIVER);
}

static void compare(struct vdev *v, const char *how, unsigned width)
{
	uint32_t whole = v->device_len / width * width;

	if (memcmp(first, again, whole) != 0)
		fail("%s of %u bytes gives other bytes", how, (uint64_t)width);
	vdev_reset(v);
}

void guest(void)
{
	struct vdev *v = &iommu.v;
	uint8_t config[256];

	CHECK_EQ(iommu_read_topology(&iommu), TOPO_OK);
	pci_snapshot(v->devfn, config);
	CHECK_EQ(topo_find_structure(config, TOPO_CFG_DEVICE, &device_cfg),
		 TOPO_OK);
	CHECK_EQ(topo_find_structure(config, TOPO_CFG_PCI, &window), TOPO_OK);
	begin(v);
	read_all(v, first, 1);
	vdev_reset(v);
	for (unsigned width = 1; width <= 8; width *= 2) {
		begin(v);
		read_all(v, again, width);
		compare(v, "memory", width);
		if (width == 8)
			break;
		begin(v);
		read_by_window(v, again, width);
		compare(v, "window", width);
	}
	for (unsigned n = 0; n < 20; n++)
		CHECK_EQ(iommu_read_topology(&iommu), TOPO_OK);
	iommu_start(&iommu);
	read_all(v, again, 4);
	CHECK_EQ(memcmp(first, again, v->device_len & ~3u), 0);
	CHECK_EQ(iommu_attach(&iommu, 1, iommu.topology.items[0].endpoint, 0),
		 IOMMU_OK);
}
