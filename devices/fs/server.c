/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/fs/server.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "devices/vhost_user/dial.h"

#define OLD_PLACE "/usr/lib/qemu/"

/*
 * The program.
 */

static const char *const places[] = {
	"/usr/libexec/virtiofsd",
	"/usr/lib/virtiofsd",
	OLD_PLACE "virtiofsd",
};

static char *find_program(void)
{
	char *path = child_find("virtiofsd");

	for (unsigned i = 0; !path && i < ARRAY_SIZE(places); i++) {
		if (access(places[i], X_OK) == 0)
			path = strdup(places[i]);
	}
	return path;
}

/*
 * The command line.
 */

/* An option "source=@path" for QEMU's, where commas have to be escaped. */
static char *source_option(const char *path)
{
	static const char head[] = "source=";
	char *option = malloc(sizeof(head) + 2 * strlen(path));
	char *to = option;

	if (!option)
		return NULL;
	to = stpcpy(to, head);
	for (; *path; path++) {
		if (*path == ',' || *path == '\\')
			*to++ = '\\';
		*to++ = *path;
	}
	*to = '\0';
	return option;
}

/* CHILD_FD is a word of the command line. */
#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/*
 * What is below @path is all that the server sees.  It cannot make the root
 * its root once more by pivot_root(2), as it does with other folders.
 */
static const char *sandbox(const char *path)
{
	return strcmp(path, "/") == 0 ? "sandbox=chroot" : "sandbox=namespace";
}

static int start_old(struct child *c, struct child_config *config,
		     const char *program, const char *path, struct err *err)
{
	AUTO_FREE char *source = source_option(path);
	const char *const argv[] = {
		program,
		"--fd=" TEXT(CHILD_FD),
		"-f",
		"-o",
		source,
		"-o",
		sandbox(path),
		"-o",
		"cache=auto",
		"-o",
		"log_level=err",
		"--rlimit-nofile=0",
		NULL,
	};

	if (!source)
		return err_set(err, ENOMEM, "out of memory");
	config->argv = argv;
	return child_start(c, config, err);
}

/*
 * Another file system of the host's is no mount of the guest's: overlayfs
 * would not go into it ("Object is remote").
 */
static int start_new(struct child *c, struct child_config *config,
		     const char *program, const char *path, struct err *err)
{
	const char *const argv[] = {
		program,
		"--fd=" TEXT(CHILD_FD),
		"--shared-dir",
		path,
		strcmp(path, "/") == 0 ? "--sandbox=chroot"
				       : "--sandbox=namespace",
		"--cache=auto",
		"--no-announce-submounts",
		"--log-level=error",
		"--rlimit-nofile=0",
		NULL,
	};

	config->argv = argv;
	return child_start(c, config, err);
}

static bool is_old(const char *program)
{
	return strncmp(program, OLD_PLACE, strlen(OLD_PLACE)) == 0;
}

/* In a container root may not either. */
static bool may_mount(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return geteuid() == 0 && syscall(SYS_capget, &h, data) == 0 &&
	       (data[0].effective & BIT(CAP_SYS_ADMIN));
}

int fs_server_start(struct child *c, const char *program, const char *path,
		    bool readonly, int *ret_fd, struct err *err)
{
	AUTO_FREE char *found = program ? strdup(program) : find_program();
	AUTO_CLOSE int listener = -1;
	AUTO_CLOSE int fd = -1;
	struct child_config config = {
		.flags = (may_mount() ? 0 : CHILD_USER_NAMESPACE) |
			 (readonly ? CHILD_READONLY : 0),
	};
	int r;

	if (!found)
		return err_set(err, ENOENT,
			       "there is no 'virtiofsd' to serve it (Debian "
			       "has it in qemu-system-common or virtiofsd)");
	r = vhu_dial_pair(&listener, &fd, err);
	if (r < 0)
		return r;
	config.pass_fd = listener;
	r = is_old(found) ? start_old(c, &config, found, path, err)
			  : start_new(c, &config, found, path, err);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}
