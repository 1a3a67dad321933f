/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Stands in for engine_uring.c in builds without liburing.
 */
#include <errno.h>

#include "devices/blk/engine.h"

int blk_uring_new(struct blk_engine **ret_e, const struct blk_engine_env *env)
{
	(void)ret_e;
	(void)env;
	return -ENOSYS;
}
