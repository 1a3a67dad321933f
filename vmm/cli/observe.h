/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * observe.h - what a run lets see of its machine: --trace, --control and the
 * socket of its name, and the counts that --verbose tells at the end.
 */
#ifndef MOAT_VMM_CLI_OBSERVE_H
#define MOAT_VMM_CLI_OBSERVE_H

struct control;
struct err;
struct mach;
struct service;
struct settings;

/*
 * observe_start - as @s asks for, before the machine runs.
 * @service: under whose name others can ask, too
 * @ret_c: for observe_stop(); NULL if nobody can ask
 *
 * Return: 0 or -errno with a sentence.
 */
int observe_start(struct control **ret_c, const struct settings *s,
		  struct mach *m, const struct service *service,
		  struct err *err);
/* Before the machine is freed.  Accepts NULL. */
void observe_stop(struct control *c);

/* What the IOMMU and the networks saw, and which exits the guest made; after
 * the run. */
void observe_report(struct mach *m);

#endif
