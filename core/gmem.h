/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * gmem.h - guest memory: RAM slots, private or backed by one memfd.
 *
 * The guest changes this memory at any moment.  So bytes are copied in and
 * out, and a pointer into it leaves this file only inside an iovec on its way
 * to a system call (preadv, io_uring, a KVM memslot), or as an address in a
 * table that such iovecs are made from (iommu/).  Whoever needs a value
 * twice copies it once.
 *
 * Slots do not overlap and are sorted; an access may run across two adjacent
 * slots.  Every range check is done here, by one function.
 *
 * Threads: any, after gmem_init(); the layout never changes.
 */
#ifndef MOAT_CORE_GMEM_H
#define MOAT_CORE_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;

typedef uint64_t gpa_t; /* guest-physical address */

#define GMEM_SLOTS_MAX 8

/* A part of the guest-physical space that is RAM; page-aligned both ways. */
struct gmem_slot {
	gpa_t base;
	uint64_t size;
	uint64_t file_offset; /* in the memfd, if there is one */
	uint8_t *host; /* for core/gmem.c, KVM memslots and vhost tables */
};

struct gmem {
	int fd; /* memfd; -1: the memory is private */
	unsigned nslots;
	struct gmem_slot slots[GMEM_SLOTS_MAX];
};

/*
 * gmem_init, gmem_init_shared - reserve RAM for @n slots; pages are populated
 * when touched.
 * @layout: base and size of each slot, ascending; other fields are ignored
 *
 * Private memory gets huge pages where the host's kernel has them to give:
 * one fault of the guest instead of 512; the first 2 MiB, of which little is
 * touched, do not.  Shared memory is in a memfd, which
 * other processes (vhost-user servers) can map, and for which most hosts have
 * huge pages switched off.
 *
 * Host mappings agree with guest addresses modulo 2 MiB, are not inherited by
 * fork() and stay out of core dumps.
 *
 * Return: 0; -EINVAL for slots that overlap, descend, wrap, are unaligned or
 * empty, for none and for too many; -ENOMEM and other -errno from the kernel.
 */
int gmem_init(struct gmem *m, const struct gmem_slot *layout, unsigned n,
	      struct err *err);
int gmem_init_shared(struct gmem *m, const struct gmem_slot *layout, unsigned n,
		     struct err *err);

/* Accepts a zeroed or half-built object. */
void gmem_fini(struct gmem *m);

/*
 * gmem_discard - give all pages back: memory reads as zeros, and costs
 * nothing until touched.  Nobody uses it meanwhile.
 *
 * Return: 0 or -errno.
 */
int gmem_discard(struct gmem *m, struct err *err);

/*
 * gmem_discard_range - the same for some pages, while the guest runs: its
 * affair if it still uses them.
 *
 * Return: 0; -EINVAL unless whole pages of 4 KiB; -EFAULT if any byte is not
 * RAM (nothing is discarded then); -errno.
 */
int gmem_discard_range(struct gmem *m, gpa_t at, uint64_t len);

/* All bytes of all slots. */
uint64_t gmem_size(const struct gmem *m);

/* True if all @len bytes at @at are RAM; true for @len 0 inside a slot. */
bool gmem_has(const struct gmem *m, gpa_t at, uint64_t len);

/*
 * gmem_read, gmem_write, gmem_zero - copy out, copy in, clear.
 *
 * Return: 0, also for @len 0 anywhere; -EFAULT if any byte is not RAM (nothing
 * is moved then).
 */
int gmem_read(const struct gmem *m, gpa_t at, void *dst, size_t len);
int gmem_write(struct gmem *m, gpa_t at, const void *src, size_t len);
int gmem_zero(struct gmem *m, gpa_t at, uint64_t len);

/*
 * Ring indices and flags: little-endian in memory, naturally aligned,
 * single-copy atomic; acquire pairs with the driver's release of the same
 * word, and the other way.
 *
 * Return: 0, -EFAULT if not RAM, -EINVAL if unaligned.
 */
int gmem_load16_acquire(const struct gmem *m, gpa_t at, uint16_t *ret_val);
int gmem_store16_release(struct gmem *m, gpa_t at, uint16_t val);

/*
 * gmem_iov - the host's view of a range, for a system call.
 * @iov, @max: room for the result; ranges over more slots than @max give -E2BIG
 *
 * Return: count of iovecs (0 for @len 0), -EFAULT, -E2BIG.
 */
int gmem_iov(const struct gmem *m, gpa_t at, uint64_t len, struct iovec *iov,
	     unsigned max);

/*
 * gmem_host - the same as one address, for who keeps it for later iovecs.
 * Return: NULL if the range is no RAM, or in more slots than one.
 * gmem_at - the other way: the guest's address of host memory.
 */
void *gmem_host(const struct gmem *m, gpa_t at, uint64_t len);
gpa_t gmem_at(const struct gmem *m, const void *host);

/*
 * The same accesses as above, by an iovec that gmem_iov() has given, all of it;
 * aligned and two bytes long for the words.
 */
void gmem_iov_read(const struct iovec *iov, void *dst);
void gmem_iov_write(const struct iovec *iov, const void *src);
uint16_t gmem_iov_load16_acquire(const struct iovec *iov);
void gmem_iov_store16_release(const struct iovec *iov, uint16_t val);

#endif
