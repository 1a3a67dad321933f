/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * elf.h - kernels as ELF files: checked once, then loaded.
 *
 * Segments go to their physical addresses; virtual ones mean nothing here
 * (the per-CPU segment of older kernels has 0).   [gABI 4, 5]
 */
#ifndef MOAT_BOOT_ELF_H
#define MOAT_BOOT_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/image.h"

struct err;

#define ELF_SEGMENTS_MAX 32

struct elf_segment {
	uint64_t offset, filesz; /* in the image */
	gpa_t at;
	uint64_t memsz;
};

struct elf {
	uint64_t entry;
	unsigned nsegments; /* 1 to ELF_SEGMENTS_MAX, none empty */
	struct elf_segment segments[ELF_SEGMENTS_MAX];
	gpa_t first, end; /* extent of all of them */
	bool has_pvh;
	uint32_t pvh_entry;
};

/* Does the image begin like an ELF file? */
bool elf_is(const struct image *im);

/*
 * elf_parse - check the whole structure and note the segments.
 *
 * Return: 0; -ENOEXEC not a kernel for x86_64, with the reason; -ENODATA
 * truncated; -errno of read.
 */
int elf_parse(struct elf *ret_e, const struct image *im, struct err *err);

/* Is @at inside a loaded segment? */
bool elf_covers(const struct elf *e, uint64_t at);

/*
 * elf_load - copy the segments, clear what they have beyond the file.
 *
 * Return: 0; -ENOEXEC for segments below BOOT_HIGH or beyond 4 GiB; -E2BIG if
 * RAM ends before the kernel does; -ENODATA; -errno of read.
 */
int elf_load(const struct elf *e, const struct image *im, struct gmem *mem,
	     struct err *err);

#endif
