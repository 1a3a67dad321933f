/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/reopen.h"

/* Regular files and most devices without poll are always ready. */
static bool can_poll(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
	       (S_ISCHR(st.st_mode) && isatty(fd));
}

void output_init_none(struct output *o)
{
	*o = (struct output){.fd = -1, .restore = -1};
}

/* Without O_NONBLOCK for the others; on a shared one only as long as we run,
 * where there is no other way (sockets, no /proc). */
static void make_nonblocking(struct output *o)
{
	int flags, fd = -1;

	if (!o->owned)
		fd = reopen_nonblocking(o->fd, O_WRONLY);
	if (fd >= 0) {
		o->fd = fd;
		o->owned = true;
		return;
	}
	flags = fcntl(o->fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK) &&
	    fcntl(o->fd, F_SETFL, flags | O_NONBLOCK) == 0)
		o->restore = flags;
}

int output_init(struct output *o, int fd, bool owned, struct err *err)
{
	uint8_t *buf = NULL;

	output_init_none(o);
	if (can_poll(fd)) {
		buf = malloc(OUTPUT_BUFFER);
		if (!buf)
			return err_set(err, ENOMEM, "out of memory");
	}
	o->fd = fd;
	o->owned = owned;
	o->buf = buf;
	o->polled = buf != NULL;
	if (o->polled)
		make_nonblocking(o);
	return 0;
}

void output_fini(struct output *o)
{
	if (o->restore >= 0)
		(void)fcntl(o->fd, F_SETFL, o->restore);
	if (o->owned)
		close(o->fd);
	free(o->buf);
	output_init_none(o);
}

static void give_up(struct output *o, int code)
{
	o->error = code;
	o->len = 0;
}

static size_t put_in_ring(struct output *o, const uint8_t *buf, size_t len)
{
	const size_t end = (o->at + o->len) % OUTPUT_BUFFER;
	const size_t n = min_u64(len, OUTPUT_BUFFER - o->len);
	const size_t first = min_u64(n, OUTPUT_BUFFER - end);

	memcpy(o->buf + end, buf, first);
	memcpy(o->buf, buf + first, n - first);
	o->len += n;
	return n;
}

size_t output_put(struct output *o, const uint8_t *buf, size_t len)
{
	size_t taken;
	int r;

	if (o->fd < 0 || o->error)
		return len;
	if (!o->polled) {
		r = fd_write_full(o->fd, buf, len);
		if (r < 0)
			give_up(o, -r);
		return len;
	}
	taken = put_in_ring(o, buf, len);
	output_flush(o);
	if (taken < len && !o->error)
		taken += put_in_ring(o, buf + taken, len - taken);
	if (o->error)
		return len;
	o->starved |= taken < len;
	return taken;
}

/* Return: false if there is nothing more to do now. */
static bool flush_once(struct output *o)
{
	struct iovec iov[2];
	ssize_t n;

	if (o->len == 0)
		return false;
	iov[0].iov_base = o->buf + o->at;
	iov[0].iov_len = min_u64(o->len, OUTPUT_BUFFER - o->at);
	iov[1].iov_base = o->buf;
	iov[1].iov_len = o->len - iov[0].iov_len;
	n = writev(o->fd, iov, 2);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			give_up(o, errno);
		return errno == EINTR;
	}
	o->at = (o->at + (size_t)n) % OUTPUT_BUFFER;
	o->len -= (size_t)n;
	return true;
}

void output_flush(struct output *o)
{
	while (flush_once(o))
		;
}

bool output_take_room(struct output *o)
{
	if (!o->starved || o->len > OUTPUT_BUFFER / 2)
		return false;
	o->starved = false;
	return true;
}
