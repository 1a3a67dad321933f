/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * text.h - strings without a C library.
 */
#ifndef MOAT_VMM_GUEST_INIT_TEXT_H
#define MOAT_VMM_GUEST_INIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The compiler calls these on its own. */
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int c, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

bool text_is(const char *a, const char *b);
/* What stands behind @head in @s; NULL if it does not begin with it. */
const char *text_behind(const char *s, const char *head);
/* The first @c; or the end. */
const char *text_find(const char *s, char c);

/* Reads digits and moves on; false without any, or too large for 32 bits. */
bool text_number(const char **s, uint32_t *ret_n);

/* A text of limited length; what does not fit is cut off. */
struct text {
	size_t len;
	char at[512];
};

void text_put(struct text *t, const char *s);
void text_put_len(struct text *t, const char *s, size_t len);
void text_put_number(struct text *t, uint64_t n);

#endif
