/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"

#define SUFFIX	".sock"
#define BACKLOG 8

int registry_check_name(const char *name, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	const size_t len = strlen(name);

	if (len >= 1 && len <= REGISTRY_NAME_MAX && name[0] != '.' &&
	    strspn(name, allowed) == len)
		return 0;
	return err_set(err, EINVAL,
		       "expected a name of 1 to %d letters, digits, '-', '_' "
		       "and '.'",
		       REGISTRY_NAME_MAX);
}

/*
 * The folder.
 */

static int check_dir(const char *dir, struct err *err)
{
	struct stat st;

	/* Not through a link that somebody else has put there. */
	if (lstat(dir, &st) < 0)
		return err_errno(err, errno, "'%s'", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077))
		return err_set(err, EPERM,
			       "'%s' is not a folder for us alone (mode 0700)",
			       dir);
	return 0;
}

char *registry_dir(const char *base, struct err *err)
{
	AUTO_FREE char *dir = NULL;
	int n;

	if (base && base[0] == '/')
		n = asprintf(&dir, "%s/moat", base);
	else
		n = asprintf(&dir, "/tmp/moat-%u", (unsigned)geteuid());
	if (n < 0) {
		dir = NULL;
		(void)err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		(void)err_errno(err, errno, "cannot make '%s'", dir);
		return NULL;
	}
	return check_dir(dir, err) < 0 ? NULL : take_ptr(&dir);
}

static int address(struct sockaddr_un *a, const char *dir, const char *name,
		   struct err *err)
{
	int n;

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s" SUFFIX, dir,
		     name);
	if (n < 0 || (size_t)n >= sizeof(a->sun_path))
		return err_set(err, ENAMETOOLONG,
			       "'%s/%s" SUFFIX "' is too long for a socket",
			       dir, name);
	return 0;
}

/* Return: a socket; -ECONNREFUSED if nobody listens; -errno. */
static int try_connect(const struct sockaddr_un *a)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -errno;
	return take_fd(&fd);
}

static bool is_stale(const struct sockaddr_un *a)
{
	const int fd = try_connect(a);

	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

/*
 * Ours.
 */

/* Return: 0; -EADDRINUSE; -errno. */
static int bind_as(int fd, const struct sockaddr_un *a)
{
	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return 0;
	if (errno != EADDRINUSE || !is_stale(a))
		return -errno;
	if (unlink(a->sun_path) < 0 && errno != ENOENT)
		return -errno;
	return bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno
								    : 0;
}

/* The socket of its name, and that of its control. */
static void remove_files(const char *dir, const char *name,
			 const struct sockaddr_un *a)
{
	AUTO_FREE char *control = registry_control_path(dir, name);

	(void)unlink(a->sun_path);
	if (control)
		(void)unlink(control);
}

/* What processes that were killed have left. */
static void prune(const char *dir)
{
	char **names;
	int n = registry_list(dir, &names, NULL);

	if (n >= 0)
		registry_free_names(names, n);
}

int registry_add(const char *dir, const char *name, struct err *err)
{
	AUTO_CLOSE int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	int r = address(&a, dir, name, err);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_errno(err, errno, "cannot make a socket");
	prune(dir);
	r = bind_as(fd, &a);
	if (r == -EADDRINUSE)
		return err_set(err, EADDRINUSE,
			       "a guest called '%s' runs already", name);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(err, -r, "cannot listen at '%s'", a.sun_path);
	return take_fd(&fd);
}

void registry_remove(const char *dir, const char *name)
{
	struct sockaddr_un a;

	if (address(&a, dir, name, NULL) == 0)
		remove_files(dir, name, &a);
}

char *registry_control_path(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s.control", dir, name) < 0 ? NULL : path;
}

/*
 * Others'.
 */

int registry_connect(const char *dir, const char *name, struct err *err)
{
	struct sockaddr_un a;
	int r = registry_check_name(name, err);

	if (r == 0)
		r = address(&a, dir, name, err);
	if (r < 0)
		return r;
	r = try_connect(&a);
	if (r == -ECONNREFUSED)
		remove_files(dir, name, &a);
	if (r == -ECONNREFUSED || r == -ENOENT)
		return err_set(err, ENOENT, "no guest called '%s' runs", name);
	if (r < 0)
		return err_errno(err, -r, "cannot reach '%s'", name);
	return r;
}

/* NAME of "NAME.sock"; NULL if it is something else, or has ended. */
static char *name_of(const char *dir, const char *file)
{
	const size_t len = strlen(file), tail = strlen(SUFFIX);
	AUTO_FREE char *name = NULL;
	struct sockaddr_un a;

	if (len <= tail || strcmp(file + len - tail, SUFFIX) != 0)
		return NULL;
	name = strndup(file, len - tail);
	if (!name || registry_check_name(name, NULL) < 0 ||
	    address(&a, dir, name, NULL) < 0)
		return NULL;
	if (is_stale(&a)) {
		remove_files(dir, name, &a);
		return NULL;
	}
	return take_ptr(&name);
}

static int compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int registry_list(const char *dir, char ***ret_names, struct err *err)
{
	DIR *d = opendir(dir);
	char **names = NULL, **more, *name;
	struct dirent *e;
	int n = 0;

	if (!d)
		return err_errno(err, errno, "cannot read '%s'", dir);
	while ((e = readdir(d))) {
		name = name_of(dir, e->d_name);
		if (!name)
			continue;
		more = reallocarray(names, (size_t)n + 1, sizeof(*names));
		if (!more) {
			free(name);
			registry_free_names(names, n);
			(void)closedir(d);
			return err_set(err, ENOMEM, "out of memory");
		}
		names = more;
		names[n++] = name;
	}
	(void)closedir(d);
	if (n > 0)
		qsort(names, (size_t)n, sizeof(*names), compare);
	*ret_names = names;
	return n;
}

void registry_free_names(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}
