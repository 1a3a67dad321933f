/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/errno.h>
#include <asm/fcntl.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

static void warn(const char *name, long error)
{
	const int fd = (int)sys_open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	struct text t = {.len = 0};

	text_put(&t, "<4>moat: cannot load ");
	text_put(&t, name);
	text_put(&t, ": ");
	text_put(&t, error_text(error));
	if (fd < 0)
		return;
	(void)sys_write(fd, t.at, t.len);
	sys_close(fd);
}

/* What a missing one means shows where its device is wanted. */
void modules_load(const struct plan *p)
{
	const char *at = NULL, *name;

	while ((name = plan_next(p, "module", &at))) {
		struct text path = {.len = 0};
		long r;
		int fd;

		text_put(&path, "/" LAUNCH_MODULES "/");
		text_put(&path, name);
		fd = (int)sys_open(path.at, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? fd : SYS3(__NR_finit_module, fd, "", 0);
		if (r < 0 && r != -EEXIST)
			warn(name, r);
		if (fd >= 0)
			sys_close(fd);
	}
}
