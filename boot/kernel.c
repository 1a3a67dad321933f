/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/kernel.h"

#include <errno.h>
#include <time.h>

#include "boot/cache.h"
#include "boot/codec.h"
#include "boot/elf.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/le.h"

/* Linux's own limit: the kernel's part of the address space. */
#define PLAIN_MAX  GIB(1)
#define PACKED_MAX GIB(1)

/* The payload, in memory; "size" is what it claims to unpack to. */
struct payload {
	const struct codec *codec;
	uint8_t *data;
	size_t len; /* without the appended size */
	uint32_t size;
};

static int recognise(struct kernel *k, struct err *err)
{
	if (k->file.size == 0)
		return err_set(err, ENOEXEC, "file is empty");
	if (elf_is(&k->file)) {
		k->how = "vmlinux";
		return 0;
	}
	if (bzimage_is(&k->file)) {
		k->is_bzimage = true;
		k->how = "bzImage, unpacks itself";
		return bzimage_parse(&k->bz, &k->file, err);
	}
	return err_set(err, ENOEXEC,
		       "neither an ELF (vmlinux) nor a bzImage for x86");
}

static int read_payload(struct kernel *k, uint8_t **ret_data, struct err *err)
{
	AUTO_FREE uint8_t *data = malloc(k->bz.payload_size);
	int r;

	if (!data)
		return err_set(err, ENOMEM, "no memory to read the kernel");
	r = image_read(&k->file, k->bz.payload_at, data, k->bz.payload_size);
	if (r < 0)
		return err_errno(err, -r, "cannot read");
	*ret_data = take_ptr(&data);
	return 0;
}

/* Fills @p but for the data; false with the reason in k->packed_why. */
static bool examine_payload(struct kernel *k, struct payload *p)
{
	uint64_t len = k->bz.payload_size;

	if (len < CODEC_MAGIC_LEN + 4 || len > PACKED_MAX) {
		(void)err_set(&k->packed_why, ENOTSUP,
			      "it has no compressed kernel");
		return false;
	}
	p->codec = codec_find(p->data);
	if (!p->codec) {
		(void)err_set(&k->packed_why, ENOTSUP,
			      "its compression is unknown");
		return false;
	}
	if (codec_load(p->codec, &k->packed_why) < 0)
		return false;
	p->size = le32_load(p->data + len - 4);
	p->len = codec_size_is_own(p->codec) ? len : len - 4;
	if (p->size == 0 || p->size > PLAIN_MAX) {
		(void)err_set(&k->packed_why, ENOTSUP,
			      "its compressed kernel is damaged");
		return false;
	}
	return true;
}

static bool unpack_payload(struct kernel *k, const struct payload *p)
{
	struct image *im = &k->unpacked;
	int64_t n;

	if (image_alloc(im, p->size) < 0) {
		(void)err_set(&k->packed_why, ENOTSUP,
			      "memory is too short to unpack it");
		return false;
	}
	n = p->codec->unpack(p->data, p->len, im->mapping, p->size);
	if (n == p->size) {
		im->size = p->size;
		if (elf_is(im))
			return true;
	}
	image_close(im);
	(void)err_set(&k->packed_why, ENOTSUP,
		      "its compressed kernel is damaged");
	return false;
}

static void take(struct kernel *k, const struct cache_entry *e)
{
	k->unpacked = e->plain;
	k->builtin = e->builtin;
	k->from_cache = true;
}

/* By the file alone: neither it nor the entry is read. */
static bool take_recalled(struct kernel *k, const char *cache_dir)
{
	uint8_t magic[CODEC_MAGIC_LEN];
	const struct codec *codec;
	struct cache_entry e;

	if (k->bz.payload_size < sizeof(magic) ||
	    image_read(&k->file, k->bz.payload_at, magic, sizeof(magic)) < 0)
		return false;
	codec = codec_find(magic);
	if (!codec || !cache_recall(cache_dir, k->file.fd, &e))
		return false;
	take(k, &e);
	k->how = codec->unpacked_by_moat;
	return true;
}

static bool take_cached(struct kernel *k, const struct payload *p,
			const char *cache_dir, enum kernel_use use)
{
	struct cache_entry e;

	if (!cache_find(cache_dir, CACHE_KERNEL, p->data, p->len, &e))
		return false;
	if (use == KERNEL_LOAD && !cache_verify(&e)) {
		image_close(&e.plain);
		return false;
	}
	if (use == KERNEL_LOAD)
		cache_remember(cache_dir, k->file.fd, &e, time(NULL));
	take(k, &e);
	return true;
}

static void store(struct kernel *k, const struct payload *p,
		  const char *cache_dir)
{
	struct cache_entry e;

	k->builtin = builtin_find(&k->unpacked);
	if (cache_store(cache_dir, CACHE_KERNEL, p->data, p->len,
			k->unpacked.mapping, k->unpacked.size,
			k->builtin) < 0 ||
	    !cache_find(cache_dir, CACHE_KERNEL, p->data, p->len, &e))
		return;
	cache_remember(cache_dir, k->file.fd, &e, time(NULL));
	image_close(&e.plain);
}

static int open_payload(struct kernel *k, const char *cache_dir,
			enum kernel_use use, struct err *err)
{
	AUTO_FREE uint8_t *data = NULL;
	struct payload p = {0};
	int r;

	if (k->bz.payload_size == 0 || k->bz.payload_size > PACKED_MAX) {
		(void)err_set(&k->packed_why, ENOTSUP,
			      "it has no compressed kernel");
		return 0;
	}
	if (cache_dir && take_recalled(k, cache_dir))
		return 0;
	r = read_payload(k, &data, err);
	if (r < 0)
		return r;
	p.data = data;
	if (!examine_payload(k, &p))
		return 0;
	if (!cache_dir || !take_cached(k, &p, cache_dir, use)) {
		if (!unpack_payload(k, &p))
			return 0;
		if (cache_dir)
			store(k, &p, cache_dir);
	}
	k->how = p.codec->unpacked_by_moat;
	return 0;
}

void kernel_init(struct kernel *k)
{
	*k = (struct kernel){0};
	image_init(&k->file);
	image_init(&k->unpacked);
}

int kernel_open(struct kernel *k, const char *path, const char *cache_dir,
		enum kernel_use use, struct err *err)
{
	int r;

	r = image_open(&k->file, path, err);
	if (r == 0)
		r = recognise(k, err);
	if (r == 0 && k->is_bzimage)
		r = open_payload(k, cache_dir, use, err);
	if (r < 0)
		err_prefix(err, "kernel '%s'", path);
	return r;
}

void kernel_close(struct kernel *k)
{
	image_close(&k->file);
	image_close(&k->unpacked);
}

const struct image *kernel_elf(const struct kernel *k)
{
	if (!k->is_bzimage)
		return &k->file;
	return k->unpacked.size > 0 ? &k->unpacked : NULL;
}

enum builtin kernel_builtin(const struct kernel *k)
{
	const struct image *elf = kernel_elf(k);

	if (k->builtin != BUILTIN_UNKNOWN || !elf)
		return k->builtin;
	return builtin_find(elf);
}
