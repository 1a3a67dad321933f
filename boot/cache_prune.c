/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/cache_prune.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(CACHE_TEMPORARY_PREFIX) + 16 <= CACHE_NAME_SIZE, "names");

/* A store takes a second; one this old was interrupted. */
enum { TEMPORARY_AGE_MAX_S = 3600 };

struct file {
	char name[CACHE_NAME_SIZE];
	struct timespec used;
};

/* The files used last, newest first. */
struct newest {
	const char *prefix;
	unsigned n, max;
	struct file files[CACHE_ALIASES_MAX + 1];
};
static_assert(CACHE_ALIASES_MAX >= CACHE_KERNELS_MAX, "one size for all");
static_assert(CACHE_ALIASES_MAX >= CACHE_MODULES_MAX, "one size for all");

const char *cache_prefix(enum cache_kind kind)
{
	return kind == CACHE_KERNEL ? "kernel-" : "modules-";
}

/* @prefix and 16 hexadecimal digits, as cache.c names its files? */
static bool is_named(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && strlen(name) == len + 16 &&
	       strspn(name + len, "0123456789abcdef") == 16;
}

static bool is_older(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Puts the file in its place; the one that falls off the end is removed. */
static void keep_or_remove(int dirfd, struct newest *list, const char *name,
			   struct timespec used)
{
	unsigned i = list->n;

	for (; i > 0 && is_older(list->files[i - 1].used, used); i--)
		list->files[i] = list->files[i - 1];
	memcpy(list->files[i].name, name, strlen(name) + 1);
	list->files[i].used = used;
	if (list->n < list->max)
		list->n++;
	else
		(void)unlinkat(dirfd, list->files[list->n].name, 0);
}

static void look_at(int dirfd, struct newest *list, const char *name)
{
	const bool listed = is_named(name, list->prefix);
	struct stat st;

	if (!listed && !is_named(name, CACHE_TEMPORARY_PREFIX))
		return;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (listed)
		keep_or_remove(dirfd, list, name, st.st_mtim);
	else if (time(NULL) - st.st_mtim.tv_sec > TEMPORARY_AGE_MAX_S)
		(void)unlinkat(dirfd, name, 0);
}

static void prune(DIR *dir, const char *prefix, unsigned max)
{
	struct newest list = {.prefix = prefix, .max = max};
	struct dirent *d;

	rewinddir(dir);
	while ((d = readdir(dir)))
		look_at(dirfd(dir), &list, d->d_name);
}

void cache_prune(int at)
{
	DIR *dir;
	int fd;

	fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	prune(dir, cache_prefix(CACHE_KERNEL), CACHE_KERNELS_MAX);
	prune(dir, cache_prefix(CACHE_MODULES), CACHE_MODULES_MAX);
	prune(dir, CACHE_ALIAS_PREFIX, CACHE_ALIASES_MAX);
	(void)closedir(dir);
}
