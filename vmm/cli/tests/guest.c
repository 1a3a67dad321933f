/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/tests/guest.h"

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/bits.h"
#include "core/buf.h"
#include "core/fd.h"

#define LOAD_AT 0x1000000 /* 16 MiB, as Linux */
#define CODE_AT 0x1000	  /* in the file */

static struct buf code;

void guest_start(void)
{
	buf_fini(&code);
	buf_init(&code);
}

static void emit(const uint8_t *bytes, size_t len)
{
	buf_put(&code, bytes, len);
}

#define EMIT(...)                                      \
	do {                                           \
		const uint8_t bytes[] = {__VA_ARGS__}; \
		emit(bytes, sizeof(bytes));            \
	} while (0)

static void emit_port(uint16_t port)
{
	/* mov $port, %dx */
	EMIT(0x66, 0xba, (uint8_t)port, (uint8_t)(port >> 8));
}

void guest_out(uint16_t port, uint8_t val)
{
	emit_port(port);
	EMIT(0xb0, val); /* mov $val, %al */
	EMIT(0xee);	 /* out %al, %dx */
}

void guest_print(const char *text)
{
	for (; *text; text++)
		guest_out(GUEST_SERIAL, (uint8_t)*text);
}

void guest_echo(void)
{
	emit_port(GUEST_SERIAL + 5); /* again: line status */
	EMIT(0xec);		     /* in %dx, %al */
	EMIT(0xa8, 0x01);	     /* test $1, %al: a byte is there */
	EMIT(0x74, 0xf7);	     /* jz again */
	emit_port(GUEST_SERIAL);
	EMIT(0xec);	  /* in %dx, %al */
	EMIT(0xee);	  /* out %al, %dx */
	EMIT(0x3c, 'q');  /* cmp $'q', %al */
	EMIT(0x75, 0xed); /* jnz again */
}

void guest_triple_fault(void)
{
	EMIT(0x0f, 0x0b); /* ud2, and no IDT to speak of */
}

void guest_halt(void)
{
	EMIT(0xfa, 0xf4, 0xeb, 0xfc); /* cli; hlt; jmp back */
}

void guest_spin(void)
{
	EMIT(0xeb, 0xfe); /* jmp self */
}

void guest_write(const char *path)
{
	const Elf64_Ehdr head = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = LOAD_AT,
		.e_phoff = sizeof(head),
		.e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = CODE_AT,
		.p_vaddr = LOAD_AT,
		.p_paddr = LOAD_AT,
		.p_filesz = code.len,
		.p_memsz = code.len,
		.p_align = CODE_AT,
	};
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(buf_error(&code), 0);
	ck_assert_int_eq(fd_pwrite_full(fd, &head, sizeof(head), 0), 0);
	ck_assert_int_eq(
		fd_pwrite_full(fd, &segment, sizeof(segment), sizeof(head)), 0);
	ck_assert_int_eq(fd_pwrite_full(fd, code.data, code.len, CODE_AT), 0);
}

bool guest_can_run(void)
{
	AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd >= 0;
}
