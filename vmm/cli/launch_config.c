/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/launch.h"
#include "vmm/cli/report.h"
#include "vmm/cli/terminal.h"
#include "vmm/launch/plan.h"

/*
 * The kernel is asked to be quiet because each letter on the serial console
 * is an exit; its warnings, errors and panics come all the same.
 */
static int make_cmdline(struct launch *l, struct err *err)
{
	const char *user = l->config.cmdline;

	if (asprintf(&l->cmdline, "%srdinit=/%s%s%s",
		     l->settings->log_path ? "" : "quiet loglevel=4 ",
		     LAUNCH_INIT, user ? " " : "", user ? user : "") < 0) {
		l->cmdline = NULL;
		return err_set(err, ENOMEM, "out of memory");
	}
	l->config.cmdline = l->cmdline;
	return 0;
}

static int choose_kernel(struct launch *l, struct err *err)
{
	const struct settings *s = l->settings;
	struct utsname host;
	struct launch_kernel_places places = {
		.boot = "/boot",
		.release = "unknown",
		.cache = s->machine.cache_dir,
		.modules = "/lib/modules",
	};
	int r;

	if (uname(&host) == 0)
		places.release = host.release;
	r = launch_kernel_choose(&l->kernel, &places, s->machine.kernel,
				 s->modules, err);
	if (r < 0)
		return r;
	l->config.kernel = l->kernel.path;
	if (!s->machine.kernel || s->verbosity > 0)
		report("kernel '%s', %s", l->kernel.path, l->kernel.from);
	if (s->verbosity > 0)
		report("its modules: %s",
		       l->kernel.modules ? l->kernel.modules : "none found");
	return 0;
}

/*
 * The networks.
 */

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void set_nets(struct launch *l, struct launch_plan *p)
{
	const struct mach_config *c = &l->config;

	for (unsigned i = 0; i < c->nnets; i++) {
		const struct mach_net *n = &c->nets[i];

		l->nets[i] = (struct launch_net){
			.address = or_null(n->address),
			.prefix = n->prefix,
			.gateway = or_null(n->gateway),
			.dns = or_null(n->dns),
		};
		mach_net_mac(n, i, l->nets[i].mac);
	}
	p->nets = l->nets;
	p->nnets = c->nnets;
}

/*
 * The terminal.
 */

/* One in the guest where there is one here to type at and to look at. */
static unsigned choose_tty(void)
{
	unsigned tty = 0;

	if (!isatty(STDIN_FILENO))
		return 0;
	if (isatty(STDOUT_FILENO))
		tty |= LAUNCH_TTY_OUT;
	if (isatty(STDERR_FILENO))
		tty |= LAUNCH_TTY_ERR;
	return tty ? tty | LAUNCH_TTY_IN : 0;
}

static int add_term(struct launch *l, struct err *err)
{
	struct settings *s = l->settings;
	const char *term = getenv("TERM");
	char *word;
	int r;

	for (size_t i = 0; i < s->nenv; i++) {
		if (strncmp(s->env[i], "TERM=", 5) == 0)
			return 0;
	}
	if (asprintf(&word, "TERM=%s", term ? term : "dumb") < 0)
		word = NULL;
	r = settings_keep(s, word, err);
	return r < 0 ? r : settings_add_env(s, word, err);
}

static int set_terminal(struct launch *l, struct launch_plan *p,
			struct err *err)
{
	l->tty = choose_tty();
	p->tty = l->tty;
	if (!l->tty)
		return 0;
	if (terminal_size(STDIN_FILENO, &l->cols, &l->rows)) {
		p->cols = l->cols;
		p->rows = l->rows;
	}
	return add_term(l, err);
}

/*
 * All of it.
 */

static void set_machine(struct launch *l)
{
	static const char *const ports[] = {
		LAUNCH_PORT_CONTROL,
		LAUNCH_PORT_IN,
		LAUNCH_PORT_OUT,
		LAUNCH_PORT_ERR,
	};
	struct mach_config *c = &l->config;

	c->console = MACH_CONSOLE_SERIAL;
	c->reboot = false;
	c->nports = sizeof(ports) / sizeof(ports[0]);
	memcpy(c->ports, ports, sizeof(ports));
	c->terse_ports = ~(1u << 1); /* all but the command's input */
	c->archive = l->archive.data;
	c->archive_len = l->archive.len;
}

int launch_configure(struct launch *l, struct err *err)
{
	struct settings *s = l->settings;
	struct launch_plan plan = {
		.hostname = "moat",
		.user = s->user,
		.disks = s->machine.ndisks > 0,
		.argv = (const char *const *)s->command,
	};
	int r;

	l->config = s->machine;
	r = choose_kernel(l, err);
	if (r == 0)
		r = make_cmdline(l, err);
	if (r == 0)
		r = launch_choose_root(l, &plan, err);
	if (r == 0)
		r = set_terminal(l, &plan, err);
	if (r < 0)
		return r;
	set_nets(l, &plan);
	plan.modules = l->kernel.modules;
	plan.cache = s->machine.cache_dir;
	plan.env = s->env;
	r = launch_plan_write(&plan, &l->archive, err);
	if (r == 0)
		set_machine(l);
	return r;
}
