/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/trace.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/err.h"
#include "core/log.h"

static struct trace t;
static struct err err;
static char path[] = "/tmp/moat-trace-XXXXXX";
static int back; /* reads the same file */
static char said[256];

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

static void setup(void)
{
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	back = open(path, O_RDONLY);
	unlink(path);
	said[0] = '\0';
	log_set_sink(keep_line);
	trace_init(&t);
	ck_assert_int_eq(trace_start(&t, fd, &err), 0);
}

static void teardown(void)
{
	trace_fini(&t);
	close(back);
}

static void request(const struct iommu_request *r, enum iommu_status status)
{
	t.watcher.request(&t.watcher, r, status);
}

static void fault(const struct iommu_fault *f)
{
	t.watcher.fault(&t.watcher, f);
}

static void expect_head(void)
{
	uint8_t head[TRACE_HEAD];

	ck_assert_int_eq(read(back, head, sizeof(head)), sizeof(head));
	ck_assert(trace_head_ok(head));
	head[TRACE_HEAD - 4]++;
	ck_assert(!trace_head_ok(head));
}

static struct trace_record next(void)
{
	uint8_t bytes[TRACE_RECORD];
	struct trace_record r;

	ck_assert_int_eq(read(back, bytes, sizeof(bytes)), sizeof(bytes));
	trace_record_get(&r, bytes);
	return r;
}

static void expect_end(void)
{
	char c;

	ck_assert_int_eq(read(back, &c, 1), 0);
}

START_TEST(records_come_back_as_they_went_in)
{
	const struct iommu_request map = {
		.type = IOMMU_REQUEST_MAP,
		.domain = 0x80000001,
		.first = 0xfffffffffffff000,
		.last = UINT64_MAX,
		.phys = 0x123456789000,
		.flags = 7,
	};
	const struct iommu_request attach = {
		.type = IOMMU_REQUEST_ATTACH, .endpoint = 40, .bypass = true};
	const struct iommu_fault f = {IOMMU_FAULT_MAPPING, DMA_WRITE, 41,
				      0x5000};
	struct trace_record a, b, c;

	request(&map, IOMMU_NOMEM);
	request(&attach, IOMMU_OK);
	fault(&f);
	trace_fini(&t);
	expect_head();
	a = next();
	b = next();
	c = next();
	expect_end();
	ck_assert(a.kind == 3 && a.status == IOMMU_NOMEM &&
		  a.domain == 0x80000001 && a.first == 0xfffffffffffff000 &&
		  a.last == UINT64_MAX && a.phys == 0x123456789000 &&
		  a.flags == 7 && !a.bypass);
	ck_assert(b.kind == 1 && b.status == 0 && b.endpoint == 40 && b.bypass);
	ck_assert(c.kind == TRACE_FAULT && c.status == 2 && c.access == 2 &&
		  c.endpoint == 41 && c.first == 0x5000);
	ck_assert(a.time_ns <= b.time_ns && b.time_ns <= c.time_ns);
}
END_TEST

START_TEST(none_is_lost_when_there_are_many)
{
	struct iommu_request r = {.type = IOMMU_REQUEST_UNMAP};

	for (r.first = 0; r.first < 3 * TRACE_GATHERED + 5; r.first++)
		request(&r, IOMMU_OK);
	trace_fini(&t);
	expect_head();
	for (uint64_t n = 0; n < 3 * TRACE_GATHERED + 5; n++)
		ck_assert_uint_eq(next().first, n);
	expect_end();
}
END_TEST

START_TEST(nothing_is_written_without_a_file)
{
	static const struct iommu_request r = {.type = IOMMU_REQUEST_PROBE};
	static const struct iommu_fault f = {0};

	trace_fini(&t);
	trace_init(&t);
	for (unsigned n = 0; n < 2 * TRACE_GATHERED; n++) {
		request(&r, IOMMU_OK);
		fault(&f);
	}
	ck_assert_uint_eq(t.n, 0);
	expect_head();
	expect_end();
}
END_TEST

START_TEST(only_a_regular_file_will_do)
{
	static struct trace u;
	int fds[2];

	trace_init(&u);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(trace_start(&u, fds[1], &err), -EINVAL);
	ck_assert_str_eq(err.msg, "--trace: not a regular file");
	/* It was closed. */
	ck_assert_int_eq(fcntl(fds[1], F_GETFD), -1);
	close(fds[0]);
	trace_fini(&u);
}
END_TEST

START_TEST(file_that_takes_no_more_ends_the_trace)
{
	const struct rlimit limit = {TRACE_HEAD + 100 * TRACE_RECORD,
				     RLIM_INFINITY};
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct iommu_request r = {.type = IOMMU_REQUEST_UNMAP};

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (r.first = 0; r.first < 3 * TRACE_GATHERED; r.first++)
		request(&r, IOMMU_OK);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_str_eq(said, "the IOMMU's trace ends here: File too large");
	ck_assert_int_eq(t.fd, -1);
	request(&r, IOMMU_OK);
	ck_assert_uint_eq(t.n, 0);
}
END_TEST

static const char *printed(const struct trace_record *r)
{
	static char text[256];
	FILE *out = fmemopen(text, sizeof(text), "w");

	trace_record_print(r, out);
	fclose(out);
	return text;
}

#define PRINTS(text, ...) \
	ck_assert_str_eq(printed(&(struct trace_record){__VA_ARGS__}), text)

START_TEST(lines_are_for_people)
{
	PRINTS("0.000000001 attach endpoint 40 to domain 1: OK\n", .time_ns = 1,
	       .kind = 1, .endpoint = 40, .domain = 1);
	PRINTS("12.300000000 attach endpoint 40 to bypass domain 1: INVAL\n",
	       .time_ns = 12300000000, .kind = 1, .endpoint = 40, .domain = 1,
	       .bypass = true, .status = 4);
	PRINTS("0.000000000 detach endpoint 4294967295 from domain 0: NOENT\n",
	       .kind = 2, .endpoint = UINT32_MAX, .status = 6);
	PRINTS("0.000000000 map domain 1 0x5000-0x5fff to 0x9000 rw: OK\n",
	       .kind = 3, .domain = 1, .first = 0x5000, .last = 0x5fff,
	       .phys = 0x9000, .flags = 3);
	PRINTS("0.000000000 map domain 0 0-0 to 0 -- mmio: NOMEM\n", .kind = 3,
	       .flags = 4, .status = 8);
	PRINTS("0.000000000 unmap domain 0 0-0xffffffffffffffff: RANGE\n",
	       .kind = 4, .last = UINT64_MAX, .status = 5);
	PRINTS("0.000000000 probe endpoint 8: OK\n", .kind = 5, .endpoint = 8);
	PRINTS("0.000000000 fault endpoint 8 write 0x10: no mapping\n",
	       .kind = TRACE_FAULT, .endpoint = 8, .access = 2, .status = 2,
	       .first = 0x10);
	PRINTS("0.000000000 fault endpoint 8 read 0: ?\n", .kind = TRACE_FAULT,
	       .endpoint = 8, .access = 1, .status = 3);
	PRINTS("0.000000000 unknown 77: ?\n", .kind = 77, .status = 9);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm/trace");
	TCase *tc = tcase_create("trace");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, records_come_back_as_they_went_in);
	tcase_add_test(tc, none_is_lost_when_there_are_many);
	tcase_add_test(tc, nothing_is_written_without_a_file);
	tcase_add_test(tc, only_a_regular_file_will_do);
	tcase_add_test(tc, file_that_takes_no_more_ends_the_trace);
	tcase_add_test(tc, lines_are_for_people);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
