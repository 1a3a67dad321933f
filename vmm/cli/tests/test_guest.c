/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * moat itself with guests of a few instructions: what they do is what comes
 * out, and the status.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cli/tests/guest.h"
#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT;

#define RUN(...)                                                               \
	spawn_run(NULL, NULL, 0,                                               \
		  ARGV("run", "--cache", "none", "--iommu", "off", "--kernel", \
		       "kernel", "--timeout", "20s", __VA_ARGS__))

static char dir[32];

static void setup(void)
{
	strcpy(dir, "/tmp/moat-guest-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	guest_start();
}

static void teardown(void)
{
	(void)unlink("kernel");
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(dir);
}

static void result_is(struct spawn_result r, int status, const char *out,
		      const char *err)
{
	ck_assert_str_eq(r.err, err);
	ck_assert_str_eq(r.out, out);
	ck_assert_int_eq(r.status, status);
}

START_TEST(guest_prints_and_powers_off)
{
	guest_print("hello\n");
	guest_out(GUEST_POWER, GUEST_POWER_OFF);
	guest_write("kernel");
	result_is(RUN(NULL), 0, "hello\n", "");
}
END_TEST

START_TEST(reboot_ends_or_starts_anew)
{
	struct spawn_result r;

	guest_print("up\n");
	guest_out(GUEST_I8042, GUEST_RESET);
	guest_halt();
	guest_write("kernel");
	result_is(RUN("--no-reboot"), 0, "up\n", "");
	r = RUN("--timeout", "1s");
	ck_assert_int_eq(r.status, 124);
	ck_assert_int_eq(strncmp(r.out, "up\nup\n", 6), 0);
}
END_TEST

START_TEST(pvpanic_is_a_panic)
{
	guest_out(GUEST_PVPANIC, GUEST_PANICKED);
	guest_halt();
	guest_write("kernel");
	result_is(RUN(NULL), 255, "", "moat: the guest's kernel panicked\n");
}
END_TEST

START_TEST(text_is_a_panic_without_pvpanic)
{
	guest_print("Kernel panic - not syncing: x\n");
	guest_halt();
	guest_write("kernel");
	result_is(RUN("--pvpanic", "off"), 255,
		  "Kernel panic - not syncing: x\n",
		  "moat: the guest's kernel panicked\n");
}
END_TEST

START_TEST(panic_that_reboots_is_a_panic)
{
	guest_print("Kernel panic - not syncing: x\n");
	guest_out(GUEST_I8042, GUEST_RESET);
	guest_halt();
	guest_write("kernel");
	result_is(RUN(NULL), 255, "Kernel panic - not syncing: x\n",
		  "moat: the guest's kernel panicked\n");
}
END_TEST

START_TEST(triple_fault_is_a_crash)
{
	struct spawn_result r;

	guest_print("up\n");
	guest_triple_fault();
	guest_write("kernel");
	r = RUN(NULL);
	ck_assert_int_eq(r.status, 255);
	ck_assert_str_eq(r.out, "up\n");
	ck_assert_ptr_nonnull(
		strstr(r.err, "moat: error: the guest crashed: "));
}
END_TEST

START_TEST(halted_and_spinning_guests_time_out)
{
	static const char line[] =
		"moat: timeout: the guest has not ended after 1 s\n";

	guest_halt();
	guest_write("kernel");
	result_is(RUN("--timeout", "1s"), 124, "", line);
	guest_start();
	guest_spin();
	guest_write("kernel");
	result_is(RUN("--timeout", "1s"), 124, "", line);
	result_is(RUN("--timeout", "1s", "--cpus", "4"), 124, "", line);
}
END_TEST

START_TEST(input_reaches_the_serial_line)
{
	static char input[3001];

	for (size_t i = 0; i < sizeof(input) - 1; i++)
		input[i] = (char)('A' + i % 26);
	input[sizeof(input) - 2] = 'q';
	guest_echo();
	guest_out(GUEST_POWER, GUEST_POWER_OFF);
	guest_write("kernel");
	result_is(spawn_run(NULL, input, sizeof(input) - 1,
			    ARGV("run", "--cache", "none", "--iommu", "off",
				 "--kernel", "kernel", "--timeout", "20s")),
		  0, input, "");
}
END_TEST

START_TEST(signal_ends_a_spinning_guest_and_restores_the_terminal)
{
	static struct spawn_tty t;

	guest_print("up");
	guest_spin();
	guest_write("kernel");
	spawn_tty(&t, NULL,
		  ARGV("run", "--cache", "none", "--kernel", "kernel"));
	spawn_expect(&t, "up");
	ck_assert(spawn_is_raw(&t));
	(void)kill(t.pid, SIGTERM);
	ck_assert_int_eq(spawn_end(&t), 143);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

START_TEST(keys_reach_the_guest_and_ctrl_a_x_ends_it)
{
	static struct spawn_tty t;

	guest_print("up");
	guest_echo();
	guest_write("kernel");
	spawn_tty(&t, NULL,
		  ARGV("run", "--cache", "none", "--kernel", "kernel"));
	spawn_expect(&t, "up");
	spawn_type(&t, "typed\003");
	spawn_expect(&t, "typed\003");
	spawn_type(&t, "\001x");
	ck_assert_int_eq(spawn_end(&t), 0);
	ck_assert(!spawn_is_raw(&t));
}
END_TEST

START_TEST(verbose_run_counts_its_exits)
{
	struct spawn_result r;

	guest_print("0123456789");
	guest_out(GUEST_POWER, GUEST_POWER_OFF);
	guest_write("kernel");
	r = RUN("-v", "--iommu", "on");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.err, "moat: exits: "));
	ck_assert_ptr_nonnull(strstr(r.err, "pio-out 11"));
	ck_assert_ptr_nonnull(strstr(r.err, "moat: IOMMU on: as asked\n"));
	ck_assert_ptr_nonnull(strstr(r.err, "moat: IOMMU: 0 attaches"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/guest");
	TCase *tc = tcase_create("guest");
	SRunner *sr;
	int failed;

	if (!guest_can_run()) {
		puts("skipped: no usable /dev/kvm");
		return 77;
	}
	sr = srunner_create(s);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 150);
	tcase_add_test(tc, guest_prints_and_powers_off);
	tcase_add_test(tc, reboot_ends_or_starts_anew);
	tcase_add_test(tc, pvpanic_is_a_panic);
	tcase_add_test(tc, text_is_a_panic_without_pvpanic);
	tcase_add_test(tc, panic_that_reboots_is_a_panic);
	tcase_add_test(tc, triple_fault_is_a_crash);
	tcase_add_test(tc, halted_and_spinning_guests_time_out);
	tcase_add_test(tc, input_reaches_the_serial_line);
	tcase_add_test(tc,
		       signal_ends_a_spinning_guest_and_restores_the_terminal);
	tcase_add_test(tc, keys_reach_the_guest_and_ctrl_a_x_ends_it);
	tcase_add_test(tc, verbose_run_counts_its_exits);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
