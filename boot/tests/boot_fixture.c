/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/tests/boot_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/le.h"

struct fixture fx;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "boot_fixture: %s: %s\n", what, fx.err.msg);
	abort();
}

void fixture_memory(const struct gmem_slot *layout, unsigned n)
{
	gmem_fini(&fx.mem);
	must(gmem_init(&fx.mem, layout, n, &fx.err) == 0, "guest memory");
}

void fixture_setup(void)
{
	static const struct gmem_slot slot = {.size = MIB(64)};

	fx = (struct fixture){.dir = "/tmp/moat-boot-XXXXXX"};
	must(mkdtemp(fx.dir), "mkdtemp");
	fixture_memory(&slot, 1);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_teardown(void)
{
	gmem_fini(&fx.mem);
	must(nftw(fx.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, "remove");
}

const char *fixture_path(const char *name)
{
	static char paths[3][128];
	static unsigned next;
	char *path = paths[next++ % 3];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", fx.dir, name);
	return path;
}

const char *fixture_file(const char *name, const void *data, size_t len)
{
	const char *path = fixture_path(name);
	AUTO_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && fd_write_full(fd, data, len) == 0, "file");
	return path;
}

uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
}

const struct elf_plan small_kernel = {
	.entry = 0x1000010,
	.pvh = 0x1000020,
	.nsegments = 2,
	.segments = {{0x1000000, 0x1800, 0x1800}, {0x1003000, 0x200, 0x1200}},
};

static void put_program(struct buf *b, uint32_t type, uint64_t offset,
			uint64_t at, uint64_t filesz, uint64_t memsz)
{
	buf_put_le32(b, type);
	buf_put_le32(b, 7);
	buf_put_le64(b, offset);
	buf_put_le64(b, 0xffffffff80000000 + at);
	buf_put_le64(b, at);
	buf_put_le64(b, filesz);
	buf_put_le64(b, memsz);
	buf_put_le64(b, 0x1000);
}

static void put_notes(struct buf *b, uint64_t pvh)
{
	buf_put_le32(b, 6); /* one before, of odd sizes */
	buf_put_le32(b, 3);
	buf_put_le32(b, 18);
	buf_put(b, "Linux\0\0\0abc", 12);
	buf_put_le32(b, 4);
	buf_put_le32(b, 8);
	buf_put_le32(b, 18);
	buf_put(b, "Xen", 4);
	buf_put_le64(b, pvh);
}

enum { NOTES_SIZE = 48 };

void elf_build(struct buf *b, const struct elf_plan *plan)
{
	static const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	unsigned nprograms = plan->nsegments + (plan->pvh ? 1 : 0);
	uint64_t at = ELF_PROGRAMS + nprograms * ELF_PROGRAM_SIZE;
	uint64_t text_at;

	buf_put(b, ident, sizeof(ident));
	buf_put_le16(b, 2); /* executable */
	buf_put_le16(b, 62);
	buf_put_le32(b, 1);
	buf_put_le64(b, plan->entry);
	buf_put_le64(b, ELF_PROGRAMS);
	buf_put_le64(b, 0);
	buf_put_le32(b, 0);
	buf_put_le16(b, 64);
	buf_put_le16(b, ELF_PROGRAM_SIZE);
	buf_put_le16(b, (uint16_t)nprograms);
	buf_put_zero(b, 6);
	for (unsigned i = 0; i < plan->nsegments; i++) {
		put_program(b, 1, at, plan->segments[i].at,
			    plan->segments[i].filesz, plan->segments[i].memsz);
		at += plan->segments[i].filesz;
	}
	if (plan->pvh)
		put_program(b, 4, at, 0, NOTES_SIZE, NOTES_SIZE);
	text_at = b->len;
	for (unsigned i = 0; i < plan->nsegments; i++)
		for (uint64_t j = 0; j < plan->segments[i].filesz; j++)
			buf_put8(b, pattern(plan->segments[i].at + j));
	if (plan->text) {
		size_t len = strlen(plan->text) + 1;

		text_at += plan->segments[0].filesz - len;
		memcpy(buf_at(b, text_at, len), plan->text, len);
	}
	if (plan->pvh)
		put_notes(b, plan->pvh);
	must(buf_error(b) == 0, "buf");
}

void bzimage_build(struct buf *b, const void *payload, size_t len)
{
	uint8_t *h;

	buf_put_zero(b, BZ_KERNEL_AT);
	for (unsigned i = BZ_KERNEL_AT; i < BZ_PAYLOAD_AT; i++)
		buf_put8(b, pattern(i));
	buf_put(b, payload, len);
	buf_align(b, 16);
	h = buf_at(b, 0, BZ_KERNEL_AT);
	must(h, "buf");
	h[0] = 'M';
	h[1] = 'Z';
	memset(h + 0x1e0, 0xff, 0x11); /* must not reach the zero page */
	h[BZ_SETUP_SECTS] = 1;
	le32_store(h + BZ_SYSSIZE, (uint32_t)(b->len - BZ_KERNEL_AT) / 16);
	le16_store(h + 0x1fe, 0xaa55);
	h[0x200] = 0xeb;
	h[BZ_JUMP] = 0x6a;
	memcpy(h + 0x202, "HdrS", 4);
	le16_store(h + BZ_VERSION, 0x20f);
	h[BZ_LOADFLAGS] = 1;
	le32_store(h + 0x214, 0x100000);
	le32_store(h + BZ_INITRD_MAX, 0x7fffffff);
	le32_store(h + 0x230, 0x200000);
	h[0x234] = 1;
	le16_store(h + BZ_XLOADFLAGS, 0x7f);
	le32_store(h + BZ_CMDLINE_SIZE, 2047);
	le32_store(h + BZ_PAYLOAD_OFFSET, BZ_PAYLOAD_AT - BZ_KERNEL_AT);
	le32_store(h + BZ_PAYLOAD_LENGTH, (uint32_t)len);
	le64_store(h + BZ_PREF_ADDRESS, MIB(16));
	le32_store(h + BZ_INIT_SIZE, MIB(1));
	buf_put(b, "signature", 9);
	must(buf_error(b) == 0, "buf");
}

uint32_t guest32(gpa_t at)
{
	uint8_t b[4];

	must(gmem_read(&fx.mem, at, b, sizeof(b)) == 0, "guest32");
	return le32_load(b);
}

uint64_t guest64(gpa_t at)
{
	uint8_t b[8];

	must(gmem_read(&fx.mem, at, b, sizeof(b)) == 0, "guest64");
	return le64_load(b);
}

static uint8_t guest8(gpa_t at)
{
	uint8_t b;

	must(gmem_read(&fx.mem, at, &b, 1) == 0, "guest8");
	return b;
}

bool guest_has_pattern(gpa_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (guest8(at + i) != pattern(at + i))
			return false;
	return true;
}

bool guest_is_zero(gpa_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (guest8(at + i) != 0)
			return false;
	return true;
}
