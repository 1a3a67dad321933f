/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/hash.h"

#include "core/le.h"

static const uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f,
		      p3 = 0x165667b19e3779f9, p4 = 0x85ebca77c2b2ae63,
		      p5 = 0x27d4eb2f165667c5;

static uint64_t rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static uint64_t mix_lane(uint64_t lane, uint64_t input)
{
	return rotate(lane + input * p2, 31) * p1;
}

static uint64_t merge_lane(uint64_t h, uint64_t lane)
{
	return (h ^ mix_lane(0, lane)) * p1 + p4;
}

/* Stripes of 32 bytes in four lanes; @len is at least 32. */
static uint64_t hash_stripes(const uint8_t **p, size_t len, uint64_t seed)
{
	uint64_t a = seed + p1 + p2, b = seed + p2, c = seed, d = seed - p1;
	uint64_t h;

	for (; len >= 32; len -= 32, *p += 32) {
		a = mix_lane(a, le64_load(*p));
		b = mix_lane(b, le64_load(*p + 8));
		c = mix_lane(c, le64_load(*p + 16));
		d = mix_lane(d, le64_load(*p + 24));
	}
	h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	h = merge_lane(h, a);
	h = merge_lane(h, b);
	h = merge_lane(h, c);
	return merge_lane(h, d);
}

uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;
	uint64_t h = seed + p5;

	if (len >= 32)
		h = hash_stripes(&p, len, seed);
	h += len;
	for (; end - p >= 8; p += 8)
		h = rotate(h ^ mix_lane(0, le64_load(p)), 27) * p1 + p4;
	if (end - p >= 4) {
		h = rotate(h ^ le32_load(p) * p1, 23) * p2 + p3;
		p += 4;
	}
	for (; p < end; p++)
		h = rotate(h ^ *p * p5, 11) * p1;
	h = (h ^ h >> 33) * p2;
	h = (h ^ h >> 29) * p3;
	return h ^ h >> 32;
}
