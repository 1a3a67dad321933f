/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <linux/reboot.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

int fail_control = -1;

const char *error_text(long error)
{
	static struct text number;

	switch (-error) {
	case ENOENT:
		return "No such file or directory";
	case EACCES:
		return "Permission denied";
	case EPERM:
		return "Operation not permitted";
	case ENOEXEC:
		return "Exec format error";
	case ENOTDIR:
		return "Not a directory";
	case EISDIR:
		return "Is a directory";
	case ENODEV:
		return "No such device";
	case ENXIO:
		return "No such device or address";
	case EINVAL:
		return "Invalid argument";
	case EROFS:
		return "Read-only file system";
	case ENOMEM:
		return "Cannot allocate memory";
	case ELOOP:
		return "Too many levels of symbolic links";
	case E2BIG:
		return "Argument list too long";
	case ENAMETOOLONG:
		return "File name too long";
	case EIO:
		return "Input/output error";
	case ENOSPC:
		return "No space left on device";
	case ENOTCONN:
		return "Transport endpoint is not connected";
	case ETXTBSY:
		return "Text file busy";
	case ETIMEDOUT:
		return "It did not come";
	default:
		break;
	}
	number.len = 0;
	text_put(&number, "error ");
	text_put_number(&number, (uint64_t)-error);
	return number.at;
}

__attribute__((noreturn)) static void power_off(void)
{
	(void)SYS0(__NR_sync);
	for (;;) {
		(void)SYS4(__NR_reboot, LINUX_REBOOT_MAGIC1,
			   LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
		/* No way to: then moat ends the run. */
		sys_sleep_ms(1000);
	}
}

/* Who powers off now loses what the ports still have on their way. */
void wait_for_the_end(void)
{
	for (;;)
		sys_sleep_ms(1000000);
}

/* The kernel's console and its log carry it where no port does. */
static void tell_kernel(const struct text *t)
{
	struct text line = {.len = 0};
	const int fd = (int)sys_open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	text_put(&line, "<3>moat: ");
	text_put_len(&line, t->at, t->len);
	if (fd >= 0)
		(void)sys_write(fd, line.at, line.len);
	else
		(void)sys_write(2, line.at + 3, line.len - 3);
}

void fail(const char *what, const char *name, long error)
{
	struct text t = {.len = 0};

	text_put(&t, "fail ");
	text_put(&t, what);
	if (*name) {
		text_put(&t, " '");
		text_put(&t, name);
		text_put(&t, "'");
	}
	if (error) {
		text_put(&t, ": ");
		text_put(&t, error_text(error));
	}
	text_put(&t, "\n");
	if (fail_control < 0) {
		tell_kernel(&t);
		power_off();
	}
	port_write(fail_control, t.at, t.len);
	wait_for_the_end();
}
