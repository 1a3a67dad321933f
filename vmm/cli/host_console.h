/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * host_console.h - the host's end of the guest's console.
 *
 *	guest -> deliver() -> output -> descriptor
 *	descriptor -> input -> stream_send() -> guest
 *
 * Threads: deliver() and room() come from any thread, with locks of the
 * device held, and take a leaf lock for the output alone.  All that goes the
 * other way - bytes for the guest, "there is room", a window's new size - is
 * done on the loop with no lock held.
 *
 * Lifetime: attached between mach_new() and mach_free().
 */
#ifndef MOAT_VMM_CLI_HOST_CONSOLE_H
#define MOAT_VMM_CLI_HOST_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/loop.h"
#include "core/stream.h"
#include "vmm/cli/input.h"
#include "vmm/cli/output.h"
#include "vmm/cli/panic_text.h"

struct err;
struct host_console;

/* All may be NULL.  Called on the loop with no lock held, but for the last
 * two. */
struct host_console_ops {
	void (*end)(struct host_console *c);  /* Ctrl-a x */
	void (*help)(struct host_console *c); /* Ctrl-a h */
	/* After host_console_resized(), and at other times. */
	void (*resized)(struct host_console *c);
	/* May the terminal be read now?  NULL: always. */
	bool (*may_read)(struct host_console *c);
	/* Once: the input has ended, and the guest has all of it. */
	void (*input_ended)(struct host_console *c);
	/* Once: the output is broken, see host_console_error(). */
	void (*output_failed)(struct host_console *c);
	/* As many bytes have come as host_console_expect() said, or none will
	 * because the output is broken. */
	void (*caught_up)(struct host_console *c);
	/* Bytes that the guest has sent.  From inside deliver(). */
	void (*seen)(struct host_console *c, const uint8_t *buf, size_t len);
	/* The guest's text shows a panic.  Called from inside deliver(), by
	 * the thread that does: what the guest does next may be a reset, and
	 * must not come first. */
	void (*panicked)(struct host_console *c);
};

struct host_console {
	struct stream_end end;
	const struct host_console_ops *ops;
	struct loop *loop;    /* NULL: detached */
	pthread_mutex_t lock; /* of the members up to the blank line */
	struct output out;
	struct panic_text panic_text;
	bool room_due; /* and not yet told */
	bool mid_line;
	uint64_t received, expected; /* bytes */

	struct input in;
	bool in_always; /* a file: no poll, always readable */
	bool in_ended, failure_told;
	int wake_fd; /* eventfd: the loop has something to do here */
	struct loop_watch in_watch, out_watch, wake_watch;
	struct loop_timer retry; /* may_read() said no */
};

/*
 * host_console_init - input from @in_fd (borrowed; -1: none), output to nowhere
 * yet.
 * Return: 0 or -errno; call host_console_fini() only after 0.
 */
int host_console_init(struct host_console *c,
		      const struct host_console_ops *ops, int in_fd,
		      struct err *err);
/*
 * host_console_set_output - to @fd; before host_console_attach().
 * @owned: Takes @fd
 *
 * Return: 0 or -ENOMEM.
 */
int host_console_set_output(struct host_console *c, int fd, bool owned,
			    struct err *err);
/* Detached. */
void host_console_fini(struct host_console *c);

/*
 * host_console_attach - join the guest's end and watch the descriptors.
 * Return: 0 or -errno with a sentence; detach in any case.
 */
int host_console_attach(struct host_console *c, struct stream_end *guest,
			struct loop *loop, struct err *err);
/* The loop does not run.  Does nothing if detached. */
void host_console_detach(struct host_console *c);

/*
 * host_console_drain - after the run: write what waits, as long as somebody
 * reads it.
 * @wait: asked each time nothing was read for 100 ms; false gives up
 */
void host_console_drain(struct host_console *c,
			bool (*wait)(struct host_console *c));

/* Have ops->caught_up() called when @n bytes have come in all, or now.
 * Threads: any; takes no lock of the caller's. */
void host_console_expect(struct host_console *c, uint64_t n);

/* Have ops->resized() called.  Threads: any; takes no lock. */
void host_console_resized(struct host_console *c);

/* The guest's text ended inside a line: a line of ours needs a new one. */
bool host_console_mid_line(struct host_console *c);

/* Positive errno that ended the output; 0. */
int host_console_error(struct host_console *c);

#endif
