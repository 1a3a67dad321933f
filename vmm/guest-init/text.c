/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/guest-init/text.h"

void *memcpy(void *dst, const void *src, size_t len)
{
	void *at = dst;

	__asm__ volatile("rep movsb"
			 : "+D"(at), "+S"(src), "+c"(len)
			 :
			 : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (d <= s || d >= s + len)
		return memcpy(dst, src, len);
	while (len--) {
		d[len] = s[len];
		__asm__ volatile("" ::: "memory"); /* no call of memmove() */
	}
	return dst;
}

void *memset(void *dst, int c, size_t len)
{
	void *at = dst;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < len; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
		__asm__ volatile("" ::: "memory"); /* no call of strlen() */
	}
	return n;
}

bool text_is(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const char *text_behind(const char *s, const char *head)
{
	while (*head) {
		if (*s++ != *head++)
			return NULL;
	}
	return s;
}

const char *text_find(const char *s, char c)
{
	while (*s && *s != c)
		s++;
	return s;
}

bool text_number(const char **s, uint32_t *ret_n)
{
	const char *at = *s;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > UINT32_MAX)
			return false;
	}
	if (at == *s)
		return false;
	*s = at;
	*ret_n = (uint32_t)n;
	return true;
}

void text_put_len(struct text *t, const char *s, size_t len)
{
	const size_t room = sizeof(t->at) - 1 - t->len;

	if (len > room)
		len = room;
	memcpy(t->at + t->len, s, len);
	t->len += len;
	t->at[t->len] = '\0';
}

void text_put(struct text *t, const char *s)
{
	text_put_len(t, s, strlen(s));
}

void text_put_number(struct text *t, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	text_put_len(t, digits + at, sizeof(digits) - at);
}
