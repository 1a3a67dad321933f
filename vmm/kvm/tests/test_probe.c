/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/fd.h"
#include "vmm/kvm/probe.h"

static struct vm_probe probe;

/* 0 or -errno. */
static int open_kvm(void)
{
	AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

START_TEST(probe_fails_as_the_device_does)
{
	vm_probe(&probe);
	if (open_kvm() < 0) {
		ck_assert_int_eq(probe.error, open_kvm());
		ck_assert_int_eq(probe.cpu, VM_PROBE_CPU_UNKNOWN);
	}
	ck_assert_int_eq(probe.why.msg[0] != '\0', probe.error != 0);
}
END_TEST

START_TEST(processor_is_told_each_time_the_same)
{
	struct vm_probe again;

	vm_probe(&probe);
	vm_probe(&again);
	ck_assert_int_eq(probe.error, again.error);
	ck_assert_int_eq(probe.cpu, again.cpu);
	if (probe.error == 0) {
		ck_assert_int_ne(probe.cpu, VM_PROBE_CPU_UNKNOWN);
		ck_assert_uint_ge(probe.max_vcpus, 1);
	}
}
END_TEST

START_TEST(probe_leaves_no_descriptor)
{
	int before = dup(0), after;

	close(before);
	vm_probe(&probe);
	after = dup(0);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/kvm/probe");
	TCase *tc = tcase_create("probe");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, probe_fails_as_the_device_does);
	tcase_add_test(tc, processor_is_told_each_time_the_same);
	tcase_add_test(tc, probe_leaves_no_descriptor);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
