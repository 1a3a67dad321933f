/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * load_fixture.h - boot_linux_load() of small kernels, checked by what is in
 * guest memory after.
 */
#ifndef MOAT_BOOT_TESTS_LOAD_FIXTURE_H
#define MOAT_BOOT_TESTS_LOAD_FIXTURE_H

#include "boot/linux.h"
#include "boot/tests/boot_fixture.h"

enum { ZERO_PAGE = 0x7000, START_INFO = 0x6000, CMDLINE = 0x20000 };

extern struct buf elf;			/* small_kernel */
extern struct buf bz;			/* empty, for a bzImage */
extern struct boot_linux_config config; /* a command line and no more */
extern struct boot_entry entry;		/* of the last load() */

void load_setup(void);
void load_teardown(void);

/* A bzImage in bz, whose payload nothing can unpack. */
void build_packed(void);

/* fx.dir/initrd with that many bytes: byte i is i % 251. */
const char *make_initrd(size_t len);

int load(const struct buf *kernel);

/* fx.err behind "kernel 'path': ". */
const char *message_without_path(void);

#endif
