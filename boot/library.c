/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/library.h"

#include <dlfcn.h>
#include <string.h>

static bool find_functions(const struct library *l, void *handle, char *to)
{
	for (size_t i = 0; i < l->nfunctions; i++) {
		void *p = dlsym(handle, l->functions[i].name);

		if (!p)
			return false;
		/* C has no cast from an object's pointer to a function's. */
		if (to)
			memcpy(to + l->functions[i].at, &p, sizeof(p));
	}
	return true;
}

bool library_link(const struct library *l, void *ret_pointers)
{
	/* NODELETE, so that nobody has to keep the handle. */
	void *handle = dlopen(l->file, RTLD_NOW | RTLD_NODELETE);
	bool found;

	if (!handle)
		return false;
	found = find_functions(l, handle, ret_pointers);
	dlclose(handle);
	return found;
}
