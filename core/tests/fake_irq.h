/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fake_irq.h - interrupt sinks that record; for the tests of any floor.
 *
 * Threads: any; read the records with the accessors.
 */
#ifndef MOAT_CORE_TESTS_FAKE_IRQ_H
#define MOAT_CORE_TESTS_FAKE_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/irq.h"

/*
 * A wire that remembers its level and counts rising edges.
 */
struct fake_line {
	struct irq_line line;
	pthread_mutex_t lock;
	bool level;
	unsigned edges, sets;
};

void fake_line_init(struct fake_line *l);
void fake_line_fini(struct fake_line *l);
bool fake_line_level(struct fake_line *l);
unsigned fake_line_edges(struct fake_line *l);

/*
 * An MSI sink that remembers what was delivered.
 *
 * A line gets a gsi (its number here) and an eventfd with its first
 * connection, as with KVM; both last until its release.  What is written to
 * the eventfd while the line is connected counts as delivered when
 * fake_msi_raised() or fake_msi_count() next look, what is written while it is
 * not connected stays in it.
 *
 * What is bound is delivered in the same way.
 *
 * The fake asserts what msi_sink_ops demands: raise on connected lines only,
 * nothing on a line it does not know, nothing bound to one that is not
 * connected.
 */
#define FAKE_MSI_LINES_MAX   64
#define FAKE_MSI_HISTORY_MAX 256
#define FAKE_MSI_BOUND_MAX   4

struct fake_msi_line {
	struct msi_line *line; /* NULL: free */
	struct msi_msg msg;
	unsigned raised;
	unsigned connects, disconnects;
	int bound[FAKE_MSI_BOUND_MAX]; /* eventfds */
	unsigned nbound;
};

struct fake_msi {
	struct msi_sink sink;
	pthread_mutex_t lock;
	/* What connect() returns, 0 or -errno; set it at any time. */
	int connect_error, bind_error;
	struct fake_msi_line lines[FAKE_MSI_LINES_MAX];
	/* Delivered messages, oldest first; later ones are only counted. */
	struct msi_msg history[FAKE_MSI_HISTORY_MAX];
	unsigned delivered;
	unsigned releases, route_updates;
};

void fake_msi_init(struct fake_msi *f);
/* All lines have been released. */
void fake_msi_fini(struct fake_msi *f);

/* How often @l was delivered since its first connection. */
unsigned fake_msi_raised(struct fake_msi *f, const struct msi_line *l);
/* Deliveries on all lines. */
unsigned fake_msi_count(struct fake_msi *f);
/* The last delivered message; zeros if there was none. */
struct msi_msg fake_msi_last(struct fake_msi *f);
/* What @l is connected to; false if it is not connected. */
bool fake_msi_connected(struct fake_msi *f, const struct msi_line *l,
			struct msi_msg *ret_msg);

#endif
