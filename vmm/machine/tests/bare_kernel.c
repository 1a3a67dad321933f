/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/tests/bare_kernel.h"

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"

#define CODE_OFFSET 0x1000

void bare_kernel_make(char *path, const uint8_t *code, size_t len)
{
	AUTO_CLOSE int fd = mkstemp(path);
	const Elf64_Ehdr head = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BARE_KERNEL_AT,
		.e_phoff = sizeof(head),
		.e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr load = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = CODE_OFFSET,
		.p_vaddr = BARE_KERNEL_AT,
		.p_paddr = BARE_KERNEL_AT,
		.p_filesz = len,
		.p_memsz = 0x1000,
		.p_align = 0x1000,
	};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_pwrite_full(fd, &head, sizeof(head), 0), 0);
	ck_assert_int_eq(fd_pwrite_full(fd, &load, sizeof(load), sizeof(head)),
			 0);
	ck_assert_int_eq(fd_pwrite_full(fd, code, len, CODE_OFFSET), 0);
}
