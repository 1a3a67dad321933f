/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * le.h - integers in wire order.
 *
 * A wire struct holds only these types and uint8_t.  Each is a one-member
 * struct, so arithmetic on an unconverted value does not compile; the code
 * generated is that of the plain integer.
 */
#ifndef MOAT_CORE_LE_H
#define MOAT_CORE_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* clang-format off */
typedef struct { uint16_t raw; } le16_t;
typedef struct { uint32_t raw; } le32_t;
typedef struct { uint64_t raw; } le64_t;
typedef struct { uint16_t raw; } be16_t;
typedef struct { uint32_t raw; } be32_t;
typedef struct { uint64_t raw; } be64_t;

static inline uint16_t le16_get(le16_t v) { return le16toh(v.raw); }
static inline uint32_t le32_get(le32_t v) { return le32toh(v.raw); }
static inline uint64_t le64_get(le64_t v) { return le64toh(v.raw); }
static inline uint16_t be16_get(be16_t v) { return be16toh(v.raw); }
static inline uint32_t be32_get(be32_t v) { return be32toh(v.raw); }
static inline uint64_t be64_get(be64_t v) { return be64toh(v.raw); }

static inline le16_t le16_put(uint16_t v) { return (le16_t){htole16(v)}; }
static inline le32_t le32_put(uint32_t v) { return (le32_t){htole32(v)}; }
static inline le64_t le64_put(uint64_t v) { return (le64_t){htole64(v)}; }
static inline be16_t be16_put(uint16_t v) { return (be16_t){htobe16(v)}; }
static inline be32_t be32_put(uint32_t v) { return (be32_t){htobe32(v)}; }
static inline be64_t be64_put(uint64_t v) { return (be64_t){htobe64(v)}; }
/* clang-format on */

/*
 * The same for bytes at any alignment: @p points at sizeof(value) bytes.
 */
static inline uint16_t le16_load(const void *p)
{
	le16_t v;

	memcpy(&v, p, sizeof(v));
	return le16_get(v);
}

static inline uint32_t le32_load(const void *p)
{
	le32_t v;

	memcpy(&v, p, sizeof(v));
	return le32_get(v);
}

static inline uint64_t le64_load(const void *p)
{
	le64_t v;

	memcpy(&v, p, sizeof(v));
	return le64_get(v);
}

static inline void le16_store(void *p, uint16_t val)
{
	le16_t v = le16_put(val);

	memcpy(p, &v, sizeof(v));
}

static inline void le32_store(void *p, uint32_t val)
{
	le32_t v = le32_put(val);

	memcpy(p, &v, sizeof(v));
}

static inline void le64_store(void *p, uint64_t val)
{
	le64_t v = le64_put(val);

	memcpy(p, &v, sizeof(v));
}

/*
 * le_load, le_store - @size (1 to 8) little-endian bytes as one value.
 */
static inline uint64_t le_load(const void *p, unsigned size)
{
	uint64_t val = 0;

	memcpy(&val, p, size);
	return le64toh(val);
}

static inline void le_store(void *p, unsigned size, uint64_t val)
{
	val = htole64(val);
	memcpy(p, &val, size);
}

#endif
