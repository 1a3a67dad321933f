/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/initrd.h"

#include <errno.h>
#include <inttypes.h>

#include "boot/image.h"
#include "boot/linux.h"
#include "core/bits.h"
#include "core/err.h"

#define PAGE 4096u

/* End of the RAM that starts at 0, as far as the kernel allows an initrd. */
static gpa_t low_end(const struct gmem *mem, gpa_t max)
{
	gpa_t end = 0;

	for (unsigned i = 0; i < mem->nslots && mem->slots[i].base == end; i++)
		end += mem->slots[i].size;
	return align_down(min_u64(end, min_u64(max, UINT32_MAX) + 1), PAGE);
}

static int place(const struct gmem *mem, uint64_t size, gpa_t above, gpa_t max,
		 gpa_t *ret_at, struct err *err)
{
	gpa_t end = low_end(mem, max);
	gpa_t start = align_up(above, PAGE);

	if (end <= start || size > end - start)
		return err_set(err, E2BIG,
			       "%" PRIu64 " KiB do not fit into the %" PRIu64
			       " KiB that the kernel leaves of %" PRIu64
			       " MiB of memory",
			       align_up(size, 1024) >> 10,
			       end > start ? (end - start) >> 10 : 0,
			       gmem_size(mem) >> 20);
	*ret_at = align_down(end - size, PAGE);
	return 0;
}

/* The file, then zeros up to a multiple of 4, then the archive. */
static int load(struct gmem *mem, const struct image *im,
		const struct boot_archive *archive, gpa_t above, gpa_t max,
		gpa_t *ret_at, uint64_t *ret_size, struct err *err)
{
	const uint64_t behind = align_up(im->size, 4);
	const uint64_t size = archive->len ? behind + archive->len : im->size;
	gpa_t at = 0;
	int r = 0;

	if (size > 0)
		r = place(mem, size, above, max, &at, err);
	if (r < 0)
		return r;
	r = image_to_guest(im, 0, im->size, mem, at);
	if (r == 0 && archive->len)
		r = gmem_write(mem, at + behind, archive->data, archive->len);
	if (r < 0)
		return err_errno(err, -r, "cannot read");
	*ret_at = at;
	*ret_size = size;
	return 0;
}

int initrd_load(struct gmem *mem, const char *path,
		const struct boot_archive *archive, gpa_t above, gpa_t max,
		gpa_t *ret_at, uint64_t *ret_size, struct err *err)
{
	struct image im;
	int r = 0;

	image_init(&im);
	if (path)
		r = image_open(&im, path, err);
	if (r == 0)
		r = load(mem, &im, archive, above, max, ret_at, ret_size, err);
	if (r < 0)
		err_prefix(err, "initrd '%s'", path ? path : "of moat itself");
	image_close(&im);
	return r;
}
