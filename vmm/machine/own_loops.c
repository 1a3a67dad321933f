/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/own_loops.h"

#include <errno.h>
#include <stdlib.h>

#include "core/err.h"
#include "core/loop.h"

int own_loops_init(struct own_loops *o, unsigned n, struct err *err)
{
	o->loops = calloc(n, sizeof(struct loop *));
	o->threads = calloc(n, sizeof(*o->threads));
	if (!o->loops || !o->threads)
		return err_set(err, ENOMEM, "out of memory");
	for (; o->n < n; o->n++) {
		int r = loop_new(&o->loops[o->n], err);

		if (r < 0)
			return r;
	}
	return 0;
}

void own_loops_fini(struct own_loops *o)
{
	for (unsigned i = 0; i < o->n; i++)
		loop_free(o->loops[i]);
	free(o->loops);
	free(o->threads);
	*o = (struct own_loops){0};
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

int own_loops_start(struct own_loops *o, const char *name, struct err *err)
{
	for (; o->running < o->n; o->running++) {
		int r = pthread_create(&o->threads[o->running], NULL,
				       loop_thread, o->loops[o->running]);

		if (r)
			return err_errno(err, r, "cannot start a thread of %s",
					 name);
		pthread_setname_np(o->threads[o->running], name);
	}
	return 0;
}

void own_loops_stop(struct own_loops *o)
{
	for (; o->running > 0; o->running--) {
		loop_stop(o->loops[o->running - 1]);
		pthread_join(o->threads[o->running - 1], NULL);
	}
}
