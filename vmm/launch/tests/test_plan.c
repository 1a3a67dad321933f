/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/err.h"
#include "vmm/launch/plan.h"
#include "vmm/launch/protocol.h"

static const char *const words[] = {"true", "-x", "", NULL};

static char dir[64];
static struct buf b;
static struct err err;
static struct launch_plan plan;

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/moat-plan-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	write_file("modules.dep", "virtio_console.ko: virtio.ko\nvirtio.ko:\n"
				  "virtio-iommu.ko:\n");
	write_file("modules.builtin", "kernel/virtio_pci.ko\n");
	write_file("virtio_console.ko", "CONSOLE");
	write_file("virtio.ko", "VIRTIO");
	write_file("virtio-iommu.ko", "IOMMU");
	buf_init(&b);
	plan = (struct launch_plan){.argv = words};
}

static void teardown(void)
{
	static const char *const names[] = {"modules.dep", "modules.builtin",
					    "virtio_console.ko", "virtio.ko",
					    "virtio-iommu.ko"};
	char path[128];

	buf_fini(&b);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static const char *find(const char *text, size_t len)
{
	return memmem(b.data, b.len, text, len);
}

static void has(const char *text, size_t len)
{
	ck_assert_msg(find(text, len) != NULL, "there is no '%s'", text);
}

/* With its NUL. */
static void has_word(const char *word)
{
	has(word, strlen(word) + 1);
}

START_TEST(archive_has_init_and_the_command)
{
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	has_word(LAUNCH_INIT);
	has("\x7f"
	    "ELF",
	    4);
	has_word(LAUNCH_PLAN);
	has("arg=true\0arg=-x\0arg=\0", 20);
	has_word("root=initrd");
	has_word("tty=0");
	has_word("TRAILER!!!");
}
END_TEST

START_TEST(modules_come_in_order_the_iommu_first)
{
	const char *iommu, *virtio, *console;

	plan.modules = dir;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	has("IOMMU", 5);
	has("CONSOLE", 7);
	iommu = find("module=virtio-iommu.ko", 23);
	virtio = find("module=virtio.ko", 17);
	console = find("module=virtio_console.ko", 25);
	ck_assert_ptr_nonnull(iommu);
	ck_assert(iommu < virtio && virtio < console);
}
END_TEST

START_TEST(missing_driver_is_named_with_what_needs_it)
{
	plan.modules = dir;
	plan.disks = true;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err.msg, "'virtio_blk'"));
	ck_assert_ptr_nonnull(strstr(err.msg, "--disk"));
}
END_TEST

START_TEST(optional_driver_may_be_missing)
{
	write_file("modules.dep", "virtio_console.ko:\n");
	plan.modules = dir;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	ck_assert_ptr_null(find("virtio-iommu", 12));
}
END_TEST

START_TEST(every_wish_is_a_word)
{
	static const struct launch_mount mounts[] = {
		{"t0", "/a b", true},
		{"t1", "/c:d", false},
	};
	static const char *const env[] = {"A=b=c", "D=", NULL};

	plan = (struct launch_plan){
		.root = LAUNCH_ROOT_SHARE,
		.root_source = "rootfs",
		.mounts = mounts,
		.nmounts = 2,
		.tty = 7,
		.cols = 80,
		.rows = 24,
		.hostname = "box",
		.cwd = "/work",
		.user = "joe",
		.env = env,
		.argv = words,
	};
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	has_word("root=share:rootfs");
	has_word("mount=t0:ro:/a b");
	has_word("mount=t1:rw:/c:d");
	has_word("tty=7");
	has_word("size=80 24");
	has_word("hostname=box");
	has_word("cwd=/work");
	has_word("user=joe");
	has("env=A=b=c\0env=D=\0", 17);
}
END_TEST

START_TEST(command_that_init_has_no_room_for_is_refused)
{
	const size_t n = LAUNCH_WORDS_MAX + 1, len = LAUNCH_PLAN_MAX;
	const char **many = calloc(n + 1, sizeof(*many));
	const char *word[] = {"echo", NULL, NULL};
	char *text = malloc(len + 1);

	ck_assert_ptr_nonnull(many);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		many[i] = "x";
	plan.argv = many;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), -E2BIG);
	ck_assert_str_eq(err.msg,
			 "the command has 65537 words, and at most 65536 fit");
	many[n - 1] = NULL;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	plan.argv = words;
	many[n - 1] = "x";
	plan.env = many;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), -E2BIG);
	ck_assert_str_eq(err.msg,
			 "--env: 65537 variables, and at most 65536 fit");
	plan.env = NULL;
	memset(text, 'x', len);
	text[len] = '\0';
	word[1] = text;
	plan.argv = word;
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), -E2BIG);
	ck_assert_str_eq(err.msg,
			 "the command and its environment are 2048 KiB long, "
			 "and at most 2048 fit");
	free(text);
	free(many);
}
END_TEST

START_TEST(disk_root_names_device_and_type)
{
	plan.root = LAUNCH_ROOT_RWDISK;
	plan.root_source = "/dev/vda";
	plan.root_type = "xfs";
	ck_assert_int_eq(launch_plan_write(&plan, &b, &err), 0);
	has_word("root=rwdisk:/dev/vda:xfs");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/launch/plan");
	TCase *tc = tcase_create("plan");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, archive_has_init_and_the_command);
	tcase_add_test(tc, modules_come_in_order_the_iommu_first);
	tcase_add_test(tc, missing_driver_is_named_with_what_needs_it);
	tcase_add_test(tc, optional_driver_may_be_missing);
	tcase_add_test(tc, every_wish_is_a_word);
	tcase_add_test(tc, command_that_init_has_no_room_for_is_refused);
	tcase_add_test(tc, disk_root_names_device_and_type);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
