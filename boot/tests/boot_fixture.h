/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * boot_fixture.h - small kernels made to order, files to put them in, guest
 * memory to load them into.
 *
 * Failures of the fixture itself abort the test.
 */
#ifndef MOAT_BOOT_TESTS_BOOT_FIXTURE_H
#define MOAT_BOOT_TESTS_BOOT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/gmem.h"

struct codec;

/* 64 MiB from 0 on, and an empty directory. */
struct fixture {
	struct gmem mem;
	char dir[64];
	struct err err;
};
extern struct fixture fx;

void fixture_setup(void);
void fixture_teardown(void);

/* Instead of the 64 MiB. */
void fixture_memory(const struct gmem_slot *layout, unsigned n);

/* fx.dir/@name with these bytes.  Return: its path, good until the next two
 * calls. */
const char *fixture_file(const char *name, const void *data, size_t len);
const char *fixture_path(const char *name);

/* Bytes that differ from place to place. */
uint8_t pattern(uint64_t i);

struct elf_plan {
	uint64_t entry;
	uint64_t pvh; /* 0: no note */
	unsigned nsegments;
	struct {
		uint64_t at, filesz, memsz;
	} segments[4];
	const char *text; /* at the end of the first segment; NULL: none */
};

/* Offsets in what elf_build() makes. */
enum {
	ELF_MACHINE = 18,
	ELF_ENTRY = 24,
	ELF_PHOFF = 32,
	ELF_PHENTSIZE = 54,
	ELF_PHNUM = 56,
	ELF_PROGRAMS = 64, /* PT_NOTE last, if any */
	ELF_PROGRAM_SIZE = 56,
	P_TYPE = 0,
	P_OFFSET = 8,
	P_PADDR = 24,
	P_FILESZ = 32,
	P_MEMSZ = 40,
};

/* File bytes of a segment are pattern(their guest address). */
void elf_build(struct buf *b, const struct elf_plan *plan);
/* Two segments at 16 MiB, the second with 4 KiB to clear; entry 0x1000010,
 * PVH entry 0x1000020. */
extern const struct elf_plan small_kernel;

/* Offsets in what bzimage_build() makes. */
enum {
	BZ_SETUP_SECTS = 0x1f1,
	BZ_SYSSIZE = 0x1f4,
	BZ_JUMP = 0x201,
	BZ_VERSION = 0x206,
	BZ_LOADFLAGS = 0x211,
	BZ_INITRD_MAX = 0x22c,
	BZ_XLOADFLAGS = 0x236,
	BZ_CMDLINE_SIZE = 0x238,
	BZ_PAYLOAD_OFFSET = 0x248,
	BZ_PAYLOAD_LENGTH = 0x24c,
	BZ_PREF_ADDRESS = 0x258,
	BZ_INIT_SIZE = 0x260,
	BZ_KERNEL_AT = 1024, /* protected-mode part */
	BZ_PAYLOAD_AT = BZ_KERNEL_AT + 0x2cc,
};

/* Protocol 2.15, 16 MiB, 1 MiB of init_size, signature behind its end. */
void bzimage_build(struct buf *b, const void *payload, size_t len);

/* As the kernel's build packs, without the size at the end. */
void codec_pack(struct buf *b, const struct codec *codec, const void *src,
		size_t len);
/* A whole bzImage of @elf; @codec must be built. */
void bzimage_pack(struct buf *b, const struct codec *codec,
		  const struct buf *elf);

/* Guest memory. */
uint32_t guest32(gpa_t at);
uint64_t guest64(gpa_t at);
bool guest_has_pattern(gpa_t at, size_t len);
bool guest_is_zero(gpa_t at, size_t len);

#endif
