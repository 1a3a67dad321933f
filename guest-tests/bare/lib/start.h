/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * start.h - called by start.S.
 */
#ifndef MOAT_BARE_START_H
#define MOAT_BARE_START_H

#include <stdint.h>

void bare_start(const uint8_t *boot_params);

#endif
