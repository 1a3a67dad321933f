/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/host_console.h"

#define PIECE 37 /* what the guest takes at once */

/*
 * A device: its lock is held in deliver() and room(), and while it sends.
 */
static struct guest {
	struct stream_end end;
	pthread_mutex_t lock;
	uint8_t got[8192];
	size_t len, limit; /* takes no more than up to here */
	atomic_uint rooms;
} guest;

static struct host_console console;
static struct loop *loop;
static pthread_t loop_thread;
static struct err err;
static int in[2], out[2]; /* in[1] -> console -> out[0] */
static atomic_uint ends, helps, panics, sizes, catches;
static atomic_bool foreground;

static size_t deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct guest *g = container_of(e, struct guest, end);
	size_t n;

	pthread_mutex_lock(&g->lock);
	n = min_u64(min_u64(len, PIECE), g->limit - g->len);
	memcpy(g->got + g->len, buf, n);
	g->len += n;
	pthread_mutex_unlock(&g->lock);
	return n;
}

static void room(struct stream_end *e)
{
	struct guest *g = container_of(e, struct guest, end);

	pthread_mutex_lock(&g->lock);
	g->rooms++;
	pthread_mutex_unlock(&g->lock);
}

static const struct stream_ops guest_ops = {.deliver = deliver, .room = room};

static void on_end(struct host_console *c)
{
	(void)c;
	ends++;
}

static void on_help(struct host_console *c)
{
	(void)c;
	helps++;
}

static void on_size(struct host_console *c)
{
	(void)c;
	sizes++;
}

static void on_panic(struct host_console *c)
{
	(void)c;
	panics++;
}

static void on_caught_up(struct host_console *c)
{
	(void)c;
	catches++;
}

static bool may_read(struct host_console *c)
{
	(void)c;
	return foreground;
}

static const struct host_console_ops ops = {
	.end = on_end,
	.help = on_help,
	.resized = on_size,
	.may_read = may_read,
	.panicked = on_panic,
	.caught_up = on_caught_up,
};

static void *run_loop(void *arg)
{
	(void)arg;
	loop_run(loop);
	return NULL;
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	guest = (struct guest){.end.ops = &guest_ops, .limit = 8192};
	pthread_mutex_init(&guest.lock, NULL);
	foreground = true;
	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	ck_assert_int_ge(fcntl(out[1], F_SETPIPE_SZ, 4096), 4096);
	ck_assert_int_eq(loop_new(&loop, &err), 0);
}

static void start(int in_fd)
{
	ck_assert_int_eq(host_console_init(&console, &ops, in_fd, &err), 0);
	ck_assert_int_eq(host_console_set_output(&console, out[1], false, &err),
			 0);
	ck_assert_int_eq(host_console_attach(&console, &guest.end, loop, &err),
			 0);
	ck_assert_int_eq(pthread_create(&loop_thread, NULL, run_loop, NULL), 0);
}

static void stop(void)
{
	loop_stop(loop);
	pthread_join(loop_thread, NULL);
	host_console_detach(&console);
	host_console_fini(&console);
	loop_free(loop);
}

/* The guest sends, as a device does: its lock held. */
static size_t guest_sends(const void *buf, size_t len)
{
	size_t n;

	pthread_mutex_lock(&guest.lock);
	n = stream_send(&guest.end, buf, len);
	pthread_mutex_unlock(&guest.lock);
	return n;
}

static void guest_has_room(size_t limit)
{
	pthread_mutex_lock(&guest.lock);
	guest.limit = limit;
	stream_room(&guest.end);
	pthread_mutex_unlock(&guest.lock);
}

static size_t guest_len(void)
{
	size_t len;

	pthread_mutex_lock(&guest.lock);
	len = guest.len;
	pthread_mutex_unlock(&guest.lock);
	return len;
}

/* Up to five seconds for @len bytes; each piece needs a room(). */
static void guest_gets(const char *text, size_t len)
{
	for (int i = 0; i < 5000 && guest_len() < len; i++) {
		guest_has_room(guest.limit);
		(void)usleep(1000);
	}
	ck_assert_uint_eq(guest_len(), len);
	ck_assert_int_eq(memcmp(guest.got, text, len), 0);
}

/* Waits until @*n is at least @want. */
static void comes(atomic_uint *n, unsigned want)
{
	for (int i = 0; i < 5000 && *n < want; i++)
		(void)usleep(1000);
	ck_assert_uint_ge(*n, want);
}

static void type(int fd, const char *keys)
{
	ck_assert_int_eq(write(fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

START_TEST(text_goes_out)
{
	char got[16] = "";

	start(in[0]);
	ck_assert_uint_eq(guest_sends("hello\n", 6), 6);
	ck_assert_int_eq(read(out[0], got, sizeof(got)), 6);
	ck_assert_str_eq(got, "hello\n");
	ck_assert(!host_console_mid_line(&console));
	ck_assert_uint_eq(guest_sends("x", 1), 1);
	ck_assert(host_console_mid_line(&console));
	stop();
}
END_TEST

/* Some of what the guest sent, if any comes within 10 ms. */
static size_t take(uint8_t *buf, size_t len)
{
	struct pollfd p = {.fd = out[0], .events = POLLIN};

	return poll(&p, 1, 10) == 1 ? (size_t)read(out[0], buf, len) : 0;
}

START_TEST(room_comes_when_the_reader_has_read)
{
	static uint8_t text[2 * OUTPUT_BUFFER], got[sizeof(text)];
	size_t put, n = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i ^ i / 256);
	start(in[0]);
	put = guest_sends(text, sizeof(text));
	ck_assert_uint_lt(put, sizeof(text));
	ck_assert_uint_eq(guest_sends(text + put, 1), 0);
	ck_assert_uint_eq(guest.rooms, 0);
	while (guest.rooms == 0)
		n += take(got + n, 1000);
	put += guest_sends(text + put, sizeof(text) - put);
	while (n < put)
		n += (size_t)read(out[0], got + n, put - n);
	ck_assert_int_eq(memcmp(got, text, put), 0);
	stop();
}
END_TEST

START_TEST(room_comes_when_the_reader_goes)
{
	static uint8_t text[2 * OUTPUT_BUFFER];

	start(in[0]);
	ck_assert_uint_lt(guest_sends(text, sizeof(text)), sizeof(text));
	close(out[0]);
	comes(&guest.rooms, 1);
	ck_assert_uint_eq(guest_sends(text, sizeof(text)), sizeof(text));
	ck_assert_int_eq(host_console_error(&console), EPIPE);
	stop();
}
END_TEST

START_TEST(it_catches_up_with_the_bytes_it_expects)
{
	start(in[0]);
	ck_assert_uint_eq(guest_sends("hello", 5), 5);
	host_console_expect(&console, 11);
	ck_assert_uint_eq(guest_sends(" worl", 5), 5);
	ck_assert_uint_eq(catches, 0);
	ck_assert_uint_eq(guest_sends("d", 1), 1);
	comes(&catches, 1);
	stop();
	ck_assert_uint_eq(catches, 1);
}
END_TEST

/* Those that the device still had are never delivered. */
START_TEST(it_expects_nothing_once_the_reader_has_gone)
{
	start(in[0]);
	close(out[0]);
	ck_assert_uint_eq(guest_sends("hello", 5), 5);
	host_console_expect(&console, 1000);
	comes(&catches, 1);
	stop();
}
END_TEST

START_TEST(keys_come_in_as_the_guest_takes_them)
{
	start(in[0]);
	type(in[1], "0123456789abcdef");
	guest_gets("0123456789abcdef", 16);
	stop();
}
END_TEST

START_TEST(guest_that_takes_nothing_gets_all_later)
{
	static char text[4096];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	guest.limit = 0;
	start(in[0]);
	ck_assert_int_eq(write(in[1], text, sizeof(text)), sizeof(text));
	close(in[1]);
	(void)usleep(20000);
	ck_assert_uint_eq(guest_len(), 0);
	guest_has_room(8192);
	guest_gets(text, sizeof(text));
	stop();
}
END_TEST

START_TEST(file_is_read_to_its_end)
{
	static char text[5000];
	int fd = memfd_create("in", 0);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 19);
	ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	start(fd);
	guest_gets(text, sizeof(text));
	stop();
	close(fd);
}
END_TEST

START_TEST(no_input_is_no_trouble)
{
	char got[4];
	int fd = open("/dev/null", O_RDONLY);

	start(fd);
	ck_assert_uint_eq(guest_sends("ok", 2), 2);
	ck_assert_int_eq(read(out[0], got, sizeof(got)), 2);
	stop();
	close(fd);
}
END_TEST

static int open_raw_pty(int *ret_master)
{
	struct termios raw;
	int slave;

	ck_assert_int_eq(openpty(ret_master, &slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &raw), 0);
	return slave;
}

START_TEST(own_keys_work_while_the_guest_takes_nothing)
{
	int master, slave = open_raw_pty(&master);

	guest.limit = 0;
	start(slave);
	for (int i = 0; i < 300; i++)
		type(master, "some more keys than fit");
	type(master, "\001h");
	comes(&helps, 1);
	type(master, "\001x");
	comes(&ends, 1);
	stop();
}
END_TEST

START_TEST(terminal_of_others_is_not_read)
{
	struct pollfd p = {.events = POLLIN};
	int master, slave = open_raw_pty(&master);

	foreground = false;
	start(slave);
	type(master, "k");
	(void)usleep(100000);
	ck_assert_uint_eq(guest_len(), 0);
	p.fd = slave;
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	foreground = true;
	guest_gets("k", 1);
	stop();
}
END_TEST

START_TEST(panic_is_told_before_deliver_returns)
{
	static const char text[] = "[    1.0] Kernel panic - not syncing: x\n";

	start(in[0]);
	(void)guest_sends(text, 20);
	ck_assert_uint_eq(panics, 0);
	(void)guest_sends(text + 20, sizeof(text) - 21);
	ck_assert_uint_eq(panics, 1);
	stop();
}
END_TEST

START_TEST(size_is_asked_for_on_the_loop)
{
	start(in[0]);
	host_console_resized(&console);
	comes(&sizes, 1);
	stop();
}
END_TEST

static unsigned waits;

static bool wait_thrice(struct host_console *c)
{
	(void)c;
	return ++waits <= 3;
}

START_TEST(drain_writes_the_rest_or_gives_up)
{
	static uint8_t text[OUTPUT_BUFFER], got[8192];

	start(in[0]);
	ck_assert_uint_eq(guest_sends(text, 5000), 5000);
	host_console_drain(&console, wait_thrice);
	ck_assert_uint_eq(waits, 4);
	ck_assert_int_eq(read(out[0], got, 4096), 4096);
	waits = 0;
	host_console_drain(&console, wait_thrice);
	ck_assert_uint_lt(waits, 4);
	ck_assert_int_eq(read(out[0], got, sizeof(got)), 5000 - 4096);
	stop();
}
END_TEST

/* A reader who takes what there is, but only after a while. */
static bool read_late(struct host_console *c)
{
	static uint8_t got[4096];

	(void)c;
	waits++;
	return read(out[0], got, sizeof(got)) > 0;
}

START_TEST(drain_waits_for_who_reads_slowly_but_does)
{
	static uint8_t text[OUTPUT_BUFFER];

	start(in[0]);
	ck_assert_uint_eq(guest_sends(text, sizeof(text)), sizeof(text));
	waits = 0;
	host_console_drain(&console, read_late);
	ck_assert_uint_eq(output_waiting(&console.out), 0);
	ck_assert_uint_gt(waits, 1);
	stop();
}
END_TEST

START_TEST(nothing_is_left_after_detach)
{
	start(in[0]);
	stop();
	ck_assert_ptr_null(guest.end.peer);
	ck_assert_uint_eq(stream_send(&guest.end, (const uint8_t *)"x", 1), 1);
	host_console_detach(&console);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/host_console");
	TCase *tc = tcase_create("host_console");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, text_goes_out);
	tcase_add_test(tc, room_comes_when_the_reader_has_read);
	tcase_add_test(tc, room_comes_when_the_reader_goes);
	tcase_add_test(tc, it_catches_up_with_the_bytes_it_expects);
	tcase_add_test(tc, it_expects_nothing_once_the_reader_has_gone);
	tcase_add_test(tc, keys_come_in_as_the_guest_takes_them);
	tcase_add_test(tc, guest_that_takes_nothing_gets_all_later);
	tcase_add_test(tc, file_is_read_to_its_end);
	tcase_add_test(tc, no_input_is_no_trouble);
	tcase_add_test(tc, own_keys_work_while_the_guest_takes_nothing);
	tcase_add_test(tc, terminal_of_others_is_not_read);
	tcase_add_test(tc, panic_is_told_before_deliver_returns);
	tcase_add_test(tc, size_is_asked_for_on_the_loop);
	tcase_add_test(tc, drain_writes_the_rest_or_gives_up);
	tcase_add_test(tc, drain_waits_for_who_reads_slowly_but_does);
	tcase_add_test(tc, nothing_is_left_after_detach);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
