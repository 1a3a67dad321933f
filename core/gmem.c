/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/gmem.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"

/* Guest, host and file addresses agree modulo this, so that both the host's
 * page tables and the nested ones can use huge pages. */
#define HUGE_ALIGN MIB(2)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/*
 * Set-up.
 */

/* Checks the layout and gives each slot its place in the file. */
static int layout_check(struct gmem_slot *slots, unsigned n,
			uint64_t *ret_file_size)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t file_end = 0;
	gpa_t prev_end = 0;

	for (unsigned i = 0; i < n; i++) {
		struct gmem_slot *s = &slots[i];
		gpa_t end;

		if (s->size == 0 || !is_aligned(s->base | s->size, page) ||
		    __builtin_add_overflow(s->base, s->size, &end) ||
		    s->base < prev_end)
			return -EINVAL;
		prev_end = end;
		/* The file is sparse: skipped offsets cost nothing. */
		s->file_offset =
			file_end + ((s->base - file_end) & (HUGE_ALIGN - 1));
		if (__builtin_add_overflow(s->file_offset, s->size,
					   &file_end) ||
		    file_end > INT64_MAX - HUGE_ALIGN)
			return -ENOMEM;
	}
	*ret_file_size = file_end;
	return 0;
}

static int ram_file_new(uint64_t size)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	AUTO_CLOSE int fd = memfd_create("moat-ram", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("moat-ram", flags);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	/* Whoever gets the descriptor (a vhost backend) cannot take pages
	 * away from under our mapping, which would be a SIGBUS here, nor
	 * forbid us to discard any. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
	    0)
		return -errno;
	return take_fd(&fd);
}

/* At the very start of memory a guest finds its start-up structures, touches
 * a few pages and no more: not worth the clearing of a huge page. */
static uint64_t small_head(const struct gmem_slot *s)
{
	return s->base < HUGE_ALIGN ? HUGE_ALIGN - s->base : 0;
}

/* @fd: the memfd, or -1 for private memory */
static int slot_map(struct gmem_slot *s, int fd)
{
	const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
				 : MAP_SHARED;
	const off_t offset = fd < 0 ? 0 : (off_t)s->file_offset;
	const uint64_t reserve = s->size + HUGE_ALIGN;
	uint8_t *p, *host;
	uint64_t head;

	p = mmap(NULL, reserve, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	head = (s->base - (uintptr_t)p) & (HUGE_ALIGN - 1);
	host = mmap(p + head, s->size, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED, fd, offset);
	if (host == MAP_FAILED) {
		int r = -errno;

		munmap(p, reserve);
		return r;
	}
	if (head > 0)
		munmap(p, head);
	munmap(host + s->size, HUGE_ALIGN - head);
	s->host = host;
	/* Wishes: a kernel without them runs the guest as well. */
	(void)madvise(host, s->size, MADV_DONTFORK);
	(void)madvise(host, s->size, MADV_DONTDUMP);
	head = min_u64(small_head(s), s->size);
	if (head > 0) /* said, for hosts that always give huge ones */
		(void)madvise(host, head, MADV_NOHUGEPAGE);
	if (s->size > head)
		(void)madvise(host + head, s->size - head, MADV_HUGEPAGE);
	return 0;
}

static int no_memory(struct err *err, int code, const struct gmem_slot *layout,
		     unsigned n)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += layout[i].size;
	return err_errno(err, code, "cannot reserve %" PRIu64 " MiB of RAM",
			 size >> 20);
}

static int init(struct gmem *m, const struct gmem_slot *layout, unsigned n,
		bool shared, struct err *err)
{
	uint64_t file_size = 0;
	int r = -EINVAL;

	*m = (struct gmem){.fd = -1};
	if (n >= 1 && n <= GMEM_SLOTS_MAX) {
		for (unsigned i = 0; i < n; i++) {
			m->slots[i].base = layout[i].base;
			m->slots[i].size = layout[i].size;
		}
		r = layout_check(m->slots, n, &file_size);
	}
	if (r == -EINVAL) {
		*m = (struct gmem){.fd = -1};
		return err_set(err, EINVAL,
			       "the layout of guest memory is not valid");
	}
	if (r == 0 && shared)
		r = m->fd = ram_file_new(file_size);
	for (unsigned i = 0; r >= 0 && i < n; i++) {
		r = slot_map(&m->slots[i], m->fd);
		if (r == 0)
			m->nslots++;
	}
	if (r < 0) {
		gmem_fini(m);
		return no_memory(err, -r, layout, n);
	}
	return 0;
}

int gmem_init(struct gmem *m, const struct gmem_slot *layout, unsigned n,
	      struct err *err)
{
	return init(m, layout, n, false, err);
}

int gmem_init_shared(struct gmem *m, const struct gmem_slot *layout, unsigned n,
		     struct err *err)
{
	return init(m, layout, n, true, err);
}

/* Nothing but init() makes nslots or fd > 0, so a zeroed object is told from
 * one that owns descriptor 0. */
void gmem_fini(struct gmem *m)
{
	for (unsigned i = 0; i < m->nslots; i++)
		munmap(m->slots[i].host, m->slots[i].size);
	if (m->fd > 0 || (m->fd == 0 && m->nslots > 0))
		close(m->fd);
	*m = (struct gmem){.fd = -1};
}

static int slot_discard(const struct gmem_slot *s, int fd, uint64_t off,
			uint64_t len)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (fd < 0)
		return madvise(s->host + off, len, MADV_DONTNEED);
	return fallocate(fd, mode, (off_t)(s->file_offset + off), (off_t)len);
}

int gmem_discard(struct gmem *m, struct err *err)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		if (slot_discard(&m->slots[i], m->fd, 0, m->slots[i].size) < 0)
			return err_errno(err, errno,
					 "cannot clear guest memory");
	}
	return 0;
}

uint64_t gmem_size(const struct gmem *m)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < m->nslots; i++)
		size += m->slots[i].size;
	return size;
}

/*
 * The range check, the only one.
 *
 * Finds the slot that [at, at + len), len >= 1, begins in, and makes sure
 * that RAM goes on without a gap to the range's end.
 */
static const struct gmem_slot *range_check(const struct gmem *m, gpa_t at,
					   uint64_t len)
{
	const struct gmem_slot *first = NULL;
	gpa_t end, run_end = 0;

	if (__builtin_add_overflow(at, len, &end))
		return NULL;
	for (unsigned i = 0; i < m->nslots; i++) {
		const struct gmem_slot *s = &m->slots[i];

		if (!first && at >= s->base && at - s->base < s->size)
			first = s;
		else if (!first || s->base != run_end)
			continue;
		run_end = s->base + s->size;
		if (end <= run_end)
			return first;
	}
	return NULL;
}

/* The part of a checked range that lies in one slot. */
struct run {
	const struct gmem_slot *slot;
	uint8_t *host;
	uint64_t len;
};

static struct run run_at(const struct gmem_slot *s, gpa_t at, uint64_t len)
{
	const uint64_t off = at - s->base;

	return (struct run){
		.slot = s,
		.host = s->host + off,
		.len = min_u64(len, s->size - off),
	};
}

bool gmem_has(const struct gmem *m, gpa_t at, uint64_t len)
{
	return range_check(m, at, len > 0 ? len : 1) != NULL;
}

int gmem_discard_range(struct gmem *m, gpa_t at, uint64_t len)
{
	const struct gmem_slot *s;

	if (!is_aligned(at | len, KIB(4)))
		return -EINVAL;
	if (len == 0)
		return 0;
	s = range_check(m, at, len);
	if (!s)
		return -EFAULT;
	for (; len > 0; s++) {
		const struct run run = run_at(s, at, len);

		if (slot_discard(s, m->fd, at - s->base, run.len) < 0)
			return -errno;
		at += run.len;
		len -= run.len;
	}
	return 0;
}

int gmem_read(const struct gmem *m, gpa_t at, void *dst, size_t len)
{
	const struct gmem_slot *s;
	uint8_t *out = dst;

	if (len == 0)
		return 0;
	s = range_check(m, at, len);
	if (!s)
		return -EFAULT;
	for (; len > 0; s++) {
		const struct run run = run_at(s, at, len);

		memcpy(out, run.host, run.len);
		out += run.len;
		at += run.len;
		len -= run.len;
	}
	return 0;
}

int gmem_write(struct gmem *m, gpa_t at, const void *src, size_t len)
{
	const struct gmem_slot *s;
	const uint8_t *in = src;

	if (len == 0)
		return 0;
	s = range_check(m, at, len);
	if (!s)
		return -EFAULT;
	for (; len > 0; s++) {
		const struct run run = run_at(s, at, len);

		memcpy(run.host, in, run.len);
		in += run.len;
		at += run.len;
		len -= run.len;
	}
	return 0;
}

int gmem_zero(struct gmem *m, gpa_t at, uint64_t len)
{
	const struct gmem_slot *s;

	if (len == 0)
		return 0;
	s = range_check(m, at, len);
	if (!s)
		return -EFAULT;
	for (; len > 0; s++) {
		const struct run run = run_at(s, at, len);

		memset(run.host, 0, run.len);
		at += run.len;
		len -= run.len;
	}
	return 0;
}

/*
 * One aligned word.  Slots and mappings are page-aligned, so an aligned guest
 * address is an aligned host address and never straddles two slots.
 */
static int word16(const struct gmem *m, gpa_t at, _Atomic uint16_t **ret_p)
{
	const struct gmem_slot *s;

	if (!is_aligned(at, sizeof(uint16_t)))
		return -EINVAL;
	s = range_check(m, at, sizeof(uint16_t));
	if (!s)
		return -EFAULT;
	*ret_p = (void *)(s->host + (at - s->base));
	return 0;
}

int gmem_load16_acquire(const struct gmem *m, gpa_t at, uint16_t *ret_val)
{
	_Atomic uint16_t *p;
	int r = word16(m, at, &p);

	/* Partner: the driver's store of the index, after its entries. */
	if (r == 0)
		*ret_val =
			le16toh(atomic_load_explicit(p, memory_order_acquire));
	return r;
}

int gmem_store16_release(struct gmem *m, gpa_t at, uint16_t val)
{
	_Atomic uint16_t *p;
	int r = word16(m, at, &p);

	/* Partner: the driver's load of the index, before the entries. */
	if (r == 0)
		atomic_store_explicit(p, htole16(val), memory_order_release);
	return r;
}

int gmem_iov(const struct gmem *m, gpa_t at, uint64_t len, struct iovec *iov,
	     unsigned max)
{
	const struct gmem_slot *s;
	unsigned n = 0;

	if (len == 0)
		return 0;
	s = range_check(m, at, len);
	if (!s)
		return -EFAULT;
	for (; len > 0; s++) {
		const struct run run = run_at(s, at, len);

		if (n == max)
			return -E2BIG;
		iov[n++] = (struct iovec){run.host, run.len};
		at += run.len;
		len -= run.len;
	}
	return (int)n;
}

void *gmem_host(const struct gmem *m, gpa_t at, uint64_t len)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		const struct gmem_slot *s = &m->slots[i];
		const uint64_t off = at - s->base;

		if (off < s->size)
			return len <= s->size - off ? s->host + off : NULL;
	}
	return NULL;
}

gpa_t gmem_at(const struct gmem *m, const void *host)
{
	for (unsigned i = 0;; i++) {
		const struct gmem_slot *s = &m->slots[i];
		const uint64_t off = (uintptr_t)host - (uintptr_t)s->host;

		assert(i < m->nslots); /* it is the guest's memory */
		if (off < s->size)
			return s->base + off;
	}
}

void gmem_iov_read(const struct iovec *iov, void *dst)
{
	memcpy(dst, iov->iov_base, iov->iov_len);
}

void gmem_iov_write(const struct iovec *iov, const void *src)
{
	memcpy(iov->iov_base, src, iov->iov_len);
}

uint16_t gmem_iov_load16_acquire(const struct iovec *iov)
{
	const _Atomic uint16_t *p = iov->iov_base;

	return le16toh(atomic_load_explicit(p, memory_order_acquire));
}

void gmem_iov_store16_release(const struct iovec *iov, uint16_t val)
{
	_Atomic uint16_t *p = iov->iov_base;

	atomic_store_explicit(p, htole16(val), memory_order_release);
}
