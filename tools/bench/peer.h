/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * peer.h - what peer.c and the guest of a benchmark agree on.
 *
 * TCP.  The first byte of a connection says what is wanted.
 */
#ifndef MOAT_TOOLS_BENCH_PEER_H
#define MOAT_TOOLS_BENCH_PEER_H

#define PEER_ADDRESS "10.99.0.1"
#define PEER_PORT    7007
#define PEER_STREAM  (16u << 20) /* bytes */
#define PEER_STREAMS 5		 /* one after the other, each way */

#define PEER_ECHO   'e' /* each byte that comes goes back */
#define PEER_SINK   's' /* PEER_STREAM bytes come, then one goes back */
#define PEER_SOURCE 'g' /* PEER_STREAM bytes go out */

#endif
