/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Memory: what compilers call, and page tables for what lies high.
 */
#include "bare.h"

#define PRESENT	 0x1u
#define WRITABLE 0x2u
#define UNCACHED 0x10u
#define LARGE	 0x80u

#define GIB	   (UINT64_C(1) << 30)
#define LARGE_PAGE (UINT64_C(1) << 21)
#define TABLES_MAX 8

static uint64_t tables[TABLES_MAX][512] __attribute__((aligned(4096)));
static unsigned ntables;

void *memset(void *dst, int c, size_t len)
{
	for (volatile uint8_t *d = dst; len--; d++)
		*d = (uint8_t)c;
	return dst;
}

void *memcpy(void *dst, const void *src, size_t len)
{
	const uint8_t *s = src;

	for (volatile uint8_t *d = dst; len--; d++)
		*d = *s++;
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;

	for (; len--; x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	const volatile char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

static uint64_t *table_of(uint64_t *entry)
{
	if (!(*entry & PRESENT)) {
		if (ntables == TABLES_MAX)
			fail("no more page tables");
		*entry = (uintptr_t)tables[ntables++] | PRESENT | WRITABLE;
	}
	return (uint64_t *)(uintptr_t)(*entry & ~UINT64_C(0xfff));
}

static void map_large(uint64_t at)
{
	uint64_t cr3, *table;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	table = (uint64_t *)(uintptr_t)(cr3 & ~UINT64_C(0xfff));
	table = table_of(&table[at >> 39 & 511]);
	table = table_of(&table[at >> 30 & 511]);
	table[at >> 21 & 511] = (at & ~(LARGE_PAGE - 1)) | PRESENT | WRITABLE |
				UNCACHED | LARGE;
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

void *map_device(uint64_t at, uint64_t size)
{
	for (uint64_t page = at & ~(LARGE_PAGE - 1); page < at + size;
	     page += LARGE_PAGE)
		if (page >= 4 * GIB)
			map_large(page);
	return (void *)(uintptr_t)at;
}

uint64_t mmio_read(const volatile void *at, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)at;
	case 2:
		return *(const volatile uint16_t *)at;
	case 4:
		return *(const volatile uint32_t *)at;
	default:
		return *(const volatile uint64_t *)at;
	}
}

void mmio_write(volatile void *at, unsigned size, uint64_t val)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)val;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)val;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)val;
		break;
	default:
		*(volatile uint64_t *)at = val;
	}
}
