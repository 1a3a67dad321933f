/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * service.h - what a running guest answers to "moat list", "moat stop" and
 * "moat console": the socket of vmm/launch/registry.h.
 *
 * Who can connect is the user who runs it.  Clients are bounded, slow ones
 * lose text, and none of them can make the guest wait.
 *
 * Threads: served on the machine's loop; service_seen() from any.
 */
#ifndef MOAT_VMM_CLI_SERVICE_H
#define MOAT_VMM_CLI_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"
#include "vmm/launch/registry.h"

struct err;
struct service;

#define SERVICE_CLIENTS 8

/* On the loop, no lock held. */
struct service_ops {
	/* The guest is to end; @again: it has been asked before. */
	void (*stop)(struct service *s, bool again);
	/* For the guest's console. */
	void (*typed)(struct service *s, const uint8_t *buf, size_t len);
};

struct service_client {
	struct service *s;
	struct loop_watch watch;
	int fd; /* -1: free */
	bool console;
	char line[16];
	size_t len;
};

struct service {
	const struct service_ops *ops;
	char *dir, *info;
	char name[REGISTRY_NAME_MAX + 1];
	int fd; /* -1: none */
	uint64_t started_s;
	bool asked;
	struct loop_watch watch;
	pthread_mutex_t lock; /* a leaf; of the clients' fd and console */
	struct service_client clients[SERVICE_CLIENTS];
};

/*
 * service_init - listen under @name; NULL: the process's number, and a failure
 * is none.
 * @words: what runs, for the list; up to a NULL
 *
 * Return: 0 or -errno with a sentence; service_fini() only after 0.
 */
int service_init(struct service *s, const struct service_ops *ops,
		 const char *name, const char *const *words, struct err *err);
void service_fini(struct service *s);

/* The process ends without service_fini(): remove its sockets.  Any thread;
 * nothing is freed. */
void service_forget(const struct service *s);

/* Return: 0 or -errno; detach in any case. */
int service_attach(struct service *s, struct loop *loop, struct err *err);
/* The loop does not run. */
void service_detach(struct service *s);

/* Where the guest of this name can be asked more.
 * Return: to be freed; NULL if it has no name, or no memory. */
char *service_control_path(const struct service *s);

/* The guest's console has said this. */
void service_seen(struct service *s, const uint8_t *buf, size_t len);

#endif
