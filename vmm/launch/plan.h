/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * plan.h - what moat's init does in the guest, as one archive: init itself,
 * the kernel modules, and its instructions (vmm/launch/protocol.h).
 */
#ifndef MOAT_VMM_LAUNCH_PLAN_H
#define MOAT_VMM_LAUNCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum launch_root {
	LAUNCH_ROOT_INITRD, /* the user's initrd is the root */
	LAUNCH_ROOT_DISK,   /* a disk, under an overlay */
	LAUNCH_ROOT_RWDISK,
	LAUNCH_ROOT_SHARE, /* a virtiofs, under an overlay */
};

struct launch_mount {
	const char *tag;
	const char *path; /* in the guest, absolute */
	bool readonly;
};

/* A network card, and what it has to be told; NULL: nothing. */
struct launch_net {
	uint8_t mac[6];	     /* which one it is */
	const char *address; /* "A.B.C.D" */
	unsigned prefix;     /* bits of the network, with @address */
	const char *gateway, *dns;
};

/* Strings are the caller's. */
struct launch_plan {
	const char *modules; /* the folder; NULL: the kernel needs none */
	const char *cache;   /* boot/cache.h; NULL: none */
	enum launch_root root;
	const char *root_source; /* "/dev/vda", or the share's tag */
	const char *root_type;	 /* the disk's file system: "ext4" */
	const struct launch_mount *mounts;
	size_t nmounts;
	const struct launch_net *nets;
	size_t nnets;
	bool disks;		 /* there are some */
	unsigned tty;		 /* LAUNCH_TTY_... */
	unsigned cols, rows;	 /* of it; 0: unknown */
	const char *hostname;	 /* NULL: the kernel's */
	const char *cwd;	 /* NULL: / */
	const char *user;	 /* NULL: root */
	const char *const *env;	 /* "KEY=VALUE", up to a NULL */
	const char *const *argv; /* the command, up to a NULL */
};

/*
 * launch_plan_write - append the archive to @b.
 *
 * Return: 0; -ENODEV if the kernel lacks a driver that the plan needs; -E2BIG
 * if init has no room for so long a command; -errno; all with a sentence.
 */
int launch_plan_write(const struct launch_plan *p, struct buf *b,
		      struct err *err);

#endif
