/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Access to the BAR through configuration space.   [virtio 1.2, 4.1.4.9]
 *
 * Most tests run with memory decoding off: that is when it is needed.
 */
#include <check.h>
#include <stdlib.h>

#include "pci/regs.h"
#include "virtio/tests/vpci_rig.h"

static struct vrig rig;

static void setup(void)
{
	vrig_init(&rig, NULL);
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
}

static void teardown(void)
{
	vrig_fini(&rig);
}

static void aim(unsigned bar, uint64_t off, uint32_t len)
{
	vrig_pci_write(&rig, rig.window + VPCI_CAP_BAR, 1, bar);
	vrig_pci_write(&rig, rig.window + VPCI_CAP_OFFSET, 4, off);
	vrig_pci_write(&rig, rig.window + VPCI_CAP_LENGTH, 4, len);
}

static uint64_t data(unsigned size)
{
	return vrig_pci_read(&rig, rig.window + VPCI_CAP_DATA, size);
}

static void set_data(unsigned size, uint64_t val)
{
	vrig_pci_write(&rig, rig.window + VPCI_CAP_DATA, size, val);
}

static uint64_t get(uint64_t at, unsigned size)
{
	aim(0, at, size);
	return data(size);
}

static void set(uint64_t at, unsigned size, uint64_t val)
{
	aim(0, at, size);
	set_data(size, val);
}

static uint64_t pba_at(void)
{
	return vrig_pci_read(&rig, rig.msix + PCI_MSIX_PBA, 4);
}

static uint64_t table_at(void)
{
	return vrig_pci_read(&rig, rig.msix + PCI_MSIX_TABLE, 4);
}

START_TEST(window_registers_read_back)
{
	aim(5, 0x12345678, 0x9abcdef0);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.window + VPCI_CAP_BAR, 1), 5);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.window + VPCI_CAP_OFFSET, 4),
			  0x12345678);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.window + VPCI_CAP_LENGTH, 4),
			  0x9abcdef0);
}
END_TEST

START_TEST(common_structure_is_read_and_written)
{
	ck_assert_uint_eq(get(rig.common + REG_NUM_QUEUES, 2), VRIG_QUEUES);
	set(rig.common + REG_STATUS, 1, 1);
	ck_assert_uint_eq(get(rig.common + REG_STATUS, 1), 1);
	set(rig.common + REG_DEVICE_FEATURE_SELECT, 4, 1);
	ck_assert_uint_eq(get(rig.common + REG_DEVICE_FEATURE, 4),
			  rig.d->offered >> 32);
	set(rig.common + REG_STATUS, 1, 0);
	ck_assert_uint_eq(get(rig.common + REG_STATUS, 1), 0);
}
END_TEST

START_TEST(device_structure_is_read_and_written)
{
	ck_assert_uint_eq(get(rig.config + 4, 4), 0x87868584);
	set(rig.config + VRIG_WRITABLE, 2, 0x1234);
	ck_assert_uint_eq(get(rig.config + VRIG_WRITABLE, 4), 0x8b8a1234);
	ck_assert_uint_eq(rig.dev.config_writes, 1);
}
END_TEST

START_TEST(reading_the_isr_clears_it)
{
	vrig_command(&rig, PCI_COMMAND_MEMORY, 0);
	vrig_start(&rig);
	vrig_add(&rig, VRIG_INLINE);
	vrig_ring(&rig, VRIG_INLINE);
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
	ck_assert_uint_eq(get(rig.isr, 1), 1);
	ck_assert_uint_eq(data(1), 0);
}
END_TEST

START_TEST(notify_structure_kicks)
{
	vrig_command(&rig, PCI_COMMAND_MEMORY, 0);
	vrig_start(&rig);
	vrig_command(&rig, 0, PCI_COMMAND_MEMORY);
	set(rig.notify + rig.multiplier, 2, 1);
	ck_assert(vrig_kicked(&rig, 1));
	vrig_add(&rig, VRIG_INLINE);
	set(rig.notify + (uint64_t)VRIG_INLINE * rig.multiplier, 2, 1);
	ck_assert_uint_eq(rig.dev.done, 1);
}
END_TEST

START_TEST(msix_table_and_bits_are_reached_too)
{
	set(table_at() + 8, 4, 0x4711);
	ck_assert_uint_eq(get(table_at() + 8, 4), 0x4711);
	set(pba_at(), 4, 0xffffffff);
	ck_assert_uint_eq(get(pba_at(), 4), 0);
}
END_TEST

START_TEST(d70_whole_driver_works_through_the_window)
{
	uint32_t head, len;

	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	set(rig.common + REG_STATUS, 1, 1);
	set(rig.common + REG_STATUS, 1, 3);
	set(rig.common + REG_DRIVER_FEATURE_SELECT, 4, 1);
	set(rig.common + REG_DRIVER_FEATURE, 4, 1);
	set(rig.common + REG_STATUS, 1, 11);
	ck_assert_uint_eq(get(rig.common + REG_STATUS, 1), 11);
	vqd_init(&rig.drv[2], &rig.id, 0x10000, 0x10000, VRIG_SIZE);
	set(rig.common + REG_QUEUE_SELECT, 2, 2);
	set(rig.common + REG_QUEUE_DESC, 4, rig.drv[2].desc);
	set(rig.common + REG_QUEUE_DRIVER, 4, rig.drv[2].avail);
	set(rig.common + REG_QUEUE_DEVICE, 4, rig.drv[2].used);
	set(rig.common + REG_QUEUE_ENABLE, 2, 1);
	set(rig.common + REG_STATUS, 1, 15);
	ck_assert_uint_eq(get(rig.common + REG_STATUS, 1), 15);
	vrig_add(&rig, 2);
	set(rig.notify + 2 * (uint64_t)rig.multiplier, 2, 2);
	ck_assert(vqd_get_used(&rig.drv[2], &head, &len));
}
END_TEST

START_TEST(only_lengths_1_2_and_4_open_the_window)
{
	static const uint32_t lens[] = {0, 3,  5,     6,	  7,
					8, 16, 0x101, 0x80000001, 0xffffffff};

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		aim(0, rig.common + REG_STATUS, lens[i]);
		set_data(4, 0x01010101);
		ck_assert_uint_eq(rig.d->status, 0);
		ck_assert_uint_eq(data(4), 0x01010101);
	}
}
END_TEST

START_TEST(bars_and_offsets_out_of_range_read_ones)
{
	static const struct {
		unsigned bar;
		uint32_t off;
	} bad[] = {{1, 0},	    {5, 0},	     {6, 0},
		   {255, 0},	    {0, 0x8000},     {0, 0xffffffff},
		   {0, 0xfffffffc}, {0, 0x80000000}, {0, 58}};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		aim(bad[i].bar, bad[i].off, 4);
		set_data(4, 0);
		ck_assert_uint_eq(data(4), 0xffffffff);
	}
}
END_TEST

START_TEST(access_that_misses_the_window_has_no_effect)
{
	aim(0, rig.isr, 1);
	pthread_mutex_lock(&rig.d->lock);
	rig.d->transport->ops->config_interrupt(rig.d->transport);
	pthread_mutex_unlock(&rig.d->lock);
	/* The bytes around, and those of the data past the length. */
	(void)vrig_pci_read(&rig, rig.window + VPCI_CAP_LENGTH, 4);
	(void)vrig_pci_read(&rig, rig.window + VPCI_CAP_DATA + 1, 1);
	(void)vrig_pci_read(&rig, rig.window + VPCI_CAP_DATA + 2, 2);
	(void)vrig_pci_read(&rig, rig.window + VPCI_CAP_DATA + 4, 4);
	ck_assert_uint_eq(data(1), 2);
	ck_assert_uint_eq(data(1), 0);
}
END_TEST

START_TEST(wide_read_over_the_window_is_one_access)
{
	aim(0, rig.common + REG_NUM_QUEUES, 2);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.window + VPCI_CAP_LENGTH, 8),
			  (uint64_t)VRIG_QUEUES << 32 | 2);
}
END_TEST

/* Length and data in one 8-byte write: the new length counts. */
START_TEST(wide_write_sets_the_length_first)
{
	aim(0, rig.common + REG_QUEUE_SELECT, 0);
	vrig_pci_write(&rig, rig.window + VPCI_CAP_LENGTH, 8,
		       UINT64_C(0x00020002) << 16 << 16 | 2);
	ck_assert_uint_eq(get(rig.common + REG_QUEUE_SELECT, 2), 2);
}
END_TEST

START_TEST(window_works_through_ports)
{
	unsigned devfn = rig.f->devfn;
	uint32_t at = 0x80000000 | devfn << 8;

	aim(0, rig.common + REG_NUM_QUEUES, 2);
	bus_write(&rig.pio, 0xcf8, 4, at | (rig.window + VPCI_CAP_DATA));
	ck_assert_uint_eq(bus_read(&rig.pio, 0xcfc, 2), VRIG_QUEUES);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio/pci_window");
	TCase *tc = tcase_create("window");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, window_registers_read_back);
	tcase_add_test(tc, common_structure_is_read_and_written);
	tcase_add_test(tc, device_structure_is_read_and_written);
	tcase_add_test(tc, reading_the_isr_clears_it);
	tcase_add_test(tc, notify_structure_kicks);
	tcase_add_test(tc, msix_table_and_bits_are_reached_too);
	tcase_add_test(tc, d70_whole_driver_works_through_the_window);
	tcase_add_test(tc, only_lengths_1_2_and_4_open_the_window);
	tcase_add_test(tc, bars_and_offsets_out_of_range_read_ones);
	tcase_add_test(tc, access_that_misses_the_window_has_no_effect);
	tcase_add_test(tc, wide_read_over_the_window_is_one_access);
	tcase_add_test(tc, wide_write_sets_the_length_first);
	tcase_add_test(tc, window_works_through_ports);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
