/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * status.h - exit statuses of the moat command.
 */
#ifndef MOAT_VMM_CLI_STATUS_H
#define MOAT_VMM_CLI_STATUS_H

enum cli_status {
	STATUS_OK = 0,	  /* power-off; a reboot with --no-reboot */
	STATUS_HOST = 1,  /* the host's fault */
	STATUS_USAGE = 2, /* the command line's */
	STATUS_TIMEOUT = 124,
	STATUS_LAUNCH = 125, /* with a command in the guest: instead of 1, 2 */
	STATUS_SIGNAL = 128, /* and its number, as shells show it */
	STATUS_GUEST = 255,  /* panic or crash */
};

#endif
