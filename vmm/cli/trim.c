/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define DELAY_NS UINT64_C(500000000)

/* Program headers are in the C library's own types. */
static void drop_segment(const struct dl_phdr_info *info,
			 const ElfW(Phdr) * segment)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t start = info->dlpi_addr + segment->p_vaddr;
	const uintptr_t end = start + segment->p_memsz;
	const uintptr_t first = start & ~(page - 1);

	/* A private mapping of a file, and position-independent: what it has
	 * is in the file. */
	(void)madvise((void *)first, end - first, MADV_DONTNEED);
}

static int drop_library(struct dl_phdr_info *info, size_t size, void *none)
{
	(void)size;
	(void)none;
	/* moat itself has no name. */
	if (!info->dlpi_name || info->dlpi_name[0] != '/')
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    !(info->dlpi_phdr[i].p_flags & PF_W))
			drop_segment(info, &info->dlpi_phdr[i]);
	}
	return 0;
}

void trim_memory(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(drop_library, NULL);
}

static void trim_now(struct loop_timer *t)
{
	(void)t;
	trim_memory();
}

void trim_later(struct loop_timer *t, struct loop *l)
{
	t->fn = trim_now;
	if (loop_timer_add(l, t) < 0)
		trim_memory();
	else
		loop_timer_set(t, DELAY_NS);
}
