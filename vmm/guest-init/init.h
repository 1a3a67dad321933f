/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * init.h - the first process of a guest that moat launches: loads modules,
 * makes the root, runs one command, relays its streams, reports its end.
 *
 * It has no C library, no heap and one thread; vmm/launch/protocol.h says
 * what it is told and what it tells.
 */
#ifndef MOAT_VMM_GUEST_INIT_INIT_H
#define MOAT_VMM_GUEST_INIT_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/launch/protocol.h"

#define ENV_ADDED 4 /* PATH, HOME, USER, LOGNAME */

struct plan {
	const char *words; /* "key=value" and a NUL, again and again */
	const char *end;
	const char *root;     /* value of root=; "initrd" */
	const char *user;     /* NULL: root */
	const char *cwd;      /* NULL: / */
	const char *hostname; /* NULL: the kernel's */
	unsigned tty;
	const char *size; /* of the terminal, "COLS ROWS"; NULL: unknown */
	const char *argv[LAUNCH_WORDS_MAX + 1];
	/* with room for what child.c adds */
	const char *envp[LAUNCH_WORDS_MAX + ENV_ADDED + 1];
	unsigned argc, envc;
};

/* The ports' descriptors. */
struct ports {
	int control, in, out, err;
};

/* plan.c */
void plan_read(struct plan *p);
/*
 * plan_next - the next value of @key behind *@at; NULL at the end.
 * @at: NULL to begin with
 */
const char *plan_next(const struct plan *p, const char *key, const char **at);

/* fail.c: say why through whatever there is, and end. */
extern int fail_control; /* the control port, once there is one */
__attribute__((noreturn)) void fail(const char *what, const char *name,
				    long error);
/* moat has all it needs and ends the machine. */
__attribute__((noreturn)) void wait_for_the_end(void);
const char *error_text(long error);

/* modules.c */
void modules_load(const struct plan *p);

/* ports.c */
void ports_open(struct ports *ports);
void port_write(int fd, const char *text, unsigned long len);

/* terminal.c: tell the terminal at @fd its size, "COLS ROWS". */
void terminal_resize(int fd, const char *size);

/* root.c */
void root_early(void); /* /dev, /proc, /sys of the initramfs */
void root_make(const struct plan *p);

/* net.c: bring the network up. */
void net_make(const struct plan *p);

/* child.c: complete its environment and start the command; its ends of the
 * streams are closed here. */
struct child {
	int pid;
	int master;	  /* of the terminal; -1: none */
	int in, out, err; /* our ends; -1: none, or the terminal */
};
void child_start(struct child *c, struct plan *p);

/* user.c */
struct user {
	uint32_t uid, gid;
	uint32_t groups[64];
	unsigned ngroups;
	char name[64], home[256];
};
void user_find(struct user *u, const char *name);

/* relay.c: until the command has ended and all is relayed.
 * Return: its status, as a shell shows it. */
struct counts {
	uint64_t out, err;
};
int relay(const struct child *c, const struct ports *ports,
	  struct counts *ret_counts);

#endif
