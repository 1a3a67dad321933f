/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.h - guests of a few instructions, as ELF files; any KVM runs them,
 * also one that only emulates.
 *
 *	guest_start();
 *	guest_print("hello\n");
 *	guest_out(PORT_POWER, POWER_OFF);
 *	guest_write("kernel");
 */
#ifndef MOAT_VMM_CLI_TESTS_GUEST_H
#define MOAT_VMM_CLI_TESTS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

/* The machine's registers that these guests use. */
#define GUEST_SERIAL  0x3f8
#define GUEST_PVPANIC 0x505
#define GUEST_POWER   0x600
#define GUEST_I8042   0x64

#define GUEST_POWER_OFF 0x34 /* SLP_TYP 5, SLP_EN */
#define GUEST_PANICKED	0x01
#define GUEST_RESET	0xfe

void guest_start(void);

void guest_out(uint16_t port, uint8_t val);
void guest_print(const char *text);
/* Each byte of the serial line goes back out, up to a 'q'. */
void guest_echo(void);
void guest_triple_fault(void);
void guest_halt(void); /* for ever */
void guest_spin(void);

/* The guest so far as an ELF file; asserts. */
void guest_write(const char *path);

/* Is there a KVM at all? */
bool guest_can_run(void);

#endif
