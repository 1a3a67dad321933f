/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/linux.h"

#include <errno.h>
#include <inttypes.h>

#include "boot/cmdline.h"
#include "boot/elf.h"
#include "boot/initrd.h"
#include "boot/kernel.h"
#include "boot/layout.h"
#include "boot/memmap.h"
#include "boot/pvh.h"
#include "boot/x86_entry.h"
#include "boot/zeropage.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

/* What a vmlinux cannot say about itself; true of every x86_64 Linux. */
enum { CMDLINE_MAX = 2047, INITRD_MAX = 0x7fffffff };

struct load {
	struct gmem *mem;
	const struct boot_linux_config *config;
	struct kernel kernel;
	struct memmap map;
	gpa_t kernel_end;
	gpa_t initrd;
	uint64_t initrd_size;
};

/* The guest unpacks itself: the protected-mode part goes where it asks. */
static int load_packed(struct load *l, struct boot_entry *e, struct err *err)
{
	const struct bzimage *b = &l->kernel.bz;
	uint64_t need = max_u64(b->init_size, b->kernel_size);
	int r;

	if (!b->entry_64)
		return err_set(err, ENOEXEC, "it has no 64-bit entry, and %s",
			       l->kernel.packed_why.msg);
	if (b->load_at < BOOT_HIGH || b->load_at > GIB(4) - need)
		return err_set(err, ENOEXEC,
			       "it wants to be loaded at %#" PRIx64,
			       b->load_at);
	if (!gmem_has(l->mem, b->load_at, need))
		return err_set(err, E2BIG,
			       "needs memory up to %#" PRIx64
			       ", the guest has %" PRIu64 " MiB",
			       b->load_at + need, gmem_size(l->mem) >> 20);
	r = image_to_guest(&l->kernel.file, b->kernel_at, b->kernel_size,
			   l->mem, b->load_at);
	if (r < 0)
		return err_errno(err, -r, "cannot read");
	l->kernel_end = b->load_at + need;
	e->mode = BOOT_MODE_LONG;
	e->rip = b->load_at + 0x200;
	return 0;
}

/* Fills mode and rip. */
static int choose_entry(const struct elf *elf, enum boot_protocol protocol,
			struct boot_entry *e, struct err *err)
{
	/* Other systems' ELFs have a virtual address as their entry. */
	bool linux64 = elf_covers(elf, elf->entry);
	bool pvh = elf->has_pvh && elf_covers(elf, elf->pvh_entry);

	if (protocol == BOOT_PVH && !pvh)
		return err_set(err, ENOEXEC, "it has no PVH entry");
	if (protocol == BOOT_LINUX && !linux64)
		return err_set(err, ENOEXEC,
			       "its entry %#" PRIx64 " is in no segment",
			       elf->entry);
	if (!linux64 && !pvh)
		return err_set(err, ENOEXEC,
			       "its entry %#" PRIx64
			       " is in no segment, and it has no PVH entry",
			       elf->entry);
	if (protocol == BOOT_PVH || !linux64) {
		e->mode = BOOT_MODE_PVH;
		e->rip = elf->pvh_entry;
	} else {
		e->mode = BOOT_MODE_LONG;
		e->rip = elf->entry;
	}
	return 0;
}

static int load_elf(struct load *l, const struct image *im,
		    struct boot_entry *e, struct err *err)
{
	struct elf elf;
	int r;

	r = elf_parse(&elf, im, err);
	if (r == 0)
		r = choose_entry(&elf, l->config->protocol, e, err);
	if (r == 0)
		r = elf_load(&elf, im, l->mem, err);
	if (r == 0)
		l->kernel_end = elf.end;
	return r;
}

static int load_kernel(struct load *l, struct boot_entry *e, struct err *err)
{
	const struct image *im = kernel_elf(&l->kernel);
	int r;

	if (im)
		r = load_elf(l, im, e, err);
	else if (l->config->protocol == BOOT_PVH)
		r = err_set(err, ENOEXEC, "cannot be entered by PVH: %s",
			    l->kernel.packed_why.msg);
	else
		r = load_packed(l, e, err);
	if (r < 0)
		err_prefix(err, "kernel '%s'", l->config->kernel);
	e->how = l->kernel.how;
	e->from_cache = l->kernel.from_cache;
	e->packed_why = l->kernel.packed_why;
	return r;
}

static int load_cmdline(struct load *l, struct err *err)
{
	uint32_t max = CMDLINE_MAX;
	const char *text = l->config->cmdline ? l->config->cmdline : "";
	int r;

	if (l->kernel.is_bzimage)
		max = l->kernel.bz.cmdline_max;
	r = cmdline_write(l->mem, text, max, err);
	if (r < 0)
		err_prefix(err, "kernel '%s'", l->config->kernel);
	return r;
}

static int load_initrd(struct load *l, struct err *err)
{
	gpa_t max = INITRD_MAX;

	if (!l->config->initrd && !l->config->archive.len)
		return 0;
	if (l->kernel.is_bzimage)
		max = l->kernel.bz.initrd_max;
	return initrd_load(l->mem, l->config->initrd, &l->config->archive,
			   l->kernel_end, max, &l->initrd, &l->initrd_size,
			   err);
}

static int write_parameters(struct load *l, struct boot_entry *e)
{
	struct zeropage z = {
		.bz = l->kernel.is_bzimage ? &l->kernel.bz : NULL,
		.map = &l->map,
		.initrd = l->initrd,
		.initrd_size = l->initrd_size,
		.rsdp = l->config->rsdp,
	};
	struct pvh p = {
		.map = &l->map,
		.initrd = l->initrd,
		.initrd_size = l->initrd_size,
		.rsdp = l->config->rsdp,
	};

	e->rsp = BOOT_STACK + 0xff0;
	if (e->mode == BOOT_MODE_PVH) {
		e->rbx = BOOT_START_INFO;
		return pvh_write(l->mem, &p);
	}
	e->rsi = BOOT_ZERO_PAGE;
	return zeropage_write(l->mem, &z);
}

static int load_all(struct load *l, struct boot_entry *e, struct err *err)
{
	const struct boot_linux_config *c = l->config;
	int r;

	r = memmap_init(&l->map, l->mem, c->reserved, c->nreserved, err);
	if (r == 0)
		r = kernel_open(&l->kernel, c->kernel, c->cache_dir,
				KERNEL_LOAD, err);
	if (r == 0)
		r = load_kernel(l, e, err);
	if (r == 0)
		r = load_cmdline(l, err);
	if (r == 0)
		r = load_initrd(l, err);
	if (r < 0)
		return r;
	r = x86_entry_write(l->mem, e);
	if (r == 0)
		r = write_parameters(l, e);
	if (r < 0)
		return err_errno(err, -r, "cannot write the boot parameters");
	return 0;
}

int boot_linux_load(struct gmem *mem, const struct boot_linux_config *config,
		    struct boot_entry *ret_e, struct err *err)
{
	AUTO_FREE struct load *l = calloc(1, sizeof(*l));
	struct boot_entry e = {0};
	int r;

	if (!l)
		return err_set(err, ENOMEM, "no memory to load a kernel");
	l->mem = mem;
	l->config = config;
	kernel_init(&l->kernel);
	r = load_all(l, &e, err);
	kernel_close(&l->kernel);
	if (r == 0)
		*ret_e = e;
	return r;
}
