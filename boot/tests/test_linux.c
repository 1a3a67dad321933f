/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/codec.h"
#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"
#include "core/bits.h"
#include "core/le.h"

enum { ZERO_PAGE = 0x7000, START_INFO = 0x6000, CMDLINE = 0x20000 };

static struct buf elf, b;
static struct boot_linux_config config;
static struct boot_entry entry;

static void setup(void)
{
	fixture_setup();
	buf_init(&elf);
	buf_init(&b);
	elf_build(&elf, &small_kernel);
	config = (struct boot_linux_config){.cmdline = "console=ttyS0 quiet"};
	entry = (struct boot_entry){.rip = 1};
}

static void teardown(void)
{
	buf_fini(&elf);
	buf_fini(&b);
	fixture_teardown();
}

static int load(const struct buf *kernel)
{
	config.kernel = fixture_file("k", kernel->data, kernel->len);
	return boot_linux_load(&fx.mem, &config, &entry, &fx.err);
}

/* A bzImage of @payload, which nothing can unpack. */
static void build_packed(void)
{
	bzimage_build(&b, "not compressed by anything known", 32);
}

static const char *message_without_path(void)
{
	const char *colon = strstr(fx.err.msg, "': ");

	ck_assert_ptr_nonnull(colon);
	return colon + 3;
}

START_TEST(vmlinux_is_entered_at_its_entry)
{
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000010);
	ck_assert_uint_eq(entry.rsi, ZERO_PAGE);
	ck_assert_uint_eq(entry.rsp, 0x8ff0);
	ck_assert_str_eq(entry.how, "vmlinux");
	ck_assert(!entry.from_cache);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
}
END_TEST

START_TEST(page_tables_map_4_gib_onto_themselves)
{
	ck_assert_int_eq(load(&elf), 0);
	for (uint64_t at = 0; at < GIB(4); at += MIB(2)) {
		uint64_t e = guest64(entry.cr3 + 8 * (at >> 39));

		ck_assert_uint_eq(e & 0xfff, 3);
		e = guest64((e & ~0xfffull) + 8 * (at >> 30 & 511));
		ck_assert_uint_eq(e & 0xfff, 3);
		e = guest64((e & ~0xfffull) + 8 * (at >> 21 & 511));
		ck_assert_uint_eq(e, at | 0x83);
	}
	ck_assert(guest_is_zero(entry.cr3 + 8, 4096 - 8));
	ck_assert(guest_is_zero(entry.cr3 + 4096 + 32, 4096 - 32));
}
END_TEST

START_TEST(gdt_has_the_selectors_of_the_boot_protocol)
{
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(entry.gdt_limit, 39);
	ck_assert_uint_eq(guest64(entry.gdt), 0);
	ck_assert_uint_eq(guest64(entry.gdt + 0x10), 0x00af9b000000ffff);
	ck_assert_uint_eq(guest64(entry.gdt + 0x18), 0x00cf93000000ffff);
	ck_assert_uint_gt(entry.idt, entry.gdt + entry.gdt_limit);
}
END_TEST

START_TEST(zero_page_of_a_vmlinux_is_made_up)
{
	config.rsdp = 0xe0000;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1fe) & 0xffff, 0xaa55);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x202), 0x53726448);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x206) & 0xffff, 0x20f);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x210) & 0xffff, 0x1ff);
	ck_assert_uint_ne(guest32(ZERO_PAGE + 0x230), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x228), CMDLINE);
	ck_assert_uint_eq(guest64(ZERO_PAGE + 0x070), 0xe0000);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x218), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x21c), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1ef) & 0xff, 0); /* sentinel */
}
END_TEST

START_TEST(zero_page_of_a_bzimage_has_its_header_and_no_more)
{
	build_packed();
	ck_assert_int_eq(load(&b), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1e8) & 0xff00, 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1ec), 0); /* with sentinel */
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x1f0) & 0xffff, 0x0100);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x202), 0x53726448);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x210) & 0xffff, 0x1ff);
	ck_assert_uint_eq(guest64(ZERO_PAGE + BZ_PREF_ADDRESS), MIB(16));
	ck_assert_uint_eq(guest32(ZERO_PAGE + BZ_INIT_SIZE), MIB(1));
	ck_assert(guest_is_zero(ZERO_PAGE + 0x26c, 0x2d0 - 0x26c));
}
END_TEST

START_TEST(seed_differs_from_start_to_start)
{
	uint64_t at, first;

	ck_assert_int_eq(load(&elf), 0);
	at = guest64(ZERO_PAGE + 0x250);
	ck_assert_uint_ge(at, CMDLINE);
	ck_assert_uint_lt(at, 0x9fc00);
	ck_assert_uint_eq(guest64(at), 0); /* next */
	ck_assert_uint_eq(guest32(at + 8), 9);
	ck_assert_uint_eq(guest32(at + 12), 64);
	first = guest64(at + 16);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_ne(guest64(at + 16), first);
	ck_assert(!guest_is_zero(at + 16 + 56, 8));
	ck_assert(guest_is_zero(at + 16 + 64, 8));
}
END_TEST

struct e820 {
	uint64_t base, size;
	uint32_t type;
};

static void check_e820(unsigned i, struct e820 want)
{
	gpa_t at = ZERO_PAGE + 0x2d0 + 20 * i;

	ck_assert_uint_eq(guest64(at), want.base);
	ck_assert_uint_eq(guest64(at + 8), want.size);
	ck_assert_uint_eq(guest32(at + 16), want.type);
}

static unsigned e820_count(void)
{
	return guest32(ZERO_PAGE + 0x1e8) & 0xff;
}

START_TEST(memory_map_leaves_out_the_holes)
{
	static const struct boot_reserved reserved[] = {
		{0xfec00000, 0x1000},
		{0xeec00000, MIB(1)},
	};
	const struct gmem_slot layout[] = {
		{.base = 0, .size = MIB(64)},
		{.base = GIB(4), .size = MIB(2)},
	};

	fixture_memory(layout, 2);
	config.reserved = reserved;
	config.nreserved = 2;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(e820_count(), 6);
	check_e820(0, (struct e820){0, 0x9fc00, 1});
	check_e820(1, (struct e820){0x9fc00, 0x60400, 2});
	check_e820(2, (struct e820){MIB(1), MIB(63), 1});
	check_e820(3, (struct e820){0xeec00000, MIB(1), 2});
	check_e820(4, (struct e820){0xfec00000, 0x1000, 2});
	check_e820(5, (struct e820){GIB(4), MIB(2), 1});
}
END_TEST

START_TEST(memory_map_has_room_for_128_entries)
{
	static struct boot_reserved reserved[126];

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		reserved[i] = (struct boot_reserved){GIB(1) + i * MIB(2), 4096};
	config.reserved = reserved;
	config.nreserved = 125; /* and 3 of its own */
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(e820_count(), 128);
	check_e820(127, (struct e820){GIB(1) + 124 * MIB(2), 4096, 2});
	ck_assert(guest_is_zero(ZERO_PAGE + 0x2d0 + 128 * 20, 8));
	config.nreserved = 126;
	ck_assert_int_eq(load(&elf), -E2BIG);
}
END_TEST

START_TEST(command_line_ends_with_nul)
{
	char text[32];

	ck_assert_int_eq(
		gmem_write(&fx.mem, CMDLINE, "xxxxxxxxxxxxxxxxxxxxxx", 22), 0);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(gmem_read(&fx.mem, CMDLINE, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "console=ttyS0 quiet");
}
END_TEST

START_TEST(missing_command_line_is_an_empty_one)
{
	config.cmdline = NULL;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(CMDLINE), 0);
}
END_TEST

START_TEST(command_line_may_have_as_much_as_the_kernel_takes)
{
	char text[2050] = {0};

	memset(text, 'x', 2047);
	config.cmdline = text;
	ck_assert_int_eq(load(&elf), 0);
	text[2047] = 'x';
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_str_eq(message_without_path(),
			 "command line of 2048 bytes, the kernel takes 2047");
	build_packed();
	le32_store(b.data + BZ_CMDLINE_SIZE, 2048);
	ck_assert_int_eq(load(&b), 0);
	text[2048] = 'x';
	ck_assert_int_eq(load(&b), -E2BIG);
}
END_TEST

START_TEST(command_line_has_64_kib_whatever_the_kernel_says)
{
	char *text = calloc(1, 0x10001);

	build_packed();
	le32_store(b.data + BZ_CMDLINE_SIZE, UINT32_MAX);
	memset(text, 'x', 0xffff);
	config.cmdline = text;
	ck_assert_int_eq(load(&b), 0);
	ck_assert_uint_eq(guest32(CMDLINE + 0xfffc), 0x00787878);
	text[0xffff] = 'x';
	ck_assert_int_eq(load(&b), -E2BIG);
	free(text);
}
END_TEST

static const char *make_initrd(size_t len)
{
	uint8_t *data = calloc(1, len + 1);
	const char *path;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i % 251);
	path = fixture_file("initrd", data, len);
	free(data);
	return path;
}

static void check_initrd(gpa_t at, size_t len)
{
	uint8_t byte;

	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x218), at);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x21c), len);
	ck_assert_uint_eq(guest64(ZERO_PAGE + 0x0c0), 0); /* high halves */
	for (size_t i = 0; i < len; i += 97) {
		ck_assert_int_eq(gmem_read(&fx.mem, at + i, &byte, 1), 0);
		ck_assert_uint_eq(byte, i % 251);
	}
}

START_TEST(initrd_lies_at_the_end_of_low_memory)
{
	config.initrd = make_initrd(10000);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 3 * 4096, 10000);
}
END_TEST

START_TEST(initrd_of_whole_pages_ends_with_memory)
{
	config.initrd = make_initrd(8192);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 8192, 8192);
}
END_TEST

START_TEST(initrd_of_one_byte_has_a_page)
{
	config.initrd = make_initrd(1);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(MIB(64) - 4096, 1);
}
END_TEST

START_TEST(empty_initrd_is_none)
{
	config.initrd = make_initrd(0);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(0, 0);
}
END_TEST

START_TEST(initrd_stays_below_what_the_kernel_reaches)
{
	config.initrd = make_initrd(5000);
	build_packed();
	le32_store(b.data + BZ_INITRD_MAX, MIB(32) - 1);
	ck_assert_int_eq(load(&b), 0);
	check_initrd(MIB(32) - 8192, 5000);
	le32_store(b.data + BZ_INITRD_MAX, UINT32_MAX);
	ck_assert_int_eq(load(&b), 0);
	check_initrd(MIB(64) - 8192, 5000);
	le32_store(b.data + BZ_INITRD_MAX, 0);
	ck_assert_int_eq(load(&b), -E2BIG);
}
END_TEST

START_TEST(initrd_fills_what_the_kernel_leaves_and_no_more)
{
	const uint64_t room = MIB(64) - 0x1005000;

	config.initrd = make_initrd(room);
	ck_assert_int_eq(load(&elf), 0);
	check_initrd(0x1005000, room);
	ck_assert(guest_is_zero(0x1004200, 0x1005000 - 0x1004200));
	config.initrd = make_initrd(room + 1);
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_ptr_nonnull(strstr(fx.err.msg, "initrd '"));
	ck_assert_str_eq(message_without_path(),
			 "49133 KiB do not fit into the 49132 KiB that the "
			 "kernel leaves of 64 MiB of memory");
}
END_TEST

START_TEST(initrd_stays_out_of_the_room_to_unpack)
{
	config.initrd = make_initrd(MIB(47));
	build_packed();
	ck_assert_int_eq(load(&b), 0);
	check_initrd(MIB(17), MIB(47));
	le32_store(b.data + BZ_INIT_SIZE, MIB(1) + 1);
	ck_assert_int_eq(load(&b), -E2BIG);
}
END_TEST

START_TEST(initrd_larger_than_memory_is_refused)
{
	int fd;

	config.initrd = make_initrd(1);
	fd = open(config.initrd, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (off_t)GIB(100)), 0);
	close(fd);
	ck_assert_int_eq(load(&elf), -E2BIG);
}
END_TEST

START_TEST(initrd_that_cannot_be_opened_is_named)
{
	config.initrd = "/nonexistent";
	ck_assert_int_eq(load(&elf), -ENOENT);
	ck_assert_str_eq(fx.err.msg, "initrd '/nonexistent': No such file or "
				     "directory");
	config.initrd = "/";
	ck_assert_int_eq(load(&elf), -EISDIR);
	ck_assert_str_eq(fx.err.msg, "initrd '/': is a directory");
	config.initrd = "/dev/null";
	ck_assert_int_eq(load(&elf), -EINVAL);
}
END_TEST

static const struct codec *const codecs[] = {
	&codec_gzip,
	&codec_xz,
	&codec_lz4,
	&codec_zstd,
};

START_TEST(bzimage_is_unpacked_and_its_elf_entered)
{
	static const char *const how[] = {
		"bzImage, unpacked by moat (gzip)",
		"bzImage, unpacked by moat (xz)",
		"bzImage, unpacked by moat (lz4)",
		"bzImage, unpacked by moat (zstd)",
	};

	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&b, codecs[_i], &elf);
	ck_assert_int_eq(load(&b), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000010);
	ck_assert_str_eq(entry.how, how[_i]);
	ck_assert(guest_has_pattern(0x1000000, 0x1800));
	ck_assert(guest_has_pattern(0x1003000, 0x200));
	ck_assert_uint_eq(guest32(ZERO_PAGE + BZ_INIT_SIZE), MIB(1));
}
END_TEST

static void check_unpacks_itself(void)
{
	ck_assert_int_eq(load(&b), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_LONG);
	ck_assert_uint_eq(entry.rip, 0x1000200);
	ck_assert_str_eq(entry.how, "bzImage, unpacks itself");
	/* Its first bytes; the signature behind it stays out. */
	ck_assert_uint_eq(guest32(MIB(16)), le32_load(b.data + BZ_KERNEL_AT));
	ck_assert(guest_is_zero(MIB(16) + b.len - 9 - BZ_KERNEL_AT, 16));
}

START_TEST(payload_of_unknown_compression_unpacks_itself)
{
	build_packed();
	check_unpacks_itself();
}
END_TEST

START_TEST(damaged_payload_unpacks_itself)
{
	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&b, codecs[_i], &elf);
	memset(b.data + BZ_PAYLOAD_AT + 10, 0x55, 500);
	check_unpacks_itself();
}
END_TEST

START_TEST(payload_with_a_wrong_size_unpacks_itself)
{
	uint8_t *size;

	if (!codec_built(codecs[_i]))
		return;
	bzimage_pack(&b, codecs[_i], &elf);
	size = b.data + BZ_PAYLOAD_AT - 4 +
	       le32_load(b.data + BZ_PAYLOAD_LENGTH);
	ck_assert_uint_eq(le32_load(size), elf.len);
	le32_store(size, (uint32_t)elf.len - 1);
	check_unpacks_itself();
	le32_store(size, (uint32_t)elf.len + 1);
	check_unpacks_itself();
	le32_store(size, 0);
	check_unpacks_itself();
	le32_store(size, UINT32_MAX);
	check_unpacks_itself();
}
END_TEST

START_TEST(payload_that_is_no_elf_unpacks_itself)
{
	if (!codec_built(&codec_zstd))
		return;
	elf.data[0] = 'X';
	bzimage_pack(&b, &codec_zstd, &elf);
	check_unpacks_itself();
}
END_TEST

START_TEST(image_without_payload_unpacks_itself)
{
	build_packed();
	le32_store(b.data + BZ_PAYLOAD_LENGTH, 0);
	check_unpacks_itself();
}
END_TEST

START_TEST(setup_sects_of_0_means_4)
{
	build_packed();
	b.data[BZ_SETUP_SECTS] = 0;
	ck_assert_int_eq(load(&b), -ENODATA); /* 2560 + syssize */
	buf_put_zero(&b, 1536);
	ck_assert_int_eq(load(&b), 0);
	ck_assert_uint_eq(guest32(MIB(16)), le32_load(b.data + 2560));
}
END_TEST

START_TEST(truncated_bzimage_is_told_from_one_that_is_none)
{
	size_t whole;

	build_packed();
	whole = b.len - 9; /* the signature may be missing */
	for (b.len = 0; b.len < whole; b.len++) {
		int r = load(&b);

		ck_assert_msg(r == (b.len < 0x206 ? -ENOEXEC : -ENODATA),
			      "%zu bytes: %d %s", b.len, r, fx.err.msg);
	}
	ck_assert_int_eq(load(&b), 0);
}
END_TEST

START_TEST(bzimage_too_old_is_refused)
{
	build_packed();
	le16_store(b.data + BZ_VERSION, 0x20b);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "boot protocol 2.11 is too old, 2.12 (Linux 3.8) is "
			 "needed");
	le16_store(b.data + BZ_VERSION, 0x20c);
	ck_assert_int_eq(load(&b), 0);
	le16_store(b.data + BZ_VERSION, 0);
	ck_assert_int_eq(load(&b), -ENOEXEC);
}
END_TEST

START_TEST(zimage_is_refused)
{
	build_packed();
	b.data[BZ_LOADFLAGS] = 0;
	ck_assert_int_eq(load(&b), -ENOEXEC);
}
END_TEST

START_TEST(setup_header_has_a_length)
{
	build_packed();
	b.data[BZ_JUMP] = 0x61; /* without init_size */
	ck_assert_int_eq(load(&b), -ENOEXEC);
	b.data[BZ_JUMP] = 0x62;
	ck_assert_int_eq(load(&b), 0);
	b.data[BZ_JUMP] = 0xff; /* longer than there is room in the zero page */
	memset(b.data + 0x26c, 0x77, 0x100);
	ck_assert_int_eq(load(&b), 0);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x28c), 0x77777777);
	ck_assert_uint_eq(guest32(ZERO_PAGE + 0x290), 0);
}
END_TEST

START_TEST(payload_outside_the_image_is_refused)
{
	uint32_t size;

	build_packed();
	size = le32_load(b.data + BZ_SYSSIZE) * 16;
	le32_store(b.data + BZ_PAYLOAD_LENGTH, size - 0x2cc);
	ck_assert_int_eq(load(&b), 0);
	le32_store(b.data + BZ_PAYLOAD_LENGTH, size - 0x2cc + 1);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	le32_store(b.data + BZ_PAYLOAD_OFFSET, UINT32_MAX);
	le32_store(b.data + BZ_PAYLOAD_LENGTH, UINT32_MAX);
	ck_assert_int_eq(load(&b), -ENOEXEC);
}
END_TEST

START_TEST(packed_kernel_without_64_bit_entry_is_refused)
{
	build_packed();
	le16_store(b.data + BZ_XLOADFLAGS, 0x7e);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "it has no 64-bit entry, and its compression is "
			 "unknown");
}
END_TEST

START_TEST(packed_kernel_goes_where_it_wants_if_that_is_memory)
{
	build_packed();
	le64_store(b.data + BZ_PREF_ADDRESS, MIB(63));
	ck_assert_int_eq(load(&b), 0);
	ck_assert_uint_eq(entry.rip, MIB(63) + 0x200);
	le64_store(b.data + BZ_PREF_ADDRESS, MIB(63) + 1);
	ck_assert_int_eq(load(&b), -E2BIG);
	le64_store(b.data + BZ_PREF_ADDRESS, MIB(1));
	ck_assert_int_eq(load(&b), 0);
	le64_store(b.data + BZ_PREF_ADDRESS, MIB(1) - 1);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	le64_store(b.data + BZ_PREF_ADDRESS, 0);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	le64_store(b.data + BZ_PREF_ADDRESS, UINT64_MAX);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	le64_store(b.data + BZ_PREF_ADDRESS, GIB(4) - MIB(1));
	ck_assert_int_eq(load(&b), -E2BIG);
	le64_store(b.data + BZ_PREF_ADDRESS, MIB(16));
	le32_store(b.data + BZ_INIT_SIZE, UINT32_MAX);
	ck_assert_int_eq(load(&b), -ENOEXEC);
	le32_store(b.data + BZ_INIT_SIZE, MIB(48) + 1);
	ck_assert_int_eq(load(&b), -E2BIG);
	le32_store(b.data + BZ_INIT_SIZE, MIB(48));
	ck_assert_int_eq(load(&b), 0);
}
END_TEST

START_TEST(pvh_on_request)
{
	config.protocol = BOOT_PVH;
	config.rsdp = 0xe0000;
	config.initrd = make_initrd(5000);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	ck_assert_uint_eq(entry.rip, 0x1000020);
	ck_assert_uint_eq(entry.rbx, START_INFO);
	ck_assert_uint_eq(guest32(START_INFO), 0x336ec578);
	ck_assert_uint_eq(guest32(START_INFO + 4), 1);
	ck_assert_uint_eq(guest32(START_INFO + 12), 1);
	ck_assert_uint_eq(guest64(guest64(START_INFO + 16)), MIB(64) - 8192);
	ck_assert_uint_eq(guest64(guest64(START_INFO + 16) + 8), 5000);
	ck_assert_uint_eq(guest64(START_INFO + 24), CMDLINE);
	ck_assert_uint_eq(guest64(START_INFO + 32), 0xe0000);
	ck_assert_uint_eq(guest32(START_INFO + 48), 3);
}
END_TEST

START_TEST(pvh_memory_map_is_that_of_e820)
{
	gpa_t at;

	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_uint_eq(guest32(START_INFO + 12), 0); /* no module */
	at = guest64(START_INFO + 40);
	ck_assert_uint_eq(guest64(at), 0);
	ck_assert_uint_eq(guest64(at + 8), 0x9fc00);
	ck_assert_uint_eq(guest32(at + 16), 1);
	ck_assert_uint_eq(guest64(at + 24), 0x9fc00);
	ck_assert_uint_eq(guest32(at + 24 + 16), 2);
	ck_assert_uint_eq(guest64(at + 48), MIB(1));
	ck_assert_uint_eq(guest64(at + 48 + 8), MIB(63));
	ck_assert_uint_eq(guest32(at + 48 + 16), 1);
}
END_TEST

START_TEST(pvh_into_an_unpacked_bzimage)
{
	if (!codec_built(&codec_zstd))
		return;
	config.protocol = BOOT_PVH;
	bzimage_pack(&b, &codec_zstd, &elf);
	ck_assert_int_eq(load(&b), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	ck_assert_uint_eq(entry.rip, 0x1000020);
}
END_TEST

START_TEST(pvh_needs_its_entry)
{
	struct elf_plan plan = small_kernel;

	plan.pvh = 0;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	ck_assert_str_eq(message_without_path(), "it has no PVH entry");
	build_packed();
	ck_assert_int_eq(load(&b), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "cannot be entered by PVH: its compression is "
			 "unknown");
}
END_TEST

START_TEST(pvh_where_the_elf_has_only_that)
{
	struct elf_plan plan = small_kernel;

	plan.entry = 0xffffffff81000000;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	ck_assert_int_eq(load(&elf), 0);
	ck_assert_int_eq(entry.mode, BOOT_MODE_PVH);
	config.protocol = BOOT_LINUX;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	plan.pvh = 0x2000000; /* in no segment, either */
	config.protocol = BOOT_AUTO;
	buf_fini(&elf);
	elf_build(&elf, &plan);
	ck_assert_int_eq(load(&elf), -ENOEXEC);
	config.protocol = BOOT_PVH;
	ck_assert_int_eq(load(&elf), -ENOEXEC);
}
END_TEST

START_TEST(what_is_no_kernel_is_named)
{
	struct buf text;

	buf_init(&text);
	ck_assert_int_eq(load(&text), -ENOEXEC);
	ck_assert_str_eq(message_without_path(), "file is empty");
	buf_put(&text, "#!/bin/sh\n", 10);
	ck_assert_int_eq(load(&text), -ENOEXEC);
	ck_assert_str_eq(message_without_path(),
			 "neither an ELF (vmlinux) nor a bzImage for x86");
	ck_assert_uint_eq(entry.rip, 1); /* untouched */
	buf_fini(&text);
}
END_TEST

static int load_path(const char *path)
{
	config.kernel = path;
	return boot_linux_load(&fx.mem, &config, &entry, &fx.err);
}

START_TEST(kernel_that_cannot_be_read_is_named)
{
	const char *path;

	ck_assert_int_eq(load_path("/nonexistent"), -ENOENT);
	ck_assert_str_eq(fx.err.msg, "kernel '/nonexistent': No such file or "
				     "directory");
	ck_assert_int_eq(load_path("/"), -EISDIR);
	ck_assert_str_eq(fx.err.msg, "kernel '/': is a directory");
	ck_assert_int_eq(load_path("/dev/zero"), -EINVAL);
	path = fixture_path("pipe");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(load_path(path), -EINVAL); /* and does not wait */
	if (geteuid() == 0)
		return;
	path = fixture_file("secret", elf.data, elf.len);
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_int_eq(load_path(path), -EACCES);
}
END_TEST

START_TEST(without_an_err_only_the_code_comes)
{
	config.kernel = "/nonexistent";
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &entry, NULL),
			 -ENOENT);
	config.kernel = fixture_file("k", "x", 1);
	ck_assert_int_eq(boot_linux_load(&fx.mem, &config, &entry, NULL),
			 -ENOEXEC);
}
END_TEST

START_TEST(kernel_larger_than_memory_is_refused)
{
	const struct gmem_slot small = {.size = MIB(16)};

	fixture_memory(&small, 1);
	ck_assert_int_eq(load(&elf), -E2BIG);
	ck_assert_str_eq(message_without_path(),
			 "needs memory up to 0x1001800, the guest has 16 MiB");
	build_packed();
	ck_assert_int_eq(load(&b), -E2BIG);
}
END_TEST

START_TEST(low_memory_too_small_for_the_tables_is_an_error)
{
	const struct gmem_slot layout[] = {
		{.base = 0, .size = 0x20000},
		{.base = MIB(16), .size = MIB(16)},
	};

	fixture_memory(layout, 2);
	ck_assert_int_eq(load(&elf), -EFAULT);
}
END_TEST

static TCase *kernel_cases(void)
{
	const int n = ARRAY_SIZE(codecs);
	TCase *tc = tcase_create("kernel");

	tcase_add_test(tc, vmlinux_is_entered_at_its_entry);
	tcase_add_test(tc, what_is_no_kernel_is_named);
	tcase_add_test(tc, kernel_that_cannot_be_read_is_named);
	tcase_add_test(tc, without_an_err_only_the_code_comes);
	tcase_add_test(tc, kernel_larger_than_memory_is_refused);
	tcase_add_loop_test(tc, bzimage_is_unpacked_and_its_elf_entered, 0, n);
	tcase_add_test(tc, payload_of_unknown_compression_unpacks_itself);
	tcase_add_loop_test(tc, damaged_payload_unpacks_itself, 0, n);
	tcase_add_loop_test(tc, payload_with_a_wrong_size_unpacks_itself, 0, n);
	tcase_add_test(tc, payload_that_is_no_elf_unpacks_itself);
	tcase_add_test(tc, image_without_payload_unpacks_itself);
	tcase_add_test(tc, setup_sects_of_0_means_4);
	tcase_add_test(tc, truncated_bzimage_is_told_from_one_that_is_none);
	tcase_add_test(tc, bzimage_too_old_is_refused);
	tcase_add_test(tc, zimage_is_refused);
	tcase_add_test(tc, setup_header_has_a_length);
	tcase_add_test(tc, payload_outside_the_image_is_refused);
	tcase_add_test(tc, packed_kernel_without_64_bit_entry_is_refused);
	tcase_add_test(tc, packed_kernel_goes_where_it_wants_if_that_is_memory);
	tcase_add_test(tc, pvh_on_request);
	tcase_add_test(tc, pvh_memory_map_is_that_of_e820);
	tcase_add_test(tc, pvh_into_an_unpacked_bzimage);
	tcase_add_test(tc, pvh_needs_its_entry);
	tcase_add_test(tc, pvh_where_the_elf_has_only_that);
	return tc;
}

static TCase *parameter_cases(void)
{
	TCase *tc = tcase_create("parameters");

	tcase_add_test(tc, page_tables_map_4_gib_onto_themselves);
	tcase_add_test(tc, gdt_has_the_selectors_of_the_boot_protocol);
	tcase_add_test(tc, zero_page_of_a_vmlinux_is_made_up);
	tcase_add_test(tc, zero_page_of_a_bzimage_has_its_header_and_no_more);
	tcase_add_test(tc, seed_differs_from_start_to_start);
	tcase_add_test(tc, memory_map_leaves_out_the_holes);
	tcase_add_test(tc, memory_map_has_room_for_128_entries);
	tcase_add_test(tc, low_memory_too_small_for_the_tables_is_an_error);
	tcase_add_test(tc, command_line_ends_with_nul);
	tcase_add_test(tc, missing_command_line_is_an_empty_one);
	tcase_add_test(tc, command_line_may_have_as_much_as_the_kernel_takes);
	tcase_add_test(tc, command_line_has_64_kib_whatever_the_kernel_says);
	tcase_add_test(tc, initrd_lies_at_the_end_of_low_memory);
	tcase_add_test(tc, initrd_of_whole_pages_ends_with_memory);
	tcase_add_test(tc, initrd_of_one_byte_has_a_page);
	tcase_add_test(tc, empty_initrd_is_none);
	tcase_add_test(tc, initrd_stays_below_what_the_kernel_reaches);
	tcase_add_test(tc, initrd_fills_what_the_kernel_leaves_and_no_more);
	tcase_add_test(tc, initrd_stays_out_of_the_room_to_unpack);
	tcase_add_test(tc, initrd_larger_than_memory_is_refused);
	tcase_add_test(tc, initrd_that_cannot_be_opened_is_named);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("boot/linux");
	TCase *cases[] = {kernel_cases(), parameter_cases()};
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
