/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Lines on the serial port, and the end of the machine.
 */
#include <stdarg.h>

#include "bare.h"

#define PORT_SERIAL 0x3f8
#define PORT_POWER  0x600
#define POWER_OFF   0x34 /* SLP_TYP 5, SLP_EN */

static void put(char c)
{
	out8(PORT_SERIAL, (uint8_t)c);
}

static void put_string(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_number(uint64_t val, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	while (n)
		put(digits[--n]);
}

static void put_item(char kind, va_list *args)
{
	switch (kind) {
	case 's':
		put_string(va_arg(*args, const char *));
		break;
	case 'c':
		put((char)va_arg(*args, uint64_t));
		break;
	case 'u':
		put_number(va_arg(*args, uint64_t), 10);
		break;
	case 'x':
		put_string("0x");
		put_number(va_arg(*args, uint64_t), 16);
		break;
	default:
		put(kind);
	}
}

static void put_line(const char *fmt, va_list *args)
{
	for (; *fmt; fmt++) {
		if (*fmt == '%' && fmt[1])
			put_item(*++fmt, args);
		else
			put(*fmt);
	}
	put('\n');
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(fmt, &args);
	va_end(args);
}

void pass(void)
{
	put_string("PASS\n");
	out8(PORT_POWER, POWER_OFF);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* With no interrupt table a page fault is a triple fault: moat calls it a
 * crash, and ends with 255. */
void fail(const char *fmt, ...)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_table = {0, 0};
	va_list args;

	put_string("FAIL: ");
	va_start(args, fmt);
	put_line(fmt, &args);
	va_end(args);
	for (;;)
		__asm__ volatile("lidt %0; mov (%1), %%al"
				 :
				 : "m"(no_table), "r"(UINT64_C(1) << 46)
				 : "al");
}

void check_equal(const char *file, unsigned line, const char *what, uint64_t is,
		 uint64_t wanted)
{
	if (is != wanted)
		fail("%s:%u: %s is %x instead of %x", file, (uint64_t)line,
		     what, is, wanted);
}
