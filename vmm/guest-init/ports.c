/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/poll.h>
#include <linux/types.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

#define CLASS "/sys/class/virtio-ports"

/* A device that is behind the IOMMU may come late. */
#define PATIENCE_MS 60000

struct dirent64 {
	uint64_t ino, off;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* Is port @entry the one called @name? */
static bool is_named(const char *entry, const char *name)
{
	struct text path = {.len = 0};
	char got[64];
	long n;
	int fd;

	text_put(&path, CLASS "/");
	text_put(&path, entry);
	text_put(&path, "/name");
	fd = (int)sys_open(path.at, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = sys_read(fd, got, sizeof(got) - 1);
	sys_close(fd);
	if (n <= 0)
		return false;
	got[n - 1] = '\0'; /* its newline */
	return text_is(got, name);
}

static int open_entry(const char *entry)
{
	struct text path = {.len = 0};

	text_put(&path, "/dev/");
	text_put(&path, entry);
	return (int)sys_open(path.at, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static int find(const char *name)
{
	static char list[4096] __attribute__((aligned(8)));
	const int fd = (int)sys_open(CLASS, O_RDONLY | O_CLOEXEC);
	int port = -ENOENT;
	long n;

	if (fd < 0)
		return fd;
	while (port < 0 &&
	       (n = SYS3(__NR_getdents64, fd, list, sizeof(list))) > 0) {
		for (long at = 0; at < n && port < 0;) {
			const struct dirent64 *d = (const void *)(list + at);

			if (is_named(d->name, name))
				port = open_entry(d->name);
			at += d->len;
		}
	}
	sys_close(fd);
	return port;
}

/* Has the host opened its end? */
static bool is_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = 0};

	return SYS3(__NR_poll, &p, 1, 0) == 0;
}

static int wait_for(const char *name)
{
	int fd = -ENOENT;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (fd < 0)
			fd = find(name);
		if (fd >= 0 && is_connected(fd))
			return fd;
		sys_sleep_ms(1);
	}
	fail("this kernel shows no virtio-console port", name, 0);
}

void port_write(int fd, const char *text, unsigned long len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	while (len > 0) {
		const long n = sys_write(fd, text, len);

		if (n > 0) {
			text += n;
			len -= (unsigned long)n;
		} else if (n != -EAGAIN || SYS3(__NR_poll, &p, 1, -1) < 0 ||
			   (p.revents & POLLHUP)) {
			return;
		}
	}
}

/* Modules have been loaded: what is not there now does not come. */
static void need_driver(const char *path, const char *name)
{
	if (SYS2(__NR_access, path, 0) < 0)
		fail("the kernel has no driver", name, 0);
}

void ports_open(struct ports *ports)
{
	need_driver("/sys/bus/pci/drivers/virtio-pci", "virtio_pci");
	need_driver("/sys/bus/virtio/drivers/virtio_console", "virtio_console");
	ports->control = wait_for(LAUNCH_PORT_CONTROL);
	fail_control = ports->control;
	port_write(ports->control, "up\n", 3);
	ports->in = wait_for(LAUNCH_PORT_IN);
	ports->out = wait_for(LAUNCH_PORT_OUT);
	ports->err = wait_for(LAUNCH_PORT_ERR);
}
