/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/gmem.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/tests/fail.h"

#define PAGE 4096u

/*
 * 0        0x10000     0x30000        4 GiB     4 GiB + 0x4000
 * |  low   |  adjacent |     gap      |  high   |
 */
#define SEAM	 UINT64_C(0x10000)
#define LOW_END	 UINT64_C(0x30000)
#define HIGH	 GIB(4)
#define HIGH_END (GIB(4) + 0x4000)

static const struct gmem_slot layout[] = {
	{.base = 0, .size = SEAM},
	{.base = SEAM, .size = LOW_END - SEAM},
	{.base = HIGH, .size = HIGH_END - HIGH},
};

static struct gmem m;

/* gmem_init() or gmem_init_shared(): all cases are run with either. */
static int (*init)(struct gmem *m, const struct gmem_slot *layout, unsigned n,
		   struct err *err);

static void setup(void)
{
	ck_assert_int_eq(init(&m, layout, ARRAY_SIZE(layout), NULL), 0);
}

static void setup_private(void)
{
	init = gmem_init;
	setup();
}

static void setup_shared(void)
{
	init = gmem_init_shared;
	setup();
}

static void teardown(void)
{
	gmem_fini(&m);
}

/*
 * Set-up.
 */

START_TEST(size_is_the_sum_of_the_slots)
{
	ck_assert_uint_eq(gmem_size(&m), LOW_END + 0x4000);
	ck_assert_uint_eq(m.nslots, 3);
}
END_TEST

START_TEST(memory_starts_zeroed)
{
	uint8_t b[64], zero[64] = {0};

	ck_assert_int_eq(gmem_read(&m, HIGH, b, sizeof(b)), 0);
	ck_assert_mem_eq(b, zero, sizeof(b));
}
END_TEST

START_TEST(discarded_memory_is_zeroed_and_goes_on)
{
	uint8_t b[4];

	for (unsigned i = 0; i < m.nslots; i++) {
		const gpa_t at = m.slots[i].base;

		ck_assert_int_eq(gmem_write(&m, at, "text", 4), 0);
		ck_assert_int_eq(gmem_discard(&m, NULL), 0);
		ck_assert_int_eq(gmem_read(&m, at, b, 4), 0);
		ck_assert_mem_eq(b, "\0\0\0\0", 4);
		ck_assert_int_eq(gmem_write(&m, at, "more", 4), 0);
		ck_assert_int_eq(gmem_read(&m, at, b, 4), 0);
		ck_assert_mem_eq(b, "more", 4);
	}
}
END_TEST

START_TEST(pages_are_discarded_and_their_neighbours_are_not)
{
	uint8_t b[4] = {1, 2, 3, 4}, zero[4] = {0};

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(gmem_write(&m, i * 0x1000, b, 4), 0);
	ck_assert_int_eq(gmem_discard_range(&m, 0x1000, 0x2000), 0);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t got[4];

		ck_assert_int_eq(gmem_read(&m, i * 0x1000, got, 4), 0);
		ck_assert_mem_eq(got, i == 1 || i == 2 ? zero : b, 4);
	}
	ck_assert_int_eq(gmem_discard_range(&m, 0, 0), 0);
	ck_assert_int_eq(gmem_discard_range(&m, 0x800, 0x1000), -EINVAL);
	ck_assert_int_eq(gmem_discard_range(&m, 0, 0x800), -EINVAL);
	ck_assert_int_eq(gmem_read(&m, 0, zero, 4), 0);
	ck_assert_mem_eq(zero, b, 4);
}
END_TEST

START_TEST(pages_of_two_slots_are_discarded_and_none_past_ram)
{
	uint8_t b[4] = {1, 2, 3, 4}, got[4];
	const struct gmem_slot *last = &m.slots[m.nslots - 1];
	const gpa_t end = last->base + last->size;

	ck_assert_int_eq(gmem_write(&m, end - 4, b, 4), 0);
	ck_assert_int_eq(gmem_discard_range(&m, end - 0x1000, 0x2000), -EFAULT);
	ck_assert_int_eq(gmem_discard_range(&m, UINT64_MAX - 0xfff, 0x1000),
			 -EFAULT);
	ck_assert_int_eq(gmem_read(&m, end - 4, got, 4), 0);
	ck_assert_mem_eq(got, b, 4);
	for (unsigned i = 0; i + 1 < m.nslots; i++) {
		const gpa_t seam = m.slots[i + 1].base;

		if (m.slots[i].base + m.slots[i].size != seam)
			continue;
		ck_assert_int_eq(gmem_write(&m, seam - 2, b, 4), 0);
		ck_assert_int_eq(gmem_discard_range(&m, seam - 0x1000, 0x2000),
				 0);
		ck_assert_int_eq(gmem_read(&m, seam - 2, got, 4), 0);
		ck_assert_mem_eq(got, "\0\0\0\0", 4);
	}
}
END_TEST

START_TEST(private_memory_has_no_file)
{
	ck_assert_int_eq(m.fd, -1);
}
END_TEST

START_TEST(guest_host_and_file_addresses_agree_modulo_2_mib)
{
	const struct gmem_slot odd[] = {
		{.base = 0, .size = 0xa0000},
		{.base = 0x100000, .size = MIB(5) + PAGE},
		{.base = GIB(4) + 3 * PAGE, .size = MIB(3)},
	};
	struct gmem g;

	ck_assert_int_eq(init(&g, odd, 3, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		const struct gmem_slot *s = &g.slots[i];

		ck_assert_uint_eq((uintptr_t)s->host % MIB(2),
				  s->base % MIB(2));
		ck_assert_uint_eq(s->file_offset % MIB(2), s->base % MIB(2));
		if (i > 0)
			ck_assert_uint_ge(s->file_offset,
					  s[-1].file_offset + s[-1].size);
	}
	gmem_fini(&g);
}
END_TEST

START_TEST(the_file_holds_what_the_guest_sees)
{
	char out[5] = {0};

	ck_assert_int_eq(gmem_write(&m, HIGH + 1, "text", 4), 0);
	ck_assert_int_eq(
		pread(m.fd, out, 4, (off_t)(m.slots[2].file_offset + 1)), 4);
	ck_assert_str_eq(out, "text");
	ck_assert(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
}
END_TEST

START_TEST(whoever_gets_the_file_cannot_shrink_it)
{
	ck_assert_int_eq(ftruncate(m.fd, 0), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(whoever_gets_the_file_cannot_keep_it_from_being_discarded)
{
	ck_assert_int_eq(fcntl(m.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(gmem_discard(&m, NULL), 0);
}
END_TEST

/* The kernel's flags of the mapping at @host, as /proc/self/smaps has them. */
static bool mapping_has(const void *host, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512], start[32];
	bool here = false, has = false;

	ck_assert_ptr_nonnull(smaps);
	(void)snprintf(start, sizeof(start), "%" PRIxPTR "-", (uintptr_t)host);
	while (fgets(line, sizeof(line), smaps)) {
		if (strncmp(line, start, strlen(start)) == 0)
			here = true;
		if (here && strncmp(line, "VmFlags:", 8) == 0) {
			has = strstr(line, flag) != NULL;
			break;
		}
	}
	(void)fclose(smaps);
	return has;
}

START_TEST(memory_is_neither_inherited_nor_dumped)
{
	for (unsigned i = 0; i < m.nslots; i++) {
		ck_assert_int_eq(mapping_has(m.slots[i].host, " sh"),
				 init == gmem_init_shared);
		ck_assert(mapping_has(m.slots[i].host, " dc"));
		ck_assert(mapping_has(m.slots[i].host, " dd"));
	}
}
END_TEST

START_TEST(memory_gets_huge_pages_but_at_its_very_start)
{
	const struct gmem_slot two[] = {
		{.base = 0, .size = 4 << 20},
		{.base = 16 << 20, .size = 4 << 20},
	};
	struct gmem g;
	struct err e;

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0)
		return;
	ck_assert_int_eq(init(&g, two, 2, &e), 0);
	ck_assert(mapping_has(g.slots[0].host, " nh"));
	ck_assert(mapping_has(g.slots[0].host + (2 << 20), " hg"));
	ck_assert(mapping_has(g.slots[1].host, " hg"));
	gmem_fini(&g);
}
END_TEST

static const struct {
	struct gmem_slot s[2];
	unsigned n;
} bad_layouts[] = {
	{.n = 0},
	{.s = {{.base = 0, .size = 0}}, .n = 1},
	{.s = {{.base = 1, .size = PAGE}}, .n = 1},
	{.s = {{.base = 0, .size = PAGE + 1}}, .n = 1},
	{.s = {{.base = 0, .size = 2 * PAGE}, {.base = PAGE, .size = PAGE}},
	 .n = 2},
	{.s = {{.base = PAGE, .size = PAGE}, {.base = 0, .size = PAGE}},
	 .n = 2},
	{.s = {{.base = 0, .size = PAGE}, {.base = 0, .size = PAGE}}, .n = 2},
	{.s = {{.base = -(uint64_t)PAGE, .size = PAGE}}, .n = 1},
	{.s = {{.base = -(uint64_t)PAGE, .size = 2 * PAGE}}, .n = 1},
};

START_TEST(a_bad_layout_is_refused)
{
	struct err e;
	struct gmem g;

	ck_assert_int_eq(init(&g, bad_layouts[_i].s, bad_layouts[_i].n, &e),
			 -EINVAL);
	ck_assert_str_eq(e.msg, "the layout of guest memory is not valid");
	gmem_fini(&g);
}
END_TEST

START_TEST(as_many_slots_as_fit_and_no_more)
{
	struct gmem_slot s[GMEM_SLOTS_MAX + 1] = {0};
	struct gmem g;
	static uint8_t b[GMEM_SLOTS_MAX * PAGE];

	for (unsigned i = 0; i <= GMEM_SLOTS_MAX; i++)
		s[i] = (struct gmem_slot){.base = i * PAGE, .size = PAGE};
	ck_assert_int_eq(init(&g, s, GMEM_SLOTS_MAX + 1, NULL), -EINVAL);
	ck_assert_int_eq(init(&g, s, GMEM_SLOTS_MAX, NULL), 0);
	ck_assert_int_eq(gmem_read(&g, 0, b, sizeof(b)), 0);
	gmem_fini(&g);
}
END_TEST

START_TEST(more_than_a_file_can_hold_is_out_of_memory)
{
	const struct gmem_slot huge = {.base = 0, .size = UINT64_C(1) << 63};
	const struct gmem_slot large = {.base = 0, .size = UINT64_C(1) << 61};
	struct gmem g;
	struct err e;

	ck_assert_int_eq(init(&g, &huge, 1, &e), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(e.msg, "8796093022208 MiB"));
	ck_assert_int_lt(init(&g, &large, 1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "2199023255552 MiB"));
	gmem_fini(&g);
}
END_TEST

START_TEST(a_zeroed_object_can_be_finished_and_leaves_stdin_open)
{
	struct gmem g = {0};

	gmem_fini(&g);
	gmem_fini(&g);
	ck_assert_int_ge(fcntl(0, F_GETFD), 0);
	ck_assert_uint_eq(gmem_size(&g), 0);
	ck_assert(!gmem_has(&g, 0, 1));
}
END_TEST

static int open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Pages of address space in use. */
static unsigned long address_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	ck_assert_ptr_nonnull(statm);
	ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
	(void)fclose(statm);
	return pages;
}

START_TEST(each_way_to_fail_ends_in_an_error_and_leaks_nothing)
{
	const struct gmem_slot large[] = {{.base = 0, .size = GIB(1)},
					  {.base = GIB(4), .size = GIB(1)}};
	const unsigned long pages = address_space();
	const int files = open_files();
	struct gmem g;
	struct err e;
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		int r;

		e.msg[0] = '\0';
		fail_arm(n);
		r = init(&g, large, ARRAY_SIZE(large), &e);
		failed = fail_disarm();
		if (failed) {
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert_ptr_nonnull(strstr(e.msg, "RAM"));
			ck_assert_int_eq(open_files(), files);
		} else {
			ck_assert_int_eq(r, 0);
			ck_assert_uint_gt(n, m.fd < 0 ? 3 : 5);
		}
		gmem_fini(&g);
	}
	ck_assert_int_eq(open_files(), files);
	ck_assert_uint_lt(address_space(), pages + GIB(1) / PAGE);
}
END_TEST

/*
 * The range check, at each edge.
 */

static const struct {
	gpa_t at;
	uint64_t len;
	bool ram;
} edges[] = {
	{0, 0, true},
	{0, 1, true},
	{0, SEAM, true},
	{SEAM - 1, 1, true},
	{SEAM - 1, 2, true},
	{SEAM, 1, true},
	{0, LOW_END, true},
	{0, LOW_END + 1, false},
	{LOW_END - 1, 1, true},
	{LOW_END - 1, 2, false},
	{LOW_END - 1, 0, true},
	{LOW_END, 0, false},
	{LOW_END, 1, false},
	{UINT32_MAX, 1, false},
	{UINT32_MAX, 2, false},
	{UINT32_MAX, 0, false},
	{HIGH, 1, true},
	{HIGH - 1, 2, false},
	{HIGH, 0x4000, true},
	{HIGH, 0x4001, false},
	{HIGH_END - 1, 1, true},
	{HIGH_END - 1, 2, false},
	{HIGH_END, 1, false},
	{0, HIGH_END, false},
	{0, UINT32_MAX, false},
	{0, UINT64_MAX, false},
	{1, UINT64_MAX, false},
	{HIGH, UINT64_MAX, false},
	{HIGH, UINT64_MAX - HIGH, false},
	{HIGH, UINT64_MAX - HIGH + 1, false},
	{HIGH + 1, UINT64_MAX - HIGH, false},
	{UINT64_MAX, 0, false},
	{UINT64_MAX, 1, false},
	{UINT64_MAX, 2, false},
	{UINT64_MAX - 1, 2, false},
	{UINT64_MAX, UINT64_MAX, false},
};

START_TEST(a_range_is_ram_or_not_at_each_edge)
{
	const gpa_t at = edges[_i].at;
	const uint64_t len = edges[_i].len;
	const bool ram = edges[_i].ram;
	struct iovec iov[3];
	int r;

	ck_assert_msg(gmem_has(&m, at, len) == ram, "%#lx + %#lx",
		      (unsigned long)at, (unsigned long)len);
	r = gmem_iov(&m, at, len, iov, 3);
	if (len == 0)
		ck_assert_int_eq(r, 0);
	else if (!ram)
		ck_assert_int_eq(r, -EFAULT);
	else
		ck_assert_int_ge(r, 1);
	/* The largest of these have no buffer, and need none. */
	if (!ram && len > 0) {
		ck_assert_int_eq(gmem_read(&m, at, iov, len), -EFAULT);
		ck_assert_int_eq(gmem_write(&m, at, iov, len), -EFAULT);
		ck_assert_int_eq(gmem_zero(&m, at, len), -EFAULT);
	}
}
END_TEST

START_TEST(a_copy_runs_across_adjacent_slots)
{
	char out[9] = {0};

	ck_assert_int_eq(gmem_write(&m, SEAM - 4, "lefthalf", 8), 0);
	ck_assert_int_eq(gmem_read(&m, SEAM - 4, out, 8), 0);
	ck_assert_str_eq(out, "lefthalf");
	ck_assert_mem_eq(m.slots[0].host + SEAM - 4, "left", 4);
	ck_assert_mem_eq(m.slots[1].host, "half", 4);
}
END_TEST

START_TEST(read_past_ram_fails_and_leaves_buffer_untouched)
{
	char out[] = "untouched";

	ck_assert_int_eq(gmem_read(&m, LOW_END - 4, out, 5), -EFAULT);
	ck_assert_str_eq(out, "untouched");
	ck_assert_int_eq(gmem_read(&m, SEAM - 1, out, LOW_END), -EFAULT);
	ck_assert_str_eq(out, "untouched");
}
END_TEST

START_TEST(write_past_ram_fails_and_leaves_memory_untouched)
{
	const uint8_t zero[8] = {0};
	uint8_t out[8];

	ck_assert_int_eq(gmem_write(&m, HIGH_END - 8, "overthe end", 9),
			 -EFAULT);
	ck_assert_int_eq(gmem_read(&m, HIGH_END - 8, out, 8), 0);
	ck_assert_mem_eq(out, zero, 8);
}
END_TEST

START_TEST(the_last_byte_can_be_read_and_written)
{
	char c = 0;

	ck_assert_int_eq(gmem_write(&m, HIGH_END - 1, "x", 1), 0);
	ck_assert_int_eq(gmem_read(&m, HIGH_END - 1, &c, 1), 0);
	ck_assert_int_eq(c, 'x');
}
END_TEST

START_TEST(zero_clears_its_range_and_nothing_else)
{
	uint8_t b[16];

	memset(b, 0xff, sizeof(b));
	ck_assert_int_eq(gmem_write(&m, SEAM - 8, b, 16), 0);
	ck_assert_int_eq(gmem_zero(&m, SEAM - 4, 8), 0);
	ck_assert_int_eq(gmem_read(&m, SEAM - 8, b, 16), 0);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(b[i], i < 4 || i >= 12 ? 0xff : 0);
	ck_assert_int_eq(gmem_zero(&m, LOW_END - 4, 5), -EFAULT);
}
END_TEST

START_TEST(moving_nothing_succeeds_anywhere)
{
	ck_assert_int_eq(gmem_read(&m, 0, NULL, 0), 0);
	ck_assert_int_eq(gmem_read(&m, UINT64_MAX, NULL, 0), 0);
	ck_assert_int_eq(gmem_write(&m, LOW_END, NULL, 0), 0);
	ck_assert_int_eq(gmem_zero(&m, LOW_END, 0), 0);
}
END_TEST

/*
 * iovecs.
 */

START_TEST(an_iovec_for_each_slot)
{
	struct iovec iov[2] = {0};

	ck_assert_int_eq(gmem_iov(&m, 8, 8, iov, 2), 1);
	ck_assert_ptr_eq(iov[0].iov_base, m.slots[0].host + 8);
	ck_assert_uint_eq(iov[0].iov_len, 8);
	ck_assert_int_eq(gmem_iov(&m, SEAM - 8, 24, iov, 2), 2);
	ck_assert_uint_eq(gmem_at(&m, iov[0].iov_base), SEAM - 8);
	ck_assert_uint_eq(gmem_at(&m, iov[1].iov_base), SEAM);
	ck_assert_ptr_eq(gmem_host(&m, SEAM - 8, 8), iov[0].iov_base);
	ck_assert_ptr_eq(gmem_host(&m, SEAM, 16), iov[1].iov_base);
	ck_assert_ptr_null(gmem_host(&m, SEAM - 8, 9));
	ck_assert_ptr_null(gmem_host(&m, SEAM - 8, UINT64_MAX));
	ck_assert_ptr_eq(iov[0].iov_base, m.slots[0].host + SEAM - 8);
	ck_assert_uint_eq(iov[0].iov_len, 8);
	ck_assert_ptr_eq(iov[1].iov_base, m.slots[1].host);
	ck_assert_uint_eq(iov[1].iov_len, 16);
	ck_assert_int_eq(gmem_iov(&m, SEAM, 8, iov, 2), 1);
	ck_assert_ptr_eq(iov[0].iov_base, m.slots[1].host);
	ck_assert_int_eq(gmem_iov(&m, SEAM - 8, 8, iov, 2), 1);
}
END_TEST

START_TEST(too_little_room_for_iovecs_is_reported)
{
	struct iovec iov[2] = {0};

	ck_assert_int_eq(gmem_iov(&m, SEAM - 8, 8, iov, 1), 1);
	ck_assert_int_eq(gmem_iov(&m, SEAM - 8, 9, iov, 1), -E2BIG);
	ck_assert_int_eq(gmem_iov(&m, 0, 1, iov, 0), -E2BIG);
	ck_assert_int_eq(gmem_iov(&m, LOW_END, 1, iov, 0), -EFAULT);
	ck_assert_int_eq(gmem_iov(&m, 0, 0, iov, 0), 0);
	ck_assert_int_eq(gmem_iov(&m, UINT64_MAX, 0, NULL, 0), 0);
}
END_TEST

/*
 * Words.
 */

START_TEST(a_word_is_little_endian_and_aligned)
{
	const uint8_t want[] = {0x34, 0x12};
	uint8_t out[2];
	uint16_t v = 7;

	ck_assert_int_eq(gmem_store16_release(&m, 6, 0x1234), 0);
	ck_assert_int_eq(gmem_read(&m, 6, out, 2), 0);
	ck_assert_mem_eq(out, want, 2);
	ck_assert_int_eq(gmem_load16_acquire(&m, 6, &v), 0);
	ck_assert_uint_eq(v, 0x1234);
	v = 7;
	ck_assert_int_eq(gmem_load16_acquire(&m, 7, &v), -EINVAL);
	ck_assert_int_eq(gmem_store16_release(&m, 7, 1), -EINVAL);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(a_word_outside_of_ram_faults)
{
	uint16_t v = 7;

	ck_assert_int_eq(gmem_load16_acquire(&m, LOW_END - 2, &v), 0);
	ck_assert_uint_eq(v, 0);
	v = 7;
	ck_assert_int_eq(gmem_load16_acquire(&m, LOW_END, &v), -EFAULT);
	ck_assert_int_eq(gmem_store16_release(&m, LOW_END, 1), -EFAULT);
	ck_assert_int_eq(gmem_load16_acquire(&m, UINT64_MAX - 1, &v), -EFAULT);
	ck_assert_int_eq(gmem_load16_acquire(&m, UINT64_MAX, &v), -EINVAL);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(words_on_both_sides_of_a_seam_are_in_their_slots)
{
	ck_assert_int_eq(gmem_store16_release(&m, SEAM - 2, 0x0101), 0);
	ck_assert_int_eq(gmem_store16_release(&m, SEAM, 0x0202), 0);
	ck_assert_uint_eq(m.slots[0].host[SEAM - 1], 1);
	ck_assert_uint_eq(m.slots[1].host[0], 2);
}
END_TEST

/* A message ring in miniature: entries at 0x100, index at 0x80.  TSan knows
 * from the index alone that the entries are ready. */
#define ENTRIES	 20000u
#define INDEX	 0x80
#define ENTRY(i) (0x100 + ((i) % 256) * 4)

static void *produce(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint16_t taken;

		do {
			gmem_load16_acquire(&m, INDEX + 2, &taken);
		} while ((uint16_t)(i - taken) >= 256);
		gmem_write(&m, ENTRY(i), &i, sizeof(i));
		gmem_store16_release(&m, INDEX, (uint16_t)(i + 1));
	}
	return NULL;
}

START_TEST(an_index_publishes_the_entries_before_it)
{
	pthread_t producer;
	uint32_t i = 0;

	pthread_create(&producer, NULL, produce, NULL);
	while (i < ENTRIES) {
		uint16_t avail;

		gmem_load16_acquire(&m, INDEX, &avail);
		while ((uint16_t)i != avail) {
			uint32_t v = 0;

			gmem_read(&m, ENTRY(i), &v, sizeof(v));
			ck_assert_uint_eq(v, i);
			i++;
			gmem_store16_release(&m, INDEX + 2, (uint16_t)i);
		}
	}
	pthread_join(producer, NULL);
}
END_TEST

/* What holds for either kind of memory. */
static TCase *add_case(Suite *s, const char *name, void (*set_up)(void))
{
	TCase *tc = tcase_create(name);

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_add_test(tc, size_is_the_sum_of_the_slots);
	tcase_add_test(tc, memory_starts_zeroed);
	tcase_add_test(tc, discarded_memory_is_zeroed_and_goes_on);
	tcase_add_test(tc, pages_are_discarded_and_their_neighbours_are_not);
	tcase_add_test(tc, pages_of_two_slots_are_discarded_and_none_past_ram);
	tcase_add_test(tc, guest_host_and_file_addresses_agree_modulo_2_mib);
	tcase_add_test(tc, memory_is_neither_inherited_nor_dumped);
	tcase_add_test(tc, memory_gets_huge_pages_but_at_its_very_start);
	tcase_add_loop_test(tc, a_bad_layout_is_refused, 0,
			    (int)ARRAY_SIZE(bad_layouts));
	tcase_add_test(tc, as_many_slots_as_fit_and_no_more);
	tcase_add_test(tc, more_than_a_file_can_hold_is_out_of_memory);
	tcase_add_test(tc,
		       a_zeroed_object_can_be_finished_and_leaves_stdin_open);
	tcase_add_test(tc, each_way_to_fail_ends_in_an_error_and_leaks_nothing);
	tcase_add_loop_test(tc, a_range_is_ram_or_not_at_each_edge, 0,
			    (int)ARRAY_SIZE(edges));
	tcase_add_test(tc, a_copy_runs_across_adjacent_slots);
	tcase_add_test(tc, read_past_ram_fails_and_leaves_buffer_untouched);
	tcase_add_test(tc, write_past_ram_fails_and_leaves_memory_untouched);
	tcase_add_test(tc, the_last_byte_can_be_read_and_written);
	tcase_add_test(tc, zero_clears_its_range_and_nothing_else);
	tcase_add_test(tc, moving_nothing_succeeds_anywhere);
	tcase_add_test(tc, an_iovec_for_each_slot);
	tcase_add_test(tc, too_little_room_for_iovecs_is_reported);
	tcase_add_test(tc, a_word_is_little_endian_and_aligned);
	tcase_add_test(tc, a_word_outside_of_ram_faults);
	tcase_add_test(tc, words_on_both_sides_of_a_seam_are_in_their_slots);
	tcase_add_test(tc, an_index_publishes_the_entries_before_it);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("core/gmem");
	SRunner *sr = srunner_create(s);
	TCase *tc;
	int failed;

	tc = add_case(s, "private", setup_private);
	tcase_add_test(tc, private_memory_has_no_file);
	tc = add_case(s, "shared", setup_shared);
	tcase_add_test(tc, the_file_holds_what_the_guest_sees);
	tcase_add_test(tc, whoever_gets_the_file_cannot_shrink_it);
	tcase_add_test(
		tc, whoever_gets_the_file_cannot_keep_it_from_being_discarded);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
