/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/control/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/socket.h"

int control_ask(struct control_call *c, const char *path, const char *request,
		struct err *err)
{
	size_t len = strlen(request);

	*c = (struct control_call){
		.fd = socket_connect(path),
		.until = socket_now_ms() + CONTROL_ANSWER_MS,
	};
	if (c->fd < 0)
		return err_errno(err, -c->fd, "'%.120s': nobody answers", path);
	/* It fits into the socket's buffer.  Who is refused before it is sent
	 * is told so in the answer. */
	if (send(c->fd, request, len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return err_errno(err, errno, "'%.120s': cannot ask", path);
	return 0;
}

static int fill(struct control_call *c, struct err *err)
{
	ssize_t n;

	memmove(c->buf, c->buf + c->at, c->len - c->at);
	c->len -= c->at;
	c->at = 0;
	if (c->len == sizeof(c->buf))
		return err_set(err, EPROTO, "the answer is not a machine's");
	if (!socket_wait(c->fd, POLLIN, -1, c->until))
		return err_set(err, ETIMEDOUT, "no answer within %d s",
			       CONTROL_ANSWER_MS / 1000);
	n = read(c->fd, c->buf + c->len, sizeof(c->buf) - c->len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return err_errno(err, errno, "the answer is cut");
	if (n == 0)
		return err_set(err, ECONNRESET, "the answer is cut");
	c->len += (size_t)n;
	return 0;
}

int control_read(struct control_call *c, struct control_line *ret_l,
		 struct err *err)
{
	char *line, *end;
	int r = 0;

	while (!(end = memchr(c->buf + c->at, '\n', c->len - c->at))) {
		r = fill(c, err);
		if (r < 0)
			return r;
	}
	line = c->buf + c->at;
	*end = '\0';
	c->at = (size_t)(end + 1 - c->buf);
	if (strlen(line) != (size_t)(end - line) ||
	    control_line_parse(ret_l, line) < 0)
		return err_set(err, EPROTO, "the answer is not a machine's");
	if (ret_l->kind == CONTROL_ERROR)
		return err_set(err, EREMOTEIO, "%s", ret_l->error);
	return 0;
}

void control_hang_up(struct control_call *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
