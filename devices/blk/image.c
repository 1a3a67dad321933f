/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/blk/wire.h"

#define PHYSICAL_MAX 65536u
#define DIRECT_ALIGN 4096u

/* What the host says about block sizes, made to fit the promises. */
static uint32_t block_size(uint64_t said, uint32_t least)
{
	if (!is_pow2(said) || said < least || said > PHYSICAL_MAX)
		return least;
	return (uint32_t)said;
}

static int measure_file(struct blk_image *im, const struct stat *st)
{
	im->size = (uint64_t)st->st_size;
	im->logical = BLK_SECTOR;
	im->physical = block_size((uint64_t)st->st_blksize, BLK_SECTOR);
	return 0;
}

static int measure_device(struct blk_image *im)
{
	int logical = 0;
	unsigned physical = 0;

	if (ioctl(im->fd, BLKGETSIZE64, &im->size) < 0)
		return -errno;
	if (ioctl(im->fd, BLKSSZGET, &logical) < 0)
		return -errno;
	im->device = true;
	im->logical = block_size((uint64_t)logical, BLK_SECTOR);
	if (ioctl(im->fd, BLKPBSZGET, &physical) < 0)
		physical = im->logical;
	im->physical = block_size(physical, im->logical);
	return 0;
}

static int measure(struct blk_image *im, const char *path, struct err *err)
{
	struct stat st;
	int r;

	if (fstat(im->fd, &st) < 0)
		return err_errno(err, errno, "disk '%s'", path);
	if (S_ISREG(st.st_mode))
		r = measure_file(im, &st);
	else if (S_ISBLK(st.st_mode))
		r = measure_device(im);
	else
		return err_set(err, EINVAL,
			       "disk '%s': neither a file nor a block device",
			       path);
	if (r < 0)
		return err_errno(err, -r, "disk '%s': cannot be measured",
				 path);
	if (im->size == 0)
		return err_set(err, EINVAL, "disk '%s': empty", path);
	if (im->size % BLK_SECTOR != 0)
		return err_set(err, EINVAL,
			       "disk '%s': %llu bytes are not whole sectors of "
			       "512",
			       path, (unsigned long long)im->size);
	return 0;
}

/*
 * An open file description's lock: it covers other machines in this process,
 * too, and is not lost when somebody else closes the same file.  File systems
 * that have no locks go without.
 */
static int lock(const struct blk_image *im, const char *path, struct err *err)
{
	struct flock fl = {
		.l_type = im->readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(im->fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(
			err, EBUSY,
			im->readonly ? "disk '%s': written by another machine, "
				       "or given twice"
				     : "disk '%s': in use by another "
				       "machine, or given twice",
			path);
	return 0;
}

/*
 * O_NONBLOCK lets us refuse a FIFO instead of waiting for its other end; on
 * the real thing it would make io_uring fail where it should wait.
 */
static int wait_for_data(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* What direct I/O wants; where the host does not say, a page. */
static void measure_direct(struct blk_image *im)
{
	struct statx st = {0};

	im->direct_memory = im->direct_offset =
		(uint32_t)max_u64(im->logical, DIRECT_ALIGN);
#ifdef STATX_DIOALIGN
	if (statx(im->direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) < 0 ||
	    !(st.stx_mask & STATX_DIOALIGN) || !is_pow2(st.stx_dio_mem_align) ||
	    !is_pow2(st.stx_dio_offset_align))
		return;
	im->direct_memory = st.stx_dio_mem_align;
	im->direct_offset = st.stx_dio_offset_align;
#else
	(void)st;
#endif
}

/* The same file once more, whatever its name means by now. */
static int open_direct(struct blk_image *im, const char *path, int mode,
		       struct err *err)
{
	char self[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", im->fd);
	im->direct_fd = open(self, mode | O_CLOEXEC | O_DIRECT);
	if (im->direct_fd < 0 && errno == EINVAL)
		return err_set(err, EINVAL,
			       "disk '%s': direct=on, but its file system "
			       "has no direct I/O",
			       path);
	if (im->direct_fd < 0)
		return err_errno(err, errno, "disk '%s': direct=on", path);
	measure_direct(im);
	return 0;
}

bool blk_image_aligned(const struct blk_image *im, uint64_t at,
		       const struct iovec *iov, unsigned niov)
{
	if (!is_aligned(at, im->direct_offset))
		return false;
	for (unsigned i = 0; i < niov; i++)
		if (!is_aligned((uintptr_t)iov[i].iov_base,
				im->direct_memory) ||
		    !is_aligned(iov[i].iov_len, im->direct_offset))
			return false;
	return true;
}

int blk_image_open(struct blk_image *im, const char *path, bool readonly,
		   bool direct, struct err *err)
{
	int mode = readonly ? O_RDONLY : O_RDWR;
	int r;

	*im = (struct blk_image){.readonly = readonly, .direct_fd = -1};
	im->fd = open(path, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (im->fd < 0)
		return err_errno(err, errno, "disk '%s'", path);
	r = measure(im, path, err);
	if (r == 0)
		r = lock(im, path, err);
	if (r < 0)
		goto fail;
	r = wait_for_data(im->fd);
	if (r < 0) {
		(void)err_errno(err, -r, "disk '%s'", path);
		goto fail;
	}
	if (direct)
		r = open_direct(im, path, mode, err);
	if (r < 0)
		goto fail;
	return 0;
fail:
	blk_image_close(im);
	return r;
}

bool blk_image_reaches(const struct blk_image *im, uint64_t end)
{
	struct stat st;

	return im->device || fstat(im->fd, &st) < 0 ||
	       (uint64_t)st.st_size >= end;
}

const char *blk_image_looks_like(const struct blk_image *im)
{
	static const struct {
		const char *format, *magic;
	} known[] = {
		{"qcow2", "QFI\xfb"},
		{"vmdk", "KDMV"},
		{"vhdx", "vhdxfile"},
	};
	char head[8];

	if (fd_pread_full(im->fd, head, sizeof(head), 0) < 0)
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (memcmp(head, known[i].magic, strlen(known[i].magic)) == 0)
			return known[i].format;
	return NULL;
}

void blk_image_close(struct blk_image *im)
{
	if (im->fd >= 0)
		close(im->fd);
	if (im->direct_fd >= 0)
		close(im->direct_fd);
	im->fd = im->direct_fd = -1;
}
