/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_net.h - the benchmark guest's network card, 10.99.0.2.
 */
#ifndef MOAT_TOOLS_BENCH_GUEST_NET_H
#define MOAT_TOOLS_BENCH_GUEST_NET_H

/*
 * Bring eth0 up and send a few long frames by it.  If there is none after
 * @wait_ms, that fails; nothing is done if it is 0.
 */
void net_use(unsigned wait_ms);

/*
 * With peer.c at the other end: 512 round trips of one byte, "net-trips"; 16
 * MiB there, "net-send", until the peer has them all, and back,
 * "net-receive".
 */
void net_measure(void);

#endif
