/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/serial16550.h"

#include <errno.h>
#include <stdlib.h>

#include "core/bits.h"

/* Registers; the first two change places with the divisor latch. */
#define REG_DATA 0 /* RBR, THR; DLAB: divisor low */
#define REG_IER	 1 /* DLAB: divisor high */
#define REG_IIR	 2 /* write: FCR */
#define REG_LCR	 3
#define REG_MCR	 4
#define REG_LSR	 5
#define REG_MSR	 6
#define REG_SCR	 7
#define REGS	 8

#define IER_RDI	 0x01 /* received data */
#define IER_THRI 0x02 /* transmitter empty */
#define IER_RLSI 0x04 /* line status */
#define IER_MSI	 0x08 /* modem status */
#define IER_MASK 0x0f

#define IIR_MSI	    0x00
#define IIR_NONE    0x01
#define IIR_THRI    0x02
#define IIR_RDI	    0x04
#define IIR_RLSI    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_TRIGGER  6 /* shift */

#define LCR_DLAB 0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DR	 0x01
#define LSR_OE	 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define MSR_DCTS  0x01
#define MSR_TERI  0x04
#define MSR_CTS	  0x10
#define MSR_DSR	  0x20
#define MSR_RI	  0x40
#define MSR_DCD	  0x80
#define MSR_LINES 0xf0

/*
 * A 16550A has 16 bytes each way.  More behind the registers shows nowhere:
 * a guest reads while LSR says data and writes at most 16 bytes after THRE.
 * A writer that gives up waiting for THRE (Linux's console, after 10 ms)
 * still has the rest of the transmit side before it loses bytes.
 */
#define FIFO_SIZE 64

struct fifo {
	uint8_t bytes[FIFO_SIZE];
	unsigned head, n;
};

struct serial {
	struct bus_region region;
	struct stream_end stream;
	pthread_mutex_t lock;
	struct irq_line *irq;
	bool level; /* of irq, as last set */

	struct fifo rx, tx;
	bool rx_refused;   /* the peer waits for stream_room() */
	bool thri_pending; /* THRE became true; not yet told by IIR */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t overrun; /* LSR_OE or 0 */
	uint8_t msr;	 /* lines and deltas */
};

static bool fifo_put(struct fifo *f, uint8_t byte)
{
	if (f->n == FIFO_SIZE)
		return false;
	f->bytes[(f->head + f->n++) % FIFO_SIZE] = byte;
	return true;
}

static uint8_t fifo_get(struct fifo *f)
{
	uint8_t byte = f->bytes[f->head];

	f->head = (f->head + 1) % FIFO_SIZE;
	f->n--;
	return byte;
}

static struct serial *to_serial(struct bus_region *r)
{
	return container_of(r, struct serial, region);
}

/* Received bytes at which the receiver asks for service; fcr is 0 without
 * FIFOs. */
static unsigned rx_trigger(const struct serial *s)
{
	static const uint8_t levels[4] = {1, 4, 8, 14};

	return levels[s->fcr >> FCR_TRIGGER];
}

/*
 * The highest of the pending interrupts.
 *
 * Below the trigger level a 16550A waits for four silent character times.
 * Here bytes come in bursts as fast as the FIFO takes them, so whatever is
 * there has been silent already: no timer.
 */
static uint8_t iir_cause(const struct serial *s)
{
	if ((s->ier & IER_RLSI) && s->overrun)
		return IIR_RLSI;
	if ((s->ier & IER_RDI) && s->rx.n > 0)
		return s->rx.n >= rx_trigger(s) ? IIR_RDI : IIR_TIMEOUT;
	if ((s->ier & IER_THRI) && s->thri_pending)
		return IIR_THRI;
	if ((s->ier & IER_MSI) && (s->msr & ~MSR_LINES))
		return IIR_MSI;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	bool level = iir_cause(s) != IIR_NONE;

	if (level == s->level)
		return;
	s->level = level;
	irq_set(s->irq, level);
}

/* The peer waits and there is room worth waking it for. */
static void offer_room(struct serial *s)
{
	if (!s->rx_refused || s->rx.n > FIFO_SIZE / 2 || (s->mcr & MCR_LOOP))
		return;
	s->rx_refused = false;
	stream_room(&s->stream);
}

/*
 * Lines of the modem: held by the machine, or in loopback by MCR's own
 * outputs, which is how drivers tell that there is a UART at all.
 */
static uint8_t msr_lines(const struct serial *s)
{
	uint8_t lines = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	if (s->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void update_msr(struct serial *s)
{
	uint8_t lines = msr_lines(s);
	uint8_t old = s->msr & MSR_LINES;
	uint8_t deltas = (uint8_t)((lines ^ old) >> 4);

	/* The ring indicator counts at its end only. */
	if (lines & MSR_RI)
		deltas &= (uint8_t)~MSR_TERI;
	s->msr = (uint8_t)(lines | (s->msr & ~MSR_LINES) | deltas);
}

static void write_mcr(struct serial *s, uint8_t val)
{
	s->mcr = val & MCR_MASK;
	update_msr(s);
	offer_room(s);
}

static void receive_looped(struct serial *s, uint8_t byte)
{
	if (!fifo_put(&s->rx, byte))
		s->overrun = LSR_OE;
}

static void transmit(struct serial *s, uint8_t byte)
{
	s->thri_pending = false;
	update_irq(s); /* low in between: ISA sees edges only */
	if (s->mcr & MCR_LOOP)
		receive_looped(s, byte);
	else if (s->tx.n > 0 || stream_send(&s->stream, &byte, 1) == 0)
		(void)fifo_put(&s->tx, byte); /* full: THRE said so */
	if (s->tx.n == 0)
		s->thri_pending = true;
}

static uint8_t receive(struct serial *s)
{
	uint8_t byte = 0;

	if (s->rx.n > 0)
		byte = fifo_get(&s->rx);
	offer_room(s);
	return byte;
}

/* Turning THRI on while the transmitter is empty is an interrupt: drivers
 * start their output with it. */
static void write_ier(struct serial *s, uint8_t val)
{
	uint8_t old = s->ier;

	s->ier = val & IER_MASK;
	if (!(s->ier & IER_THRI))
		s->thri_pending = false;
	else if (!(old & IER_THRI))
		s->thri_pending = s->tx.n == 0;
}

/*
 * Bits besides ENABLE count only together with it, and its change clears the
 * FIFOs.  What is in the transmit side stays: to the guest those bytes were
 * on the wire long ago, only our peer has not taken them yet.
 */
static void write_fcr(struct serial *s, uint8_t val)
{
	bool toggled = (val ^ s->fcr) & FCR_ENABLE;

	if (!(val & FCR_ENABLE))
		val = 0;
	if (toggled || (val & FCR_CLEAR_RX))
		s->rx.n = 0;
	s->fcr = val;
	offer_room(s);
}

/* Reading tells of the transmitter once. */
static uint8_t read_iir(struct serial *s)
{
	uint8_t cause = iir_cause(s);

	if (cause == IIR_THRI)
		s->thri_pending = false;
	return s->fcr & FCR_ENABLE ? cause | IIR_FIFO : cause;
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t val = s->overrun;

	s->overrun = 0;
	if (s->rx.n > 0)
		val |= LSR_DR;
	if (s->tx.n == 0)
		val |= LSR_THRE | LSR_TEMT;
	return val;
}

static uint8_t read_msr(struct serial *s)
{
	uint8_t val = s->msr;

	s->msr &= MSR_LINES;
	return val;
}

static uint8_t read_reg(struct serial *s, unsigned reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? s->dll : receive(s);
	case REG_IER:
		return dlab ? s->dlm : s->ier;
	case REG_IIR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_reg(struct serial *s, unsigned reg, uint8_t val)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			s->dll = val;
		else
			transmit(s, val);
		break;
	case REG_IER:
		if (dlab)
			s->dlm = val;
		else
			write_ier(s, val);
		break;
	case REG_IIR:
		write_fcr(s, val);
		break;
	case REG_LCR:
		s->lcr = val;
		break;
	case REG_MCR:
		write_mcr(s, val);
		break;
	case REG_SCR:
		s->scr = val;
		break;
	default: /* LSR and MSR are the UART's to write */
		break;
	}
}

/* Registers are bytes: a wider access is that many, in order. */
static uint64_t region_read(struct bus_region *r, uint64_t off, unsigned size)
{
	struct serial *s = to_serial(r);
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)read_reg(s, (unsigned)off + i) << 8 * i;
	update_irq(s);
	return val;
}

static void region_write(struct bus_region *r, uint64_t off, unsigned size,
			 uint64_t val)
{
	struct serial *s = to_serial(r);

	for (unsigned i = 0; i < size; i++)
		write_reg(s, (unsigned)off + i, (uint8_t)(val >> 8 * i));
	update_irq(s);
}

static const struct bus_ops region_ops = {
	.read = region_read,
	.write = region_write,
};

static size_t stream_deliver(struct stream_end *e, const uint8_t *buf,
			     size_t len)
{
	struct serial *s = container_of(e, struct serial, stream);
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	/* In loopback the receiver hears the transmitter only. */
	if (!(s->mcr & MCR_LOOP))
		while (n < len && fifo_put(&s->rx, buf[n]))
			n++;
	s->rx_refused = n < len;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void flush_tx(struct serial *s)
{
	while (s->tx.n > 0 &&
	       stream_send(&s->stream, &s->tx.bytes[s->tx.head], 1) == 1)
		(void)fifo_get(&s->tx);
}

static void stream_has_room(struct stream_end *e)
{
	struct serial *s = container_of(e, struct serial, stream);

	pthread_mutex_lock(&s->lock);
	if (s->tx.n > 0) {
		flush_tx(s);
		s->thri_pending = s->tx.n == 0;
		update_irq(s);
	}
	pthread_mutex_unlock(&s->lock);
}

static const struct stream_ops stream_ops = {
	.deliver = stream_deliver,
	.room = stream_has_room,
};

int serial_new(struct serial **ret_s, struct irq_line *irq)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->irq = irq;
	s->stream.ops = &stream_ops;
	s->region = (struct bus_region){
		.ops = &region_ops,
		.name = "serial",
		.size = REGS,
		.lock = &s->lock,
	};
	serial_reset(s);
	*ret_s = s;
	return 0;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void serial_reset(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	s->rx.n = 0;
	s->tx.n = 0;
	s->thri_pending = false;
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
	s->dll = 12; /* 9600 baud, as a PC's firmware leaves it */
	s->dlm = 0;
	s->overrun = 0;
	s->msr = msr_lines(s);
	update_irq(s);
	offer_room(s);
	pthread_mutex_unlock(&s->lock);
}

struct bus_region *serial_region(struct serial *s)
{
	return &s->region;
}

struct stream_end *serial_stream(struct serial *s)
{
	return &s->stream;
}
