/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * linux.h - put a Linux kernel, its initrd and its command line into guest
 * memory (x86_64), and say how to enter it.
 *
 * A vmlinux ELF and a bzImage whose payload the host can unpack are entered
 * in 64-bit mode at the ELF's entry, a bzImage it cannot unpack at load
 * address + 0x200; PVH on request, or when the ELF has only that.
 *
 * Threads: before the guest runs.
 */
#ifndef MOAT_BOOT_LINUX_H
#define MOAT_BOOT_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/gmem.h"

enum boot_protocol {
	BOOT_AUTO,  /* 64-bit Linux protocol where possible, else PVH */
	BOOT_LINUX, /* insist */
	BOOT_PVH,   /* insist */
};

/* An e820 entry besides RAM. */
struct boot_reserved {
	gpa_t base;
	uint64_t size;
};

/* Part of an initial RAM disk, in the caller's memory. */
struct boot_archive {
	const void *data;
	size_t len; /* 0: none */
};

struct boot_linux_config {
	const char *kernel; /* path */
	const char *initrd; /* path; NULL: none */
	/* Behind the initrd: of a file in both this one counts. */
	struct boot_archive archive;
	const char *cmdline; /* whole text for the guest */
	enum boot_protocol protocol;
	const char *cache_dir; /* unpacked kernels by content; NULL: no cache */
	gpa_t rsdp;	       /* 0: no ACPI */
	const struct boot_reserved *reserved; /* ECAM and the like */
	unsigned nreserved;
};

enum boot_mode {
	BOOT_MODE_LONG, /* 64-bit, paging on as boot/x86_entry.h lays out */
	BOOT_MODE_PVH,	/* 32-bit, no paging, rbx = start_info */
};

struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t rsi; /* LONG: zero page */
	uint64_t rbx; /* PVH: hvm_start_info */
	uint64_t rsp;
	uint64_t cr3; /* LONG: identity map of the first 4 GiB */
	gpa_t gdt;    /* LONG: entries 2 (code, 0x10) and 3 (data, 0x18) */
	uint16_t gdt_limit;
	gpa_t idt;
	uint16_t idt_limit;
	/* for -v: */
	const char *how; /* "bzImage, unpacked by moat (zstd)" ... static */
	bool from_cache;
	struct err packed_why; /* the guest unpacks it because ..., or empty */
};

/*
 * boot_linux_load - place everything; RAM is otherwise untouched.
 *
 * Return: 0; -ENOEXEC not a kernel; -ENODATA truncated; -E2BIG kernel,
 * initrd or command line do not fit; -errno of open and read.  The sentence
 * names option and file: "kernel 'x': ...", "initrd 'y': ...".
 */
int boot_linux_load(struct gmem *mem, const struct boot_linux_config *config,
		    struct boot_entry *ret_e, struct err *err);

/*
 * boot_archive_has_driver - is the virtio-iommu module in it?
 * Return: 1, 0, -ENOMEM.
 */
int boot_archive_has_driver(const struct boot_archive *a);

/*
 * boot_find_driver - does this guest bring the virtio-iommu driver?
 * @kernel, @initrd: paths; @initrd may be NULL
 * @ret_where: static text, a clause: "its module is in the initrd", "neither
 * in the initrd nor in the kernel"; set whenever the result is 0 or 1
 *
 * Looks for the module in the initrd (cpio, possibly several and compressed),
 * then at the kernel's built-in configuration or, where that is missing, for
 * a text that only the driver has.  With @cache_dir the kernel is unpacked
 * once for this and boot_linux_load().
 *
 * Return: 1 found, 0 not found, -errno (files that cannot be read).
 */
int boot_find_driver(const char *kernel, const char *initrd,
		     const char *cache_dir, const char **ret_where,
		     struct err *err);

#endif
