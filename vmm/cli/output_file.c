/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"
#include "vmm/cli/settings.h"

/* By whatever name: a link, another path. */
static bool is_same(const struct stat *st, const char *path)
{
	struct stat other;

	return path && stat(path, &other) == 0 && st->st_dev == other.st_dev &&
	       st->st_ino == other.st_ino;
}

/* Return: what of the guest is in the file; NULL: nothing. */
static const char *use_of(const struct settings *s, const struct stat *st)
{
	const struct mach_config *c = &s->machine;

	if (is_same(st, c->kernel))
		return "the guest's kernel";
	if (is_same(st, c->initrd))
		return "the guest's initrd";
	if (is_same(st, s->config_path))
		return "the configuration";
	for (unsigned i = 0; i < c->ndisks; i++) {
		if (is_same(st, c->disks[i].path))
			return "a disk of the guest";
	}
	return NULL;
}

/* Emptied only when it is known what it is. */
int output_file_open(const struct settings *s, const char *option,
		     const char *path, struct err *err)
{
	AUTO_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	const char *use;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s%.120s': cannot open", option,
				 path);
	use = use_of(s, &st);
	if (use)
		return err_set(err, EBUSY, "%s%.120s': %s is in that file",
			       option, path, use);
	if (S_ISREG(st.st_mode) && ftruncate(fd, 0) < 0)
		return err_errno(err, errno, "%s%.120s': cannot empty", option,
				 path);
	return take_fd(&fd);
}
