/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A disk that is no PCI function is found in the description by the address
 * of its registers, attached, read through a translation, and its interrupt
 * comes by the wire that the command line names.   [virtio 1.2, 4.2]
 */
#include "guest-tests/bare/lib/bare.h"
#include "guest-tests/bare/lib/blk.h"
#include "guest-tests/bare/lib/iommu.h"

#define DOMAIN 3
#define OFFSET (UINT64_C(1) << 40)
#define VECTOR 0x61

#define IOAPIC		0xfec00000u
#define IOAPIC_WINDOW	0x10
#define IOAPIC_ENTRY(n) (0x10 + 2 * (n))

enum {
	MAGIC = 0x00,
	VERSION = 0x04,
	DEVICE_ID = 0x08,
	DRIVER_FEATURES = 0x20,
	DRIVER_FEATURES_SELECT = 0x24,
	QUEUE_SELECT = 0x30,
	QUEUE_SIZE = 0x38,
	QUEUE_READY = 0x44,
	QUEUE_NOTIFY = 0x50,
	INTERRUPT_STATUS = 0x60,
	INTERRUPT_ACK = 0x64,
	STATUS = 0x70,
	QUEUE_DESC = 0x80,
	QUEUE_DRIVER = 0x90,
	QUEUE_DEVICE = 0xa0,
};

static struct iommu iommu;
static struct blk blk;
static uint8_t data[PAGE] __attribute__((aligned(4096)));
static volatile uint8_t *regs;

static uint32_t get(unsigned reg)
{
	return (uint32_t)mmio_read(regs + reg, 4);
}

static void set(unsigned reg, uint32_t val)
{
	mmio_write(regs + reg, 4, val);
}

static void set_address(unsigned reg, uint64_t val)
{
	set(reg, (uint32_t)val);
	set(reg + 4, (uint32_t)(val >> 32));
}

static uint64_t read_number(const char **s, unsigned base)
{
	uint64_t val = 0;

	for (;; ++*s) {
		char c = **s;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f'
					 ? (unsigned)(c - 'a') + 10
					 : 99;

		if (digit >= base)
			return val;
		val = val * base + digit;
	}
}

/* "virtio_mmio.device=4K@0xeed00000:5"; the first. */
static uint32_t wire_of(uint64_t wanted)
{
	const char *s;

	CHECK(has_word("virtio_mmio.device=", &s));
	s += 5; /* 4K@0x */
	CHECK_EQ(read_number(&s, 16), wanted);
	CHECK_EQ(*s++, ':');
	return (uint32_t)read_number(&s, 10);
}

/* An edge on @gsi becomes VECTOR here. */
static void route(uint32_t gsi)
{
	volatile uint8_t *ioapic = (volatile uint8_t *)(uintptr_t)IOAPIC;

	apic_enable();
	mmio_write(ioapic, 4, IOAPIC_ENTRY(gsi) + 1);
	mmio_write(ioapic + IOAPIC_WINDOW, 4, 0);
	mmio_write(ioapic, 4, IOAPIC_ENTRY(gsi));
	mmio_write(ioapic + IOAPIC_WINDOW, 4, VECTOR);
}

static void start(void)
{
	uint64_t ring = (uintptr_t)blk.ring.page + OFFSET;

	CHECK_EQ(get(MAGIC), 0x74726976);
	CHECK_EQ(get(VERSION), 2);
	CHECK_EQ(get(DEVICE_ID), VIRTIO_BLK);
	set(STATUS, 0);
	set(STATUS, STATUS_ACKNOWLEDGE);
	set(STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	set(DRIVER_FEATURES_SELECT, 1);
	set(DRIVER_FEATURES, (F_VERSION_1 | F_ACCESS_PLATFORM) >> 32);
	set(STATUS, get(STATUS) | STATUS_FEATURES_OK);
	CHECK(get(STATUS) & STATUS_FEATURES_OK);
	set(QUEUE_SELECT, 0);
	set(QUEUE_SIZE, RING_SIZE);
	set_address(QUEUE_DESC, ring);
	set_address(QUEUE_DRIVER, ring + RING_AVAIL);
	set_address(QUEUE_DEVICE, ring + RING_USED);
	set(QUEUE_READY, 1);
	CHECK_EQ(get(QUEUE_READY), 1);
	blk.offset = OFFSET;
	blk.ring.doorbell = regs + QUEUE_NOTIFY;
	blk.ring.doorbell_size = 4;
	set(STATUS, get(STATUS) | STATUS_DRIVER_OK);
}

static const struct topo_item *find_item(void)
{
	for (unsigned n = 0; n < iommu.topology.n; n++)
		if (iommu.topology.items[n].kind == TOPO_MMIO)
			return &iommu.topology.items[n];
	fail("no device without PCI is described");
}

static bool requested(void *arg)
{
	(void)arg;
	return apic_requested(VECTOR);
}

void guest(void)
{
	const struct topo_item *item;
	uint32_t id;

	iommu_open(&iommu);
	item = find_item();
	CHECK(topo_endpoint_of_mmio(&iommu.topology, item->address, &id));
	CHECK_EQ(iommu_attach(&iommu, DOMAIN, id, 0), IOMMU_OK);
	iommu_map_memory(&iommu, DOMAIN, &blk, sizeof(blk), OFFSET,
			 MAP_READ | MAP_WRITE);
	CHECK_EQ(iommu_map(&iommu, DOMAIN, 0, PAGE - 1, (uintptr_t)data,
			   MAP_WRITE),
		 IOMMU_OK);
	regs = map_device(item->address, PAGE);
	route(wire_of(item->address));
	start();
	CHECK_EQ(blk_read(&blk, 77, SECTOR, SECTOR), BLK_OK);
	CHECK(blk_is_sector(data + SECTOR, 77));
	CHECK_EQ(data[0], 0);
	if (!wait_for(requested, NULL))
		fail("no interrupt came");
	CHECK_EQ(get(INTERRUPT_STATUS), 1);
	set(INTERRUPT_ACK, 1);
	CHECK_EQ(get(INTERRUPT_STATUS), 0);
	CHECK_EQ(blk_read(&blk, 78, PAGE, SECTOR), BLK_IOERR);
}
