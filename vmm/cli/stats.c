/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "core/err.h"
#include "vmm/cli/ask.h"
#include "vmm/cli/command.h"
#include "vmm/cli/settings.h"

static void print_head(void)
{
	printf("%-8s %-14s %12s %14s %14s %12s %12s  %s\n", "DEVICE", "KIND",
	       "REQUESTS", "READ", "WRITTEN", "KICKS", "INTERRUPTS", "MORE");
}

/* What is 0 on most devices. */
static void print_rare(const char *name, uint64_t n)
{
	if (n > 0)
		printf(" %s=%" PRIu64, name, n);
}

static void print_device(const struct control_line *l)
{
	const struct mach_device_stats *d = &l->device;

	printf("%-8s %-14s %12" PRIu64 " %14" PRIu64 " %14" PRIu64 " %12" PRIu64
	       " %12" PRIu64 " ",
	       d->name, d->kind, d->requests, d->read, d->written, d->kicks,
	       d->interrupts);
	print_rare("errors", d->errors);
	print_rare("full", d->full);
	print_rare("throttled", d->throttled);
	for (unsigned i = 0; i < d->nmore; i++)
		printf(" %s=%" PRIu64, d->more[i].name, d->more[i].value);
	putchar('\n');
}

static const struct ask_table devices = {
	.kind = CONTROL_DEVICE,
	.head = print_head,
	.row = print_device,
};

int command_stats(struct settings *s, struct err *err)
{
	struct ask a;
	int r = ask_init(&a, s, err);

	if (r == 0)
		r = ask_again(&a, "stats\n", &devices, err);
	ask_fini(&a);
	return ask_status(r, "stats", err);
}
