/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * What a network is when nobody says otherwise.
 */
#include <string.h>
#include <unistd.h>

#include "vmm/machine/config.h"

/* The addresses are those that QEMU's users know. */
void mach_net_init(struct mach_net *n, enum mach_net_kind kind)
{
	*n = (struct mach_net){
		.kind = kind,
		.queues = 1,
		.prefix = 24,
		.host = true,
		.vhost = MACH_OFF,
		.iommu = MACH_AUTO,
	};
	if (kind == MACH_NET_SERVED)
		n->wait_ms = MACH_SERVER_WAIT_MS;
	if (kind != MACH_NET_USER)
		return;
	strcpy(n->address, "10.0.2.15");
	strcpy(n->gateway, "10.0.2.2");
	strcpy(n->dns, "10.0.2.3");
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash;
}

/*
 * On a tap, or with a server, there are others, so it has to be another one for
 * each host and tap or socket; but the same the next time, so that leases of
 * addresses last.
 */
static void choose_mac(uint8_t *mac, const struct mach_net *n, unsigned index)
{
	uint8_t chosen[6] = {0x02, 'm', 'o', 'a', 't', (uint8_t)index};
	char host[65] = "";
	uint64_t hash;

	if (n->kind != MACH_NET_USER) {
		(void)gethostname(host, sizeof(host) - 1);
		hash = mix(UINT64_C(0xcbf29ce484222325), host);
		hash = mix(mix(hash, "/"), n->tap ? n->tap : n->socket);
		memcpy(chosen + 1, &hash, 5);
	}
	memcpy(mac, chosen, sizeof(chosen));
}

void mach_net_mac(const struct mach_net *n, unsigned index, uint8_t *ret_mac)
{
	static const uint8_t none[6];

	if (memcmp(n->mac, none, sizeof(none)) == 0)
		choose_mac(ret_mac, n, index);
	else
		memcpy(ret_mac, n->mac, sizeof(none));
}
