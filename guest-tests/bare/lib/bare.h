/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bare.h - what every bare guest has: a console, an end, the processor.
 *
 * A guest is one C file with guest(); it runs with the first 4 GiB mapped
 * onto themselves, interrupts off, integer registers only.  It ends by
 * returning (passed), or by fail().
 */
#ifndef MOAT_BARE_H
#define MOAT_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE	      4096u

/* The test itself. */
void guest(void);

/*
 * say - a line on the serial port.  Knows %s, %c, %u, %x (64-bit, "0x..") and
 * %%; every number argument is a uint64_t, so cast what is not.
 */
void say(const char *fmt, ...);

/* End the machine: status 0, or the line "FAIL: ..." and status 255. */
_Noreturn void pass(void);
_Noreturn void fail(const char *fmt, ...);

#define CHECK(cond)                                           \
	do {                                                  \
		if (!(cond))                                  \
			fail("%s:%u: not true: %s", __FILE__, \
			     (uint64_t)__LINE__, #cond);      \
	} while (0)

/* Both are evaluated once. */
#define CHECK_EQ(is, wanted) \
	check_equal(__FILE__, __LINE__, #is, (uint64_t)(is), (uint64_t)(wanted))
void check_equal(const char *file, unsigned line, const char *what, uint64_t is,
		 uint64_t wanted);

/* True if @word is among the words of the command line.  With "=" at its end
 * it finds "word=value"; @ret_value (may be NULL) gets the value's start. */
bool has_word(const char *word, const char **ret_value);
/* The value of "word=value" is @value? */
bool word_is(const char *word, const char *value);

void *memset(void *dst, int c, size_t len);
void *memcpy(void *dst, const void *src, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

/* Make [at, at + size) accessible, wherever it is; device registers. */
void *map_device(uint64_t at, uint64_t size);

/* Wait for @done to become true; false after some seconds. */
bool wait_for(bool (*done)(void *arg), void *arg);

/* clang-format off */
static inline void out8(uint16_t port, uint8_t val)
{ __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port) : "memory"); }
static inline void out16(uint16_t port, uint16_t val)
{ __asm__ volatile("outw %0, %1" : : "a"(val), "Nd"(port) : "memory"); }
static inline void out32(uint16_t port, uint32_t val)
{ __asm__ volatile("outl %0, %1" : : "a"(val), "Nd"(port) : "memory"); }
static inline uint8_t in8(uint16_t port)
{ uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory"); return v; }
static inline uint16_t in16(uint16_t port)
{ uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory"); return v; }
static inline uint32_t in32(uint16_t port)
{ uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory"); return v; }
/* clang-format on */

/* One access of @size bytes (1, 2, 4, 8). */
uint64_t mmio_read(const volatile void *at, unsigned size);
void mmio_write(volatile void *at, unsigned size, uint64_t val);

/* The local APIC: enabled, so that messages arrive.  Interrupts stay off. */
void apic_enable(void);
/* Whether interrupt @vector has been requested.  It stays so, because none is
 * ever taken: use each vector once. */
bool apic_requested(uint8_t vector);

#define APIC_MSI_ADDRESS 0xfee00000u

#endif
