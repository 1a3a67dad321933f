/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/loop.h"
#include "vmm/launch/session.h"

/* The guest's end. */
struct fake_port {
	struct stream_end end;
	char got[256];
	size_t ngot, room;
};

static struct fake_port port;
static struct session s;
static struct session_news news;
static struct loop *loop;
static unsigned changes;

static size_t port_deliver(struct stream_end *e, const uint8_t *buf, size_t len)
{
	struct fake_port *p = container_of(e, struct fake_port, end);
	const size_t n = (size_t)min_u64(len, p->room);

	memcpy(p->got + p->ngot, buf, n);
	p->ngot += n;
	p->room -= n;
	return n;
}

static void port_room(struct stream_end *e)
{
	(void)e;
}

static const struct stream_ops port_ops = {
	.deliver = port_deliver,
	.room = port_room,
};

/* One round of the loop is enough for what has been asked for. */
static void changed(struct session *session)
{
	(void)session;
	changes++;
	loop_stop(loop);
}

static const struct session_ops ops = {.changed = changed};

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(session_init(&s, &ops, NULL), 0);
	port = (struct fake_port){.end.ops = &port_ops, .room = SIZE_MAX};
	changes = 0;
	ck_assert_int_eq(session_attach(&s, &port.end, loop, NULL), 0);
}

static void teardown(void)
{
	session_detach(&s);
	session_fini(&s);
	loop_free(loop);
}

static enum session_state says(const char *text)
{
	ck_assert_uint_eq(stream_send(&port.end, (const uint8_t *)text,
				      strlen(text)),
			  strlen(text));
	session_get(&s, &news);
	return news.state;
}

START_TEST(states_follow_what_init_says)
{
	session_get(&s, &news);
	ck_assert_int_eq(news.state, SESSION_BOOTING);
	ck_assert_int_eq(says("up\n"), SESSION_UP);
	ck_assert_int_eq(says("run\n"), SESSION_RUNNING);
	ck_assert_int_eq(says("exit 7 100 18446744073709551615\n"),
			 SESSION_EXITED);
	ck_assert_int_eq(news.status, 7);
	ck_assert_uint_eq(news.out, 100);
	ck_assert_uint_eq(news.err, UINT64_MAX);
	loop_run(loop);
	ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(times_are_taken_before_the_command_runs)
{
	(void)says("took 1 2 3\nup\ntook 470 60 1040\ntook 1 2\ntook 1 2 3 4\n"
		   "took -1 2 3\nrun\ntook 7 8 9\n");
	ck_assert_uint_eq(news.modules_ms, 470);
	ck_assert_uint_eq(news.ports_ms, 60);
	ck_assert_uint_eq(news.root_ms, 1040);
}
END_TEST

START_TEST(lines_may_come_in_pieces)
{
	ck_assert_int_eq(says("u"), SESSION_BOOTING);
	ck_assert_int_eq(says("p"), SESSION_BOOTING);
	ck_assert_int_eq(says("\nru"), SESSION_UP);
	ck_assert_int_eq(says("n\nexit 0 0 0\n"), SESSION_EXITED);
}
END_TEST

START_TEST(states_never_go_back)
{
	(void)says("up\nrun\nexit 3 0 0\n");
	ck_assert_int_eq(says("up\nrun\nfail x\nexit 4 1 1\n"), SESSION_EXITED);
	ck_assert_int_eq(news.status, 3);
	ck_assert_uint_eq(news.out, 0);
}
END_TEST

START_TEST(failure_says_why_and_stays)
{
	ck_assert_int_eq(says("up\nfail cannot mount '/x'\n"), SESSION_FAILED);
	ck_assert_str_eq(news.why, "cannot mount '/x'");
	ck_assert_int_eq(says("run\nexit 0 0 0\nfail other\n"), SESSION_FAILED);
	ck_assert_str_eq(news.why, "cannot mount '/x'");
}
END_TEST

START_TEST(nonsense_is_ignored)
{
	static const char *const lines[] = {
		"\n",
		"upp\n",
		"exit\n",
		"exit \n",
		"exit 1\n",
		"exit 1 2\n",
		"exit 256 0 0\n",
		"exit 1000 0 0\n",
		"exit -1 0 0\n",
		"exit 1 2 3 4\n",
		"exit x 0 0\n",
		"\xff\xfe\n",
		"Up\n",
	};

	(void)says("up\nrun\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_int_eq(says(lines[i]), SESSION_RUNNING);
	ck_assert_int_eq(says("exit 255 0 0\n"), SESSION_EXITED);
	ck_assert_int_eq(news.status, 255);
}
END_TEST

START_TEST(command_that_never_ran_cannot_exit)
{
	ck_assert_int_eq(says("exit 0 0 0\n"), SESSION_BOOTING);
	ck_assert_int_eq(says("up\nexit 0 0 0\n"), SESSION_UP);
}
END_TEST

START_TEST(endless_line_is_cut_and_the_next_one_counts)
{
	for (unsigned i = 0; i < 100000; i++)
		(void)says("x");
	ck_assert_int_eq(says("\nup\n"), SESSION_UP);
	(void)says("fail ");
	for (unsigned i = 0; i < 2000; i++)
		(void)says("y");
	ck_assert_int_eq(says("\n"), SESSION_FAILED);
	ck_assert_uint_lt(strlen(news.why), LAUNCH_LINE_MAX);
}
END_TEST

START_TEST(signals_reach_a_running_command_alone)
{
	ck_assert(!session_signal(&s, 15));
	(void)says("up\n");
	ck_assert(!session_signal(&s, 15));
	ck_assert(!session_resize(&s, 80, 24));
	(void)says("run\n");
	ck_assert(session_signal(&s, 15));
	ck_assert(session_resize(&s, 80, 24));
	loop_run(loop);
	ck_assert_mem_eq(port.got, "signal 15\nsize 80 24\n", 21);
	ck_assert_uint_eq(port.ngot, 21);
	(void)says("exit 0 0 0\n");
	ck_assert(!session_signal(&s, 15));
}
END_TEST

START_TEST(lines_wait_for_room_and_are_whole)
{
	(void)says("up\nrun\n");
	port.room = 3;
	ck_assert(session_signal(&s, 2));
	loop_run(loop);
	ck_assert_uint_eq(port.ngot, 3);
	port.room = SIZE_MAX;
	stream_room(&port.end);
	loop_run(loop);
	ck_assert_mem_eq(port.got, "signal 2\n", 9);
	ck_assert_uint_eq(port.ngot, 9);
}
END_TEST

START_TEST(guest_that_takes_nothing_keeps_no_more_than_a_line)
{
	unsigned taken = 0;

	(void)says("up\nrun\n");
	port.room = 0;
	for (unsigned i = 0; i < 1000; i++)
		taken += session_signal(&s, 15);
	ck_assert_uint_eq(taken, LAUNCH_LINE_MAX / strlen("signal 15\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm/launch/session");
	TCase *tc = tcase_create("session");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, states_follow_what_init_says);
	tcase_add_test(tc, times_are_taken_before_the_command_runs);
	tcase_add_test(tc, lines_may_come_in_pieces);
	tcase_add_test(tc, states_never_go_back);
	tcase_add_test(tc, failure_says_why_and_stays);
	tcase_add_test(tc, nonsense_is_ignored);
	tcase_add_test(tc, command_that_never_ran_cannot_exit);
	tcase_add_test(tc, endless_line_is_cut_and_the_next_one_counts);
	tcase_add_test(tc, signals_reach_a_running_command_alone);
	tcase_add_test(tc, lines_wait_for_room_and_are_whole);
	tcase_add_test(tc, guest_that_takes_nothing_keeps_no_more_than_a_line);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
