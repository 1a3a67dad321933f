/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/cli/input.h"

static struct input in;
static struct escape_keys keys;
static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(pipe(fds), 0);
}

/* All that waits is @text; it is taken. */
static void have(const char *text)
{
	size_t len;
	const uint8_t *bytes = input_bytes(&in, &len);

	ck_assert_uint_eq(len, strlen(text));
	ck_assert_int_eq(memcmp(bytes, text, len), 0);
	input_taken(&in, len);
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(pipe_passes_every_byte)
{
	ck_assert_int_eq(input_init(&in, fds[0]), 0);
	send_text(fds[1], "a\001x\003\377");
	ck_assert(input_read(&in, &keys));
	ck_assert(!keys.end);
	have("a\001x\003\377");
	input_fini(&in);
}
END_TEST

START_TEST(end_of_a_pipe_is_harmless)
{
	ck_assert_int_eq(input_init(&in, fds[0]), 0);
	send_text(fds[1], "last");
	close(fds[1]);
	ck_assert(input_read(&in, &keys));
	ck_assert(!input_read(&in, &keys));
	ck_assert(!input_wants(&in));
	have("last");
	input_fini(&in);
}
END_TEST

START_TEST(nothing_to_read_is_no_end)
{
	ck_assert_int_eq(input_init(&in, fds[0]), 0);
	ck_assert(input_read(&in, &keys));
	ck_assert(input_wants(&in));
	have("");
	input_fini(&in);
	ck_assert(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
}
END_TEST

START_TEST(nothing_to_read_from_a_socket_is_no_end)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	ck_assert_int_eq(input_init(&in, s[0]), 0);
	ck_assert(input_read(&in, &keys));
	send_text(s[1], "x");
	ck_assert(input_read(&in, &keys));
	have("x");
	input_fini(&in);
	ck_assert(!(fcntl(s[0], F_GETFL) & O_NONBLOCK));
	close(s[0]);
	close(s[1]);
}
END_TEST

START_TEST(pipe_waits_for_a_guest_that_does_not_take)
{
	static char text[INPUT_BUFFER];
	size_t len;

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(input_init(&in, fds[0]), 0);
	ck_assert_int_eq(write(fds[1], text, sizeof(text)), sizeof(text));
	while (input_wants(&in))
		ck_assert(input_read(&in, &keys));
	(void)input_bytes(&in, &len);
	ck_assert_uint_eq(len, INPUT_BUFFER);
	input_taken(&in, 1);
	ck_assert(!input_wants(&in));
	input_taken(&in, 1023);
	ck_assert(input_wants(&in));
	input_fini(&in);
}
END_TEST

START_TEST(bytes_keep_their_order_when_some_are_taken)
{
	size_t len;

	ck_assert_int_eq(input_init(&in, fds[0]), 0);
	send_text(fds[1], "abcdef");
	ck_assert(input_read(&in, &keys));
	input_taken(&in, 4);
	send_text(fds[1], "gh");
	ck_assert(input_read(&in, &keys));
	(void)input_bytes(&in, &len);
	ck_assert_uint_eq(len, 4);
	have("efgh");
	input_fini(&in);
}
END_TEST

START_TEST(terminal_has_keys_of_its_own)
{
	struct termios raw;
	int master, slave;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &raw), 0);
	ck_assert_int_eq(input_init(&in, slave), 0);
	send_text(master, "ls\001h\001\001\001xlost");
	ck_assert(input_read(&in, &keys));
	ck_assert(keys.help && keys.end);
	have("ls\001");
	input_fini(&in);
	close(master);
	close(slave);
}
END_TEST

START_TEST(full_terminal_still_hears_its_own_keys)
{
	struct termios raw;
	char text[1024];
	int master, slave;
	size_t len;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &raw), 0);
	ck_assert_int_eq(input_init(&in, slave), 0);
	memset(text, 'a', sizeof(text));
	for (int i = 0; i < 2 * INPUT_BUFFER / 1024; i++) {
		ck_assert_int_eq(write(master, text, sizeof(text)),
				 sizeof(text));
		ck_assert(input_wants(&in));
		ck_assert(input_read(&in, &keys));
		ck_assert(!keys.end);
	}
	(void)input_bytes(&in, &len);
	ck_assert_uint_eq(len, INPUT_BUFFER);
	send_text(master, "\001x");
	ck_assert(input_wants(&in));
	while (!keys.end)
		ck_assert(input_read(&in, &keys));
	input_fini(&in);
	close(master);
	close(slave);
}
END_TEST

START_TEST(terminal_that_hangs_up_ends)
{
	int master, slave;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(input_init(&in, slave), 0);
	close(master);
	ck_assert(!input_read(&in, &keys));
	ck_assert(!input_wants(&in));
	input_fini(&in);
	close(slave);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/input");
	TCase *tc = tcase_create("input");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, pipe_passes_every_byte);
	tcase_add_test(tc, end_of_a_pipe_is_harmless);
	tcase_add_test(tc, nothing_to_read_is_no_end);
	tcase_add_test(tc, nothing_to_read_from_a_socket_is_no_end);
	tcase_add_test(tc, pipe_waits_for_a_guest_that_does_not_take);
	tcase_add_test(tc, bytes_keep_their_order_when_some_are_taken);
	tcase_add_test(tc, terminal_has_keys_of_its_own);
	tcase_add_test(tc, full_terminal_still_hears_its_own_keys);
	tcase_add_test(tc, terminal_that_hangs_up_ends);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
