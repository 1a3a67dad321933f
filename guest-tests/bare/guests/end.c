/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * How a guest without ACPI ends, one way in a run: "end=halt", "end=keyboard"
 * and "end=port" (both resets), "end=fault".
 */
#include "guest-tests/bare/lib/bare.h"

void guest(void)
{
	say("ending");
	if (word_is("end=", "halt"))
		__asm__ volatile("cli; hlt");
	if (word_is("end=", "keyboard"))
		out8(0x64, 0xfe);
	if (word_is("end=", "port"))
		out8(0xcf9, 0x06);
	fail("still there");
}
