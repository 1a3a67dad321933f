/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Which tables a guest finds in memory: "tables=none" or "tables=mptable";
 * never ACPI's.
 */
#include "guest-tests/bare/lib/bare.h"

#define BIOS_FIRST 0xe0000u
#define BIOS_END   0x100000u
#define BASE_FIRST 0x9fc00u
#define BASE_END   0xa0000u

static const uint8_t *search(uint32_t first, uint32_t end, const char *what)
{
	size_t len = strlen(what);

	for (uint32_t at = first; at < end; at += 16)
		if (memcmp((const void *)(uintptr_t)at, what, len) == 0)
			return (const void *)(uintptr_t)at;
	return NULL;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

static void check_mptable(const uint8_t *floating)
{
	const uint8_t *table;
	uint32_t at;
	uint16_t len;

	CHECK(floating != NULL);
	CHECK_EQ(sum(floating, 16), 0);
	memcpy(&at, floating + 4, sizeof(at));
	table = (const uint8_t *)(uintptr_t)at;
	CHECK_EQ(memcmp(table, "PCMP", 4), 0);
	memcpy(&len, table + 4, sizeof(len));
	CHECK_EQ(sum(table, len), 0);
}

void guest(void)
{
	const uint8_t *mp;

	CHECK(!search(BIOS_FIRST, BIOS_END, "RSD PTR "));
	CHECK(!search(BASE_FIRST, BASE_END, "RSD PTR "));
	mp = search(BASE_FIRST, BASE_END, "_MP_");
	if (word_is("tables=", "mptable"))
		check_mptable(mp);
	else
		CHECK(!mp && !search(0xf0000, BIOS_END, "_MP_"));
}
