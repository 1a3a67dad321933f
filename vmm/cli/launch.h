/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * launch.h - "moat run -- COMMAND": one command in a guest, its streams and
 * its exit status those of moat.  For vmm/cli/launch*.c.
 */
#ifndef MOAT_VMM_CLI_LAUNCH_H
#define MOAT_VMM_CLI_LAUNCH_H

#include <stdbool.h>
#include <stdio.h>

#include "core/buf.h"
#include "core/loop.h"
#include "vmm/cli/guard.h"
#include "vmm/cli/host_console.h"
#include "vmm/cli/service.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/tail.h"
#include "vmm/launch/kernel.h"
#include "vmm/launch/plan.h"
#include "vmm/launch/session.h"
#include "vmm/machine/machine.h"

/* A kernel that has not come to its first process by then is stuck. */
#define LAUNCH_BOOT_MS 120000

enum launch_stream { LAUNCH_IN, LAUNCH_OUT, LAUNCH_ERR, LAUNCH_STREAMS };

/* Seconds of CLOCK_MONOTONIC; 0: not yet. */
struct launch_times {
	double start;	/* of us */
	double machine; /* of making it: KVM, devices, the kernel loaded */
	double guest;	/* of its processors */
	double command;
	double exited; /* the command */
	double ended;  /* the machine */
};

struct launch {
	struct settings *settings;
	struct mach_config config; /* the settings' with what is added */
	struct launch_kernel kernel;
	char *cmdline;
	struct buf archive;
	struct launch_mount mounts[MACH_SHARES_MAX];
	struct launch_net nets[MACH_NETS_MAX];
	unsigned tty; /* LAUNCH_TTY_... */
	struct mach *m;
	struct guard guard;
	struct session session;
	struct service service;
	struct host_console streams[LAUNCH_STREAMS];
	struct host_console kernel_text;
	unsigned nconsoles; /* of the four that are made */
	struct tail tail;   /* of the kernel's text */
	struct loop_timer boot_timer;
	struct loop_timer trim;
	struct launch_times times;
	uint16_t cols, rows; /* what the guest knows */
	/* On the loop; read when it runs no more. */
	bool input_over, closed_input;
	bool stuck;
	bool draining;
	unsigned caught_up, wanted; /* streams */
	unsigned drain_waits;
	FILE *junit; /* NULL: none */
	/* What kept the command from its end, for the report; NULL: nothing. */
	const char *trouble;
	char why[256];
};

/* launch_config.c: fill in config, cmdline and archive.
 * Return: 0 or -errno with a sentence. */
int launch_configure(struct launch *l, struct err *err);

/* launch_root.c: what the command sees as /, its folders, and where it is in
 * them.  Return: 0 or -errno with a sentence. */
int launch_choose_root(struct launch *l, struct launch_plan *p,
		       struct err *err);

/* launch_streams.c */
int launch_make_streams(struct launch *l, struct err *err);
int launch_attach_streams(struct launch *l, struct err *err);
void launch_detach_streams(struct launch *l);
void launch_drain_streams(struct launch *l);
void launch_fini_streams(struct launch *l);
/* The session's news changed; on the loop. */
void launch_news(struct launch *l);
/* The window may have another size; any thread. */
void launch_resized(struct launch *l);

/* launch.c: LAUNCH_BOOT_MS, or what a test has asked for. */
uint64_t launch_boot_ms(const struct launch *l);

/* launch_times.c */
double launch_now(void);
/* With --verbose: where the time has gone, for a command that ended. */
void launch_report_times(const struct launch *l,
			 const struct session_news *news);

/* launch_end.c: open settings.junit_path, if there is one, before anything is
 * started; write and close it.  Return: 0 or -errno with a sentence. */
int launch_open_junit(struct launch *l, struct err *err);
int launch_write_junit(struct launch *l, int status, struct err *err);
/* Say how it ended, and note it for that report.  Return: moat's exit status. */
int launch_report(struct launch *l, enum mach_outcome outcome);

#endif
