/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
	.section .rodata
	.balign 16
	.globl guest_init_start
guest_init_start:
	.incbin FILE
	.globl guest_init_end
guest_init_end:
	.section .note.GNU-stack, "", %progbits
