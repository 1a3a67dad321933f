/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What the command sees as its root, and the folders in it that are the
 * host's: --root, --share, --rw.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"
#include "vmm/cli/launch.h"

/* Folders of the kernel and of the running system are the guest's own. */
static int check_place(const char *path, struct err *err)
{
	static const char *const taken[] = {"/", "/dev", "/proc", "/sys",
					    "/run"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(path, taken[i]) == 0)
			return err_set(err, EINVAL,
				       "'%s' cannot be shared at its place",
				       path);
	}
	return 0;
}

/* Return: the folder's whole path, kept by the settings; NULL. */
static const char *whole_path(struct launch *l, const char *path,
			      struct err *err)
{
	char *whole = realpath(path, NULL);
	struct stat st;

	if (!whole || stat(whole, &st) < 0) {
		(void)err_set(err, errno, "%s", strerror(errno));
		free(whole);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		(void)err_set(err, ENOTDIR, "is no directory");
		free(whole);
		return NULL;
	}
	return settings_keep(l->settings, whole, err) < 0 ? NULL : whole;
}

static struct mach_share *add_share(struct launch *l, struct err *err)
{
	static const char *const tags[MACH_SHARES_MAX] = {
		"moat0", "moat1", "moat2", "moat3",
		"moat4", "moat5", "moat6", "moat7",
	};
	struct mach_config *c = &l->config;
	struct mach_share *s;

	if (c->nshares == MACH_SHARES_MAX) {
		(void)err_set(err, EINVAL, "more than %d folders are shared",
			      MACH_SHARES_MAX);
		return NULL;
	}
	s = &c->shares[c->nshares];
	*s = (struct mach_share){
		.iommu = MACH_AUTO,
		.tag = tags[c->nshares++],
	};
	return s;
}

/*
 * The root.
 */

static int disk_root(struct launch *l, struct launch_plan *p, const char *type,
		     struct err *err)
{
	if (l->config.ndisks == 0)
		return err_set(err, EINVAL,
			       "--root 'disk': there is no --disk");
	p->root = l->config.disks[0].readonly ? LAUNCH_ROOT_DISK
					      : LAUNCH_ROOT_RWDISK;
	p->root_source = "/dev/vda";
	p->root_type = type;
	return 0;
}

static int dir_root(struct launch *l, struct launch_plan *p, const char *path,
		    struct err *err)
{
	struct mach_share *s = add_share(l, err);

	if (!s)
		return -EINVAL;
	s->path = whole_path(l, path, err);
	if (!s->path) {
		err_prefix(err, "--root '%.120s'", path);
		return -ENOENT;
	}
	s->readonly = true;
	p->root = LAUNCH_ROOT_SHARE;
	p->root_source = s->tag;
	return 0;
}

/* All of the host is there, so is the folder we are in. */
static int stay_where_we_are(struct launch *l, struct launch_plan *p,
			     struct err *err)
{
	char *here = getcwd(NULL, 0);

	if (!here)
		return err_errno(err, errno, "the current folder");
	p->cwd = here;
	return settings_keep(l->settings, here, err);
}

static const char *root_of(const struct launch *l)
{
	if (l->settings->root)
		return l->settings->root;
	return l->config.initrd ? "initrd" : "/";
}

static int choose_root(struct launch *l, struct launch_plan *p, struct err *err)
{
	const char *root = root_of(l);

	if (strcmp(root, "disk") == 0)
		return disk_root(l, p, "ext4", err);
	if (strncmp(root, "disk:", 5) == 0 && root[5])
		return disk_root(l, p, root + 5, err);
	if (strcmp(root, "initrd") == 0) {
		p->root = LAUNCH_ROOT_INITRD;
		return l->config.initrd
			       ? 0
			       : err_set(err, EINVAL,
					 "--root 'initrd': there is no "
					 "--initrd");
	}
	return dir_root(l, p, root, err);
}

/*
 * Folders.
 */

static int add_folder(struct launch *l, struct launch_plan *p,
		      const struct settings_folder *f, struct err *err)
{
	struct launch_mount *m = &l->mounts[p->nmounts];
	struct mach_share *s = add_share(l, err);
	int r;

	if (!s)
		return -EINVAL;
	s->path = whole_path(l, f->path, err);
	r = s->path ? check_place(s->path, err) : -ENOENT;
	if (r < 0) {
		err_prefix(err, "--%s '%.120s'", f->cwd ? "share" : "rw",
			   f->path);
		return r;
	}
	s->readonly = f->readonly;
	*m = (struct launch_mount){s->tag, s->path, f->readonly};
	p->mounts = l->mounts;
	p->nmounts++;
	if (f->cwd)
		p->cwd = s->path;
	return 0;
}

int launch_choose_root(struct launch *l, struct launch_plan *p, struct err *err)
{
	const struct settings *s = l->settings;
	int r = choose_root(l, p, err);

	for (unsigned i = 0; r == 0 && i < s->nfolders; i++)
		r = add_folder(l, p, &s->folders[i], err);
	if (s->cwd)
		p->cwd = s->cwd;
	if (r == 0 && !p->cwd && strcmp(root_of(l), "/") == 0)
		r = stay_where_we_are(l, p, err);
	return r;
}
