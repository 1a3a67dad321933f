/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"

static uint64_t now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

/*
 * Clients.
 */

static void drop(struct service_client *c)
{
	const int fd = c->fd;

	loop_watch_del(&c->watch);
	pthread_mutex_lock(&c->s->lock);
	c->fd = -1;
	c->console = false;
	pthread_mutex_unlock(&c->s->lock);
	close(fd);
}

static void answer_info(struct service_client *c)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%ld %llu %s\n", (long)getpid(),
			 (unsigned long long)(now_s() - c->s->started_s),
			 c->s->info);

	(void)send(c->fd, text, min_u64((uint64_t)n, sizeof(text) - 1),
		   MSG_DONTWAIT | MSG_NOSIGNAL);
	drop(c);
}

static void obey(struct service_client *c)
{
	struct service *s = c->s;
	const bool again = s->asked;

	if (strcmp(c->line, "info") == 0) {
		answer_info(c);
	} else if (strcmp(c->line, "stop") == 0) {
		s->asked = true;
		s->ops->stop(s, again);
	} else if (strcmp(c->line, "console") == 0) {
		pthread_mutex_lock(&s->lock);
		c->console = true;
		pthread_mutex_unlock(&s->lock);
	} else {
		drop(c);
	}
}

static void take_line(struct service_client *c, char byte)
{
	if (byte != '\n') {
		if (c->len < sizeof(c->line) - 1)
			c->line[c->len++] = byte;
		return;
	}
	c->line[c->len] = '\0';
	c->len = 0;
	obey(c);
}

static void client_ready(struct loop_watch *w, uint32_t events)
{
	struct service_client *c =
		container_of(w, struct service_client, watch);
	char buf[256];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	ssize_t i;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	for (i = 0; i < n && c->fd >= 0 && !c->console; i++)
		take_line(c, buf[i]);
	if (i < n && c->fd >= 0)
		c->s->ops->typed(c->s, (const uint8_t *)buf + i,
				 (size_t)(n - i));
}

static struct service_client *free_client(struct service *s)
{
	for (unsigned i = 0; i < SERVICE_CLIENTS; i++) {
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	}
	return NULL;
}

/* One too many is shown the door. */
static void somebody_comes(struct loop_watch *w, uint32_t events)
{
	struct service *s = container_of(w, struct service, watch);
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct service_client *c = free_client(s);

	(void)events;
	if (fd < 0)
		return;
	if (!c || loop_watch_add(w->loop, &c->watch, fd, EPOLLIN) < 0) {
		close(fd);
		return;
	}
	c->len = 0;
	pthread_mutex_lock(&s->lock);
	c->fd = fd;
	pthread_mutex_unlock(&s->lock);
}

void service_seen(struct service *s, const uint8_t *buf, size_t len)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < SERVICE_CLIENTS; i++) {
		if (s->clients[i].fd >= 0 && s->clients[i].console)
			(void)send(s->clients[i].fd, buf, len,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	pthread_mutex_unlock(&s->lock);
}

/*
 * Life.
 */

static char *join_words(const char *const *words)
{
	struct buf b;

	buf_init(&b);
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			buf_put(&b, " ", 1);
		buf_put(&b, words[i], strlen(words[i]));
	}
	buf_put(&b, "", 1);
	if (buf_error(&b) < 0) {
		buf_fini(&b);
		return NULL;
	}
	for (char *p = (char *)b.data; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return (char *)b.data;
}

static int listen_as(struct service *s, const char *name, struct err *err)
{
	int fd, r = 0;

	if (name)
		r = registry_check_name(name, err);
	if (r < 0) {
		err_prefix(err, "--name '%.60s'", name);
		return r;
	}
	(void)snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	if (!name)
		(void)snprintf(s->name, sizeof(s->name), "%ld", (long)getpid());
	s->dir = registry_dir(getenv("XDG_RUNTIME_DIR"), err);
	if (!s->dir)
		return -EPERM;
	fd = registry_add(s->dir, s->name, err);
	if (fd < 0)
		return fd;
	s->fd = fd;
	return 0;
}

int service_init(struct service *s, const struct service_ops *ops,
		 const char *name, const char *const *words, struct err *err)
{
	int r;

	*s = (struct service){
		.ops = ops,
		.fd = -1,
		.started_s = now_s(),
		.watch.fn = somebody_comes,
	};
	for (unsigned i = 0; i < SERVICE_CLIENTS; i++)
		s->clients[i] = (struct service_client){
			.s = s, .fd = -1, .watch.fn = client_ready};
	pthread_mutex_init(&s->lock, NULL);
	s->info = join_words(words);
	if (!s->info)
		r = err_set(err, ENOMEM, "out of memory");
	else
		r = listen_as(s, name, name ? err : NULL);
	if (r < 0 && (name || !s->info)) {
		service_fini(s);
		return r;
	}
	return 0;
}

void service_forget(const struct service *s)
{
	if (s->fd >= 0)
		registry_remove(s->dir, s->name);
}

void service_fini(struct service *s)
{
	if (s->fd >= 0) {
		registry_remove(s->dir, s->name);
		close(s->fd);
	}
	free(s->dir);
	free(s->info);
	pthread_mutex_destroy(&s->lock);
}

char *service_control_path(const struct service *s)
{
	return s->fd < 0 ? NULL : registry_control_path(s->dir, s->name);
}

int service_attach(struct service *s, struct loop *loop, struct err *err)
{
	int r;

	if (s->fd < 0)
		return 0;
	r = loop_watch_add(loop, &s->watch, s->fd, EPOLLIN);
	return r < 0 ? err_errno(err, -r, "cannot watch a socket") : 0;
}

void service_detach(struct service *s)
{
	loop_watch_del(&s->watch);
	for (unsigned i = 0; i < SERVICE_CLIENTS; i++) {
		if (s->clients[i].fd >= 0)
			drop(&s->clients[i]);
	}
}
