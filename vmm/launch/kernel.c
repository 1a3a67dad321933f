/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/kernel.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/bzimage.h"
#include "core/err.h"
#include "core/fd.h"

#define VERSION_MAX 128

static char *join(const char *a, const char *b, const char *c)
{
	char *path;

	return asprintf(&path, "%s%s%s", a, b, c) < 0 ? NULL : path;
}

/*
 * The kernel.
 */

static const char *version_in_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *dash = strchr(base, '-');

	return dash ? dash + 1 : "";
}

/* By version, whatever the packages are called. */
static char *newest(char *const *paths, size_t n)
{
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (access(paths[i], R_OK) < 0)
			continue;
		if (!best || strverscmp(version_in_path(paths[i]),
					version_in_path(best)) > 0)
			best = paths[i];
	}
	return best ? strdup(best) : NULL;
}

static char *find_in_cache(const char *cache)
{
	AUTO_FREE char *pattern =
		join(cache, "/linux-image-*/boot/vmlinuz-*", "");
	char *found = NULL;
	glob_t g;

	if (pattern && glob(pattern, 0, NULL, &g) == 0) {
		found = newest(g.gl_pathv, g.gl_pathc);
		globfree(&g);
	}
	return found;
}

static int none_found(const char *host, int why, struct err *err)
{
	return err_set(err, why,
		       "no kernel: '%s' %s, and the cache has none; give "
		       "--kernel FILE, or run tools/fetch-kernel",
		       host, why == ENOENT ? "is not there" : "cannot be read");
}

static int choose(struct launch_kernel *k, const struct launch_kernel_places *p,
		  struct err *err)
{
	AUTO_FREE char *host = join(p->boot, "/vmlinuz-", p->release);
	int why;

	if (!host)
		return err_set(err, ENOMEM, "out of memory");
	if (access(host, R_OK) == 0) {
		k->path = take_ptr(&host);
		k->from = "the host's own";
		return 0;
	}
	why = errno;
	if (p->cache)
		k->path = find_in_cache(p->cache);
	k->from = "from the cache";
	return k->path ? 0 : none_found(host, why, err);
}

/*
 * Its modules.
 */

/* "6.12.1-amd64 (builder@host) #1 ...": the first word. */
static bool read_version(const char *path, char *version, struct err *err)
{
	struct image im;
	bool found = false;

	if (image_open(&im, path, err) == 0)
		found = bzimage_is(&im) &&
			bzimage_version(&im, version, VERSION_MAX) == 0;
	image_close(&im);
	return found;
}

static bool has_modules(const char *dir)
{
	AUTO_FREE char *dep = join(dir, "/modules.dep", "");

	return dep && access(dep, R_OK) == 0;
}

/* Below the folder of @path, or beside it, or the host's. */
static char *find_modules(const char *path, const char *version,
			  const char *host)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir =
		slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	char *tries[3] = {
		dir ? join(dir, "/../lib/modules/", version) : NULL,
		dir ? join(dir, "/lib/modules/", version) : NULL,
		join(host, "/", version),
	};
	char *found = NULL;

	for (int i = 0; i < 3; i++) {
		if (!found && tries[i] && has_modules(tries[i]))
			found = tries[i];
		else
			free(tries[i]);
	}
	return found;
}

static int choose_modules(struct launch_kernel *k,
			  const struct launch_kernel_places *p,
			  const char *asked, struct err *err)
{
	char version[VERSION_MAX];

	if (asked && !has_modules(asked))
		return err_set(err, ENOENT,
			       "--modules '%s': there is no modules.dep in it "
			       "(depmod makes it)",
			       asked);
	if (asked) {
		k->modules = strdup(asked);
		return k->modules ? 0 : err_set(err, ENOMEM, "out of memory");
	}
	if (!read_version(k->path, version, NULL))
		(void)snprintf(version, sizeof(version), "%s",
			       version_in_path(k->path));
	if (version[0])
		k->modules = find_modules(k->path, version, p->modules);
	return 0;
}

int launch_kernel_choose(struct launch_kernel *ret_k,
			 const struct launch_kernel_places *places,
			 const char *asked, const char *modules,
			 struct err *err)
{
	struct launch_kernel k = {.from = "as asked"};
	int r = 0;

	if (asked) {
		k.path = strdup(asked);
		if (!k.path)
			r = err_set(err, ENOMEM, "out of memory");
	} else {
		r = choose(&k, places, err);
	}
	if (r == 0)
		r = choose_modules(&k, places, modules, err);
	if (r < 0) {
		launch_kernel_fini(&k);
		return r;
	}
	*ret_k = k;
	return 0;
}

void launch_kernel_fini(struct launch_kernel *k)
{
	free(k->path);
	free(k->modules);
	*k = (struct launch_kernel){0};
}
