/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tiny - the smallest kernel: says "@first" on the serial port and ends the
 * machine, so that all the time it takes is the monitor's own.
 *
 * The bytes mean the same in 64-bit mode (the entry of an ELF by the Linux
 * protocol) and in 32-bit mode (its PVH entry).  QEMU's isa-debug-exit ends
 * at a write to port 0x501, moat at one to its sleep register, port 0x600.
 * With -DREST it waits instead, for whoever looks at the monitor; awake,
 * because one that halts without interrupts is at its end.
 */
	.section .text
	.globl _start
_start:
	mov	$0x3f8, %edx
	mov	$'@', %al
	out	%al, %dx
	mov	$'f', %al
	out	%al, %dx
	mov	$'i', %al
	out	%al, %dx
	mov	$'r', %al
	out	%al, %dx
	mov	$'s', %al
	out	%al, %dx
	mov	$'t', %al
	out	%al, %dx
	mov	$'\n', %al
	out	%al, %dx
#ifndef REST
	mov	$0x501, %edx
	out	%al, %dx
	mov	$0x600, %edx
	mov	$0x34, %al
	out	%al, %dx
#endif
1:	pause
	jmp	1b

	.section .note.xen, "a", @note
	.align	4
	.long	4, 4, 18		/* "Xen", XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.section .note.GNU-stack, "", @progbits
