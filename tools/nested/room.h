/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * room.h - where one command runs inside the nested host.
 *
 * A room has its own processes, mounts, network and IPC.  Its file system is
 * the outer host's, as it is when the room is made; what is written there
 * lies in memory and goes away with the room, but for the shared directories,
 * which are the host's own.  A room ends with its command and takes all
 * processes with it.
 */
#ifndef MOAT_NESTED_ROOM_H
#define MOAT_NESTED_ROOM_H

#include <stdint.h>
#include <sys/types.h>

#define ROOM_HOST_RO "/host/ro"
#define ROOM_HOST_RW "/host/rw"
#define ROOM_MOUNT   "/room"

struct room_job {
	char *cwd;
	char **shares; /* absolute paths, NULL at the end */
	char **argv;
	char **envp;
	int fds[3]; /* stdin, stdout, stderr of the command */
};

enum room_event {
	ROOM_STARTED,
	ROOM_FAILED, /* value: exit status to give, text: why */
	ROOM_EXITED, /* value: wait status */
};

struct room_report {
	int32_t event;
	int32_t value;
	char text[248];
};

/*
 * room_start - make a room and run a command in it.
 * @control: a SOCK_SEQPACKET socket.  The room sends its reports there and
 *	takes signal numbers (one byte each) for the command's process group;
 *	the room ends when the other side is closed.
 *
 * The caller keeps its descriptors.  Kill the room by SIGKILL to the pid.
 *
 * Return: the pid of the room's init, or -errno.
 */
pid_t room_start(const struct room_job *job, int control);

#endif
