/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/signal.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

static struct plan plan;
static struct ports ports;

/* A port or pipe without a reader is an error code, and no end of ours. */
static void ignore_sigpipe(void)
{
	const unsigned long action[4] = {1 /* SIG_IGN */, 0, 0, 0};

	(void)SYS4(__NR_rt_sigaction, SIGPIPE, action, 0, sizeof(action[0]));
}

static void report(int status, const struct counts *counts)
{
	struct text t = {.len = 0};

	text_put(&t, "exit ");
	text_put_number(&t, (uint64_t)status);
	text_put(&t, " ");
	text_put_number(&t, counts->out);
	text_put(&t, " ");
	text_put_number(&t, counts->err);
	text_put(&t, "\n");
	port_write(ports.control, t.at, t.len);
}

/* Of the way to the command; @stamps: when each part of it began, and now. */
static void tell_times(const unsigned long *stamps, unsigned n)
{
	struct text t = {.len = 0};

	text_put(&t, "took");
	for (unsigned i = 1; i < n; i++) {
		text_put(&t, " ");
		text_put_number(&t, stamps[i] - stamps[i - 1]);
	}
	text_put(&t, "\n");
	port_write(ports.control, t.at, t.len);
}

/* From _start alone. */
__attribute__((noreturn, used)) void init_main(void);

void init_main(void)
{
	struct counts counts = {0};
	struct child child;
	unsigned long stamps[4];
	int status;

	ignore_sigpipe();
	root_early();
	plan_read(&plan);
	stamps[0] = sys_now_ms();
	modules_load(&plan);
	stamps[1] = sys_now_ms();
	ports_open(&ports);
	stamps[2] = sys_now_ms();
	root_make(&plan);
	net_make(&plan);
	stamps[3] = sys_now_ms();
	tell_times(stamps, 4);
	port_write(ports.control, "run\n", 4);
	child_start(&child, &plan);
	status = relay(&child, &ports, &counts);
	(void)SYS0(__NR_sync);
	report(status, &counts);
	wait_for_the_end();
}

/* The kernel jumps here with the stack aligned; nothing is above us. */
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	call init_main\n");
