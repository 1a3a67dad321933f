/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/output.h"

#define PIPE_SIZE 4096 /* a page, the least there is */

static struct output o;
static struct err err;
static int fds[2];
static uint8_t text[4 * OUTPUT_BUFFER];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
}

static void start(int fd)
{
	ck_assert_int_eq(output_init(&o, fd, false, &err), 0);
}

/* What is in the pipe, appended to @dst.  Return: bytes. */
static size_t take(uint8_t *dst, size_t max)
{
	ssize_t n = read(fds[0], dst, max);

	ck_assert_int_ge(n, 0);
	return (size_t)n;
}

START_TEST(bytes_reach_a_pipe_at_once)
{
	uint8_t got[16];

	start(fds[1]);
	ck_assert_uint_eq(output_put(&o, text, 10), 10);
	ck_assert_uint_eq(output_waiting(&o), 0);
	ck_assert_uint_eq(take(got, sizeof(got)), 10);
	ck_assert_int_eq(memcmp(got, text, 10), 0);
	ck_assert_uint_eq(output_put(&o, text, 0), 0);
	output_fini(&o);
}
END_TEST

START_TEST(slow_reader_makes_bytes_wait_and_then_be_refused)
{
	size_t taken;

	start(fds[1]);
	taken = output_put(&o, text, sizeof(text));
	ck_assert_uint_eq(taken, PIPE_SIZE + OUTPUT_BUFFER);
	ck_assert_uint_eq(output_waiting(&o), OUTPUT_BUFFER);
	ck_assert_uint_eq(output_put(&o, text, 1), 0);
	ck_assert(!output_take_room(&o));
	output_fini(&o);
}
END_TEST

START_TEST(no_byte_is_lost_or_moved)
{
	static uint8_t got[sizeof(text)];
	size_t put = 0, n = 0;

	start(fds[1]);
	while (n < sizeof(text)) {
		/* Odd pieces, so that the ring wraps everywhere. */
		put += output_put(&o, text + put,
				  min_u64(sizeof(text) - put, 3001));
		if (put == sizeof(text) || output_waiting(&o) > 50000) {
			n += take(got + n, 1777);
			output_flush(&o);
		}
	}
	ck_assert_uint_eq(output_waiting(&o), 0);
	ck_assert_int_eq(memcmp(got, text, sizeof(text)), 0);
	output_fini(&o);
}
END_TEST

START_TEST(room_is_told_once_when_half_is_free)
{
	static uint8_t got[PIPE_SIZE];

	start(fds[1]);
	(void)output_put(&o, text, sizeof(text));
	while (output_waiting(&o) > OUTPUT_BUFFER / 2) {
		ck_assert(!output_take_room(&o));
		(void)take(got, sizeof(got));
		output_flush(&o);
	}
	ck_assert(output_take_room(&o));
	ck_assert(!output_take_room(&o));
	output_fini(&o);
}
END_TEST

START_TEST(another_writer_does_not_use_up_the_room)
{
	static uint8_t got[PIPE_SIZE];

	start(fds[1]);
	(void)output_put(&o, text, sizeof(text));
	(void)take(got, sizeof(got));
	ck_assert_uint_eq(output_put(&o, text, 10), 10);
	while (output_waiting(&o) > OUTPUT_BUFFER / 2) {
		(void)take(got, sizeof(got));
		output_flush(&o);
	}
	ck_assert(output_take_room(&o));
	output_fini(&o);
}
END_TEST

START_TEST(room_is_not_told_if_nothing_was_refused)
{
	start(fds[1]);
	ck_assert(!output_take_room(&o));
	ck_assert_uint_eq(output_put(&o, text, 100), 100);
	ck_assert(!output_take_room(&o));
	output_fini(&o);
}
END_TEST

START_TEST(reader_that_goes_ends_the_text_alone)
{
	start(fds[1]);
	(void)output_put(&o, text, sizeof(text));
	close(fds[0]);
	output_flush(&o);
	ck_assert_int_eq(o.error, EPIPE);
	ck_assert_uint_eq(output_waiting(&o), 0);
	ck_assert_uint_eq(output_put(&o, text, sizeof(text)), sizeof(text));
	/* Whoever was refused has to come back, once. */
	ck_assert(output_take_room(&o));
	output_fini(&o);
}
END_TEST

START_TEST(others_do_not_see_o_nonblock)
{
	start(fds[1]);
	ck_assert(o.owned);
	ck_assert(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
	output_fini(&o);
	ck_assert_int_ge(fcntl(fds[1], F_GETFD), 0);
}
END_TEST

START_TEST(shared_socket_gets_its_mode_back)
{
	int s[2];
	size_t taken;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	start(s[1]);
	ck_assert(fcntl(s[1], F_GETFL) & O_NONBLOCK);
	do {
		taken = output_put(&o, text, sizeof(text));
	} while (taken == sizeof(text));
	ck_assert_uint_eq(output_waiting(&o), OUTPUT_BUFFER);
	output_fini(&o);
	ck_assert(!(fcntl(s[1], F_GETFL) & O_NONBLOCK));
	close(s[0]);
	close(s[1]);
}
END_TEST

START_TEST(nonblocking_socket_stays_so)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s),
			 0);
	start(s[1]);
	output_fini(&o);
	ck_assert(fcntl(s[1], F_GETFL) & O_NONBLOCK);
	close(s[0]);
	close(s[1]);
}
END_TEST

START_TEST(terminal_is_opened_anew)
{
	int master, slave;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	start(slave);
	ck_assert(o.owned && o.polled);
	ck_assert(!(fcntl(slave, F_GETFL) & O_NONBLOCK));
	output_fini(&o);
	/* Its other side is not: that would be another terminal. */
	start(master);
	ck_assert(!o.owned);
	output_fini(&o);
	close(master);
	close(slave);
}
END_TEST

START_TEST(file_is_written_directly)
{
	int fd = memfd_create("out", 0);
	struct stat st;

	start(fd);
	ck_assert(!o.polled);
	ck_assert_uint_eq(output_put(&o, text, sizeof(text)), sizeof(text));
	ck_assert_uint_eq(output_waiting(&o), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, sizeof(text));
	output_fini(&o);
	close(fd);
}
END_TEST

START_TEST(full_disk_ends_the_text_alone)
{
	int fd = open("/dev/full", O_WRONLY);

	start(fd);
	ck_assert_uint_eq(output_put(&o, text, 100), 100);
	ck_assert_int_eq(o.error, ENOSPC);
	ck_assert_uint_eq(output_put(&o, text, 100), 100);
	output_fini(&o);
	close(fd);
}
END_TEST

START_TEST(nowhere_takes_everything)
{
	output_init_none(&o);
	ck_assert_uint_eq(output_put(&o, text, sizeof(text)), sizeof(text));
	output_flush(&o);
	ck_assert_int_eq(o.error, 0);
	output_fini(&o);
}
END_TEST

START_TEST(owned_descriptor_is_closed)
{
	ck_assert_int_eq(output_init(&o, fds[1], true, &err), 0);
	ck_assert_int_eq(o.fd, fds[1]);
	ck_assert(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	output_fini(&o);
	ck_assert_int_eq(fcntl(fds[1], F_GETFD), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/output");
	TCase *tc = tcase_create("output");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, bytes_reach_a_pipe_at_once);
	tcase_add_test(tc, slow_reader_makes_bytes_wait_and_then_be_refused);
	tcase_add_test(tc, no_byte_is_lost_or_moved);
	tcase_add_test(tc, room_is_told_once_when_half_is_free);
	tcase_add_test(tc, another_writer_does_not_use_up_the_room);
	tcase_add_test(tc, room_is_not_told_if_nothing_was_refused);
	tcase_add_test(tc, reader_that_goes_ends_the_text_alone);
	tcase_add_test(tc, others_do_not_see_o_nonblock);
	tcase_add_test(tc, shared_socket_gets_its_mode_back);
	tcase_add_test(tc, nonblocking_socket_stays_so);
	tcase_add_test(tc, terminal_is_opened_anew);
	tcase_add_test(tc, file_is_written_directly);
	tcase_add_test(tc, full_disk_ends_the_text_alone);
	tcase_add_test(tc, nowhere_takes_everything);
	tcase_add_test(tc, owned_descriptor_is_closed);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
