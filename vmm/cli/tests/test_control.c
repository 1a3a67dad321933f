/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The control socket: the server in a run around a fake machine, with rude
 * clients; moat iommu, with servers that are none.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/cli/tests/spawn.h"

const char *spawn_program = MOAT_FAKE;

#define RUN(...) spawn_run(NULL, NULL, 0, ARGV(__VA_ARGS__))

#define HEAD                                                            \
	"ENDPOINT DOMAIN       MAPPINGS          BYTES        LARGEST " \
	"        HITS    MISSES     WALKS   FAULTS\n"
#define TABLE                                                                \
	HEAD "8        1                 300     3321888768        2097152 " \
	     "           9         3         4        1\n"                   \
	     "16       bypass              0              0              0 " \
	     "           0         0         0        0\n"
#define OBJECT                                                            \
	"{\"endpoint\":8,\"domain\":1,\"bypass\":false,\"mappings\":300," \
	"\"bytes\":3321888768,\"largest\":2097152,\"examined\":300,"      \
	"\"translations\":12,\"cache_hits\":9,\"cache_misses\":3,\"walks\":4,\"faults\":1}\n"

static char path[64];
static struct spawn_tty guest;
static pid_t server;

static void setup(void)
{
	(void)snprintf(path, sizeof(path), "/tmp/moat-test-%d", getpid());
}

static void teardown(void)
{
	(void)unlink(path);
}

static void result_is(struct spawn_result r, int status, const char *out,
		      const char *err)
{
	ck_assert_str_eq(r.err, err);
	ck_assert_str_eq(r.out, out);
	ck_assert_int_eq(r.status, status);
}

/* "moat: HEAD'path'TAIL" on standard error. */
static void fails(struct spawn_result r, int status, const char *head,
		  const char *tail)
{
	char sentence[256];

	(void)snprintf(sentence, sizeof(sentence), "moat: %s'%s'%s\n", head,
		       path, tail);
	result_is(r, status, "", sentence);
}

static void start_guest(void)
{
	spawn_tty(&guest, NULL,
		  ARGV("run", "--iommu", "on", "--control", path, "--kernel",
		       "print up\\n;wait"));
	spawn_expect(&guest, "up");
}

static void end_guest(void)
{
	kill(guest.pid, SIGTERM);
	ck_assert_int_eq(spawn_end(&guest), 128 + SIGTERM);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int bound(void)
{
	const struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int connected(void)
{
	const struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
			 0);
	return fd;
}

/* All that @fd says up to its end, which is closed. */
static void says(int fd, const char *want)
{
	char text[1024];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	ck_assert_str_eq(text, want);
	close(fd);
}

START_TEST(endpoints_are_printed)
{
	start_guest();
	result_is(RUN("iommu", path), 0, TABLE, "");
	result_is(RUN("iommu", path, "--json"), 0,
		  OBJECT "{\"endpoint\":16,\"domain\":null,\"bypass\":true,"
			 "\"mappings\":0,\"bytes\":0,\"largest\":0,"
			 "\"examined\":0,\"translations\":0,\"cache_hits\":0,"
			 "\"cache_misses\":0,\"walks\":0,\"faults\":0}\n",
		  "");
	end_guest();
}
END_TEST

START_TEST(mappings_of_several_pages_are_printed)
{
	struct spawn_result r;
	unsigned lines = 0;

	start_guest();
	r = RUN("iommu", path, "--map", "8");
	ck_assert_int_eq(r.status, 0);
	for (const char *p = r.out; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, 300);
	ck_assert_ptr_eq(strstr(r.out, "0x0-0xfff to 0x5000 rw\n"
				       "0x400000-0x400fff to 0x5000 rw\n"),
			 r.out);
	ck_assert_ptr_nonnull(
		strstr(r.out, "\n0x4ac00000-0x4adfffff to 0x5000 rw\n"));
	r = RUN("iommu", path, "--map=8", "--json");
	ck_assert_ptr_nonnull(
		strstr(r.out, "\n{\"first\":\"0x400000\",\"last\":\"0x400fff\","
			      "\"phys\":\"0x5000\",\"flags\":\"rw\"}\n"));
	ck_assert_ptr_null(strstr(r.out, "next"));
	result_is(RUN("iommu", path, "--map", "16"), 0, "", "");
	result_is(RUN("iommu", path, "--map", "9"), 1, "",
		  "moat: iommu: the machine's IOMMU has no such endpoint\n");
	end_guest();
}
END_TEST

#define DEVICES                                                               \
	"DEVICE   KIND               REQUESTS           READ        WRITTEN " \
	"       KICKS   INTERRUPTS  MORE\n"                                   \
	"blk0     virtio-blk                7           1000           4096 " \
	"           3            2  errors=1\n"                               \
	"vsock    virtio-vsock              0              0              0 " \
	"           0            0  connections=5 reset=18446744073709551615\n"
#define DEVICE_OBJECTS                                                    \
	"{\"device\":\"blk0\",\"kind\":\"virtio-blk\",\"kicks\":3,"       \
	"\"interrupts\":2,\"requests\":7,\"read\":1000,\"written\":4096," \
	"\"errors\":1,\"full\":0,\"throttled\":0}\n"                      \
	"{\"device\":\"vsock\",\"kind\":\"virtio-vsock\",\"kicks\":0,"    \
	"\"interrupts\":0,\"requests\":0,\"read\":0,\"written\":0,"       \
	"\"errors\":0,\"full\":0,\"throttled\":0,"                        \
	"\"connections\":5,\"reset\":18446744073709551615}\n"

START_TEST(devices_are_printed)
{
	start_guest();
	result_is(RUN("stats", path), 0, DEVICES, "");
	result_is(RUN("stats", path, "--json"), 0, DEVICE_OBJECTS, "");
	end_guest();
}
END_TEST

START_TEST(balloon_is_set_to_a_size)
{
	spawn_tty(&guest, NULL,
		  ARGV("run", "--balloon", "on", "--memory", "64M", "--control",
		       path, "--kernel", "print up\\n;wait"));
	spawn_expect(&guest, "up");
	result_is(RUN("balloon", path, "32M"), 0, "", "");
	result_is(RUN("balloon", path, "0"), 0, "", "");
	result_is(RUN("balloon", path, "65M"), 1, "",
		  "moat: balloon: the machine has less memory\n");
	result_is(RUN("balloon", path), 2, "",
		  "moat: balloon: SIZE is missing, like 256M\n");
	result_is(RUN("balloon", path, "1M", "2M"), 2, "",
		  "moat: unexpected word '2M'\n");
	end_guest();
	start_guest();
	result_is(RUN("balloon", path, "1M"), 1, "",
		  "moat: balloon: the machine has no balloon\n");
	end_guest();
}
END_TEST

START_TEST(guest_is_asked_by_its_name)
{
	char dir[] = "/tmp/moat-run-XXXXXX", file[96];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
	spawn_tty(&guest, NULL,
		  ARGV("run", "--iommu", "on", "--name", "one", "--kernel",
		       "print up\\n;wait"));
	spawn_expect(&guest, "up");
	result_is(RUN("stats", "one"), 0, DEVICES, "");
	result_is(RUN("iommu", "one"), 0, TABLE, "");
	result_is(RUN("stats", "two"), 1, "",
		  "moat: stats: 'two': nobody answers: No such file or "
		  "directory\n");
	end_guest();
	/* With the guest its socket has gone. */
	(void)snprintf(file, sizeof(file), "%s/moat", dir);
	ck_assert_int_eq(rmdir(file), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
}
END_TEST

START_TEST(machine_without_iommu_says_so)
{
	spawn_tty(&guest, NULL,
		  ARGV("run", "--iommu", "off", "--control", path, "--kernel",
		       "print up\\n;wait"));
	spawn_expect(&guest, "up");
	result_is(RUN("iommu", path), 1, "",
		  "moat: iommu: the machine has no IOMMU\n");
	end_guest();
}
END_TEST

START_TEST(watch_prints_until_the_guest_ends)
{
	static struct spawn_tty w;

	start_guest();
	spawn_tty(&w, NULL, ARGV("iommu", path, "--watch"));
	spawn_expect(&w, "ENDPOINT");
	spawn_expect(&w, "bypass");
	spawn_expect(&w, "ENDPOINT");
	spawn_expect(&w, "bypass");
	end_guest();
	ck_assert_int_eq(spawn_end(&w), 0);
}
END_TEST

START_TEST(socket_is_the_owners_and_goes_with_the_run)
{
	struct stat st;

	start_guest();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	end_guest();
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(socket_in_use_is_refused_and_a_stale_one_replaced)
{
	int fd = bound();

	close(fd); /* the file stays */
	start_guest();
	fails(RUN("run", "--iommu", "on", "--control", path, "--kernel",
		  "poweroff"),
	      1, "--control: ", " is in use");
	result_is(RUN("iommu", path), 0, TABLE, "");
	end_guest();
}
END_TEST

START_TEST(file_that_is_no_socket_stays)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct stat st;

	ck_assert_int_eq(write(fd, "precious", 8), 8);
	close(fd);
	fails(RUN("run", "--iommu", "on", "--control", path, "--kernel",
		  "poweroff"),
	      1, "--control: ", " exists and is no socket");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 8);
}
END_TEST

START_TEST(client_that_is_silent_is_dropped)
{
	int silent, half;

	start_guest();
	silent = connected();
	half = connected();
	ck_assert_int_eq(write(half, "iom", 3), 3);
	/* Behind both. */
	result_is(RUN("iommu", path), 0, TABLE, "");
	says(silent, "");
	says(half, "");
	end_guest();
}
END_TEST

START_TEST(silent_client_does_not_keep_the_run_from_its_end)
{
	int silent;

	start_guest();
	silent = connected();
	end_guest();
	says(silent, "");
}
END_TEST

static void request_says(const char *request, size_t len, const char *want)
{
	int fd = connected();

	ck_assert_int_eq(write(fd, request, len), (ssize_t)len);
	says(fd, want);
}

START_TEST(wrong_requests_are_refused)
{
	static const char *const wrong[] = {
		"\n",
		"iommu \n",
		"map\n",
		"map 8\n",
		"map 8 \n",
		"map -8 0\n",
		"map 8 -0\n",
		"map 4294967296 0\n",
		"map 8 0x10000000000000000\n",
		"map 8 0 0\n",
		"map 8  0\n",
	};
	char longest[64];

	start_guest();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		request_says(wrong[i], strlen(wrong[i]),
			     "{\"error\":\"no such request\"}\n");
	memset(longest, 'x', sizeof(longest));
	request_says(longest, 64, "{\"error\":\"the request is too long\"}\n");
	longest[63] = '\n';
	request_says(longest, 64, "{\"error\":\"no such request\"}\n");
	request_says("map 8 0x4ac00000\nmore\n", 22,
		     "{\"first\":\"0x4ac00000\",\"last\":\"0x4adfffff\","
		     "\"phys\":\"0x5000\",\"flags\":\"rw\"}\n"
		     "{\"end\":true}\n");
	request_says("map 8 0xffffffffffffffff\n", 25, "{\"end\":true}\n");
	end_guest();
}
END_TEST

START_TEST(client_that_leaves_at_once_does_no_harm)
{
	start_guest();
	for (unsigned i = 0; i < 50; i++) {
		int fd = connected();

		if (i % 2)
			ck_assert_int_eq(write(fd, "map 8 0\n", 8), 8);
		close(fd);
		if (i % 8 == 7)
			request_says("map 16 0\n", 9, "{\"end\":true}\n");
	}
	result_is(RUN("iommu", path), 0, TABLE, "");
	end_guest();
}
END_TEST

START_TEST(wrong_usage_is_2)
{
	char name[120];

	memset(name, 'x', sizeof(name));
	name[108] = '\0';
	result_is(RUN("iommu"), 2, "",
		  "moat: iommu: NAME is missing ('moat list' prints them), or "
		  "the PATH of 'moat run --control "
		  "PATH'\n");
	result_is(RUN("iommu", ""), 2, "",
		  "moat: iommu: PATH: expected something, not nothing\n");
	result_is(RUN("iommu", name), 2, "",
		  "moat: iommu: PATH: a socket's path has at most 107 bytes\n");
	result_is(RUN("iommu", path, "--watch", "--map", "8"), 2, "",
		  "moat: iommu: --watch and --map do not go together\n");
	result_is(RUN("iommu", path, "--map", "4294967296"), 2, "",
		  "moat: --map '4294967296': expected a number from 0 to "
		  "4294967295\n");
	result_is(RUN("iommu", path, "--memory", "1G"), 2, "",
		  "moat: --memory: this command has no such option\n");
	result_is(RUN("run", "--json"), 2, "",
		  "moat: --json: this command has no such option\n");
	ck_assert_int_eq(RUN("run", "--control", name).status, 2);
	ck_assert_int_eq(RUN("run", "--control", "").status, 2);
}
END_TEST

START_TEST(nobody_there_is_1)
{
	fails(RUN("iommu", path), 1,
	      "iommu: ", ": nobody answers: No such file or directory");
	close(bound());
	fails(RUN("iommu", path), 1,
	      "iommu: ", ": nobody answers: Connection refused");
	fails(RUN("iommu", path, "--watch"), 1,
	      "iommu: ", ": nobody answers: Connection refused");
}
END_TEST

/* A server that says @text to each of @times clients. */
static void start_server(const char *text, unsigned times)
{
	int fd;

	(void)unlink(path);
	fd = bound();
	ck_assert_int_eq(listen(fd, 8), 0);
	server = fork();
	while (server == 0 && times--) {
		char request[64];
		int c = accept(fd, NULL, NULL);

		(void)!read(c, request, sizeof(request));
		(void)!write(c, text, strlen(text));
		close(c);
	}
	if (server == 0)
		_exit(0);
	close(fd);
}

static void answer_is(const char *text, const char *out, const char *err)
{
	int status;

	start_server(text, 1);
	result_is(RUN("iommu", path), err[0] != '\0', out, err);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
}

#define NOT_ONE "moat: iommu: the answer is not a machine's\n"
#define CUT	"moat: iommu: the answer is cut\n"

START_TEST(answers_of_others_are_refused)
{
	static char text[1025];

	answer_is("{\"end\":true}\n", HEAD, "");
	answer_is("", "", CUT);
	answer_is("{\"end\":true}", "", CUT);
	answer_is("HTTP/1.0 200 OK\n", "", NOT_ONE);
	answer_is("\n", "", NOT_ONE);
	answer_is("{\"end\":true} \n", "", NOT_ONE);
	answer_is("{\"endpoint\":8}\n", "", NOT_ONE);
	answer_is("{\"endpoint\":8,\"domain\":-1,\"bypass\":false}\n", "",
		  NOT_ONE);
	answer_is("{\"error\":\"a\x1b[2J\"}\n", "", "moat: iommu: a?[2J\n");
	answer_is("{\"error\":\"a\"b\"}\n", "", NOT_ONE);
	memset(text, 'x', sizeof(text) - 1);
	answer_is(text, "", NOT_ONE);
	/* Mappings that nobody asked for. */
	answer_is("{\"first\":\"0x1000\",\"last\":\"0x1fff\",\"phys\":\"0x0\","
		  "\"flags\":\"r\"}\n",
		  HEAD, NOT_ONE);
}
END_TEST

START_TEST(pages_that_do_not_go_on_are_refused)
{
	int status;

	start_server("{\"next\":\"0x1000\"}\n", 2);
	result_is(RUN("iommu", path, "--map", "1"), 1, "", NOT_ONE);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/cli/control");
	TCase *tc = tcase_create("control");
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 150);
	tcase_add_test(tc, endpoints_are_printed);
	tcase_add_test(tc, mappings_of_several_pages_are_printed);
	tcase_add_test(tc, devices_are_printed);
	tcase_add_test(tc, balloon_is_set_to_a_size);
	tcase_add_test(tc, guest_is_asked_by_its_name);
	tcase_add_test(tc, machine_without_iommu_says_so);
	tcase_add_test(tc, watch_prints_until_the_guest_ends);
	tcase_add_test(tc, socket_is_the_owners_and_goes_with_the_run);
	tcase_add_test(tc, socket_in_use_is_refused_and_a_stale_one_replaced);
	tcase_add_test(tc, file_that_is_no_socket_stays);
	tcase_add_test(tc, client_that_is_silent_is_dropped);
	tcase_add_test(tc, silent_client_does_not_keep_the_run_from_its_end);
	tcase_add_test(tc, wrong_requests_are_refused);
	tcase_add_test(tc, client_that_leaves_at_once_does_no_harm);
	tcase_add_test(tc, wrong_usage_is_2);
	tcase_add_test(tc, nobody_there_is_1);
	tcase_add_test(tc, answers_of_others_are_refused);
	tcase_add_test(tc, pages_that_do_not_go_on_are_refused);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
