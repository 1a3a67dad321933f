/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "vmm/cli/host_report.h"

static char *text;

static struct mach_host good_host(void)
{
	return (struct mach_host){
		.kvm = {.cpu = VM_PROBE_CPU_REAL, .max_vcpus = 4096},
		.memory = GIB(8),
		.memory_available = GIB(4),
		.open_files = 1024,
		.address_space = UINT64_MAX,
	};
}

static void report(const struct mach_host *h, bool verdict)
{
	size_t len;
	FILE *f;

	free(text);
	f = open_memstream(&text, &len);
	ck_assert_int_eq(host_report(h, f), verdict);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, verdict ? "This host can run guests"
						   : "This host cannot run "
						     "guests"));
}

static void has(const char *line)
{
	ck_assert_msg(strstr(text, line), "no '%s' in:\n%s", line, text);
}

START_TEST(good_host_has_no_complaint)
{
	struct mach_host h = good_host();

	report(&h, true);
	ck_assert_str_eq(text,
			 "ok       /dev/kvm opens and has all that moat needs "
			 "(up to 4096 virtual processors)\n"
			 "ok       guests run on the processor\n"
			 "ok       memory: 4096 MiB of 8192 available\n"
			 "ok       io_uring\n"
			 "This host can run guests.\n");
}
END_TEST

START_TEST(missing_device_is_explained_by_the_processor)
{
	struct mach_host h = good_host();

	h.kvm.error = -ENOENT;
	report(&h, false);
	has("MISSING  /dev/kvm does not exist\n");
	has("neither svm nor vmx: enable virtualization in the firmware");
	h.in_vm = true;
	report(&h, false);
	has("This is a virtual machine without nested virtualization");
	has("'tools/kvm-host COMMAND' runs a command in an emulated host");
	h.cpu_flag = true;
	report(&h, false);
	has("modprobe kvm-amd");
}
END_TEST

START_TEST(refused_device_has_its_own_sentence)
{
	struct mach_host h = good_host();

	h.kvm.error = -EACCES;
	(void)err_set(&h.kvm.why, EACCES, "/dev/kvm: permission denied");
	report(&h, false);
	has("MISSING  /dev/kvm: permission denied\n");
	ck_assert_ptr_null(strstr(text, "modprobe"));
}
END_TEST

START_TEST(every_missing_extension_is_named)
{
	struct mach_host h = good_host();

	h.kvm.nmissing = 2;
	h.kvm.missing[0] = "irqfd";
	h.kvm.missing[1] = "ioeventfd";
	report(&h, false);
	has("MISSING  /dev/kvm lacks irqfd, ioeventfd: ");
}
END_TEST

START_TEST(emulating_kvm_is_told_apart)
{
	struct mach_host h = good_host();

	h.kvm.cpu = VM_PROBE_CPU_EMULATED;
	report(&h, false);
	has("MISSING  a processor that runs guests: KVM here emulates the "
	    "commonest instructions alone.\n");
	has("tools/kvm-host");
}
END_TEST

START_TEST(unknown_processor_is_no_verdict)
{
	struct mach_host h = good_host();

	h.kvm.cpu = VM_PROBE_CPU_UNKNOWN;
	report(&h, true);
}
END_TEST

START_TEST(little_of_something_is_a_note)
{
	struct mach_host h = good_host();

	h.memory_available = MIB(255);
	h.address_space = GIB(1);
	h.open_files = 255;
	h.io_uring = -EPERM;
	h.hugepages_free = 3;
	h.hugepage_size = MIB(2);
	report(&h, true);
	has("note     memory: 255 MiB of 8192 available\n");
	has("note     limit of address space (ulimit -v): 1024 MiB");
	has("note     only 255 open files allowed");
	has("note     no io_uring (Operation not permitted)");
	has("ok       huge pages: 3 of 2048 KiB free in the pool\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/host_report");
	TCase *tc = tcase_create("host_report");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, good_host_has_no_complaint);
	tcase_add_test(tc, missing_device_is_explained_by_the_processor);
	tcase_add_test(tc, refused_device_has_its_own_sentence);
	tcase_add_test(tc, every_missing_extension_is_named);
	tcase_add_test(tc, emulating_kvm_is_told_apart);
	tcase_add_test(tc, unknown_processor_is_no_verdict);
	tcase_add_test(tc, little_of_something_is_a_note);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	free(text);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
