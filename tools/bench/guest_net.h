/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_net.h - the benchmark guest's network card.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_NET_H
#define MOAT_TOOLS_BENCH_GUEST_NET_H

/* Bring eth0 up and send a few long frames by it; nothing if there is none. */
void net_use(void);

#endif
