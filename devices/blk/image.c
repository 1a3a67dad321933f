/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/blk/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/blk/wire.h"

#define PHYSICAL_MAX 65536u

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

int blk_image_open(struct blk_image *im, const char *path, bool readonly,
		   struct err *err)
{
	int mode = readonly ? O_RDONLY : O_RDWR;
	int r;

	*im = (struct blk_image){.readonly = readonly};
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
	return 0;
fail:
	blk_image_close(im);
	return r;
}

void blk_image_close(struct blk_image *im)
{
	if (im->fd >= 0)
		close(im->fd);
	im->fd = -1;
}
