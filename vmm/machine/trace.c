/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/log.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Return: 0 or -errno. */
static int write_all(int fd, const uint8_t *src, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, src, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		src += n;
		len -= (size_t)n;
	}
	return 0;
}

static void end(struct trace *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->n = 0;
}

static void flush(struct trace *t)
{
	int r = write_all(t->fd, t->gathered[0], t->n * TRACE_RECORD);

	t->n = 0;
	if (r == 0)
		return;
	log_warn("the IOMMU's trace ends here: %s", strerror(-r));
	end(t);
}

static void add(struct trace *t, struct trace_record *r)
{
	r->time_ns = now_ns() - t->began_ns;
	trace_record_put(t->gathered[t->n++], r);
	if (t->n == TRACE_GATHERED)
		flush(t);
}

static void on_request(struct viommu_watcher *w, const struct iommu_request *q,
		       enum iommu_status status)
{
	struct trace *t = container_of(w, struct trace, watcher);
	struct trace_record r = {
		.kind = (uint8_t)q->type,
		.status = (uint8_t)status,
		.bypass = q->bypass,
		.endpoint = q->endpoint,
		.domain = q->domain,
		.flags = q->flags,
		.first = q->first,
		.last = q->last,
		.phys = q->phys,
	};

	if (t->fd >= 0)
		add(t, &r);
}

static void on_fault(struct viommu_watcher *w, const struct iommu_fault *f)
{
	struct trace *t = container_of(w, struct trace, watcher);
	struct trace_record r = {
		.kind = TRACE_FAULT,
		.status = (uint8_t)f->reason,
		.access = (uint8_t)f->access,
		.endpoint = f->endpoint,
		.first = f->at,
	};

	if (t->fd >= 0)
		add(t, &r);
}

void trace_init(struct trace *t)
{
	*t = (struct trace){.watcher = {on_request, on_fault}, .fd = -1};
}

void trace_fini(struct trace *t)
{
	if (!t->watcher.request)
		return;
	if (t->fd >= 0)
		flush(t);
	end(t);
}

int trace_start(struct trace *t, int fd, struct err *err)
{
	uint8_t head[TRACE_HEAD];
	struct stat st;
	int r = 0;

	t->fd = fd;
	t->began_ns = now_ns();
	trace_head_put(head);
	if (fstat(fd, &st) < 0)
		r = err_errno(err, errno, "--trace: cannot look at the file");
	else if (!S_ISREG(st.st_mode))
		r = err_set(err, EINVAL, "--trace: not a regular file");
	else if ((r = write_all(fd, head, sizeof(head))) < 0)
		r = err_errno(err, -r, "--trace: cannot write");
	if (r < 0)
		end(t);
	return r;
}
