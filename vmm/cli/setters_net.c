/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * --net.  The keys work on the network behind the last one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/setters.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"

static struct mach_net *new_net(struct settings *s)
{
	return &s->machine.nets[s->machine.nnets];
}

static int set_net_kind(struct settings *s, const char *value, struct err *err)
{
	(void)s;
	if (strcmp(value, "user") == 0)
		return 0;
	return err_set(err, EINVAL,
		       "expected 'user', 'tap=NAME', "
		       "'vhost-user=SOCKET' or 'none'");
}

static int set_net_tap(struct settings *s, const char *value, struct err *err)
{
	if (new_net(s)->kind != MACH_NET_TAP)
		return err_set(err, EINVAL, "tap=NAME comes first");
	if (strlen(value) > 15 || strchr(value, '/'))
		return err_set(err, EINVAL,
			       "expected the name of a network interface");
	return value_text(value, &new_net(s)->tap, err);
}

static int set_net_socket(struct settings *s, const char *value,
			  struct err *err)
{
	if (new_net(s)->kind != MACH_NET_SERVED)
		return err_set(err, EINVAL, "vhost-user=SOCKET comes first");
	return value_text(value, &new_net(s)->socket, err);
}

static int set_net_reconnect(struct settings *s, const char *value,
			     struct err *err)
{
	if (new_net(s)->kind != MACH_NET_SERVED)
		return err_set(err, EINVAL, "that is for vhost-user=SOCKET");
	return value_wait(value, &new_net(s)->wait_ms, err);
}

static int set_net_memory(struct settings *s, const char *value,
			  struct err *err)
{
	static const char *const words[] = {"own", "guest"};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0 && new_net(s)->kind != MACH_NET_SERVED)
		return err_set(err, EINVAL, "that is for vhost-user=SOCKET");
	if (r == 0)
		new_net(s)->guest_memory = i == 1;
	return r;
}

/* What reconnect= is when nobody says it. */
#define WAIT_UNSAID (MACH_SERVER_WAIT_MS_MAX + 1)

/* A server that has the guest's memory keeps to itself which of the driver's
 * buffers it is at: another one cannot go on. */
static int settle_wait(struct mach_net *n, struct err *err)
{
	if (n->wait_ms == WAIT_UNSAID)
		n->wait_ms = n->guest_memory ? 0 : MACH_SERVER_WAIT_MS;
	return n->guest_memory && n->wait_ms > 0
		       ? err_set(err, EINVAL,
				 "reconnect= does not go with memory=guest")
		       : 0;
}

/*
 * Addresses.
 */

/* @ret: 16 bytes */
static int read_ipv4(const char *value, char *ret, struct err *err)
{
	struct in_addr a;

	if (inet_pton(AF_INET, value, &a) != 1)
		return err_set(err, EINVAL,
			       "expected an address like 10.0.2.15");
	(void)inet_ntop(AF_INET, &a, ret, INET_ADDRSTRLEN);
	return 0;
}

static int set_net_address(struct settings *s, const char *value,
			   struct err *err)
{
	const char *slash = strchr(value, '/');
	char address[INET_ADDRSTRLEN];
	unsigned prefix;

	if (!slash || (size_t)(slash - value) >= sizeof(address))
		return err_set(err, EINVAL,
			       "expected an address like 10.0.2.15/24");
	(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - value),
		       value);
	if (value_count(slash + 1, 1, 30, &prefix, err) < 0)
		return -EINVAL;
	new_net(s)->prefix = prefix;
	return read_ipv4(address, new_net(s)->address, err);
}

static int set_net_gateway(struct settings *s, const char *value,
			   struct err *err)
{
	return read_ipv4(value, new_net(s)->gateway, err);
}

static int set_net_dns(struct settings *s, const char *value, struct err *err)
{
	return read_ipv4(value, new_net(s)->dns, err);
}

static int set_net_mac(struct settings *s, const char *value, struct err *err)
{
	uint8_t mac[6];
	int end = 0;

	if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0],
		   &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &end) != 6 ||
	    value[end] || end != 17)
		return err_set(err, EINVAL,
			       "expected an address like 52:54:00:12:34:56");
	if (mac[0] & 1)
		return err_set(err, EINVAL,
			       "an odd first byte is the address of a group");
	if (!(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return err_set(err, EINVAL, "all zeros is nobody's address");
	memcpy(new_net(s)->mac, mac, sizeof(mac));
	return 0;
}

/*
 * Ports: "tcp:[ADDRESS:]PORT:PORT".
 */

static int read_port(const char *value, uint16_t *ret_port, struct err *err)
{
	unsigned port;
	int r = value_count(value, 1, 65535, &port, err);

	if (r == 0)
		*ret_port = (uint16_t)port;
	return r;
}

/* Nobody else reaches the guest unless that is asked for. */
static int read_forward(char *words, struct mach_forward *f, struct err *err)
{
	const char *proto = strsep(&words, ":");
	const char *first = strsep(&words, ":");
	const char *second = strsep(&words, ":");
	const char *host = "127.0.0.1";
	int r;

	if (!second || (strcmp(proto, "tcp") && strcmp(proto, "udp")))
		return err_set(err, EINVAL,
			       "expected tcp|udp:[ADDRESS:]PORT:PORT, the "
			       "host's first");
	if (words) {
		host = first;
		first = second;
		second = words;
	}
	f->udp = proto[0] == 'u';
	r = read_ipv4(host, f->host, err);
	if (r == 0)
		r = read_port(first, &f->host_port, err);
	return r < 0 ? r : read_port(second, &f->guest_port, err);
}

static int set_net_hostfwd(struct settings *s, const char *value,
			   struct err *err)
{
	struct mach_net *n = new_net(s);
	char words[64];
	int r;

	if (n->nforwards == MACH_FORWARDS_MAX)
		return err_set(err, EINVAL, "more than %d ports",
			       MACH_FORWARDS_MAX);
	(void)snprintf(words, sizeof(words), "%s", value);
	r = read_forward(words, &n->forwards[n->nforwards], err);
	if (r == 0)
		n->nforwards++;
	return r;
}

/*
 * The rest.
 */

static int set_net_mtu(struct settings *s, const char *value, struct err *err)
{
	return value_count(value, MACH_NET_MTU_MIN, MACH_NET_MTU_MAX,
			   &new_net(s)->mtu, err);
}

static int set_net_queues(struct settings *s, const char *value,
			  struct err *err)
{
	return value_count(value, 1, MACH_NET_QUEUES_MAX, &new_net(s)->queues,
			   err);
}

static int set_net_vhost(struct settings *s, const char *value, struct err *err)
{
	static const char *const words[] = {"on", "off", "auto"};
	static const enum mach_switch switches[] = {MACH_ON, MACH_OFF,
						    MACH_AUTO};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		new_net(s)->vhost = switches[i];
	return r;
}

static int set_net_host(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &new_net(s)->host, err);
}

static int set_net_iommu(struct settings *s, const char *value, struct err *err)
{
	bool on;
	int r = value_switch(value, &on, err);

	if (r == 0)
		new_net(s)->iommu = on ? MACH_ON : MACH_OFF;
	return r;
}

static int set_net_reserved(struct settings *s, const char *value,
			    struct err *err)
{
	return setters_add_reserved(s, value, &new_net(s)->reserved, err);
}

static int set_net_loop(struct settings *s, const char *value, struct err *err)
{
	return setters_read_loop(value, &new_net(s)->own_loop, err);
}

static int set_net_passt(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_net(s)->program, err);
}

const struct option_key net_keys[NET_KEYS] = {
	{"tap", "NAME", set_net_tap},
	{"vhost-user", "SOCKET", set_net_socket},
	{"reconnect", "TIME|off", set_net_reconnect},
	{"memory", "own|guest", set_net_memory},
	{"hostfwd", "tcp|udp:[ADDRESS:]PORT:PORT", set_net_hostfwd},
	{"address", "IPV4/BITS", set_net_address},
	{"gateway", "IPV4", set_net_gateway},
	{"dns", "IPV4", set_net_dns},
	{"host", "on|off", set_net_host},
	{"mac", "MAC", set_net_mac},
	{"mtu", "BYTES", set_net_mtu},
	{"queues", "N", set_net_queues},
	{"vhost", "on|off|auto", set_net_vhost},
	{"iommu", "on|off", set_net_iommu},
	{"loop", "shared|own", set_net_loop},
	{"reserved", "START-END:msi|reserved", set_net_reserved},
	{"passt", "FILE", set_net_passt},
};

static enum mach_net_kind kind_of(const char *value)
{
	if (strncmp(value, "tap=", 4) == 0)
		return MACH_NET_TAP;
	return strncmp(value, "vhost-user=", 11) == 0 ? MACH_NET_SERVED
						      : MACH_NET_USER;
}

int set_net(struct settings *s, const char *value, struct err *err)
{
	const enum mach_net_kind kind = kind_of(value);
	int r;

	if (strcmp(value, "none") == 0) {
		s->machine.nnets = 0;
		return 0;
	}
	if (s->machine.nnets == MACH_NETS_MAX)
		return err_set(err, EINVAL, "more than %d networks",
			       MACH_NETS_MAX);
	mach_net_init(new_net(s), kind);
	if (kind == MACH_NET_SERVED)
		new_net(s)->wait_ms = WAIT_UNSAID;
	if (kind == MACH_NET_USER &&
	    strncmp(value, "user", strcspn(value, ",")) != 0)
		return set_net_kind(s, value, err);
	r = setters_read_list(s, value, set_net_kind, net_keys, NET_KEYS, err);
	if (r == 0)
		r = settle_wait(new_net(s), err);
	if (r == 0)
		s->machine.nnets++;
	return r;
}
