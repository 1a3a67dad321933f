/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * irq.h - where interrupts go: wires and messages.
 *
 * vmm/kvm implements both sinks (GSIs, routes, irqfds); tests record.
 * A device knows neither routes nor vectors' numbers.
 */
#ifndef MOAT_CORE_IRQ_H
#define MOAT_CORE_IRQ_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A wire (ISA interrupt, SPI).  Threads: any.
 */
struct irq_line;

struct irq_line_ops {
	void (*set)(struct irq_line *l, bool level);
};

struct irq_line {
	const struct irq_line_ops *ops;
};

static inline void irq_set(struct irq_line *l, bool level)
{
	if (l)
		l->ops->set(l, level);
}

/* An edge on an edge-triggered wire. */
static inline void irq_pulse(struct irq_line *l)
{
	irq_set(l, true);
	irq_set(l, false);
}

/*
 * A message-signalled interrupt: one vector's way to the controller.
 * Embedded in the vector; fields below @requester are the sink's.
 */
struct msi_msg {
	uint64_t addr;
	uint32_t data;
};

struct msi_line {
	uint32_t requester; /* PCI requester id, or the endpoint's own */
	bool live;	    /* connected */
	int fd;		    /* eventfd that delivers, -1 until connected */
	int gsi;	    /* the sink's, -1: none */
};

struct msi_sink;

/*
 * Threads: calls for one line one at a time, but for raise, which comes from
 * any thread that holds the line connected.
 */
struct msi_sink_ops {
	/*
	 * From now on raise() delivers @msg.  Called on unmask and again when
	 * an unmasked vector's message changes.  A reconnection with the same
	 * message costs no route update.
	 *
	 * Return: 0; -ENOSPC if the controller has no route left; -errno.
	 */
	int (*connect)(struct msi_sink *s, struct msi_line *l,
		       struct msi_msg msg);
	/* Masked: no delivery; what the line needs to come back is kept. */
	void (*disconnect)(struct msi_sink *s, struct msi_line *l);
	/* Gives everything back; the line is as after msi_line_init(). */
	void (*release)(struct msi_sink *s, struct msi_line *l);
	/* Deliver once.  @l is connected. */
	void (*raise)(struct msi_sink *s, struct msi_line *l);
	/*
	 * bind - a signal of the eventfd @fd is delivered as by raise() from
	 * now on, without anybody's help; so is what is in it already.
	 * unbind - no more; later signals stay in it.  Comes before
	 * disconnect().
	 * @l: connected, and whatever message it is connected with next
	 *
	 * Return: 0; -errno.
	 */
	int (*bind)(struct msi_sink *s, struct msi_line *l, int fd);
	void (*unbind)(struct msi_sink *s, struct msi_line *l, int fd);
};

struct msi_sink {
	const struct msi_sink_ops *ops;
};

/*
 * An interrupt that somebody else signals, by an eventfd: the host's kernel.
 * Its owner lends it to who has the vector.  While signals can go straight to
 * the controller they do, and the owner does not hear of them; else it takes
 * them from the eventfd and raises the interrupt.
 */
struct irq_source {
	/* The owner's, set before: */
	int fd; /* of eventfd_new() */
	/* Signals go straight, or come to the owner, from now on; what has not
	 * been delivered is still in @fd.  Called with leaf locks held: it
	 * changes what is waited for and no more. */
	void (*routed)(struct irq_source *s, bool straight);
	/* The borrower's, zero before: */
	struct irq_source *next;
	bool straight;
};

static inline void msi_line_init(struct msi_line *l, uint32_t requester)
{
	*l = (struct msi_line){.requester = requester, .fd = -1, .gsi = -1};
}

#endif
