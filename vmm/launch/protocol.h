/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * protocol.h - what moat and its init in the guest agree on.
 *
 * Instructions: the file LAUNCH_PLAN in the initramfs, "key=value" words,
 * each ended by a NUL, obeyed in their order where that matters:
 *
 *	module=FILE		load LAUNCH_MODULES/FILE
 *	tty=BITS		which of 1 (in), 2 (out), 4 (errors) are a
 *				terminal; the others are pipes
 *	size=COLS ROWS		of that terminal
 *	root=initrd		stay here
 *	root=disk:DEV:TYPE	mount it read-only under an overlay,
 *	root=rwdisk:DEV:TYPE	or writable
 *	root=share:TAG		the same of a virtiofs, under an overlay
 *	mount=TAG:MODE:PATH	a virtiofs, MODE ro or rw
 *	net=MAC ADDRESS BITS GATEWAY DNS
 *				a network card to bring up, and its addresses,
 *				each "-" if there is none
 *	hostname=NAME
 *	cwd=PATH
 *	user=NAME|UID[:GID]
 *	env=KEY=VALUE
 *	arg=WORD		the command and its arguments
 *
 * Ports of the virtio console, by name; the control port carries lines:
 *
 *	init:	up			it runs
 *		took MODULES PORTS ROOT	how long that has taken, milliseconds
 *		run			all ports are open, the command starts
 *		fail TEXT		what could not be set up; the end
 *		exit STATUS OUT ERR	as a shell shows it, and how many
 *					bytes went to both ports; the end
 *	(After "the end" init waits until moat ends the machine: it knows
 *	when it has all bytes.)
 *	moat:	signal N		for the command's process group
 *		size COLS ROWS		of the terminal
 */
#ifndef MOAT_VMM_LAUNCH_PROTOCOL_H
#define MOAT_VMM_LAUNCH_PROTOCOL_H

#define LAUNCH_DIR     "moat" /* in the initramfs */
#define LAUNCH_INIT    LAUNCH_DIR "/init"
#define LAUNCH_PLAN    LAUNCH_DIR "/plan"
#define LAUNCH_MODULES LAUNCH_DIR "/modules"

#define LAUNCH_PORT_CONTROL "moat.control"
#define LAUNCH_PORT_IN	    "moat.stdin"
#define LAUNCH_PORT_OUT	    "moat.stdout"
#define LAUNCH_PORT_ERR	    "moat.stderr"

#define LAUNCH_TTY_IN  1
#define LAUNCH_TTY_OUT 2
#define LAUNCH_TTY_ERR 4

/* What init has room for: bytes of LAUNCH_PLAN, words of the command, and as
 * many of its environment. */
#define LAUNCH_PLAN_MAX	 (2 * 1024 * 1024)
#define LAUNCH_WORDS_MAX 65536

/* Of the control port, with its newline. */
#define LAUNCH_LINE_MAX 512

#endif
