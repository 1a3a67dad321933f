/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * start.S - where a bare guest is entered: 64-bit mode, 4 GiB mapped onto
 * themselves, interrupts off, %rsi at Linux's boot parameters.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	lea	stack_end(%rip), %rsp
	xor	%ebp, %ebp
	mov	%rsi, %rdi
	call	bare_start
1:	cli
	hlt
	jmp	1b

	.bss
	.balign	16
	.skip	65536
stack_end:
	.section .note.GNU-stack, "", @progbits
