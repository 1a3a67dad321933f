/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pci/config.h"

static struct pci_config c;

static void setup(void)
{
	memset(&c, 0, sizeof(c));
}

START_TEST(fresh_space_reads_zero_and_stays)
{
	pci_config_write(&c, 0x10, 4, 0xffffffff);
	ck_assert_uint_eq(pci_config_read(&c, 0x10, 4), 0);
}
END_TEST

START_TEST(bytes_are_little_endian)
{
	pci_config_set(&c, 0x20, 8, 0x1122334455667788, 0);
	ck_assert_uint_eq(pci_config_read(&c, 0x20, 1), 0x88);
	ck_assert_uint_eq(pci_config_read(&c, 0x21, 2), 0x6677);
	ck_assert_uint_eq(pci_config_read(&c, 0x23, 4), 0x22334455);
	ck_assert_uint_eq(pci_config_read(&c, 0x20, 8), 0x1122334455667788);
}
END_TEST

START_TEST(only_masked_bits_change)
{
	pci_config_set(&c, 0x40, 4, 0xaaaaaaaa, 0x0000ffff);
	pci_config_write(&c, 0x40, 4, 0x12345678);
	ck_assert_uint_eq(pci_config_read(&c, 0x40, 4), 0xaaaa5678);
}
END_TEST

START_TEST(ones_clear_w1c_bits_and_zeros_keep_them)
{
	pci_config_set(&c, 0x06, 2, 0xf910, 0);
	pci_config_set_w1c(&c, 0x06, 2, 0xf900);
	pci_config_write(&c, 0x06, 2, 0x8110);
	ck_assert_uint_eq(pci_config_read(&c, 0x06, 2), 0x7810);
	pci_config_write(&c, 0x06, 2, 0);
	ck_assert_uint_eq(pci_config_read(&c, 0x06, 2), 0x7810);
}
END_TEST

START_TEST(last_bytes_are_reachable_at_every_size)
{
	pci_config_set(&c, PCI_CONFIG_SIZE - 8, 8, 0, UINT64_MAX);
	for (unsigned size = 1; size <= 8; size *= 2) {
		unsigned at = PCI_CONFIG_SIZE - size;

		pci_config_write(&c, at, size, 0x0807060504030201);
		ck_assert_uint_eq(pci_config_read(&c, at, size),
				  0x0807060504030201 &
					  UINT64_MAX >> (64 - 8 * size));
	}
}
END_TEST

/* A write of any width is that many byte writes. */
START_TEST(every_write_equals_its_bytes)
{
	struct pci_config *other = malloc(sizeof(*other));

	ck_assert_ptr_nonnull(other);
	srand(1);
	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
		c.bytes[i] = (uint8_t)rand();
		c.wmask[i] = (uint8_t)rand();
		c.w1c[i] = (uint8_t)(rand() & ~c.wmask[i]);
	}
	*other = c;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned size = 1u << rand() % 4;
		unsigned off = (unsigned)rand() % (PCI_CONFIG_SIZE - size + 1);
		uint64_t val = (uint64_t)rand() << 33 ^ (uint64_t)rand();

		pci_config_write(&c, off, size, val);
		for (unsigned k = 0; k < size; k++)
			pci_config_write(other, off + k, 1, val >> 8 * k);
	}
	ck_assert_mem_eq(&c, other, sizeof(c));
	free(other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pci/config");
	TCase *tc = tcase_create("config");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, fresh_space_reads_zero_and_stays);
	tcase_add_test(tc, bytes_are_little_endian);
	tcase_add_test(tc, only_masked_bits_change);
	tcase_add_test(tc, ones_clear_w1c_bits_and_zeros_keep_them);
	tcase_add_test(tc, last_bytes_are_reachable_at_every_size);
	tcase_add_test(tc, every_write_equals_its_bytes);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
