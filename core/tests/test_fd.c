/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/fd.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

static int file;

static void setup(void)
{
	file = memfd_create("test", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
}

static void teardown(void)
{
	close(file);
}

START_TEST(what_was_written_is_read_back)
{
	char out[6] = {0};

	ck_assert_int_eq(fd_pwrite_full(file, "hello", 5, 100), 0);
	ck_assert_int_eq(fd_pread_full(file, out, 5, 100), 0);
	ck_assert_str_eq(out, "hello");
}
END_TEST

START_TEST(reading_up_to_the_last_byte_succeeds_and_one_past_does_not)
{
	char out[8];

	ck_assert_int_eq(fd_pwrite_full(file, "hello", 5, 0), 0);
	ck_assert_int_eq(fd_pread_full(file, out, 1, 4), 0);
	ck_assert_int_eq(fd_pread_full(file, out, 2, 4), -ENODATA);
	ck_assert_int_eq(fd_pread_full(file, out, 1, 5), -ENODATA);
	ck_assert_int_eq(fd_pread_full(file, out, 1, 5000), -ENODATA);
}
END_TEST

START_TEST(nothing_can_be_moved_anywhere)
{
	ck_assert_int_eq(fd_pread_full(file, NULL, 0, 0), 0);
	ck_assert_int_eq(fd_pread_full(file, NULL, 0, INT64_MAX), 0);
	ck_assert_int_eq(fd_pwrite_full(file, NULL, 0, 7), 0);
	ck_assert_int_eq(fd_write_full(file, NULL, 0), 0);
}
END_TEST

START_TEST(offsets_past_2_63_overflow)
{
	char c = 0;

	ck_assert_int_eq(fd_pread_full(file, &c, 1, INT64_MAX), -EOVERFLOW);
	ck_assert_int_eq(fd_pread_full(file, &c, 1, (uint64_t)INT64_MAX + 1),
			 -EOVERFLOW);
	ck_assert_int_eq(fd_pread_full(file, &c, 1, UINT64_MAX), -EOVERFLOW);
	ck_assert_int_eq(fd_pwrite_full(file, &c, 1, UINT64_MAX), -EOVERFLOW);
	ck_assert_int_eq(fd_pread_full(file, &c, 1, INT64_MAX - 1), -ENODATA);
}
END_TEST

START_TEST(a_bad_descriptor_is_reported)
{
	char c = 0;

	ck_assert_int_eq(fd_pread_full(-1, &c, 1, 0), -EBADF);
	ck_assert_int_eq(fd_pwrite_full(-1, &c, 1, 0), -EBADF);
	ck_assert_int_eq(fd_write_full(-1, &c, 1), -EBADF);
}
END_TEST

#define PIPED (1u << 20)

static void *drain(void *arg)
{
	const int fd = *(int *)arg;
	static char block[5000];
	size_t *sum = calloc(1, sizeof(*sum));
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		*sum += (size_t)n;
	return sum;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void *poke(void *arg)
{
	const pthread_t *writer = arg;

	for (int i = 0; i < 200; i++) {
		pthread_kill(*writer, SIGUSR1);
		usleep(50);
	}
	return NULL;
}

START_TEST(short_and_interrupted_writes_go_on)
{
	struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART */
	pthread_t reader, poker, self = pthread_self();
	char *block = calloc(1, PIPED);
	void *sum;
	int fds[2];

	sigaction(SIGUSR1, &sa, NULL);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pthread_create(&poker, NULL, poke, &self);
	pthread_create(&reader, NULL, drain, &fds[0]);
	ck_assert_int_eq(fd_write_full(fds[1], block, PIPED), 0);
	close(fds[1]);
	pthread_join(reader, &sum);
	pthread_join(poker, NULL);
	ck_assert_uint_eq(*(size_t *)sum, PIPED);
	close(fds[0]);
	free(sum);
	free(block);
}
END_TEST

START_TEST(an_eventfd_takes_all_signals_at_once)
{
	AUTO_CLOSE int fd = eventfd_new();

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(!eventfd_clear(fd));
	eventfd_signal(fd);
	eventfd_signal(fd);
	ck_assert(eventfd_clear(fd));
	ck_assert(!eventfd_clear(fd));
}
END_TEST

START_TEST(a_full_eventfd_does_not_block_its_signaller)
{
	AUTO_CLOSE int fd = eventfd_new();

	ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 1), 0);
	eventfd_signal(fd);
	ck_assert(eventfd_clear(fd));
}
END_TEST

/* As another process does that has it, too. */
START_TEST(a_shared_eventfd_made_to_block_blocks_neither_side)
{
	AUTO_CLOSE int fd = eventfd_new();

	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	ck_assert(!eventfd_clear_shared(fd));
	eventfd_signal_shared(fd);
	ck_assert(eventfd_clear_shared(fd));
	ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 1), 0);
	eventfd_signal_shared(fd);
	ck_assert(eventfd_clear_shared(fd));
	ck_assert(!eventfd_clear_shared(fd));
}
END_TEST

START_TEST(scopes_close_and_free_what_was_not_taken)
{
	int kept, closed;

	{
		AUTO_CLOSE int a = dup(file);
		AUTO_CLOSE int b = dup(file);
		AUTO_CLOSE int none = -1;
		AUTO_FREE char *p = strdup("freed"); /* ASan looks */

		closed = a;
		kept = take_fd(&b);
		ck_assert_int_eq(b, -1);
		ck_assert_int_eq(none, -1);
		ck_assert_str_eq(p, "freed");
	}
	ck_assert_int_eq(fcntl(closed, F_GETFD), -1);
	ck_assert_int_ge(fcntl(kept, F_GETFD), 0);
	close(kept);
}
END_TEST

static char *make(void)
{
	AUTO_FREE char *p = strdup("kept");

	return take_ptr(&p);
}

START_TEST(a_taken_block_outlives_its_scope)
{
	char *p = make();

	ck_assert_str_eq(p, "kept");
	free(take_ptr(&p));
	ck_assert_ptr_null(p);
	ck_assert_ptr_null(take_ptr(&p));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/fd");
	TCase *tc = tcase_create("fd");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_written_is_read_back);
	tcase_add_test(
		tc, reading_up_to_the_last_byte_succeeds_and_one_past_does_not);
	tcase_add_test(tc, nothing_can_be_moved_anywhere);
	tcase_add_test(tc, offsets_past_2_63_overflow);
	tcase_add_test(tc, a_bad_descriptor_is_reported);
	tcase_add_test(tc, short_and_interrupted_writes_go_on);
	tcase_add_test(tc, an_eventfd_takes_all_signals_at_once);
	tcase_add_test(tc, a_full_eventfd_does_not_block_its_signaller);
	tcase_add_test(tc, a_shared_eventfd_made_to_block_blocks_neither_side);
	tcase_add_test(tc, scopes_close_and_free_what_was_not_taken);
	tcase_add_test(tc, a_taken_block_outlives_its_scope);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
