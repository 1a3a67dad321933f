/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Commands about guests that run: list, stop, console.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/command.h"
#include "vmm/cli/escape.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/status.h"
#include "vmm/cli/terminal.h"
#include "vmm/launch/registry.h"

/* How long a guest may take to end by itself, and then by force. */
#define STOP_MS	 10000
#define FORCE_MS 8000
#define INFO_MS	 2000

static char *folder(struct err *err)
{
	return registry_dir(getenv("XDG_RUNTIME_DIR"), err);
}

/* To the guest that was named. */
static int connect_to(const struct settings *s, const char *dir,
		      struct err *err)
{
	return registry_connect(dir, s->operand, err);
}

static bool is_named(const struct settings *s, const char *command,
		     struct err *err)
{
	if (!s->operand)
		(void)err_set(err, EINVAL,
			      "%s: NAME is missing ('moat list' prints them)",
			      command);
	return s->operand;
}

static int say(int fd, const char *line)
{
	const size_t len = strlen(line);

	return send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

/*
 * list
 */

/* "PID SECONDS COMMAND" of one that answers. */
static bool ask_info(int fd, char *text, size_t cap)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n = 1;

	if (say(fd, "info\n") < 0)
		return false;
	while (n > 0 && len < cap - 1 && poll(&p, 1, INFO_MS) > 0) {
		n = recv(fd, text + len, cap - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return len > 0;
}

static void print_guest(const char *dir, const char *name)
{
	AUTO_CLOSE int fd = registry_connect(dir, name, NULL);
	unsigned long long seconds;
	char text[512];
	long pid;
	int at = 0;

	if (fd < 0 || !ask_info(fd, text, sizeof(text)) ||
	    sscanf(text, "%ld %llu %n", &pid, &seconds, &at) != 2 || !at)
		return;
	printf("%-16s %8ld %5llu:%02llu  %s\n", name, pid, seconds / 60,
	       seconds % 60, text + at);
}

int command_list(struct settings *s, struct err *err)
{
	AUTO_FREE char *dir = folder(err);
	char **names;
	int n;

	(void)s;
	if (!dir)
		return STATUS_HOST;
	n = registry_list(dir, &names, err);
	if (n < 0)
		return STATUS_HOST;
	if (n > 0)
		printf("%-16s %8s %8s  %s\n", "NAME", "PROCESS", "TIME",
		       "COMMAND");
	for (int i = 0; i < n; i++)
		print_guest(dir, names[i]);
	registry_free_names(names, n);
	return STATUS_OK;
}

/*
 * stop
 */

/* Has the other side gone? */
static bool wait_for_end(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, ms) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

int command_stop(struct settings *s, struct err *err)
{
	AUTO_FREE char *dir = NULL;
	AUTO_CLOSE int fd = -1;

	if (!is_named(s, "stop", err))
		return STATUS_USAGE;
	dir = folder(err);
	if (!dir)
		return STATUS_HOST;
	fd = connect_to(s, dir, err);
	if (fd < 0)
		return STATUS_HOST;
	if (say(fd, "stop\n") < 0 || wait_for_end(fd, STOP_MS))
		return STATUS_OK;
	if (say(fd, "stop\n") < 0 || wait_for_end(fd, FORCE_MS))
		return STATUS_OK;
	(void)err_set(err, ETIMEDOUT, "guest '%s' does not end", s->operand);
	return STATUS_HOST;
}

/*
 * console
 */

/* Return: false at the end. */
static bool pass_text(int fd)
{
	char buf[2048];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	return n > 0 && fd_write_full(STDOUT_FILENO, buf, (size_t)n) == 0;
}

static bool pass_keys(int fd, struct escape *escape)
{
	uint8_t buf[256], out[257];
	const uint8_t *from = buf;
	struct escape_keys keys = {0};
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	size_t len;

	if (n <= 0)
		return false;
	len = (size_t)n;
	if (terminal_is_raw()) {
		len = escape_filter(escape, buf, len, out, &keys);
		from = out;
	}
	(void)send(fd, from, len, MSG_NOSIGNAL);
	return !keys.end;
}

static void talk(int fd)
{
	struct pollfd p[2] = {
		{.fd = fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	struct escape escape = {0};

	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[0].revents && !pass_text(fd))
			return;
		if (p[1].revents && !pass_keys(fd, &escape)) {
			if (terminal_is_raw())
				return;
			p[1].fd = -1; /* the text may go on */
		}
	}
}

int command_console(struct settings *s, struct err *err)
{
	AUTO_FREE char *dir = NULL;
	AUTO_CLOSE int fd = -1;

	if (!is_named(s, "console", err))
		return STATUS_USAGE;
	dir = folder(err);
	if (!dir)
		return STATUS_HOST;
	fd = connect_to(s, dir, err);
	if (fd < 0)
		return STATUS_HOST;
	if (say(fd, "console\n") < 0)
		return STATUS_OK;
	if (terminal_open(STDIN_FILENO))
		terminal_raw();
	talk(fd);
	terminal_close();
	return STATUS_OK;
}
