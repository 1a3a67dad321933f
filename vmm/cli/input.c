/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "vmm/cli/reopen.h"

/* So much at once. */
#define PIECE 1024

void input_init(struct input *in, int fd)
{
	const int own = reopen_nonblocking(fd, O_RDONLY);
	struct stat st;

	*in = (struct input){
		.fd = own >= 0 ? own : fd,
		.owned = own >= 0,
		.tty = isatty(fd),
		.socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode),
	};
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

bool input_read(struct input *in, struct escape_keys *ret_keys)
{
	uint8_t piece[PIECE], keys[PIECE + 1];
	const uint8_t *src = piece;
	ssize_t n = read_some(in, piece, sizeof(piece));
	size_t len;

	*ret_keys = (struct escape_keys){0};
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		end(in);
		return false;
	}
	len = (size_t)n;
	if (in->tty) {
		len = escape_filter(&in->escape, piece, len, keys, ret_keys);
		src = keys;
	}
	memmove(in->buf, in->buf + in->at, in->len);
	in->at = 0;
	len = min_u64(len, room(in));
	memcpy(in->buf + in->len, src, len);
	in->len += len;
	return true;
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
