/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/panic_text.h"

#include <string.h>

static const char phrase[] = "Kernel panic - not syncing";

/* "[12345.678901]", "[  T4194304]", "[   C63]": all are shorter. */
#define STAMP_MAX 24

static void become(struct panic_text *p, enum panic_text_state state)
{
	p->state = state;
	p->len = 0;
}

static bool in_stamp(uint8_t c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == ' ' || c == 'T' ||
	       c == 'C';
}

/* Space stands only behind a stamp: an indented quotation is no panic. */
static void feed_start(struct panic_text *p, uint8_t c)
{
	if (c == '[') {
		become(p, PANIC_TEXT_STAMP);
	} else if (c == (uint8_t)phrase[0]) {
		become(p, PANIC_TEXT_PHRASE);
		p->len = 1;
	} else if (c != ' ' || p->state != PANIC_TEXT_STAMPED) {
		become(p, PANIC_TEXT_OTHER);
	}
}

static void feed_stamp(struct panic_text *p, uint8_t c)
{
	if (c == ']')
		become(p, PANIC_TEXT_STAMPED);
	else if (!in_stamp(c) || ++p->len > STAMP_MAX)
		become(p, PANIC_TEXT_OTHER);
}

static bool feed_phrase(struct panic_text *p, uint8_t c)
{
	if (c != (uint8_t)phrase[p->len]) {
		become(p, PANIC_TEXT_OTHER);
		return false;
	}
	if (++p->len < strlen(phrase))
		return false;
	become(p, PANIC_TEXT_OTHER);
	return true;
}

static bool feed(struct panic_text *p, uint8_t c)
{
	if (c == '\n' || c == '\r') {
		become(p, PANIC_TEXT_START);
		return false;
	}
	switch (p->state) {
	case PANIC_TEXT_START:
	case PANIC_TEXT_STAMPED:
		feed_start(p, c);
		break;
	case PANIC_TEXT_STAMP:
		feed_stamp(p, c);
		break;
	case PANIC_TEXT_PHRASE:
		return feed_phrase(p, c);
	case PANIC_TEXT_OTHER:
		break;
	}
	return false;
}

bool panic_text_feed(struct panic_text *p, const uint8_t *buf, size_t len)
{
	bool seen = false;

	for (size_t i = 0; i < len; i++)
		seen |= feed(p, buf[i]);
	return seen;
}
