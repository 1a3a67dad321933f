/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * host_report.h - what a host has and lacks for guests, in plain words.
 */
#ifndef MOAT_VMM_CLI_HOST_REPORT_H
#define MOAT_VMM_CLI_HOST_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/machine/host.h"

/*
 * host_report - a line for each fact: "ok", "note" (guests run, something
 * could be better) or "MISSING" with what to do about it; then the verdict.
 *
 * Return: true if stock guests run here.
 */
bool host_report(const struct mach_host *h, FILE *out);

#endif
