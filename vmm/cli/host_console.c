/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/host_console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

/* How soon a terminal in the background is looked at again. */
#define RETRY_NS UINT64_C(250000000)

/*
 * From the guest.
 */

static struct host_console *of_end(struct stream_end *e)
{
	return container_of(e, struct host_console, end);
}

static void wake(struct host_console *c)
{
	eventfd_signal(c->wake_fd);
}

static size_t deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct host_console *c = of_end(e);
	size_t taken;
	bool panic, due;

	pthread_mutex_lock(&c->lock);
	taken = output_put(&c->out, buf, len);
	if (taken)
		c->mid_line = buf[taken - 1] != '\n';
	c->received += taken;
	due = c->out.error || c->received >= c->expected;
	panic = c->ops->panicked && panic_text_feed(&c->panic_text, buf, taken);
	if (c->ops->seen)
		c->ops->seen(c, buf, taken);
	if (output_waiting(&c->out))
		loop_watch_set(&c->out_watch, EPOLLOUT);
	pthread_mutex_unlock(&c->lock);
	if (due)
		wake(c);
	if (panic)
		c->ops->panicked(c);
	return taken;
}

static void room(struct stream_end *e)
{
	wake(of_end(e));
}

static const struct stream_ops end_ops = {
	.deliver = deliver,
	.room = room,
};

/* The loop holds c->lock. */
static void out_ready(struct loop_watch *w, uint32_t events)
{
	struct host_console *c =
		container_of(w, struct host_console, out_watch);

	(void)events;
	output_flush(&c->out);
	if (output_waiting(&c->out) == 0)
		loop_watch_set(w, 0);
	if (output_take_room(&c->out))
		c->room_due = true;
	if (c->room_due || c->out.error)
		wake(c);
}

/*
 * To the guest; on the loop, with no lock held.
 */

/* Return: true if all has been taken. */
static bool send_keys(struct host_console *c)
{
	size_t len;
	const uint8_t *bytes = input_bytes(&c->in, &len);

	if (len)
		input_taken(&c->in, stream_send(&c->end, bytes, len));
	return c->in.len == 0;
}

static void read_keys(struct host_console *c)
{
	struct escape_keys keys;

	if (!input_read(&c->in, &keys)) {
		loop_watch_del(&c->in_watch);
		c->in_ended = true;
	}
	if (keys.help && c->ops->help)
		c->ops->help(c);
	if (keys.end && c->ops->end)
		c->ops->end(c);
}

/* Behind the last byte, not before. */
static void tell_end(struct host_console *c)
{
	if (!c->in_ended || c->in.len > 0)
		return;
	c->in_ended = false;
	if (c->ops->input_ended)
		c->ops->input_ended(c);
}

static bool may_read(struct host_console *c)
{
	return !c->in.tty || !c->ops->may_read || c->ops->may_read(c);
}

static void in_ready(struct loop_watch *w, uint32_t events)
{
	struct host_console *c = container_of(w, struct host_console, in_watch);

	(void)events;
	if (!may_read(c)) {
		loop_watch_set(w, 0);
		loop_timer_set(&c->retry, RETRY_NS);
		return;
	}
	read_keys(c);
	(void)send_keys(c);
	tell_end(c);
	loop_watch_set(w, input_wants(&c->in) ? EPOLLIN : 0);
}

static void retry_reading(struct loop_timer *t)
{
	struct host_console *c = container_of(t, struct host_console, retry);

	loop_watch_set(&c->in_watch, EPOLLIN);
}

static void catch_up(struct host_console *c)
{
	const bool all = send_keys(c);

	if (c->in_always && all && input_wants(&c->in)) {
		read_keys(c);
		wake(c);
	} else if (!c->in.tty && input_wants(&c->in)) {
		loop_watch_set(&c->in_watch, EPOLLIN);
	}
	tell_end(c);
}

/* Each once. */
static void tell_output(struct host_console *c)
{
	bool failed, caught_up;

	pthread_mutex_lock(&c->lock);
	failed = c->out.error && !c->failure_told;
	c->failure_told |= failed;
	/* Of what comes after a failure the rest is thrown away unseen. */
	caught_up = c->expected != UINT64_MAX &&
		    (c->out.error || c->received >= c->expected);
	if (caught_up)
		c->expected = UINT64_MAX;
	pthread_mutex_unlock(&c->lock);
	if (failed && c->ops->output_failed)
		c->ops->output_failed(c);
	if (caught_up && c->ops->caught_up)
		c->ops->caught_up(c);
}

static void woken(struct loop_watch *w, uint32_t events)
{
	struct host_console *c =
		container_of(w, struct host_console, wake_watch);
	bool has_room;

	(void)events;
	(void)eventfd_clear(c->wake_fd);
	pthread_mutex_lock(&c->lock);
	has_room = c->room_due;
	c->room_due = false;
	pthread_mutex_unlock(&c->lock);
	if (has_room)
		stream_room(&c->end);
	tell_output(c);
	if (c->ops->resized)
		c->ops->resized(c);
	catch_up(c);
}

/*
 * Life.
 */

int host_console_init(struct host_console *c,
		      const struct host_console_ops *ops, int in_fd,
		      struct err *err)
{
	*c = (struct host_console){
		.end.ops = &end_ops,
		.ops = ops,
		.expected = UINT64_MAX,
		.in_watch = {.fn = in_ready},
		.out_watch = {.fn = out_ready},
		.wake_watch = {.fn = woken},
		.retry = {.fn = retry_reading},
	};
	if (input_init(&c->in, in_fd) < 0)
		return err_set(err, ENOMEM, "out of memory");
	c->wake_fd = eventfd_new();
	if (c->wake_fd < 0) {
		input_fini(&c->in);
		return err_errno(err, -c->wake_fd, "cannot make an eventfd");
	}
	pthread_mutex_init(&c->lock, NULL);
	c->out_watch.lock = &c->lock;
	output_init_none(&c->out);
	return 0;
}

int host_console_set_output(struct host_console *c, int fd, bool owned,
			    struct err *err)
{
	return output_init(&c->out, fd, owned, err);
}

void host_console_fini(struct host_console *c)
{
	input_fini(&c->in);
	output_fini(&c->out);
	close(c->wake_fd);
	pthread_mutex_destroy(&c->lock);
}

/* Files and devices that cannot be polled are read whenever the guest has
 * room. */
static int watch_input(struct host_console *c)
{
	int r;

	if (c->in.fd < 0)
		return 0;
	r = loop_watch_add(c->loop, &c->in_watch, c->in.fd, EPOLLIN);
	if (r == -EPERM) {
		c->in_always = true;
		wake(c);
		return 0;
	}
	return r;
}

int host_console_attach(struct host_console *c, struct stream_end *guest,
			struct loop *loop, struct err *err)
{
	int r;

	c->loop = loop;
	stream_join(&c->end, guest);
	r = loop_watch_add(loop, &c->wake_watch, c->wake_fd, EPOLLIN);
	if (r == 0)
		r = loop_timer_add(loop, &c->retry);
	if (r == 0 && c->out.polled)
		r = loop_watch_add(loop, &c->out_watch, c->out.fd, 0);
	if (r < 0)
		return err_errno(err, -r, "cannot watch the console");
	r = watch_input(c);
	if (r < 0)
		return err_errno(err, -r, "cannot watch standard input");
	return 0;
}

void host_console_detach(struct host_console *c)
{
	if (!c->loop)
		return;
	loop_watch_del(&c->in_watch);
	loop_watch_del(&c->out_watch);
	loop_watch_del(&c->wake_watch);
	loop_timer_del(&c->retry);
	c->end.peer->peer = NULL;
	c->end.peer = NULL;
	c->loop = NULL;
}

void host_console_drain(struct host_console *c,
			bool (*wait)(struct host_console *c))
{
	struct pollfd p = {.fd = c->out.fd, .events = POLLOUT};

	pthread_mutex_lock(&c->lock);
	output_flush(&c->out);
	while (output_waiting(&c->out)) {
		if (poll(&p, 1, 100) == 0 && !wait(c))
			break;
		output_flush(&c->out);
	}
	pthread_mutex_unlock(&c->lock);
}

void host_console_expect(struct host_console *c, uint64_t n)
{
	pthread_mutex_lock(&c->lock);
	c->expected = n;
	pthread_mutex_unlock(&c->lock);
	wake(c);
}

void host_console_resized(struct host_console *c)
{
	wake(c);
}

bool host_console_mid_line(struct host_console *c)
{
	bool mid;

	pthread_mutex_lock(&c->lock);
	mid = c->mid_line;
	pthread_mutex_unlock(&c->lock);
	return mid;
}

int host_console_error(struct host_console *c)
{
	int error;

	pthread_mutex_lock(&c->lock);
	error = c->out.error;
	pthread_mutex_unlock(&c->lock);
	return error;
}
