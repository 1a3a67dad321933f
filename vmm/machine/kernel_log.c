/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/kernel_log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/fd.h"
#include "core/le.h"

#define FIRST "Linux version "

/* Searched at once. */
#define CHUNK KIB(256)

/* Longer than any text the kernel logs, its number included. */
#define BLOCK_MAX 2048

/* More than the largest log of a distribution has. */
#define BLOCKS_MAX (1u << 20)

/* Two bits of the number are a state elsewhere. */
#define NUMBER_MASK ((UINT64_C(1) << 62) - 1)

struct log {
	const struct gmem *mem;
	char *text;
	size_t cap, len;
	uint8_t block[BLOCK_MAX];
};

/* The oldest lines make room. */
static void put(struct log *l, const char *src, size_t len)
{
	const size_t room = l->cap - 1;
	char *newline;
	size_t gone;

	while (l->len + len > room && l->len > 0) {
		newline = memchr(l->text, '\n', l->len);
		gone = newline ? (size_t)(newline + 1 - l->text) : l->len;
		l->len -= gone;
		memmove(l->text, l->text + gone, l->len);
	}
	len = (size_t)min_u64(len, room);
	memcpy(l->text + l->len, src, len);
	l->len += len;
}

/*
 * A level of two bytes stood before the text and was cut out, so that the
 * last two bytes are there twice; then come a newline and zeros.
 */
static size_t trim(const char *s, size_t len)
{
	while (len > 0 && (s[len - 1] == '\0' || s[len - 1] == '\n'))
		len--;
	if (len >= 4 && memcmp(s + len - 2, s + len - 4, 2) == 0)
		len -= 2;
	return len;
}

static void put_line(struct log *l, const uint8_t *src, size_t n)
{
	char line[BLOCK_MAX + 1];
	size_t len;

	memcpy(line, src, n);
	len = trim(line, n);
	for (size_t i = 0; i < len; i++) {
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	line[len++] = '\n';
	put(l, line, len);
}

/* What there is from @at on; less at the end of memory. */
static size_t read_block(struct log *l, gpa_t at)
{
	for (size_t n = BLOCK_MAX; n >= 16; n -= 8) {
		if (gmem_read(l->mem, at, l->block, n) == 0)
			return n;
	}
	return 0;
}

/* From the block at @at to the last one.  Return: how many there were. */
static unsigned follow(struct log *l, gpa_t at)
{
	unsigned blocks = 0;

	while (blocks < BLOCKS_MAX) {
		const size_t n = read_block(l, at);
		uint64_t next;
		size_t end;

		if (n == 0)
			break;
		next = (le64_load(l->block) + 1) & NUMBER_MASK;
		for (end = 8; end + 8 <= n; end += 8) {
			if (le64_load(l->block + end) == next)
				break;
		}
		blocks++;
		if (end + 8 > n) { /* the last: up to its first zero */
			end = 8 + strnlen((char *)l->block + 8, n - 8);
			if (end > 8)
				put_line(l, l->block + 8, end - 8);
			break;
		}
		put_line(l, l->block + 8, end - 8);
		at += end;
	}
	return blocks;
}

/* Where a log may begin, from @from on in @chunk. */
static const uint8_t *candidate(const uint8_t *chunk, size_t len,
				const uint8_t *from)
{
	const size_t left = len - (size_t)(from - chunk);

	return memmem(from, left, FIRST, strlen(FIRST));
}

/* The text is elsewhere, too, but for a log there are two blocks or more. */
static bool try_chunk(struct log *l, gpa_t base, const uint8_t *chunk,
		      size_t len)
{
	const uint8_t *p = chunk;

	while ((p = candidate(chunk, len, p))) {
		const gpa_t at = base + (uint64_t)(p - chunk);

		p++;
		if (at % 8 != 0 || at < 8)
			continue;
		l->len = 0;
		if (follow(l, at - 8) >= 2)
			return true;
	}
	return false;
}

static bool search(struct log *l, uint8_t *chunk)
{
	const size_t overlap = strlen(FIRST);

	for (unsigned i = 0; i < l->mem->nslots; i++) {
		const struct gmem_slot *s = &l->mem->slots[i];

		for (uint64_t at = 0; at < s->size; at += CHUNK - overlap) {
			const size_t n = (size_t)min_u64(CHUNK, s->size - at);

			if (gmem_read(l->mem, s->base + at, chunk, n) == 0 &&
			    try_chunk(l, s->base + at, chunk, n))
				return true;
		}
	}
	return false;
}

size_t kernel_log_read(const struct gmem *mem, char *text, size_t cap)
{
	AUTO_FREE uint8_t *chunk = malloc(CHUNK);
	AUTO_FREE struct log *l = calloc(1, sizeof(*l));

	text[0] = '\0';
	if (!chunk || !l)
		return 0;
	l->mem = mem;
	l->text = text;
	l->cap = cap;
	if (!search(l, chunk))
		l->len = 0;
	text[l->len] = '\0';
	return l->len;
}
