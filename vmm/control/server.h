/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * server.h - answers who asks about a machine, at a unix socket.
 *
 * A thread of its own: it may have to wait for the IOMMU's lock, which the
 * machine's loop must not.  It takes one client at a time; one that does not
 * send its request or does not read the answer is dropped after a bound.
 */
#ifndef MOAT_VMM_CONTROL_SERVER_H
#define MOAT_VMM_CONTROL_SERVER_H

struct control;
struct err;
struct mach;

/* A client has so long to send its request, and to take the answer. */
#define CONTROL_PATIENCE_MS 1000
/* Mappings in one answer: the IOMMU's lock is held for so many at a time. */
#define CONTROL_PAGE 128
/* The largest mapping is looked for among so many of an endpoint. */
#define CONTROL_EXAMINED_MAX 16384

/*
 * control_new - listen and answer.
 * @m: borrowed; outlives the server
 * @path: socket_path_check() took it; copied.  NULL: none
 * @named: another one that is there if it can be; NULL: none
 *
 * Return: 0; as socket_server_open(); -ENOMEM; with a sentence.
 */
int control_new(struct control **ret_c, struct mach *m, const char *path,
		const char *named, struct err *err);
/* Takes the sockets' files away, too, if they are still ours.  NULL is none. */
void control_free(struct control *c);

#endif
