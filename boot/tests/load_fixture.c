/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/tests/load_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct buf elf, bz;
struct boot_linux_config config;
struct boot_entry entry;

void load_setup(void)
{
	fixture_setup();
	buf_init(&elf);
	buf_init(&bz);
	elf_build(&elf, &small_kernel);
	config = (struct boot_linux_config){.cmdline = "console=ttyS0 quiet"};
	entry = (struct boot_entry){.rip = 1};
}

void load_teardown(void)
{
	buf_fini(&elf);
	buf_fini(&bz);
	fixture_teardown();
}

int load(const struct buf *kernel)
{
	config.kernel = fixture_file("k", kernel->data, kernel->len);
	return boot_linux_load(&fx.mem, &config, &entry, &fx.err);
}

void build_packed(void)
{
	bzimage_build(&bz, "not compressed by anything known", 32);
}

const char *message_without_path(void)
{
	const char *colon = strstr(fx.err.msg, "': ");

	ck_assert_ptr_nonnull(colon);
	return colon + 3;
}

const char *make_initrd(size_t len)
{
	uint8_t *data = calloc(1, len + 1);
	const char *path;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i % 251);
	path = fixture_file("initrd", data, len);
	free(data);
	return path;
}
