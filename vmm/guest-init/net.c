/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The network: interfaces are up and have their addresses before the command
 * runs, so it needs no client for DHCP.
 */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/in.h>
#include <linux/mount.h>
#include <linux/route.h>
#include <linux/sockios.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

/* A card behind the IOMMU may come late. */
#define PATIENCE_MS 10000
#define INTERFACES  64

#define RESOLV "/run/resolv.conf"

/* "net=MAC ADDRESS BITS GATEWAY DNS"; 0: there is none */
struct net {
	uint8_t mac[6];
	uint32_t address, mask, gateway; /* network byte order */
	struct text dns;
};

/*
 * Reading.
 */

static uint32_t hex_digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static uint32_t big_endian(uint32_t n)
{
	return __builtin_bswap32(n);
}

/* Moves on past a space. */
static bool read_address(const char **s, uint32_t *ret)
{
	uint32_t address = 0, byte;

	if (**s == '-') {
		*s += 1 + ((*s)[1] == ' ');
		*ret = 0;
		return true;
	}
	for (int i = 0; i < 4; i++) {
		if (!text_number(s, &byte) || byte > 255)
			return false;
		address = address << 8 | byte;
		*s += **s == '.' || **s == ' ';
	}
	*ret = big_endian(address);
	return true;
}

static void read_net(const char *spec, struct net *n)
{
	const char *s = spec;
	uint32_t bits = 0;
	bool ok;

	for (int i = 0; i < 6; i++, s += 3)
		n->mac[i] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
	ok = read_address(&s, &n->address) && text_number(&s, &bits) &&
	     bits <= 32 && *s++ == ' ' && read_address(&s, &n->gateway);
	if (!ok)
		fail("not understood:", spec, 0);
	n->mask = bits ? big_endian(~0u << (32 - bits)) : 0;
	if (!text_is(s, "-"))
		text_put(&n->dns, s);
}

/*
 * Interfaces.
 */

static bool find_interface(int fd, const struct net *n, struct ifreq *r)
{
	for (int i = 1; i < INTERFACES; i++) {
		*r = (struct ifreq){.ifr_ifindex = i};
		if (sys_ioctl(fd, SIOCGIFNAME, r) < 0 ||
		    sys_ioctl(fd, SIOCGIFHWADDR, r) < 0)
			continue;
		if (r->ifr_hwaddr.sa_family == ARPHRD_ETHER &&
		    memcmp(r->ifr_hwaddr.sa_data, n->mac, 6) == 0)
			return true;
	}
	return false;
}

static struct sockaddr ipv4(uint32_t address)
{
	const struct sockaddr_in in = {
		.sin_family = 2 /* AF_INET */,
		.sin_addr.s_addr = address,
	};
	struct sockaddr a;

	memcpy(&a, &in, sizeof(a));
	return a;
}

static void set(int fd, unsigned long request, struct ifreq *r)
{
	const long error = sys_ioctl(fd, request, r);

	if (error < 0)
		fail("cannot set up the network", r->ifr_name, error);
}

static void raise(int fd, struct ifreq *r)
{
	r->ifr_flags = IFF_UP;
	set(fd, SIOCSIFFLAGS, r);
}

static void add_gateway(int fd, uint32_t gateway)
{
	const struct rtentry route = {
		.rt_dst = ipv4(0),
		.rt_genmask = ipv4(0),
		.rt_gateway = ipv4(gateway),
		.rt_flags = RTF_UP | RTF_GATEWAY,
	};
	const long error = sys_ioctl(fd, SIOCADDRT, &route);

	if (error < 0 && error != -EEXIST)
		fail("cannot set up the network", "gateway", error);
}

static void set_up(int fd, const struct net *n)
{
	struct ifreq r;

	for (int ms = 0; !find_interface(fd, n, &r); ms++) {
		if (ms == PATIENCE_MS)
			fail("there is no network card", "", 0);
		sys_sleep_ms(1);
	}
	if (n->address) {
		r.ifr_addr = ipv4(n->address);
		set(fd, SIOCSIFADDR, &r);
		r.ifr_netmask = ipv4(n->mask);
		set(fd, SIOCSIFNETMASK, &r);
	}
	raise(fd, &r);
	if (n->gateway)
		add_gateway(fd, n->gateway);
}

/*
 * Names.
 */

static long write_file(const char *path, const struct text *t)
{
	const long fd = SYS4(__NR_openat, AT_CWD, path,
			     O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	long r = fd;

	if (fd >= 0) {
		r = sys_write((int)fd, t->at, t->len);
		sys_close((int)fd);
	}
	return r;
}

/* Is what is written to /etc kept? */
static bool keeps_etc(const struct plan *p)
{
	const char *at = NULL, *spec;

	while ((spec = plan_next(p, "mount", &at))) {
		const char *mode = text_find(spec, ':');

		if (text_is(mode, ":rw:/etc") || text_is(mode, ":ro:/etc"))
			return true;
	}
	return text_behind(p->root, "rwdisk:") != NULL;
}

/*
 * The one of the root is the host's, or a link to nowhere; if what is written
 * there is lost with the guest it becomes a link to ours, else ours hides it.
 */
static void name_servers(const struct plan *p, const struct text *lines)
{
	if (lines->len == 0 || write_file(RESOLV, lines) < 0)
		return;
	if (keeps_etc(p)) {
		(void)sys_mount(RESOLV, "/etc/resolv.conf", 0, MS_BIND, 0);
		return;
	}
	(void)sys_mkdir("/etc", 0755);
	(void)SYS1(__NR_unlink, "/etc/resolv.conf");
	(void)SYS2(__NR_symlink, RESOLV, "/etc/resolv.conf");
}

void net_make(const struct plan *p)
{
	const int fd =
		(int)SYS3(__NR_socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct text names = {.len = 0};
	const char *at = NULL, *spec;

	/* 127.0.0.1 works in every machine. */
	if (fd >= 0)
		(void)sys_ioctl(fd, SIOCSIFFLAGS, &lo);
	while ((spec = plan_next(p, "net", &at))) {
		struct net n = {.dns.len = 0};

		if (fd < 0)
			fail("the kernel has no network", "", fd);
		read_net(spec, &n);
		set_up(fd, &n);
		if (n.dns.len > 0) {
			text_put(&names, "nameserver ");
			text_put(&names, n.dns.at);
			text_put(&names, "\n");
		}
	}
	name_servers(p, &names);
	if (fd >= 0)
		sys_close(fd);
}
