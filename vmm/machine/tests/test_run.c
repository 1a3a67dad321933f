/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Machines that run, with kernels of a few instructions on the kernel's own
 * KVM: how a run ends, what a restart keeps, and what every failing
 * allocation or system call leaves behind.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/tests/fail.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/tests/bare_kernel.h"

/* clang-format off */
#define OUT(port, val) 0x66, 0xba, (port) & 0xff, (port) >> 8, 0xb0, (val), 0xee
#define SPIN	       0xeb, 0xfe
/* clang-format on */

#define SERIAL	0x3f8
#define PVPANIC 0x505
#define POWER	0x600
#define KBD	0x64

/* A terminal that keeps what it is told and may stop the machine. */
struct listener {
	struct stream_end end;
	struct mach *mach;
	char heard[64];
	size_t n, stop_after; /* 0: never */
};

static struct mach_config config;
static struct listener listener;
static struct err err;
static char path[32];

static size_t hear(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct listener *l = container_of(e, struct listener, end);

	for (size_t i = 0; i < len && l->n + 1 < sizeof(l->heard); i++)
		l->heard[l->n++] = (char)buf[i];
	if (l->stop_after && l->n >= l->stop_after)
		mach_stop(l->mach);
	return len;
}

static void room(struct stream_end *e)
{
	(void)e;
}

static const struct stream_ops listener_ops = {.deliver = hear, .room = room};

static void quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void setup(void)
{
	log_set_sink(quiet);
	mach_config_init(&config);
	config.iommu.on = MACH_ON;
	config.memory = MIB(32);
	listener = (struct listener){.end.ops = &listener_ops};
	strcpy(path, "/tmp/moat-run-XXXXXX");
}

static void teardown(void)
{
	unlink(path);
}

static struct mach *make(const uint8_t *code, size_t len)
{
	struct mach *m = NULL;
	int r;

	bare_kernel_make(path, code, len);
	config.kernel = path;
	r = mach_new(&m, &config, 0, &err);
	ck_assert_msg(r == 0, "%s", err.msg);
	listener.mach = m;
	stream_join(mach_console(m), &listener.end);
	return m;
}

static enum mach_outcome run(const uint8_t *code, size_t len)
{
	struct mach *m = make(code, len);
	enum mach_outcome o = MACH_FAILED;
	int r = mach_run(m, &o, &err);

	ck_assert_msg(r == 0, "%s", err.msg);
	mach_free(m);
	return o;
}

START_TEST(power_off_ends_the_run)
{
	static const uint8_t code[] = {OUT(POWER, 0x34), SPIN};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_POWERED_OFF);
}
END_TEST

START_TEST(guest_runs_no_instruction_behind_its_power_off)
{
	static const uint8_t code[] = {OUT(SERIAL, 'a'), OUT(POWER, 0x34),
				       OUT(SERIAL, 'b'), SPIN};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_POWERED_OFF);
	ck_assert_str_eq(listener.heard, "a");
}
END_TEST

START_TEST(reboot_ends_the_run_where_restarts_are_off)
{
	static const uint8_t code[] = {OUT(KBD, 0xfe), SPIN};

	config.reboot = false;
	ck_assert_int_eq(run(code, sizeof(code)), MACH_REBOOTED);
}
END_TEST

static const uint8_t rebooter[] = {OUT(SERIAL, 'x'), OUT(KBD, 0xfe), SPIN};

START_TEST(reboot_restarts_the_machine)
{
	listener.stop_after = 5;
	ck_assert_int_eq(run(rebooter, sizeof(rebooter)), MACH_STOPPED);
	ck_assert_str_eq(listener.heard, "xxxxx");
}
END_TEST

START_TEST(several_vcpus_restart_too)
{
	config.cpus = 4;
	listener.stop_after = 3;
	ck_assert_int_eq(run(rebooter, sizeof(rebooter)), MACH_STOPPED);
	ck_assert_str_eq(listener.heard, "xxx");
}
END_TEST

START_TEST(restarted_guest_finds_no_old_memory)
{
	/* Says 'A' plus what is at 2 MiB, and leaves a 1 there. */
	static const uint8_t code[] = {
		0x66,		0xba, 0xf8, 0x03, /* mov dx */
		0x8a,		0x04, 0x25, 0x00,
		0x00,		0x20, 0x00, /* mov al, [] */
		0x04,		'A',	    /* add al */
		0xee,			    /* out */
		0xc6,		0x04, 0x25, 0x00,
		0x00,		0x20, 0x00, 1, /* mov [], 1 */
		OUT(KBD, 0xfe), SPIN};

	listener.stop_after = 3;
	ck_assert_int_eq(run(code, sizeof(code)), MACH_STOPPED);
	ck_assert_str_eq(listener.heard, "AAA");
}
END_TEST

START_TEST(panic_ends_the_run_after_its_grace)
{
	static const uint8_t code[] = {OUT(PVPANIC, 1), OUT(SERIAL, 'l'), SPIN};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_PANICKED);
	ck_assert_str_eq(listener.heard, "l");
}
END_TEST

START_TEST(guest_that_reboots_after_its_panic_has_panicked)
{
	static const uint8_t code[] = {OUT(PVPANIC, 1), OUT(KBD, 0xfe), SPIN};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_PANICKED);
}
END_TEST

/* Somebody sees it and does not wait for the end. */
START_TEST(guest_stopped_after_its_panic_has_panicked)
{
	static const uint8_t code[] = {OUT(PVPANIC, 1), OUT(SERIAL, 'l'), SPIN};

	listener.stop_after = 1;
	ck_assert_int_eq(run(code, sizeof(code)), MACH_PANICKED);
}
END_TEST

static unsigned warnings;

static void count(enum log_level level, const char *line)
{
	(void)line;
	warnings += level == LOG_WARN;
}

START_TEST(crash_kernel_is_told_once)
{
	/* ecx = 100; the event; loop back to it; power-off. */
	static const uint8_t code[] = {
		0xb9, 100,  0,
		0,    0,    OUT(PVPANIC, 2),
		0xe2, 0xf7, OUT(POWER, 0x34),
		SPIN,
	};

	warnings = 0;
	log_set_sink(count);
	ck_assert_int_eq(run(code, sizeof(code)), MACH_POWERED_OFF);
	ck_assert_uint_eq(warnings, 1);
}
END_TEST

#define CLI 0xfa
#define STI 0xfb
#define HLT 0xf4

START_TEST(halt_with_interrupts_disabled_ends_the_run)
{
	static const uint8_t code[] = {OUT(SERIAL, 'h'), CLI, HLT, SPIN};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_HALTED);
	ck_assert_str_eq(listener.heard, "h");
}
END_TEST

START_TEST(halt_waits_for_vcpus_that_were_never_started)
{
	static const uint8_t code[] = {CLI, HLT, SPIN};

	config.cpus = 4;
	ck_assert_int_eq(run(code, sizeof(code)), MACH_HALTED);
}
END_TEST

START_TEST(kernel_that_halts_before_it_lives_is_warned_of)
{
	static const uint8_t code[] = {CLI, HLT, SPIN};

	warnings = 0;
	log_set_sink(count);
	ck_assert_int_eq(run(code, sizeof(code)), MACH_HALTED);
	ck_assert_uint_eq(warnings, 1);
}
END_TEST

static void *stop_later(void *arg)
{
	struct timespec three_looks = {.tv_sec = 2};

	nanosleep(&three_looks, NULL);
	mach_stop(arg);
	return NULL;
}

/* How it ends if it is stopped after several looks at its vCPUs. */
static enum mach_outcome run_for_a_while(const uint8_t *code, size_t len)
{
	struct mach *m = make(code, len);
	enum mach_outcome o = MACH_FAILED;
	pthread_t t;

	pthread_create(&t, NULL, stop_later, m);
	ck_assert_int_eq(mach_run(m, &o, &err), 0);
	pthread_join(t, NULL);
	mach_free(m);
	return o;
}

START_TEST(idle_guest_has_not_halted)
{
	static const uint8_t code[] = {STI, HLT, SPIN};

	ck_assert_int_eq(run_for_a_while(code, sizeof(code)), MACH_STOPPED);
}
END_TEST

START_TEST(halted_guest_that_an_nmi_can_wake_has_not_halted)
{
	/* mov eax, APIC; mov [rax + SVR], 0x1ff: on;
	 * mov [rax + LINT0], 0x400: the timer's wire brings NMIs */
	static const uint8_t code[] = {
		0xb8, 0x00, 0x00, 0xe0, 0xfe, 0xc7, 0x80, 0xf0, 0x00, 0x00,
		0x00, 0xff, 0x01, 0x00, 0x00, 0xc7, 0x80, 0x50, 0x03, 0x00,
		0x00, 0x00, 0x04, 0x00, 0x00, CLI,  HLT,  SPIN,
	};

	ck_assert_int_eq(run_for_a_while(code, sizeof(code)), MACH_STOPPED);
}
END_TEST

START_TEST(one_vcpu_that_runs_keeps_the_guest_alive)
{
	/* A "jmp ." at 0x8000; the local APIC on; INIT and start-up at 0x8000
	 * for vCPU 1; then this one halts for good. */
	static const uint8_t code[] = {
		0x66, 0xc7, 0x04, 0x25, 0x00, 0x80, 0x00, 0x00, 0xeb,
		0xfe, 0xb8, 0x00, 0x00, 0xe0, 0xfe, /* rax */
		0xc7, 0x80, 0xf0, 0x00, 0x00, 0x00, 0xff, 0x01, 0x00,
		0x00, 0xc7, 0x80, 0x10, 0x03, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x01, 0xc7, 0x80, 0x00, 0x03, 0x00, 0x00, 0x00,
		0x45, 0x00, 0x00, 0xc7, 0x80, 0x00, 0x03, 0x00, 0x00,
		0x08, 0x46, 0x00, 0x00, CLI,  HLT,  SPIN,
	};

	config.cpus = 2;
	ck_assert_int_eq(run_for_a_while(code, sizeof(code)), MACH_STOPPED);
}
END_TEST

START_TEST(triple_fault_is_a_crash)
{
	/* mov al, [1 << 46]: no such page, and no table of interrupts. */
	static const uint8_t code[] = {0xa0, 0, 0, 0, 0, 0, 0x40, 0, 0};

	ck_assert_int_eq(run(code, sizeof(code)), MACH_CRASHED);
}
END_TEST

static const uint8_t spinner[] = {OUT(SERIAL, 's'), SPIN};

START_TEST(stop_ends_a_spinning_guest)
{
	listener.stop_after = 1;
	ck_assert_int_eq(run(spinner, sizeof(spinner)), MACH_STOPPED);
}
END_TEST

START_TEST(stop_before_the_run_counts)
{
	struct mach *m = make(spinner, sizeof(spinner));
	enum mach_outcome o = MACH_FAILED;

	mach_stop(m);
	ck_assert_int_eq(mach_run(m, &o, &err), 0);
	ck_assert_int_eq(o, MACH_STOPPED);
	mach_free(m);
}
END_TEST

START_TEST(panic_text_ends_the_run)
{
	struct mach *m = make(spinner, sizeof(spinner));
	enum mach_outcome o = MACH_FAILED;

	mach_panicked(m);
	ck_assert_int_eq(mach_run(m, &o, &err), 0);
	ck_assert_int_eq(o, MACH_PANICKED);
	mach_free(m);
}
END_TEST

static void *run_one(void *arg)
{
	enum mach_outcome o = MACH_FAILED;
	struct mach *m = arg;

	(void)mach_run(m, &o, NULL);
	return o == MACH_POWERED_OFF ? arg : NULL;
}

START_TEST(two_machines_run_side_by_side)
{
	static const uint8_t code[] = {OUT(POWER, 0x34), SPIN};
	struct mach *a = make(code, sizeof(code)), *b = NULL;
	pthread_t ta, tb;
	void *ra, *rb;

	ck_assert_int_eq(mach_new(&b, &config, 0, &err), 0);
	pthread_create(&ta, NULL, run_one, a);
	pthread_create(&tb, NULL, run_one, b);
	pthread_join(ta, &ra);
	pthread_join(tb, &rb);
	ck_assert_ptr_eq(ra, a);
	ck_assert_ptr_eq(rb, b);
	mach_free(a);
	mach_free(b);
}
END_TEST

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/*
 * Some calls may fail without harm (a cache, a hint to the kernel): such a
 * round makes a machine, the others a sentence.  Neither leaves a file open.
 */
START_TEST(every_failure_on_the_way_leaves_nothing_behind)
{
	static const uint8_t code[] = {OUT(POWER, 0x34), SPIN};
	char image[] = "/tmp/moat-disk-XXXXXX";
	unsigned files, refused = 0;
	bool failed = true;
	int fd = mkstemp(image);

	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
	bare_kernel_make(path, code, sizeof(code));
	config.kernel = path;
	config.console = MACH_CONSOLE_BOTH;
	config.disks[config.ndisks++] = (struct mach_disk){
		.path = image,
		.iommu = MACH_AUTO,
	};
	files = open_files();
	for (unsigned n = 1; failed; n++) {
		struct mach *m = NULL;
		int r;

		err.msg[0] = '\0';
		fail_arm(n);
		r = mach_new(&m, &config, 0, &err);
		failed = fail_disarm();
		if (r < 0) {
			ck_assert_ptr_null(m);
			ck_assert_msg(err.msg[0], "round %u is silent", n);
			refused++;
		}
		mach_free(m);
		ck_assert_msg(open_files() == files, "round %u: %s", n,
			      err.msg);
	}
	unlink(image);
	ck_assert_uint_gt(refused, 20);
}
END_TEST

static bool kvm_usable(void)
{
	AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd >= 0;
}

int main(void)
{
	Suite *s = suite_create("vmm/run");
	TCase *t = tcase_create("run");
	SRunner *runner;
	int failed;

	if (!kvm_usable()) {
		puts("skipped: no usable /dev/kvm");
		return 77;
	}
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, power_off_ends_the_run);
	tcase_add_test(t, guest_runs_no_instruction_behind_its_power_off);
	tcase_add_test(t, reboot_ends_the_run_where_restarts_are_off);
	tcase_add_test(t, reboot_restarts_the_machine);
	tcase_add_test(t, several_vcpus_restart_too);
	tcase_add_test(t, restarted_guest_finds_no_old_memory);
	tcase_add_test(t, panic_ends_the_run_after_its_grace);
	tcase_add_test(t, guest_stopped_after_its_panic_has_panicked);
	tcase_add_test(t, guest_that_reboots_after_its_panic_has_panicked);
	tcase_add_test(t, crash_kernel_is_told_once);
	tcase_add_test(t, halt_with_interrupts_disabled_ends_the_run);
	tcase_add_test(t, halt_waits_for_vcpus_that_were_never_started);
	tcase_add_test(t, kernel_that_halts_before_it_lives_is_warned_of);
	tcase_add_test(t, idle_guest_has_not_halted);
	tcase_add_test(t, halted_guest_that_an_nmi_can_wake_has_not_halted);
	tcase_add_test(t, one_vcpu_that_runs_keeps_the_guest_alive);
	tcase_add_test(t, triple_fault_is_a_crash);
	tcase_add_test(t, stop_ends_a_spinning_guest);
	tcase_add_test(t, stop_before_the_run_counts);
	tcase_add_test(t, panic_text_ends_the_run);
	tcase_add_test(t, two_machines_run_side_by_side);
	tcase_add_test(t, every_failure_on_the_way_leaves_nothing_behind);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
