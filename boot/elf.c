/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/elf.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/layout.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/le.h"

struct elf_header_wire {
	uint8_t ident[16];
	le16_t type, machine;
	le32_t version;
	le64_t entry, phoff, shoff;
	le32_t flags;
	le16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(struct elf_header_wire) == 64, "[gABI 4, ELF header]");

struct elf_program_wire {
	le32_t type, flags;
	le64_t offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(struct elf_program_wire) == 56, "[gABI 5]");

struct elf_note_wire {
	le32_t namesz, descsz, type;
};

enum { CLASS_32 = 1, CLASS_64 = 2, DATA_LSB = 1 }; /* ident[4], ident[5] */
enum { TYPE_EXEC = 2, TYPE_DYN = 3 };
enum { MACHINE_X86_64 = 62 };
enum { PT_LOAD = 1, PT_NOTE = 4 };
enum { NOTE_PVH_ENTRY = 18 }; /* owner "Xen": XEN_ELFNOTE_PHYS32_ENTRY */

/* Linux has 5 headers and 500 bytes of notes. */
#define HEADERS_MAX 64
#define NOTES_MAX   KIB(64)

static const uint8_t elf_magic[4] = {0x7f, 'E', 'L', 'F'};

bool elf_is(const struct image *im)
{
	uint8_t magic[4];

	return image_read(im, 0, magic, sizeof(magic)) == 0 &&
	       memcmp(magic, elf_magic, sizeof(magic)) == 0;
}

static int truncated(struct err *err, const char *what)
{
	return err_set(err, ENODATA, "file is truncated: %s missing", what);
}

static int read_part(const struct image *im, uint64_t at, void *dst, size_t len,
		     const char *what, struct err *err)
{
	int r = image_read(im, at, dst, len);

	if (r == -ENODATA)
		return truncated(err, what);
	if (r < 0)
		return err_errno(err, -r, "cannot read");
	return 0;
}

static int check_header(const struct elf_header_wire *h, struct err *err)
{
	uint16_t type = le16_get(h->type);
	uint16_t machine = le16_get(h->machine);

	if (memcmp(h->ident, elf_magic, sizeof(elf_magic)) != 0)
		return err_set(err, ENOEXEC, "not an ELF file");
	if (h->ident[4] == CLASS_32)
		return err_set(err, ENOEXEC,
			       "a 32-bit ELF; moat runs 64-bit kernels");
	if (h->ident[4] != CLASS_64 || h->ident[5] != DATA_LSB)
		return err_set(err, ENOEXEC, "not a little-endian 64-bit ELF");
	if (machine != MACHINE_X86_64)
		return err_set(err, ENOEXEC,
			       "an ELF for machine %u, x86_64 is %u", machine,
			       MACHINE_X86_64);
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return err_set(err, ENOEXEC, "an ELF of type %u, no executable",
			       type);
	if (le16_get(h->phentsize) != sizeof(struct elf_program_wire))
		return err_set(err, ENOEXEC,
			       "ELF program headers of %u bytes instead of %zu",
			       le16_get(h->phentsize),
			       sizeof(struct elf_program_wire));
	if (le16_get(h->phnum) == 0 || le16_get(h->phnum) > HEADERS_MAX)
		return err_set(err, ENOEXEC,
			       "%u ELF program headers; 1 to %u are possible",
			       le16_get(h->phnum), HEADERS_MAX);
	return 0;
}

static bool segments_overlap(const struct elf_segment *a,
			     const struct elf_segment *b)
{
	return a->at < b->at + b->memsz && b->at < a->at + a->memsz;
}

static int add_segment(struct elf *e, const struct image *im,
		       const struct elf_program_wire *p, struct err *err)
{
	struct elf_segment s = {
		.offset = le64_get(p->offset),
		.filesz = le64_get(p->filesz),
		.at = le64_get(p->paddr),
		.memsz = le64_get(p->memsz),
	};
	uint64_t file_end, end;

	if (s.memsz == 0 && s.filesz == 0)
		return 0;
	if (s.filesz > s.memsz)
		return err_set(err, ENOEXEC,
			       "ELF segment with more bytes in the file than "
			       "in memory");
	if (__builtin_add_overflow(s.offset, s.filesz, &file_end) ||
	    __builtin_add_overflow(s.at, s.memsz, &end))
		return err_set(err, ENOEXEC, "ELF segment wraps around");
	if (file_end > im->size)
		return truncated(err, "part of an ELF segment is");
	for (unsigned i = 0; i < e->nsegments; i++)
		if (segments_overlap(&e->segments[i], &s))
			return err_set(err, ENOEXEC,
				       "ELF segments overlap at %#" PRIx64,
				       max_u64(e->segments[i].at, s.at));
	if (e->nsegments == ELF_SEGMENTS_MAX)
		return err_set(err, ENOEXEC, "more than %u ELF segments",
			       ELF_SEGMENTS_MAX);
	if (e->nsegments == 0 || s.at < e->first)
		e->first = s.at;
	e->end = max_u64(e->end, end);
	e->segments[e->nsegments++] = s;
	return 0;
}

/* It is entered in 32-bit mode. */
static void set_pvh_entry(struct elf *e, uint64_t entry)
{
	if (entry > UINT32_MAX)
		return;
	e->has_pvh = true;
	e->pvh_entry = (uint32_t)entry;
}

/* Notes: {namesz, descsz, type}, name, desc, each padded to 4 bytes. */
static void scan_notes(struct elf *e, const uint8_t *notes, size_t len)
{
	struct elf_note_wire n;
	size_t at = 0;

	while (len - at >= sizeof(n)) {
		uint64_t namesz, descsz, name_at, desc_at, next;

		memcpy(&n, notes + at, sizeof(n));
		namesz = le32_get(n.namesz);
		descsz = le32_get(n.descsz);
		/* 64-bit sums of 32-bit values: no overflow, and next > at. */
		name_at = at + sizeof(n);
		desc_at = name_at + align_up(namesz, 4);
		next = desc_at + align_up(descsz, 4);
		if (desc_at + descsz > len)
			return;
		if (le32_get(n.type) == NOTE_PVH_ENTRY && namesz == 4 &&
		    memcmp(notes + name_at, "Xen", 4) == 0 &&
		    (descsz == 4 || descsz == 8))
			set_pvh_entry(e, le_load(notes + desc_at,
						 (unsigned)descsz));
		if (next >= len)
			return;
		at = (size_t)next;
	}
}

static int read_notes(struct elf *e, const struct image *im,
		      const struct elf_program_wire *p, struct err *err)
{
	uint64_t len = le64_get(p->filesz);
	AUTO_FREE uint8_t *notes = NULL;
	int r;

	if (len == 0 || len > NOTES_MAX)
		return 0;
	notes = malloc(len);
	if (!notes)
		return err_set(err, ENOMEM, "no memory for the ELF notes");
	r = read_part(im, le64_get(p->offset), notes, len, "ELF notes are",
		      err);
	if (r < 0)
		return r;
	scan_notes(e, notes, len);
	return 0;
}

static int parse_program(struct elf *e, const struct image *im,
			 const struct elf_program_wire *p, struct err *err)
{
	switch (le32_get(p->type)) {
	case PT_LOAD:
		return add_segment(e, im, p, err);
	case PT_NOTE:
		return read_notes(e, im, p, err);
	default:
		return 0;
	}
}

int elf_parse(struct elf *ret_e, const struct image *im, struct err *err)
{
	struct elf_header_wire h;
	struct elf e = {0};
	int r;

	r = read_part(im, 0, &h, sizeof(h), "the ELF header is", err);
	if (r < 0)
		return r;
	r = check_header(&h, err);
	if (r < 0)
		return r;
	e.entry = le64_get(h.entry);
	for (unsigned i = 0; i < le16_get(h.phnum); i++) {
		struct elf_program_wire p;
		uint64_t at;

		if (__builtin_add_overflow(le64_get(h.phoff), i * sizeof(p),
					   &at))
			return truncated(err, "ELF program headers are");
		r = read_part(im, at, &p, sizeof(p), "ELF program headers are",
			      err);
		if (r == 0)
			r = parse_program(&e, im, &p, err);
		if (r < 0)
			return r;
	}
	if (e.nsegments == 0)
		return err_set(err, ENOEXEC, "an ELF with nothing to load");
	*ret_e = e;
	return 0;
}

bool elf_covers(const struct elf *e, uint64_t at)
{
	for (unsigned i = 0; i < e->nsegments; i++)
		if (at >= e->segments[i].at &&
		    at - e->segments[i].at < e->segments[i].memsz)
			return true;
	return false;
}

static int check_place(const struct elf_segment *s, const struct gmem *mem,
		       struct err *err)
{
	if (s->at < BOOT_HIGH)
		return err_set(err, ENOEXEC,
			       "an ELF segment at %#" PRIx64
			       ", where the boot tables are",
			       s->at);
	if (s->at + s->memsz > GIB(4))
		return err_set(err, ENOEXEC,
			       "an ELF segment at %#" PRIx64
			       " ends above 4 GiB",
			       s->at);
	if (!gmem_has(mem, s->at, s->memsz))
		return err_set(err, E2BIG,
			       "needs memory up to %#" PRIx64
			       ", the guest has %" PRIu64 " MiB",
			       s->at + s->memsz, gmem_size(mem) >> 20);
	return 0;
}

static int load_segment(const struct elf_segment *s, const struct image *im,
			struct gmem *mem, struct err *err)
{
	int r;

	r = image_to_guest(im, s->offset, s->filesz, mem, s->at);
	if (r == 0 && s->memsz > s->filesz)
		r = gmem_zero(mem, s->at + s->filesz, s->memsz - s->filesz);
	if (r < 0)
		return err_errno(err, -r, "cannot load");
	return 0;
}

int elf_load(const struct elf *e, const struct image *im, struct gmem *mem,
	     struct err *err)
{
	int r = 0;

	/* All checks before the first byte moves. */
	for (unsigned i = 0; r == 0 && i < e->nsegments; i++)
		r = check_place(&e->segments[i], mem, err);
	for (unsigned i = 0; r == 0 && i < e->nsegments; i++)
		r = load_segment(&e->segments[i], im, mem, err);
	return r;
}
