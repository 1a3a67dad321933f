/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Debian's kernels, if tools/fetch-kernel has put some into its cache: skipped
 * otherwise.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/hash.h"
#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/fd.h"
#include "core/le.h"

static glob_t found;
static struct boot_entry entry;

/* As tools/lib/cache.sh says. */
static void find_kernels(void)
{
	const char *moat = getenv("MOAT_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char mask[1024];

	if (moat)
		(void)snprintf(mask, sizeof(mask), "%s", moat);
	else if (xdg)
		(void)snprintf(mask, sizeof(mask), "%s/moat", xdg);
	else
		(void)snprintf(mask, sizeof(mask), "%s/.cache/moat",
			       home ? home : "");
	strncat(mask, "/kernels/*/boot/vmlinuz-*",
		sizeof(mask) - strlen(mask) - 1);
	if (glob(mask, 0, NULL, &found) != 0)
		found.gl_pathc = 0;
}

static void setup(void)
{
	static const struct gmem_slot slot = {.size = MIB(256)};

	fixture_setup();
	fixture_memory(&slot, 1);
}

static bool load(const char *path, const char *cache_dir)
{
	const struct boot_linux_config config = {
		.kernel = path,
		.cmdline = "console=ttyS0",
		.cache_dir = cache_dir,
	};
	int r = boot_linux_load(&fx.mem, &config, &entry, &fx.err);

	ck_assert_msg(r == 0, "%s", fx.err.msg);
	return entry.from_cache;
}

/* Of all that a kernel could occupy. */
static uint64_t guest_sum(void)
{
	uint8_t *chunk = malloc(MIB(1));
	uint64_t sum = 0;

	for (gpa_t at = MIB(1); at < MIB(256); at += MIB(1)) {
		ck_assert_int_eq(gmem_read(&fx.mem, at, chunk, MIB(1)), 0);
		sum = hash64(chunk, MIB(1), sum);
	}
	free(chunk);
	return sum;
}

static void clear_guest(void)
{
	ck_assert_int_eq(gmem_zero(&fx.mem, 0, MIB(256)), 0);
}

START_TEST(kernel_is_the_same_from_file_and_from_cache)
{
	const char *path = found.gl_pathv[_i];
	uint64_t sum;

	load(path, NULL);
	if (strstr(entry.how, "itself"))
		return; /* its library was not there at build time */
	ck_assert_uint_ge(entry.rip, MIB(16));
	ck_assert_uint_lt(entry.rip, MIB(17));
	sum = guest_sum();
	clear_guest();
	ck_assert(!load(path, fx.dir));
	ck_assert_uint_eq(guest_sum(), sum);
	clear_guest();
	ck_assert(load(path, fx.dir));
	ck_assert_uint_eq(guest_sum(), sum);
}
END_TEST

START_TEST(debian_has_the_driver_as_a_module)
{
	const char *where = NULL;

	ck_assert_int_eq(boot_find_driver(found.gl_pathv[_i], NULL, NULL,
					  &where, &fx.err),
			 0);
	ck_assert_ptr_nonnull(where);
}
END_TEST

static void read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "r");
	char chunk[2048];
	size_t n;

	ck_assert_ptr_nonnull(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(b, chunk, n);
	fclose(f);
	ck_assert_int_eq(buf_error(b), 0);
}

START_TEST(kernel_whose_payload_is_unknown_unpacks_itself)
{
	struct buf b;
	uint8_t *kernel;
	uint32_t packed;

	buf_init(&b);
	read_file(&b, found.gl_pathv[_i]);
	kernel = b.data + (size_t)(b.data[BZ_SETUP_SECTS] + 1) * 512;
	kernel[le32_load(b.data + BZ_PAYLOAD_OFFSET)] ^= 0xff;
	packed = le32_load(kernel);
	load(fixture_file("k", b.data, b.len), NULL);
	ck_assert_uint_eq(entry.rip, MIB(16) + 0x200);
	ck_assert_uint_eq(guest32(MIB(16)), packed);
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot/real_kernels");
	TCase *tc = tcase_create("kernels");
	SRunner *sr;
	int failed, n;

	find_kernels();
	if (found.gl_pathc == 0) {
		puts("skipped: no kernels in the cache (tools/fetch-kernel "
		     "gets them)");
		return 77;
	}
	n = (int)found.gl_pathc;
	tcase_add_checked_fixture(tc, setup, fixture_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, kernel_is_the_same_from_file_and_from_cache, 0,
			    n);
	tcase_add_loop_test(tc, debian_has_the_driver_as_a_module, 0, n);
	tcase_add_loop_test(tc, kernel_whose_payload_is_unknown_unpacks_itself,
			    0, n);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	globfree(&found);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
