/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The root that the command sees.
 *
 *	/lower		the disk or share, read-only
 *	/fresh		a tmpfs: /fresh/upper takes what is written
 *	/root		both, by overlayfs; becomes /
 */
#include <asm/errno.h>
#include <linux/mount.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

/* What is behind the IOMMU may come late. */
#define PATIENCE_MS 30000

static void make_dir(const char *path)
{
	const long r = sys_mkdir(path, 0755);

	if (r < 0 && r != -EEXIST)
		fail("cannot make the directory", path, r);
}

/* And all above it. */
static void make_dirs(const char *path)
{
	static char above[4096]; /* PATH_MAX: no path is longer */
	const size_t len = strlen(path);

	for (size_t i = 0; i < len && i < sizeof(above) - 1; i++) {
		if (path[i] == '/' && i > 0)
			(void)sys_mkdir(above, 0755);
		above[i] = path[i];
		above[i + 1] = '\0';
	}
	make_dir(path);
}

static void mount_result(long r, const char *where, const char *type)
{
	if (r == -ENODEV)
		fail("the kernel has no file system", type, 0);
	if (r < 0)
		fail("cannot mount", where, r);
}

static void mount_or_fail(const char *what, const char *where, const char *type,
			  unsigned long flags, const char *options)
{
	mount_result(sys_mount(what, where, type, flags, options), where, type);
}

/* @not_yet: what the kernel says as long as the device is not ready */
static void mount_late(const char *what, const char *where, const char *type,
		       unsigned long flags, long not_yet)
{
	long r = not_yet;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		r = sys_mount(what, where, type, flags, "");
		if (r != not_yet)
			break;
		sys_sleep_ms(1);
	}
	mount_result(r, where, type);
}

/* No device has the tag yet: EINVAL. */
static void mount_tag(const char *tag, const char *where, unsigned long flags)
{
	mount_late(tag, where, "virtiofs", flags, -EINVAL);
}

/* The kernel's file systems; below @root, which is "" or a path. */
static void mount_kernel(const char *root, const char *where, const char *type,
			 unsigned long flags, const char *options)
{
	struct text path = {.len = 0};
	long r;

	text_put(&path, root);
	text_put(&path, where);
	(void)sys_mkdir(path.at, 0755);
	r = sys_mount(type, path.at, type, flags, options);
	if (r < 0 && r != -EBUSY)
		fail("cannot mount", path.at, r);
}

void root_early(void)
{
	mount_kernel("", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	mount_kernel("", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
	mount_kernel("", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
}

static void wait_for_device(const char *path)
{
	for (int ms = 0; SYS2(__NR_access, path, 0) < 0; ms++) {
		if (ms == PATIENCE_MS)
			fail("there is no disk", path, 0);
		sys_sleep_ms(1);
	}
}

/* "DEV:TYPE" */
static void mount_disk(const char *spec, const char *where, unsigned long flags)
{
	struct text device = {.len = 0};
	const char *colon = text_find(spec, ':');

	text_put_len(&device, spec, (size_t)(colon - spec));
	wait_for_device(device.at);
	/* Its node is there before it can be opened: ENXIO. */
	mount_late(device.at, where, *colon ? colon + 1 : "ext4", flags,
		   -ENXIO);
}

static void mount_overlay(void)
{
	make_dir("/fresh");
	mount_or_fail("tmpfs", "/fresh", "tmpfs", 0, "mode=0755");
	make_dir("/fresh/upper");
	make_dir("/fresh/work");
	mount_or_fail("overlay", "/root", "overlay", 0,
		      "lowerdir=/lower,upperdir=/fresh/upper,"
		      "workdir=/fresh/work");
}

static void enter(const char *path)
{
	long r = SYS1(__NR_chdir, path);

	if (r == 0)
		r = sys_mount(".", "/", 0, MS_MOVE, 0);
	if (r == 0)
		r = SYS1(__NR_chroot, ".");
	if (r == 0)
		r = SYS1(__NR_chdir, "/");
	if (r < 0)
		fail("cannot enter", path, r);
}

/* Return: false if the initramfs itself is the root. */
static bool mount_root(const char *root)
{
	const char *spec;

	if (text_is(root, "initrd"))
		return false;
	make_dir("/root");
	make_dir("/lower");
	if ((spec = text_behind(root, "rwdisk:"))) {
		mount_disk(spec, "/root", 0);
		return true;
	}
	if ((spec = text_behind(root, "disk:")))
		mount_disk(spec, "/lower", MS_RDONLY);
	else if ((spec = text_behind(root, "share:")))
		mount_tag(spec, "/lower", MS_RDONLY);
	else
		fail("not understood:", root, 0);
	mount_overlay();
	return true;
}

/* "TAG:MODE:PATH" */
static void mount_share(const char *spec)
{
	struct text tag = {.len = 0};
	const char *mode = text_find(spec, ':');
	const char *path = text_behind(mode, ":ro:");
	unsigned long flags = MS_NODEV;

	if (path)
		flags |= MS_RDONLY;
	else
		path = text_behind(mode, ":rw:");
	if (!path)
		fail("not understood:", spec, 0);
	text_put_len(&tag, spec, (size_t)(mode - spec));
	make_dirs(path);
	mount_tag(tag.at, path, flags);
}

void root_make(const struct plan *p)
{
	const char *at = NULL, *spec;

	if (mount_root(p->root)) {
		enter("/root");
		root_early();
	}
	mount_kernel("", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		     "mode=0620,gid=5,ptmxmode=0666");
	mount_kernel("", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV,
		     "mode=1777");
	mount_kernel("", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	(void)SYS2(__NR_symlink, "/proc/self/fd", "/dev/fd");
	(void)SYS2(__NR_symlink, "/proc/self/fd/0", "/dev/stdin");
	(void)SYS2(__NR_symlink, "/proc/self/fd/1", "/dev/stdout");
	(void)SYS2(__NR_symlink, "/proc/self/fd/2", "/dev/stderr");
	while ((spec = plan_next(p, "mount", &at)))
		mount_share(spec);
	if (p->hostname)
		(void)SYS2(__NR_sethostname, p->hostname, strlen(p->hostname));
}
