/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "vmm/cli/reopen.h"

/* Room for so much is worth a read. */
#define PIECE 1024

int input_init(struct input *in, int fd)
{
	struct stat st;
	int own;

	/* Not zeroed: what nobody writes takes no memory. */
	*in = (struct input){.fd = -1, .buf = malloc(INPUT_BUFFER)};
	if (!in->buf)
		return -ENOMEM;
	own = fd >= 0 ? reopen_nonblocking(fd, O_RDONLY) : -1;
	in->fd = own >= 0 ? own : fd;
	in->owned = own >= 0;
	in->tty = isatty(fd);
	in->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return 0;
}

static void end(struct input *in)
{
	if (in->owned)
		close(in->fd);
	in->fd = -1;
	in->owned = false;
}

void input_fini(struct input *in)
{
	end(in);
	free(in->buf);
	in->buf = NULL;
}

/* Sockets cannot be opened anew, but be asked not to block. */
static ssize_t read_some(const struct input *in, uint8_t *buf, size_t len)
{
	if (in->socket)
		return recv(in->fd, buf, len, MSG_DONTWAIT);
	return read(in->fd, buf, len);
}

static size_t room(const struct input *in)
{
	return INPUT_BUFFER - in->len;
}

/* What is typed may be too much, and is dropped then. */
static ssize_t read_tty(struct input *in, struct escape_keys *ret_keys)
{
	uint8_t piece[PIECE], keys[PIECE + 1];
	ssize_t n = read_some(in, piece, sizeof(piece));
	size_t len;

	if (n <= 0)
		return n;
	len = escape_filter(&in->escape, piece, (size_t)n, keys, ret_keys);
	len = min_u64(len, room(in));
	memcpy(in->buf + in->len, keys, len);
	in->len += len;
	return n;
}

static ssize_t read_bytes(struct input *in)
{
	ssize_t n = read_some(in, in->buf + in->len, room(in));

	if (n > 0)
		in->len += (size_t)n;
	return n;
}

bool input_read(struct input *in, struct escape_keys *ret_keys)
{
	ssize_t n;

	*ret_keys = (struct escape_keys){0};
	memmove(in->buf, in->buf + in->at, in->len);
	in->at = 0;
	n = in->tty ? read_tty(in, ret_keys) : read_bytes(in);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n > 0)
		return true;
	end(in);
	return false;
}

bool input_wants(const struct input *in)
{
	if (in->fd < 0)
		return false;
	return in->tty || room(in) >= PIECE;
}

const uint8_t *input_bytes(const struct input *in, size_t *ret_len)
{
	*ret_len = in->len;
	return in->buf + in->at;
}

void input_taken(struct input *in, size_t n)
{
	in->at += n;
	in->len -= n;
	if (in->len == 0)
		in->at = 0;
}
